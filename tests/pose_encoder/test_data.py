"""Data of the pose experiment: generated heads, the two .mat sets in their layout, .npz and .csv, and bad folders."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
from scipy.io import loadmat, savemat

from core.errors import InputError
from core.pose.angles import geodesic_deg, guess_convention, rotation_matrices, to_viewer
from experiments.pose_encoder.data import Faces, PoseData, frontal_from_seen, generated, load_data
from experiments.pose_encoder.landmarks import LANDMARKS, MEAN_HEAD, MIRRORED, generate_heads
from tests.pose_encoder.folders import posed_px, write_300w_lp, write_aflw2000

SMALL = (12, 6, 6)


def poses(count: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).uniform(-1, 1, (count, 3)) * [85, 35, 35]


def all_faces(data: PoseData) -> Faces:
    return Faces.joined([data.train, data.val, data.test])


def normalised(points_NK2: np.ndarray, box_of: np.ndarray | None = None) -> np.ndarray:
    centred = points_NK2 - points_NK2.mean(axis=1, keepdims=True)
    box = np.ptp(centred if box_of is None else box_of, axis=1).prod(axis=1) ** 0.5
    return centred / box[:, None, None]


# ------------------------------------------------------------------ heads


def test_the_mean_head_is_a_face_in_ibug_order() -> None:
    assert MEAN_HEAD.shape == (LANDMARKS, 3)
    assert np.array_equal(MEAN_HEAD[MIRRORED] * [-1, 1, 1], MEAN_HEAD), "left is right mirrored"
    assert np.array_equal(MIRRORED[MIRRORED], np.arange(LANDMARKS))
    ear_left, ear_right, chin, nose = MEAN_HEAD[[0, 16, 8, 30]]
    assert ear_left[0] == -1 and ear_right[0] == 1, "iBUG begins at image left"
    assert chin[1] == MEAN_HEAD[:, 1].min() and nose[2] == MEAN_HEAD[:, 2].max()
    eyes, mouth = MEAN_HEAD[36:48, 1].mean(), MEAN_HEAD[48:, 1].mean()
    assert eyes > nose[1] > mouth > chin[1]
    assert MEAN_HEAD[36:42, 0].mean() < 0 < MEAN_HEAD[42:48, 0].mean()


def test_heads_differ_between_people_and_less_between_a_person_s_faces() -> None:
    heads = generate_heads(np.random.default_rng(0), 50, 2).reshape(50, 2, LANDMARKS, 3)
    between = np.linalg.norm(heads[:25, 0] - heads[25:, 0], axis=2).mean()
    within = np.linalg.norm(heads[:, 0] - heads[:, 1], axis=2).mean()
    assert 0.02 < within < 0.5 * between < 0.25
    assert (heads[..., 30, 2] > heads[..., 0, 2]).all(), "noses point forward"
    assert (heads[..., 37, 1] >= heads[..., 41, 1] - 0.1).all(), "upper lids lie over lower ones"


def test_generated_data_shares_no_person_and_repeats() -> None:
    data, again, other = generated(3, SMALL), generated(3, SMALL), generated(4, SMALL)
    assert [len(part) for part in (data.train, data.val, data.test)] == [48, 24, 24]
    people = [set(part.subjects) for part in (data.train, data.val, data.test)]
    assert not people[0] & people[1] and not people[0] & people[2] and not people[1] & people[2]
    assert data.fingerprint == again.fingerprint != other.fingerprint
    shapes = [np.round(part.front_NK2[0], 3).tobytes() for part in (data.train, data.val, data.test)]
    assert len(set(shapes)) == 3, "other heads in each split"


def test_generated_landmarks_show_their_pose() -> None:
    data = generated(0, (60, 1, 1)).train
    found = guess_convention(data.angles_deg_N3, data.seen_NK2 * [1, -1])
    assert found.convention == "viewer" and min(found.yaw, found.roll) > 0.8
    assert np.abs(data.angles_deg_N3).max(axis=0) == pytest.approx([90, 40, 40], abs=2)
    assert np.allclose(np.ptp(data.front_NK2, axis=1).prod(axis=1), 1, atol=0.1), "units of the frontal box"
    assert np.allclose(data.seen_NK2.mean(axis=1), 0, atol=1e-6)


# ------------------------------------------------------------------ AFLW2000-3D


def test_aflw2000_is_read_turned_back_and_split_by_picture(tmp_path: Path) -> None:
    angles = poses(40)
    heads = write_aflw2000(tmp_path / "AFLW2000", angles)
    data = load_data(tmp_path)
    assert data.name == "AFLW2000-3D" and not data.notices
    assert [len(part) for part in (data.train, data.val, data.test)] == [28, 6, 6]
    faces = all_faces(data)
    rows = np.array([int(name[-9:-4]) - 2 for name in faces.ids])
    assert sorted(rows) == list(range(40))
    assert np.allclose(faces.front_NK2, normalised(heads[rows][..., :2]), atol=1e-4), "the head as it was"
    expected = np.swapaxes(posed_px(angles)[1], 1, 2)[rows][..., :2] * [1, -1]
    assert np.allclose(faces.seen_NK2, normalised(expected, 90 * heads[rows][..., :2]), atol=1e-4)
    assert np.allclose(faces.angles_deg_N3, to_viewer(angles, "aflw")[rows], atol=1e-3), "by the matrix"
    assert np.allclose(faces.bin_yaw_deg_N, np.abs(angles[rows, 0]), atol=1e-3), "bins by AFLW's own yaw"


def test_extreme_angles_are_left_out_and_counted(tmp_path: Path) -> None:
    angles = poses(20)
    angles[3, 1], angles[5, 0] = 120.0, -99.5
    write_aflw2000(tmp_path, angles)
    data = load_data(tmp_path)
    assert len(all_faces(data)) == 18
    assert "2 of 20" in data.notices[0] and "99" in data.notices[0]
    write_aflw2000(tmp_path, np.full((20, 3), 120.0))
    with pytest.raises(InputError, match="Every face"):
        load_data(tmp_path)


def test_depth_that_grows_away_is_turned_round_and_said(tmp_path: Path) -> None:
    heads = write_aflw2000(tmp_path, poses(20))
    for path in tmp_path.glob("*.mat"):
        content = {key: value for key, value in loadmat(path).items() if not key.startswith("__")}
        content["pt3d_68"] = content["pt3d_68"] * np.array([[1], [1], [-1]])
        savemat(path, content)
    data = load_data(tmp_path)
    assert any("turned round" in notice for notice in data.notices)
    faces = all_faces(data)
    rows = np.array([int(name[-9:-4]) - 2 for name in faces.ids])
    assert np.allclose(faces.front_NK2, normalised(heads[rows][..., :2]), atol=1e-4)


def test_angles_of_another_convention_are_noticed(tmp_path: Path) -> None:
    angles = poses(40)
    _, points = posed_px(angles)
    np.savez(tmp_path / "mine.npz", angles_deg=angles, landmarks_px=np.swapaxes(points, 1, 2))
    assert any("look like aflw" in notice for notice in load_data(tmp_path).notices)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"Pose_Para": None}, "no Pose_Para"),
        ({"Pose_Para": np.array([[0.0, np.nan, 0]])}, "yaw is not a finite number"),
        ({"pt3d_68": None}, r"pt2d \(2, 21\)"),
        ({"pt3d_68": np.full((3, 68), np.nan)}, "not a finite number"),
        ({"pt3d_68": np.zeros((3, 68))}, "one line"),
    ],
)
def test_a_file_that_cannot_be_used_is_named(change: dict[str, np.ndarray | None], says: str, tmp_path: Path) -> None:
    write_aflw2000(tmp_path, poses(12))
    path = tmp_path / "image00007.mat"
    content = {key: value for key, value in loadmat(path).items() if not key.startswith("__")} | change
    savemat(path, {key: value for key, value in content.items() if value is not None})
    with pytest.raises(InputError, match=says) as caught:
        load_data(tmp_path)
    assert "image00007" in str(caught.value)


def test_a_damaged_mat_is_named(tmp_path: Path) -> None:
    write_aflw2000(tmp_path, poses(12))
    (tmp_path / "image00004.mat").write_bytes(b"MATLAB 5.0 MAT-file" + bytes(40))
    with pytest.raises(InputError, match="image00004"):
        load_data(tmp_path)


def test_damaged_landmarks_beside_300w_lp_are_named(tmp_path: Path) -> None:
    write_300w_lp(tmp_path, photos=16, turns=1)
    damaged = sorted((tmp_path / "landmarks" / "AFW").iterdir())[0]
    damaged.write_bytes(b"MATLAB 5.0 MAT-file" + bytes(40))
    with pytest.raises(InputError, match=damaged.name):
        load_data(tmp_path)


# ------------------------------------------------------------------ 300W-LP


def test_300w_lp_keeps_a_photo_s_turns_and_flips_together(tmp_path: Path) -> None:
    write_300w_lp(tmp_path / "300W_LP", photos=16, turns=3)
    data = load_data(tmp_path)
    assert data.name == "300W-LP"
    assert len(all_faces(data)) == 16 * 3 * 2
    parts = [set(part.subjects) for part in (data.train, data.val, data.test)]
    assert sum(len(part) for part in parts) == 16 and len(set.union(*parts)) == 16
    assert all(name.count("_") == 2 for name in set.union(*parts))


def test_300w_lp_prefers_the_landmarks_of_the_fitted_face(tmp_path: Path) -> None:
    write_300w_lp(tmp_path, photos=12, turns=1)
    stem = next((tmp_path / "landmarks" / "AFW").glob("*_pts.mat")).stem.removesuffix("_pts")
    savemat(
        tmp_path / "landmarks" / "AFW" / f"{stem}_pts.mat", {"pts_3d": np.random.default_rng(0).normal(size=(68, 2))}
    )
    faces = all_faces(load_data(tmp_path))
    plain, flip = (faces.seen_NK2[list(faces.ids).index(f"{place}/{stem}.mat")] for place in ("AFW", "AFW_Flip"))
    assert not np.allclose(plain, flip, atol=0.1), "the changed landmarks were read; its flip has pt2d"


def test_both_sets_give_the_usual_protocol(tmp_path: Path) -> None:
    write_300w_lp(tmp_path / "300W_LP", photos=20, turns=2)
    write_aflw2000(tmp_path / "AFLW2000-3D", poses(15))
    data = load_data(tmp_path)
    assert "tested on AFLW2000-3D" in data.name
    assert len(data.test) == 15 and {name.split("/")[0] for name in data.test.ids} == {"AFLW2000-3D"}
    assert [len(data.train), len(data.val)] == [72, 8]


def test_too_few_photos_to_validate_beside_the_usual_test_are_refused(tmp_path: Path) -> None:
    write_300w_lp(tmp_path / "300W_LP", photos=2, turns=2)
    write_aflw2000(tmp_path / "AFLW2000", poses(12))
    with pytest.raises(InputError, match="too few to train and to validate"):
        load_data(tmp_path)


def test_frontal_landmarks_without_depth_come_close() -> None:
    """300W-LP's case: much closer than the mean head itself up to 60°, and no worse near the profile."""
    data = generated(0, (100, 1, 1)).train
    rotations = rotation_matrices(data.angles_deg_N3)
    front = frontal_from_seen(data.seen_NK2.astype(float), rotations)
    error = np.linalg.norm(front - data.front_NK2, axis=2).mean(axis=1)
    mean_face = normalised(np.repeat(MEAN_HEAD[None, :, :2], len(data), axis=0))
    mean_error = np.linalg.norm(mean_face - data.front_NK2, axis=2).mean(axis=1)
    near = data.bin_yaw_deg_N < 60
    assert error[near].mean() < 0.65 * mean_error[near].mean()
    assert error[~near].mean() < mean_error[~near].mean()
    frontal = np.abs(data.angles_deg_N3).max(axis=1) < 8
    assert error[frontal].max() < 0.03


# ------------------------------------------------------------------ your own files


def write_csv(path: Path, angles: np.ndarray, points_NK2: np.ndarray, **more: list[str]) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        names = [f"{axis}{number}" for number in range(68) for axis in ("x", "y")]
        writer.writerow(["yaw", "pitch", "roll", *names, *more])
        for row, (angle, points) in enumerate(zip(angles, points_NK2, strict=True)):
            writer.writerow([*angle, *points.reshape(-1), *(values[row] for values in more.values())])


def test_npz_and_csv_of_the_same_faces_are_the_same_data(tmp_path: Path) -> None:
    angles = poses(20)
    points = np.swapaxes(posed_px(angles)[1], 1, 2)[..., :2]
    people = [f"p{row // 2}" for row in range(20)]
    (tmp_path / "a").mkdir(), (tmp_path / "b").mkdir()
    np.savez(tmp_path / "a" / "x.npz", angles_deg=angles, landmarks_px=points, subject=people, convention="aflw")
    write_csv(tmp_path / "b" / "x.csv", angles, points, subject=people, convention=["aflw"] * 20)
    one, other = load_data(tmp_path / "a"), load_data(tmp_path / "b" / "x.csv")
    assert one.notices == other.notices == ()
    by_row = [sorted(zip([name.split(":")[1] for name in faces.ids], faces.front_NK2[:, 0].tolist(), strict=True))
              for faces in (all_faces(one), all_faces(other))]  # fmt: skip
    assert by_row[0] == by_row[1]
    parts = [set(part.subjects) for part in (one.train, one.val, one.test)]
    assert sum(map(len, parts)) == 10, "a person's pictures stay together"


def test_a_split_of_your_own_is_kept_and_shared_people_are_said(tmp_path: Path) -> None:
    angles = poses(12)
    points = np.swapaxes(posed_px(angles)[1], 1, 2)
    split = ["train"] * 6 + ["val"] * 3 + ["test"] * 3
    people = [str(row) for row in range(11)] + ["0"]
    fields = {"angles_deg": angles, "landmarks_px": points, "convention": "aflw"}
    np.savez(tmp_path / "faces.npz", **fields, split=split, subject=people)
    data = load_data(tmp_path / "faces.npz")
    assert [len(data.train), len(data.val), len(data.test)] == [6, 3, 3]
    assert any("both train and test" in notice for notice in data.notices)
    np.savez(tmp_path / "faces.npz", **fields, split=["train"] * 11 + ["dev"])
    with pytest.raises(InputError, match="'dev'"):
        load_data(tmp_path)


def test_without_subjects_a_notice_says_what_was_assumed(tmp_path: Path) -> None:
    angles = poses(12)
    np.savez(
        tmp_path / "f.npz", angles_deg=angles, landmarks_px=np.swapaxes(posed_px(angles)[1], 1, 2), convention="aflw"
    )
    assert "person of its own" in load_data(tmp_path).notices[0]


def test_given_frontal_landmarks_are_used(tmp_path: Path) -> None:
    angles = poses(12)
    heads, points = posed_px(angles)
    frontal = heads[..., :2] * [90, -90] + 300
    np.savez(
        tmp_path / "f.npz", angles_deg=angles, landmarks_px=np.swapaxes(points, 1, 2)[..., :2], frontal_px=frontal,
        convention="aflw",
    )  # fmt: skip
    faces = all_faces(load_data(tmp_path))
    rows = np.array([int(name.split(":")[1]) for name in faces.ids])
    assert np.allclose(faces.front_NK2, normalised(heads[rows][..., :2]), atol=1e-5)


@pytest.mark.parametrize(
    ("cell", "says"), [("", "empty"), ("n/a", "'n/a' is no number"), ("nan", "not a finite number")]
)
def test_a_bad_cell_is_named_by_line_and_column(cell: str, says: str, tmp_path: Path) -> None:
    angles = poses(12)
    path = tmp_path / "f.csv"
    write_csv(path, angles, np.swapaxes(posed_px(angles)[1], 1, 2)[..., :2])
    lines = path.read_text().splitlines()
    fields = lines[4].split(",")
    fields[1] = cell
    path.write_text("\n".join([*lines[:4], ",".join(fields), *lines[5:]]))
    with pytest.raises(InputError, match=says) as caught:
        load_data(path)
    assert "pitch" in str(caught.value) and ("line 5" in str(caught.value) or "row 3" in str(caught.value))


def test_missing_columns_and_arrays_are_named(tmp_path: Path) -> None:
    (tmp_path / "f.csv").write_text("yaw,pitch,x0,y0\n1,2,3,4\n")
    with pytest.raises(InputError, match="roll, x1, y1, x2 and 131 more"):
        load_data(tmp_path)
    (tmp_path / "f.csv").unlink()
    np.savez(tmp_path / "f.npz", angles_deg=np.zeros((4, 3)), points=np.zeros((4, 68, 2)))
    with pytest.raises(InputError, match=r"landmarks_px.*points \(4, 68, 2\)"):
        load_data(tmp_path)
    (tmp_path / "f.npz").write_bytes(b"no zip")
    with pytest.raises(InputError, match="cannot be read"):
        load_data(tmp_path)


def test_a_csv_that_is_no_text_is_named(tmp_path: Path) -> None:
    (tmp_path / "f.csv").write_bytes(b"yaw,pitch,roll\n\xb3\xff\n")
    with pytest.raises(InputError, match=r"cannot be read.*f\.csv"):
        load_data(tmp_path)
    (tmp_path / "f.csv").unlink()
    (tmp_path / "f.csv").mkdir()
    with pytest.raises(InputError, match="No face data here"):
        load_data(tmp_path)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"landmarks_px": np.full((12, 68, 2), "x")}, "landmarks_px holds no numbers"),
        ({"subject": np.array("one person")}, "subject has the shape"),
        ({"frontal_px": np.zeros((12, 5, 2))}, r"frontal_px is \(12, 5, 2\)"),
        ({"frontal_px": np.full((12, 68, 2), np.nan)}, "frontal landmark is not a finite number"),
        ({"convention": np.array(["aflw"] * 11 + ["viewer"])}, "'aflw' and 'viewer'"),
    ],
)
def test_an_array_that_cannot_be_used_is_named(change: dict[str, np.ndarray], says: str, tmp_path: Path) -> None:
    angles = poses(12)
    points = np.swapaxes(posed_px(angles)[1], 1, 2)[..., :2]
    np.savez(tmp_path / "f.npz", **{"angles_deg": angles, "landmarks_px": points, "convention": "aflw", **change})
    with pytest.raises(InputError, match=says) as caught:
        load_data(tmp_path)
    assert "f.npz" in str(caught.value)


def test_a_person_of_two_files_is_one_person(tmp_path: Path) -> None:
    """Split by file, the same name would otherwise be trained on and tested without a word."""
    angles = poses(24)
    points = np.swapaxes(posed_px(angles)[1], 1, 2)[..., :2]
    people = np.array([f"p{row}" for row in range(12)] * 2)
    for name, rows in (("a", slice(0, 12)), ("b", slice(12, 24))):
        np.savez(
            tmp_path / f"{name}.npz", angles_deg=angles[rows], landmarks_px=points[rows], subject=people[rows],
            convention="aflw",
        )  # fmt: skip
    data = load_data(tmp_path)
    parts = [set(part.subjects) for part in (data.train, data.val, data.test)]
    assert set.union(*parts) == set(people) and sum(map(len, parts)) == 12


# ------------------------------------------------------------------ nothing there


def test_a_wrong_or_empty_folder_says_what_was_looked_for_and_found(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such folder"):
        load_data(tmp_path / "nowhere")
    with pytest.raises(InputError, match=r"AFLW2000-3D.*300W-LP.*empty"):
        load_data(tmp_path)
    for name in ("cat.jpg", "dog.jpg"):
        (tmp_path / name).write_bytes(b"")
    savemat(tmp_path / "other.mat", {"a": 1})
    with pytest.raises(InputError, match=r"cat\.jpg, dog\.jpg, other\.mat.*1 \.mat files are neither"):
        load_data(tmp_path)


def test_too_few_people_for_three_splits_are_refused(tmp_path: Path) -> None:
    write_aflw2000(tmp_path, poses(2))
    with pytest.raises(InputError, match=r"leave .* empty"):
        load_data(tmp_path)


def test_what_lies_beside_a_known_set_is_counted(tmp_path: Path) -> None:
    write_aflw2000(tmp_path, poses(12))
    savemat(tmp_path / "Model_Shape.mat", {"a": 1})
    (tmp_path / "notes.csv").write_text("a\n1\n")
    assert {notice.split(".")[0] for notice in load_data(tmp_path).notices} >= {"1 other "}
    assert len(load_data(tmp_path).notices) == 2


def test_rotations_of_a_read_face_are_those_it_was_made_with(tmp_path: Path) -> None:
    angles = poses(20)
    write_aflw2000(tmp_path, angles)
    faces = all_faces(load_data(tmp_path))
    from core.pose.angles import convention_rotations

    rows = np.array([int(name[-9:-4]) - 2 for name in faces.ids])
    turn = geodesic_deg(rotation_matrices(faces.angles_deg_N3), convention_rotations(angles[rows], "aflw"))
    assert turn.max() < 0.01
