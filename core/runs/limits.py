"""How much is read, of one's own disk and of a stranger's files."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class ReadLimits:
    """Bounds on what is read. The defaults suit one's own disk; `UPLOAD_LIMITS` suit a stranger's files.

    Attributes:
        max_files: log files under one root; more are listed as a problem.
        max_depth: folders below the root.
        max_file_bytes: one log file.
        max_metrics: names in one file.
        block_bytes: how much is parsed at a time; bounds the memory of one worker to about thirty times it.
        max_block_bytes: the longest line or record.
        max_database_rows: rows of one trackio database.
        max_pack_bytes: all that one pack holds, unpacked.
    """

    max_files: int = 100_000
    max_depth: int = 32
    max_file_bytes: int = 16 * 2**30
    max_metrics: int = 5_000
    block_bytes: int = 8 * 2**20
    max_block_bytes: int = 256 * 2**20
    max_database_rows: int = 20_000_000
    max_pack_bytes: int = 64 * 2**30


UPLOAD_LIMITS = ReadLimits(
    max_files=2_000,
    max_depth=12,
    max_file_bytes=256 * 2**20,
    max_metrics=1_000,
    block_bytes=2 * 2**20,
    max_block_bytes=16 * 2**20,
    max_database_rows=1_000_000,
    max_pack_bytes=256 * 2**20,
)
