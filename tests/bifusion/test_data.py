"""Rooms and batches: labels lie where they should, samples are reproducible, points meet their own pixels."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from core.errors import InputError
from core.fusion.projection import project, sample_features
from core.models.encoder import Encoder
from core.models.spec import Preprocessing
from experiments.bifusion.data import FrameBank, _depth_of_colour, prepare_rooms
from experiments.bifusion.frames import Frame, Scene, read_classes, read_split
from experiments.bifusion.model import semantic_loss
from experiments.bifusion.rooms import CLASSES, generate_room

BY_NAME = {name: number for number, name in CLASSES.items()}


@pytest.fixture(scope="module")
def bank(rooms: list[Scene], encoder: Encoder) -> FrameBank:
    return FrameBank(rooms, CLASSES, encoder)


def world_points(scene: Scene) -> tuple[np.ndarray, np.ndarray]:
    """Every pixel's world coordinates by the longhand formula, and its label."""
    places, labels = [], []
    for frame in scene.frames:
        k, pose = frame.depth_intrinsics_33, frame.camera_to_world_44
        for v in range(frame.depth_HW_m.shape[0]):
            for u in range(frame.depth_HW_m.shape[1]):
                z = float(frame.depth_HW_m[v, u])
                local = np.array([(u - k[0, 2]) / k[0, 0] * z, (v - k[1, 2]) / k[1, 1] * z, z, 1.0])
                places.append((pose @ local)[:3])
                labels.append(int(frame.label_HW[v, u]))
    return np.array(places), np.array(labels)


def test_a_room_stands_on_its_floor_and_its_pictures_hang_on_its_walls(rooms: list[Scene]):
    for scene in rooms:
        places, labels = world_points(scene)
        assert np.abs(places[labels == BY_NAME["floor"], 2]).max() < 0.06  # depth noise at 5 m
        assert places[labels == BY_NAME["rug"], 2].max(initial=0) < 0.07
        for name in ("table", "bed", "sofa", "chair"):
            assert places[labels == BY_NAME[name], 2].max(initial=0) < 1.3
        low, high = places[:, :2].min(0), places[:, :2].max(0)
        on_wall = np.isin(labels, [BY_NAME["wall"], BY_NAME["window"], BY_NAME["picture"], BY_NAME["door"]])
        edge = np.minimum(np.abs(places[on_wall, :2] - low), np.abs(places[on_wall, :2] - high)).min(1)
        assert np.quantile(edge, 0.9) < 0.15


def test_rooms_follow_their_seed_and_differ(rooms: list[Scene]):
    again = generate_room(0, views=3, height_px=30, width_px=40)
    for mine, other in zip(rooms[0].frames, again.frames, strict=True):
        assert np.array_equal(mine.rgb_HWC, other.rgb_HWC) and np.array_equal(mine.depth_HW_m, other.depth_HW_m)
    assert not np.array_equal(rooms[0].frames[0].rgb_HWC, rooms[1].frames[0].rgb_HWC)
    assert len({int(label) for scene in rooms for frame in scene.frames for label in np.unique(frame.label_HW)}) >= 8


def test_generated_rooms_are_prepared_once_and_no_room_is_in_two_parts(tmp_path: Path):
    counts = {"train": 1, "val": 1, "test": 1}
    folder = prepare_rooms(tmp_path, counts)
    stamp = (folder / "classes.txt").stat().st_mtime_ns
    assert prepare_rooms(tmp_path, counts) == folder and (folder / "classes.txt").stat().st_mtime_ns == stamp
    assert [path.name for path in tmp_path.iterdir()] == [folder.name], "no drafts are left behind"
    classes = read_classes(folder)
    names = [scene.name for split in counts for scene in read_split(folder, split, classes)]
    assert len(set(names)) == 3


def test_a_batch_is_the_same_for_the_same_seed_whatever_else_is_in_it(bank: FrameBank):
    alone, among = bank.batch([4], 50, (1, 2)), bank.batch([0, 4], 50, (1, 2))
    for name in ("xyz_N3_m", "local_N3_m", "rgb_N3", "label_N", "offset_N3_m"):
        assert torch.equal(getattr(alone, name), getattr(among, name)[50:]), name
    assert not torch.equal(alone.xyz_N3_m, bank.batch([4], 50, (1, 3)).xyz_N3_m)
    assert among.batch_N.tolist() == [0] * 50 + [1] * 50


def test_the_points_of_a_frame_meet_their_own_colour_in_the_preprocessed_image(bank: FrameBank, encoder: Encoder):
    """The whole way: depth pixel → world → camera → resized and cropped pixel → sampled colour."""
    batch = bank.batch(list(range(len(bank))), 300, (5,))
    seen = project(batch.xyz_N3_m, batch.batch_N, batch.camera, occlusion_m=0.3)
    preprocessing = encoder.spec.preprocessing
    mean, std = (torch.tensor(values).view(1, 3, 1, 1) for values in (preprocessing.mean, preprocessing.std))
    images = (bank.pixels_FCHW * std + mean) * 2 - 1
    sampled = sample_features(images, seen.uv_N2_px, batch.batch_N, seen.valid_N, (32, 32))[seen.valid_N]
    error = (sampled - batch.rgb_N3[seen.valid_N]).abs().mean(1)
    shifted = sample_features(images, seen.uv_N2_px + 4, batch.batch_N, seen.valid_N, (32, 32))[seen.valid_N]
    error_shifted = (shifted - batch.rgb_N3[seen.valid_N]).abs().mean(1)
    assert error.median() < 0.06 and error.mean() < 0.6 * error_shifted.mean()
    shares = seen.shares()
    assert 0.3 < shares["visible"] < 0.9 and shares["outside"] > 0.02 and shares["occluded"] > 0.005, shares


def test_depth_of_another_size_than_the_colour_still_hides_points(rooms: list[Scene], encoder: Encoder):
    """As in ScanNet, whose colour images have more pixels than its depth: here each colour pixel is four."""

    def larger(frame: Frame) -> Frame:
        twice = np.array([[2, 0, 0.5], [0, 2, 0.5], [0, 0, 1.0]])  # centres move: u' = 2 (u + 1/2) - 1/2
        return replace(
            frame,
            rgb_HWC=frame.rgb_HWC.repeat(2, 0).repeat(2, 1),
            color_intrinsics_33=twice @ frame.color_intrinsics_33,
        )

    plain = FrameBank(rooms, CLASSES, encoder)
    fine = FrameBank(
        [Scene(scene.name, tuple(larger(frame) for frame in scene.frames)) for scene in rooms], CLASSES, encoder
    )
    shares = [
        project(batch.xyz_N3_m, batch.batch_N, batch.camera, occlusion_m=0.3).shares()
        for batch in (bank.batch(list(range(len(bank))), 300, (5,)) for bank in (plain, fine))
    ]
    assert shares[1] == pytest.approx(shares[0], abs=0.02) and shares[1]["occluded"] > 0.005


def test_depth_is_looked_up_along_the_line_of_sight_where_the_two_cameras_differ(encoder: Encoder):
    """ScanNet's scene0000: 1296 × 968 colour, 640 × 480 depth, focal lengths that no resizing reconciles.

    Each depth pixel holds its own column and row; each colour pixel must find those of its line of sight.
    """
    color = np.array([[1170.19, 0, 647.75], [0, 1170.19, 483.75], [0, 0, 1]])
    depth = np.array([[577.87, 0, 319.88], [0, 577.87, 239.60], [0, 0, 1]])
    columns, rows = np.meshgrid(np.arange(640), np.arange(480))
    nothing = np.zeros((480, 640), np.uint16)
    frame = Frame(
        name="0",
        rgb_HWC=np.zeros((968, 1296, 3), np.uint8),
        depth_HW_m=(1 + columns + 1000 * rows).astype(np.float32),
        label_HW=nothing + 1,
        instance_HW=nothing,
        color_intrinsics_33=color,
        depth_intrinsics_33=depth,
        camera_to_world_44=np.eye(4),
    )
    whole = Preprocessing(968, 968, "bicubic", (0.5,) * 3, (0.5,) * 3)  # a centre crop: nothing is resized
    found = _depth_of_colour(frame, whole).numpy().astype(int) - 1
    assert found.shape == (968, 968)
    for v, u in ((0, 0), (483, 483), (967, 100), (321, 800)):
        expected_column = 577.87 / 1170.19 * (u + 164 - 647.75) + 319.88
        expected_row = 577.87 / 1170.19 * (v - 483.75) + 239.60
        assert found[v, u] % 1000 == pytest.approx(expected_column, abs=0.5 + 1e-5)
        assert found[v, u] // 1000 == pytest.approx(expected_row, abs=0.5 + 1e-5)
    beyond = replace(frame, depth_intrinsics_33=depth + np.diag([300.0, 0, 0]))  # a narrower depth camera
    assert (_depth_of_colour(beyond, whole)[:, :10] == 0).all(), "where the depth camera does not look is not measured"


def test_points_without_a_label_are_given_to_the_network_all_the_same(rooms: list[Scene], encoder: Encoder):
    half = replace(rooms[0].frames[0], label_HW=np.where(np.arange(40) < 20, rooms[0].frames[0].label_HW, 0))
    batch = FrameBank([Scene("a", (half,))], CLASSES, encoder, instances=False).batch([0], 500, (1,))
    assert 0.2 < (batch.label_N == -1).float().mean() < 0.8
    logits = torch.randn(500, len(CLASSES), generator=torch.Generator().manual_seed(0))
    known = batch.label_N >= 0
    assert semantic_loss(logits, batch.label_N) == pytest.approx(
        float(torch.nn.functional.cross_entropy(logits[known], batch.label_N[known]))
    )
    assert semantic_loss(logits, torch.full_like(batch.label_N, -1)) == 0


def test_offsets_lead_to_the_middle_of_the_object(bank: FrameBank):
    batch = bank.batch([0, 1, 2], 400, (3,))
    middles = (batch.xyz_N3_m + batch.offset_N3_m)[batch.thing_N]
    assert 3 <= len(torch.unique((middles * 1000).round(), dim=0)) <= 20, "one middle for each object"
    assert not batch.offset_N3_m[~batch.thing_N].any()


def test_labels_are_indices_in_the_order_of_the_class_numbers(rooms: list[Scene], encoder: Encoder):
    renumbered = {number * 3: name for number, name in CLASSES.items()}
    scenes = [
        Scene(
            scene.name,
            tuple(replace(f, label_HW=(f.label_HW * 3).astype(np.uint16)) for f in scene.frames),
        )
        for scene in rooms
    ]
    mine, other = FrameBank(rooms, CLASSES, encoder), FrameBank(scenes, renumbered, encoder)
    assert torch.equal(mine.batch([0], 99, (0,)).label_N, other.batch([0], 99, (0,)).label_N)
    assert mine.class_names == other.class_names


def test_scenes_without_objects_or_labels_are_refused_by_name(rooms: list[Scene], encoder: Encoder):
    def blank(name: str) -> Scene:
        frames = tuple(replace(frame, **{name: np.zeros_like(frame.label_HW)}) for frame in rooms[0].frames)
        return Scene("hall", frames)

    with pytest.raises(InputError, match=r"no object.*hall"):
        FrameBank([blank("instance_HW")], CLASSES, encoder)
    FrameBank([blank("instance_HW")], CLASSES, encoder, instances=False)
