"""The modules of `core.fusion` and a run of each fusion experiment on a GPU."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
import torch
import yaml

from core.fusion.losses import ClipConsCriterion
from core.fusion.multiscale import CLIPWithProjectionMultiScale
from core.runs import Run, read_runs
from experiments import train_bifusion, train_reid
from experiments.reid.figures import generate
from tests.reid.conftest import small_yaml


@pytest.mark.parametrize("options", [{}, {"pool": "max", "stride": "half"}, {"windows": "2d", "grid_hw": (16, 8)}])
def test_windows_pool_the_same_on_the_gpu(options: dict, gpu: torch.device) -> None:
    torch.manual_seed(0)
    here = CLIPWithProjectionMultiScale(32, 48, (2, 4), **options).double()
    tokens = torch.randn(3, 128, 32, dtype=torch.float64)
    expected = here(tokens)
    torch.testing.assert_close(here.to(gpu)(tokens.to(gpu)).cpu(), expected)


@pytest.mark.parametrize("form", ["naive", "stable", "infonce"])
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_the_clip_loss_survives_the_gpus_autocast(form: str, dtype: torch.dtype, gpu: torch.device) -> None:
    """Against float64 on the CPU; features of ±50 in sixteen bits change nothing, as they are normalised."""
    torch.manual_seed(0)
    points = 100 * torch.rand(4096, 64) - 50
    images, owner = torch.randn(4, 64), torch.arange(4).repeat_interleave(1024)
    valid = torch.rand(4096) < 0.8
    criterion = ClipConsCriterion(form=form)
    expected = criterion(points.double(), images.double(), owner, valid)
    with torch.autocast("cuda", dtype=dtype):
        found = criterion(points.to(gpu, dtype), images.to(gpu, dtype), owner.to(gpu), valid.to(gpu))
    assert float(found) == pytest.approx(float(expected), rel=2e-2)


def only_run(folder: Path) -> Run:
    (run,) = read_runs(folder)
    assert run.status == "finished"
    return run


@pytest.mark.parametrize("precision", ["32-true", "bf16-mixed"])
def test_re_identification_trains_on_the_gpu(
    precision: str, gpu: torch.device, tmp_path: Path, tiny_weights: Path
) -> None:
    for _ in generate(tmp_path / "figures", train_ids=6, test_ids=4, shots=1, seed=3, height_px=32, width_px=16):
        pass
    config = small_yaml(tmp_path, tmp_path / "runs", {"SOLVER.PRECISION": precision, "SOLVER.MAX_EPOCHS": 4})
    (tmp_path / "reid.yaml").write_text(yaml.safe_dump(config))
    options = ["--config", str(tmp_path / "reid.yaml"), "--weights_dir", str(tiny_weights), "--device", "gpu"]
    assert train_reid.main(options) == 0
    run = only_run(tmp_path / "runs")
    loss = run.metrics["train/loss"].value
    assert loss[-1] < loss[0] and 0 <= run.metrics["test/mAP"].value[-1] <= 100
    assert 1e5 < run.metrics["peak_memory_bytes"].value[-1] < 4e9


@pytest.mark.parametrize("precision", ["fp32", "bf16", "fp16"])
def test_fusion_on_points_trains_on_the_gpu(
    precision: str, gpu: torch.device, tmp_path: Path, tiny_weights: Path
) -> None:
    (tmp_path / "arms.yaml").write_text(
        "base: {model: custom_tiny, epochs: 4, steps_per_epoch: 2, batch_size: 2, points: 64, evaluate_every: 4}\n"
        f"arms: {{a: {{form: stable, precision: {precision}}}}}\n"
    )
    options = ["--config", str(tmp_path / "arms.yaml"), "--output_dir", str(tmp_path / "runs")]
    options += ["--weights_dir", str(tiny_weights), "--work_dir", str(tmp_path / "rooms"), "--device", "gpu"]
    assert train_bifusion.main(options) == 0
    run = only_run(tmp_path / "runs")
    assert run.metrics["nan/loss"].value[-1] == run.metrics["nan/gradient"].value[-1] == 0
    assert math.isfinite(run.metrics["grad/total_max"].value[-1]) and 0 < run.metrics["val/mIoU"].value[-1] < 1
