"""From image and components to scores: parity with plain open_clip, caching, notices, errors."""

from __future__ import annotations

import math
import threading

import numpy as np
import open_clip
import pytest
import torch
from PIL import Image

from core.errors import Cancelled, InputError, Unsupported
from core.foreground.annotations import from_boxes, from_json
from core.foreground.components import ComponentSet
from core.foreground.encoding import FeatureCache, seen_crop
from core.foreground.mask_images import from_mask
from core.foreground.pipeline import ForegroundResult, foreground_map, score_all, score_foreground
from core.foreground.prompts import PromptSet
from core.foreground.request import ForegroundRequest, Picture, default_model
from core.foreground.scoring import FIELDS, Rule
from core.foreground.treatments import TREATMENTS, Treatment
from core.models.manager import ModelManager
from core.settings import Settings
from core.types import Progress
from tests.tiny_models import TINY, build_reference, write_custom

COLOURED = PromptSet(("red", "blue"), ("green", "grey"), ())


# --- parity with the note's recipe in plain open_clip calls


def recipe(
    rgb: np.ndarray, mask: np.ndarray, treatment: str, module: torch.nn.Module, prompts: PromptSet
) -> np.ndarray:
    """The note, step by step, for one component: probabilities over all prompts, `[K]`."""
    rows, columns = np.nonzero(mask)
    window = np.s_[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1]
    crop, inside = rgb[window].astype(np.float32), mask[window].astype(np.float32)
    if treatment == "original":
        crop[inside == 0] = 128
        crop[inside > 0] *= 1.05
    elif treatment == "soft_mask":
        outside = inside <= 0.5
        crop[outside] = crop[outside] * (1 - 0.4) + 128 * 0.4
        crop[~outside] *= 1.05
    picture = Image.fromarray(np.clip(crop, 0, 255).astype(np.uint8))
    settings = TINY["preprocess_cfg"]
    preprocess = open_clip.image_transform(32, is_train=False, mean=settings["mean"], std=settings["std"])
    tokenizer = open_clip.get_tokenizer("ViT-B-32")
    with torch.no_grad():
        image = module.encode_image(preprocess(picture)[None], normalize=True)
        text = module.encode_text(tokenizer(list(prompts.texts)), normalize=True)
        return (module.logit_scale.exp() * image @ text.T).softmax(dim=-1)[0].numpy()


@pytest.fixture(scope="module")
def sharp(tmp_path_factory):
    """The tiny model at CLIP's usual temperature (100), where small differences count most."""
    folder = tmp_path_factory.mktemp("sharp")
    write_custom(folder, "tiny", TINY)
    from safetensors.torch import load_file, save_file

    file = folder / "custom" / "tiny" / "open_clip_model.safetensors"
    save_file({**load_file(file), "logit_scale": torch.tensor(math.log(100.0))}, file)
    module = build_reference(TINY)
    module.load_state_dict(load_file(file))
    manager = ModelManager(Settings(weights_dir=folder))
    yield manager, module
    manager.close()


@pytest.mark.parametrize("treatment", ["original", "raw_crop", "soft_mask"])
def test_scores_equal_the_notes_recipe_written_out_in_open_clip_calls(treatment, scene, sharp):
    manager, module = sharp
    rows, columns = np.indices(scene.image_hw)
    masks = [
        (rows - 40) ** 2 + (columns - 45) ** 2 < 600,
        (rows - 90) ** 2 / 2 + (columns - 130) ** 2 < 900,
        rows + columns < 50,
    ]
    found = from_json([{"segmentation": mask} for mask in masks], scene.image_hw)
    prompts = PromptSet()
    request = ForegroundRequest("custom_tiny", treatment=Treatment(treatment), batch_size=2, device="cpu", dtype="fp32")
    result = score_all(scene, found, request, manager)
    assert result.logit_scale == pytest.approx(100.0, abs=1e-4)
    for row, mask in enumerate(masks):
        p = recipe(scene.rgb_HWC, mask, treatment, module, prompts)
        np.testing.assert_allclose(result.scores.probabilities_BK[row], p, atol=1e-5)
        fields = result.rows[row]
        expected = {
            "s_pos": p[:87].max(), "s_neg": p[87:].max(), "p_pos_sum": p[:87].sum(), "p_neg_sum": p[87:].sum(),
            "p_pos_max": p[:87].max(), "p_neg_max": p[87:].max(),
        }  # fmt: skip
        for name, value in expected.items():
            assert fields[name] == pytest.approx(float(value), abs=1e-5)
        assert fields["s_pos_text"] == prompts.positive[int(p[:87].argmax())]
        assert fields["s_neg_text"] == prompts.negative[int(p[87:].argmax())]
    assert len({round(row["p_pos_sum"], 4) for row in result.rows}) == 3


def test_the_notes_numbers_are_the_default_even_where_bf16_would_be_quicker():
    assert ForegroundRequest().dtype == "fp32"


@pytest.mark.parametrize("templates", ["one", "simple"])
def test_templates_are_ensembled_in_embedding_space_as_open_clip_does(templates, scene, sharp):
    manager, module = sharp
    prompts = PromptSet(("a dog", "an apple"), ("sky",))
    request = ForegroundRequest("custom_tiny", prompts, templates, Treatment("raw_crop"), device="cpu", dtype="fp32")
    result = score_all(scene, from_boxes([(20, 20, 70, 60)], scene.image_hw), request, manager)
    if templates == "simple":
        nouns, formats = ["dog", "apple", "sky"], open_clip.SIMPLE_IMAGENET_TEMPLATES
    else:
        nouns, formats = list(prompts.texts), [lambda c: f"a photo of {c}."]
    weights = open_clip.build_zero_shot_classifier(
        module, open_clip.get_tokenizer("ViT-B-32"), nouns, formats, num_classes_per_batch=None, device="cpu"
    )
    crop = Image.fromarray(scene.rgb_HWC[20:60, 20:70])
    settings = TINY["preprocess_cfg"]
    preprocess = open_clip.image_transform(32, is_train=False, mean=settings["mean"], std=settings["std"])
    with torch.no_grad():
        image = module.encode_image(preprocess(crop)[None], normalize=True)
        p = (100 * image @ weights).softmax(-1)[0].numpy()
    np.testing.assert_allclose(result.scores.probabilities_BK[0], p, atol=1e-5)


# --- what follows the pixels


def test_each_component_gets_the_scores_of_its_own_pixels(scene, things, fakes):
    request = ForegroundRequest("fake", COLOURED, treatment=Treatment("raw_crop"))
    result = score_all(scene, things, request, fakes)
    assert [row["s_pos_text"] for row in result.rows][:2] == ["blue", "red"]
    assert result.rows[2]["s_neg_text"] == "green" and result.rows[2]["p_neg_sum"] > result.rows[1]["p_neg_sum"]
    swapped = ComponentSet(things.components[::-1])
    again = score_all(scene, swapped, request, fakes)
    assert [row["p_pos_sum"] for row in again.rows] == pytest.approx([row["p_pos_sum"] for row in result.rows][::-1])


def test_rows_keep_what_they_brought_and_gain_exactly_the_nine_fields(scene, fakes):
    brought = [
        {"id": 4, "bbox": [20, 20, 50, 40], "score": 0.8, "mine": {"a": [1]}},
        {"bbox": [100, 70, 60, 40], "x": 1},
    ]
    found = from_json(brought, scene.image_hw)
    result = score_all(scene, found, ForegroundRequest("fake", COLOURED), fakes)
    for component, row in zip(found.components, result.rows, strict=True):
        assert set(row) == set(component.fields) | set(FIELDS)
        assert all(row[name] == value for name, value in component.fields.items())
    assert result.rows[0]["mine"] == {"a": [1]} and result.ids == ("4", "2")


def test_scoring_a_scored_file_again_names_the_fields_that_moved(scene, fakes):
    first = score_all(scene, from_boxes([(20, 20, 70, 60)], scene.image_hw), ForegroundRequest("fake", COLOURED), fakes)
    second = score_all(
        scene, from_json({"components": list(first.rows)}, scene.image_hw), ForegroundRequest("fake", COLOURED), fakes
    )
    assert second.rows[0]["p_pos_sum_given"] == first.rows[0]["p_pos_sum"] == second.rows[0]["p_pos_sum"]
    assert "fields_kept" in {notice.code for notice in second.notices}


def test_ranking_is_own_score_times_multiplier(scene, fakes):
    found = from_json(
        [{"bbox": [100, 70, 60, 40], "score": 0.9}, {"bbox": [20, 20, 50, 40], "score": 0.5}], scene.image_hw
    )
    result = score_all(scene, found, ForegroundRequest("fake", COLOURED, treatment=Treatment("raw_crop")), fakes)
    assert result.scores.multiplier_B.tolist() == [0.1, 2.0]
    assert result.reweighted_scores == pytest.approx([0.09, 1.0]) and result.ranked == [1, 0]


# --- caching


def test_changed_prompts_are_scored_again_without_the_image_tower(scene, things, fakes, fake_encoder):
    cache = FeatureCache()
    request = ForegroundRequest("fake", COLOURED)
    first = score_all(scene, things, request, fakes, cache=cache)
    assert sum(fake_encoder.batch_sizes) == 3 and first.encoded == 3
    calls = len(fake_encoder.batch_sizes)
    other = ForegroundRequest("fake", PromptSet(("red", "a new prompt"), ("green",), ("a photo",)), mode="balanced")
    second = score_all(Picture(scene.rgb_HWC.copy()), things, other, fakes, cache=cache)
    assert len(fake_encoder.batch_sizes) == calls and second.encoded == 0
    fresh = score_all(scene, things, other, fakes)
    np.testing.assert_allclose(second.scores.probabilities_BK, fresh.scores.probabilities_BK, atol=1e-12)


def test_only_new_captions_reach_the_text_tower(scene, things, fakes, fake_encoder):
    score_all(scene, things, ForegroundRequest("fake", COLOURED), fakes)
    more = PromptSet((*COLOURED.positive, "yellow"), COLOURED.negative)
    score_all(scene, things, ForegroundRequest("fake", more), fakes)
    assert fake_encoder.texts_seen == ["red", "blue", "green", "grey", "yellow"]


@pytest.mark.parametrize(
    "change",
    [
        {"treatment": Treatment("soft_mask")},
        {"treatment": Treatment("original", grey=100)},
        {"treatment": Treatment("original", gain=1.0)},
        {"margin": 0.2},
    ],
)
def test_whatever_changes_the_crop_is_encoded_anew(change, scene, things, fakes, fake_encoder):
    cache = FeatureCache()
    score_all(scene, things, ForegroundRequest("fake", COLOURED), fakes, cache=cache)
    result = score_all(scene, things, ForegroundRequest("fake", COLOURED, **change), fakes, cache=cache)
    assert result.encoded == 3 and sum(fake_encoder.batch_sizes) == 6


def test_another_image_or_component_is_encoded_anew(scene, things, fakes):
    cache = FeatureCache()
    request = ForegroundRequest("fake", COLOURED)
    score_all(scene, things, request, fakes, cache=cache)
    assert score_all(Picture(scene.rgb_HWC[::-1].copy()), things, request, fakes, cache=cache).encoded == 3
    boxes = from_boxes([component.box_xyxy_px for component in things.components], scene.image_hw)
    assert score_all(scene, boxes, request, fakes, cache=cache).encoded == 0  # the same pixels, given as boxes
    smaller = from_boxes([(20, 20, 69, 60)], scene.image_hw)
    assert score_all(scene, smaller, request, fakes, cache=cache).encoded == 1


def test_other_weights_and_other_dtypes_do_not_share_features(scene, things, real):
    cache = FeatureCache()
    for model, dtype in (("custom_tiny", "fp32"), ("custom_tiny_wide", "fp32"), ("custom_tiny", "bf16")):
        request = ForegroundRequest(model, COLOURED, device="cpu", dtype=dtype)
        assert score_all(scene, things, request, real, cache=cache).encoded == 3


def test_a_cache_forgets_the_oldest_and_stays_within_its_bytes():
    cache = FeatureCache(max_bytes=100)
    for key in range(5):
        cache.put(key, key, 30)
        cache.get(0)
    assert cache.get(0) == 0 and cache.get(1) is None and cache.get(4) == 4
    assert len(cache) == 3 and cache.size_bytes == 90
    cache.put("huge", 1, 1000)
    assert len(cache) == 0 and cache.size_bytes == 0


def test_another_mode_or_rule_needs_no_model_at_all(scene, things, fakes, fake_encoder):
    result = score_all(scene, things, ForegroundRequest("fake", PromptSet(("red", "blue", "a"), ("green",))), fakes)
    fake_encoder.batch_sizes.clear()
    again = result.rescored(mode="balanced", rule=Rule(foreground=7.0, positive_above=0.0, negative_below=1.0))
    fresh = score_all(scene, things, again.request, fakes)
    assert again.rows == fresh.rows and {n.code for n in again.notices} == {n.code for n in fresh.notices}
    assert 7.0 in again.scores.multiplier_B and len(fake_encoder.batch_sizes) == 1


# --- running


def test_components_go_through_the_tower_in_batches_with_progress(scene, fakes, fake_encoder):
    found = from_boxes([(x, 10, x + 20, 60) for x in range(0, 100, 4)], scene.image_hw)
    items = list(score_foreground(scene, found, ForegroundRequest("fake", COLOURED, batch_size=8), fakes))
    assert fake_encoder.batch_sizes == [8, 8, 8, 1]
    progress = [item for item in items if isinstance(item, Progress)]
    assert [item.done for item in progress] == [0, 8, 16, 24, 25] and {item.total for item in progress} == {25}
    assert isinstance(items[-1], ForegroundResult) and len(items[-1].rows) == 25


def test_batches_do_not_change_the_scores(scene, fakes):
    found = from_boxes([(x, 10, x + 20, 60) for x in range(0, 100, 4)], scene.image_hw)
    one = score_all(scene, found, ForegroundRequest("fake", COLOURED, batch_size=1), fakes)
    many = score_all(scene, found, ForegroundRequest("fake", COLOURED, batch_size=32), fakes)
    np.testing.assert_allclose(one.scores.p_pos_sum_B, many.scores.p_pos_sum_B, atol=1e-5)


def test_memory_that_runs_out_halves_the_batch_and_says_so(scene, things, fakes, fake_encoder):
    fake_encoder.max_batch = 1
    result = score_all(scene, things, ForegroundRequest("fake", COLOURED), fakes)
    assert len(result.rows) == 3 and "oom_batch" in {notice.code for notice in result.notices}


def test_cancel_stops_between_batches(scene, fakes, fake_encoder):
    cancel = threading.Event()
    found = from_boxes([(x, 10, x + 20, 60) for x in range(0, 100, 4)], scene.image_hw)
    with pytest.raises(Cancelled):
        for _ in score_foreground(
            scene, found, ForegroundRequest("fake", COLOURED, batch_size=4), fakes, cancel=cancel
        ):
            cancel.set()
    assert len(fake_encoder.batch_sizes) == 0


def test_cancel_is_seen_between_long_lists_of_captions(scene, things, fakes, fake_encoder, monkeypatch):
    monkeypatch.setattr("core.foreground.encoding.CAPTIONS_AT_ONCE", 2)
    cancel = threading.Event()
    encode_texts = fake_encoder.encode_texts

    def encode_and_stop(texts):
        cancel.set()
        return encode_texts(texts)

    monkeypatch.setattr(fake_encoder, "encode_texts", encode_and_stop)
    with pytest.raises(Cancelled):
        score_all(scene, things, ForegroundRequest("fake", COLOURED), fakes, cancel=cancel)
    assert fake_encoder.texts_seen == ["red", "blue"]


def test_closing_the_generator_gives_the_model_back(scene, things, fakes):
    items = score_foreground(scene, things, ForegroundRequest("fake", COLOURED), fakes)
    next(items)
    assert [status.leases for status in fakes.status()] == [1]
    items.close()
    assert [status.leases for status in fakes.status()] == [0]


# --- notices and errors


def test_a_prompt_longer_than_the_tower_reads_is_reported_even_from_the_cache(scene, things, fakes):
    long = " ".join(["red"] * 40)
    request = ForegroundRequest("fake", PromptSet((long,), ("green",)))
    for _ in range(2):
        result = score_all(scene, things, request, fakes)
        assert "text_cut" in {notice.code for notice in result.notices}


def test_the_default_lists_come_with_their_two_warnings(scene, things, fakes):
    codes = [notice.code for notice in score_all(scene, things, ForegroundRequest("fake"), fakes).notices]
    assert codes.count("lists_unbalanced") == 1 and codes.count("branch_dead") == 1


def test_chinese_prompts_are_scored_with_a_warning(scene, things, real):
    request = ForegroundRequest("custom_tiny", PromptSet(("一只狗",), ("天空",)), device="cpu")
    result = score_all(scene, things, request, real)
    assert "prompt_language" in {notice.code for notice in result.notices}
    assert result.rows[0]["s_pos_text"] == "一只狗"


def test_a_model_without_words_is_refused_before_any_image_is_encoded(scene, things, fakes):
    with pytest.raises(Unsupported, match="text tower"):
        score_all(scene, things, ForegroundRequest("mute", COLOURED), fakes)
    with pytest.raises(Unsupported, match="text tower"):
        foreground_map(scene, ForegroundRequest("mute", COLOURED), fakes)


def test_nothing_to_score_is_an_error_with_reasons(scene, fakes):
    with pytest.raises(InputError, match="outside"):
        score_all(scene, from_boxes([(500, 500, 600, 600)], scene.image_hw), ForegroundRequest("fake"), fakes)


@pytest.mark.parametrize(
    "wrong", [{"margin": -0.1}, {"margin": float("nan")}, {"mode": "x"}, {"templates": "x"}, {"batch_size": 0}]
)
def test_impossible_requests_are_refused(wrong):
    with pytest.raises(InputError):
        ForegroundRequest(**wrong)


def test_a_crop_far_longer_than_wide_is_shown_by_its_middle_and_said_so(fakes):
    """A one-pixel-high banner once asked for half a gigapixel."""
    picture = Picture(np.random.default_rng(0).integers(0, 255, (40, 4000, 3), dtype=np.uint8))
    found = from_boxes([(0, 10, 4000, 12)], picture.image_hw)
    assert seen_crop(picture, found.components[0], ForegroundRequest("fake")).shape == (2, 32, 3)
    assert "crop_middle" in {n.code for n in score_all(picture, found, ForegroundRequest("fake"), fakes).notices}


def test_the_crop_as_the_model_sees_it(scene, things):
    red = things.components[1]
    seen = seen_crop(scene, red, ForegroundRequest(treatment=Treatment("raw_crop"), margin=0.1))
    assert (seen == scene.rgb_HWC[15:65, 15:75]).all()
    greyed = seen_crop(scene, red, ForegroundRequest(margin=0.1))
    assert (greyed[:5] == 128).all() and (greyed[5:45, 5:55, 0] > 128).all()
    for name in TREATMENTS:
        assert seen_crop(scene, red, ForegroundRequest(treatment=Treatment(name))).shape == (40, 50, 3)


def test_the_default_model_is_the_notes_else_one_that_is_here(tiny_weights, tmp_path):
    assert default_model(tmp_path) == "open_clip_vit_b32_laion2b"
    assert default_model(tiny_weights) == "custom_tiny"
    folder = tmp_path / "clip" / "ViT-B-32-laion2B-s34B-b79K"
    folder.mkdir(parents=True)
    (folder / "open_clip_pytorch_model.bin").write_bytes(b"x")
    write_custom(tmp_path, "tiny", TINY)
    assert default_model(tmp_path) == "open_clip_vit_b32_laion2b"


def test_a_mask_of_the_whole_image_is_one_component(scene, fakes):
    found = from_mask(np.ones(scene.image_hw, dtype=bool), scene.image_hw)
    assert [c.box_xyxy_px for c in found.components] == [(0, 0, 180, 120)]
    assert len(score_all(scene, found, ForegroundRequest("fake", COLOURED), fakes).rows) == 1
