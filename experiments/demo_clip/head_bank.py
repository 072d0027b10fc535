"""Rendered heads with known pose: a training bank and a held-out bank of other shapes under other light.

A bank is `heads/NAME.npy`, uint8 `[N, 64, 64, 4]` premultiplied RGBA, with `heads/NAME.npz`: `angles_deg` `[N, 3]`,
`expression` and `light` `[N]`, indices into `core.pose.text.EXPRESSIONS` and `LIGHTS`.

Held out means: face widths and light elevations from bands that the training bank never draws from.
"""

from __future__ import annotations

import multiprocessing
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from core.errors import InputError
from core.files import replacing
from core.pose.rendering import HeadLooks, render_heads
from core.pose.text import EXPRESSIONS, LIGHTS, PITCH_EDGES_DEG, ROLL_EDGE_DEG, YAW_EDGES_DEG

HEAD_PX = 64
YAW_RANGE_DEG, PITCH_RANGE_DEG, ROLL_RANGE_DEG = 90.0, 45.0, 45.0
WIDTHS, HELD_OUT_WIDTHS = (0.90, 1.12), (1.00, 1.04)
ELEVATIONS_DEG, HELD_OUT_ELEVATIONS_DEG = (-10.0, 75.0), (25.0, 40.0)
BANKS = {"train": (16_000, 11), "validation": (1_000, 12), "held_out": (3_000, 13)}  # heads, seed
FROM_ABOVE_DEG = (55.0, 80.0)  # elevations of the light that is called so; held-out light keeps its own band
CHUNK = 250

SKIN_RGB = (
    np.array([[255, 219, 190], [240, 194, 160], [224, 172, 130], [190, 135, 95], [141, 92, 60], [92, 58, 40]]) / 255
)
HAIR_RGB = (
    np.array(
        [[25, 20, 18], [62, 40, 25], [110, 70, 35], [190, 150, 85], [150, 60, 30], [150, 150, 155], [230, 228, 225]]
    )
    / 255
)
IRIS_RGB = np.array([[50, 35, 25], [70, 50, 30], [45, 75, 110], [55, 85, 55]]) / 255


@dataclass(frozen=True)
class HeadBank:
    """Rendered heads of one split, opened read-only."""

    pixels: np.ndarray
    angles_deg_N3: np.ndarray
    expression_N: np.ndarray
    light_N: np.ndarray

    @staticmethod
    def open(work_dir: Path, name: str) -> HeadBank:
        """Raises:
        InputError: the bank has not been rendered; the message names the command.
        """
        folder = work_dir / "heads"
        if not (folder / f"{name}.npz").is_file():
            raise InputError(
                "The rendered heads are not prepared.",
                where=str(folder / f"{name}.npz"),
                next_step=f"python -m experiments.train_demo_clip prepare --work_dir {work_dir}",
            )
        with np.load(folder / f"{name}.npz") as table:
            return HeadBank(
                np.load(folder / f"{name}.npy", mmap_mode="r"),
                table["angles_deg"],
                table["expression"],
                table["light"],
            )


def prepare(work_dir: Path, *, processes: int = 2) -> None:
    """Renders the banks that are absent (about 14 ms a head on one core)."""
    folder = work_dir / "heads"
    folder.mkdir(parents=True, exist_ok=True)
    for name, (count, seed) in BANKS.items():
        if (folder / f"{name}.npz").is_file():
            continue
        jobs = [(min(CHUNK, count - start), (seed, start), name == "held_out") for start in range(0, count, CHUNK)]
        with multiprocessing.get_context("spawn").Pool(processes) as pool:
            parts = pool.starmap(_render_chunk, jobs, chunksize=1)
        np.save(folder / f"{name}.npy", np.concatenate([part[0] for part in parts]))
        with replacing(folder / f"{name}.npz") as (draft,):
            np.savez(
                draft,
                angles_deg=np.concatenate([part[1] for part in parts]),
                expression=np.concatenate([part[2] for part in parts]),
                light=np.concatenate([part[3] for part in parts]),
            )
        print(f"heads {name}: {count}", flush=True)


def _render_chunk(
    count: int, seed: tuple[int, int], held_out: bool
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    looks, expression_N, light_N = draw_looks(rng, count, held_out=held_out)
    angles = draw_angles(rng, count, near_edges=0.0 if held_out else 0.3)
    return render_heads(looks, angles, size_px=HEAD_PX), angles, expression_N, light_N


def draw_angles(rng: np.random.Generator, count: int, *, near_edges: float) -> np.ndarray:
    """Uniform poses `[N, 3]` in degrees, yaw ±90, pitch and roll ±45.

    Args:
        near_edges: the part of the rows in which one angle is moved to within 6° of an edge of the caption table.
    """
    ranges = np.array([YAW_RANGE_DEG, PITCH_RANGE_DEG, ROLL_RANGE_DEG])
    angles = rng.uniform(-ranges, ranges, (count, 3))
    edges = (YAW_EDGES_DEG, PITCH_EDGES_DEG, (-ROLL_EDGE_DEG, ROLL_EDGE_DEG))
    for row in np.flatnonzero(rng.random(count) < near_edges):
        axis = rng.integers(3)
        angles[row, axis] = rng.choice(edges[axis]) + rng.uniform(-6, 6)
    return angles


def draw_looks(rng: np.random.Generator, count: int, *, held_out: bool) -> tuple[HeadLooks, np.ndarray, np.ndarray]:
    """Random heads, with their expression and light as indices into `EXPRESSIONS` and `LIGHTS`."""

    def around_one(spread: float) -> np.ndarray:
        return rng.uniform(1 - spread, 1 + spread, count)

    def one_of(colours: np.ndarray, spread: float) -> np.ndarray:
        return np.clip(colours[rng.integers(len(colours), size=count)] + rng.normal(0, spread, (count, 3)), 0.02, 1)

    expression_N = rng.integers(len(EXPRESSIONS), size=count)
    expression = np.array(EXPRESSIONS)[expression_N]
    smile = rng.uniform(-0.2, 0.2, count) + (expression == "smiling") * 1.0 - (expression == "sad") * 1.0
    mouth_open = np.where(expression == "surprised", 0.8, np.where(expression == "mouth open", 1.0, 0.0))
    eyes_open = np.where(expression == "eyes closed", 0.0, np.where(expression == "surprised", 1.35, 1.0))
    brow_lift = np.where(expression == "surprised", 0.09, np.where(expression == "sad", 0.03, 0.0))

    light_N = rng.integers(len(LIGHTS), size=count)
    light = np.array(LIGHTS)[light_N]
    elevation_deg = _band(rng, count, ELEVATIONS_DEG, HELD_OUT_ELEVATIONS_DEG, held_out)
    azimuth_deg = rng.uniform(-25, 25, count)
    azimuth_deg += np.where(light == "light from the left", -60, np.where(light == "light from the right", 60, 0))
    if not held_out:  # held-out light keeps its band of elevations whatever its name says
        elevation_deg = np.where(light == "light from above", rng.uniform(*FROM_ABOVE_DEG, count), elevation_deg)
    elevation, azimuth = np.deg2rad(elevation_deg), np.deg2rad(azimuth_deg)
    towards_light = np.stack(
        [np.cos(elevation) * np.sin(azimuth), np.sin(elevation), np.cos(elevation) * np.cos(azimuth)], axis=1
    )
    looks = HeadLooks(
        width=_band(rng, count, WIDTHS, HELD_OUT_WIDTHS, held_out),
        jaw=around_one(0.10),
        nose=around_one(0.20),
        ears=around_one(0.20),
        eye_gap=around_one(0.08),
        hair_volume=rng.uniform(0.97, 1.12, count),
        hair_length=np.where(rng.random(count) < 0.5, rng.uniform(0, 0.2, count), rng.uniform(0.2, 1, count)),
        smile=smile,
        mouth_open=mouth_open * around_one(0.2),
        eyes_open=eyes_open,
        brow_lift=brow_lift + rng.uniform(-0.02, 0.02, count),
        skin_rgb=one_of(SKIN_RGB, 0.02),
        hair_rgb=one_of(HAIR_RGB, 0.03),
        shirt_rgb=rng.uniform(0.05, 0.95, (count, 3)),
        iris_rgb=one_of(IRIS_RGB, 0.02),
        lip_rgb=np.clip(np.array([0.70, 0.33, 0.33]) + rng.normal(0, 0.06, (count, 3)), 0, 1),
        light=towards_light,
        ambient=np.where(light == "dim light", 0.25, rng.uniform(0.4, 0.6, count)),
        extent=rng.uniform(1.15, 1.4, count),
        offset=rng.uniform(-0.1, 0.1, (count, 2)),
    )
    dim = np.where(light == "dim light", 0.55, 1.0)[:, None]
    colours = {
        name: getattr(looks, name) * dim for name in ("skin_rgb", "hair_rgb", "shirt_rgb", "iris_rgb", "lip_rgb")
    }
    values = {**vars(looks), **colours}
    return HeadLooks(**{name: value.astype(np.float32) for name, value in values.items()}), expression_N, light_N


def _band(
    rng: np.random.Generator, count: int, whole: tuple[float, float], reserved: tuple[float, float], held_out: bool
) -> np.ndarray:
    """Uniform over the reserved band if `held_out`, else uniform over the rest of the range."""
    if held_out:
        return rng.uniform(*reserved, count)
    values = rng.uniform(whole[0], whole[1] - (reserved[1] - reserved[0]), count)
    return np.where(values < reserved[0], values, values + (reserved[1] - reserved[0]))
