"""The formats of vector tables: what all of them carry, and how each writes and reads it. Read `store` first.

Three JSON texts stand beside ids, vectors and times: `passport` (what made the vectors), `rejects` (what has no row,
and why) and `details` (members, notices, seconds, and a hash of ids and vectors, which tells a damaged file).
"""

from __future__ import annotations

import hashlib
import json
import shutil
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from ..errors import StoreError
from ..files import csv_cell
from ..messages import english, reason_of
from ..types import Member, Notice, Reject, VectorTable
from .words import Says

if TYPE_CHECKING:
    import pyarrow

VERSION = 1
TEXTS = ("passport", "rejects", "details")


class Stored(NamedTuple):
    """A file's content. `texts` by the names of `TEXTS`; none of them: the file was not written by this project."""

    ids: list[str]
    vectors_ND: np.ndarray
    ms_N: np.ndarray | None
    texts: dict[str, str]


FOREIGN = Stored([], np.empty((0, 0), np.float32), None, {})


class Format(NamedTuple):
    """How one suffix is written and read; reading may raise whatever its library does. `is_ours` looks for the JSON
    texts alone, and may raise too.

    `with_json`: it holds vectors alone, and all else stands in `NAME.SUFFIX.json` beside it.
    """

    write: Callable[[VectorTable, Path], None]
    read: Callable[[Path], Stored]
    is_ours: Callable[[Path], bool]
    with_json: bool = False


# ---- what all carry ----


def texts_of(table: VectorTable) -> dict[str, str]:
    """The three JSON texts."""
    details = {
        "format": VERSION,
        "members": [asdict(member) for member in table.members],
        "notices": [asdict(notice) for notice in table.notices],
        "seconds": table.seconds,
        "sha256": _content_hash(table.ids, table.vectors_ND),
    }
    rejects = [asdict(reject) for reject in table.rejects]
    parts = {"passport": table.passport, "rejects": rejects, "details": details}
    return {name: json.dumps(parts[name], ensure_ascii=False) for name in TEXTS}


def table_of(path: Path, stored: Stored) -> VectorTable:
    """The table that was written. Raises `StoreError`: not this project's, of a later version, or damaged."""
    ids, vectors_ND, ms_N, texts = stored
    if any(name not in texts for name in TEXTS):
        raise StoreError(Says.no_passport(), where=str(path), next_step=Says.vectorize_again_output())
    try:
        details = json.loads(texts["details"])
        if details["format"] > VERSION:
            raise StoreError(Says.later_version(), where=str(path), next_step=Says.update())
        table = VectorTable(
            ids=tuple(ids),
            vectors_ND=vectors_ND,
            members=tuple(Member(**member) for member in details["members"]),
            passport=json.loads(texts["passport"]),
            rejects=tuple(_reject(reject) for reject in json.loads(texts["rejects"])),
            ms_N=ms_N,
            seconds=details["seconds"],
            notices=tuple(_notice(notice) for notice in details["notices"]),
        )
        whole = vectors_ND.dtype == np.float32 and details["sha256"] == _content_hash(ids, vectors_ND)
    except (KeyError, TypeError, ValueError, AssertionError) as error:
        raise StoreError(Says.file_damaged(error=reason_of(error)), where=str(path)) from error
    if not whole:
        raise StoreError(Says.hash_differs(), where=str(path), next_step=Says.vectorize_again())
    return table


def _content_hash(ids: tuple[str, ...] | list[str], vectors_ND: np.ndarray) -> str:
    digest = hashlib.sha256("\0".join(ids).encode())
    digest.update(f"\0{vectors_ND.shape}\0".encode())
    digest.update(np.ascontiguousarray(vectors_ND, dtype="<f4").data)
    return digest.hexdigest()


def _reject(kept: Mapping[str, str]) -> Reject:
    """A sentence in a file stays in the words that it was written in."""
    return Reject(**{**kept, "reason": english(kept["reason"])})  # type: ignore[arg-type]


def _notice(kept: Mapping[str, str]) -> Notice:
    return Notice(**{**kept, "text": english(kept["text"])})  # type: ignore[arg-type]


def json_beside(path: Path) -> Path:
    return path.with_name(path.name + ".json")


def write_json(table: VectorTable, place: Path) -> None:
    """What a format that holds vectors alone does not: ids, times and the JSON texts."""
    content = {name: json.loads(text) for name, text in texts_of(table).items()}
    content["ids"] = list(table.ids)
    content["ms"] = None if table.ms_N is None else [round(float(ms), 4) for ms in table.ms_N]
    place.write_text(json.dumps(content, ensure_ascii=False, indent=1), encoding="utf-8")


def _is_our_json(path: Path) -> bool:
    """Whether the file beside `path` is; vectors without it are not this project's."""
    return bool(_read_json(path)[2])


def _read_json(path: Path) -> tuple[list[str], np.ndarray | None, dict[str, str]]:
    place = json_beside(path)
    if not place.exists():
        return [], None, {}
    content = json.loads(place.read_text(encoding="utf-8"))
    if not isinstance(content, dict) or not all(name in content for name in (*TEXTS, "ids")):
        return [], None, {}
    ms_N = None if content.get("ms") is None else np.array(content["ms"], dtype=np.float32)
    return content["ids"], ms_N, {name: json.dumps(content[name]) for name in TEXTS}


# ---- .npz: arrays `ids` (unicode), `vectors` (float32 [N, D]), `ms`; the JSON texts as arrays of one text ----


def _write_npz(table: VectorTable, place: Path) -> None:
    arrays: dict[str, Any] = {"ids": np.array(table.ids, dtype=np.str_), "vectors": table.vectors_ND}
    if table.ms_N is not None:
        arrays["ms"] = table.ms_N
    arrays |= {name: np.array(text) for name, text in texts_of(table).items()}
    with zipfile.ZipFile(place, "w", zipfile.ZIP_STORED) as archive:
        for name, array in arrays.items():
            member = zipfile.ZipInfo(name + ".npy")
            if name == "ids":  # each takes the room of the longest, four bytes a character, nearly all of them zeros
                member.compress_type = zipfile.ZIP_DEFLATED
            with archive.open(member, "w", force_zip64=True) as file:
                np.lib.format.write_array(file, array, allow_pickle=False)


def _read_npz(path: Path) -> Stored:
    with np.load(path, allow_pickle=False) as arrays:
        texts = {name: str(arrays[name]) for name in TEXTS if name in arrays}
        if not texts:
            return FOREIGN
        return Stored(arrays["ids"].tolist(), arrays["vectors"], arrays.get("ms"), texts)


def _is_our_npz(path: Path) -> bool:
    with np.load(path, allow_pickle=False) as arrays:
        return set(TEXTS) <= set(arrays.files)


# ---- .parquet and .lance: Arrow with columns `id`, `vector` (fixed-size list of float32), `ms`; texts as metadata ----


def _to_arrow(table: VectorTable) -> pyarrow.Table:
    import pyarrow as pa

    values = pa.array(np.ascontiguousarray(table.vectors_ND).ravel(), type=pa.float32())
    columns = {
        "id": pa.array(list(table.ids), type=pa.string()),
        "vector": pa.FixedSizeListArray.from_arrays(values, table.dim),
    }
    if table.ms_N is not None:
        columns["ms"] = pa.array(table.ms_N, type=pa.float32())
    return pa.table(columns).replace_schema_metadata(texts_of(table))


def _from_arrow(arrow: pyarrow.Table) -> Stored:
    metadata = arrow.schema.metadata or {}
    texts = {name: metadata[name.encode()].decode() for name in TEXTS if name.encode() in metadata}
    if not texts:
        return FOREIGN
    dim = arrow.schema.field("vector").type.list_size
    vectors = arrow.column("vector").combine_chunks()
    parts = [chunk.flatten().to_numpy() for chunk in getattr(vectors, "chunks", [vectors])]
    vectors_ND = np.concatenate([np.empty(0, np.float32), *parts]).reshape(-1, dim)
    ms_N = arrow.column("ms").to_numpy() if "ms" in arrow.column_names else None
    return Stored(arrow.column("id").to_pylist(), vectors_ND, ms_N, texts)


def _write_parquet(table: VectorTable, place: Path) -> None:
    import pyarrow.parquet as pq

    pq.write_table(_to_arrow(table), place, write_page_checksum=True)


def _read_parquet(path: Path) -> Stored:
    import pyarrow.parquet as pq

    # ParquetFile reads this one file; `read_table` would read the path's `key=value` folders as columns
    with pq.ParquetFile(path, page_checksum_verification=True) as file:
        return _from_arrow(file.read())


def _is_our_parquet(path: Path) -> bool:
    import pyarrow.parquet as pq

    return _has_texts(pq.read_schema(path).metadata)


def _has_texts(metadata: Mapping[bytes, bytes] | None) -> bool:
    return all(name.encode() in (metadata or {}) for name in TEXTS)


LANCE = frozenset({"data", "_versions", "_transactions", "_indices", "_deletions", "_refs", "_latest.manifest"})
"""What may lie in the folder of a LanceDB table."""


def _write_lance(table: VectorTable, place: Path) -> None:
    """A folder, and a LanceDB table: `lancedb.connect(parent).open_table(stem)`."""
    import lancedb

    # The table's name is the folder's stem, which LanceDB wants plain; the folder gets its own name afterwards.
    room = place.with_name(place.name + ".room")
    try:
        lancedb.connect(room).create_table("vectors", _to_arrow(table))
        (room / "vectors.lance").rename(place)
    finally:
        shutil.rmtree(room, ignore_errors=True)


def _read_lance(path: Path) -> Stored:
    import lancedb

    return _from_arrow(lancedb.connect(path.parent).open_table(path.stem).to_arrow())


def _is_our_lance(path: Path) -> bool:
    import lancedb

    return _has_texts(lancedb.connect(path.parent).open_table(path.stem).schema.metadata)


# ---- .safetensors: tensors `vectors`, `ms`, and `ids` (UTF-8, a zero byte between two); texts as metadata ----


def _write_safetensors(table: VectorTable, place: Path) -> None:
    from safetensors.numpy import save_file

    tensors = {
        "vectors": np.ascontiguousarray(table.vectors_ND),
        "ids": np.frombuffer("\0".join(table.ids).encode(), dtype=np.uint8),
    }
    if table.ms_N is not None:
        tensors["ms"] = np.ascontiguousarray(table.ms_N)
    save_file(tensors, place, metadata=texts_of(table))


def _read_safetensors(path: Path) -> Stored:
    from safetensors import safe_open

    with safe_open(path, framework="numpy") as file:
        texts = {name: text for name, text in (file.metadata() or {}).items() if name in TEXTS}
        if not texts:
            return FOREIGN
        vectors_ND = file.get_tensor("vectors")
        joined = file.get_tensor("ids").tobytes().decode()
        ms_N = file.get_tensor("ms") if "ms" in file.keys() else None  # noqa: SIM118 - not a mapping
    return Stored(joined.split("\0") if len(vectors_ND) else [], vectors_ND, ms_N, texts)


def _is_our_safetensors(path: Path) -> bool:
    from safetensors import safe_open

    with safe_open(path, framework="numpy") as file:
        return set(TEXTS) <= set(file.metadata() or {})


# ---- .npy: `vectors` ----


def _write_npy(table: VectorTable, place: Path) -> None:
    with place.open("wb") as file:
        np.save(file, table.vectors_ND, allow_pickle=False)


def _read_npy(path: Path) -> Stored:
    ids, ms_N, texts = _read_json(path)
    return Stored(ids, np.load(path, allow_pickle=False), ms_N, texts)


# ---- .csv: `id`, `v0` … `v{D-1}`, for spreadsheets ----


def _write_csv(table: VectorTable, place: Path) -> None:
    """An id that a spreadsheet would run as a formula gets a leading apostrophe; the `.json` has the ids as they are,
    and reading uses those."""
    import pyarrow as pa
    import pyarrow.csv

    columns = {"id": pa.array([csv_cell(image_id) for image_id in table.ids], type=pa.string())}
    columns |= {f"v{column}": pa.array(table.vectors_ND[:, column]) for column in range(table.dim)}
    pyarrow.csv.write_csv(pa.table(columns), place)


def _read_csv(path: Path) -> Stored:
    import pyarrow as pa
    import pyarrow.csv

    ids, ms_N, texts = _read_json(path)
    if not texts:
        return FOREIGN
    dim = json.loads(texts["details"])["members"][-1]["stop"]
    types = {"id": pa.string()} | {f"v{column}": pa.float32() for column in range(dim)}
    table = pyarrow.csv.read_csv(
        path,
        parse_options=pyarrow.csv.ParseOptions(newlines_in_values=True),
        convert_options=pyarrow.csv.ConvertOptions(column_types=types, include_columns=list(types)),
    )
    columns = [table.column(f"v{column}").to_numpy() for column in range(dim)]
    return Stored(ids, np.ascontiguousarray(np.stack(columns, axis=1), dtype=np.float32), ms_N, texts)


FORMATS: dict[str, Format] = {
    ".npz": Format(_write_npz, _read_npz, _is_our_npz),
    ".npy": Format(_write_npy, _read_npy, _is_our_json, with_json=True),
    ".parquet": Format(_write_parquet, _read_parquet, _is_our_parquet),
    ".safetensors": Format(_write_safetensors, _read_safetensors, _is_our_safetensors),
    ".csv": Format(_write_csv, _read_csv, _is_our_json, with_json=True),
    ".lance": Format(_write_lance, _read_lance, _is_our_lance),
}
"""By suffix, in the order in which they are offered."""
