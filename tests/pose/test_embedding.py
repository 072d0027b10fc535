"""Captions → unit vectors: true to the text tower, each caption asked for once, errors in words."""

from __future__ import annotations

import subprocess
import sys
import threading

import numpy as np
import pytest

from core.errors import Cancelled, InputError, Unsupported, WeightsMissing
from core.models.manager import ModelManager
from core.pose import embedding
from core.pose.embedding import Wording, default_model, embed_captions, embed_poses, vector_table
from core.pose.text import CAPTIONS, describe
from core.settings import Settings
from core.vectorize import store


def test_rows_are_the_text_towers_own_normalised(fakes, fake_encoder):
    captions = ["looking up", "a red face", "looking up", "upright"]
    made = embed_captions(captions, fakes, "fake")
    direct = fake_encoder.encode_texts(captions)[0].double().numpy()
    assert made.captions == tuple(captions) and made.units_ND.dtype == np.float32 and made.dim == 16
    np.testing.assert_allclose(made.units_ND, direct / np.linalg.norm(direct, axis=1, keepdims=True), atol=1e-6)
    np.testing.assert_array_equal(made.units_ND[0], made.units_ND[2])
    assert made.model["id"] == "fake" and made.model["dtype"] == "fp32" and made.model["device"] == "cpu"


def test_a_thousand_poses_cost_the_text_tower_45_captions(fakes, fake_encoder):
    angles = np.random.default_rng(0).uniform(-180, 180, (1000, 3))
    made = embed_poses(angles, fakes, "fake")
    assert sorted(fake_encoder.texts_seen) == sorted(set(describe(angles)))
    embed_captions(CAPTIONS, fakes, "fake")
    embed_poses(angles[::-1], fakes, "fake")
    assert len(fake_encoder.texts_seen) == 45, "remembered"
    for row in (0, 17, 999):
        np.testing.assert_array_equal(made.units_ND[row], embed_poses(angles[row], fakes, "fake").units_ND[0])


def test_wording_reaches_the_caption():
    pose = [45, 10, -5]
    assert Wording().captions(pose) == ["right profile view, level gaze, upright"]
    dressed = Wording(False, " smiling ", "dim light", "a face, {}")
    assert dressed.captions(pose) == ["a face, right profile view, level gaze, upright, smiling, dim light"]
    assert Wording(continuous=True).captions([pose, pose]) == ["yaw 45.0, pitch 10.0, roll -5.0 degrees"] * 2
    with pytest.raises(InputError, match=r"exactly one \{\}"):
        Wording(template="no place").captions(pose)
    with pytest.raises(InputError, match="row 1"):
        Wording(expression="sad").captions([pose, [0, np.nan, 0]])


def test_many_captions_go_in_parts_and_can_be_stopped(fakes, fake_encoder, monkeypatch):
    monkeypatch.setattr(embedding, "CAPTIONS_AT_ONCE", 10)
    captions = [f"word{number}" for number in range(35)]
    made = embed_captions(captions, fakes, "fake")
    direct = fake_encoder.encode_texts(captions)[0].numpy()
    np.testing.assert_allclose(made.units_ND, embedding.unit_rows(direct), atol=1e-6)

    stop = threading.Event()
    asked = []

    def encode_texts(texts):
        asked.append(len(texts))
        stop.set()
        return type(fake_encoder).encode_texts(fake_encoder, texts)

    monkeypatch.setattr(fake_encoder, "encode_texts", encode_texts)
    with pytest.raises(Cancelled):
        embed_captions([f"other{number}" for number in range(35)], fakes, "fake", cancel=stop)
    assert asked == [10]


def test_a_cut_caption_is_said(fakes):
    made = embed_captions(["one two three four five six seven eight nine ten eleven twelve thirteen"], fakes, "fake")
    assert [notice.code for notice in made.notices] == ["text_cut"]


def test_without_a_text_tower_nothing_is_loaded(fakes):
    with pytest.raises(Unsupported, match="demo_clip"):
        embed_captions(["upright"], fakes, "mute")
    assert fakes.status() == []
    with pytest.raises(InputError, match="no caption"):
        embed_captions([], fakes, "fake")


def test_absent_weights_name_the_model_that_is_always_there(tmp_path):
    manager = ModelManager(Settings(weights_dir=tmp_path))
    with pytest.raises(WeightsMissing) as caught:
        embed_poses([0, 0, 0], manager, "openai_clip_vit_b32")
    assert "models fetch openai_clip_vit_b32" in caught.value.next_step and "demo_clip" in caught.value.next_step


def test_the_default_is_a_real_clip_if_there_is_one(tmp_path, tiny_weights):
    assert default_model(tmp_path) == "demo_clip"
    assert default_model(tiny_weights).startswith("custom_tiny")
    (tmp_path / "openai").mkdir()
    (tmp_path / "openai" / "ViT-B-32.pt").write_bytes(b"x")
    assert default_model(tmp_path) == "openai_clip_vit_b32"


def test_vectors_of_poses_are_a_file_of_the_house(fakes, tmp_path):
    made = embed_poses([[45, 0, 0], [0, 0, 0], [46, 1, 1]], fakes, "fake")
    table = vector_table(made, fakes)
    assert table.ids == ("right profile view, level gaze, upright", "frontal view, level gaze, upright")
    store.write(table, tmp_path / "poses.npz")
    back = store.read(tmp_path / "poses.npz")
    np.testing.assert_array_equal(back.vectors_ND, made.units_ND[:2])
    assert back.passport["normalize"] is True and back.members[0].model_id == "fake"


def test_a_tiny_clip_gives_what_open_clip_gives(tiny_weights):
    import open_clip
    import torch

    from tests.tiny_models import TINY, build_reference

    manager = ModelManager(Settings(weights_dir=tiny_weights))
    made = embed_captions(CAPTIONS[:5], manager, "custom_tiny", device="cpu")
    manager.close()
    reference = build_reference(TINY)
    with torch.no_grad():
        features = reference.encode_text(open_clip.tokenize(list(CAPTIONS[:5])), normalize=True).numpy()
    np.testing.assert_allclose(made.units_ND, features, atol=1e-5)


def test_light_modules_cost_no_torch():
    modules = "core.pose.embedding, core.pose.audit, core.pose.zero_shot, core.pose.poses, core.cli.pose"
    code = f"import sys, {modules}; sys.exit('torch' in sys.modules or 'scipy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
