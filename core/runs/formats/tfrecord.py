"""TensorFlow's record files: `length u64 | crc u32 | payload | crc u32` after one another, little-endian.

Checksums are verified of many records at once: of every header, and of every payload up to 64 KiB.
"""

from __future__ import annotations

import struct
from functools import lru_cache

import numpy as np

HEADER_BYTES = 12
FOOTER_BYTES = 4
MAX_RECORD_BYTES = 256 * 2**20  # an image summary may be large; a length beyond this is damage
ROW_FROM = 16  # so many records of one length begin a row
LONGEST_CHECKED_BYTES = 64 * 2**10  # longer payloads are images, audio and graphs, of which nothing is shown

_CRC_TABLE: np.ndarray = np.zeros(256, dtype=np.uint32)
for _byte in range(256):
    _crc = _byte
    for _ in range(8):
        _crc = (_crc >> 1) ^ (0x82F63B78 if _crc & 1 else 0)  # Castagnoli, reflected
    _CRC_TABLE[_byte] = _crc

# Two bytes at a step: half the steps, and the table still fits a processor's cache.
_two: np.ndarray = np.arange(2**16, dtype=np.uint32)
for _ in range(2):
    _two = _CRC_TABLE[_two & 0xFF] ^ (_two >> 8)
_CRC_TABLE_OF_TWO = _two


def masked_crc32c(data: np.ndarray, starts: np.ndarray, lengths: np.ndarray) -> np.ndarray:
    """TFRecord's masked CRC-32C of many byte strings at once.

    Args:
        data: uint8 `[bytes]`.
        starts, lengths: int64 `[N]`, the strings; of four bytes at least.

    Returns:
        uint32 `[N]`.

    Strings are laid right-aligned into a matrix, zeros before them, and walked two columns at a time: leading
    zeros leave a CRC that starts from zero unchanged, and CRC-32C's own start value is the same as inverting the first
    four bytes.
    """
    result: np.ndarray = np.empty(len(starts), dtype=np.uint32)
    widths = np.where(lengths <= 256, -(-lengths // 8) * 8, 2 ** np.ceil(np.log2(np.maximum(lengths, 1))).astype(int))
    for width in np.unique(widths).tolist():
        strings = np.flatnonzero(widths == width)
        padded = np.concatenate([np.zeros(width, dtype=np.uint8), data])
        windows = np.lib.stride_tricks.sliding_window_view(padded, width)
        for some in np.array_split(strings, len(strings) * width // 2**23 + 1):  # 8 MB at a time
            rows = windows[starts[some] + lengths[some]]  # the window that ends where the string ends
            blank = (width - lengths[some])[:, None]
            rows[np.arange(width) < blank] = 0
            np.put_along_axis(
                rows, blank + np.arange(4), ~np.take_along_axis(rows, blank + np.arange(4), axis=1), axis=1
            )
            crc: np.ndarray = np.zeros(len(some), dtype=np.uint32)
            for column in np.ascontiguousarray(rows.view("<u2").T):
                crc = _CRC_TABLE_OF_TWO[(crc ^ column) & 0xFFFF] ^ (crc >> 16)
            crc = ~crc
            result[some] = ((crc >> 15) | (crc << 17)) + np.uint32(0xA282EAD8)
    return result


@lru_cache(maxsize=4096)
def _masked_crc_of_length(length: int) -> int:
    header = np.frombuffer(struct.pack("<Q", length), dtype=np.uint8)
    return int(masked_crc32c(header, np.array([0]), np.array([8]))[0])


def find_records(block: bytes) -> tuple[np.ndarray, np.ndarray, int, bool]:
    """Where the complete records' payloads start and how long they are; bytes used; whether a header is damaged.

    Where each record starts is known from the one before. But a training writes long rows of records of one length:
    after a few of those the row is measured at once.
    """
    read_header = struct.Struct("<QI").unpack_from
    data = np.frombuffer(block, dtype=np.uint8)
    positions: list[int] = []
    crc_of: dict[int, int] = {}  # of the lengths met so far; this loop runs once a record
    position, end = 0, len(block)
    damaged = False
    alike, length_before = 0, -1
    while position + HEADER_BYTES <= end:
        length, crc = read_header(block, position)
        if crc_of.get(length) != crc:
            if crc != _masked_crc_of_length(length) or length > MAX_RECORD_BYTES:
                damaged = True
                break
            crc_of[length] = crc
        stride = HEADER_BYTES + FOOTER_BYTES + length
        if position + stride > end:
            break
        positions.append(position)
        position += stride
        alike = alike + 1 if length == length_before else 0
        length_before = length
        if alike == ROW_FROM:
            row = _row_of(data, position, stride)
            positions.extend(range(position, position + row * stride, stride))
            position += row * stride
            alike = 0
    bounds: np.ndarray = np.asarray([*positions, position], dtype=np.int64)
    return bounds[:-1] + HEADER_BYTES, np.diff(bounds) - HEADER_BYTES - FOOTER_BYTES, position, damaged


def _row_of(data: np.ndarray, position: int, stride: int) -> int:
    """How many complete records from `position` on have the header of the one before it."""
    most = (len(data) - position) // stride
    before = data[position - stride : position - stride + HEADER_BYTES]
    found, look = 0, ROW_FROM
    while found < most:
        start, count = position + found * stride, min(look, most - found)
        headers = data[start : start + count * stride].reshape(count, stride)[:, :HEADER_BYTES]
        other = np.flatnonzero((headers != before).any(axis=1))
        if len(other):
            return found + int(other[0])
        found += count
        look *= 8  # a short row costs a short look
    return found


def count_sound(block: bytes, starts: np.ndarray, lengths: np.ndarray) -> int:
    """How many payloads come before the first that is damaged; all of them if none is."""
    data = np.frombuffer(block, dtype=np.uint8)
    checked = np.flatnonzero((lengths >= 4) & (lengths <= LONGEST_CHECKED_BYTES))
    footers = np.lib.stride_tricks.sliding_window_view(data, FOOTER_BYTES)[starts[checked] + lengths[checked]]
    stored = np.ascontiguousarray(footers).view("<u4").ravel()
    bad = checked[masked_crc32c(data, starts[checked], lengths[checked]) != stored]
    return int(bad[0]) if len(bad) else len(starts)
