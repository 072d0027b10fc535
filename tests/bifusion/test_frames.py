"""Frame folders: what is written is read again, and everything that can be wrong with a file is said by name."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from core.errors import InputError
from experiments.bifusion.frames import (
    Frame,
    FrameProblem,
    Scene,
    read_classes,
    read_scene,
    read_split,
    write_scene,
    write_scenes,
)
from experiments.bifusion.rooms import CLASSES


@pytest.fixture
def folder(rooms: list[Scene], tmp_path: Path) -> Path:
    write_scene(tmp_path / "kitchen", rooms[0])
    return tmp_path / "kitchen"


def test_what_is_written_is_read_again(rooms: list[Scene], folder: Path):
    read = read_scene(folder, CLASSES)
    assert read.skipped == () and len(read.frames) == len(rooms[0].frames)
    for mine, theirs in zip(rooms[0].frames, read.frames, strict=True):
        for field in fields(Frame):
            ours, other = getattr(mine, field.name), getattr(theirs, field.name)
            if field.name == "name":
                assert ours == other
            else:
                np.testing.assert_allclose(ours, other, rtol=0, atol=1e-6, err_msg=field.name)


def test_depth_is_in_millimetres_on_disk(rooms: list[Scene], folder: Path):
    stored = np.asarray(Image.open(folder / "depth" / "0.png"))
    assert stored.dtype == np.uint16
    np.testing.assert_array_equal(stored, np.round(rooms[0].frames[0].depth_HW_m * 1000))


def test_frames_come_in_the_order_of_their_numbers(rooms: list[Scene], tmp_path: Path):
    names = ["2", "10", "1"]
    frames = tuple(replace(frame, name=name) for frame, name in zip(rooms[0].frames, names, strict=True))
    write_scene(tmp_path / "a", Scene("a", frames))
    assert [frame.name for frame in read_scene(tmp_path / "a", CLASSES).frames] == ["1", "2", "10"]


def test_a_four_by_four_of_intrinsics_is_read_as_scannet_writes_it(folder: Path):
    whole = np.eye(4)
    whole[:3, :3] = np.loadtxt(folder / "intrinsic.txt")
    np.savetxt(folder / "intrinsic.txt", whole)
    np.testing.assert_allclose(read_scene(folder, CLASSES).frames[0].color_intrinsics_33, whole[:3, :3])


def test_depth_of_another_size_gets_intrinsics_by_the_half_pixel_rule(rooms: list[Scene], folder: Path):
    frame = rooms[0].frames[0]
    for name in "012":
        large = Image.fromarray(frame.rgb_HWC).resize((80, 60))
        large.save(folder / "color" / f"{name}.png")
    intrinsics = np.array([[60.0, 0, 39.5], [0, 60.0, 29.5], [0, 0, 1]])
    np.savetxt(folder / "intrinsic.txt", intrinsics)
    read = read_scene(folder, CLASSES).frames[0]
    np.testing.assert_allclose(read.depth_intrinsics_33, [[30, 0, 19.5], [0, 30, 14.5], [0, 0, 1]])
    np.testing.assert_allclose(read.color_intrinsics_33, intrinsics)


def test_depth_of_other_proportions_needs_its_own_intrinsics(rooms: list[Scene], folder: Path):
    for name in "012":
        Image.fromarray(rooms[0].frames[0].rgb_HWC).resize((81, 50)).save(folder / "color" / f"{name}.png")
    with pytest.raises(FrameProblem, match=r"intrinsic_depth\.txt"):
        read_scene(folder, CLASSES)
    np.savetxt(folder / "intrinsic_depth.txt", [[31.0, 0, 19.5], [0, 31.0, 14.5], [0, 0, 1]])
    assert read_scene(folder, CLASSES).frames[0].depth_intrinsics_33[0, 0] == 31.0


# -------------------------------------------------------------------------------------------------- what can be wrong


def lose_pose(folder: Path) -> None:
    np.savetxt(folder / "pose" / "1.txt", np.full((4, 4), -np.inf))


def scale_pose(folder: Path) -> None:
    np.savetxt(folder / "pose" / "1.txt", np.diag([2.0, 2.0, 2.0, 1.0]))


def mirror_pose(folder: Path) -> None:
    np.savetxt(folder / "pose" / "1.txt", np.diag([-1.0, 1.0, 1.0, 1.0]))


def shorten_pose(folder: Path) -> None:
    (folder / "pose" / "1.txt").write_text("1 0 0\n0 1 0\n")


def empty_depth(folder: Path) -> None:
    Image.fromarray(np.zeros((30, 40), np.uint16)).save(folder / "depth" / "1.png")


def strange_label(folder: Path) -> None:
    labels = np.asarray(Image.open(folder / "label" / "1.png")).copy()
    labels[3, 4] = 77
    Image.fromarray(labels).save(folder / "label" / "1.png")


def no_labels(folder: Path) -> None:
    Image.fromarray(np.zeros((30, 40), np.uint16)).save(folder / "label" / "1.png")


def small_label(folder: Path) -> None:
    Image.fromarray(np.ones((15, 20), np.uint16)).save(folder / "label" / "1.png")


def coloured_depth(folder: Path) -> None:
    Image.fromarray(np.zeros((30, 40, 3), np.uint8)).save(folder / "depth" / "1.png")


def torn_colour(folder: Path) -> None:
    data = (folder / "color" / "1.png").read_bytes()
    (folder / "color" / "1.png").write_bytes(data[: len(data) // 2])


def remove(kind: str, suffix: str) -> Callable[[Path], None]:
    def spoil(folder: Path) -> None:
        (folder / kind / f"1.{suffix}").unlink()

    spoil.__name__ = f"no_{kind}"
    return spoil


PROBLEMS = [
    (lose_pose, "pose/1.txt", "not finite", "pose"),
    (scale_pose, "pose/1.txt", "no rotation", "pose"),
    (mirror_pose, "pose/1.txt", "mirrors", "pose"),
    (shorten_pose, "pose/1.txt", "4 rows of 4", "pose"),
    (empty_depth, "depth/1.png", "empty", "depth"),
    (strange_label, "label/1.png", "Unknown label 77", "label"),
    (no_labels, "label/1.png", "no labelled point", "label"),
    (small_label, "label/1.png", "its depth image", "size"),
    (coloured_depth, "depth/1.png", "one channel", "unreadable"),
    (torn_colour, "color/1.png", "cannot be read", "unreadable"),
    (remove("color", "png"), "color/1.jpg", "lacks its file", "missing"),
    (remove("depth", "png"), "depth/1.png", "lacks its file", "missing"),
    (remove("pose", "txt"), "pose/1.txt", "cannot be read", "missing"),
    (remove("label", "png"), "label/1.png", "lacks its file", "missing"),
    (remove("instance", "png"), "instance/1.png", "lacks its file", "missing"),
]


@pytest.mark.parametrize(("spoil", "file", "words", "kind"), PROBLEMS, ids=[row[0].__name__ for row in PROBLEMS])
def test_a_bad_frame_is_refused_by_the_name_of_its_file_or_skipped_and_counted(
    folder: Path, spoil: Callable[[Path], None], file: str, words: str, kind: str
):
    spoil(folder)
    with pytest.raises(FrameProblem, match=words) as caught:
        read_scene(folder, CLASSES)
    assert caught.value.where == str(folder / file)
    assert caught.value.next_step
    scene = read_scene(folder, CLASSES, bad_frames="skip")
    assert [frame.name for frame in scene.frames] == ["0", "2"]
    (reject,) = scene.skipped
    assert (reject.id, reject.code) == ("kitchen/1", kind) and words in reject.reason


def test_objects_may_be_missing_where_nothing_asks_for_them(folder: Path):
    (folder / "instance" / "1.png").unlink()
    frames = read_scene(folder, CLASSES, instances=False).frames
    assert not frames[1].instance_HW.any() and frames[0].instance_HW.any()
    assert frames[1].instance_HW.shape == frames[1].label_HW.shape


def test_what_concerns_the_whole_scene_is_refused_in_either_case(folder: Path):
    with pytest.raises(InputError, match="no such scene"):
        read_scene(folder / "none", CLASSES, bad_frames="skip")
    (folder / "intrinsic.txt").write_text("0 0 0\n0 0 0\n0 0 1\n")
    with pytest.raises(InputError, match="positive focal"):
        read_scene(folder, CLASSES, bad_frames="skip")
    (folder / "intrinsic.txt").unlink()
    with pytest.raises(InputError, match=r"intrinsics cannot be read"):
        read_scene(folder, CLASSES, bad_frames="skip")


def test_a_scene_of_bad_frames_only_is_refused_with_the_first_reason(folder: Path):
    for name in "012":
        np.savetxt(folder / "pose" / f"{name}.txt", np.full((4, 4), np.nan))
    with pytest.raises(InputError, match=r"no usable frame.*not finite"):
        read_scene(folder, CLASSES, bad_frames="skip")


def test_splits_are_read_and_kept_apart(rooms: list[Scene], tmp_path: Path):
    write_scenes(tmp_path, CLASSES, {"train": rooms[:1], "val": rooms[1:2], "test": rooms[2:]})
    assert read_classes(tmp_path) == CLASSES
    assert [scene.name for scene in read_split(tmp_path, "val", CLASSES)] == [rooms[1].name]
    (tmp_path / "test.txt").write_text(f"{rooms[0].name}\n")
    with pytest.raises(InputError, match=f"both train and test: {rooms[0].name}"):
        read_split(tmp_path, "train", CLASSES)
    (tmp_path / "val.txt").write_text("../elsewhere\n")
    with pytest.raises(InputError, match="folder beside the list"):
        read_split(tmp_path, "val", CLASSES)
    shutil.rmtree(tmp_path / rooms[0].name)
    (tmp_path / "val.txt").write_text(f"{rooms[0].name}x\n")
    with pytest.raises(InputError, match="no such scene"):
        read_split(tmp_path, "val", CLASSES)


@pytest.mark.parametrize("text", ["", "wall\n", "1 wall\n1 floor\n", "0 nothing\n", "x wall\n", "1\n"])
def test_a_list_of_classes_that_says_nothing_clear_is_refused(tmp_path: Path, text: str):
    (tmp_path / "classes.txt").write_text(text)
    with pytest.raises(InputError, match="class"):
        read_classes(tmp_path)
