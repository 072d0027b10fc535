"""The network and its two supervised losses; the scores."""

from __future__ import annotations

import math
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from torch import nn

from core.errors import InputError
from core.fusion.bifusion import BiFusionEncoder, Enhanced2DEncoder
from core.models.encoder import Encoder
from core.settings import REPO_DIR
from experiments.bifusion.data import FrameBank
from experiments.bifusion.evaluate import _iou, evaluate
from experiments.bifusion.frames import Scene
from experiments.bifusion.model import Outputs, Segmenter, VoxelMLP, instance_loss, number_voxels, semantic_loss
from experiments.bifusion.plan import FusionPlan, assignments, read_arms
from experiments.bifusion.rooms import CLASSES


@pytest.fixture(scope="module")
def bank(rooms: list[Scene], encoder: Encoder) -> FrameBank:
    return FrameBank(rooms, CLASSES, encoder)


def fusion_over(encoder: Encoder) -> BiFusionEncoder:
    return BiFusionEncoder(Enhanced2DEncoder.from_encoder(encoder, trainable_blocks=1), occlusion_m=0.3)


def test_voxels_are_numbered_apart_for_each_cloud_and_each_cell():
    cells = torch.tensor([[0.0, 0, 0], [0, 0, 0], [0, 0, 1], [-3, 0, 0], [0, 0, 0]])
    numbers, count = number_voxels(cells, torch.tensor([0, 0, 0, 0, 1]))
    assert count == 4 and numbers[0] == numbers[1] and len(set(numbers.tolist())) == 4
    assert number_voxels(torch.zeros(0, 3), torch.zeros(0, dtype=torch.long))[1] == 0


def test_a_points_features_know_its_surroundings_and_no_other_cloud():
    torch.manual_seed(0)
    backbone = VoxelMLP()
    xyz, rgb = torch.randn(40, 3), torch.rand(40, 3)
    clouds = torch.arange(2).repeat_interleave(20)
    with torch.no_grad():
        before = backbone(xyz, rgb, clouds)
        rgb[0] += 1.0
        after = backbone(xyz, rgb, clouds)
    assert before.shape == (40, 96)
    near = (xyz[:20] - xyz[0]).norm(dim=1).argsort()[1]
    assert not torch.allclose(before[near], after[near]), "a neighbour's colour is seen through the voxel"
    assert torch.equal(before[20:], after[20:])


def test_the_order_of_points_does_not_matter():
    torch.manual_seed(0)
    backbone = VoxelMLP()
    xyz, rgb, clouds = torch.randn(50, 3), torch.rand(50, 3), torch.zeros(50, dtype=torch.long)
    order = torch.randperm(50)
    with torch.no_grad():
        torch.testing.assert_close(
            backbone(xyz, rgb, clouds)[order], backbone(xyz[order], rgb[order], clouds), rtol=1e-4, atol=1e-5
        )


def test_with_and_without_fusion_the_3d_side_starts_equal(encoder: Encoder):
    alone, fused = Segmenter(12, None, seed=3), Segmenter(12, fusion_over(encoder), seed=3)
    other = Segmenter(12, None, seed=4)
    ours, theirs = dict(fused.named_parameters()), dict(alone.named_parameters())
    ours["lift.weight"], ours["lift.bias"] = fused.fusion.point_projection.parameters()
    assert all(torch.equal(weight, ours[name]) for name, weight in theirs.items())
    assert not torch.equal(alone.lift.weight, other.lift.weight)
    again = Segmenter(12, fusion_over(encoder), seed=3)
    assert all(torch.equal(a, b) for a, b in zip(fused.parameters(), again.parameters(), strict=True))


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
def test_all_parts_get_gradients_in_every_number_format(bank: FrameBank, encoder: Encoder, dtype: torch.dtype):
    model = Segmenter(12, fusion_over(encoder), dtype=dtype)
    batch = bank.batch([0, 5], 60, (0,))
    out = model(SimpleNamespace(batch=batch), bank.pixels_FCHW[batch.frames_B])
    assert out.logits_NK.shape == (120, 12) and out.offset_N3_m.shape == (120, 3)
    assert out.logits_NK.dtype == torch.float32 and out.fusion.feat_fusion.dtype == dtype
    loss = semantic_loss(out.logits_NK, batch.label_N)
    loss = loss + instance_loss(out.offset_N3_m, batch.offset_N3_m, batch.thing_N)
    (loss + out.fusion.clip_global.float().square().mean()).backward()
    for name, weight in model.named_parameters():
        assert weight.grad is None or weight.grad.dtype == torch.float32
        if weight.requires_grad:
            assert weight.grad is not None and weight.grad.isfinite().all(), name


def test_the_semantic_loss_leaves_unlabelled_points_out():
    logits = torch.randn(4, 3)
    labels = torch.tensor([0, -1, 2, -1])
    torch.testing.assert_close(
        semantic_loss(logits, labels), nn.functional.cross_entropy(logits[[0, 2]], labels[[0, 2]])
    )


def test_the_instance_loss_by_hand():
    offset = torch.tensor([[1.0, 0.0, 0.0], [0.0, 2.0, 0.0], [9.0, 9.0, 9.0]])
    target = torch.tensor([[0.0, 1.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 0.0]])
    # L1: 2 and 1, mean 1.5; cosines: 0 and 1, so 1 − cos: mean 0.5; the third point belongs to nothing
    assert instance_loss(offset, target, torch.tensor([True, True, False])).item() == pytest.approx(2.0)
    nothing = offset.clone().requires_grad_()
    loss = instance_loss(nothing, target, torch.zeros(3, dtype=torch.bool))
    loss.backward()
    assert loss.item() == 0.0


def test_iou_by_hand():
    # truth 0: 3 right, 1 taken for class 1; truth 1: 2 right, 1 without an answer; class 2 does not occur
    confusion = torch.tensor([[3, 1, 0, 0], [0, 2, 0, 1], [0, 0, 0, 0]])
    miou, each = _iou(confusion)
    assert each[0] == pytest.approx(3 / 4) and each[1] == pytest.approx(2 / 4) and math.isnan(each[2])
    assert miou == pytest.approx(0.625)


class _Oracle(nn.Module):
    """Answers with the truth, or with what is no number."""

    def __init__(self, wrong: float = 0.0) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(1))
        self.wrong = wrong

    def forward(self, batch, _images) -> Outputs:
        logits = nn.functional.one_hot(batch.label_N.clamp(min=0), 12).float()
        return Outputs(logits + self.wrong, batch.offset_N3_m + torch.tensor([0.3, 0.0, 0.4]), None)


def test_scores_of_an_oracle_and_of_a_broken_network(bank: FrameBank):
    scores = evaluate(_Oracle(), bank, None)  # type: ignore[arg-type]
    assert scores.miou == pytest.approx(1.0) and scores.offset_m == pytest.approx(0.5, abs=1e-5)
    assert evaluate(_Oracle(math.nan), bank, None).miou == 0.0  # type: ignore[arg-type]


# ---------------------------------------------------------------------------------------------------------------- plans


def test_the_committed_arms_are_those_of_the_question():
    arms = read_arms(REPO_DIR / "experiments" / "configs" / "bifusion.yaml")
    assert arms["3d_only"].semantic_weight == 0.5 and not arms["3d_only"].images
    naive = arms["naive"]
    assert (naive.semantic_weight, naive.clip_weight, naive.temperature, naive.gradient_flow_ratio) == (
        *(0.4, 0.05),
        *(0.07, 0.02),
    )
    assert arms["stable"].changed({"fusion": "naive", "form": "naive"}, "") == naive, "arms differ in one thing"
    assert all(plan.fusion == name and plan.epochs > 20 for name, plan in arms.items()), "the schedule has its steps"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("arms: {a: {tempreature: 1}}", "no option 'tempreature'"),
        ("base: {points: many}\narms: {a: {}}", "must be of kind int"),
        ("arms: {a: {form: 3}}", "must be of kind str"),
        ("arms: []", "must hold `arms`"),
        ("arms: {a: {}}\nmore: 1", "nothing else"),
        ("arms: {a: 3}", "must be a mapping"),
        ("arms: {a: {log_every: 2, evaluate_every: 3}}", "multiple of log_every"),
        ("arms: {a: {precision: fp8}}", "fp32, bf16 or fp16"),
        (": :", "cannot be read"),
    ],
)
def test_configurations_that_say_nothing_clear_are_refused(tmp_path: Path, text: str, words: str):
    path = tmp_path / "a.yaml"
    path.write_text(text)
    with pytest.raises(InputError, match=words):
        read_arms(path)


def test_numbers_that_yaml_takes_for_texts_are_numbers():
    assert FusionPlan().changed(assignments(["lr=1e-3", "feature_clamp=10", "form=stable"]), "").lr == 1e-3
    assert FusionPlan().changed(assignments(["feature_clamp=null"]), "").feature_clamp is None
    with pytest.raises(InputError, match="name=value"):
        assignments(["lr"])
