"""Who holds which models, who waits for which, and what fits: the manager's books, kept within a memory budget.

What holds whenever the manager's lock is free, for every device:

* The sizes of all entries together (measured when loaded, estimated or remembered while loading) are at most the
  budget. A model that turns out larger than its estimate stays only if idle models can make up for it; otherwise it is
  dropped, its true size is remembered, and the request queues for that.
* A pinned model (one that a granted request holds) is never unloaded. The least recently used idle one goes first.
* There is at most one entry for each key, so one load however many ask.
* Newcomers enter in the order in which they came, device by device, even for a model that is loaded: otherwise a
  stream of small requests could keep a large one out for ever. A job that holds a lease goes before all newcomers (they
  wait for its end), so it can ask for the same model again, or for another, without waiting for them.
* A request takes all its models at once. If a job still asks for more while it holds some, and jobs so wait for each
  other, the youngest such request is refused.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from ..errors import BudgetExceeded
from .device import DTYPE_BYTES, Memory
from .encoder import Encoder
from .spec import ModelSpec
from .words import Says

if TYPE_CHECKING:
    import torch


class Key(NamedTuple):
    """What makes two loaded models different. `made_from` changes with the model's entry, its weight file, and the
    configuration beside it."""

    model_id: str
    device: str
    dtype: str
    made_from: Hashable


@dataclass(eq=False)
class Entry:
    """A model that is loaded, or room reserved for one."""

    key: Key
    spec: ModelSpec
    device: torch.device
    dtype: torch.dtype
    size_bytes: int
    last_used_s: float
    state: str = "loading"  # loading | ready; failed, and then no longer in the table
    claimed: bool = False  # a thread is at work on the load
    encoder: Encoder | None = None
    load_s: float = 0.0
    error: Exception | None = None


@dataclass(eq=False)
class Request:
    """One call of `lease_many`. It is in the queue, or granted (and holds its entries), or done."""

    job: object
    device: torch.device
    dtype: torch.dtype
    keys: list[Key]  # as asked for; may repeat
    specs: dict[Key, ModelSpec]
    ticket: int = 0  # its place in the queue
    entries: dict[Key, Entry] = field(default_factory=dict)
    found_loaded: set[Key] = field(default_factory=set)


class Ledger:
    """Every method is called with the manager's lock held.

    Attributes:
        entries: what is loaded or loading, the least recently used first.
        queue: requests that wait for room. granted: those that hold their entries.
        measured_bytes: true sizes, of models that were loaded before too.
    """

    def __init__(self, memory: Memory, clock: Callable[[], float]) -> None:
        self._memory = memory
        self._clock = clock
        self.entries: dict[Key, Entry] = {}
        self.queue: list[Request] = []
        self.granted: list[Request] = []
        self.measured_bytes: dict[Key, int] = {}

    # ---- requests ----

    def may_enter(self, request: Request) -> bool:
        """Whether it is the request's turn and there is room, if idle models leave."""
        if not self._fits(request, self._holders()):
            return False
        if request.job in self._holders():
            return True
        return not any(
            other.job in self._holders() or other.ticket < request.ticket
            for other in self.queue
            if other.device == request.device
        )

    def enter(self, request: Request) -> None:
        """Make room, reserve what is missing, pin everything."""
        missing = [key for key in request.specs if key not in self.entries]
        self.make_room(request.device, sum(self._size_bytes(request, key) for key in missing), keep=request.specs)
        for key, spec in request.specs.items():
            entry = self.entries.pop(key, None) or Entry(
                key, spec, request.device, request.dtype, self._size_bytes(request, key), self._clock()
            )
            if entry.state == "ready":
                request.found_loaded.add(key)
            self.entries[key] = request.entries[key] = entry  # to the end: used last
        self.queue.remove(request)
        self.granted.append(request)

    def leave(self, request: Request) -> None:
        """Unpin a request's entries; a reservation that nobody waits for any more goes with it."""
        if request in self.granted:
            self.granted.remove(request)
        for key, entry in request.entries.items():
            if self.entries.get(key) is entry:
                entry.last_used_s = self._clock()
                self.entries[key] = self.entries.pop(key)
                if entry.state == "loading" and not entry.claimed and self.pins(entry) == 0:
                    del self.entries[key]
        request.entries.clear()
        request.found_loaded.clear()

    def refuse_the_impossible(self, request: Request) -> None:
        """Raise `BudgetExceeded` if the request could wait for ever."""
        budget_bytes = self._memory.budget_bytes(request.device)
        wanted_bytes = sum(self._size_bytes(request, key) for key in request.specs)
        names = ", ".join(key.model_id for key in request.specs)
        if wanted_bytes > budget_bytes:
            raise BudgetExceeded(
                Says.budget_too_small(wanted=wanted_bytes / 2**30, budget=budget_bytes / 2**30, device=request.device),
                where=names,
                next_step=Says.choose_fewer(),
            )
        deadlocked = self._deadlocked()
        if deadlocked and request is max(deadlocked, key=lambda other: other.ticket):
            raise BudgetExceeded(
                Says.no_room_beside(device=request.device), where=names, next_step=Says.ask_all_at_once()
            )

    def _deadlocked(self) -> list[Request]:
        """Requests of jobs that wait for each other: each holds models, and needs the room that another's take.

        Jobs that do not wait are taken to end some day; then any waiting job that fits can go on and end, and so forth.
        """
        holders = self._holders()
        waiting = [request for request in self.queue if request.job in holders]
        while True:
            waiting_jobs = {request.job for request in waiting}
            able = [request for request in waiting if self._fits(request, waiting_jobs)]
            if not able:
                return waiting
            waiting = [request for request in waiting if request not in able]

    def _fits(self, request: Request, jobs: set[object]) -> bool:
        """Whether the request would have room beside what these jobs hold."""
        kept = {
            entry.key: entry.size_bytes
            for granted in self.granted
            if granted.job in jobs
            for entry in granted.entries.values()
            if entry.device == request.device and self.entries.get(entry.key) is entry
        }
        wanted = {key: self._size_bytes(request, key) for key in request.specs}
        return sum({**wanted, **kept}.values()) <= self._memory.budget_bytes(request.device)

    def _holders(self) -> set[object]:
        return {request.job for request in self.granted}

    def pins(self, entry: Entry) -> int:
        return sum(entry in request.entries.values() for request in self.granted)

    def idle(self) -> list[Entry]:
        """Loaded models that nobody holds, the least recently used first."""
        return [entry for entry in self.entries.values() if entry.state == "ready" and self.pins(entry) == 0]

    def used_bytes(self, device: torch.device) -> int:
        return sum(entry.size_bytes for entry in self.entries.values() if entry.device == device)

    def _size_bytes(self, request: Request, key: Key) -> int:
        """What a model takes: as it is loaded now, as it was measured before, or as its parameters suggest."""
        if key in self.entries:
            return self.entries[key].size_bytes
        estimate_bytes = int(request.specs[key].params_m * 1e6) * DTYPE_BYTES[key.dtype]
        return self.measured_bytes.get(key, estimate_bytes)

    def make_room(self, device: torch.device, needed_bytes: int, keep: Sequence[Key] | dict[Key, ModelSpec]) -> None:
        """Unload idle models, the least recently used first, until the budget and the device itself have room.

        The budget binds. The memory that is really free may be short because of other programs, which no waiting
        mends: then everything idle goes, and the load is tried.
        """
        evictable = [entry for entry in self.idle() if entry.device == device and entry.key not in keep]
        evicted = []
        budget_bytes = self._memory.budget_bytes(device)
        while evictable and self.used_bytes(device) + needed_bytes > budget_bytes:
            evicted.append(evictable.pop(0))
            self._drop(evicted[-1])
        while evictable and needed_bytes and self._free_bytes(device) < needed_bytes:
            evicted.append(evictable.pop(0))
            self._drop(evicted[-1])
        if evicted:
            self._memory.release(device)

    def _free_bytes(self, device: torch.device) -> float:
        """Memory really free on the device, less what loads under way are going to take."""
        free_bytes = self._memory.free_bytes(device)
        if free_bytes is None:
            return float("inf")
        reserved_bytes = sum(e.size_bytes for e in self.entries.values() if e.device == device and e.state == "loading")
        return free_bytes - reserved_bytes

    def evict(self, entries: list[Entry]) -> None:
        for entry in entries:
            self._drop(entry)
        for device in {entry.device for entry in entries}:
            self._memory.release(device)

    def _drop(self, entry: Entry) -> None:
        entry.encoder = None
        del self.entries[entry.key]
