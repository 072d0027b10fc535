"""Truth in COCO's layouts, treatments side by side against it."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from core.errors import InputError
from core.foreground.evaluate import Evaluation, evaluate
from core.foreground.masks import to_rle
from core.foreground.prompts import PromptSet
from core.foreground.request import ForegroundRequest
from core.foreground.treatments import Treatment
from core.foreground.truth import read_truth
from core.types import Progress
from tests.fakes import COLOURS

RED_AND_GREEN = PromptSet(("red",), ("green",))


def paint(images: Path, name: str, seed: int) -> dict[str, tuple[int, int, int, int]]:
    """A picture with a red and a green thing on grey; their corner boxes."""
    rng = np.random.default_rng(seed)
    rgb = np.full((120, 160, 3), 128, dtype=np.uint8)
    boxes = {}
    for colour, x0 in (("red", 5), ("green", 85)):
        x, y, w, h = (
            x0 + int(rng.integers(0, 20)),
            int(rng.integers(0, 50)),
            int(rng.integers(24, 50)),
            int(rng.integers(24, 60)),
        )
        rgb[y : y + h, x : x + w] = COLOURS[colour]
        boxes[colour] = (x, y, min(x + w, 160), min(y + h, 120))
    path = images / name
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(rgb).save(path)
    return boxes


@pytest.fixture
def panoptic(tmp_path: Path) -> Path:
    """A folder in COCO's panoptic layout: `images/`, `panoptic_val.json`, `panoptic_val/`."""
    images, annotations = [], []
    for number in range(6):
        name = f"{number:012d}.jpg".replace("jpg", "png")
        boxes = paint(tmp_path / "images", name, number)
        ids = np.zeros((120, 160), dtype=np.int64)
        segments = []
        for offset, (colour, (x0, y0, x1, y1)) in enumerate(boxes.items()):
            segment_id = 70_000 * (offset + 1) + number  # needs all three channels
            ids[y0:y1, x0:x1] = segment_id
            category = 1 if colour == "red" else 100
            segments.append(
                {"id": segment_id, "category_id": category, "area": 1, "bbox": [x0, y0, 1, 1], "iscrowd": 0}
            )
        ids[0:3, 0:3] = 5
        segments.append({"id": 5, "category_id": 1, "area": 9, "bbox": [0, 0, 3, 3], "iscrowd": 1})
        folder = tmp_path / "panoptic_val"
        folder.mkdir(exist_ok=True)
        rgb = np.stack([ids % 256, ids // 256 % 256, ids // 65536], axis=-1).astype(np.uint8)
        Image.fromarray(rgb).save(folder / name)
        images.append({"id": number, "file_name": name, "height": 120, "width": 160})
        annotations.append({"image_id": number, "file_name": name, "segments_info": segments})
    categories = [{"id": 1, "name": "red thing", "isthing": 1}, {"id": 100, "name": "green stuff", "isthing": 0}]
    (tmp_path / "panoptic_val.json").write_text(
        json.dumps({"images": images, "annotations": annotations, "categories": categories})
    )
    return tmp_path


def run(truth, manager, **more) -> Evaluation:
    *progress, last = evaluate(
        truth,
        ForegroundRequest("fake", RED_AND_GREEN),
        manager,
        treatments=["original", "raw_crop"],
        resamples=50,
        **more,
    )
    assert all(isinstance(item, Progress) for item in progress) and isinstance(last, Evaluation)
    return last


def test_panoptic_truth_in_cocos_layout(panoptic, fakes):
    evaluation = run(read_truth(panoptic / "panoptic_val.json", panoptic / "images"), fakes)
    for treatment in ("original", "raw_crop"):
        figure = evaluation.figure(treatment)
        assert (figure.n_foreground, figure.n_background, figure.n_images) == (6, 6, 6)
        assert figure.auroc.value == figure.ap.value == 1.0 and figure.auroc.low == 1.0
    assert len(evaluation.segments) == 24
    assert [reject.code for reject in evaluation.rejects] == ["crowd"] * 6
    ids = {row["segment"] for row in evaluation.segments}
    assert "70003" in ids and "140005" in ids
    areas = {figure.area for figure in evaluation.figures if figure.score == "p_pos_sum"}
    assert areas == {"all", "small", "medium", "large"}
    assert {figure.score for figure in evaluation.figures} == {"p_pos_sum", "semantic_multiplier", "cos_margin"}


def flagged(tmp_path: Path, *, score: bool = False, on_category: bool = False) -> Path:
    images, annotations = [], []
    for number in range(4):
        boxes = paint(tmp_path / "images" / "deep", f"{number}.png", number)
        images.append({"id": number, "file_name": f"deep/{number}.png", "height": 120, "width": 160})
        for colour, (x0, y0, x1, y1) in boxes.items():
            mask = np.zeros((120, 160), dtype=bool)
            mask[y0:y1, x0:x1] = True
            annotation = {"id": len(annotations), "image_id": number, "segmentation": to_rle(mask), "category_id": 1}
            if on_category:
                annotation["category_id"] = 1 if colour == "red" else 2
            else:
                annotation["foreground"] = colour == "red"
            if score:
                annotation["score"] = 0.5 if colour == "red" else 0.6
            annotations.append(annotation)
    categories = [{"id": 1, "isthing": 1}, {"id": 2, "isthing": 0}] if on_category else []
    path = tmp_path / "truth.json"
    path.write_text(json.dumps({"images": images, "annotations": annotations, "categories": categories}))
    return path


@pytest.mark.parametrize("on_category", [False, True])
def test_masks_with_a_foreground_flag(on_category, tmp_path, fakes):
    evaluation = run(read_truth(flagged(tmp_path, on_category=on_category), tmp_path / "images"), fakes)
    figure = evaluation.figure("original")
    assert (figure.n_foreground, figure.n_background, figure.auroc.value) == (4, 4, 1.0)


def test_reweighting_is_measured_where_components_bring_a_score(tmp_path, fakes):
    evaluation = run(read_truth(flagged(tmp_path, score=True), tmp_path / "images"), fakes)
    assert evaluation.figure("original", "own").auroc.value == 0.0
    assert evaluation.figure("original", "reweighted").auroc.value == 1.0


def test_the_lists_the_wrong_way_round_give_the_complement(tmp_path, fakes):
    truth = read_truth(flagged(tmp_path), tmp_path / "images")
    wrong = ForegroundRequest("fake", PromptSet(("green",), ("red",)))
    *_, evaluation = evaluate(truth, wrong, fakes, treatments=["original"], resamples=20)
    assert evaluation.figure("original").auroc.value == 0.0


def test_treatments_stand_side_by_side_with_the_requests_parameters(tmp_path, fakes, fake_encoder):
    truth = read_truth(flagged(tmp_path), tmp_path / "images")
    request = ForegroundRequest("fake", RED_AND_GREEN, treatment=Treatment(grey=0))
    *_, evaluation = evaluate(truth, request, fakes, treatments=["original", "soft_mask"], resamples=20)
    assert [f.treatment for f in evaluation.figures if f.area == "all" and f.score == "p_pos_sum"] == [
        "original",
        "soft_mask",
    ]


def test_what_cannot_be_used_is_counted_and_never_stops_the_others(tmp_path, fakes):
    path = flagged(tmp_path)
    data = json.loads(path.read_text())
    (tmp_path / "images" / "deep" / "0.png").write_bytes(b"broken")
    data["images"] += [{"id": 50, "file_name": "gone.png"}, {"id": 51, "file_name": "deep/1.png"}, {"id": 52}]
    data["images"].append({"id": 53, "file_name": "../truth.json"})
    data["annotations"] += [
        {"image_id": 2, "bbox": [1, 1, 9, 9]},
        {"id": "bad", "image_id": 2, "bbox": [1, 1, 0, 9], "foreground": True},
        "text",
    ]
    path.write_text(json.dumps(data))
    evaluation = run(read_truth(path, tmp_path / "images"), fakes)
    codes = [reject.code for reject in evaluation.rejects]
    assert sorted(codes) == ["degenerate", "no_side", "not_an_image"]
    assert {notice.code for notice in evaluation.notices} >= {"images_missing", "images_bare"}
    assert "gone.png" in next(n.text for n in evaluation.notices if n.code == "images_missing")
    assert evaluation.figure("original").n_images == 3


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '{"images": [], "annotations": []}', '{"images": 3, "annotations": []}']
)
def test_what_is_no_truth_is_refused_in_words(text, tmp_path):
    (tmp_path / "t.json").write_text(text)
    with pytest.raises(InputError):
        read_truth(tmp_path / "t.json", tmp_path)
    with pytest.raises(InputError, match="cannot be read"):
        read_truth(tmp_path / "missing.json", tmp_path)


def test_panoptic_truth_without_its_pngs_says_where_they_should_be(panoptic):
    (panoptic / "panoptic_val").rename(panoptic / "elsewhere")
    with pytest.raises(InputError, match="--masks"):
        read_truth(panoptic / "panoptic_val.json", panoptic / "images")
    assert len(read_truth(panoptic / "panoptic_val.json", panoptic / "images", panoptic / "elsewhere").images) == 6
