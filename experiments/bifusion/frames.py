"""RGB-D frames on disk, in ScanNet's manner, read with an error for everything that can be wrong with them.

ROOT/classes.txt                   a class a line: `1 wall`; 0 means unlabelled and need not be listed
ROOT/{train,val,test}.txt          names of the scenes of each part, one a line
ROOT/SCENE/intrinsic.txt           3 × 3 or 4 × 4, of the colour images (cx = 319.5 is the middle of 640 columns)
ROOT/SCENE/intrinsic_depth.txt     of the depth images, only needed if their proportions differ from the colour's
ROOT/SCENE/color/N.jpg (or .png)   ROOT/SCENE/depth/N.png   16 bits, millimetres, 0: not measured
ROOT/SCENE/pose/N.txt              4 × 4, camera → world
ROOT/SCENE/label/N.png             class of each depth pixel      instance/N.png   object of each, 0: none
                                   (not needed where `instance_weight` is 0)
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from PIL import Image

from core.errors import InputError
from core.messages import english
from core.types import Reject

SPLITS = ("train", "val", "test")
LAYOUT = "See how frames lie: experiments/bifusion/frames.py"
_COLOUR_SUFFIXES = (".jpg", ".jpeg", ".png")


@dataclass(frozen=True)
class Frame:
    """One view of a scene.

    Attributes:
        name: unique in its scene.
        rgb_HWC: uint8.
        depth_HW_m: float32 metres, 0 where nothing was measured; may be of another size than the colour.
        label_HW: class of each depth pixel, 0 unlabelled.
        instance_HW: object of each depth pixel, one number for the whole scene, 0 none.
        color_intrinsics_33, depth_intrinsics_33: pixel centres at whole numbers.
        camera_to_world_44: the pose.
    """

    name: str
    rgb_HWC: np.ndarray
    depth_HW_m: np.ndarray
    label_HW: np.ndarray
    instance_HW: np.ndarray
    color_intrinsics_33: np.ndarray
    depth_intrinsics_33: np.ndarray
    camera_to_world_44: np.ndarray


@dataclass(frozen=True)
class Scene:
    """Frames that share one world. `skipped`: frames left out, and why."""

    name: str
    frames: tuple[Frame, ...]
    skipped: tuple[Reject, ...] = ()


def read_classes(root: Path) -> dict[int, str]:
    """Class names by number, from `classes.txt`.

    Raises:
        InputError: missing or malformed; the line is named.
    """
    classes: dict[int, str] = {}
    for number, line in enumerate(_text(root / "classes.txt", "The list of classes").splitlines(), start=1):
        if not line.strip():
            continue
        word, _, name = line.strip().partition(" ")
        if not word.isdigit() or not name.strip() or int(word) in classes or not 0 < int(word) < 2**16:
            raise InputError(
                f"Not a class: {line.strip()!r}.",
                where=f"{root / 'classes.txt'}, line {number}",
                next_step="Write a number from 1 and a name, each number once: 1 wall",
            )
        classes[int(word)] = name.strip()
    if not classes:
        raise InputError(
            "There are no classes.", where=str(root / "classes.txt"), next_step="Write a class a line: 1 wall"
        )
    return classes


def read_split(
    root: Path, split: str, classes: Mapping[int, str], bad_frames: str = "refuse", *, instances: bool = True
) -> tuple[Scene, ...]:
    """The scenes of one part. The other arguments: see `read_scene`.

    Raises:
        InputError: the list is missing or empty, or a scene is in two parts, or a scene cannot be read.
    """
    names = {part: _names(root / f"{part}.txt") for part in SPLITS}
    for other in SPLITS:
        shared = set(names[split]) & set(names[other]) if other != split else set()
        if shared:
            raise InputError(
                f"Scenes are in both {split} and {other}: {', '.join(sorted(shared)[:5])}.",
                where=str(root),
                next_step="A scene belongs to one part, or the test is no test.",
            )
    return tuple(read_scene(root / name, classes, bad_frames=bad_frames, instances=instances) for name in names[split])


def read_scene(
    folder: Path, classes: Mapping[int, str], *, bad_frames: str = "refuse", instances: bool = True
) -> Scene:
    """All frames of a scene, in the order of their numbers.

    Args:
        classes: the class numbers that may occur beside 0.
        bad_frames: `refuse`: the first frame with something wrong is an error. `skip`: it is left out and listed in
            `Scene.skipped` (poses that were lost are common in ScanNet).
        instances: False: a frame without an image of its objects has none.

    Raises:
        InputError: a file is missing, an image cannot be read or has another size, a pose is not finite, no rigid
            motion or a mirror, depth is empty, a label is unknown; the file is named.
    """
    if bad_frames not in ("refuse", "skip"):
        raise InputError("bad_frames is refuse or skip.", where=bad_frames, next_step="--bad_frames refuse")
    if not folder.is_dir():
        raise InputError("There is no such scene.", where=str(folder), next_step="Check the lists of scenes.")
    color_intrinsics = _matrix(folder / "intrinsic.txt", (3, 3), "intrinsics")
    depth_file = folder / "intrinsic_depth.txt"
    depth_intrinsics = _matrix(depth_file, (3, 3), "intrinsics") if depth_file.is_file() else None
    colours = {path.stem: path for path in sorted((folder / "color").glob("*")) if path.suffix in _COLOUR_SUFFIXES}
    depths = {path.stem: path for path in sorted((folder / "depth").glob("*.png"))}
    frames, skipped = [], []
    for name in sorted({*colours, *depths}, key=lambda stem: (len(stem), stem)):
        try:
            for kind, found in (("color", colours), ("depth", depths)):
                if name not in found:
                    suffix = "jpg" if kind == "color" else "png"
                    raise _problem("A frame lacks its file.", folder / kind / f"{name}.{suffix}", "missing")
            intrinsics = color_intrinsics, depth_intrinsics
            frames.append(_frame(folder, name, colours[name], depths[name], *intrinsics, classes, instances))
        except FrameProblem as problem:
            if bad_frames == "refuse":
                raise
            skipped.append(Reject(f"{folder.name}/{name}", problem.kind, english(problem)))
    if not frames:
        raise InputError(
            "The scene has no usable frame.",
            where=str(folder),
            next_step=skipped[0].reason if skipped else "Put colour images into color/ and depth into depth/.",
        )
    return Scene(folder.name, tuple(frames), tuple(skipped))


def write_scenes(root: Path, classes: Mapping[int, str], splits: Mapping[str, Sequence[Scene]]) -> None:
    """Writes scenes in the layout above; colour as PNG, so that nothing is lost."""
    root.mkdir(parents=True, exist_ok=True)
    (root / "classes.txt").write_text("".join(f"{number} {name}\n" for number, name in classes.items()), "utf-8")
    for split in SPLITS:
        scenes = splits.get(split, ())
        (root / f"{split}.txt").write_text("".join(f"{scene.name}\n" for scene in scenes), "utf-8")
        for scene in scenes:
            write_scene(root / scene.name, scene)


def write_scene(folder: Path, scene: Scene) -> None:
    """Writes one scene. All its frames must share their intrinsics, as files say them once."""
    first = scene.frames[0]
    for frame in scene.frames:
        if not (
            np.array_equal(frame.color_intrinsics_33, first.color_intrinsics_33)
            and np.array_equal(frame.depth_intrinsics_33, first.depth_intrinsics_33)
        ):
            raise InputError(
                "The frames of a scene have different intrinsics.",
                where=f"{scene.name}/{frame.name}",
                next_step="Make a scene of each camera.",
            )
    for kind in ("color", "depth", "pose", "label", "instance"):
        (folder / kind).mkdir(parents=True, exist_ok=True)
    np.savetxt(folder / "intrinsic.txt", first.color_intrinsics_33, "%.17g")
    if not np.array_equal(first.depth_intrinsics_33, first.color_intrinsics_33):
        np.savetxt(folder / "intrinsic_depth.txt", first.depth_intrinsics_33, "%.17g")
    for frame in scene.frames:
        Image.fromarray(frame.rgb_HWC).save(folder / "color" / f"{frame.name}.png")
        millimetres = np.round(frame.depth_HW_m * 1000).astype(np.uint16)
        for kind, image in (("depth", millimetres), ("label", frame.label_HW), ("instance", frame.instance_HW)):
            Image.fromarray(image.astype(np.uint16)).save(folder / kind / f"{frame.name}.png")
        np.savetxt(folder / "pose" / f"{frame.name}.txt", frame.camera_to_world_44, "%.17g")


# --------------------------------------------------------------------------------------------------------------- frames


class FrameProblem(InputError):
    """One frame cannot be used. `kind`: `missing | unreadable | size | pose | depth | label`."""

    code = "frame"
    kind = "unreadable"


def _problem(what: str, where: Path | str, kind: str, next_step: str = "") -> FrameProblem:
    problem = FrameProblem(
        what, where=str(where), next_step=next_step or "Mend or remove the frame, or give --bad_frames skip."
    )
    problem.kind = kind
    return problem


def _frame(
    folder: Path,
    name: str,
    color_file: Path,
    depth_file: Path,
    color_intrinsics_33: np.ndarray,
    depth_intrinsics_33: np.ndarray | None,
    classes: Mapping[int, str],
    instances: bool,
) -> Frame:
    pose = _pose(folder / "pose" / f"{name}.txt")
    rgb_HWC = np.asarray(_open(color_file).convert("RGB"))
    depth_HW = _sixteen_bits(depth_file)
    if not depth_HW.any():
        raise _problem("The depth image is empty: nothing was measured.", depth_file, "depth")
    label_file, instance_file = folder / "label" / f"{name}.png", folder / "instance" / f"{name}.png"
    label_HW = _sixteen_bits(label_file)
    there = instances or instance_file.is_file()
    instance_HW = _sixteen_bits(instance_file) if there else np.zeros_like(depth_HW)
    for file, image in ((label_file, label_HW), (instance_file, instance_HW)):
        if image.shape != depth_HW.shape:
            raise _problem(f"The image is {image.shape}, its depth image {depth_HW.shape}.", file, "size")
    unknown = sorted({int(number) for number in np.unique(label_HW)} - {0, *classes})
    if unknown:
        raise _problem(
            f"Unknown label {unknown[0]}{f' and {len(unknown) - 1} others' if unknown[1:] else ''}.",
            label_file,
            "label",
            "Add it to classes.txt, or map it to a class or to 0.",
        )
    if not (label_HW[depth_HW > 0] > 0).any():
        raise _problem("The frame has no labelled point.", label_file, "label")
    if depth_intrinsics_33 is None:
        depth_intrinsics_33 = _rescaled(color_intrinsics_33, rgb_HWC.shape[:2], depth_HW.shape, depth_file)
    return Frame(
        name=name,
        rgb_HWC=rgb_HWC,
        depth_HW_m=depth_HW.astype(np.float32) / 1000,
        label_HW=label_HW,
        instance_HW=instance_HW,
        color_intrinsics_33=color_intrinsics_33,
        depth_intrinsics_33=depth_intrinsics_33,
        camera_to_world_44=pose,
    )


def _rescaled(intrinsics_33: np.ndarray, from_hw: Sequence[int], to_hw: Sequence[int], depth_file: Path) -> np.ndarray:
    """The colour's intrinsics at the depth's size, by the half-pixel rule, if the proportions allow it."""
    if tuple(from_hw) == tuple(to_hw):
        return intrinsics_33
    scale_v, scale_u = to_hw[0] / from_hw[0], to_hw[1] / from_hw[1]
    if abs(scale_v / scale_u - 1) > 0.002:
        raise _problem(
            f"Depth is {tuple(to_hw)} and colour {tuple(from_hw)}: one is not the other, resized.",
            depth_file,
            "size",
            "Give the depth camera's own intrinsics in intrinsic_depth.txt.",
        )
    scale = np.array([[scale_u, 0, 0.5 * scale_u - 0.5], [0, scale_v, 0.5 * scale_v - 0.5], [0, 0, 1]])
    return scale @ intrinsics_33


def _pose(path: Path) -> np.ndarray:
    pose = _matrix(path, (4, 4), "pose")
    if not np.isfinite(pose).all():
        raise _problem("The pose is not finite: the camera was lost here.", path, "pose")
    if not np.allclose(pose[:3, :3] @ pose[:3, :3].T, np.eye(3), atol=1e-2) or not np.allclose(pose[3], [0, 0, 0, 1]):
        raise _problem("The pose is no rotation and translation.", path, "pose")
    if np.linalg.det(pose[:3, :3]) < 0:
        raise _problem("The pose mirrors the world: its axes are left-handed.", path, "pose")
    return pose


def _matrix(path: Path, shape: tuple[int, int], what: Literal["pose", "intrinsics"]) -> np.ndarray:
    """A matrix of numbers; a 4 × 4 holds the intrinsics in its first three rows and columns."""
    text = _text(path, f"The file of the {what}", frame=what == "pose")
    rows = [line.replace(",", " ").split() for line in text.splitlines() if line.strip()]
    try:
        matrix = np.array([[float(word) for word in row] for row in rows])
    except ValueError:
        matrix = np.zeros(0)
    if what == "intrinsics" and matrix.shape == (4, 4):
        matrix = matrix[:3, :3]
    good = matrix.shape == shape
    if what == "intrinsics" and good:
        good = bool(np.isfinite(matrix).all() and matrix[0, 0] > 0 and matrix[1, 1] > 0)
    if not good:
        message = f"The {what} must be {shape[0]} rows of {shape[1]} numbers" + (
            "." if what == "pose" else ", with positive focal lengths."
        )
        raise (
            _problem(message, path, "pose")
            if what == "pose"
            else InputError(message, where=str(path), next_step=LAYOUT)
        )
    return matrix


def _text(path: Path, what: str, *, frame: bool = False) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        message = f"{what} cannot be read: {getattr(error, 'strerror', None) or 'not a text'}."
        raise (
            _problem(message, path, "missing") if frame else InputError(message, where=str(path), next_step=LAYOUT)
        ) from None


def _names(path: Path) -> list[str]:
    names = [line.strip() for line in _text(path, "The list of scenes").splitlines() if line.strip()]
    if not names:
        raise InputError("The list of scenes is empty.", where=str(path), next_step="Write a scene's folder a line.")
    for name in names:
        if Path(name).name != name or name in (".", ".."):
            raise InputError(
                "A scene's name must be a folder beside the list.", where=f"{path}: {name!r}", next_step=LAYOUT
            )
    return names


def _open(path: Path) -> Image.Image:
    try:
        image = Image.open(path)
        image.load()
    except FileNotFoundError:
        raise _problem("A frame lacks its file.", path, "missing") from None
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise _problem(f"The image cannot be read: {error}.", path, "unreadable") from None
    return image


def _sixteen_bits(path: Path) -> np.ndarray:
    """A single-channel image as uint16. Raises `FrameProblem` for colour or for numbers that do not fit."""
    image = np.asarray(_open(path))
    if image.ndim != 2 or image.dtype == bool or image.min() < 0 or image.max() >= 2**16:
        raise _problem("The image must have one channel of whole numbers, at most 16 bits.", path, "unreadable")
    return image.astype(np.uint16)
