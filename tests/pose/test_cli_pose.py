"""`python -m core pose` as a person types it."""

from __future__ import annotations

import json

import numpy as np
import pytest

from core.cli.app import run
from core.models.manager import ModelManager
from core.pose.embedding import embed_captions
from core.settings import Settings
from core.vectorize import store

POSE = ["--yaw", "45", "--pitch", "10", "--roll", "-5"]
CAPTION = "right profile view, level gaze, upright"


@pytest.fixture
def tiny(tiny_weights):
    """The options that choose the tiny CLIP."""
    return ["--model", "custom_tiny", "--weights_dir", str(tiny_weights), "--device", "cpu"]


def direct(tiny_weights, caption):
    manager = ModelManager(Settings(weights_dir=tiny_weights))
    made = embed_captions([caption], manager, "custom_tiny", device="cpu")
    manager.close()
    return made.units_ND[0]


def test_describe_prints_the_caption_alone_on_one_line(capsys):
    """The note's own example says "tilted left"; its rule says upright, and the rule wins."""
    assert run(["pose", "describe", *POSE]) == 0
    shown = capsys.readouterr()
    assert shown.out == CAPTION + "\n" and shown.err == ""


@pytest.mark.parametrize(
    ("arguments", "caption"),
    [
        (["--continuous"], "yaw 45.0, pitch 10.0, roll -5.0 degrees"),
        (["--expression", "smiling", "--lighting", "dim light"], f"{CAPTION}, smiling, dim light"),
        (["--template", "a face, {}"], f"a face, {CAPTION}"),
    ],
)
def test_wording(capsys, arguments, caption):
    assert run(["pose", "describe", *POSE, *arguments]) == 0
    assert capsys.readouterr().out == caption + "\n"


def test_json_and_an_angle_beyond_180(capsys):
    assert run(["pose", "describe", "--yaw", "-190", "--pitch", "0", "--roll", "10", "--json"]) == 0
    shown = capsys.readouterr()
    made = json.loads(shown.out)
    assert made["yaw_deg"] == 170 and made["bins"] == {
        "yaw": "right profile view", "pitch": "level gaze", "roll": "tilted right"
    }  # fmt: skip
    assert made["caption"] == ", ".join(made["bins"].values())
    assert "wrapped to 170" in shown.err


@pytest.mark.parametrize("suffix", ["npz", "npy", "csv", "parquet", "safetensors"])
def test_encode_writes_the_embedding(tmp_path, tiny, tiny_weights, capsys, suffix):
    output = tmp_path / f"pose.{suffix}"
    assert run(["pose", "encode", *POSE, *tiny, "--output", str(output)]) == 0
    shown = capsys.readouterr()
    assert shown.out.splitlines()[0] == CAPTION and "Written" in shown.err
    table = store.read(output)
    assert table.ids == (CAPTION,) and table.members[0].model_id == "custom_tiny"
    np.testing.assert_allclose(table.vectors_ND[0], direct(tiny_weights, CAPTION), atol=1e-6)


def test_encode_as_json_with_hyphens(tiny, tiny_weights, capsys):
    hyphens = [argument.replace("_dir", "-dir") for argument in tiny]
    assert run(["pose", "encode", *POSE, *hyphens, "--json"]) == 0
    made = json.loads(capsys.readouterr().out)
    np.testing.assert_allclose(made["embedding"], direct(tiny_weights, CAPTION), atol=1e-6)
    assert made["dim"] == 24 and made["model"]["id"] == "custom_tiny"


def test_a_file_of_poses(tmp_path, tiny, tiny_weights, capsys):
    (tmp_path / "poses.csv").write_text("yaw,pitch,roll\n45,10,-5\n,0,0\n0,0,0\n")
    where = ["--poses-file", str(tmp_path / "poses.csv"), "--output", str(tmp_path / "o.npz")]
    assert run(["pose", "encode", *where, *tiny]) == 0
    shown = capsys.readouterr()
    assert "3 rows, 2 usable" in shown.out and "line 3: yaw is empty" in shown.out
    arrays = np.load(tmp_path / "o.npz")
    assert arrays["caption_row"].tolist() == [0, -1, 1]
    np.testing.assert_allclose(arrays["vectors"][0], direct(tiny_weights, CAPTION), atol=1e-6)
    assert run(["pose", "describe", *where, "--json"]) == 0
    made = json.loads(capsys.readouterr().out)
    assert made["rejects"] == [{"id": "line 3", "code": "pose", "reason": "yaw is empty"}] and made["dim"] == 0


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["describe", "--yaw", "1"], "--pitch and --roll are not given"),
        (["describe", "--yaw", "nan", "--pitch", "1", "--roll", "1"], "--yaw nan is not a finite number"),
        (["encode", "--yaw", "1", "--pitch", "inf", "--roll", "1"], "--pitch inf is not a finite number"),
        (["describe", "--yaw", "left", "--pitch", "1", "--roll", "1"], "--yaw"),
        (["describe", *POSE, "--template", "x"], "exactly one {}"),
        (["describe", *POSE, "--output", "o.csv"], "--poses_file"),
        (["describe", *POSE, "--poses_file", "p.csv", "--output", "o.csv"], "not both"),
        (["describe", "--poses_file", "p.csv"], "--output"),
        (["encode", "--poses_file", "p.csv"], "--output"),
        (["encode", "--poses_file", "gone.csv", "--output", "o.csv", "--model", "demo_clip"], "cannot be read"),
        (["encode", *POSE, "--output", "o.txt"], "names no format"),
        (["encode", *POSE, "--model", "nonsense"], "nonsense"),
        (["encode", *POSE, "--model", "efficientnet_lite0"], "no text tower"),
        (["encode", *POSE, "--model", "ViT-L/14", "--weights_dir", "."], "or take demo_clip"),
    ],
)
def test_what_is_wrong_is_said_in_one_sentence(arguments, words, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert run(["pose", *arguments]) == (1 if "ViT-L/14" in arguments else 2)
    shown = capsys.readouterr()
    assert words in shown.err and "Traceback" not in shown.err and shown.out == ""
    assert list(tmp_path.iterdir()) == []
