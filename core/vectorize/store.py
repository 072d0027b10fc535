"""Tables of vectors on disk. Every format carries ids, vectors, the passport and the rejects, and is written whole or
not at all (a temporary name, then a rename). No pickle anywhere, no torch.

| suffix | what lies in it |
| --- | --- |
| `.npz` | arrays `ids` (unicode), `vectors` (float32 `[N, D]`), `ms`; the three JSON texts below |
| `.parquet` | columns `id`, `vector` (fixed-size list of float32), `ms`; the JSON texts as metadata of the schema |
| `.safetensors` | tensors `vectors`, `ms`, and `ids` (UTF-8, a zero byte between two); the JSON texts as metadata |
| `.lance` | a folder, and a LanceDB table: `lancedb.connect(parent).open_table(stem)`; columns as in `.parquet` |
| `.npy` | `vectors`; the JSON texts, `ids` and `ms` in `NAME.npy.json` beside it |
| `.csv` | `id`, `v0` … `v{D-1}`, for spreadsheets; the rest in `NAME.csv.json` beside it |

The three JSON texts are `passport` (what made the vectors), `rejects` (what has no row, and why) and `details`
(members, notices, seconds, and a hash of ids and vectors by which a damaged file is told when it is read).

In a CSV an id that starts with `=`, `+`, `-`, `@`, a tab or a line end gets a leading apostrophe, because spreadsheets
would run it as a formula; the `.json` has the ids as they are, and reading uses those.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import InputError, PassportMismatch, StoreError
from ..types import Member, Notice, Reject, VectorTable
from ..words import Common
from .words import Says

if TYPE_CHECKING:
    import pyarrow

    from ..models.manager import ModelManager

SUFFIXES = (".npz", ".parquet", ".safetensors", ".lance", ".npy", ".csv")
FORMAT = 1
_WITH_JSON = (".npy", ".csv")
_TEXTS = ("passport", "rejects", "details")
_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n")


def check_output(path: Path) -> None:
    """Refuses, before any work, an output that could not be written: another suffix, no folder to write to.

    Makes the parent folder where it is missing. Raises `InputError`.
    """
    if path.suffix.lower() not in SUFFIXES:
        raise InputError(
            Says.output_suffix_names_no_format(suffix=path.suffix or "(none)"),
            where=str(path),
            next_step=Says.use_one(names=", ".join(SUFFIXES)),
        )
    if path.suffix.lower() == ".lance" and not re.fullmatch(r"[A-Za-z0-9_.-]+", path.stem):
        raise InputError(
            Says.lancedb_opens_tables_whose_names(),
            where=path.name,
            next_step=Says.choose_another_name_lance_folder(),
        )
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(Says.output_folder_cannot_made(error=error.strerror), where=str(path.parent)) from error
    if path.is_dir() != (path.suffix.lower() == ".lance") and path.exists():
        kind = "a folder" if path.is_dir() else "a file"
        raise InputError(f"The output is {kind} already.", where=str(path), next_step=Common.choose_another_name())
    if not os.access(path.parent, os.W_OK):
        raise InputError(Says.output_folder_may_not_written(), where=str(path.parent))


def write(table: VectorTable, path: Path) -> list[Path]:
    """Writes a table in the format that the suffix names, replacing what is there. Returns the paths written.

    Raises:
        InputError: the suffix names no format.
        StoreError: the disk refuses.
    """
    check_output(path)
    suffix = path.suffix.lower()
    paths = [path, _json_beside(path)] if suffix in _WITH_JSON else [path]
    try:
        with _replacing(paths) as places:
            _WRITERS[suffix](table, places[0])
            if suffix in _WITH_JSON:
                _write_json(table, places[1])
    except StoreError:
        raise
    except (OSError, RuntimeError, ValueError) as error:
        raise StoreError(Says.vectors_cannot_written(error=error), where=str(path)) from error
    return paths


def read(path: Path) -> VectorTable:
    """Reads what `write` wrote.

    Raises:
        InputError: the suffix names no format, or nothing is there.
        StoreError: the file is damaged, of another tool, or of a later version.
    """
    suffix = path.suffix.lower()
    if suffix not in SUFFIXES:
        raise InputError(
            Says.suffix_names_no_format(), where=str(path), next_step=Says.use_one(names=", ".join(SUFFIXES))
        )
    if not path.exists():
        raise InputError(Says.there_no_such_file(), where=str(path))
    try:
        ids, vectors_ND, ms_N, texts = _READERS[suffix](path)
    except StoreError:
        raise
    except Exception as error:  # every library has errors of its own for damaged files
        raise StoreError(Says.file_damaged_another_kind(error=_first_line(error)), where=str(path)) from error
    return _table(path, ids, vectors_ND, ms_N, texts)


def check(table: VectorTable, manager: ModelManager, *, device: str = "auto") -> list[str]:
    """Whether vectors made now may be compared with these. Loads the table's models, one after the other.

    Another library version, dtype or device warns, and the canary images are encoded again to decide.

    Returns:
        Warnings; empty if nothing differs.

    Raises:
        PassportMismatch: other weights, another model or other preprocessing; the differences are named.
        UnknownModel, WeightsMissing, …: as in loading a model.
    """
    from ..models.passport import canary_vectors, model_passport, table_passport

    passports, canaries = [], []
    for member in table.members:
        with manager.lease(member.model_id, device, dtype_here(member, manager, device)) as lease:
            passports.append(model_passport(lease.encoder))
            canaries.append(canary_vectors(lease.encoder))
    current = table_passport(passports, bool(table.passport.get("normalize")), canaries)
    return check_passport(table.passport, current)


def check_passport(stored: Mapping[str, Any], current: Mapping[str, Any]) -> list[str]:
    """Warnings of a comparison. Raises `PassportMismatch` where it refuses."""
    from ..models.passport import compare

    comparison = compare(stored, current)
    if comparison.refused:
        raise PassportMismatch(
            Says.vectors_vectors_made_now_not(differences="; ".join(comparison.refused)),
            next_step=Says.vectorize_images_again_bring_back(),
        )
    return list(comparison.warnings)


def check_member(table: VectorTable, member: Member, current: Mapping[str, Any]) -> list[str]:
    """As `check_passport`, for one member and without canaries."""
    stored = [part for part in table.passport.get("members", []) if part.get("model_id") == member.model_id]
    rest = {"format": table.passport.get("format"), "normalize": table.passport.get("normalize")}
    return check_passport({**rest, "members": stored}, {**rest, "members": [current]})


def dtype_here(member: Member, manager: ModelManager, device: str) -> str:
    """The dtype that the member was computed in, or `auto` where this device does not offer it."""
    from ..models.device import pick_device

    wanted_device = manager.settings.device if device == "auto" else device
    return "auto" if member.dtype == "fp16" and pick_device(wanted_device).type == "cpu" else member.dtype


# --- what every format shares -----------------------------------------------------------------------------------------

_Parts = tuple[list[str], np.ndarray, "np.ndarray | None", dict[str, str]]


def _texts(table: VectorTable) -> dict[str, str]:
    """The three JSON texts."""
    details = {
        "format": FORMAT,
        "members": [asdict(member) for member in table.members],
        "notices": [asdict(notice) for notice in table.notices],
        "seconds": table.seconds,
        "sha256": _content_hash(table.ids, table.vectors_ND),
    }
    rejects = [asdict(reject) for reject in table.rejects]
    return {
        "passport": json.dumps(table.passport, ensure_ascii=False),
        "rejects": json.dumps(rejects, ensure_ascii=False),
        "details": json.dumps(details, ensure_ascii=False),
    }


def _table(
    path: Path, ids: list[str], vectors_ND: np.ndarray, ms_N: np.ndarray | None, texts: Mapping[str, str]
) -> VectorTable:
    missing = [name for name in _TEXTS if name not in texts]
    if missing:
        raise StoreError(
            Says.file_carries_no_passport_not(),
            where=str(path),
            next_step=Says.vectorize_images_again_output(),
        )
    try:
        details = json.loads(texts["details"])
        if details["format"] > FORMAT:
            raise StoreError(Says.file_written_later_version(), where=str(path), next_step="Update.")
        table = VectorTable(
            ids=tuple(ids),
            vectors_ND=vectors_ND,
            members=tuple(Member(**member) for member in details["members"]),
            passport=json.loads(texts["passport"]),
            rejects=tuple(Reject(**reject) for reject in json.loads(texts["rejects"])),
            ms_N=ms_N,
            seconds=details["seconds"],
            notices=tuple(Notice(**notice) for notice in details["notices"]),
        )
        whole = vectors_ND.dtype == np.float32 and details["sha256"] == _content_hash(ids, vectors_ND)
    except (KeyError, TypeError, ValueError, AssertionError) as error:
        raise StoreError(Says.file_damaged(error=_first_line(error)), where=str(path)) from error
    if not whole:
        raise StoreError(
            Says.file_damaged_ids_vectors_not(),
            where=str(path),
            next_step=Says.vectorize_images_again(),
        )
    return table


def _content_hash(ids: tuple[str, ...] | list[str], vectors_ND: np.ndarray) -> str:
    digest = hashlib.sha256("\0".join(ids).encode())
    digest.update(f"\0{vectors_ND.shape}\0".encode())
    digest.update(np.ascontiguousarray(vectors_ND, dtype="<f4").data)
    return digest.hexdigest()


def _first_line(error: BaseException) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0][:200]


@contextmanager
def _replacing(paths: list[Path]) -> Iterator[list[Path]]:
    """Temporary places beside the targets; after the block, and only if it succeeded, they take the targets' names.

    A crash between the renames of a file and its `.json` is told by the hash when they are read.
    """
    mark = uuid.uuid4().hex[:12]
    places = [path.with_name(f".tmp-{mark}-{path.name}") for path in paths]
    try:
        yield places
        for place, path in zip(places, paths, strict=True):
            if place.is_file():
                place.chmod(_new_file_mode(place.parent))  # some writers make files for their owner alone
            if place.is_dir():
                _swap_folder(place, path)
            else:
                with place.open("rb") as file:
                    os.fsync(file.fileno())
                place.replace(path)
    finally:
        for place in places:
            if place.is_dir():
                shutil.rmtree(place, ignore_errors=True)
            else:
                place.unlink(missing_ok=True)


def _new_file_mode(folder: Path) -> int:
    """The permissions that an ordinary new file gets here."""
    probe = folder / f".tmp-{uuid.uuid4().hex[:12]}"
    probe.touch()
    try:
        return probe.stat().st_mode & 0o777
    finally:
        probe.unlink()


def _swap_folder(place: Path, path: Path) -> None:
    """A folder cannot be replaced in one step: the old one steps aside and goes when the new one stands."""
    aside = place.with_name(place.name + ".old")
    if path.exists():
        path.rename(aside)
    place.rename(path)
    shutil.rmtree(aside, ignore_errors=True)


# --- npz --------------------------------------------------------------------------------------------------------------


def _write_npz(table: VectorTable, place: Path) -> None:
    arrays: dict[str, Any] = {"ids": np.array(table.ids, dtype=np.str_), "vectors": table.vectors_ND}
    if table.ms_N is not None:
        arrays["ms"] = table.ms_N
    with place.open("wb") as file:  # a name would get another `.npz`
        np.savez(file, **arrays, **{name: np.array(text) for name, text in _texts(table).items()})


def _read_npz(path: Path) -> _Parts:
    with np.load(path, allow_pickle=False) as arrays:
        texts = {name: str(arrays[name]) for name in _TEXTS if name in arrays}
        ms_N = arrays.get("ms")
        if not texts:
            return [], np.empty((0, 0), np.float32), None, {}
        return arrays["ids"].tolist(), arrays["vectors"], ms_N, texts


# --- parquet, lance ---------------------------------------------------------------------------------------------------


def _arrow(table: VectorTable) -> pyarrow.Table:
    import pyarrow as pa

    values = pa.array(np.ascontiguousarray(table.vectors_ND).ravel(), type=pa.float32())
    columns = {
        "id": pa.array(list(table.ids), type=pa.string()),
        "vector": pa.FixedSizeListArray.from_arrays(values, table.dim),
    }
    if table.ms_N is not None:
        columns["ms"] = pa.array(table.ms_N, type=pa.float32())
    return pa.table(columns).replace_schema_metadata(_texts(table))


def _from_arrow(arrow: pyarrow.Table) -> _Parts:
    metadata = arrow.schema.metadata or {}
    texts = {name: metadata[name.encode()].decode() for name in _TEXTS if name.encode() in metadata}
    if not texts:
        return [], np.empty((0, 0), np.float32), None, {}
    dim = arrow.schema.field("vector").type.list_size
    vectors = arrow.column("vector").combine_chunks()
    parts = [chunk.flatten().to_numpy() for chunk in getattr(vectors, "chunks", [vectors])]
    vectors_ND = np.concatenate([np.empty(0, np.float32), *parts]).reshape(-1, dim)
    ms_N = arrow.column("ms").to_numpy() if "ms" in arrow.column_names else None
    return arrow.column("id").to_pylist(), vectors_ND, ms_N, texts


def _write_parquet(table: VectorTable, place: Path) -> None:
    import pyarrow.parquet as pq

    pq.write_table(_arrow(table), place, write_page_checksum=True)


def _read_parquet(path: Path) -> _Parts:
    import pyarrow.parquet as pq

    # ParquetFile reads this one file; `read_table` would read the path's `key=value` folders as columns
    with pq.ParquetFile(path, page_checksum_verification=True) as file:
        return _from_arrow(file.read())


def _write_lance(table: VectorTable, place: Path) -> None:
    import lancedb

    # The table's name is the folder's stem, which LanceDB wants plain; the folder gets its own name afterwards.
    room = place.with_name(place.name + ".room")
    try:
        lancedb.connect(room).create_table("vectors", _arrow(table))
        (room / "vectors.lance").rename(place)
    finally:
        shutil.rmtree(room, ignore_errors=True)


def _read_lance(path: Path) -> _Parts:
    import lancedb

    return _from_arrow(lancedb.connect(path.parent).open_table(path.stem).to_arrow())


# --- safetensors ------------------------------------------------------------------------------------------------------


def _write_safetensors(table: VectorTable, place: Path) -> None:
    from safetensors.numpy import save_file

    tensors = {
        "vectors": np.ascontiguousarray(table.vectors_ND),
        "ids": np.frombuffer("\0".join(table.ids).encode(), dtype=np.uint8),
    }
    if table.ms_N is not None:
        tensors["ms"] = np.ascontiguousarray(table.ms_N)
    save_file(tensors, place, metadata=_texts(table))


def _read_safetensors(path: Path) -> _Parts:
    from safetensors import safe_open

    with safe_open(path, framework="numpy") as file:
        texts = {name: text for name, text in (file.metadata() or {}).items() if name in _TEXTS}
        if not texts:
            return [], np.empty((0, 0), np.float32), None, {}
        vectors_ND = file.get_tensor("vectors")
        joined = file.get_tensor("ids").tobytes().decode()
        ms_N = file.get_tensor("ms") if "ms" in file.keys() else None  # noqa: SIM118 - not a mapping
    return joined.split("\0") if len(vectors_ND) else [], vectors_ND, ms_N, texts


# --- npy and csv, with a .json beside them ----------------------------------------------------------------------------


def _json_beside(path: Path) -> Path:
    return path.with_name(path.name + ".json")


def _write_json(table: VectorTable, place: Path) -> None:
    content = {name: json.loads(text) for name, text in _texts(table).items()}
    content["ids"] = list(table.ids)
    content["ms"] = None if table.ms_N is None else [round(float(ms), 4) for ms in table.ms_N]
    place.write_text(json.dumps(content, ensure_ascii=False, indent=1), encoding="utf-8")


def _read_json(path: Path) -> tuple[list[str], np.ndarray | None, dict[str, str]]:
    place = _json_beside(path)
    if not place.exists():
        return [], None, {}
    content = json.loads(place.read_text(encoding="utf-8"))
    if not isinstance(content, dict) or not all(name in content for name in (*_TEXTS, "ids")):
        return [], None, {}
    ms_N = None if content.get("ms") is None else np.array(content["ms"], dtype=np.float32)
    return content["ids"], ms_N, {name: json.dumps(content[name]) for name in _TEXTS}


def _write_npy(table: VectorTable, place: Path) -> None:
    with place.open("wb") as file:
        np.save(file, table.vectors_ND, allow_pickle=False)


def _read_npy(path: Path) -> _Parts:
    ids, ms_N, texts = _read_json(path)
    return ids, np.load(path, allow_pickle=False), ms_N, texts


def _write_csv(table: VectorTable, place: Path) -> None:
    import pyarrow as pa
    import pyarrow.csv

    shown = [f"'{image_id}" if image_id.startswith(_FORMULA_STARTS) else image_id for image_id in table.ids]
    columns = {"id": pa.array(shown, type=pa.string())}
    columns |= {f"v{column}": pa.array(table.vectors_ND[:, column]) for column in range(table.dim)}
    pyarrow.csv.write_csv(pa.table(columns), place)


def _read_csv(path: Path) -> _Parts:
    import pyarrow as pa
    import pyarrow.csv

    ids, ms_N, texts = _read_json(path)
    if not texts:
        return [], np.empty((0, 0), np.float32), None, {}
    dim = json.loads(texts["details"])["members"][-1]["stop"]
    types = {"id": pa.string()} | {f"v{column}": pa.float32() for column in range(dim)}
    table = pyarrow.csv.read_csv(
        path,
        parse_options=pyarrow.csv.ParseOptions(newlines_in_values=True),
        convert_options=pyarrow.csv.ConvertOptions(column_types=types, include_columns=list(types)),
    )
    columns = [table.column(f"v{column}").to_numpy() for column in range(dim)]
    return ids, np.ascontiguousarray(np.stack(columns, axis=1), dtype=np.float32), ms_N, texts


_WRITERS: dict[str, Callable[[VectorTable, Path], None]] = {
    ".npz": _write_npz,
    ".parquet": _write_parquet,
    ".safetensors": _write_safetensors,
    ".lance": _write_lance,
    ".npy": _write_npy,
    ".csv": _write_csv,
}
_READERS: dict[str, Callable[[Path], _Parts]] = {
    ".npz": _read_npz,
    ".parquet": _read_parquet,
    ".safetensors": _read_safetensors,
    ".lance": _read_lance,
    ".npy": _read_npy,
    ".csv": _read_csv,
}
