"""The members of one job: where each computes, what it took, and under which passports its rows were computed."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from ..types import Member
from . import ensemble
from .memory import Probe
from .resume import passport_key

if TYPE_CHECKING:
    from ..models.encoder import Encoder
    from ..models.manager import Lease


class Members:
    """By model id. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._members: dict[str, Member] = {}
        self._passports: dict[str, list[dict[str, Any]]] = {}  # one each time it computed in another way; now last
        self._probes: dict[str, Probe] = {}

    def add(self, lease: Lease, probe: Probe) -> None:
        """A member that was lent; one lent again keeps the seconds that its first load took."""
        from ..models.device import dtype_name
        from ..models.passport import model_passport

        encoder = lease.encoder
        model_id = encoder.spec.id
        known = self._members.get(model_id)
        self._members[model_id] = Member(
            model_id,
            0,
            encoder.dim,
            load_s=lease.load_s or (known.load_s if known else 0.0),
            device=str(encoder.device),
            dtype=dtype_name(encoder.dtype),
            gmacs=encoder.spec.gmacs,
        )
        self._passports[model_id] = [model_passport(encoder)]
        self._probes[model_id] = probe

    def count(self, encoder: Encoder, encode_s: float) -> None:
        """Adds to a member's time, and notes where it computes now if it had to move."""
        from ..models.device import dtype_name
        from ..models.passport import model_passport

        device, dtype = str(encoder.device), dtype_name(encoder.dtype)
        with self._lock:
            member = self._members[encoder.spec.id]
            if (member.device, member.dtype) != (device, dtype):
                self._passports[encoder.spec.id].append(model_passport(encoder))
            self._members[encoder.spec.id] = replace(
                member, device=device, dtype=dtype, encode_s=member.encode_s + encode_s
            )

    def probe(self, model_id: str) -> Probe:
        return self._probes[model_id]

    def key(self, model_id: str) -> str:
        """By which the journal knows how the member computes now."""
        return passport_key(self._passports[model_id][-1])

    def side_by_side(self, models: Sequence[str], dims: Sequence[int]) -> tuple[Member, ...]:
        """The members with their columns, in this order."""
        columns = zip(models, ensemble.spans(dims), strict=True)
        return tuple(replace(self._members[model_id], start=start, stop=stop) for model_id, (start, stop) in columns)

    def passport(self, models: Sequence[str], normalize: bool) -> dict[str, Any]:
        """Of the table, the members in this order."""
        from ..models.passport import merged_passport, table_passport

        passports = [merged_passport(self._passports[model_id]) for model_id in models]
        return table_passport(passports, normalize, [self._probes[model_id].canaries for model_id in models])
