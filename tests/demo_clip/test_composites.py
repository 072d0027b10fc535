"""The card's foreground figure and the public command: the same pictures, the same scores."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import open_clip
import pytest
import torch
from PIL import Image
from sklearn.metrics import roc_auc_score

from core.cli.app import run
from core.errors import InputError
from core.foreground.prompts import PromptSet
from core.settings import REPO_DIR
from experiments.demo_clip import composites
from experiments.demo_clip.data import Composer
from experiments.demo_clip.evaluate import image_vectors, text_vectors
from experiments.train_demo_clip import main

EACH = 8
DEMO = REPO_DIR / "weights" / "demo"


@pytest.fixture(scope="module")
def composer(small_world: Path) -> Composer:
    return Composer(small_world, role="near", backgrounds="held_out", heads="held_out")


def test_the_public_command_finds_the_figure_that_the_card_s_recipe_gives(composer, tmp_path, capsys):
    truth = composites.write(composer, tmp_path / "made", each=EACH)
    where = ["--images", str(truth.parent / "images"), "--truth", str(truth), "--treatments", "raw_crop"]
    arguments = ["foreground", "evaluate", *where, "--model", "demo_clip", "--device", "cpu", "--resamples", "0"]
    assert run([*arguments, "--output", str(tmp_path / "found.json")]) == 0
    assert "AUROC" in capsys.readouterr().out
    found = json.loads((tmp_path / "found.json").read_text())
    assert not found["rejects"] and found["model"]["id"] == "demo_clip"

    # The card's recipe: open_clip called directly, on the pictures as they were drawn.
    model, _, _ = open_clip.create_model_and_transforms(f"local-dir:{DEMO}")
    model.eval()
    pixels_BCHW, is_foreground_B = composites.foreground_pictures(composer, EACH)
    prompts = PromptSet()
    logits = model.logit_scale.exp() * image_vectors(model, pixels_BCHW) @ text_vectors(model, prompts.texts).T
    p_pos_sum_B = logits.softmax(dim=1)[:, : len(prompts.positive)].sum(dim=1).detach().numpy()

    segments = found["segments"]
    assert [one["foreground"] for one in segments] == is_foreground_B.tolist()
    # The files hold 8 bits; an entirely other picture would be another score.
    np.testing.assert_allclose([one["p_pos_sum"] for one in segments], p_pos_sum_B, atol=0.05)
    figure = next(one for one in found["figures"] if one["score"] == "p_pos_sum" and one["area"] == "all")
    assert figure["auroc"]["value"] == pytest.approx(roc_auc_score(is_foreground_B, p_pos_sum_B), abs=0.05)
    assert (figure["n_foreground"], figure["n_background"]) == (EACH, 2 * EACH)


def test_the_files_hold_the_pictures(composer, tmp_path):
    truth = composites.write(composer, tmp_path / "made", each=3)
    pixels_BCHW, is_foreground_B = composites.foreground_pictures(composer, 3)
    made = json.loads(truth.read_text())
    assert [one["foreground"] for one in made["annotations"]] == is_foreground_B.tolist() == [True] * 3 + [False] * 6
    for image, pixels_CHW in zip(made["images"], pixels_BCHW, strict=True):
        stored = torch.from_numpy(np.array(Image.open(truth.parent / "images" / image["file_name"])))
        assert (stored.permute(2, 0, 1) / 255 - pixels_CHW).abs().max() <= 0.5 / 255 + 1e-6
    assert composites.write(composer, tmp_path / "made", each=3) == truth, "again over its own files"


def test_a_folder_with_something_else_in_it_is_left_alone(composer, tmp_path):
    (tmp_path / "thesis.txt").write_text("mine")
    with pytest.raises(InputError, match="not empty"):
        composites.write(composer, tmp_path, each=3)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]


def test_without_data_the_command_says_how_to_get_them(tmp_path, capsys):
    assert main(["composites", "--work_dir", str(tmp_path), "--output", str(tmp_path / "made")]) == 2
    assert "train_demo_clip prepare" in capsys.readouterr().err
