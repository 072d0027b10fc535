"""From scenes to batches: the points of a frame and of its neighbours, the frame's image and camera.

A sample is one frame. Its points are drawn from its own depth pixels and from those of other frames of the scene, so
some of them lie outside of the image, behind the camera, or behind something: they have no image feature.

    read_rooms ▶ Scene ▶ FrameBank (pixels and cameras as the model gets them, candidate points) ▶ batch
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch

from core.errors import InputError
from core.files import only_one, replacing
from core.fusion.projection import Camera, preprocess_depth, preprocess_intrinsics, unproject
from core.models.encoder import Encoder
from experiments.bifusion.frames import SPLITS, Scene, write_scenes
from experiments.bifusion.rooms import CLASSES, generate_room

ROOMS = {"train": 24, "val": 8, "test": 12}  # apart: no room is in two parts
OWN_SHARE = 0.6  # of the points come from the frame itself
_FORMAT = 1  # changes when generated rooms do


@dataclass(frozen=True)
class Batch:
    """B frames and all their points.

    Attributes:
        xyz_N3_m: world coordinates.
        local_N3_m: the same with the middle of each sample's points at x = y = 0: what the backbone is given.
        rgb_N3: colour of each point, −1..1.
        batch_N: the frame of each point.
        label_N: class index 0..K−1, −1 where unlabelled.
        offset_N3_m: from the point to the middle of its object.
        thing_N: whether it belongs to an object of a known class.
        frames_B: which frames of the bank.
        camera: of the preprocessed images.
    """

    xyz_N3_m: torch.Tensor
    local_N3_m: torch.Tensor
    rgb_N3: torch.Tensor
    batch_N: torch.Tensor
    label_N: torch.Tensor
    offset_N3_m: torch.Tensor
    thing_N: torch.Tensor
    frames_B: torch.Tensor
    camera: Camera

    def to(self, device: torch.device | str) -> Batch:
        """The same batch on another device."""
        moved = {
            name: value.to(device) if isinstance(value, (torch.Tensor, Camera)) else value
            for name, value in vars(self).items()
        }
        return replace(self, **moved)


def prepare_rooms(root: Path, rooms: dict[str, int] | None = None) -> Path:
    """Writes the generated rooms into a folder under `root`, in the layout of `frames.py`, unless they are there.

    Returns:
        the folder; its name follows from what is in it.
    """
    rooms = rooms or ROOMS
    name = "rooms-" + hashlib.sha256(json.dumps([_FORMAT, rooms], sort_keys=True).encode()).hexdigest()[:10]
    folder = root / name
    if folder.is_dir():
        return folder
    try:
        root.mkdir(parents=True, exist_ok=True)
        with only_one(folder):
            if not folder.is_dir():  # another process may have been quicker
                with replacing(folder) as (draft,):
                    write_scenes(draft, CLASSES, _generated(rooms))
    except OSError as error:
        raise InputError(
            f"The generated rooms cannot be written: {error.strerror}.",
            where=str(root),
            next_step="Give another --work_dir.",
        ) from None
    return folder


def _generated(rooms: dict[str, int]) -> dict[str, list[Scene]]:
    """Rooms numbered through all splits, so that none has another's."""
    splits: dict[str, list[Scene]] = {}
    first = 0
    for split in SPLITS:
        splits[split] = [generate_room(first + index) for index in range(rooms[split])]
        first += rooms[split]
    return splits


class FrameBank:
    """The frames of one part, ready to be drawn from.

    Args:
        scenes: as read.
        classes: class names by number; index k of a label is the k-th number in order.
        encoder: whose preprocessing the images get.
        instances: whether objects are needed; then each scene must have some.

    Attributes:
        pixels_FCHW: float32, preprocessed.
        skipped: frames left out by the reader.

    Raises:
        InputError: a scene without objects where they are needed; it is named.
    """

    def __init__(
        self, scenes: Sequence[Scene], classes: dict[int, str], encoder: Encoder, *, instances: bool = True
    ) -> None:
        self.class_names = [classes[number] for number in sorted(classes)]
        self.skipped = [reject for scene in scenes for reject in scene.skipped]
        index_of = np.full(2**16, -1, np.int64)
        index_of[sorted(classes)] = np.arange(len(classes))
        preprocessing = encoder.spec.preprocessing
        pixels, intrinsics, poses, depths = [], [], [], []
        self._points: list[_Candidates] = []
        self._scene_of: list[int] = []
        for number, scene in enumerate(scenes):
            candidates = [_candidates(frame, index_of) for frame in scene.frames]
            middles = _middles(candidates)
            if instances and not middles:
                raise InputError(
                    "The scene has no object: every pixel of its instance images is 0.",
                    where=scene.name,
                    next_step="Give instance images, or --set instance_weight=0.",
                )
            for frame, points in zip(scene.frames, candidates, strict=True):
                self._points.append(points.with_offsets(middles))
                self._scene_of.append(number)
                image_hw = (frame.rgb_HWC.shape[0], frame.rgb_HWC.shape[1])
                pixels.append(encoder.preprocess(frame.rgb_HWC).float())
                intrinsics.append(
                    preprocess_intrinsics(torch.from_numpy(frame.color_intrinsics_33), image_hw, preprocessing)
                )
                poses.append(torch.linalg.inv(torch.from_numpy(frame.camera_to_world_44)))
                depths.append(_depth_of_colour(frame, preprocessing))
        self.pixels_FCHW = torch.stack(pixels)
        self._intrinsics_F33 = torch.stack(intrinsics).float()
        self._poses_F44 = torch.stack(poses).float()
        self._depths_FHW = torch.stack(depths)
        self._neighbours = [
            [other for other, scene in enumerate(self._scene_of) if scene == mine and other != index]
            for index, mine in enumerate(self._scene_of)
        ]

    def __len__(self) -> int:
        return len(self._points)

    @cached_property
    def fingerprint(self) -> str:
        """Of every number in it."""
        digest = hashlib.sha256()
        for tensor in (self.pixels_FCHW, self._intrinsics_F33, self._poses_F44, self._depths_FHW):
            digest.update(np.ascontiguousarray(tensor.numpy()))
        for points in self._points:
            for name in _Candidates.FIELDS:
                digest.update(np.ascontiguousarray(getattr(points, name)))
        return digest.hexdigest()[:16]

    def batch(self, frames: Sequence[int], points_per_frame: int, seed: Sequence[int]) -> Batch:
        """These frames with points drawn anew.

        Args:
            points_per_frame: the same for each frame; drawn with replacement only where there are too few.
            seed: with the frame's number it decides which points, whatever else is in the batch.
        """
        drawn = [self._draw(frame, points_per_frame, seed) for frame in frames]
        joined = {name: np.concatenate([getattr(one, name) for one in drawn]) for name in _Candidates.FIELDS}
        local = np.concatenate([_centred(one.xyz_N3) for one in drawn])
        rows = torch.as_tensor(list(frames), dtype=torch.long)
        instance_N, label_N = torch.from_numpy(joined["instance_N"]), torch.from_numpy(joined["label_N"])
        return Batch(
            xyz_N3_m=torch.from_numpy(joined["xyz_N3"]),
            local_N3_m=torch.from_numpy(local),
            rgb_N3=torch.from_numpy(joined["rgb_N3"]),
            batch_N=torch.arange(len(rows)).repeat_interleave(points_per_frame),
            label_N=label_N,
            offset_N3_m=torch.from_numpy(joined["offset_N3"]),
            thing_N=(instance_N > 0) & (label_N >= 0),
            frames_B=rows,
            camera=Camera(
                self._intrinsics_F33[rows],
                self._poses_F44[rows],
                (self.pixels_FCHW.shape[2], self.pixels_FCHW.shape[3]),
                self._depths_FHW[rows],
            ),
        )

    def _draw(self, frame: int, count: int, seed: Sequence[int]) -> _Candidates:
        random = np.random.default_rng([*seed, frame])
        own = self._points[frame]
        neighbours = self._neighbours[frame]
        own_count = round(count * OWN_SHARE) if neighbours else count
        parts = [own.drawn(random, own_count)]
        if neighbours:
            shares = np.bincount(random.integers(len(neighbours), size=count - own_count), minlength=len(neighbours))
            for other, share in zip(neighbours, shares, strict=True):
                parts.append(self._points[other].drawn(random, int(share)))
        return _Candidates(*(np.concatenate([getattr(part, name) for part in parts]) for name in _Candidates.FIELDS))


# --------------------------------------------------------------------------------------------------------------- points


@dataclass(frozen=True)
class _Candidates:
    """Every measured depth pixel of a frame as a point; `label_N` is −1 where it has no label."""

    FIELDS = ("xyz_N3", "rgb_N3", "label_N", "instance_N", "offset_N3")
    xyz_N3: np.ndarray
    rgb_N3: np.ndarray
    label_N: np.ndarray
    instance_N: np.ndarray
    offset_N3: np.ndarray

    def drawn(self, random: np.random.Generator, count: int) -> _Candidates:
        total = len(self.xyz_N3)
        rows = random.choice(total, count, replace=count > total)
        return _Candidates(*(getattr(self, name)[rows] for name in self.FIELDS))

    def with_offsets(self, middles: dict[int, np.ndarray]) -> _Candidates:
        offsets = np.zeros_like(self.xyz_N3)
        for number, middle in middles.items():
            chosen = self.instance_N == number
            offsets[chosen] = middle - self.xyz_N3[chosen]
        return replace(self, offset_N3=offsets)


def _candidates(frame: Any, index_of: np.ndarray) -> _Candidates:
    rows, columns = np.nonzero(frame.depth_HW_m > 0)
    uv = torch.from_numpy(np.stack([columns, rows], 1).astype(np.float64))
    depth = torch.from_numpy(frame.depth_HW_m[rows, columns].astype(np.float64))
    pose = torch.from_numpy(frame.camera_to_world_44)
    xyz = unproject(uv, depth, torch.from_numpy(frame.depth_intrinsics_33), pose)
    u, v = _in_colour(frame, uv, depth).round().long().unbind(1)
    height, width = frame.rgb_HWC.shape[:2]
    rgb = frame.rgb_HWC[v.clamp(0, height - 1).numpy(), u.clamp(0, width - 1).numpy()]
    return _Candidates(
        xyz_N3=xyz.numpy().astype(np.float32),
        rgb_N3=(rgb.astype(np.float32) / 127.5 - 1),
        label_N=index_of[frame.label_HW[rows, columns]],
        instance_N=frame.instance_HW[rows, columns].astype(np.int64),
        offset_N3=np.zeros((len(rows), 3), np.float32),
    )


def _in_colour(frame: Any, uv_N2: torch.Tensor, depth_N: torch.Tensor) -> torch.Tensor:
    """Depth pixels → pixels of the colour image; both cameras look from one place."""
    local = unproject(uv_N2, depth_N, torch.from_numpy(frame.depth_intrinsics_33), torch.eye(4, dtype=torch.float64))
    seen = (local / local[:, 2:]) @ torch.from_numpy(frame.color_intrinsics_33).T
    return seen[:, :2]


def _depth_of_colour(frame: Any, preprocessing: Any) -> torch.Tensor:
    """Depth of each colour pixel, cut as the model's input is: the nearest depth pixel's on the same line of sight.

    Both cameras look from one place, as ScanNet's depth is registered; their intrinsics may differ. 0, not measured,
    where the depth image does not reach.
    """
    height, width = frame.rgb_HWC.shape[:2]
    rows, columns = frame.depth_HW_m.shape
    to_depth_33 = frame.depth_intrinsics_33 @ np.linalg.inv(frame.color_intrinsics_33)
    v, u = np.mgrid[0:height, 0:width].astype(np.float64)
    seen = np.stack([u, v, np.ones_like(u)], axis=2) @ to_depth_33.T
    column, row = (np.floor(seen[..., axis] / seen[..., 2] + 0.5 + 1e-6).astype(int) for axis in (0, 1))
    inside = (row >= 0) & (row < rows) & (column >= 0) & (column < columns)
    depth = frame.depth_HW_m[row.clip(0, rows - 1), column.clip(0, columns - 1)]
    return preprocess_depth(torch.from_numpy(np.where(inside, depth, np.float32(0))), preprocessing)


def _middles(candidates: Sequence[_Candidates]) -> dict[int, np.ndarray]:
    """The middle of what is seen of each object, over all frames of the scene."""
    instance_N = np.concatenate([one.instance_N for one in candidates])
    xyz_N3 = np.concatenate([one.xyz_N3 for one in candidates])
    return {int(number): xyz_N3[instance_N == number].mean(0) for number in np.unique(instance_N) if number > 0}


def _centred(xyz_N3: np.ndarray) -> np.ndarray:
    local = xyz_N3.copy()
    local[:, :2] -= (xyz_N3[:, :2].min(0) + xyz_N3[:, :2].max(0)) / 2
    return local
