"""What decides a training of the built-in CLIP: `DemoPlan`."""

from __future__ import annotations

import math
from dataclasses import dataclass

from core.errors import InputError


@dataclass(frozen=True)
class DemoPlan:
    """Everything that decides the result. Stored with the checkpoint; a run only goes on under an equal plan.

    The learning rate rises over `warmup_steps`, stays, and falls linearly to nothing over the last `decay_share` of
    the steps. While it falls through its last third, patch dropout falls too: the first and longest part sees many
    pictures cheaply, the last part sees them nearly whole, as they will be in use. `steps` and `decay_share` may be
    changed between interruptions, as long as the fall has not begun; a training that has less time than was planned
    falls from step `cut_from`, wherever it then is, to nothing at step `cut_to` (0: not cut). `start_from` names the
    exported model whose weights the training starts with, by the start of its hash; empty: from nothing.
    """

    steps: int = 3000
    seed: int = 7
    lr: float = 3e-3
    weight_decay: float = 0.05
    warmup_steps: int = 100
    decay_share: float = 0.35
    average_decay: float = 0.99
    patch_dropout: float = 0.6
    last_patch_dropout: float = 0.2
    head_patch_dropout: float = 0.25
    last_head_patch_dropout: float = 0.0
    class_weight: float = 1.0
    text_class_weight: float = 0.5
    angle_weight: float = 2.0
    width: int = 192
    layers: int = 6
    devices: int = 1
    start_from: str = ""
    cut_from: int = 0
    cut_to: int = 0

    @property
    def last_step(self) -> int:
        return min(self.steps, self.cut_to) if self.cut_to else self.steps

    def check(self) -> None:
        """Raises `InputError` for a value that cannot be."""
        for name, good, allowed in (
            ("steps", self.steps >= 1, "at least 1"),
            ("seed", self.seed >= 0, "0 or more"),
            ("lr", 0 <= self.lr < math.inf, "0 or more"),
            ("decay_share", 0 < self.decay_share <= 1, "above 0, at most 1"),
            ("devices", self.devices >= 1, "at least 1"),
        ):
            if not good:
                value = getattr(self, name)
                raise InputError(f"{name} cannot be {value}.", where=f"--{name} {value}", next_step=f"Give {allowed}.")

    def lr_at(self, step: int) -> float:
        """The learning rate of a step, counted from 0."""
        return self.lr * min((step + 1) / self.warmup_steps, self._still_level(step))

    def dropout_at(self, step: int) -> tuple[float, float]:
        """The shares of patches that a step leaves out, of all pictures but heads and of heads."""
        level = min(1.0, 3 * self._still_level(step))
        return (
            self.last_patch_dropout + level * (self.patch_dropout - self.last_patch_dropout),
            self.last_head_patch_dropout + level * (self.head_patch_dropout - self.last_head_patch_dropout),
        )

    def _still_level(self, step: int) -> float:
        if self.cut_to and step > self.cut_from:
            return self._still_level(self.cut_from) * max(0, self.cut_to - step) / (self.cut_to - self.cut_from)
        return min(1.0, (self.steps - step) / (self.steps * self.decay_share))
