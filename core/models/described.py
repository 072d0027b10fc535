"""Models that describe themselves, by an `open_clip_config.json` beside their weights: the built-in one, and those that
users put under `weights/custom/`. No torch is imported here.
"""

from __future__ import annotations

import hashlib
import json
import re
import struct
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

from ..messages import joined, reason_of
from .spec import CLIP_MEAN, CLIP_STD, HUB_FILES, OPEN_CLIP_CONFIG, Activation, ModelSpec, Preprocessing, advise
from .words import Says

VOCABULARY = 49408  # of open_clip's own tokenizer
CUSTOM_FOLDER = "custom"
CUSTOM_PREFIX = "custom_"
DEMO_MODEL = "demo_clip"  # the built-in one

DEMO = ModelSpec(
    id=DEMO_MODEL,
    family="open_clip",
    architecture=OPEN_CLIP_CONFIG,
    tag="demo",
    # Width, size and cost are read from the model's own configuration; see `specs`.
    dim=0,
    preprocessing=Preprocessing(0, 0, "bicubic", CLIP_MEAN, CLIP_STD),
    activation="gelu",
    params_m=0.0,
    gmacs=0.0,
    file_bytes=0,
    licence="MIT",
    folder="demo",
    files=(HUB_FILES[0],),
    has_text=True,
    advice=advise(
        "Small built-in model, trained on emoji and rendered heads; for photos fetch a real one.",
        "内置小模型，用表情符号和渲染头像训练；处理照片请下载真正的 CLIP。",
    ),
)


def demo_spec(weights_dir: Path) -> ModelSpec:
    """The built-in model, with the facts of its configuration where it is there."""
    folder = weights_dir / DEMO.folder
    return _from_config(DEMO, folder) if (folder / OPEN_CLIP_CONFIG).is_file() else DEMO


def custom_specs(weights_dir: Path) -> tuple[ModelSpec, ...]:
    """The checkpoints of `weights_dir/custom/`, by name. One that cannot be used has its `problem`."""
    root = weights_dir / CUSTOM_FOLDER
    if not root.is_dir():
        return ()
    folders = sorted(path for path in root.iterdir() if path.is_dir() and not path.name.startswith("."))
    return tuple(_custom_spec(folder) for folder in folders)


def _custom_spec(folder: Path) -> ModelSpec:
    safe_name = re.sub(r"[^A-Za-z0-9._-]", "_", folder.name)
    if safe_name != folder.name:  # cannot be used, but must not take the id of a folder that can
        safe_name += "-" + hashlib.sha256(folder.name.encode()).hexdigest()[:4]
    blank = replace(
        DEMO,
        id=CUSTOM_PREFIX + safe_name,
        tag="custom",
        licence="",
        folder=f"{CUSTOM_FOLDER}/{folder.name}",
        advice=Says.own_checkpoint(),
        custom=True,
    )
    if safe_name != folder.name:
        return replace(blank, problem=Says.rename_folder(folder=folder.name))
    weights = sorted(path.name for path in folder.glob("*.safetensors"))
    if HUB_FILES[0] in weights:
        weights = [HUB_FILES[0]]
    if len(weights) != 1:
        says = Says.several_safetensors if weights else Says.no_safetensors
        return replace(blank, problem=says(folder=blank.folder, name=HUB_FILES[0]))
    return _from_config(replace(blank, files=(weights[0],)), folder)


def _from_config(blank: ModelSpec, folder: Path) -> ModelSpec:
    """`blank` with the facts of the `open_clip_config.json` in `folder`, or with the problem it has."""
    path = folder / OPEN_CLIP_CONFIG
    where = f"{blank.folder}/{OPEN_CLIP_CONFIG}"
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
        return _facts(blank, config, folder / blank.files[0])
    except FileNotFoundError:
        return replace(blank, problem=Says.missing(path=where))
    except (OSError, ValueError) as error:  # ValueError: bad JSON, bad encoding, and `_facts` below
        return replace(blank, problem=Says.config_problem(path=where, problem=reason_of(error)))
    except (KeyError, TypeError, AttributeError, IndexError, ArithmeticError, RecursionError) as error:
        return replace(
            blank, problem=Says.not_open_clip_configuration(path=where, kind=type(error).__name__, error=error)
        )


def _facts(blank: ModelSpec, config: dict[str, Any], weights: Path) -> ModelSpec:
    model = config["model_cfg"]
    vision, text = model["vision_cfg"], model["text_cfg"]
    image = config.get("preprocess_cfg", {})
    size = vision.get("image_size", 224)
    height_px, width_px = (size, size) if isinstance(size, int) else size
    if height_px != width_px:
        raise ValueError(Says.not_square(height=height_px, width=width_px))
    if text.get("hf_model_name"):
        raise ValueError(Says.transformers_text())
    if "multimodal_cfg" in model:
        raise ValueError(Says.coca())
    resize_mode = image.get("resize_mode", "shortest")
    if resize_mode not in ("shortest", "squash"):
        raise ValueError(Says.resize_mode(mode=resize_mode))
    interpolation = image.get("interpolation", "bicubic")
    if interpolation not in ("bicubic", "bilinear"):
        raise ValueError(Says.interpolation(mode=interpolation))
    mean, std = _three(image.get("mean", CLIP_MEAN)), _three(image.get("std", CLIP_STD))
    residual = isinstance(vision.get("layers"), list)
    activation: Activation = "quickgelu" if model.get("quick_gelu") else "gelu"
    # other tokenizers have to be downloaded: such a model gives vectors of images only
    own_tokens = not text.get("hf_tokenizer_name") and text.get("vocab_size", VOCABULARY) == VOCABULARY
    return replace(
        blank,
        dim=int(model["embed_dim"]),
        preprocessing=Preprocessing(int(height_px), int(height_px), interpolation, mean, std, cast(Any, resize_mode)),
        activation="relu" if residual else activation,
        params_m=_parameters_m(weights),
        gmacs=_vit_gmacs(int(model["embed_dim"]), vision, int(height_px)),
        has_text=own_tokens,
        advice=blank.advice if own_tokens else joined(blank.advice, Says.images_only()),
    )


def _three(values: Any) -> tuple[float, float, float]:
    if isinstance(values, (int, float)):
        values = [values] * 3
    red, green, blue = (float(value) for value in values)
    return red, green, blue


def _parameters_m(weights: Path) -> float:
    """Millions of values in a `.safetensors` file, from its header alone; 0 while the file is not there."""
    if not weights.is_file():
        return 0.0
    with weights.open("rb") as file:
        start = file.read(8)
        length = struct.unpack("<Q", start)[0] if len(start) == 8 else 0
        if not 0 < length <= min(100_000_000, weights.stat().st_size - 8):
            raise ValueError(Says.no_safetensors_file(name=weights.name))
        header = json.loads(file.read(length))
    total = 0
    for name, entry in header.items():
        if name != "__metadata__":
            count = 1
            for extent in entry["shape"]:
                count *= int(extent)
            total += count
    return round(total / 1e6, 2)


def _vit_gmacs(dim: int, vision: dict[str, Any], image_px: int) -> float:
    """1e9 multiply-accumulates of open_clip's own vision transformer; 0 (unknown) for other towers.

    Per layer and token: 4 w² for the projections of attention, 2 · ratio · w² for the MLP, 2 · tokens · w for attention
    itself; before them the patch embedding, after them the projection of the pooled token.
    """
    if vision.get("timm_model_name") or isinstance(vision.get("layers", 12), list):
        return 0.0
    width, layers = int(vision.get("width", 768)), int(vision.get("layers", 12))
    patch, ratio = vision.get("patch_size", 16), float(vision.get("mlp_ratio", 4.0))
    patches = (image_px // int(patch)) ** 2
    tokens = patches + 1
    per_layer = tokens * (4 + 2 * ratio) * width**2 + 2 * tokens**2 * width
    return round((layers * per_layer + patches * 3 * int(patch) ** 2 * width + width * dim) / 1e9, 3)
