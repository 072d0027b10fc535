"""The YAML of a re-identification training: every key, its type, its default. A key that is not here is an error.

Names are those of MambaPro and TOP-ReID where they have one. `arm` names what of the multi-scale context is on; runs
are grouped by it.
"""

from __future__ import annotations

import difflib
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Any, get_type_hints

import yaml

from core.errors import InputError


@dataclass(frozen=True)
class ModelConfig:
    """The network.

    Attributes:
        TRANSFORMER_TYPE: a ViT of the catalogue by its id (`demo_clip`, `openai_clip_vit_b16`, `custom_…`), or one of
            OpenAI's by its own name (`ViT-B-16`).
        PRETRAIN_PATH_T: a weight file for that architecture; empty: the catalogue's place; `random`: none, from
            nothing.
        STRIDE_SIZE: of the patch convolution, rows and columns; smaller than the patch lets patches overlap.
        SIE_CAMERA: an embedding of the camera, times SIE_COE, is added to the class token before the first block. It
            needs the camera of test pictures too.
        DIRECT: 1: one classifier on the three modalities' features side by side; 0: one for each modality.
        ID_LOSS_WEIGHT, LABEL_SMOOTHING, TRIPLET_LOSS_WEIGHT: of the loss.
        FROZEN: CLIP's own weights do not train; adapters, prompts, the camera embedding, the context and the heads do.
        ADAPTER: a bottleneck beside the MLP of each block (W → 2 W → W), starting at zero.
        PROMPT: 4 learned tokens for each modality in each block.
        LAST_BLOCKS: adapters and prompts only in that many last blocks; 0: in all.
        MAMBA: not implemented; True is refused.
        USE_CLIP_MULTI_SCALE: adds the multi-scale context to the class token; False is the baseline bit for bit.
        CLIP_MULTI_SCALE_SCALES: windows in tokens; in 2-D a pair is (rows, columns).
        CLIP_MULTI_SCALE_PLAN: 1 in CLIP's width; 2 in one of CLIP_MULTI_SCALE_PROJECTED_DIM, there and back.
        CLIP_MULTI_SCALE_ACTIVATION, …_POOL, …_STRIDE, …_WINDOWS: see `core.fusion.multiscale`.
    """

    TRANSFORMER_TYPE: str = "ViT-B-16"
    PRETRAIN_PATH_T: str = ""
    STRIDE_SIZE: tuple[int, int] = (16, 16)
    SIE_CAMERA: bool = True
    SIE_COE: float = 1.0
    DIRECT: int = 1
    ID_LOSS_WEIGHT: float = 0.25
    LABEL_SMOOTHING: float = 0.1
    TRIPLET_LOSS_WEIGHT: float = 1.0
    FROZEN: bool = True
    ADAPTER: bool = True
    PROMPT: bool = True
    LAST_BLOCKS: int = 0
    MAMBA: bool = False
    USE_CLIP_MULTI_SCALE: bool = True
    CLIP_MULTI_SCALE_SCALES: tuple[int | tuple[int, int], ...] = (4, 8, 16)
    CLIP_MULTI_SCALE_PLAN: int = 1
    CLIP_MULTI_SCALE_PROJECTED_DIM: int = 768
    CLIP_MULTI_SCALE_ACTIVATION: str = "none"
    CLIP_MULTI_SCALE_POOL: str = "mean"
    CLIP_MULTI_SCALE_STRIDE: str | int = "window"
    CLIP_MULTI_SCALE_WINDOWS: str = "1d"


@dataclass(frozen=True)
class InputConfig:
    """Pictures: SIZE is height and width in px; PIXEL_MEAN and PIXEL_STD normalise values in 0..1, for each channel.

    Training is augmented: FLIP_PROB mirrors, PADDING (px) pads and cuts out again, RE_PROB erases a rectangle.
    """

    SIZE: tuple[int, int] = (256, 128)
    PIXEL_MEAN: tuple[float, float, float] = (0.5, 0.5, 0.5)
    PIXEL_STD: tuple[float, float, float] = (0.5, 0.5, 0.5)
    FLIP_PROB: float = 0.5
    PADDING: int = 10
    RE_PROB: float = 0.5


@dataclass(frozen=True)
class DatasetsConfig:
    """ROOT_DIR/NAMES is the data set, in RGBNT201's layout; VAL_IDS of its training identities are for validation."""

    ROOT_DIR: str = "data"
    NAMES: str = "RGBNT201"
    VAL_IDS: int = 30


@dataclass(frozen=True)
class DataloaderConfig:
    """NUM_INSTANCE: triples of one identity in a batch."""

    NUM_INSTANCE: int = 4


@dataclass(frozen=True)
class SolverConfig:
    """Adam with WEIGHT_DECAY for MAX_EPOCHS, from SEED.

    BASE_LR is reached over WARMUP_EPOCHS and falls as a cosine to a hundredth. IMS_PER_BATCH: triples in a batch, on
    all devices together. EVAL_PERIOD: epochs between validations; the last epoch is validated too. PRECISION: Fabric's
    (`32-true`, `bf16-mixed`, `16-mixed`).
    """

    SEED: int = 0
    MAX_EPOCHS: int = 60
    IMS_PER_BATCH: int = 64
    BASE_LR: float = 3.5e-4
    WEIGHT_DECAY: float = 1e-4
    WARMUP_EPOCHS: int = 10
    EVAL_PERIOD: int = 1
    PRECISION: str = "32-true"


@dataclass(frozen=True)
class TestConfig:
    """IMS_PER_BATCH: triples at once in evaluation."""

    __test__ = False  # not a test class, whatever pytest thinks of its name
    IMS_PER_BATCH: int = 128


@dataclass(frozen=True)
class Config:
    """All of it. OUTPUT_DIR: the folder of runs."""

    MODEL: ModelConfig = field(default_factory=ModelConfig)
    INPUT: InputConfig = field(default_factory=InputConfig)
    DATASETS: DatasetsConfig = field(default_factory=DatasetsConfig)
    DATALOADER: DataloaderConfig = field(default_factory=DataloaderConfig)
    SOLVER: SolverConfig = field(default_factory=SolverConfig)
    TEST: TestConfig = field(default_factory=TestConfig)
    OUTPUT_DIR: str = "runs/reid"

    def flat(self) -> dict[str, Any]:
        """`MODEL.SIE_COE` → value, as a run records it."""
        return {
            f"{section}.{name}" if isinstance(values, Mapping) else section: value
            for section, values in asdict(self).items()
            for name, value in (values.items() if isinstance(values, Mapping) else [("", values)])
        }


ARMS: dict[str, dict[str, Any]] = {
    "baseline": {"USE_CLIP_MULTI_SCALE": False},
    "plan1": {},
    "plan2": {"CLIP_MULTI_SCALE_PLAN": 2},
    "plan1_max": {"CLIP_MULTI_SCALE_POOL": "max"},
    "plan1_2d": {"CLIP_MULTI_SCALE_WINDOWS": "2d", "CLIP_MULTI_SCALE_SCALES": ((2, 2), (4, 2), (4, 4))},
    "plan1_max_2d": {
        "CLIP_MULTI_SCALE_POOL": "max",
        "CLIP_MULTI_SCALE_WINDOWS": "2d",
        "CLIP_MULTI_SCALE_SCALES": ((2, 2), (4, 2), (4, 4)),
    },
    # a control: windows of one token see no context at all, only the mean token through layers of the same kind
    "pooled": {"CLIP_MULTI_SCALE_SCALES": (1, 1, 1)},
}


def arm(model: ModelConfig) -> str:
    """What of the multi-scale context is on, in a word: the value of the key `multi_scale` that runs are grouped by."""
    if not model.USE_CLIP_MULTI_SCALE:
        return "baseline"
    if set(model.CLIP_MULTI_SCALE_SCALES) == {1}:
        return "pooled"
    parts = [f"plan{model.CLIP_MULTI_SCALE_PLAN}"]
    options = (model.CLIP_MULTI_SCALE_ACTIVATION, model.CLIP_MULTI_SCALE_POOL, str(model.CLIP_MULTI_SCALE_STRIDE),
               model.CLIP_MULTI_SCALE_WINDOWS)  # fmt: skip
    parts += [one for one, plain in zip(options, ("none", "mean", "window", "1d"), strict=True) if one != plain]
    return "_".join(parts)


def with_arm(config: Config, name: str) -> Config:
    """The config with the multi-scale options of an arm of `ARMS`; its other keys stay.

    Raises:
        InputError: an unknown arm.
    """
    if name not in ARMS:
        raise InputError("No such arm.", where=name, next_step=f"Choose among: {', '.join(ARMS)}.")
    plain = {one.name: one.default for one in fields(ModelConfig) if "MULTI_SCALE" in one.name}
    kept = ("CLIP_MULTI_SCALE_SCALES", "CLIP_MULTI_SCALE_PROJECTED_DIM")
    plain |= {key: getattr(config.MODEL, key) for key in kept}
    return replace(config, MODEL=replace(config.MODEL, **{**plain, **ARMS[name]}))


def read_config(path: Path, overrides: Sequence[str] = ()) -> Config:
    """A YAML file, then overrides `MODEL.SIE_COE=3.0`; what neither gives keeps its default.

    Raises:
        InputError: no such file, no YAML, an unknown key, a value of the wrong kind, `MAMBA: True`; the key is named.
    """
    try:
        given = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(
            f"The configuration cannot be read: {error.strerror}.",
            where=str(path),
            next_step="Configurations lie in experiments/configs/.",
        ) from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise InputError(f"This is no YAML: {error}", where=str(path), next_step="Mend the line it names.") from None
    if not isinstance(given, dict):
        raise InputError("A configuration is a mapping of sections.", where=str(path), next_step="Begin with MODEL:.")
    for text in overrides:
        key, equals, value = text.partition("=")
        section, _, name = key.partition(".")
        if not equals:
            raise InputError("An override is KEY=VALUE.", where=text, next_step="For example SOLVER.BASE_LR=1e-3.")
        try:
            parsed = yaml.safe_load(value)
        except yaml.YAMLError:
            raise InputError("The value is no YAML.", where=text, next_step="For example KEY=[4, 8, 16].") from None
        if name:
            inner = given.setdefault(section, {})
            given[section] = {**(inner if isinstance(inner, dict) else {}), name: parsed}
        else:
            given[section] = parsed
    return parse_config(given, str(path))


def parse_config(given: Mapping[str, Any], where: str) -> Config:
    """A nested mapping → the config. Raises as `read_config` does."""
    config = _section(Config, given, where, "")
    _check(config, where)
    return config


# --- checking -------------------------------------------------------------------------------------------------------

_CHOICES: dict[str, tuple[Any, ...]] = {
    "MODEL.DIRECT": (0, 1),
    "MODEL.CLIP_MULTI_SCALE_PLAN": (1, 2),
    "MODEL.CLIP_MULTI_SCALE_ACTIVATION": ("none", "relu", "gelu"),
    "MODEL.CLIP_MULTI_SCALE_POOL": ("mean", "max"),
    "MODEL.CLIP_MULTI_SCALE_WINDOWS": ("1d", "2d"),
    "SOLVER.PRECISION": ("32-true", "bf16-mixed", "16-mixed"),
}
_AT_LEAST: dict[str, float] = {
    "MODEL.ID_LOSS_WEIGHT": 0, "MODEL.TRIPLET_LOSS_WEIGHT": 0, "MODEL.LABEL_SMOOTHING": 0, "MODEL.LAST_BLOCKS": 0,
    "MODEL.CLIP_MULTI_SCALE_PROJECTED_DIM": 1, "MODEL.STRIDE_SIZE": 1, "INPUT.SIZE": 1, "INPUT.PIXEL_STD": 1e-6,
    "INPUT.FLIP_PROB": 0, "INPUT.PADDING": 0, "INPUT.RE_PROB": 0, "DATASETS.VAL_IDS": 1, "DATALOADER.NUM_INSTANCE": 2,
    "SOLVER.SEED": 0, "SOLVER.MAX_EPOCHS": 1, "SOLVER.IMS_PER_BATCH": 4, "SOLVER.BASE_LR": 0, "SOLVER.WEIGHT_DECAY": 0,
    "SOLVER.WARMUP_EPOCHS": 0, "SOLVER.EVAL_PERIOD": 1, "TEST.IMS_PER_BATCH": 1,
}  # fmt: skip
_AT_MOST: dict[str, float] = {"MODEL.LABEL_SMOOTHING": 0.99, "INPUT.FLIP_PROB": 1, "INPUT.RE_PROB": 1}


def _check(config: Config, where: str) -> None:
    if config.MODEL.MAMBA:
        raise InputError(
            "The Mamba aggregation (AAM) is not implemented.",
            where=f"{where}: MODEL.MAMBA",
            next_step="Set MODEL.MAMBA: False; the features are then the modalities' class tokens side by side.",
        )
    values = config.flat()
    for key, choices in _CHOICES.items():
        if values[key] not in choices:
            shown = ", ".join(map(str, choices))
            raise InputError(f"Not a choice: {values[key]!r}.", where=f"{where}: {key}", next_step=f"One of: {shown}.")
    for bounds, wrong, word in ((_AT_LEAST, float.__lt__, "at least"), (_AT_MOST, float.__gt__, "at most")):
        for key, bound in bounds.items():
            numbers = values[key] if isinstance(values[key], tuple) else (values[key],)
            if any(wrong(float(number), float(bound)) for number in numbers):
                raise InputError(
                    f"{values[key]} is out of range.", where=f"{where}: {key}", next_step=f"Give {word} {bound:g}."
                )
    batch, instances = config.SOLVER.IMS_PER_BATCH, config.DATALOADER.NUM_INSTANCE
    if batch % instances or batch // instances < 2:
        raise InputError(
            f"A batch of {batch} is not made of at least two identities with {instances} triples each.",
            where=f"{where}: SOLVER.IMS_PER_BATCH",
            next_step="Give a multiple of DATALOADER.NUM_INSTANCE.",
        )


def _section(kind: Any, given: Any, where: str, prefix: str) -> Any:
    if not isinstance(given, Mapping):
        raise InputError(
            "This section is a mapping of keys.",
            where=f"{where}: {prefix.rstrip('.')}",
            next_step="See experiments/configs/reid.yaml.",
        )
    hints = get_type_hints(kind)
    known = [one.name for one in fields(kind)]
    values = {}
    for key, value in given.items():
        if key not in known:
            close = difflib.get_close_matches(str(key), known, n=1)
            hint = f"Did you mean {prefix}{close[0]}?" if close else f"Known here: {', '.join(known)}."
            raise InputError("Unknown key.", where=f"{where}: {prefix}{key}", next_step=hint)
        hint = hints[key]
        inner = isinstance(hint, type) and issubclass(hint, (ModelConfig, InputConfig, DatasetsConfig,
                                                             DataloaderConfig, SolverConfig, TestConfig))  # fmt: skip
        values[key] = (
            _section(hint, value, where, f"{key}.") if inner else _value(hint, value, f"{where}: {prefix}{key}")
        )
    return kind(**values)


def _value(hint: Any, value: Any, where: str) -> Any:
    """A YAML value as the type of its key; a number is never a switch and a switch never a number."""
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    whole = isinstance(value, int) and not isinstance(value, bool)
    shown = getattr(hint, "__name__", str(hint))
    fits = {
        bool: isinstance(value, bool),
        int: whole,
        str: isinstance(value, str),
        str | int: whole or isinstance(value, str),
    }
    if fits.get(hint):
        return value
    if hint is float and (number or isinstance(value, str)):
        try:
            value_float = float(value)  # YAML reads 1e-3 as a text
        except ValueError:
            value_float = math.nan
        if math.isfinite(value_float):
            return value_float
    if str(hint).startswith("tuple") and isinstance(value, (list, tuple)):
        parts = hint.__args__
        if parts[-1] is Ellipsis:  # scales: numbers or pairs
            return tuple(
                _value(tuple[int, int] if isinstance(one, (list, tuple)) else int, one, where) for one in value
            )
        if len(value) == len(parts):
            return tuple(_value(part, one, where) for part, one in zip(parts, value, strict=True))
        shown = f"{len(parts)} numbers"
    kinds = {"bool": "True or False", "int": "a whole number", "float": "a number", "str": "a text"}
    raise InputError(f"Not {kinds.get(shown, shown)}: {value!r}.", where=where, next_step="See experiments/configs/.")
