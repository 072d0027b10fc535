"""The network: CLIP's own tokens, what is added to them, and the loss, each against a direct calculation."""

from __future__ import annotations

import json
import math
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import open_clip
import pytest
import torch
from open_clip.model import resize_pos_embed
from safetensors.torch import load_file, save_file
from torch.nn import functional as F

from core.errors import InputError, UnknownModel, Unsupported, WeightsInvalid, WeightsMissing
from experiments.reid.config import Config
from experiments.reid.model import Outputs, ReidLoss, ReidModel, load_visual, set_picture_size
from tests.tiny_models import TINY, build_reference

SIZE = (32, 16)
PLAIN = {"MODEL.SIE_CAMERA": False, "MODEL.ADAPTER": False, "MODEL.PROMPT": False, "MODEL.USE_CLIP_MULTI_SCALE": False}


@pytest.fixture
def make(small_config: Callable[..., Config], tiny_weights: Path) -> Callable[..., ReidModel]:
    def build(changes: dict[str, Any] | None = None, size: tuple[int, int] = SIZE, seed: int = 0) -> ReidModel:
        config = small_config(changes)
        torch.manual_seed(seed)
        return ReidModel(config.MODEL, size, identities=5, cameras=4, weights_dir=tiny_weights).eval()

    return build


def pixels(batch: int = 2, size: tuple[int, int] = SIZE, seed: int = 0) -> torch.Tensor:
    return torch.randn(batch, 3, 3, *size, generator=torch.Generator().manual_seed(seed))


CAMERAS = torch.tensor([0, 3])


def features(model: ReidModel, x: torch.Tensor | None = None, cameras: torch.Tensor = CAMERAS) -> torch.Tensor:
    with torch.inference_mode():
        return model.features(pixels() if x is None else x, cameras)


def test_tokens_are_open_clips(make: Callable[..., ReidModel]) -> None:
    """At CLIP's own picture size, against `output_tokens` and the projection of the reference library."""
    model = make(PLAIN, size=(32, 32))
    reference = build_reference(TINY).visual
    reference.output_tokens = True
    x = pixels(size=(32, 32))
    with torch.inference_mode():
        tokens = model.branch.suffix(model.branch.prefix(x, CAMERAS)).flatten(0, 1)
        pooled, patches = reference(x.flatten(0, 1))
    expected = torch.cat([pooled[:, None], patches @ reference.proj], dim=1)
    torch.testing.assert_close(tokens, expected, rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(features(model, x), expected[:, 0].reshape(2, -1), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("size", [(48, 16), (64, 24)])
def test_another_picture_size_equals_open_clips_own_loading(size: tuple[int, int]) -> None:
    """`force_image_size` resizes the positions of the file that is loaded; here it is done afterwards."""
    config = json.loads(json.dumps(TINY["model_cfg"]))
    config["vision_cfg"]["image_size"] = list(size)
    reference, state = open_clip.CLIP(**config).eval(), build_reference(TINY).state_dict()
    resize_pos_embed(state, reference)
    reference.load_state_dict(state)
    visual = build_reference(TINY).visual
    set_picture_size(visual, size, (8, 8))
    x = torch.randn(2, 3, *size)
    torch.testing.assert_close(visual(x), reference.visual(x), rtol=1e-5, atol=1e-5)


def test_positions_are_resized_even_where_the_number_of_patches_stays() -> None:
    """4 × 4 → 8 × 2: open_clip compares lengths only, and would keep the positions of a square."""
    visual = build_reference(TINY).visual
    before = visual.positional_embedding.detach().clone()
    set_picture_size(visual, (64, 16), (8, 8))
    after = visual.positional_embedding.detach()
    assert after.shape == before.shape and torch.equal(after[0], before[0])
    rows = before[1:].reshape(4, 4, -1)
    # the left half's column of each old row, seen by the two new rows that lie in it
    assert not torch.allclose(after[1:], before[1:])
    means = rows[:, :2].mean(1), after[1:].reshape(8, 2, -1)[:, 0].reshape(4, 2, -1).mean(1)
    assert F.cosine_similarity(*means, dim=-1).min() > 0.7


def test_a_smaller_stride_gives_more_patches(make: Callable[..., ReidModel]) -> None:
    model = make({**PLAIN, "MODEL.STRIDE_SIZE": [4, 8]})
    assert model.branch.grid_hw == (7, 2)
    assert model.branch.prefix(pixels(), CAMERAS).shape == (2, 3, 15, 32)
    assert not torch.allclose(features(model), features(make(PLAIN)))
    with pytest.raises(InputError, match="smaller than a patch"):
        make(PLAIN, size=(32, 4))


def test_switched_off_the_context_leaves_the_baseline_bit_for_bit(make: Callable[..., ReidModel]) -> None:
    on, off = make(), make({"MODEL.USE_CLIP_MULTI_SCALE": False})
    assert set(on.state_dict()) - set(off.state_dict()) == {k for k in on.state_dict() if k.startswith("context.")}
    for name, weight in off.state_dict().items():
        assert torch.equal(weight, on.state_dict()[name]), name
    with torch.inference_mode():
        tokens = off.branch.suffix(off.branch.prefix(pixels(), CAMERAS))
        with_context = on.context(tokens.flatten(0, 1))[:, 0].reshape(2, -1)
    assert torch.equal(features(off), tokens[:, :, 0].flatten(1))
    assert torch.equal(features(on), with_context) and not torch.allclose(features(on), features(off))


def test_adapters_start_at_clip_and_prompts_do_not(make: Callable[..., ReidModel]) -> None:
    plain = features(make(PLAIN))
    adapted = make({**PLAIN, "MODEL.ADAPTER": True})
    assert torch.equal(features(adapted), plain)
    block = adapted.branch.visual.transformer.resblocks[0].mlp
    assert block.down.weight.shape == (64, 32) and block.up.weight.shape == (32, 64)
    torch.nn.init.normal_(block.up.weight)
    assert not torch.allclose(features(adapted), plain)
    prompted = features(make({**PLAIN, "MODEL.PROMPT": True}))
    assert not torch.allclose(prompted, plain) and torch.allclose(prompted, plain, atol=0.5)


def test_each_modality_has_prompts_of_its_own(make: Callable[..., ReidModel]) -> None:
    model = make({**PLAIN, "MODEL.PROMPT": True})
    before = features(model).reshape(2, 3, -1)
    with torch.no_grad():
        model.branch.visual.transformer.resblocks[1].prompts_MPW[1] += 1.0
    changed = (features(model).reshape(2, 3, -1) != before).any(-1)
    assert changed.tolist() == [[False, True, False]] * 2


def test_the_cameras_embedding_goes_to_the_class_token_times_its_coefficient(make: Callable[..., ReidModel]) -> None:
    model = make({**PLAIN, "MODEL.SIE_CAMERA": True, "MODEL.SIE_COE": 2.5})
    torch.nn.init.normal_(model.branch.cameras)
    hidden = model.branch.prefix
    model.branch.first_trained = 0
    model.branch.visual.ln_pre = torch.nn.Identity()
    with torch.inference_mode():
        difference = hidden(pixels(), CAMERAS) - hidden(pixels(), torch.tensor([1, 1]))
    expected = 2.5 * (model.branch.cameras[CAMERAS] - model.branch.cameras[1])
    torch.testing.assert_close(difference[:, :, 0], expected[:, None].expand(-1, 3, -1), rtol=1e-4, atol=1e-5)
    assert not difference[:, :, 1:].any()


@pytest.mark.parametrize("frozen", [True, False])
@pytest.mark.parametrize("last", [0, 1])
def test_what_trains(make: Callable[..., ReidModel], frozen: bool, last: int) -> None:
    model = make({"MODEL.FROZEN": frozen, "MODEL.LAST_BLOCKS": last})
    loss = ReidLoss(model.config)
    labels = torch.tensor([0, 0, 1, 1])
    model.train()
    total, _ = loss(model(pixels(4), torch.tensor([0, 1, 2, 3])), labels)
    total.backward()
    moved = {name for name, weight in model.named_parameters() if weight.grad is not None and weight.grad.any()}
    expected = {name for name, weight in model.named_parameters() if weight.requires_grad}
    own = ("down", "up", "prompts", "cameras", "necks", "classifiers", "context")
    assert all(any(part in name for part in own) for name in expected) == frozen
    # an adapter that starts at zero lets no gradient through to its first layer yet
    assert {name for name in expected - moved if ".down." not in name} == set()
    assert moved <= expected
    adapters = sum("up.weight" in name for name in expected)
    assert adapters == (1 if last else 2)


def test_the_two_halves_are_one(make: Callable[..., ReidModel]) -> None:
    model = make({"MODEL.LAST_BLOCKS": 1, "MODEL.SIE_CAMERA": False})
    assert model.branch.first_trained == 1 and model.branch.prefix_is_constant
    with torch.inference_mode():
        hidden = model.branch.prefix(pixels(), CAMERAS)
        assert torch.equal(model.features(hidden, CAMERAS), features(model))
    assert not make({"MODEL.SIE_CAMERA": True}).branch.prefix_is_constant
    assert not make({"MODEL.FROZEN": False, "MODEL.SIE_CAMERA": False}).branch.prefix_is_constant


def test_heads(make: Callable[..., ReidModel]) -> None:
    together, apart = make({"MODEL.DIRECT": 1}), make({"MODEL.DIRECT": 0})
    one, three = together(pixels(), CAMERAS), apart(pixels(), CAMERAS)
    assert [tuple(f.shape) for f in one.features] == [(2, 72)] and [tuple(f.shape) for f in one.logits] == [(2, 5)]
    assert [tuple(f.shape) for f in three.features] == [(2, 24)] * 3
    assert [tuple(f.shape) for f in three.logits] == [(2, 5)] * 3
    assert features(apart).shape == (2, 72)
    assert not together.necks[0].bias.requires_grad


def test_the_loss_is_the_papers(small_config: Callable[..., Config]) -> None:
    """Label smoothing and hardest triplets with log(1 + exp(·)), in plain loops."""
    torch.manual_seed(0)
    feature, logits = torch.randn(6, 4), torch.randn(6, 5)
    label = torch.tensor([0, 0, 2, 2, 4, 4])
    config = small_config({"MODEL.ID_LOSS_WEIGHT": 0.25, "MODEL.TRIPLET_LOSS_WEIGHT": 1.0}).MODEL
    total, parts = ReidLoss(config)(Outputs((feature,), (logits,)), label)
    triplets = []
    for a in range(6):
        distances = [float((feature[a] - feature[b]).pow(2).sum().sqrt()) for b in range(6)]
        hardest_positive = max(distances[b] for b in range(6) if label[b] == label[a] and b != a)
        hardest_negative = min(distances[b] for b in range(6) if label[b] != label[a])
        triplets.append(math.log1p(math.exp(hardest_positive - hardest_negative)))
    smoothed = torch.full((6, 5), 0.1 / 5)
    smoothed[torch.arange(6), label] += 0.9
    identity = float(-(smoothed * logits.log_softmax(1)).sum(1).mean())
    assert float(parts["triplet_loss"]) == pytest.approx(sum(triplets) / 6, rel=1e-5)
    assert float(parts["id_loss"]) == pytest.approx(identity, rel=1e-5)
    assert float(total) == pytest.approx(0.25 * identity + sum(triplets) / 6, rel=1e-5)
    twice, _ = ReidLoss(config)(Outputs((feature, feature), (logits, logits)), label)
    assert float(twice) == pytest.approx(2 * float(total), rel=1e-5)


def test_the_weights_named_are_the_weights_used(
    make: Callable[..., ReidModel], tiny_weights: Path, tmp_path: Path
) -> None:
    """A user's PRETRAIN_PATH_T was once ignored for a built-in path."""
    folder = tmp_path / "mine"
    shutil.copytree(tiny_weights / "custom" / "tiny", folder)
    path = folder / "open_clip_model.safetensors"
    state = load_file(path)
    state["visual.conv1.weight"] = state["visual.conv1.weight"] * 2
    save_file(state, path)
    given = make({**PLAIN, "MODEL.PRETRAIN_PATH_T": str(path)})
    assert torch.equal(given.branch.visual.conv1.weight, make(PLAIN).branch.visual.conv1.weight * 2)
    one, two = (make({**PLAIN, "MODEL.PRETRAIN_PATH_T": "random"}, seed=seed) for seed in (0, 1))
    assert not torch.equal(one.branch.visual.conv1.weight, two.branch.visual.conv1.weight)

    state.pop("visual.ln_post.bias")
    save_file(state, path)
    with pytest.raises(WeightsInvalid, match=r"visual\.ln_post\.bias"):
        make({"MODEL.PRETRAIN_PATH_T": str(path)})
    (folder / "open_clip_config.json").unlink()
    for missing, words in ((path, "must lie beside"), (folder / "absent.pt", "no such weight file")):
        with pytest.raises(WeightsMissing, match=words) as caught:
            make({"MODEL.PRETRAIN_PATH_T": str(missing)})
        assert "MODEL.PRETRAIN_PATH_T" in caught.value.where


@pytest.mark.parametrize(
    ("model_id", "error", "words"),
    [
        ("efficientnet_lite0", Unsupported, "CLIP ViT"),
        ("ViT-B-16", WeightsMissing, "fetch openai_clip_vit_b16"),
        ("vit_b_16", Unsupported, "CLIP ViT"),
        ("ViT-Z", UnknownModel, "models list"),
    ],
)
def test_models_that_cannot_be_used_are_named(
    small_config: Callable[..., Config], tiny_weights: Path, model_id: str, error: type[Exception], words: str
) -> None:
    config = small_config({"MODEL.TRANSFORMER_TYPE": model_id}).MODEL
    with pytest.raises(error, match=words):
        load_visual(config, tiny_weights)


def test_loading_leaves_the_library_models_alone(make: Callable[..., ReidModel]) -> None:
    """The weight file is mapped into memory: a training must write to copies."""
    before = make(PLAIN).branch.visual.proj.detach().clone()
    model = make({"MODEL.FROZEN": False})
    with torch.no_grad():
        for weight in model.parameters():
            weight.add_(1)
    assert torch.equal(make(PLAIN).branch.visual.proj, before)


def test_more_blocks_than_there_are(make: Callable[..., ReidModel]) -> None:
    with pytest.raises(InputError, match="2 blocks"):
        make({"MODEL.LAST_BLOCKS": 3})


def test_a_residual_clip_has_no_patch_tokens(small_config: Callable[..., Config], tmp_path: Path) -> None:
    from tests.tiny_models import write_custom

    residual = json.loads(json.dumps(TINY))
    residual["model_cfg"]["vision_cfg"] = {"image_size": 32, "layers": [1, 1, 1, 1], "width": 8, "patch_size": None}
    write_custom(tmp_path, "residual", residual)
    with pytest.raises(Unsupported, match="class token"):
        load_visual(small_config({"MODEL.TRANSFORMER_TYPE": "custom_residual"}).MODEL, tmp_path)


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"MODEL.CLIP_MULTI_SCALE_PLAN": 2},
        {"MODEL.CLIP_MULTI_SCALE_WINDOWS": "2d", "MODEL.CLIP_MULTI_SCALE_SCALES": [2, 3]},
    ],
)
def test_all_that_trains_gets_a_gradient_also_where_a_window_is_larger_than_the_picture(
    make: Callable[..., ReidModel], changes: dict[str, Any]
) -> None:
    """Several devices wait for each gradient, for ever if it never comes."""
    model = make({"MODEL.USE_CLIP_MULTI_SCALE": True, "MODEL.CLIP_MULTI_SCALE_SCALES": [2, 64], **changes}).train()
    sum(logits.square().sum() for logits in model(pixels(), CAMERAS).logits).backward()
    assert [name for name, weight in model.named_parameters() if weight.requires_grad and weight.grad is None] == []
    assert [name for name, _ in model.context.named_parameters() if name.endswith("convs.1.weight")]
    assert len(model.idle_windows) == 1
    assert not any(weight.requires_grad for weight in model.context.extractor.multi_scale.convs[1].parameters())
