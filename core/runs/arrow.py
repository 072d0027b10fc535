"""Arrow arrays to numpy and back, by their buffers.

pyarrow's own `to_numpy` and `pa.array` look whether pandas is about, and importing pandas takes longer than opening a
thousand runs. The layout of these buffers is Arrow's published format and does not change.
"""

from __future__ import annotations

from typing import Any

import numpy as np

_DTYPES = {"double": "<f8", "float": "<f4", "halffloat": "<f2", "int8": "<i1", "int16": "<i2", "int32": "<i4"} | {
    "int64": "<i8",
    "uint8": "<u1",
    "uint16": "<u2",
    "uint32": "<u4",
    "uint64": "<u8",
    "timestamp[s]": "<i8",
    "timestamp[ms]": "<i8",
    "timestamp[us]": "<i8",
    "timestamp[ns]": "<i8",
}


def valid_rows(array: Any) -> np.ndarray | None:
    """int64 positions of the values that are there; None if all are."""
    if not array.null_count:
        return None
    if array.null_count == len(array):  # such an array may have no bitmap
        return np.empty(0, np.int64)
    return np.flatnonzero(_bits(array.buffers()[0], array.offset, len(array)))


def values_of(array: Any) -> np.ndarray:
    """All values of a numeric or boolean array, without a copy where that is possible; where null, anything."""
    kind = str(array.type)
    if not len(array):  # may have no buffer at all
        return np.empty(0, np.bool_ if kind == "bool" else _DTYPES[kind])
    if kind == "bool":
        return _bits(array.buffers()[1], array.offset, len(array)).astype(np.bool_)
    return np.frombuffer(array.buffers()[1], _DTYPES[kind])[array.offset : array.offset + len(array)]


def is_number(kind: Any) -> bool:
    """Whether `values_of` gives numbers for arrays of this Arrow type."""
    return str(kind) == "bool" or (str(kind) in _DTYPES and not str(kind).startswith("timestamp"))


def list_array(arrays: list[np.ndarray], dtype: str) -> Any:
    """A large_list array of one list for each numpy array (`dtype` is `<i8` or `<f8`)."""
    import pyarrow as pa

    ends = np.cumsum([len(array) for array in arrays], dtype=np.int64)
    flat = np.concatenate(arrays).astype(dtype, copy=False) if arrays else np.empty(0, dtype)
    item = pa.int64() if dtype == "<i8" else pa.float64()
    offsets = np.concatenate([np.zeros(1, np.int64), ends])
    return pa.LargeListArray.from_arrays(
        pa.Array.from_buffers(pa.int64(), len(offsets), [None, pa.py_buffer(offsets)]),
        pa.Array.from_buffers(item, len(flat), [None, pa.py_buffer(np.ascontiguousarray(flat))]),
    )


def arrays_of(lists: Any) -> list[np.ndarray]:
    """The numpy arrays of a large_list array: views, also of a mapped file."""
    offsets = np.frombuffer(lists.buffers()[1], "<i8")[lists.offset : lists.offset + len(lists) + 1]
    flat = values_of(lists.values)
    return [flat[low:high] for low, high in zip(offsets[:-1].tolist(), offsets[1:].tolist(), strict=True)]


def _bits(buffer: Any, offset: int, count: int) -> np.ndarray:
    """uint8 `[count]`, 0 or 1, of a bitmap."""
    return np.unpackbits(np.frombuffer(buffer, np.uint8), bitorder="little")[offset : offset + count]
