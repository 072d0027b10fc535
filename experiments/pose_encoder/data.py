"""Faces for the pose experiment: frontal landmarks and a pose in, the landmarks under that pose out.

`load_data` looks at what `--data_dir` holds:

    generated                   varied 3-D heads (`landmarks.py`); nothing on disk
    AFLW2000-3D                 folder of `image*.mat` with `Pose_Para` and `pt3d_68`
    300W-LP                     `AFW/ HELEN/ IBUG/ LFPW/` and their `_Flip`, `.mat` with `Pose_Para` and `pt2d`;
                                `landmarks/AFW/…_pts.mat` with `pts_3d` is used where it is there
    both of them under one      300W-LP trains and validates, AFLW2000-3D tests
    .npz or .csv                your own; the schema is below

**Units.** Landmarks are `[68, 2]`, x right, y up, around their own mean, in units of √(w·h) of the frontal landmarks'
box; so a face twice as near is the same face. Angles are degrees in the viewer's frame (`core.pose.angles`).

**Frontal landmarks of real faces.** With three coordinates (`pt3d_68`) the head is turned back by its pose and the
depth dropped. 300W-LP has only two: the missing depth is taken from the mean head, and the frontal landmarks are the
likeliest ones for what is seen (`frontal_from_seen`). Both come from the very landmarks that are to be predicted, as
there is no second picture of the person: figures on real data say which encoder does better, not how well a portrait
can be turned.

**Your own data.** `.npz`: arrays `angles_deg` `[N, 3]` (yaw, pitch, roll) and `landmarks_px` `[N, 68, 2]` (iBUG order,
y down) or `[N, 68, 3]` (z towards the viewer); optional `frontal_px` `[N, 68, 2]` (at the same scale), `subject` `[N]`,
`split` `[N]` (train, val or test) and `convention` (viewer, aflw or subject; default viewer). `.csv`: the columns
`yaw,pitch,roll,x0…x67,y0…y67`, optional `z0…z67`, `fx0…fx67,fy0…fy67`, `subject`, `split`, `convention`. Several files
are read one after the other, and a `subject` of two files is one person. Without `split` the subjects are split
70 : 15 : 15; without `subject` each row counts as a person of its own, and a notice says so.
"""

from __future__ import annotations

import csv
import hashlib
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

import numpy as np

from core.errors import InputError
from core.pose.angles import (
    checked_angles,
    from_radians,
    from_viewer,
    guess_convention,
    rotation_matrices,
    to_viewer,
)
from experiments.pose_encoder.landmarks import JAW, LANDMARKS, MEAN_HEAD, NOSE_TIP, generate_heads

GENERATED = "generated"
SPLITS = ("train", "val", "test")
SHARES = (0.70, 0.15, 0.15)
MAX_ANGLE_DEG = 99.0  # the usual filter for both .mat sets (6DRepNet's create_filename_list.py)
CAMERA_DISTANCE = 8.0  # of generated heads, in half widths of a face: about 60 cm
CLICK_NOISE = 0.005  # of generated frontal landmarks, in units of their box
W_LP_FOLDERS = ("AFW", "HELEN", "IBUG", "LFPW")


@dataclass(frozen=True)
class Faces:
    """N faces, row for row.

    Attributes:
        front_NK2: float32 `[N, 68, 2]`, what the model sees: the face from the front.
        angles_deg_N3: float32, the pose asked for, viewer's frame.
        seen_NK2: float32 `[N, 68, 2]`, the landmarks under that pose: what the model is to say.
        bin_yaw_deg_N: |yaw| as AFLW measures it, which puts a face into its bin of the metric.
        ids, subjects: one name each.
    """

    front_NK2: np.ndarray
    angles_deg_N3: np.ndarray
    seen_NK2: np.ndarray
    bin_yaw_deg_N: np.ndarray
    ids: np.ndarray
    subjects: np.ndarray

    def __len__(self) -> int:
        return len(self.ids)

    def __getitem__(self, rows: Any) -> Faces:
        return Faces(**{each.name: getattr(self, each.name)[rows] for each in fields(self)})

    @staticmethod
    def joined(parts: Sequence[Faces]) -> Faces:
        return Faces(
            **{each.name: np.concatenate([getattr(part, each.name) for part in parts]) for each in fields(Faces)}
        )


@dataclass(frozen=True)
class PoseData:
    """Three sets of faces that share no person.

    Attributes:
        name: of the data, for the run's config.
        fingerprint: of every number in it.
        notices: what was left out or assumed, one sentence each.
    """

    name: str
    train: Faces
    val: Faces
    test: Faces
    notices: tuple[str, ...] = ()

    @property
    def fingerprint(self) -> str:
        digest = hashlib.sha256()
        for faces in (self.train, self.val, self.test):
            for array in (faces.front_NK2, faces.angles_deg_N3, faces.seen_NK2):
                digest.update(np.ascontiguousarray(array))
        return digest.hexdigest()[:16]


def load_data(
    data_dir: str | Path,
    *,
    seed: int = 0,
    identities: tuple[int, int, int] = (512, 128, 256),
    say: Callable[[str], None] = lambda line: None,
) -> PoseData:
    """The data that a folder holds; see the module.

    Args:
        data_dir: `generated`, a folder, or one `.npz` or `.csv` file.
        seed: of generated heads, and of a split by subject.
        identities: of generated heads in training, validation and test, four faces each.
        say: is told how far reading is.

    Raises:
        InputError: there is nothing of these kinds (says what was looked for and what was found), or a file cannot be
            used (says which and why).
    """
    if str(data_dir) == GENERATED:
        return generated(seed, identities)
    folder = Path(data_dir).expanduser()
    if folder.is_file() and folder.suffix.lower() in _OWN_READERS:
        return _split(folder.name, *_own_files([folder]), seed)
    if not folder.is_dir():
        raise InputError(
            "There is no such folder of data.", where=str(data_dir), next_step="give a folder, or --data_dir generated"
        )
    mats = sorted(path for path in folder.rglob("*.mat") if not path.name.endswith("_pts.mat"))
    w_lp = [path for path in mats if _w_lp_folder(path)]
    aflw = [path for path in mats if re.fullmatch(r"image\d+", path.stem) and not _w_lp_folder(path)]
    own = sorted(path for path in folder.rglob("*") if path.suffix.lower() in _OWN_READERS and path.is_file())
    if not w_lp and not aflw:
        if not own:
            raise _nothing_found(folder, len(mats))
        return _split(folder.name, *_own_files(own), seed)
    passed_over = [
        f"{count} {kind} files were not read." for count, kind in (
            (len(mats) - len(w_lp) - len(aflw), "other .mat"), (len(own), ".npz and .csv")
        ) if count
    ]  # fmt: skip
    if w_lp and aflw:
        data = _standard_protocol(_mat_files(w_lp, folder, say), _mat_files(aflw, folder, say), seed)
    else:
        name = "300W-LP" if w_lp else "AFLW2000-3D"
        data = _split(name, *_mat_files(w_lp or aflw, folder, say), None, seed)
    return replace(data, notices=(*data.notices, *passed_over))


def _nothing_found(folder: Path, mats: int) -> InputError:
    names = sorted(path.name for path in folder.iterdir())
    shown = ", ".join(names[:6]) + (f" and {len(names) - 6} more" if len(names) > 6 else "")
    found = f"it holds {shown}" if names else "it is empty"
    if mats:
        found += f"; its {mats} .mat files are neither image*.mat nor in a folder AFW, HELEN, IBUG or LFPW"
    return InputError(
        "No face data here: looked for AFLW2000-3D (image*.mat), 300W-LP (AFW/, HELEN/, IBUG/, LFPW/ with .mat), "
        f".npz and .csv; {found}.",
        where=str(folder),
        next_step="see the schema in experiments/README.md, or try --data_dir generated",
    )


# --- generated ------------------------------------------------------------------------------------------------------


def generated(seed: int = 0, identities: tuple[int, int, int] = (512, 128, 256), faces_each: int = 4) -> PoseData:
    """Heads of `landmarks.py` under yaw ±90, pitch ±40 and roll ±40 degrees (uniform), seen by a camera.

    Every identity is in one split only. Yaw is uniform so that the three bins of the metric weigh alike; the landmarks
    seen from the front carry a little noise, those under the pose none.
    """
    parts = []
    for number, (split, count) in enumerate(zip(SPLITS, identities, strict=True)):
        random = np.random.default_rng([seed, number])
        heads_NK3 = generate_heads(random, count, faces_each)
        poses_deg = random.uniform(-1, 1, (len(heads_NK3), 3)) * [90.0, 40.0, 40.0]
        front = _through_camera(heads_NK3)
        seen = _through_camera(np.einsum("nij,nkj->nki", rotation_matrices(poses_deg), heads_NK3))
        people = np.repeat([f"{split}-{person}" for person in range(count)], faces_each)
        faces = _faces(front, poses_deg, seen, [f"{name}/{row}" for row, name in enumerate(people)], list(people))
        noise = CLICK_NOISE * random.standard_normal(faces.front_NK2.shape)
        parts.append(replace(faces, front_NK2=(faces.front_NK2 + noise).astype(np.float32)))
    train, val, test = parts
    return PoseData(GENERATED, train, val, test)


def _through_camera(points_NK3: np.ndarray) -> np.ndarray:
    centred = points_NK3 - points_NK3.mean(axis=1, keepdims=True)
    seen: np.ndarray = centred[..., :2] / (1.0 - centred[..., 2:] / CAMERA_DISTANCE)
    return seen


# --- .mat files -----------------------------------------------------------------------------------------------------


def _w_lp_folder(path: Path) -> bool:
    return path.parent.name.removesuffix("_Flip") in W_LP_FOLDERS


def _w_lp_subject(path: Path) -> str:
    """The photo that a 300W-LP file was made of: `HELEN_1_3.mat` is `HELEN_1` turned once more, as is its flip."""
    stem = path.stem.rpartition("_")[0] or path.stem
    return f"{path.parent.name.removesuffix('_Flip')}/{stem}"


def _mat_files(paths: Sequence[Path], folder: Path, say: Callable[[str], None]) -> tuple[Faces, list[str]]:
    """Faces of AFLW2000-3D or 300W-LP files, and what was left out."""
    # poses, landmarks, ids and people, apart for faces with depth (3) and without (2)
    read: dict[int, tuple[list[Any], ...]] = {3: ([], [], [], []), 2: ([], [], [], [])}
    extreme = 0
    for number, path in enumerate(paths):
        if number % 5000 == 0 and number:
            say(f"read {number:,} of {len(paths):,} files")
        pose_deg, points = _read_mat(path, folder)
        if np.abs(pose_deg).max() > MAX_ANGLE_DEG:
            extreme += 1
            continue
        name = path.relative_to(folder).as_posix()
        person = _w_lp_subject(path) if _w_lp_folder(path) else name
        for column, value in zip(read[points.shape[1]], (pose_deg, points, name, person), strict=True):
            column.append(value)
    notices = [f"{extreme} of {len(paths)} faces left out: an angle beyond ±{MAX_ANGLE_DEG:.0f}°."] if extreme else []
    if extreme == len(paths):
        raise InputError(
            f"Every face has an angle beyond ±{MAX_ANGLE_DEG:.0f}°.", where=str(folder), next_step="check Pose_Para"
        )
    parts = []
    for poses, landmarks, ids, people in read.values():
        if poses:
            faces, more = _from_pixels(np.array(poses), np.array(landmarks), "aflw", ids, people)
            parts.append(faces)
            notices += more
    return Faces.joined(parts), notices


def _read_mat(path: Path, folder: Path) -> tuple[np.ndarray, np.ndarray]:
    """Yaw, pitch, roll in degrees (AFLW's convention) and landmarks `[68, 3]` or `[68, 2]` in pixels, y down.

    `Pose_Para` is pitch, yaw, roll in radians, then a translation and a scale. AFLW2000's `pt2d` has 21 points of which
    some are absent, so only a `pt2d` of 68 counts.
    """
    content = _mat_content(path)
    if "Pose_Para" not in content or np.size(content["Pose_Para"]) < 3:
        raise InputError(
            "This .mat file has no Pose_Para.",
            where=str(path),
            next_step="remove it, or the folder is not AFLW2000-3D or 300W-LP",
        )
    pitch, yaw, roll = np.ravel(content["Pose_Para"])[:3]
    try:
        pose_deg = from_radians([yaw, pitch, roll])[0]
    except InputError as error:
        raise InputError(error.what, where=f"{path}: Pose_Para", next_step="remove the file") from None
    points = _mat_landmarks(content, path, folder)
    if not np.isfinite(points).all():
        raise InputError("A landmark is not a finite number.", where=str(path), next_step="remove the file")
    return pose_deg, points


def _mat_content(path: Path) -> dict[str, Any]:
    from scipy.io import loadmat

    try:
        content: dict[str, Any] = loadmat(path)
    except Exception as error:  # whatever a damaged file makes scipy raise
        raise InputError(f"This .mat file cannot be read: {error}.", where=str(path), next_step="remove it") from error
    return content


def _mat_landmarks(content: dict[str, Any], path: Path, folder: Path) -> np.ndarray:
    if "pt3d_68" in content and content["pt3d_68"].shape == (3, LANDMARKS):
        return np.asarray(content["pt3d_68"], dtype=np.float64).T
    beside = _w_lp_landmarks(path, folder)
    if beside is not None:
        return beside
    if "pt2d" in content and content["pt2d"].shape == (2, LANDMARKS):
        return np.asarray(content["pt2d"], dtype=np.float64).T
    found = ", ".join(f"{key} {np.shape(value)}" for key, value in content.items() if key.startswith(("pt", "Pose")))
    raise InputError(
        "No 68 landmarks: looked for pt3d_68 (3, 68), pts_3d under landmarks/ and pt2d (2, 68); "
        f"found {found or 'none'}.",
        where=str(path),
    )


def _w_lp_landmarks(path: Path, folder: Path) -> np.ndarray | None:
    """300W-LP's `landmarks/AFW/NAME_pts.mat`: `pts_3d` is the fitted face projected, so hidden points are in place."""
    if not _w_lp_folder(path):
        return None
    file = path.parent.parent / "landmarks" / path.parent.name.removesuffix("_Flip") / f"{path.stem}_pts.mat"
    if path.parent.name.endswith("_Flip") or not file.is_file() or not file.is_relative_to(folder):
        return None
    points = _mat_content(file).get("pts_3d")
    return np.asarray(points, dtype=np.float64) if points is not None and points.shape == (LANDMARKS, 2) else None


def _standard_protocol(trained: tuple[Faces, list[str]], tested: tuple[Faces, list[str]], seed: int) -> PoseData:
    faces, notices = trained
    parts = _rows_by_subject(faces.subjects, (0.9, 0.1), seed)
    if not all(len(part) for part in parts):
        raise InputError(
            f"{len(set(faces.subjects))} photos of 300W-LP are too few to train and to validate.",
            where=W_LP_FOLDERS[0],
            next_step="give more of them, or AFLW2000-3D alone",
        )
    return PoseData(
        "300W-LP, tested on AFLW2000-3D", faces[parts[0]], faces[parts[1]], tested[0], (*notices, *tested[1])
    )


# --- your own files -------------------------------------------------------------------------------------------------


def _own_files(paths: Sequence[Path]) -> tuple[Faces, list[str], np.ndarray | None]:
    """Faces of `.npz` and `.csv` files, notices, and the split of each row if every file has one."""
    parts, notices, splits = [], [], []
    for path in paths:
        table = _OWN_READERS[path.suffix.lower()](path)
        count = len(table["angles_deg"])
        convention = _one_convention(table, path)
        people = [str(person) for person in table["subject"]] if "subject" in table else None
        if people is None:
            notices.append(f"{path.name} has no subjects: every row counts as a person of its own.")
        ids = [f"{path.name}:{row}" for row in range(count)]
        try:
            angles = checked_angles(table["angles_deg"])
            faces, more = _from_pixels(
                angles, table["landmarks_px"], convention, ids, people or ids, table.get("frontal_px")
            )
        except InputError as error:
            raise InputError(
                error.what, where=f"{path}{': ' if error.where else ''}{error.where}", next_step=error.next_step
            ) from None
        parts.append(faces)
        notices += [f"{path.name}: {notice}" for notice in more]
        splits.append(np.array([str(each) for each in table["split"]]) if "split" in table else None)
    given = [each for each in splits if each is not None]
    if given and len(given) < len(splits):
        raise InputError("Some files say their split and others do not.", where=str(paths[0].parent))
    return Faces.joined(parts), notices, np.concatenate(given) if given else None


def _one_convention(table: dict[str, np.ndarray], path: Path) -> str:
    """What a file says of all its angles; `viewer` if it says nothing."""
    said = sorted({str(each) for each in np.ravel(table.get("convention", "viewer"))}) or ["viewer"]
    if len(said) > 1:
        raise InputError(
            f"The rows of a file share one convention; here are {' and '.join(map(repr, said[:3]))}.",
            where=str(path),
            next_step="write a file for each",
        )
    return said[0]


def _read_npz(path: Path) -> dict[str, np.ndarray]:
    try:
        with np.load(path, allow_pickle=False) as file:
            table = {name: file[name] for name in file.files}
    except Exception as error:  # whatever a damaged file makes numpy raise
        raise InputError(f"This .npz file cannot be read: {error}.", where=str(path)) from error
    for name, shapes in (("angles_deg", [(3,)]), ("landmarks_px", [(LANDMARKS, 2), (LANDMARKS, 3)])):
        if name not in table or table[name].shape[1:] not in shapes or len(table[name]) != len(table["angles_deg"]):
            found = ", ".join(f"{key} {value.shape}" for key, value in table.items()) or "nothing"
            wanted = " or ".join(str(["N", *shape]).replace("'", "") for shape in shapes)
            raise InputError(f"The file needs an array {name} of shape {wanted}; it has {found}.", where=str(path))
    for name in ("frontal_px", "subject", "split"):
        if name in table and table[name].shape[:1] != table["angles_deg"].shape[:1]:
            raise InputError(
                f"{name} has the shape {table[name].shape} for {len(table['angles_deg'])} poses.", where=str(path)
            )
    for name in ("angles_deg", "landmarks_px", "frontal_px"):
        if name in table and table[name].dtype.kind not in "fiu":
            raise InputError(f"{name} holds no numbers, but {table[name].dtype}.", where=str(path))
    if "frontal_px" in table and table["frontal_px"].shape[1:] != (LANDMARKS, 2):
        raise InputError(f"frontal_px is {table['frontal_px'].shape}, not [N, 68, 2].", where=str(path))
    return table


def _read_csv(path: Path) -> dict[str, np.ndarray]:
    points = [f"{axis}{number}" for number in range(LANDMARKS) for axis in ("x", "y")]
    depths = [f"z{number}" for number in range(LANDMARKS)]
    frontal = [f"f{name}" for name in points]
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.DictReader(file)
            header = [name.strip() for name in reader.fieldnames or []]
            reader.fieldnames = header
            rows = list(reader)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(
            f"This .csv file cannot be read: {error}.", where=str(path), next_step="save it as CSV UTF-8"
        ) from error
    missing = [name for name in ["yaw", "pitch", "roll", *points] if name not in header]
    if missing:
        more = f" and {len(missing) - 4} more" if len(missing) > 4 else ""
        raise InputError(
            f"The columns {', '.join(missing[:4])}{more} are absent.",
            where=str(path),
            next_step="see the schema in experiments/README.md",
        )
    if not rows:
        raise InputError("The file has a header and no rows.", where=str(path))

    def numbers(names: Sequence[str]) -> np.ndarray:
        return np.array([[_number(row[name], path, line, name) for name in names] for line, row in enumerate(rows, 2)])

    landmarks = numbers(points).reshape(-1, LANDMARKS, 2)
    table = {"angles_deg": numbers(["yaw", "pitch", "roll"]), "landmarks_px": landmarks}
    if set(depths) <= set(header):
        table["landmarks_px"] = np.concatenate([landmarks, numbers(depths)[..., None]], axis=2)
    if set(frontal) <= set(header):
        table["frontal_px"] = numbers(frontal).reshape(-1, LANDMARKS, 2)
    for name in ("subject", "split", "convention"):
        if name in header:
            table[name] = np.array([row[name] for row in rows])
    return table


def _number(text: str | None, path: Path, line: int, column: str) -> float:
    try:
        return float(text or "")
    except ValueError:
        raise InputError(
            f"{text!r} is no number." if text else "A cell is empty.", where=f"{path}, line {line}, column {column}"
        ) from None


_OWN_READERS: dict[str, Callable[[Path], dict[str, np.ndarray]]] = {".npz": _read_npz, ".csv": _read_csv}


# --- from pixels to faces -------------------------------------------------------------------------------------------


def _from_pixels(
    angles_deg_N3: np.ndarray,
    points_px: np.ndarray,
    convention: str,
    ids: Sequence[str],
    people: Sequence[str],
    frontal_px: np.ndarray | None = None,
) -> tuple[Faces, list[str]]:
    """Faces from landmarks in pixels, y down, `[N, 68, 2]` or `[N, 68, 3]` (z towards the viewer)."""
    points = np.array(points_px, dtype=np.float64)
    bad_rows = np.flatnonzero(~np.isfinite(points).all(axis=(1, 2)))
    if len(bad_rows):
        raise InputError("A landmark is not a finite number.", where=f"row {int(bad_rows[0])}")
    poses = to_viewer(angles_deg_N3, convention)
    notices = []
    guess = guess_convention(angles_deg_N3, points[..., :2])
    if guess.convention not in ("ambiguous", convention):
        notices.append(
            f"The angles are read as {convention}, but the landmarks look like {guess.convention} "
            f"(correlations {guess.yaw:.2f}, {guess.pitch:.2f}, {guess.roll:.2f}). {guess.reason}"
        )
    points[..., 1] *= -1.0
    points -= points.mean(axis=1, keepdims=True)
    if frontal_px is not None:
        front = np.array(frontal_px, dtype=np.float64) * [1.0, -1.0]
        bad_rows = np.flatnonzero(~np.isfinite(front).all(axis=(1, 2)))
        if len(bad_rows):
            raise InputError("A frontal landmark is not a finite number.", where=f"row {int(bad_rows[0])}")
        front -= front.mean(axis=1, keepdims=True)
    elif points.shape[2] == 3:
        rotations = rotation_matrices(poses)
        turned_back, mirrored = (
            np.einsum("nji,nkj->nki", rotations, points * [1.0, 1.0, sign]) for sign in (1.0, -1.0)
        )
        if np.median(_nose_depth(mirrored)) > np.median(_nose_depth(turned_back)):
            turned_back = mirrored
            notices.append("z was turned round: it grew away from the viewer.")
        front = turned_back[..., :2]
    else:
        front = frontal_from_seen(points, rotation_matrices(poses))
    return _faces(front, poses, points[..., :2], ids, people), notices


def _nose_depth(heads_NK3: np.ndarray) -> np.ndarray:
    depth: np.ndarray = heads_NK3[:, NOSE_TIP, 2] - heads_NK3[:, [JAW.start, JAW.stop - 1], 2].mean(axis=1)
    return depth


def frontal_from_seen(seen_NK2: np.ndarray, rotations_N33: np.ndarray) -> np.ndarray:
    """The likeliest frontal landmarks of a face seen under a known pose, without its depth: `[N, 68, 2]`.

    The head is the mean head, varied by a tenth of its size at each landmark (twice that in depth); the scale comes
    from the landmarks' spread. A Gaussian posterior for each landmark: seen = s · (R · head)_xy.
    """
    mean_head = MEAN_HEAD - MEAN_HEAD.mean(axis=0)
    projected = np.einsum("nij,kj->nki", rotations_N33[:, :2], mean_head)
    scale = (seen_NK2 * projected).sum(axis=(1, 2)) / np.square(projected).sum(axis=(1, 2))
    scale = np.where(scale > 0, scale, _spread(seen_NK2) / _spread(projected))
    view = rotations_N33[:, :2]
    prior = np.diag([0.1, 0.1, 0.2]) ** 2
    gain = np.einsum("ij,nkj->nik", prior, view) @ np.linalg.inv(
        np.einsum("nij,jk,nlk->nil", view, prior, view) + 0.01**2 * np.eye(2)
    )
    surprise = seen_NK2 / scale[:, None, None] - projected
    head = mean_head + np.einsum("nij,nkj->nki", gain, surprise)
    front: np.ndarray = head[..., :2] * scale[:, None, None]
    return front


def _spread(points_NK2: np.ndarray) -> np.ndarray:
    spread: np.ndarray = np.sqrt(np.square(points_NK2 - points_NK2.mean(axis=1, keepdims=True)).sum(axis=(1, 2)))
    return spread


def _faces(
    front_NK2: np.ndarray, poses_deg: np.ndarray, seen_NK2: np.ndarray, ids: Sequence[str], people: Sequence[str]
) -> Faces:
    """Both sets of landmarks around their means, in units of the frontal box."""
    front = front_NK2 - front_NK2.mean(axis=1, keepdims=True)
    seen = seen_NK2 - seen_NK2.mean(axis=1, keepdims=True)
    box = np.sqrt(np.prod(np.ptp(front, axis=1), axis=1))[:, None, None]
    flat = np.flatnonzero(~(box[:, 0, 0] > 0) | ~(np.ptp(seen, axis=1) > 0).all(axis=1))
    if len(flat):
        raise InputError("All landmarks of a face lie on one line.", where=ids[int(flat[0])])
    return Faces(
        (front / box).astype(np.float32),
        poses_deg.astype(np.float32),
        (seen / box).astype(np.float32),
        np.abs(from_viewer(poses_deg, "aflw")[:, 0]).astype(np.float32),
        np.array(ids),
        np.array(people),
    )


# --- splitting ------------------------------------------------------------------------------------------------------


def _split(name: str, faces: Faces, notices: list[str], splits: np.ndarray | None, seed: int) -> PoseData:
    """Three sets by the split that the rows carry, else by subject."""
    if splits is None:
        rows = _rows_by_subject(faces.subjects, SHARES, seed)
    else:
        unknown = sorted(set(splits) - set(SPLITS))
        if unknown:
            raise InputError(f"A split is one of train, val, test, not {unknown[0]!r}.", where=name)
        rows = [np.flatnonzero(splits == each) for each in SPLITS]
        for first, second in ((0, 1), (0, 2), (1, 2)):
            shared = set(faces.subjects[rows[first]]) & set(faces.subjects[rows[second]])
            if shared:
                notices = [*notices, f"{len(shared)} subjects are in both {SPLITS[first]} and {SPLITS[second]}."]
    empty = [each for each, part in zip(SPLITS, rows, strict=True) if not len(part)]
    if empty:
        raise InputError(
            f"{len(faces)} faces of {len(set(faces.subjects))} people leave {' and '.join(empty)} empty.",
            where=name,
            next_step="give more people, or a split column",
        )
    return PoseData(name, faces[rows[0]], faces[rows[1]], faces[rows[2]], tuple(notices))


def _rows_by_subject(subjects: np.ndarray, shares: Sequence[float], seed: int) -> list[np.ndarray]:
    """Rows of each part, in order; a subject is in one part only, and which one depends on the seed and the names."""
    people = np.random.default_rng(seed).permutation(np.unique(subjects))
    ends = np.round(np.cumsum(shares) * len(people)).astype(int)
    part_of = {person: int(np.searchsorted(ends, place, side="right")) for place, person in enumerate(people)}
    parts = np.array([part_of[person] for person in subjects])
    return [np.flatnonzero(parts == number) for number in range(len(shares))]
