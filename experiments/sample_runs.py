"""A small, honest set of runs for the Runs tab: real training, on generated data, in about a minute on one core.

    python -m experiments.sample_runs

The question is that of the pose experiment, shrunk to what a laptop does at once: given a face's landmarks seen from
the front, and a head pose, where do the landmarks lie in the picture? The four arms differ only in how the pose reaches
the network: not at all (`none`), as three numbers through a small MLP (`mlp`), as their sines and cosines (`sincos`),
or as one of the 45 captions of `core.pose.text`, a learned row for each (`table`). Eight seeds each; a seed fixes the
faces, the first weights of the trunk and the order of the batches for all four arms, so that runs are paired by it.

These are not results about photographs or CLIP; `python -m experiments.train_universal` trains on those.
"""

from __future__ import annotations

import shutil
import sys
import time
from pathlib import Path
from typing import Annotated

import numpy as np
import typer

from core.pose.angles import rotation_matrices
from core.pose.text import CAPTIONS, caption_numbers
from core.runs import RunRecorder

RESULTS_DIR = Path(__file__).resolve().parent / "results" / "sample_pose_encoder"
ARMS = ("none", "mlp", "sincos", "table")
SEEDS = 8
EPOCHS = 24
BATCH_SIZE = 128
TRAIN_FACES, VAL_FACES, TEST_FACES = 4096, 1024, 2048
WIDTH = 64
LEARNING_RATE = 3e-3
# Head frame, eye distance 1: eye corners, nose, mouth corners, chin, ears; x right, y up, z towards the viewer.
MEAN_FACE_K3 = np.array(
    [
        *([-0.72, 0.30, 0.30], [-0.28, 0.30, 0.42], [0.28, 0.30, 0.42], [0.72, 0.30, 0.30]),
        *([0.0, 0.05, 0.78], [-0.22, -0.08, 0.55], [0.22, -0.08, 0.55]),
        *([-0.38, -0.48, 0.45], [0.0, -0.42, 0.60], [0.38, -0.48, 0.45], [0.0, -0.95, 0.45]),
        *([-1.05, 0.10, -0.35], [1.05, 0.10, -0.35]),
    ]
)


def generate(seed: int, faces: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Faces of random shape in random poses.

    Returns:
        front_N2K: float32 `[N, 2K]`, the landmarks seen from the front, with noise: what the network sees.
        angles_deg_N3: yaw within ±75, pitch within ±40, roll within ±35.
        seen_N2K: float32 `[N, 2K]`, the landmarks in the picture: rotated, seen in weak perspective.
    """
    random = np.random.default_rng(seed)
    landmarks = len(MEAN_FACE_K3)
    shapes_NK3 = MEAN_FACE_K3 + 0.08 * random.standard_normal((faces, landmarks, 3))
    angles_deg_N3 = random.uniform(-1.0, 1.0, (faces, 3)) * (75.0, 40.0, 35.0)
    turned_NK3 = np.einsum("nij,nkj->nki", rotation_matrices(angles_deg_N3), shapes_NK3)
    seen_NK2 = turned_NK3[..., :2] / (1.0 - 0.12 * turned_NK3[..., 2:])
    front_NK2 = shapes_NK3[..., :2] + 0.02 * random.standard_normal((faces, landmarks, 2))
    flat = (faces, 2 * landmarks)
    return front_NK2.reshape(flat).astype(np.float32), angles_deg_N3, seen_NK2.reshape(flat).astype(np.float32)


def pose_input(arm: str, angles_deg_N3: np.ndarray) -> np.ndarray:
    """What the arm is told of the pose, float32 `[N, P]`; `none` is told nothing (zeros)."""
    radians_N3 = np.deg2rad(angles_deg_N3)
    if arm == "none":
        features = np.zeros((len(angles_deg_N3), 1))
    elif arm == "mlp":
        features = radians_N3
    elif arm == "sincos":
        features = np.concatenate([np.sin(radians_N3), np.cos(radians_N3)], axis=1)
    else:  # a one-hot row times a matrix is a learned row for each caption
        features = np.eye(len(CAPTIONS))[caption_numbers(angles_deg_N3)]
    return features.astype(np.float32)


def train(arm: str, seed: int, folder: Path) -> float:
    """One run, recorded under `folder`. Returns its error on the test faces, NME in percent of the eye distance."""
    import torch
    from torch import nn

    class Network(nn.Module):
        """Landmarks from the front → landmarks in the picture; the pose is added into both hidden layers."""

        def __init__(self, pose_size: int) -> None:
            super().__init__()
            values = 2 * len(MEAN_FACE_K3)
            self.enter, self.middle = nn.Linear(values, WIDTH), nn.Linear(WIDTH, WIDTH)
            self.leave = nn.Linear(WIDTH, values)
            first = nn.Identity() if arm == "table" else nn.Sequential(nn.Linear(pose_size, WIDTH), nn.GELU())
            self.pose = nn.Sequential(first, nn.Linear(pose_size if arm == "table" else WIDTH, 2 * WIDTH))

        def forward(self, front_B2K: torch.Tensor, pose_BP: torch.Tensor) -> torch.Tensor:
            shift, gain = self.pose(pose_BP).chunk(2, dim=1)
            hidden = nn.functional.gelu(self.enter(front_B2K) * (1 + gain) + shift)
            return self.leave(nn.functional.gelu(self.middle(hidden) * (1 + gain) + shift))

    def tensors(part: int, faces: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        front, angles, seen = generate(1000 * seed + part, faces)
        return torch.from_numpy(front), torch.from_numpy(pose_input(arm, angles)), torch.from_numpy(seen)

    def nme(part: tuple[torch.Tensor, torch.Tensor, torch.Tensor]) -> float:
        with torch.inference_mode():
            error_NK2 = (model(part[0], part[1]) - part[2]).reshape(-1, len(MEAN_FACE_K3), 2)
        return 100.0 * float(error_NK2.norm(dim=2).mean())

    training, validation, test = tensors(0, TRAIN_FACES), tensors(1, VAL_FACES), tensors(2, TEST_FACES)
    torch.manual_seed(seed)  # the trunk is made before the pose layers: the same first weights in every arm
    model = Network(training[1].shape[1])
    optimizer = torch.optim.AdamW(model.parameters(), LEARNING_RATE)
    steps = EPOCHS * (TRAIN_FACES // BATCH_SIZE)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    order = torch.Generator().manual_seed(seed)
    parameters = sum(weight.numel() for weight in model.parameters())
    config = {
        "experiment": "sample",
        "pose_encoder": arm,
        "seed": seed,
        "epochs": EPOCHS,
        "batch_size": BATCH_SIZE,
        "lr": LEARNING_RATE,
        "train_faces": TRAIN_FACES,
        "parameters": parameters,
    }
    step = 0
    with RunRecorder(folder, f"{arm}-seed{seed}", config) as run:
        for epoch in range(1, EPOCHS + 1):
            started, losses = time.perf_counter(), []
            for rows in torch.randperm(TRAIN_FACES, generator=order).split(BATCH_SIZE):
                loss = nn.functional.mse_loss(model(training[0][rows], training[1][rows]), training[2][rows])
                optimizer.zero_grad(set_to_none=True)
                loss.backward()
                optimizer.step()
                schedule.step()
                losses.append(float(loss.detach()))
                step += 1
            speed = TRAIN_FACES / (time.perf_counter() - started)
            values = {"train/loss": float(f"{np.mean(losses):.5g}"), "val/nme": round(nme(validation), 4)}
            run.log({**values, "samples_per_s": round(speed)}, step=step, epoch=epoch)
        result = nme(test)
        run.log({"test/nme": round(result, 4)}, step=step, epoch=EPOCHS)
    # It names a process of this machine; a finished run does without.
    (folder / f"{arm}-seed{seed}" / "process.json").unlink()
    return result


def main(
    output: Annotated[Path, typer.Option(help="Folder of the runs; the runs in it are replaced.")] = RESULTS_DIR,
) -> None:
    """Train every arm with every seed, one after another."""
    import torch

    torch.set_num_threads(1)  # networks this small lose by sharing
    for seed in range(SEEDS):
        for arm in ARMS:
            shutil.rmtree(output / f"{arm}-seed{seed}", ignore_errors=True)
            result = train(arm, seed, output)
            print(f"{arm}-seed{seed}: test NME {result:.3f} %", file=sys.stderr)


if __name__ == "__main__":
    typer.run(main)
