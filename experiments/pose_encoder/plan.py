"""What a run is: `PosePlan`."""

from __future__ import annotations

import math
from dataclasses import dataclass

from core.errors import InputError
from core.pose.arms import ARMS

PRECISIONS = ("32-true", "bf16-mixed", "16-mixed")


@dataclass(frozen=True)
class PosePlan:
    """Everything that decides a run's numbers; it becomes the run's config.

    The learning rate rises over the first `warmup_share` of the steps and falls to nothing along a cosine.

    Attributes:
        pose_encoder: an arm of `core.pose.arms`.
        batch_size: over all devices together. The last, incomplete batch of an epoch is left out; which faces it would
            have held differs from epoch to epoch.
        hidden_dim: hidden width of the `clip` arm's projection; the other arms get as many parameters.
        gate: the blocks' gates, which start at zero and make the first steps slow.
        identities: of generated heads in training, validation and test, four faces each.
        round_deg: continuous captions are rounded to this.
        log_every: steps between logged training losses.
    """

    data_dir: str = "generated"
    pose_encoder: str = "mlp"
    seed: int = 0
    epochs: int = 150
    batch_size: int = 64
    lr: float = 4e-3
    weight_decay: float = 0.01
    warmup_share: float = 0.05
    clip_model_name: str = "ViT-B/32"
    freeze_clip: bool = True
    hidden_dim: int = 128
    width: int = 48
    layers: int = 2
    heads: int = 2
    mlp_ratio: float = 2.0
    qk_norm: bool = True
    gate: bool = False
    round_deg: float = 1.0
    precision: str = "32-true"
    devices: int = 1
    data_seed: int = 0
    identities: tuple[int, int, int] = (512, 128, 256)
    log_every: int = 16

    def check(self) -> None:
        """Raises `InputError` for a value that cannot be."""
        for name in ("epochs", "batch_size", "width", "layers", "heads", "devices", "log_every"):
            if getattr(self, name) < 1:
                raise InputError(f"{name} must be at least 1.", where=f"--{name} {getattr(self, name)}")
        for name in ("seed", "data_seed", "hidden_dim"):
            if getattr(self, name) < 0:
                raise InputError(f"{name} must not be negative.", where=f"--{name} {getattr(self, name)}")
        if self.pose_encoder not in ARMS:
            raise InputError(
                "No pose encoder has this name.", where=self.pose_encoder, next_step=f"one of {', '.join(ARMS)}"
            )
        if self.precision not in PRECISIONS:
            raise InputError("No such precision.", where=self.precision, next_step=f"one of {', '.join(PRECISIONS)}")
        if self.batch_size % self.devices:
            raise InputError(
                f"A batch of {self.batch_size} does not divide among {self.devices} devices.",
                next_step="choose a multiple",
            )
        if not 0 < self.lr < math.inf:
            raise InputError("The learning rate must be positive.", where=f"--lr {self.lr}")

    def lr_at(self, step: int, steps: int) -> float:
        """The learning rate of a step, counted from 0."""
        warm = max(1, round(steps * self.warmup_share))
        if step < warm:
            return self.lr * (step + 1) / warm
        return self.lr * 0.5 * (1.0 + math.cos(math.pi * (step - warm) / max(1, steps - warm)))
