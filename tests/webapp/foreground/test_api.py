"""`/score_foreground` as a program calls it: gradio_client against the app as it is really served."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from gradio_client import Client, handle_file
from gradio_client.exceptions import AppError
from PIL import Image

from core.foreground.mask_images import from_mask
from core.foreground.pipeline import score_all
from core.foreground.prompts import PromptSet
from core.foreground.request import ForegroundRequest, Picture
from core.foreground.scoring import FIELDS
from core.foreground.treatments import Treatment
from core.images.decode import decode
from core.models.manager import ModelManager
from core.settings import Settings
from core.types import ImageSource
from tests import tiny_models
from tests.browser import harness

CAT = Path(__file__).resolve().parents[3] / "webapp" / "examples" / "cat.jpg"


@pytest.fixture(scope="module")
def weights_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("weights")
    tiny_models.write_custom(folder, "tiny", tiny_models.TINY)
    return folder


@pytest.fixture(scope="module")
def call(weights_dir: Path) -> Iterator[Callable[..., dict]]:
    with harness.serve("--weights_dir", str(weights_dir), "--lang", "en") as running:
        client = Client(running.url, verbose=False, httpx_kwargs={"timeout": 60})
        yield lambda image=CAT, **options: client.predict(
            image=handle_file(image) if image else None, api_name="/score_foreground", **options
        )
        client.close()


@pytest.fixture(scope="module")
def mask(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two things, on a mask of half the photo's size."""
    width_px, height_px = Image.open(CAT).size
    labels = np.zeros((height_px // 2, width_px // 2), dtype=np.uint8)
    labels[10:60, 10:70] = labels[80:120, 100:180] = 255
    path = tmp_path_factory.mktemp("masks") / "mask.png"
    Image.fromarray(labels).save(path)
    return path


def test_a_mask_gives_the_scores_of_a_direct_call(call, mask, weights_dir):
    prompts = {"positive": ["a cat", "a dog"], "negative": "note background", "neutral": ["a photo"]}
    made = call(mask=handle_file(mask), treatment="soft_mask", explain=True, **prompts)

    picture = Picture(decode(ImageSource("cat.jpg", path=CAT)))
    given = from_mask(np.asarray(Image.open(mask)), picture.image_hw)
    background = ("sky", "ground", "road", "wall", "grass", "tree", "background")
    request = ForegroundRequest(
        "custom_tiny", PromptSet(("a cat", "a dog"), background, ("a photo",)), treatment=Treatment("soft_mask")
    )
    manager = ModelManager(Settings(weights_dir=weights_dir))
    direct = score_all(picture, given, request, manager)
    manager.close()

    assert len(made["components"]) == len(direct.rows) == 2
    for here, there in zip(made["components"], direct.rows, strict=True):
        assert here.keys() == there.keys() >= set(FIELDS)
        assert here["p_pos_sum"] == pytest.approx(there["p_pos_sum"], abs=1e-5)
        assert here["semantic_multiplier"] == there["semantic_multiplier"]
    assert made["model"]["id"] == "custom_tiny", "the CLIP that is here is the default"
    assert "mask_resized" in {notice["code"] for notice in made["notices"]}
    assert "branch_dead" not in {notice["code"] for notice in made["notices"]}
    shares = made["explanations"][0]
    assert 0.5 + sum(share["share"] for share in shares["shares"]) == pytest.approx(shares["p_pos_sum"], abs=1e-6)


def test_boxes_bad_ones_named_and_unbalanced_lists_said(call):
    boxes = {"boxes": [[10, 10, 200, 150], [5, 5, 6, 6], [9000, 0, 9100, 50], [30, 30, 20, 90]]}
    made = call(components=boxes)
    assert len(made["components"]) == 1
    assert [reject["code"] for reject in made["rejects"]] == ["too_small", "outside", "degenerate"]
    assert {"lists_unbalanced", "branch_dead"} <= {notice["code"] for notice in made["notices"]}


def test_grey_thresholds_and_the_leak_are_options(call, mask):
    options = {"treatment_options": {"grey": 0, "gain": 1.0}, "rule": {"negative_above": 1, "likely_above": 1}}
    made = call(mask=handle_file(mask), margin=0.3, leak=True, **options)
    assert made["treatment"] == {"name": "original", "alpha": 0.4, "grey": 0, "gain": 1.0, "blur": 0.05}
    assert {row["semantic_multiplier"] for row in made["components"]} <= {0.5, 2.0}, "the thresholds in between are out"
    assert len(made["mask_leak"]) == 2 * 4
    moved = {one["treatment"]: one["moved"] for one in made["mask_leak"]}
    assert moved["original"] == {"inverted": 0, "noise": 0} and moved["raw_crop"] != moved["original"]


def test_without_components_some_are_proposed(call):
    made = call()
    assert len(made["components"]) > 3
    assert "proposed" in {notice["code"] for notice in made["notices"]}


def test_chinese_prompts_and_an_empty_group_are_scored_and_said(call):
    made = call(components={"boxes": [[10, 10, 200, 150]]}, positive=["一只猫"], negative=[])
    assert {"prompt_language", "group_empty"} <= {notice["code"] for notice in made["notices"]}
    assert made["components"][0]["p_neg_sum"] == 0
    assert made["components"][0]["p_pos_sum"] == pytest.approx(1)


def test_five_thousand_boxes_all_get_their_scores(call):
    rng = np.random.default_rng(0)
    corners = rng.integers(0, 200, (5000, 2))
    boxes = np.concatenate([corners, corners + 12], axis=1).tolist()
    made = call(components={"boxes": boxes}, positive=["a cat"], negative=["sky"])
    assert len(made["components"]) == len(made["ranking"]) == 5000


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"image": None}, "no image"),
        ({"components": {"boxes": []}}, "No component found"),
        ({"components": {"what": 1}}, "JSON"),
        ({"components": {"boxes": [[1, 1, 2, 2]]}}, "too small"),
        ({"positive": [], "negative": []}, "no positive and no negative"),
        ({"positive": {"a": 1}}, "list of prompts"),
        ({"treatment": "sepia"}, "sepia"),
        ({"mode": "cosine"}, "cosine"),
        ({"model": "efficientnet_lite0"}, "text tower"),
        ({"model": "openai_clip_vit_b32"}, "python -m core models fetch openai_clip_vit_b32"),
        ({"margin": 7}, "margin"),
        ({"treatment_options": {"sepia": 1}}, "Names: alpha, grey, gain, blur"),
        ({"treatment_options": {"alpha": 2}}, "alpha must lie in 0..1"),
        ({"rule": {"likely_above": "high"}}, "likely_above"),
    ],
)
def test_what_makes_no_sense_is_answered_in_words(call, options, message):
    with pytest.raises(AppError) as caught:
        call(**options)
    assert message in str(caught.value)
    assert "Traceback" not in str(caught.value)


def test_an_all_zero_mask_says_that_it_is_empty(call, tmp_path):
    Image.fromarray(np.zeros((50, 50), np.uint8)).save(tmp_path / "mask.png")
    with pytest.raises(AppError, match="every pixel is 0"):
        call(mask=handle_file(tmp_path / "mask.png"))
