"""What a run is: `FusionPlan`, and the configuration files that list arms of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any

import yaml

from core.errors import InputError
from core.settings import REPO_DIR

DEFAULT_CONFIG = REPO_DIR / "experiments" / "configs" / "bifusion.yaml"
DEFAULT_WORK_DIR = Path.home() / ".cache" / "clip-workbench" / "bifusion"


@dataclass(frozen=True)
class FusionPlan:
    """Everything that decides a run's numbers, beside the data.

    Attributes:
        fusion: the arm's name; runs are grouped by it.
        seed: first weights, order, points drawn.
        model: the catalogue's image model; a ViT.
        images: whether there is a fusion at all; False is the 3-D baseline.
        semantic_weight, instance_weight: of their losses (the note: 0.4 with fusion and 0.5 in the baseline, and 1).
        clip_weight, temperature, gradient_flow_ratio, form, feature_clamp, min_temperature: of `ClipConsCriterion`.
        schedule: `none`, or `note`: CLIP weight 0 up to epoch 10, 0.001 up to 20, 0.01 from 21.
        trainable_blocks: of the ViT, from its end; 0 freezes it, −1 trains all of it.
        norm: layer norms behind the projections.
        precision: `fp32`; `bf16`, `fp16`: the fusion wholly in these sixteen bits, without loss scaling.
        epochs, batch_size, points: `batch_size` frames a step over all devices, `points` of each.
        steps_per_epoch: 0: every frame once; else so many steps, of frames in an order drawn anew.
        lr, clip_lr, weight_decay: of AdamW; `clip_lr` for the ViT's own weights. Cosine to zero.
        max_grad_norm: gradients are clipped to it; 0: they are not.
        log_every: epochs that one row of the log sums up; checkpoints are written as often.
        evaluate_every: epochs between looks at validation and test; a multiple of `log_every`.
    """

    fusion: str = "naive"
    seed: int = 0
    model: str = "demo_clip"
    images: bool = True
    semantic_weight: float = 0.4
    instance_weight: float = 1.0
    clip_weight: float = 0.05
    temperature: float = 0.07
    gradient_flow_ratio: float = 0.02
    form: str = "naive"
    schedule: str = "none"
    feature_clamp: float | None = None
    min_temperature: float | None = None
    trainable_blocks: int = 1
    norm: bool = False
    precision: str = "fp32"
    epochs: int = 30
    batch_size: int = 8
    points: int = 256
    steps_per_epoch: int = 0
    lr: float = 2e-3
    clip_lr: float = 2e-4
    weight_decay: float = 1e-2
    max_grad_norm: float = 0.0
    log_every: int = 1
    evaluate_every: int = 5

    def __post_init__(self) -> None:
        for name, allowed, hint in (
            ("schedule", self.schedule in ("none", "note"), "none or note"),
            ("precision", self.precision in ("fp32", "bf16", "fp16"), "fp32, bf16 or fp16"),
            ("epochs", self.epochs >= 1, "at least 1"),
            ("batch_size", self.batch_size >= 1, "at least 1"),
            ("steps_per_epoch", self.steps_per_epoch >= 0, "0 or more"),
            ("points", self.points >= 1, "at least 1"),
            ("log_every", self.log_every >= 1 and self.epochs % self.log_every == 0, "a divisor of epochs"),
            (
                "evaluate_every",
                self.evaluate_every >= 1 and self.evaluate_every % self.log_every == 0,
                f"a multiple of log_every, {self.log_every}",
            ),
            ("lr", self.lr > 0, "above 0"),
            ("clip_lr", self.clip_lr >= 0, "0 or more"),
            ("weight_decay", self.weight_decay >= 0, "0 or more"),
            ("semantic_weight", self.semantic_weight >= 0, "0 or more"),
            ("instance_weight", self.instance_weight >= 0, "0 or more"),
            ("max_grad_norm", self.max_grad_norm >= 0, "0 or more"),
            ("fusion", bool(self.fusion), "a name"),
        ):
            if not allowed:
                raise InputError(f"{name} cannot be {getattr(self, name)!r}.", next_step=f"Give {hint}.")

    @property
    def run_name(self) -> str:
        """The run's folder."""
        return f"{self.fusion}-seed{self.seed}"

    def config(self) -> dict[str, Any]:
        """For the run's `config.json`."""
        return {"experiment": "bifusion", **asdict(self)}

    def changed(self, options: dict[str, Any], where: str) -> FusionPlan:
        """With these options in place of its own.

        Raises:
            InputError: an option that does not exist or is of another kind; `where` says who asked.
        """
        kinds = {field.name: str(field.type) for field in fields(self)}
        unknown = sorted(set(options) - set(kinds))
        if unknown:
            raise InputError(
                f"There is no option {unknown[0]!r}.", where=where, next_step=f"Options: {', '.join(kinds)}."
            )
        return replace(self, **{name: _of_kind(name, value, kinds[name], where) for name, value in options.items()})


def read_arms(path: Path) -> dict[str, FusionPlan]:
    """The arms of a configuration file: `base:` options of all, `arms:` a name and its own options each.

    Raises:
        InputError: the file cannot be read, is of another form, or names an option that does not exist.
    """
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise InputError(
            f"The configuration cannot be read: {str(error).splitlines()[0]}",
            where=str(path),
            next_step="See experiments/configs/bifusion.yaml.",
        ) from None
    arms = content.get("arms") if isinstance(content, dict) else None
    base = (content.get("base") or {}) if isinstance(content, dict) else None
    if not isinstance(arms, dict) or not arms or not isinstance(base, dict) or set(content) - {"base", "arms"}:
        raise InputError(
            "The configuration must hold `arms` (a name and its options each) and may hold `base`, nothing else.",
            where=str(path),
            next_step="See experiments/configs/bifusion.yaml.",
        )
    common = FusionPlan().changed(base, f"{path}: base")
    plans = {}
    for name, options in arms.items():
        if options is not None and not isinstance(options, dict):
            raise InputError(
                "An arm's options must be a mapping.", where=f"{path}: {name}", next_step="For example {form: stable}."
            )
        plans[str(name)] = common.changed({**(options or {}), "fusion": str(name)}, f"{path}: {name}")
    return plans


def assignments(texts: Sequence[str]) -> dict[str, Any]:
    """`["epochs=2", "form=stable"]` → their mapping, values read as YAML."""
    options = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals:
            raise InputError(f"Not an option: {text!r}.", where="--set", next_step="Write name=value.")
        try:
            options[name.strip()] = yaml.safe_load(value)
        except yaml.YAMLError:
            raise InputError(
                f"The value is no YAML: {text!r}.", where="--set", next_step="For example lr=1e-3."
            ) from None
    return options


def _of_kind(name: str, value: Any, kind: str, where: str) -> Any:
    if kind.startswith("float") and isinstance(value, (int, float)) and not isinstance(value, bool):
        return float(value)
    if kind.startswith("float") and isinstance(value, str):  # YAML takes 1e-3 for a text
        try:
            return float(value)
        except ValueError:
            pass
    expected = {"str": str, "int": int, "bool": bool}.get(kind)
    if value is None and kind.endswith("None"):
        return None
    if expected is not None and type(value) is expected:
        return value
    raise InputError(
        f"{name} must be of kind {kind}, not {value!r}.", where=where, next_step="See experiments/bifusion/plan.py."
    )
