"""The passport of stored vectors: what made them, precisely enough to tell whether others may be compared with them.

A difference in identity (`identity`) or normalisation refuses; another library version, dtype or device only warns,
and then the canaries decide: a few synthetic images whose vectors are stored with the file and computed again.
No torch at import.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib import metadata
from typing import TYPE_CHECKING, Any

import numpy as np

from ..messages import Message, english
from .encoder import Encoder
from .identity import identity
from .words import Says

if TYPE_CHECKING:
    import torch

FORMAT = 1

# Libraries whose version can change a vector, by family; all families share the first three.
_SHARED_LIBRARIES = ("torch", "torchvision", "pillow")
_FAMILY_LIBRARIES = {
    "openai_clip": ("open_clip_torch",),
    "open_clip": ("open_clip_torch", "timm"),
    "torchvision": (),
    "efficientnet_lite": ("efficientnet-lite-pytorch",),
}

# Least cosine between a stored canary and the same one now. fp32 differs by rounding alone; sixteen bits were measured
# at 0.997 and above on trained weights (EfficientNet-Lite0 in bf16).
MIN_COSINE_FP32 = 0.9999
MIN_COSINE_16_BIT = 0.99

CanaryVectors = list[list[float]]
_THEN = ", then "


@dataclass(frozen=True)
class Comparison:
    """What differs between two passports.

    Attributes:
        refused: differences that make vectors incomparable; empty if they may be compared.
        warnings: differences that may change the last digits.
    """

    refused: tuple[Message, ...]
    warnings: tuple[Message, ...]


def model_passport(encoder: Encoder) -> dict[str, Any]:
    """What one encoder is, as plain JSON values."""
    spec = encoder.spec
    parts = identity(encoder)
    mode = "reference" if _dtype(encoder) == "float32" else "fast"
    return {
        "model_id": spec.id,
        **parts,
        "dim": encoder.dim,
        "dtype": _dtype(encoder),
        "device": encoder.device.type,
        "preprocessing": {**parts["preprocessing"], "mode": mode},
        "libraries": _versions((*_SHARED_LIBRARIES, *_FAMILY_LIBRARIES[spec.family])),
    }


def merged_passport(passports: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The passport of one member whose rows were computed in several ways, because it had to move during the run.

    Args:
        passports: `model_passport` of the same model each time, in the order of use; at least one.

    What differs (device, dtype, preprocessing mode) is joined, `float16, then float32`, so that nobody who compares
    takes the rows for those of one dtype.
    """
    merged = dict(passports[0])
    for passport in passports[1:]:
        for key, value in passport.items():
            before = merged[key]
            if isinstance(value, Mapping):
                merged[key] = merged_passport([before, value])
            elif isinstance(before, str) and value not in before.split(_THEN):
                merged[key] = f"{before}{_THEN}{value}"
    return merged


def table_passport(
    member_passports: Sequence[Mapping[str, Any]],
    normalize: bool,
    canaries: Sequence[CanaryVectors] = (),
) -> dict[str, Any]:
    """The passport of a table of vectors.

    Args:
        member_passports: one `model_passport` for each member, in the order of concatenation.
        normalize: whether each member's features were L2-normalised before they were concatenated.
        canaries: `canary_vectors` of each member, in the same order.
    """
    return {
        "format": FORMAT,
        "normalize": normalize,
        "members": [dict(passport) for passport in member_passports],
        "canaries": [[list(vector) for vector in vectors] for vectors in canaries],
    }


def canary_images() -> tuple[np.ndarray, ...]:
    """Three uint8 `rgb_HWC`: ramps behind a lattice, a board with a disc, noise; three shapes, to try resize and crop.

    Integer arithmetic only, hence the same everywhere.
    """
    return _ramps(180, 240), _board(300, 260), _noise(97, 131)


def canary_vectors(encoder: Encoder, encode: Callable[[torch.Tensor], np.ndarray] | None = None) -> CanaryVectors:
    """The raw features of the canary images, five significant digits.

    `encode`: how to run the encoder, pixels → `features_BD`, where memory may be short (`BatchRunner.encode`).
    """
    import torch

    pixels = torch.stack([encoder.preprocess(image) for image in canary_images()])
    features_BD = encode(pixels) if encode else encoder.encode_images(pixels).cpu().numpy()
    return [[float(f"{value:.5g}") for value in row] for row in features_BD.tolist()]


def compare(stored: Mapping[str, Any], current: Mapping[str, Any]) -> Comparison:
    """Compares the passport in a file with the one that the same models would give now. Never raises.

    Either may lack canaries; then they decide nothing.
    """
    refused: list[Message] = []
    warnings: list[Message] = []
    if stored.get("format") != FORMAT:
        return Comparison((Says.passport_format(found=stored.get("format"), known=FORMAT),), ())
    if stored.get("normalize") != current.get("normalize"):
        refused.append(Says.normalize_changed(before=stored.get("normalize"), now=current.get("normalize")))
    stored_members, current_members = _members(stored), _members(current)
    stored_ids = [member.get("model_id") for member in stored_members]
    current_ids = [member.get("model_id") for member in current_members]
    if stored_ids != current_ids:
        refused.append(Says.models_changed(before=_joined(stored_ids), now=_joined(current_ids)))
        return Comparison(tuple(refused), ())
    for before, now in zip(stored_members, current_members, strict=True):
        _compare_member(before, now, refused, warnings)
    _compare_canaries(stored, current, stored_members, current_members, refused)
    return Comparison(tuple(refused), tuple(warnings))


# --- comparing ------------------------------------------------------------------------------------------------------


def _compare_member(
    before: Mapping[str, Any], now: Mapping[str, Any], refused: list[Message], warnings: list[Message]
) -> None:
    name = now.get("model_id")
    for key, says in (
        ("weights_sha256", Says.weights_changed),
        ("architecture", Says.architecture_changed),
        ("dim", Says.dim_changed),
    ):
        if before.get(key) != now.get(key):
            refused.append(says(model=name, before=_short(before.get(key)), now=_short(now.get(key))))
    image_before, image_now = _mapping(before.get("preprocessing")), _mapping(now.get("preprocessing"))
    for key in sorted({*image_before, *image_now} - {"mode"}):
        if image_before.get(key) != image_now.get(key):
            refused.append(
                Says.preprocessing_changed(model=name, key=key, before=image_before.get(key), now=image_now.get(key))
            )
    _compare_parts(before, now, refused, warnings)
    # the mode follows the dtype, and both move vectors by less than a cosine of 0.01
    for says, was, is_now in (
        (Says.dtype_changed, before.get("dtype"), now.get("dtype")),
        (Says.mode_changed, image_before.get("mode"), image_now.get("mode")),
        (Says.device_changed, before.get("device"), now.get("device")),
    ):
        if was != is_now:
            warnings.append(says(model=name, before=was, now=is_now))
    versions_before, versions_now = _mapping(before.get("libraries")), _mapping(now.get("libraries"))
    for library in sorted({*versions_before, *versions_now}):
        was, is_now = versions_before.get(library), versions_now.get(library)
        if was != is_now:
            warnings.append(Says.library_changed(model=name, library=library, before=was, now=is_now))


def _compare_parts(
    before: Mapping[str, Any], now: Mapping[str, Any], refused: list[Message], warnings: list[Message]
) -> None:
    """The parts of an identity that files of version 0.1 lack."""
    name = now.get("model_id")
    for part in ("switches", "tokenizer", "alpha"):
        if part not in before:
            warnings.append(Says.not_recorded(model=name, part=part))
            continue
        was_part, is_part = _flat(before[part], part), _flat(now.get(part), part)
        for key in sorted({*was_part, *is_part}):
            if was_part.get(key) != is_part.get(key):
                refused.append(
                    Says.part_changed(
                        model=name, part=key, before=_short(was_part.get(key)), now=_short(is_part.get(key))
                    )
                )


def _flat(value: Any, name: str) -> dict[str, Any]:
    """The leaves of nested mappings, by the names that lead to them: `switches.vision_cfg.layers`."""
    if not isinstance(value, Mapping) or not value:
        return {name: value}
    leaves: dict[str, Any] = {}
    for key, part in value.items():
        leaves |= _flat(part, f"{name}.{key}")
    return leaves


def _compare_canaries(
    stored: Mapping[str, Any],
    current: Mapping[str, Any],
    stored_members: list[Mapping[str, Any]],
    current_members: list[Mapping[str, Any]],
    refused: list[Message],
) -> None:
    before, now = stored.get("canaries") or [], current.get("canaries") or []
    if not before or not now:
        return
    if not isinstance(before, list) or not isinstance(now, list):
        refused.append(Says.canaries_not_list())
        return
    if len(before) != len(stored_members) or len(now) != len(current_members):
        refused.append(Says.canaries_missing())
        return
    for member_before, member_now, vectors_before, vectors_now in zip(
        stored_members, current_members, before, now, strict=True
    ):
        cosine = _least_cosine(vectors_before, vectors_now)
        precise = member_before.get("dtype") == member_now.get("dtype") == "float32"
        least = MIN_COSINE_FP32 if precise else MIN_COSINE_16_BIT
        if not cosine >= least:  # a NaN refuses too
            refused.append(Says.canaries_differ(model=member_now.get("model_id"), cosine=cosine, least=least))


def _least_cosine(vectors_before: Any, vectors_now: Any) -> float:
    try:
        before_BD, now_BD = np.asarray(vectors_before, dtype=np.float64), np.asarray(vectors_now, dtype=np.float64)
    except (TypeError, ValueError):
        return float("nan")
    if before_BD.shape != now_BD.shape or before_BD.ndim != 2 or not before_BD.size:
        return float("nan")
    norms_B = np.linalg.norm(before_BD, axis=1) * np.linalg.norm(now_BD, axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        return float(np.min((before_BD * now_BD).sum(axis=1) / norms_B))


def _members(passport: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    members = passport.get("members")
    return [_mapping(member) for member in members] if isinstance(members, list) else []


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _joined(ids: list[Any]) -> Message:
    return english(", ".join(map(str, ids))) if ids else Says.no_models()


def _short(value: Any) -> str:
    text = str(value)
    return text[:12] + "…" if len(text) > 40 else text


def _dtype(encoder: Encoder) -> str:
    return str(encoder.dtype).removeprefix("torch.")


def _versions(packages: Sequence[str]) -> dict[str, str]:
    versions = {}
    for package in packages:
        try:
            versions[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            versions[package] = "not installed"
    return versions


# --- canaries -------------------------------------------------------------------------------------------------------


def _ramps(height_px: int, width_px: int) -> np.ndarray:
    rows, columns = np.mgrid[0:height_px, 0:width_px]
    red = columns * 255 // (width_px - 1)
    green = rows * 255 // (height_px - 1)
    blue = (rows + columns) * 255 // (height_px + width_px - 2)
    ramps = np.stack([red, green, blue], axis=-1)
    lattice = (rows // 10 % 3 == 0) | (columns // 14 % 3 == 0)  # bare ramps excite too little for sixteen bits
    return np.where(lattice[..., None], 255 - ramps, ramps).astype(np.uint8)


def _board(height_px: int, width_px: int) -> np.ndarray:
    rows, columns = np.mgrid[0:height_px, 0:width_px]
    light = (rows // 32 + columns // 32) % 2 == 0
    image = np.where(light[..., None], np.array([225, 215, 190]), np.array([40, 70, 45]))
    inside = (rows - height_px // 2) ** 2 + (columns - width_px // 2) ** 2 < (width_px // 3) ** 2
    return np.where(inside[..., None], np.array([210, 45, 35]), image).astype(np.uint8)


def _noise(height_px: int, width_px: int) -> np.ndarray:
    """Numerical Recipes' linear congruential generator, started anew at every value's own index."""
    state: np.ndarray = np.arange(height_px * width_px * 3, dtype=np.uint32)
    for _ in range(3):
        state = state * np.uint32(1664525) + np.uint32(1013904223)
        state ^= state >> np.uint32(13)
    return (state >> np.uint32(24)).astype(np.uint8).reshape(height_px, width_px, 3)
