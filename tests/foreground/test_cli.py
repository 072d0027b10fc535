"""`python -m core foreground` as a person types it."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from core.cli.app import run
from core.foreground.masks import to_rle
from core.foreground.scoring import FIELDS


@pytest.fixture
def files(tmp_path: Path, tiny_weights: Path) -> Path:
    """An image with two things, their mask, and prompts."""
    rgb = np.full((120, 180, 3), 110, dtype=np.uint8)
    rgb[20:60, 20:70] = (220, 30, 30)
    rgb[70:110, 100:160] = (30, 180, 60)
    mask = np.zeros((120, 180), dtype=np.uint8)
    mask[20:60, 20:70] = mask[70:110, 100:160] = 255
    Image.fromarray(rgb).save(tmp_path / "i.png")
    Image.fromarray(mask).save(tmp_path / "m.png")
    (tmp_path / "pos.txt").write_text("a red thing\n# remark\na dog\n", encoding="utf-8")
    (tmp_path / "neg.txt").write_text("sky\n", encoding="utf-8")
    (tmp_path / "weights").symlink_to(tiny_weights)
    return tmp_path


def core(files: Path, *arguments: str) -> int:
    common = ["--image", str(files / "i.png"), "--weights_dir", str(files / "weights"), "--model", "custom_tiny"]
    return run(["foreground", *common, "--device", "cpu", *arguments])


def test_a_two_valued_mask_to_json(files, capsys):
    assert core(files, "--mask", str(files / "m.png"), "--output", str(files / "o.json")) == 0
    made = json.loads((files / "o.json").read_text(encoding="utf-8"))
    assert len(made["components"]) == 2
    for component, box in zip(made["components"], ([20, 20, 50, 40], [100, 70, 60, 40]), strict=True):
        assert set(component) == {*FIELDS, "id", "bbox", "area"} and component["bbox"] == box
        assert component["p_pos_sum"] + component["p_neg_sum"] == pytest.approx(1)
    assert {entry["id"] for entry in made["ranking"]} == {"1", "2"}
    assert made["model"]["id"] == "custom_tiny" and made["treatment"]["name"] == "original"
    shown = capsys.readouterr()
    assert "p_pos_sum" in shown.out and "Written" in shown.err and "87 positive against 13" in shown.out


def test_json_components_to_csv_keep_their_own_columns(files):
    mask = np.zeros((120, 180), dtype=bool)
    mask[20:60, 20:70] = True
    brought = {
        "annotations": [
            {"id": 5, "segmentation": to_rle(mask), "predicted_iou": 0.9},
            {"bbox": [100, 70, 60, 40], "x": "ü"},
        ]
    }
    (files / "c.json").write_text(json.dumps(brought), encoding="utf-8")
    assert (
        core(files, "--components", str(files / "c.json"), "--treatment", "soft_mask", "--output", str(files / "o.csv"))
        == 0
    )
    with (files / "o.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["id"] for row in rows] == ["5", "2"] and rows[0]["predicted_iou"] == "0.9" and rows[1]["x"] == "ü"
    assert json.loads(rows[0]["segmentation"]) == brought["annotations"][0]["segmentation"]
    assert set(FIELDS) <= set(rows[0]) and float(rows[0]["p_pos_sum"]) > 0


def test_prompt_files_presets_and_both_spellings_of_a_flag(files, capsys):
    arguments = [
        "--mask",
        str(files / "m.png"),
        "--positive",
        str(files / "pos.txt"),
        "--negative",
        str(files / "neg.txt"),
    ]
    assert core(files, *arguments, "--neutral", "neutral", "--batch-size", "1", "--mask-kind", "binary", "--json") == 0
    made = json.loads(capsys.readouterr().out)
    assert made["prompts"] == {
        "positive": ["a red thing", "a dog"],
        "negative": ["sky"],
        "neutral": ["a photo", "an image"],
    }
    assert core(files, *arguments[:2], "--positive", "no such thing") == 2
    assert "COCO animal" in capsys.readouterr().err


def test_explanations_leaks_and_the_heat_map(files):
    arguments = [
        "--mask",
        str(files / "m.png"),
        "--explain",
        "--leak",
        "--margin",
        "0.2",
        "--heatmap",
        str(files / "h.png"),
    ]
    assert core(files, *arguments, "--output", str(files / "o.json")) == 0
    made = json.loads((files / "o.json").read_text())
    for component, explained in zip(made["components"], made["explanations"], strict=True):
        assert explained["p_pos_sum"] == component["p_pos_sum"] and len(explained["shares"]) == 10
    assert all(
        value == 0 for one in made["mask_leak"] if one["treatment"] == "original" for value in one["moved"].values()
    )
    assert any(
        value != 0 for one in made["mask_leak"] if one["treatment"] == "raw_crop" for value in one["moved"].values()
    )
    heat = np.asarray(Image.open(files / "h.png"))
    assert heat.shape == (120, 180) and heat.dtype == np.uint8 and np.ptp(heat) > 0


def test_without_components_some_are_proposed(files, capsys):
    assert core(files, "--json") == 0
    made = json.loads(capsys.readouterr().out)
    assert len(made["components"]) >= 2 and {"proposed"} <= {notice["code"] for notice in made["notices"]}
    assert all(0 <= component["score"] <= 1 for component in made["components"])


def test_a_file_that_was_scored_can_be_scored_again(files):
    assert core(files, "--mask", str(files / "m.png"), "--output", str(files / "o.json")) == 0
    assert core(files, "--components", str(files / "o.json"), "--output", str(files / "again.json")) == 0
    first, again = (json.loads((files / name).read_text())["components"] for name in ("o.json", "again.json"))
    for old, new in zip(first, again, strict=True):
        assert all(new[f"{name}_given"] == old[name] for name in FIELDS)


def test_nan_in_a_components_own_fields_is_null_and_said(files):
    (files / "c.json").write_text('[{"bbox": [20, 20, 50, 40], "quality": NaN}]')
    assert core(files, "--components", str(files / "c.json"), "--output", str(files / "o.json")) == 0
    made = json.loads((files / "o.json").read_text(), parse_constant=lambda name: pytest.fail(name))
    assert made["components"][0]["quality"] is None
    assert "not_finite" in {notice["code"] for notice in made["notices"]}


def test_a_components_name_cannot_drive_the_terminal(files, capsys):
    (files / "c.json").write_text(json.dumps([{"id": "\x1b[2Jgone", "bbox": [20, 20, 50, 40]}]))
    assert core(files, "--components", str(files / "c.json")) == 0
    shown = capsys.readouterr().out
    assert "\x1b" not in shown and "[2Jgone" in shown


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--mask", "zero.png"], "every pixel is 0"),
        (["--mask", "gone.png"], "no such file"),
        (["--mask", "pos.txt"], "not an image"),
        (["--components", "pos.txt"], "not JSON"),
        (["--components", "pos.txt"], "[pos.txt]"),
        (["--components", "gone.json"], "cannot be read"),
        (["--components", "outside.json"], "No component found"),
        (["--mask", "m.png", "--components", "c.json"], "not both"),
        (["--mask", "m.png", "--treatment", "blur"], "soft_mask"),
        (["--mask", "m.png", "--mode", "fair"], "balanced"),
        (["--mask", "m.png", "--templates", "x"], "simple"),
        (["--mask", "m.png", "--alpha", "2"], "alpha"),
        (["--mask", "m.png", "--negative_above", "2"], "negative_above"),
        (["--mask", "m.png", "--output", "o.txt"], ".json or .csv"),
        (["--mask", "m.png", "--output", "no/folder/o.csv"], "does not exist"),
        (["--mask", "m.png", "--explain"], "--json"),
        (["--mask", "m.png", "--model", "efficientnet_lite0"], "text tower"),
        (["--mask", "m.png", "--model", "nonsense"], "nonsense"),
        (["--mask", "m.png", "--heat_method", "magic"], "clearclip"),
        (["--mask", "m.png", "--positive", "empty.txt", "--negative", "empty.txt"], "no positive and no negative"),
    ],
)
def test_what_is_wrong_is_said_in_one_sentence(arguments, words, files, capsys, monkeypatch):
    monkeypatch.chdir(files)
    Image.fromarray(np.zeros((120, 180), dtype=np.uint8)).save("zero.png")
    Path("outside.json").write_text("[[500, 500, 600, 600]]")
    Path("empty.txt").write_text("\n")
    assert core(files, *arguments) == 2
    shown = capsys.readouterr()
    assert words in shown.err and "Traceback" not in shown.err and shown.err.count("Error:") == 1


def test_of_many_components_the_terminal_shows_the_best_and_says_where_the_others_are(files, capsys):
    boxes = [[x, y, x + 8, y + 8] for x in range(0, 170, 12) for y in range(0, 110, 12)]
    (files / "c.json").write_text(json.dumps({"boxes": boxes}))
    assert core(files, "--components", str(files / "c.json"), "--output", str(files / "o.csv")) == 0
    shown = capsys.readouterr().out
    assert "\n100 " in shown and "\n101 " not in shown and f"… and {len(boxes) - 100} more; --output" in shown
    assert len((files / "o.csv").read_text().splitlines()) == 1 + len(boxes)


def test_an_empty_group_has_no_best_prompt(files, capsys):
    (files / "none.txt").write_text("\n")
    assert core(files, "--mask", str(files / "m.png"), "--positive", str(files / "none.txt")) == 0
    shown = capsys.readouterr().out
    assert "no positive prompts" in shown and " –  " in shown


def test_the_built_in_model_says_what_it_cannot_do(files, capsys):
    arguments = ["--image", str(files / "i.png"), "--mask", str(files / "m.png"), "--model", "demo_clip"]
    assert run(["foreground", *arguments, "--device", "cpu"]) == 0
    assert "knows drawings, not photos" in capsys.readouterr().out


def test_without_an_image_it_says_what_to_type(capsys):
    assert run(["foreground"]) == 2
    assert "--image" in capsys.readouterr().err


def test_evaluate_prints_the_table_and_writes_figures_and_segments(files, capsys):
    annotations = [
        {"id": 1, "image_id": 1, "bbox": [20, 20, 50, 40], "foreground": True},
        {"id": 2, "image_id": 1, "bbox": [100, 70, 60, 40], "foreground": False},
    ]
    truth = {"images": [{"id": 1, "file_name": "i.png", "height": 120, "width": 180}], "annotations": annotations}
    (files / "truth.json").write_text(json.dumps(truth))
    where = ["--images", str(files), "--truth", str(files / "truth.json"), "--weights_dir", str(files / "weights")]
    common = ["foreground", "evaluate", *where, "--model", "custom_tiny", "--device", "cpu", "--resamples", "20"]
    assert run([*common, "--output", str(files / "e.json")]) == 0
    shown = capsys.readouterr().out
    assert "AUROC" in shown and "soft_mask" in shown and "raw_crop" in shown
    made = json.loads((files / "e.json").read_text())
    assert {figure["treatment"] for figure in made["figures"]} == {"original", "raw_crop", "soft_mask"}
    assert len(made["segments"]) == 6 and made["figures"][0]["auroc"]["value"] in (0.0, 1.0)
    assert run([*common, "--treatments", "original", "--json"]) == 0
    assert {figure["treatment"] for figure in json.loads(capsys.readouterr().out)["figures"]} == {"original"}
    assert run([*common, "--treatments", "nothing"]) == 2
    assert "soft_mask" in capsys.readouterr().err
