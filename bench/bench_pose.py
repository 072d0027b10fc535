"""What words cost in training: `python -m bench.bench_pose`. Prints a markdown table; needs only the built-in model.

One training step (forward, loss, backward, AdamW) of the pose experiment's model with each encoder, all in one run: the
encoders take turns step by step, so that whatever else the machine does meets all of them alike. "Against mlp" is the
median over rounds of the ratio of neighbouring measurements. The promise: frozen `clip` within 5 % of `mlp`.
"""

from __future__ import annotations

import statistics
import time

import torch

from core.pose.encoders import PoseEncoder, build_pose_encoder, trainable_parameters
from experiments.pose_encoder.data import generated
from experiments.pose_encoder.model import FaceModel, landmark_loss

ROUNDS = 40
STEPS = 5
BATCH_SIZE = 128
WIDTH = 64
MODEL = "demo_clip"
TABLE, TUNED = "clip, frozen, discrete (a table)", "clip, fine-tuned"


class Trainee:
    """A model with one encoder, ready to take steps."""

    def __init__(self, encoder: PoseEncoder) -> None:
        self.model = FaceModel(encoder, width=WIDTH, heads=4)
        self.optimizer = torch.optim.AdamW(self.model.parameters(), 1e-3, fused=True)
        self.wall_ms: list[float] = []
        self.cpu_ms: list[float] = []

    def round(self, batch: tuple[torch.Tensor, torch.Tensor, torch.Tensor], steps: int) -> None:
        """Some steps; their mean time is remembered."""
        front, angles, seen = batch
        begin, begin_cpu = time.perf_counter(), time.process_time()
        for _ in range(steps):
            loss = landmark_loss(self.model(front, angles), seen)
            self.optimizer.zero_grad(set_to_none=True)
            loss.backward()
            self.optimizer.step()
        self.wall_ms.append(1000 * (time.perf_counter() - begin) / steps)
        self.cpu_ms.append(1000 * (time.process_time() - begin_cpu) / steps)


def encoder_of(name: str, freeze_clip: bool = True) -> PoseEncoder:
    """An encoder as in the experiment: equal trainable parameters, apart from a tower that trains."""
    return build_pose_encoder(
        name, 3 * WIDTH, clip_model_name=MODEL, device="cpu", freeze_clip=freeze_clip, hidden_dim=128
    )


def main() -> None:
    torch.manual_seed(0)
    faces = generated(0, (BATCH_SIZE, 1, 1)).train[:BATCH_SIZE]
    batch = tuple(torch.from_numpy(part) for part in (faces.front_NK2, faces.angles_deg_N3, faces.seen_NK2))
    trainees = {
        "mlp": Trainee(encoder_of("mlp")),
        TABLE: Trainee(encoder_of("clip")),
        "clip_interpolated": Trainee(encoder_of("clip_interpolated")),
        "clip_continuous, cached": Trainee(encoder_of("clip_continuous")),
        TUNED: Trainee(encoder_of("clip", freeze_clip=False)),
    }
    for round_number in range(ROUNDS + 1):
        names = list(trainees)
        for name in names[round_number % len(names) :] + names[: round_number % len(names)]:
            if name != TUNED or round_number % 8 == 0:
                trainees[name].round(batch, 1 if name == TUNED else STEPS)
        if round_number == 0:  # the first fills caches
            for trainee in trainees.values():
                trainee.wall_ms.clear(), trainee.cpu_ms.clear()
    print(
        f"One training step, batch {BATCH_SIZE}, {MODEL}, torch {torch.__version__} with {torch.get_num_threads()} "
        f"threads, {ROUNDS} rounds of {STEPS} steps in turns:\n"
    )
    print("| encoder | trainable parameters | wall ms | processor ms | against mlp |")
    print("| --- | ---: | ---: | ---: | ---: |")
    reference = trainees["mlp"]
    for name, trainee in trainees.items():
        parameters = trainable_parameters(trainee.model.pose_encoder)
        wall, cpu = statistics.median(trainee.wall_ms), statistics.median(trainee.cpu_ms)
        print(f"| {name} | {parameters:,} | {wall:.1f} | {cpu:.1f} | {times_of(trainee, reference):.3f} |")
    more = 100 * (times_of(trainees[TABLE], reference) - 1)
    print(f"\nFrozen clip takes {more:+.1f} % of an mlp step's processor time; promised: at most +5 %.")


def times_of(trainee: Trainee, reference: Trainee) -> float:
    """How many of the reference's steps one step costs in processor time."""
    if len(trainee.cpu_ms) != len(reference.cpu_ms):  # measured in fewer rounds
        return statistics.median(trainee.cpu_ms) / statistics.median(reference.cpu_ms)
    return statistics.median(mine / other for mine, other in zip(trainee.cpu_ms, reference.cpu_ms, strict=True))


if __name__ == "__main__":
    main()
