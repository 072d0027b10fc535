"""Whether a file's vectors and vectors made now may be compared: by their passports, and by canaries encoded again."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ..errors import PassportMismatch
from ..messages import Message
from ..types import Member, VectorTable
from .words import Says

if TYPE_CHECKING:
    from ..models.manager import ModelManager


def check(table: VectorTable, manager: ModelManager, *, device: str = "auto") -> list[Message]:
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


def check_passport(stored: Mapping[str, Any], current: Mapping[str, Any]) -> list[Message]:
    """Warnings of a comparison. Raises `PassportMismatch` where it refuses."""
    from ..models.passport import compare

    comparison = compare(stored, current)
    if comparison.refused:
        raise PassportMismatch(
            Says.not_comparable(differences=list(comparison.refused)), next_step=Says.vectorize_again_or_bring_back()
        )
    return list(comparison.warnings)


def check_member(table: VectorTable, member: Member, current: Mapping[str, Any]) -> list[Message]:
    """As `check_passport`, for one member and without canaries."""
    stored = [part for part in table.passport.get("members", []) if part.get("model_id") == member.model_id]
    rest = {"format": table.passport.get("format"), "normalize": table.passport.get("normalize")}
    return check_passport({**rest, "members": stored}, {**rest, "members": [current]})


def dtype_here(member: Member, manager: ModelManager, device: str) -> str:
    """The dtype that the member was computed in, or `auto` where this device does not offer it."""
    from ..models.device import pick_device

    wanted_device = manager.settings.device if device == "auto" else device
    return "auto" if member.dtype == "fp16" and pick_device(wanted_device).type == "cpu" else member.dtype
