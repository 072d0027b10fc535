"""What a parser remembers of a log from block to block, what it notes, and how it gives up."""

from __future__ import annotations

from typing import Any

from ..messages import Message, Template

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
