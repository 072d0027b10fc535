"""The one family of errors a user can meet.

Every error says what happened, where, and the next step; sentences come from a package's `words.py`. The command line
prints it, the app says it in the visitor's language. `assert` is kept for invariants; these are for people.
"""

from __future__ import annotations

import threading
from functools import partial

from .messages import NOTHING, Message, english, joined
from .words import Common


class WorkbenchError(Exception):
    """Base of all errors shown to a user.

    Args:
        what: one sentence, what happened: of a `words.py`, or (a trainer's own) plain English.
        where: the file, model, key or row concerned; empty if `what` already says it.
        next_step: what the user can do now; a command where there is one.
    """

    code = "error"

    def __init__(self, what: str, *, where: str = "", next_step: str = NOTHING) -> None:
        super().__init__(what)
        self.what: Message = english(what)
        self.where = where
        self.next_step: Message = english(next_step)

    @property
    def said(self) -> Message:
        """What happened and the next step, for the reason of a reject or a problem."""
        return joined(self.what, self.next_step)

    def __str__(self) -> str:
        parts = [self.what if not self.where else f"{self.what} [{self.where}]"]
        if self.next_step:
            parts.append(f"Next: {self.next_step}")
        return " ".join(parts)

    def __reduce__(self):  # keyword-only arguments survive a process boundary
        return partial(type(self), where=self.where, next_step=self.next_step), (self.what,)


class InputError(WorkbenchError, ValueError):
    """Something the user gave (a value, a file, a flag) cannot be used."""

    code = "input"


class ImageRejected(InputError):
    """One image cannot be used. Becomes a `Reject` row; never stops the others.

    `code_detail` is the reject's stable code: `empty | not_an_image | truncated | too_large | unreadable |
    unsupported`.
    """

    code = "image"

    def __init__(
        self, what: str, *, where: str = "", next_step: str = NOTHING, code_detail: str = "unreadable"
    ) -> None:
        super().__init__(what, where=where, next_step=next_step)
        self.code_detail = code_detail

    def __reduce__(self):
        rebuild, what = super().__reduce__()
        return partial(rebuild, code_detail=self.code_detail), what


class UnknownModel(InputError):
    """A model id that is neither in the catalogue nor under `weights/custom/`."""

    code = "unknown_model"


class WeightsMissing(WorkbenchError):
    """The model is known, its weight file is not here. `next_step` is the one command that mends it."""

    code = "weights_missing"


class WeightsInvalid(WorkbenchError):
    """A weight file is damaged, or its keys or shapes do not fit the architecture."""

    code = "weights_invalid"


class PackageMissing(WorkbenchError):
    """An optional package is not installed."""

    code = "package_missing"


class NetworkUnavailable(WorkbenchError):
    """A download was asked for and the network does not answer."""

    code = "network"


class DeviceUnavailable(InputError):
    """A device was named that this machine does not have."""

    code = "device"


class OutOfMemory(WorkbenchError):
    """Memory ran out even after smaller batches, eviction and the fall back to CPU."""

    code = "out_of_memory"


class BudgetExceeded(OutOfMemory):
    """The models asked for together can never fit the memory budget of the device."""

    code = "budget"


class Unsupported(InputError):
    """The model has no such part (text tower, patch tokens)."""

    code = "unsupported"


class PassportMismatch(WorkbenchError, ValueError):
    """Vectors from a file and vectors made now are not comparable; `what` names the difference."""

    code = "passport"


class StoreError(WorkbenchError):
    """A file of vectors cannot be read or written."""

    code = "store"


class Cancelled(WorkbenchError):
    """The user stopped the job."""

    code = "cancelled"


def stop_if_set(cancel: threading.Event | None) -> None:
    """Raises `Cancelled` once the job's event is set."""
    if cancel is not None and cancel.is_set():
        raise Cancelled(Common.stopped())
