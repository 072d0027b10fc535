"""Pose encoders: one protocol, a table that is CLIP's, real fine-tuning, matched parameters, and errors that help."""

from __future__ import annotations

import pickle
import subprocess
import sys
from pathlib import Path

import numpy as np
import open_clip
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from core.errors import InputError, UnknownModel, Unsupported, WeightsInvalid, WeightsMissing
from core.models.catalogue import find
from core.models.weights import load_encoder
from core.pose.angles import rotation_matrices, six_d
from core.pose.arms import ARMS
from core.pose.encoders import (
    CLIPPoseEncoder,
    FourierPoseEncoder,
    HybridPoseEncoder,
    MLPPoseEncoder,
    PoseEncoder,
    TablePoseEncoder,
    build_pose_encoder,
    text_model,
    trainable_parameters,
)
from core.pose.encoders.tensors import caption_numbers_of, checked_tensor, interpolation_weights
from core.pose.text import CAPTIONS, CENTRE_POSES_DEG, caption_numbers, describe
from tests.tiny_models import TINY, build_reference

OUT = 36
TEXT_ARMS = [name for name, arm in ARMS.items() if arm.kind in ("captions", "hybrid")]
POSES = torch.tensor([[0.0, 0, 0], [30, -25, 12], [-80, 50, -40], [170, 10, 5], [14.9, 19.9, 9.9]])
edge_angle = st.one_of(
    st.floats(-400, 400),
    st.sampled_from([0.0, -0.0, 10.0, -10.0, 15.0, -15.0, 20.0, -20.0, 45.0, -45.0, 180.0, -180.0, 360.0]),
    st.sampled_from([10.0, 15.0, 20.0, 45.0]).flatmap(
        lambda edge: st.sampled_from([s * np.nextafter(edge, to) for s in (1, -1) for to in (0.0, 100.0)])
    ),
)


@pytest.fixture(scope="module")
def unit_captions(tiny_weights: Path) -> torch.Tensor:
    """The 45 captions through the tiny model by direct calls of open_clip, unit length."""
    reference = build_reference(TINY)
    tokens = open_clip.get_tokenizer("ViT-B-32")(list(CAPTIONS))
    with torch.no_grad():
        return torch.nn.functional.normalize(reference.encode_text(tokens), dim=1)


def tiny(tiny_weights: Path, **options: object) -> CLIPPoseEncoder:
    return CLIPPoseEncoder(OUT, "custom_tiny", "cpu", weights_dir=tiny_weights, **options)  # type: ignore[arg-type]


def built(name: str, tiny_weights: Path, **options: object) -> PoseEncoder:
    return build_pose_encoder(
        name, OUT, clip_model_name="custom_tiny", device="cpu", weights_dir=tiny_weights, hidden_dim=32, **options
    )  # type: ignore[arg-type]


# ------------------------------------------------------------------ the protocol


@pytest.mark.parametrize("name", ARMS)
def test_every_encoder_keeps_the_protocol(name: str, tiny_weights: Path) -> None:
    encoder = built(name, tiny_weights)
    out = encoder(POSES)
    assert out.shape == (5, OUT) and out.dtype == torch.float32
    assert encoder.features(POSES).shape == (5, encoder.feature_dim)
    order = torch.tensor([3, 1, 4, 0, 2])
    assert torch.allclose(encoder(POSES[order]), out[order], atol=1e-6), "each row is its own pose"
    assert torch.allclose(encoder(POSES.double()), out, atol=1e-5)
    assert torch.allclose(encoder(POSES + torch.tensor([0.0, 0, 360])), out, atol=1e-3), "whole turns do not matter"
    assert encoder(POSES[:0]).shape == (0, OUT)
    if name == "none":
        assert not out.any() and trainable_parameters(encoder) == 0
    else:
        assert not torch.allclose(out[0], out[1]), "another pose, another vector"
        out.sum().backward()
        assert all(weight.grad is not None for weight in encoder.parameters() if weight.requires_grad)


@pytest.mark.parametrize("name", ["mlp", "clip", "none", "hybrid", "clip_continuous"])
def test_bad_angles_are_refused_with_their_row(name: str, tiny_weights: Path) -> None:
    encoder = built(name, tiny_weights)
    for value in (float("nan"), float("inf")):
        with pytest.raises(InputError, match="row 2"):
            encoder(torch.tensor([[0.0, 0, 0], [1, 1, 1], [0, value, 0]]))
    with pytest.raises(InputError, match="three columns"):
        encoder(torch.zeros(4, 2))


@settings(deadline=None)
@given(st.lists(st.tuples(edge_angle, edge_angle, edge_angle), min_size=1, max_size=8))
def test_captions_on_the_device_are_those_of_the_table(poses: list[tuple[float, float, float]]) -> None:
    angles = torch.tensor(poses, dtype=torch.float64)
    assert caption_numbers_of(checked_tensor(angles)).tolist() == caption_numbers(poses).tolist()


# ------------------------------------------------------------------ numbers


def test_numbers_say_what_they_should() -> None:
    angles = checked_tensor(POSES)
    assert torch.allclose(MLPPoseEncoder(OUT).features(angles), POSES / 90)
    radians = np.deg2rad(POSES.numpy())
    sincos = MLPPoseEncoder(OUT, representation="sincos").features(angles).numpy()
    assert np.allclose(sincos, np.concatenate([np.sin(radians), np.cos(radians)], axis=1), atol=1e-6)
    six = MLPPoseEncoder(OUT, representation="6d").features(angles).numpy()
    assert np.allclose(six, six_d(rotation_matrices(POSES.numpy())), atol=1e-6)
    fourier = FourierPoseEncoder(OUT).features(angles).numpy()
    multiples = radians[:, :, None] * np.array([1, 2, 4, 8])
    assert np.allclose(fourier, np.concatenate([np.sin(multiples), np.cos(multiples)], 2).reshape(5, -1), atol=1e-5)
    with pytest.raises(InputError, match="sincos"):
        MLPPoseEncoder(OUT, representation="quaternion")


def test_half_a_turn_either_way_is_one_pose_for_sines_and_not_for_raw_angles() -> None:
    ends = torch.tensor([[180.0, 0, 0], [-180, 0, 0]])
    for representation in ("sincos", "6d", "fourier"):
        one, other = MLPPoseEncoder(OUT, representation=representation)(ends)
        assert torch.allclose(one, other, atol=1e-5)
    one, other = MLPPoseEncoder(OUT)(ends)
    assert not torch.allclose(one, other, atol=1e-2)


def test_the_learned_table_has_one_row_for_each_caption() -> None:
    encoder = TablePoseEncoder(OUT, row_dim=8)
    same = encoder(torch.tensor([[20.0, 0, 0], [40, 15, -5]]))
    assert torch.equal(same[0], same[1]), "both are 'right three-quarter view, level gaze, upright'"
    assert len(encoder(torch.from_numpy(CENTRE_POSES_DEG)).unique(dim=0)) == 45


# ------------------------------------------------------------------ words


def test_the_frozen_table_is_what_open_clip_says(tiny_weights: Path, unit_captions: torch.Tensor) -> None:
    encoder = tiny(tiny_weights)
    poses = torch.from_numpy(np.random.default_rng(0).uniform(-180, 180, (200, 3)))
    expected = unit_captions[caption_numbers(poses.numpy())]
    assert torch.allclose(encoder.text_embedding(poses), expected, atol=1e-5)
    features = encoder.features(torch.from_numpy(CENTRE_POSES_DEG))
    assert torch.allclose(features.mean(dim=0), torch.zeros(24), atol=1e-4)
    assert float(features.square().mean()) == pytest.approx(1.0, abs=1e-3)


def test_a_frozen_discrete_encoder_never_runs_the_tower_again(tiny_weights: Path) -> None:
    loaded = load_encoder(find("custom_tiny", tiny_weights), tiny_weights, torch.device("cpu"), torch.float32)
    asked: list[str] = []

    def texts(captions: list[str]) -> torch.Tensor:
        asked.extend(captions)
        return loaded.encode_texts(captions)[0]

    encoder = tiny(tiny_weights, encode_texts=texts)
    assert sorted(asked) == sorted(CAPTIONS)
    encoder(POSES)
    assert len(asked) == 45
    assert torch.allclose(encoder.text_embedding(POSES), tiny(tiny_weights).text_embedding(POSES), atol=1e-6)
    projection = list(encoder.projection.parameters())
    assert [id(each) for each in encoder.parameters()] == [id(each) for each in projection], "only it trains"


def test_continuous_captions_are_the_numbers_and_cached_for_each_rounded_pose(tiny_weights: Path) -> None:
    loaded = load_encoder(find("custom_tiny", tiny_weights), tiny_weights, torch.device("cpu"), torch.float32)
    asked: list[str] = []

    def texts(captions: list[str]) -> torch.Tensor:
        asked.extend(captions)
        return loaded.encode_texts(captions)[0]

    encoder = tiny(tiny_weights, use_continuous_text=True, encode_texts=texts)
    asked.clear()
    near = torch.tensor([[10.0, 0, 0], [10.04, -0.04, 0], [10.06, 0, 0]])
    out = encoder(near)
    assert asked == ["yaw 10.0, pitch 0.0, roll 0.0 degrees", "yaw 10.1, pitch 0.0, roll 0.0 degrees"]
    assert torch.equal(out[0], out[1]) and not torch.equal(out[0], out[2])
    assert torch.equal(encoder(near.flip(0)), out.flip(0)) and len(asked) == 2
    expected = torch.nn.functional.normalize(loaded.encode_texts(describe([30, -25, 12], continuous=True))[0], dim=1)
    assert torch.allclose(encoder.text_embedding(POSES[1:2]), expected, atol=1e-5)


def test_a_full_cache_starts_again_and_says_the_same(tiny_weights: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("core.pose.encoders.captions.CACHE_ROWS", 4)
    small = tiny(tiny_weights, use_continuous_text=True)
    monkeypatch.undo()
    large = tiny(tiny_weights, use_continuous_text=True)
    for start in range(0, 12, 3):
        poses = torch.arange(start, start + 3.0)[:, None] * torch.ones(3)
        assert torch.allclose(small.text_embedding(poses), large.text_embedding(poses), atol=1e-5)
    assert len(small._cache) <= 4


def test_unfrozen_the_text_tower_is_really_trained(tiny_weights: Path) -> None:
    encoder = tiny(tiny_weights, freeze_clip=False)
    assert encoder.tower is not None
    before = encoder.text_embedding(POSES).detach()
    assert torch.allclose(before, tiny(tiny_weights).text_embedding(POSES), atol=1e-5), "it starts as the frozen one"
    optimizer = torch.optim.SGD(encoder.parameters(), lr=1.0)
    encoder(POSES).square().sum().backward()
    names = [name for name, weight in encoder.tower.named_parameters() if weight.requires_grad]
    for name, weight in encoder.tower.named_parameters():
        if weight.requires_grad:
            assert weight.grad is not None and bool(weight.grad.any()), name
    assert any("token_embedding" in name for name in names) and not any("visual" in name for name in names)
    optimizer.step()
    assert not torch.allclose(encoder.text_embedding(POSES), before, atol=1e-4)


def test_unfrozen_continuous_text_trains_too(tiny_weights: Path) -> None:
    encoder = tiny(tiny_weights, freeze_clip=False, use_continuous_text=True)
    out = encoder(POSES)
    out.sum().backward()
    assert bool(encoder.tower.module.token_embedding.weight.grad.any())  # type: ignore[union-attr]
    order = torch.tensor([2, 0, 1, 4, 3])
    assert torch.allclose(encoder(POSES[order]), out[order], atol=1e-5)


def test_permuted_captions_are_the_same_rows_at_other_poses(tiny_weights: Path, unit_captions: torch.Tensor) -> None:
    centres = torch.from_numpy(CENTRE_POSES_DEG)
    for seed in range(3):
        rows = tiny(tiny_weights, variant="permuted", seed=seed).text_embedding(centres)
        nearest = (rows @ unit_captions.T).argmax(dim=1)
        assert sorted(nearest.tolist()) == list(range(45))
        assert not (nearest == torch.arange(45)).any(), "no caption keeps its own"
        assert torch.allclose(rows, unit_captions[nearest], atol=1e-5)


def test_a_random_tower_is_no_trained_one_and_needs_no_weights(tiny_weights: Path, tmp_path: Path) -> None:
    one, again, other = (tiny(tiny_weights, variant="random", seed=seed) for seed in (0, 0, 1))
    assert torch.equal(one.text_embedding(POSES), again.text_embedding(POSES))
    assert not torch.allclose(one.text_embedding(POSES), other.text_embedding(POSES), atol=1e-2)
    assert not torch.allclose(one.text_embedding(POSES), tiny(tiny_weights).text_embedding(POSES), atol=1e-2)
    nowhere = CLIPPoseEncoder(OUT, "open_clip_convnext_base", "cpu", variant="random", weights_dir=tmp_path)
    assert nowhere.feature_dim == 512


def test_interpolation_meets_the_captions_at_the_middle_of_their_bins(
    tiny_weights: Path, unit_captions: torch.Tensor
) -> None:
    encoder = tiny(tiny_weights, variant="interpolated")
    assert torch.allclose(encoder.text_embedding(torch.from_numpy(CENTRE_POSES_DEG)), unit_captions, atol=1e-5)
    between = encoder.text_embedding(torch.tensor([[15.0, 0, 0]]))[0]
    ends = unit_captions[caption_numbers([[0, 0, 0], [30, 0, 0]])]
    assert torch.allclose(between, ends.mean(dim=0), atol=1e-5)


@settings(deadline=None)
@given(st.tuples(*[st.floats(-180, 180)] * 3), st.floats(-0.01, 0.01))
def test_interpolation_weights_are_a_continuous_mixture(pose: tuple[float, float, float], nudge: float) -> None:
    angles = torch.tensor([pose, tuple(min(180.0, max(-180.0, angle + nudge)) for angle in pose)], dtype=torch.float64)
    weights = interpolation_weights(angles)
    assert torch.allclose(weights.sum(dim=1), torch.ones(2), atol=1e-6)
    assert float(weights.min()) >= 0 and int((weights[0] > 0).sum()) <= 8
    assert float((weights[0] - weights[1]).abs().max()) < 2e-3, "no jump anywhere but at ±180"


def test_words_on_expression_and_light_join_the_caption(tiny_weights: Path) -> None:
    encoder = tiny(tiny_weights)
    plain = encoder(POSES[:2])
    smiling = encoder(POSES[:2], expressions=["smiling", ""], lights=["", ""])
    assert not torch.allclose(smiling[0], plain[0], atol=1e-4)
    assert torch.allclose(smiling[1], plain[1], atol=1e-4), "an empty word adds nothing"
    with pytest.raises(InputError, match="permuted"):
        tiny(tiny_weights, variant="permuted")(POSES[:1], expressions=["sad"])


@pytest.mark.parametrize("freeze_clip", [True, False])
def test_words_that_the_tower_would_cut_are_refused(tiny_weights: Path, freeze_clip: bool) -> None:
    encoder = tiny(tiny_weights, freeze_clip=freeze_clip)
    with pytest.raises(InputError, match="was cut"):
        encoder(POSES[:1], expressions=["smiling " * 100])


def test_a_hybrid_is_the_sum_of_its_parts(tiny_weights: Path) -> None:
    clip, mlp = tiny(tiny_weights), MLPPoseEncoder(OUT)
    assert torch.allclose(HybridPoseEncoder(clip, mlp)(POSES), clip(POSES) + mlp(POSES))
    with pytest.raises(InputError, match="output_dim"):
        HybridPoseEncoder(clip, MLPPoseEncoder(OUT + 3))


# ------------------------------------------------------------------ by name


def test_the_arms_have_equal_trainable_parameters(tiny_weights: Path) -> None:
    budget = trainable_parameters(built("clip", tiny_weights))
    for name in ARMS:
        if name in ("none", "table"):  # the table has rows to pay for; with a tiny budget they are more than it
            continue
        encoder = built(name, tiny_weights)
        one_unit = encoder.feature_dim + 1 + OUT
        assert abs(trainable_parameters(encoder) - budget) <= one_unit, name
    table = build_pose_encoder("table", 192, clip_model_name="custom_tiny", device="cpu", weights_dir=tiny_weights)
    clip = build_pose_encoder("clip", 192, clip_model_name="custom_tiny", device="cpu", weights_dir=tiny_weights)
    assert abs(trainable_parameters(table) - trainable_parameters(clip)) <= 64 + 1 + 192
    same = built("mlp", tiny_weights, match_parameters=False)
    assert same.projection[0].out_features == 32  # type: ignore[index]


@pytest.mark.parametrize("name", ["mlp", "table", "clip_permuted", "clip_random"])
def test_a_seed_decides_everything_and_torch_s_generator_is_left_alone(name: str, tiny_weights: Path) -> None:
    torch.manual_seed(123)
    expected = torch.rand(3)
    torch.manual_seed(123)
    one = built(name, tiny_weights, seed=4)
    assert torch.equal(torch.rand(3), expected)
    assert torch.equal(one(POSES), built(name, tiny_weights, seed=4)(POSES))
    assert not torch.allclose(one(POSES), built(name, tiny_weights, seed=5)(POSES))


def test_an_encoder_is_restored_from_its_state(tiny_weights: Path) -> None:
    for name in ("clip_permuted", "clip_interpolated", "hybrid", "table"):
        one, other = built(name, tiny_weights, seed=1), built(name, tiny_weights, seed=2)
        other.load_state_dict(one.state_dict())
        assert torch.equal(one(POSES), other(POSES)), name


def test_arrays_are_encoded_as_tensors_are(tiny_weights: Path) -> None:
    for name in ("none", "mlp", "clip"):
        encoder = built(name, tiny_weights)
        made_ND = encoder.encode(POSES.double().numpy())
        assert made_ND.dtype == np.float32 and np.array_equal(made_ND, encoder(POSES).detach().numpy()), name


# ------------------------------------------------------------------ what is refused


def test_openai_s_names_and_the_catalogue_s_are_one(tiny_weights: Path) -> None:
    assert text_model("ViT-B/32", tiny_weights).id == "openai_clip_vit_b32"
    assert text_model("ViT-B/16", tiny_weights).id == "openai_clip_vit_b16"
    assert text_model("ViT-L/14", tiny_weights).id == "openai_clip_vit_l14"
    assert text_model("custom_tiny_wide", tiny_weights).dim == 40
    with pytest.raises(UnknownModel, match="demo_clip"):
        text_model("ViT-B/33", tiny_weights)
    with pytest.raises(Unsupported, match="demo_clip"):
        text_model("resnet50", tiny_weights)


@pytest.mark.parametrize("freeze_clip", [True, False])
def test_absent_weights_name_the_command_and_the_model_that_is_always_there(freeze_clip: bool, tmp_path: Path) -> None:
    with pytest.raises(WeightsMissing, match="demo_clip") as caught:
        CLIPPoseEncoder(device="cpu", freeze_clip=freeze_clip, weights_dir=tmp_path)
    assert "models fetch openai_clip_vit_b32" in str(caught.value)


def test_choices_that_exclude_each_other_are_refused(tiny_weights: Path) -> None:
    for options in (
        {"variant": "permuted", "use_continuous_text": True},
        {"variant": "interpolated", "freeze_clip": False},
        {"variant": "shuffled"},
        {"round_deg": 0.0},
        {"round_deg": float("nan")},
        {"freeze_clip": False, "encode_texts": lambda captions: torch.zeros(len(captions), 3)},
    ):
        with pytest.raises(InputError):
            tiny(tiny_weights, **options)
    with pytest.raises(InputError, match="clip_permuted"):
        build_pose_encoder("clippy", device="cpu")


def test_a_caption_that_the_tower_would_cut_is_refused(tiny_weights: Path) -> None:
    with pytest.raises(InputError, match="tokens"):
        tiny(tiny_weights, template="a very " + "long " * 80 + "{}")


def test_a_custom_model_with_a_problem_says_so(tmp_path: Path) -> None:
    (tmp_path / "custom" / "broken").mkdir(parents=True)
    with pytest.raises((WeightsInvalid, Unsupported)):
        CLIPPoseEncoder(OUT, "custom_broken", "cpu", weights_dir=tmp_path)


def test_the_arms_are_listed_without_torch() -> None:
    code = "import sys, core.pose.arms, core.pose.angles, core.pose.text; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


# ------------------------------------------------------------------ what version 0.1 has written


def test_an_encoder_pickled_by_version_0_1_still_finds_its_classes() -> None:
    """Encoders were one module; a pickle names its classes by where they stood."""
    for name in ("MLPPoseEncoder", "FourierPoseEncoder", "TablePoseEncoder", "CLIPPoseEncoder", "HybridPoseEncoder"):
        assert issubclass(pickle.loads(f"ccore.pose.encoders\n{name}\n.".encode()), PoseEncoder)
    for name in ("NoPoseEncoder", "TextTower", "_Rows"):
        assert isinstance(pickle.loads(f"ccore.pose.encoders\n{name}\n.".encode()), type)


def test_the_state_of_an_encoder_is_named_as_in_version_0_1(tiny_weights: Path) -> None:
    mlp = [f"projection.{layer}.{part}" for layer in (0, 2) for part in ("weight", "bias")]
    clip = ["table_KD", "centre_D", "spread", *mlp]
    expected = {
        "none": [],
        "mlp": mlp,
        "table": [*mlp, "rows.weight"],
        "clip": clip,
        "clip_continuous": clip[1:],
        "hybrid": [*(f"clip.{name}" for name in clip), *(f"mlp.{name}" for name in mlp)],
    }
    for name, keys in expected.items():
        assert list(built(name, tiny_weights).state_dict()) == keys, name
