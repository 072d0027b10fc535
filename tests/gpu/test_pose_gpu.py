"""Pose encoders and a run of the pose experiment on a GPU."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from core.pose.arms import ARMS
from core.pose.encoders import build_pose_encoder
from core.runs import read_runs
from experiments.pose_encoder.data import generated
from experiments.pose_encoder.plan import PosePlan
from experiments.pose_encoder.train import train


@pytest.mark.parametrize("name", ARMS)
def test_an_encoder_says_the_same_on_the_gpu(name: str, gpu: torch.device, tiny_weights: Path) -> None:
    options = {"clip_model_name": "custom_tiny", "weights_dir": tiny_weights}
    here = build_pose_encoder(name, 36, device="cpu", **options)  # type: ignore[arg-type]
    there = build_pose_encoder(name, 36, device=gpu, **options)  # type: ignore[arg-type]
    there.load_state_dict(here.state_dict())
    poses = torch.rand(64, 3, generator=torch.Generator().manual_seed(0)) * 360 - 180
    out = there(poses.to(gpu))
    assert out.device.type == "cuda"
    assert torch.allclose(out.cpu(), here(poses), atol=2e-2 if torch.backends.cuda.matmul.allow_tf32 else 1e-3)


@pytest.mark.parametrize(("freeze_clip", "precision"), [(True, "32-true"), (False, "bf16-mixed")])
def test_a_run_on_the_gpu_says_what_memory_it_took(
    freeze_clip: bool, precision: str, gpu: torch.device, tmp_path: Path, tiny_weights: Path
) -> None:
    plan = PosePlan(
        pose_encoder="clip", clip_model_name="custom_tiny", freeze_clip=freeze_clip, precision=precision, epochs=2,
        identities=(64, 8, 8),
    )  # fmt: skip
    data = generated(0, plan.identities)
    train(plan, tmp_path, device="gpu", weights_dir=tiny_weights, data=data, say=lambda line: None)
    metrics = read_runs(tmp_path).runs[0].metrics
    assert metrics["train/loss"].value[-1] < metrics["train/loss"].value[0]
    assert 1e5 < metrics["peak_memory_bytes"].value[-1] < 2e9
