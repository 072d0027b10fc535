"""What parsers of logs share: how much is read, what is remembered from block to block, notes, and how to give up."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ..messages import Message, Template


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

Memory = dict[str, Any]
"""What a reader has to know of a log when it goes on: JSON values, which the cache keeps beside the series."""


class Unreadable(Exception):
    """The file as a whole is not what its name says: a stable code and the reason."""

    def __init__(self, code: str, reason: Message) -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason


class ReadAgain(Exception):
    """What was learned from the first blocks does not hold; the file has to be read from its start with `memory`."""

    def __init__(self, memory: Memory) -> None:
        super().__init__("read again from the start")
        self.memory = memory


def note(memory: Memory, template: Template, count: int = 1, **values: str | int | float) -> None:
    """Counts one kind of incident; `{count}` in the template is how often it was met.

    What is kept are the template and its values, never the sentence: it is said in the reader's language.
    """
    notes: dict[str, Any] = memory.setdefault("notes", {})
    key = f"{template.code} {values}"
    if key in notes:
        notes[key]["count"] += count
    else:
        notes[key] = {**{part: getattr(template, part) for part in ("en", "zh", "code")}, "values": values}
        notes[key]["count"] = count


def notes_of(memory: Memory) -> list[Message]:
    """The notes as messages, in the order in which they were first met."""
    return [
        Template(one["en"], one["zh"], one["code"])(count=one["count"], **one["values"])
        for one in memory.get("notes", {}).values()
    ]
