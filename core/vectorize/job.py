"""One job: what its threads share, from the first model lent to the table. `pipeline` says how they work together."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import BudgetExceeded, ImageRejected, OutOfMemory, stop_if_set
from ..images.decode import decode
from ..settings import ImageLimits
from ..types import ImageSource, Notice, Progress, Reject, VectorizeRequest, VectorTable
from . import ensemble
from .members import Members
from .memory import check_shape, chunks_ahead, images_per_pass, probe_of
from .resume import Identity, Journal, identity
from .threads import MOST_STREAMS, Feed, IntraOpThreads, chunked, cores, threads_begin
from .words import Says

if TYPE_CHECKING:
    import torch

    from ..models.batching import BatchRunner
    from ..models.encoder import Encoder
    from ..models.manager import Lease, ModelManager


@dataclass(frozen=True)
class _Prepared:
    """One image, ready for every member, or the reason why there is none."""

    pixels: tuple[torch.Tensor, ...] = ()
    file: Identity | None = None
    seconds: float = 0.0
    reject: Reject | None = None


class Job:
    """What the threads of one call share. `_lock` guards what they write; rows of the arrays belong to one thread."""

    def __init__(
        self,
        sources: list[ImageSource],
        request: VectorizeRequest,
        manager: ModelManager,
        limits: ImageLimits,
        journal_folder: Path | None,
        rejects: list[Reject],
        notices: list[Notice],
    ) -> None:
        self.stop = threading.Event()
        self.finished = threading.Event()
        self.failure: BaseException | None = None
        self.table: VectorTable | None = None

        self._sources = sources
        self._request = request
        self._manager = manager
        self._limits = limits
        self._journal_folder = journal_folder
        self._journal: Journal | None = None
        self._earlier_rejects = rejects

        self._lock = threading.Lock()
        self._notices = notices
        self._rejects: dict[int, Reject] = {}
        self._features: dict[str, np.ndarray] = {}  # model id → [N, D_m]
        self._have: dict[str, np.ndarray] = {}  # model id → bool [N]
        self._members = Members()
        self._ms_N = np.zeros(len(sources), dtype=np.float32)

        self._stage = "load"
        self._passes = 1
        self._done = 0  # rows and rejects, of all passes
        self._computed = 0  # of these, not from the journal
        self._worked_s = 0.0  # of the passes that ended
        self._pass_began_s: float | None = None
        self._last_done_s = 0.0  # worked seconds when `_done` last grew

    # ---- the driver thread ----

    def run(self) -> None:
        """Everything, to `table` or `failure`."""
        try:
            with ExitStack() as stack:
                if self._journal_folder is not None:
                    self._journal = stack.enter_context(Journal(self._journal_folder))
                    if self._journal.set_aside is not None:
                        told = Says.journal_set_aside(path=self._journal.set_aside)
                        self._note([Notice("journal_damaged", told)])
                self._run_passes()
            self.table = self._result()
        except BaseException as error:
            self._fail(error)
        finally:
            self.finished.set()

    def _run_passes(self) -> None:
        """All members at once where they fit; else one after the other."""
        models = self._request.models
        try:
            with self._lend(models) as leases:
                if len(models) == 1 or not self._was_moved(leases):
                    self._pass(leases)
                    return
            says = Says.one_at_a_time_gpu
        except BudgetExceeded:
            if len(models) == 1 or self.failure is not None:
                raise
            says = Says.one_at_a_time
        self._note([Notice("one_at_a_time", says(count=len(models)))])
        self._passes = len(models)
        for model_id in models:
            with self._lend([model_id]) as leases:
                self._pass(leases)

    def _lend(self, models: Sequence[str]) -> Any:
        self._stage = "load"
        return self._manager.lease_many(models, self._request.device, self._request.dtype, self.stop)

    def _was_moved(self, leases: list[Lease]) -> bool:
        """Whether the models were to run on a GPU, and the CPU took them."""
        from ..models.device import pick_device

        name = self._request.device
        wanted = pick_device(self._manager.settings.device if name == "auto" else name)
        return wanted.type != "cpu" and any(lease.encoder.device.type == "cpu" for lease in leases)

    def _pass(self, leases: list[Lease]) -> None:
        """All images through these members."""
        for lease in leases:
            self._add_member(lease)
        models = [lease.encoder.spec.id for lease in leases]
        if self._journal is not None:
            self._restore(self._journal, models)
        done_N = np.all([self._have[model_id] for model_id in models], axis=0)
        todo = {row for row in np.flatnonzero(~done_N).tolist() if row not in self._rejects}
        with self._lock:
            self._done += len(self._sources) - len(todo)
            self._stage = "vectorize"
            self._pass_began_s = time.perf_counter()
        try:
            if todo:
                self._run_threads(leases, todo)
        finally:
            with self._lock:
                self._worked_s += time.perf_counter() - self._pass_began_s
                self._pass_began_s = None
        if self.failure is not None:
            raise self.failure
        stop_if_set(self.stop)

    def _run_threads(self, leases: list[Lease], todo: set[int]) -> None:
        """The decode pool and the encode threads, from start to join."""
        import torch

        with threads_begin:
            default_threads = torch.get_num_threads()
            on_cpu = all(lease.encoder.device.type == "cpu" for lease in leases)
            streams = max(1, min(default_threads, MOST_STREAMS, len(self._sources))) if on_cpu else 1
            # The grid is that of the whole job, so that a run that goes on after a kill has the same batches.
            chunk_images = max(self._images_per_pass(lease.encoder) for lease in leases)
            grid = chunked(len(self._sources), chunk_images, streams)
            chunks = [rows for rows in ([row for row in chunk if row in todo] for chunk in grid) if rows]
            streams = min(streams, len(chunks))
            workers = min(cores(), len(todo))
            threads = IntraOpThreads(default_threads, workers + streams)
            pool = ThreadPoolExecutor(workers, "decode", threads.enter, (1,))
            feed = Feed(pool, chunks, lambda row: self._prepare(row, leases), chunks_ahead(leases, chunk_images))
            encoders = [
                threading.Thread(
                    target=self._encode_stream,
                    args=(leases, feed, threads, max(1, default_threads // streams), streams),
                    name=f"encode-{number}",
                    daemon=True,
                )
                for number in range(streams)
            ]
            try:
                for _ in range(workers):
                    pool.submit(threads.wait)  # so that all threads of the pool start now
                for thread in encoders:
                    thread.start()
                threads.restore_default()
            except BaseException:
                self.stop.set()
                threads.give_up()
                pool.shutdown(wait=True, cancel_futures=True)
                raise
        for thread in encoders:
            thread.join()
        pool.shutdown(wait=True, cancel_futures=True)

    def _images_per_pass(self, encoder: Encoder) -> int:
        return images_per_pass(encoder, self._request.batch_size, self._members.probe(encoder.spec.id))

    # ---- the decode pool ----

    def _prepare(self, row: int, leases: list[Lease]) -> _Prepared:
        """Decode one image and preprocess it for each member."""
        stop_if_set(self.stop)
        source = self._sources[row]
        begin_s = time.perf_counter()
        file = identity(source) if self._journal is not None else None
        try:
            rgb_HWC = decode(source, self._limits)
            check_shape(source.id, rgb_HWC, leases)
        except ImageRejected as error:
            return _Prepared(reject=Reject(source.id, error.code_detail, error.what))
        pixels = tuple(lease.encoder.preprocess(rgb_HWC) for lease in leases)
        return _Prepared(pixels, file, time.perf_counter() - begin_s)

    # ---- the encode threads ----

    def _encode_stream(
        self, leases: list[Lease], feed: Feed, threads: IntraOpThreads, intra_op_threads: int, streams: int
    ) -> None:
        """Chunk after chunk until there is none, or somebody failed."""
        from ..models.batching import BatchRunner
        from ..models.device import dtype_name

        try:
            threads.enter(intra_op_threads)
            threads.wait()
            with ExitStack() as stack:
                runners = [
                    stack.enter_context(
                        BatchRunner(
                            self._manager,
                            lease.encoder.spec.id,
                            device=str(lease.encoder.device),
                            dtype=dtype_name(lease.encoder.dtype),
                            batch_size=self._images_per_pass(lease.encoder),
                            cancel=self.stop,
                        )
                    )
                    for lease in leases
                ]
                known = [len(runner.notices) for runner in runners]
                while not self.stop.is_set() and (chunk := feed.next()) is not None:
                    rows, futures = chunk
                    prepared = [future.result() for future in futures]
                    del chunk, futures  # the pixels live in `prepared` alone, which is emptied once they are stacked
                    self._encode_chunk(rows, prepared, runners, streams)
                    for number, runner in enumerate(runners):
                        self._note(runner.notices[known[number] :])
                        known[number] = len(runner.notices)
        except BaseException as error:
            self._fail(error)

    def _encode_chunk(
        self, rows: list[int], prepared: list[_Prepared], runners: list[BatchRunner], streams: int
    ) -> None:
        """One chunk through every member; `prepared` is emptied."""
        import torch

        rejects = {row: item.reject for row, item in zip(rows, prepared, strict=True) if item.reject is not None}
        good = [(row, item) for row, item in zip(rows, prepared, strict=True) if item.reject is None]
        good_rows, files = [row for row, _ in good], [item.file for _, item in good]
        seconds_B = np.array([item.seconds for _, item in good])
        batches = [torch.stack(members) for members in zip(*(item.pixels for _, item in good), strict=True)]
        prepared.clear()
        good.clear()
        features: dict[str, np.ndarray] = {}
        begin_s = time.perf_counter()
        for runner in runners if batches else []:
            part_s = time.perf_counter()
            features[runner.encoder.spec.id] = runner.encode(batches.pop(0))
            self._members.count(runner.encoder, (time.perf_counter() - part_s) / streams)
        ms_B = ((seconds_B + (time.perf_counter() - begin_s) / max(1, len(files))) * 1000).astype(np.float32)
        rejects |= self._keep(good_rows, files, ms_B, features)
        with self._lock:
            self._rejects.update(rejects)
            self._done += len(rows)
            self._computed += len(rows)
            self._last_done_s = self._worked_now_s()

    def _keep(
        self, rows: list[int], files: list[Identity | None], ms_B: np.ndarray, features: dict[str, np.ndarray]
    ) -> dict[int, Reject]:
        """Takes rows over into the table and the journal; rows with a value that is not finite come back as rejects."""
        finite_B = np.ones(len(rows), dtype=bool)
        for part in features.values():
            finite_B &= np.isfinite(part).all(axis=1)
        kept = np.flatnonzero(finite_B)
        kept_rows = np.array(rows, dtype=np.int64)[kept]
        features = {model_id: part[kept] for model_id, part in features.items()}
        for model_id, part in features.items():
            self._features[model_id][kept_rows] = part
        self._ms_N[kept_rows] += ms_B[kept]
        self._journalise([files[place] for place in kept], ms_B[kept], features)
        with self._lock:
            for model_id in features:
                self._have[model_id][kept_rows] = True
        lost = [rows[place] for place in np.flatnonzero(~finite_B).tolist()]
        return {row: Reject(self._sources[row].id, "not_finite", Says.vector_not_finite()) for row in lost}

    # ---- the journal ----

    def _journalise(self, files: list[Identity | None], ms_B: np.ndarray, features: dict[str, np.ndarray]) -> None:
        known = [place for place, file in enumerate(files) if file is not None]
        if self._journal is None or not known:
            return
        keys = {model_id: self._members.key(model_id) for model_id in features}
        found = [file for file in files if file is not None]
        self._journal.append(keys, found, ms_B[known], {m: part[known] for m, part in features.items()})

    def _restore(self, journal: Journal, models: list[str]) -> None:
        """Takes over rows whose file, weights, preprocessing, dtype and libraries are still the same."""
        row_of = {file: row for row, source in enumerate(self._sources) if (file := identity(source)) is not None}
        keys = {model_id: self._members.key(model_id) for model_id in models}
        restored: set[int] = set()
        unused = 0
        for block in journal.blocks():
            asked = [model_id for model_id in models if model_id in block.keys]
            fits = [model_id for model_id in asked if block.keys[model_id] == keys[model_id]]
            known = [(place, row_of[file]) for place, file in enumerate(block.files) if file in row_of] if fits else []
            places, rows = [place for place, _row in known], [row for _place, row in known]
            for model_id in fits:
                self._features[model_id][rows] = block.features[model_id][places]
                self._have[model_id][rows] = True
            self._ms_N[rows] += block.ms_B[places]
            restored.update(rows)
            unused += len(block.files) - len(rows) if asked else 0
        if restored:
            self._note([Notice("resumed", Says.rows_resumed(count=len(restored)))])
        if unused:
            self._note([Notice("not_resumed", Says.rows_not_resumed(count=unused))])

    # ---- members, result, progress ----

    def _add_member(self, lease: Lease) -> None:
        encoder = lease.encoder
        model_id = encoder.spec.id
        self._members.add(lease, probe_of(encoder, self._manager, self.stop))
        if model_id not in self._features:
            self._features[model_id] = np.zeros((len(self._sources), encoder.dim), dtype=np.float32)
            self._have[model_id] = np.zeros(len(self._sources), dtype=bool)
        self._note(lease.notices)

    def _result(self) -> VectorTable:
        models = self._request.models
        whole_N = np.all([self._have[model_id] for model_id in models], axis=0)
        rows = [row for row in np.flatnonzero(whole_N).tolist() if row not in self._rejects]
        lost = set(range(len(self._sources))) - set(rows) - set(self._rejects)
        assert not lost, f"rows neither done nor rejected: {sorted(lost)[:5]}"
        every = len(rows) == len(self._sources)
        parts = [self._features[model_id] if every else self._features[model_id][rows] for model_id in models]
        return VectorTable(
            ids=tuple(self._sources[row].id for row in rows),
            vectors_ND=ensemble.join(parts, self._request.normalize),
            members=self._members.side_by_side(models, [part.shape[1] for part in parts]),
            passport=self._members.passport(models, self._request.normalize),
            rejects=(*self._earlier_rejects, *(self._rejects[row] for row in sorted(self._rejects))),
            ms_N=self._ms_N[rows],
            seconds=self._worked_s,
            notices=tuple(self._notices),
        )

    def progress(self) -> Progress:
        """How far the job is now."""
        total = len(self._sources)
        with self._lock:
            rate = self._computed / self._last_done_s / self._passes if self._computed and self._last_done_s else 0.0
            left = total * self._passes - self._done
            since_s = self._worked_now_s() - self._last_done_s
            return Progress(
                stage=self._stage,
                done=self._done // self._passes,
                total=total,
                images_per_s=rate,
                seconds_left=max(0.0, left / (rate * self._passes) - since_s) if rate else None,
                notices=tuple(self._notices),
            )

    def _worked_now_s(self) -> float:
        began_s = self._pass_began_s
        return self._worked_s + (time.perf_counter() - began_s if began_s is not None else 0.0)

    def _note(self, notices: Sequence[Notice]) -> None:
        with self._lock:
            self._notices.extend(notice for notice in notices if notice not in self._notices)

    def _fail(self, error: BaseException) -> None:
        """The first failure is the one told; the others follow from it."""
        from ..models.device import is_out_of_memory

        if not isinstance(error, OutOfMemory) and isinstance(error, Exception) and is_out_of_memory(error):
            error = OutOfMemory(Says.memory_ran_out(), next_step=Says.use_smaller())
        with self._lock:
            if self.failure is None:
                self.failure = error
        self.stop.set()
