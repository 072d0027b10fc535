"""The manager lends models: each is loaded once, kept within a memory budget, and never taken from whoever uses it.

Read `ModelManager._obtain` first: it is the life of one request.

    lease ─▶ queue ─▶ enter: room made, models pinned ─▶ load what is missing ─▶ use ─▶ give back
               ▲                                              │
               └────── a model turned out larger than thought ┘

`ledger` keeps the books of this and says what always holds. Loads run one at a time, without the lock: building a
network touches process-wide torch state, and two loads would share one disk. Those who share a load that fails all get
its error, and the next request tries again.

A job is known by its `cancel` event, or without one by its thread: share no event between jobs.
"""

from __future__ import annotations

import copy
import itertools
import threading
import time
import traceback
from collections import Counter
from collections.abc import Callable, Hashable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from ..errors import Cancelled, InputError, OutOfMemory
from ..settings import Settings
from ..types import ModelStatus, Notice
from . import catalogue, weights
from .device import (
    Memory,
    SystemMemory,
    cpu_dtype_name,
    dtype_name,
    dtype_notices,
    is_out_of_memory,
    moved_to_cpu,
    pick_device,
    pick_dtype,
)
from .encoder import Encoder
from .ledger import Entry, Key, Ledger, Request
from .spec import ModelSpec
from .text_cache import TextCache
from .words import Says

if TYPE_CHECKING:
    import torch

CANCEL_POLL_S = 0.1  # an Event cannot wake a Condition, so a waiter that has one looks at it this often


class Lease:
    """A model lent until the `with` block ends.

    Attributes:
        load_s: seconds that loading took, the import of libraries at the first model of a family included; 0.0 if the
            model was loaded already.
        notices: what the manager did on the user's behalf (moved to the CPU, a slow dtype).
    """

    def __init__(self, encoder: Encoder, load_s: float, notices: list[Notice]) -> None:
        self._encoder: Encoder | None = encoder
        self.load_s = load_s
        self.notices = notices

    @property
    def encoder(self) -> Encoder:
        assert self._encoder is not None, "the lease has ended; use the encoder inside its `with` block"
        return self._encoder

    def _end(self) -> None:
        self._encoder = None  # a forgotten lease must not keep an evicted model in memory


class ModelManager:
    """Lends encoders to every part of the project. Thread-safe.

    Args:
        settings: weights folder, budgets, idle time.
        load: makes an encoder; default: `core.models.weights.load_encoder`.
        memory: budgets and free memory; default: this machine's.
        clock: seconds, monotonic.
        find: model id → catalogue entry; default: the catalogue and the custom checkpoints.

    Attributes:
        find: model id → catalogue entry; raises `UnknownModel`.
        text_cache: embeddings of captions, shared by all who use this manager.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        load: Callable[[ModelSpec, torch.device, torch.dtype], Encoder] | None = None,
        memory: Memory | None = None,
        clock: Callable[[], float] = time.monotonic,
        find: Callable[[str], ModelSpec] | None = None,
    ) -> None:
        self.settings = settings
        self.text_cache = TextCache()
        self._from_files = load is None
        self._load_encoder = load or (
            lambda spec, device, dtype: weights.load_encoder(spec, settings.weights_dir, device, dtype)
        )
        self.find = find or (lambda model_id: catalogue.find(model_id, settings.weights_dir))
        self._memory = memory or SystemMemory(settings)
        self._clock = clock

        self._changed = threading.Condition()  # guards everything below; notified when somebody may go on
        self._ledger = Ledger(self._memory, clock)
        self._tickets = itertools.count()
        self._load_running = False
        self._closed = False
        self._janitor: threading.Thread | None = None

    # ---- what others call ----

    @contextmanager
    def lease(
        self, model_id: str, device: str = "auto", dtype: str = "auto", cancel: threading.Event | None = None
    ) -> Iterator[Lease]:
        """Borrow one model for a `with` block; see `lease_many`."""
        with self.lease_many([model_id], device, dtype, cancel) as leases:
            yield leases[0]

    @contextmanager
    def lease_many(
        self,
        model_ids: Sequence[str],
        device: str = "auto",
        dtype: str = "auto",
        cancel: threading.Event | None = None,
    ) -> Iterator[list[Lease]]:
        """Borrow several models for a `with` block, all or none, in the order given.

        Waits for room and for loads. When an accelerator cannot take them, the CPU does, and a notice says so.

        Args:
            model_ids: catalogue ids; an id may stand there twice.
            device: `auto | cpu | gpu | cuda:N | mps`; `auto` is the settings' device. Where that leaves a choice, a GPU
                that has these models already comes before the freest.
            dtype: `auto | fp32 | bf16 | fp16`; `auto` is the settings' dtype.
            cancel: ends the waiting when set; also tells the manager which leases are one job's.

        Raises:
            UnknownModel, DeviceUnavailable, InputError: for names that mean nothing here.
            WeightsMissing, WeightsInvalid: from loading.
            BudgetExceeded: the models can never fit together. OutOfMemory: loading ran out of memory.
            Cancelled: `cancel` was set, or the manager was closed.
        """
        if not model_ids:
            raise InputError(Says.no_model_named(), next_step=Says.name_one())
        device = self.settings.device if device.strip().lower() == "auto" else device
        dtype = self.settings.dtype if dtype.strip().lower() == "auto" else dtype
        request, notices = self._obtain_or_move(model_ids, device, dtype, cancel)
        leases: list[Lease] = []
        try:
            leases = [self._lease_of(request, key, notices) for key in request.keys]
            yield leases
        finally:
            for lease in leases:
                lease._end()
            self._give_back(request)

    def status(self) -> list[ModelStatus]:
        """Every model that is loaded or loading, the most recently used first."""
        with self._changed:
            self._unload_idle()
            now_s = self._clock()
            return [
                ModelStatus(
                    model_id=entry.key.model_id,
                    device=entry.key.device,
                    dtype=entry.key.dtype,
                    state=entry.state,
                    size_bytes=entry.size_bytes,
                    leases=self._ledger.pins(entry),
                    load_s=entry.load_s,
                    last_used_s_ago=max(0.0, now_s - entry.last_used_s),
                )
                for entry in reversed(self._ledger.entries.values())
            ]

    def unload(self, model_id: str | None = None, device: torch.device | None = None) -> int:
        """Unload what nobody uses: one model or all, on one device or on all. Returns how many were unloaded."""
        with self._changed:
            idle = [
                entry
                for entry in self._ledger.idle()
                if model_id in (None, entry.key.model_id) and device in (None, entry.device)
            ]
            self._ledger.evict(idle)
            return len(idle)

    def release_memory(self, device: torch.device) -> None:
        """Give memory that was freed, but is kept for reuse, back to the device. For use after memory ran out."""
        self._memory.release(device)

    def close(self) -> None:
        """Release every waiter with `Cancelled` and unload everything; models in use go when they are given back."""
        with self._changed:
            self._closed = True
            self._ledger.evict(self._ledger.idle())
            self._changed.notify_all()

    # ---- the life of a request ----

    def _obtain_or_move(
        self, model_ids: Sequence[str], device: str, dtype: str, cancel: threading.Event | None
    ) -> tuple[Request, list[Notice]]:
        """Obtain the models on the device named, or on the CPU if an accelerator has no room for them."""
        request = self._request(model_ids, self._choose_device(model_ids, device), dtype, cancel)
        try:
            self._obtain(request, cancel)
            return request, dtype_notices(request.dtype, request.device)
        except OutOfMemory as error:
            if request.device.type == "cpu":
                raise
            reason = error.what
        moved = moved_to_cpu(", ".join(model_ids), request.device, reason)
        request = self._request(model_ids, pick_device("cpu"), cpu_dtype_name(dtype), cancel)
        self._obtain(request, cancel)
        return request, [moved, *dtype_notices(request.dtype, request.device)]

    def _obtain(self, request: Request, cancel: threading.Event | None) -> None:
        """Return when every model of the request is loaded and pinned; raise with nothing held."""
        try:
            with self._changed:
                request.ticket = next(self._tickets)
                self._ledger.queue.append(request)
            while (entry := self._next_to_load(request, cancel)) is not None:
                self._load(entry)
        except BaseException:
            self._give_back(request)
            raise

    def _next_to_load(self, request: Request, cancel: threading.Event | None) -> Entry | None:
        """Wait for the request's turn. Returns a model to load, claimed for this thread; None when all are ready."""
        with self._changed:
            while True:
                if self._closed:
                    raise Cancelled(Says.manager_closed())
                if cancel is not None and cancel.is_set():
                    raise Cancelled(Says.stopped_waiting())
                if request in self._ledger.queue:
                    self._ledger.refuse_the_impossible(request)
                    if self._ledger.may_enter(request):
                        self._ledger.enter(request)
                        self._changed.notify_all()
                        continue
                else:
                    states = {entry.state for entry in request.entries.values()}
                    if "failed" in states:
                        error = next(entry.error for entry in request.entries.values() if entry.error is not None)
                        raise _copy_of(error) from error
                    if states == {"ready"}:
                        return None
                    unclaimed = [e for e in request.entries.values() if e.state == "loading" and not e.claimed]
                    if unclaimed and not self._load_running:
                        self._load_running = unclaimed[0].claimed = True
                        return unclaimed[0]
                self._changed.wait(CANCEL_POLL_S if cancel is not None else None)

    def _give_back(self, request: Request) -> None:
        """End a request, whatever state it is in."""
        with self._changed:
            self._ledger.leave(request)
            if request in self._ledger.queue:
                self._ledger.queue.remove(request)
            if self._closed:
                self._ledger.evict(self._ledger.idle())
            self._changed.notify_all()

    # ---- loading; called without the lock ----

    def _load(self, entry: Entry) -> None:
        """Load a claimed entry and let everyone know how it went."""
        encoder: Encoder | None = None
        error: Exception | None = None
        begin_s = self._clock()
        try:
            encoder = self._load_or_make_room(entry)
        except Exception as caught:
            traceback.clear_frames(caught.__traceback__)  # kept for the waiters, it must not keep tensors
            error = caught
        finally:
            with self._changed:
                self._load_running = entry.claimed = False  # after KeyboardInterrupt another waiter takes the load over
                if encoder is not None:
                    entry.load_s = self._clock() - begin_s
                    self._settle(entry, encoder)
                elif error is not None:
                    entry.state, entry.error = "failed", error
                    del self._ledger.entries[entry.key]
                self._changed.notify_all()

    def _load_or_make_room(self, entry: Entry) -> Encoder:
        """Load; when memory runs out in spite of the budget, unload what is idle and try once more."""
        for _attempt in range(2):
            try:
                return self._load_encoder(entry.spec, entry.device, entry.dtype)
            except Exception as error:
                if not is_out_of_memory(error):
                    raise
                # Outside of this block the error is gone, and with it what the failed load had taken.
            unloaded = self.unload(device=entry.device)
            self._memory.release(entry.device)
            if unloaded == 0:
                break
        raise OutOfMemory(
            Says.memory_ran_out_loading(device=entry.key.device),
            where=entry.key.model_id,
            next_step=Says.choose_smaller_or_cpu(),
        )

    def _settle(self, entry: Entry, encoder: Encoder) -> None:
        """Replace the estimate by the truth, and keep the model if the truth has room."""
        self._ledger.measured_bytes[entry.key] = entry.size_bytes = encoder.size_bytes
        self._ledger.make_room(entry.device, 0, keep=())
        if self._ledger.used_bytes(entry.device) <= self._memory.budget_bytes(entry.device):
            entry.state, entry.encoder = "ready", encoder
            self._start_janitor()
        else:
            del self._ledger.entries[entry.key]
            for request in [granted for granted in self._ledger.granted if entry in granted.entries.values()]:
                self._ledger.leave(request)
                self._ledger.queue.append(request)  # at its old place, which its ticket says

    # ---- idle models ----

    def _unload_idle(self) -> None:
        """Unload what nobody has used for `settings.idle_unload_s`."""
        idle_s = self.settings.idle_unload_s
        if idle_s > 0:
            now_s = self._clock()
            self._ledger.evict([entry for entry in self._ledger.idle() if now_s - entry.last_used_s >= idle_s])

    def _start_janitor(self) -> None:
        """A daemon thread that unloads idle models while nobody calls; it lives as long as models are loaded."""
        if self.settings.idle_unload_s > 0 and self._janitor is None:
            self._janitor = threading.Thread(target=self._keep_tidy, name="model-janitor", daemon=True)
            self._janitor.start()

    def _keep_tidy(self) -> None:
        with self._changed:
            while self._ledger.entries and not self._closed:
                self._unload_idle()
                ages_s = [self._clock() - entry.last_used_s for entry in self._ledger.idle()]
                self._changed.wait(max(0.01, self.settings.idle_unload_s - max(ages_s, default=0.0)))
            self._janitor = None

    # ---- making requests and leases; called without the lock ----

    def _choose_device(self, model_ids: Sequence[str], name: str) -> torch.device:
        """The device named; where it is any GPU, rather one that has these models than the freest."""
        device = pick_device(name)
        if device.type == "cuda" and name.strip().lower() in ("auto", "gpu", "cuda"):
            with self._changed:
                homes = Counter(
                    entry.device
                    for entry in self._ledger.entries.values()
                    if entry.device.type == "cuda" and entry.key.model_id in model_ids
                )
            if homes:
                return homes.most_common(1)[0][0]
        return device

    def _request(
        self, model_ids: Sequence[str], device: torch.device, dtype: str, cancel: threading.Event | None
    ) -> Request:
        torch_dtype = pick_dtype(dtype, device)
        specs = [self.find(model_id) for model_id in model_ids]
        keys = [Key(spec.id, str(device), dtype_name(torch_dtype), self._made_from(spec)) for spec in specs]
        job = cancel if cancel is not None else threading.get_ident()
        return Request(job, device, torch_dtype, keys, dict(zip(keys, specs, strict=True)))

    def _made_from(self, spec: ModelSpec) -> Hashable:
        """What a model is made of now: where its entry or one of its files says something else, it is another model."""
        path = weights.locate(spec, self.settings.weights_dir) if self._from_files else None
        try:
            files = weights.state_of_files(spec, path) if path is not None else ""
        except OSError:  # gone since: loading it will say so
            files = ""
        return spec.architecture, spec.preprocessing, spec.has_text, files

    def _lease_of(self, request: Request, key: Key, notices: list[Notice]) -> Lease:
        entry = request.entries[key]
        assert entry.encoder is not None, "a granted request holds loaded models"
        return Lease(entry.encoder, 0.0 if key in request.found_loaded else entry.load_s, list(notices))


def _copy_of(error: Exception) -> Exception:
    """Several threads raise the error of a shared load, and raising changes an exception: each gets its own."""
    try:
        return copy.copy(error)
    except Exception:  # of a class that cannot be copied
        return error
