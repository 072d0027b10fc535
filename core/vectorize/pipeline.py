"""The main job: images → vectors. Read this first.

    sources ─▶ chunks ─▶ decode pool: decode once, preprocess for each member ─▶ encode threads ─▶ features ─▶ table
                           (a few chunks ahead, no more)                    (journal, synced after each chunk)

`vectorize` is a generator: it yields a `Progress` about five times a second and the `VectorTable` last. Closing it, or
setting `cancel`, stops everything: what is being decoded and encoded at that moment is finished, nothing else begins,
and all threads are joined before it returns.

Threads. Decoding, resizing and the matrix kernels all release the GIL, so threads are enough. On the CPU each core
encodes chunks of its own with one thread, instead of all cores sharing one chunk: no core waits for another at the
end of each kernel, and the decoders fill whatever time is left. Measured on two cores with a ViT-B/32 in fp32, this
takes about a tenth less core time for each image than two threads in one chunk. A GPU has one encode thread.

Batches. On the CPU a forward pass takes at most as many images as keep each tensor inside the network below 28 MiB,
even if the batch size asked for is larger. The C library gets larger blocks from the kernel, page by page and zeroed,
each time anew: with 32 images in a pass that alone took half of an EfficientNet-Lite0's time.

Memory. Decoded images live only inside the pool, one for each of its threads; what waits is preprocessed pixels, at
most `_AHEAD_CHUNKS` chunks, fewer where they are large.
"""

from __future__ import annotations

import contextlib
import os
import threading
import time
import weakref
from collections import deque
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import BudgetExceeded, Cancelled, ImageRejected, OutOfMemory
from ..images.decode import decode
from ..images.sources import with_unique_ids
from ..settings import ImageLimits
from ..types import ImageSource, Member, Notice, Progress, Reject, VectorizeRequest, VectorTable
from ..words import Common
from . import ensemble
from .resume import Identity, Journal, identity, passport_key
from .words import Says

if TYPE_CHECKING:
    import torch

    from ..models.batching import BatchRunner
    from ..models.encoder import Encoder
    from ..models.manager import Lease, ModelManager

PROGRESS_EVERY_S = 0.2
_AHEAD_CHUNKS = 3
_AHEAD_BYTES = 512 * 2**20
_MOST_STREAMS = 16
_CPU_TENSOR_BYTES = 28 * 2**20  # glibc keeps blocks below 32 MiB for reuse
_MOST_RESIZED_PIXELS = 25_000_000  # a shape of 1 : 500 at 224 px; a line of 1 × 60,000 px would become gigabytes


def vectorize(
    sources: Sequence[ImageSource],
    request: VectorizeRequest,
    manager: ModelManager,
    *,
    limits: ImageLimits = ImageLimits(),
    cancel: threading.Event | None = None,
    rejects: Sequence[Reject] = (),
    notices: Sequence[Notice] = (),
    journal_folder: Path | None = None,
) -> Generator[Progress | VectorTable, None, None]:
    """Vectors of images, in the order of `sources`; the last item is the table, all others are progress.

    Images that cannot be used become rejects and never stop the others. Sources of one name are numbered, with a
    notice. Members are loaded together and each image is decoded once; if they do not fit memory together, they go one
    after the other, with a notice.

    Args:
        sources: images by path, bytes or array; read lazily.
        request: models, batch size, device, dtype, normalisation.
        manager: lends the models.
        limits: of one image.
        cancel: set it to stop; `Cancelled` is raised then.
        rejects, notices: of an earlier stage (an archive, a folder), put before this job's own.
        journal_folder: where rows of files are kept as they are computed, and taken from after a kill. The caller
            removes it (`resume.discard`) when the table is stored.

    Raises:
        InputError: a request that no run could do. UnknownModel, WeightsMissing, DeviceUnavailable, …: from loading.
        OutOfMemory: not even one image fits, also not on the CPU.
        Cancelled: `cancel` was set.
        StoreError: the journal cannot be written, or belongs to a run that is still going on.
    """
    ensemble.check_request(request)
    unique, renamed = with_unique_ids(sources)
    job = _Job(unique, request, manager, limits, journal_folder, list(rejects), [*notices, *renamed])
    driver = threading.Thread(target=job.run, name="vectorize", daemon=True)
    driver.start()
    try:
        while not job.finished.wait(PROGRESS_EVERY_S):
            if cancel is not None and cancel.is_set():
                job.stop.set()
            yield job.progress()
        if job.failure is not None:
            raise job.failure
        assert job.table is not None, "a job that did not fail has a table"
        yield job.progress()
        yield job.table
    finally:
        job.stop.set()
        driver.join()


def vectorize_all(
    sources: Sequence[ImageSource],
    request: VectorizeRequest,
    manager: ModelManager,
    *,
    on_progress: Callable[[Progress], None] | None = None,
    **options: Any,
) -> VectorTable:
    """`vectorize` to its end; options are those of `vectorize`. Raises what it raises."""
    for item in vectorize(sources, request, manager, **options):
        if isinstance(item, VectorTable):
            return item
        if on_progress is not None:
            on_progress(item)
    raise AssertionError("a job ends with its table or an error")


# --- one job ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Prepared:
    """One image, ready for every member, or the reason why there is none."""

    pixels: tuple[torch.Tensor, ...] = ()
    file: Identity | None = None
    seconds: float = 0.0
    reject: Reject | None = None


class _Job:
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
        self._members: dict[str, Member] = {}
        self._passports: dict[str, list[dict[str, Any]]] = {}  # one each time it computed in another way; now last
        self._probes: dict[str, _Probe] = {}
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
            reason = "They do not fit the GPU's memory together"
        except BudgetExceeded:
            if len(models) == 1 or self.failure is not None:
                raise
            reason = "They do not fit in memory together"
        self._note(
            [Notice("one_at_a_time", f"{reason}: one model after the other, each image decoded {len(models)} ×.")]
        )
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
        if self.stop.is_set():
            raise Cancelled(Common.stopped())

    def _run_threads(self, leases: list[Lease], todo: set[int]) -> None:
        """The decode pool and the encode threads, from start to join."""
        import torch

        with _threads_begin:  # two jobs that begin at once would take each other's setting for the default
            default_threads = torch.get_num_threads()
            on_cpu = all(lease.encoder.device.type == "cpu" for lease in leases)
            streams = max(1, min(default_threads, _MOST_STREAMS, len(self._sources))) if on_cpu else 1
            # The grid is that of the whole job, so that a run that goes on after a kill has the same batches.
            chunk_images = max(self._images_per_pass(lease.encoder) for lease in leases)
            grid = chunked(len(self._sources), chunk_images, streams)
            chunks = [rows for rows in ([row for row in chunk if row in todo] for chunk in grid) if rows]
            streams = min(streams, len(chunks))
            workers = min(_cores(), len(todo))
            threads = _Threads(default_threads, workers + streams)
            pool = ThreadPoolExecutor(workers, "decode", threads.enter, (1,))
            feed = _Feed(pool, chunks, lambda row: self._prepare(row, leases), _ahead(leases, chunk_images))
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
        """The batch size asked for; less where one batch of pixels, or on the CPU one tensor, would get large."""
        if encoder.device.type != "cpu":
            return max(1, min(self._request.batch_size, _AHEAD_BYTES // _pixel_bytes(encoder)))
        image_bytes = self._probes[encoder.spec.id].largest_tensor_bytes
        return max(1, min(self._request.batch_size, _CPU_TENSOR_BYTES // max(1, image_bytes)))

    # ---- the decode pool ----

    def _prepare(self, row: int, leases: list[Lease]) -> _Prepared:
        """Decode one image and preprocess it for each member."""
        if self.stop.is_set():
            raise Cancelled(Common.stopped())
        source = self._sources[row]
        begin_s = time.perf_counter()
        file = identity(source) if self._journal is not None else None
        try:
            rgb_HWC = decode(source, self._limits)
            _check_shape(source.id, rgb_HWC, leases)
        except ImageRejected as error:
            return _Prepared(reject=Reject(source.id, error.code_detail, error.what))
        pixels = tuple(lease.encoder.preprocess(rgb_HWC) for lease in leases)
        return _Prepared(pixels, file, time.perf_counter() - begin_s)

    # ---- the encode threads ----

    def _encode_stream(
        self, leases: list[Lease], feed: _Feed, threads: _Threads, intra_op_threads: int, streams: int
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
        good = [row for row, item in zip(rows, prepared, strict=True) if item.reject is None]
        files = [item.file for item in prepared if item.reject is None]
        seconds_B = np.array([item.seconds for item in prepared if item.reject is None])
        batches = [
            torch.stack([item.pixels[number] for item in prepared if item.reject is None])
            for number in range(len(runners) if good else 0)
        ]
        prepared.clear()
        features: dict[str, np.ndarray] = {}
        begin_s = time.perf_counter()
        for runner in runners if good else []:
            part_s = time.perf_counter()
            features[runner.encoder.spec.id] = runner.encode(batches.pop(0))
            self._count_member(runner, (time.perf_counter() - part_s) / streams)
        ms_B = ((seconds_B + (time.perf_counter() - begin_s) / max(1, len(good))) * 1000).astype(np.float32)

        finite_B = np.ones(len(good), dtype=bool)
        for part in features.values():
            finite_B &= np.isfinite(part).all(axis=1)
        for place in np.flatnonzero(~finite_B).tolist():
            reason = Says.model_gives_vector_not_finite()
            rejects[good[place]] = Reject(self._sources[good[place]].id, "not_finite", reason)
        kept = np.flatnonzero(finite_B)
        kept_rows = np.array(good, dtype=np.int64)[kept]
        features = {model_id: part[kept] for model_id, part in features.items()}
        for model_id, part in features.items():
            self._features[model_id][kept_rows] = part
        self._ms_N[kept_rows] += ms_B[kept]
        self._journalise([files[place] for place in kept], ms_B[kept], features)
        with self._lock:
            for model_id in features:
                self._have[model_id][kept_rows] = True
            self._rejects.update(rejects)
            self._done += len(rows)
            self._computed += len(rows)
            self._last_done_s = self._worked_now_s()

    def _count_member(self, runner: BatchRunner, encode_s: float) -> None:
        """Adds to a member's time, and notes where it computes now if it had to move."""
        from ..models.device import dtype_name
        from ..models.passport import model_passport

        encoder = runner.encoder
        device, dtype = str(encoder.device), dtype_name(encoder.dtype)
        with self._lock:
            member = self._members[encoder.spec.id]
            if (member.device, member.dtype) != (device, dtype):
                self._passports[encoder.spec.id].append(model_passport(encoder))
            self._members[encoder.spec.id] = replace(
                member, device=device, dtype=dtype, encode_s=member.encode_s + encode_s
            )

    # ---- the journal ----

    def _journalise(self, files: list[Identity | None], ms_B: np.ndarray, features: dict[str, np.ndarray]) -> None:
        known = [place for place, file in enumerate(files) if file is not None]
        if self._journal is None or not known:
            return
        keys = {model_id: passport_key(self._passports[model_id][-1]) for model_id in features}
        found = [file for file in files if file is not None]
        self._journal.append(keys, found, ms_B[known], {m: part[known] for m, part in features.items()})

    def _restore(self, journal: Journal, models: list[str]) -> None:
        """Takes over rows whose file, weights, preprocessing, dtype and libraries are still the same."""
        row_of = {file: row for row, source in enumerate(self._sources) if (file := identity(source)) is not None}
        keys = {model_id: passport_key(self._passports[model_id][-1]) for model_id in models}
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
            text = Says.rows_earlier_run_did_not(count=len(restored))
            self._note([Notice("resumed", text)])
        if unused:
            text = Says.rows_earlier_run_not_used(count=unused)
            self._note([Notice("not_resumed", text)])

    # ---- members, result, progress ----

    def _add_member(self, lease: Lease) -> None:
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
        self._probes[model_id] = _probe(encoder, self._manager, self.stop)
        if model_id not in self._features:
            self._features[model_id] = np.zeros((len(self._sources), encoder.dim), dtype=np.float32)
            self._have[model_id] = np.zeros(len(self._sources), dtype=bool)
        self._note(lease.notices)

    def _result(self) -> VectorTable:
        from ..models.passport import merged_passport, table_passport

        models = self._request.models
        whole_N = np.all([self._have[model_id] for model_id in models], axis=0)
        rows = [row for row in np.flatnonzero(whole_N).tolist() if row not in self._rejects]
        lost = set(range(len(self._sources))) - set(rows) - set(self._rejects)
        assert not lost, f"rows neither done nor rejected: {sorted(lost)[:5]}"
        every = len(rows) == len(self._sources)
        parts = [self._features[model_id] if every else self._features[model_id][rows] for model_id in models]
        columns = ensemble.spans([part.shape[1] for part in parts])
        return VectorTable(
            ids=tuple(self._sources[row].id for row in rows),
            vectors_ND=ensemble.join(parts, self._request.normalize),
            members=tuple(
                replace(self._members[model_id], start=start, stop=stop)
                for model_id, (start, stop) in zip(models, columns, strict=True)
            ),
            passport=table_passport(
                [merged_passport(self._passports[model_id]) for model_id in models],
                self._request.normalize,
                [self._probes[model_id].canaries for model_id in models],
            ),
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
            error = OutOfMemory(Says.memory_ran_out(), next_step=Says.use_smaller_batch_smaller_model())
        with self._lock:
            if self.failure is None:
                self.failure = error
        self.stop.set()


# --- parts ------------------------------------------------------------------------------------------------------------


class _Feed:
    """Hands chunks to the encode threads, in order, and keeps the pool a few chunks ahead of them."""

    def __init__(
        self,
        pool: ThreadPoolExecutor,
        chunks: list[list[int]],
        prepare: Callable[[int], _Prepared],
        ahead: int,
    ) -> None:
        self._pool = pool
        self._chunks = iter(chunks)
        self._prepare = prepare
        self._ahead = ahead
        self._lock = threading.Lock()
        self._waiting: deque[tuple[list[int], list[Future[_Prepared]]]] = deque()

    def next(self) -> tuple[list[int], list[Future[_Prepared]]] | None:
        """The next chunk's rows and their images to come; None when there is no more."""
        with self._lock:
            self._fill(1)
            chunk = self._waiting.popleft() if self._waiting else None
            self._fill(self._ahead)
            return chunk

    def _fill(self, count: int) -> None:
        while len(self._waiting) < count and (rows := next(self._chunks, None)) is not None:
            self._waiting.append((rows, [self._pool.submit(self._prepare, row) for row in rows]))


class _Threads:
    """Sets how many threads torch's kernels use in each thread of a job, and leaves the rest of the process alone.

    `torch.set_num_threads` sets the calling thread, and also what threads started later begin with. So every thread of
    the job sets its own number at its start, and once all have, the driver sets the default back.
    """

    def __init__(self, default_threads: int, parties: int) -> None:
        self._default_threads = default_threads
        self._all_set = threading.Barrier(parties + 1)

    def enter(self, intra_op_threads: int) -> None:
        """Called first in each thread of the job."""
        import torch

        torch.get_num_threads()  # takes the default over now, so that it does not later
        torch.set_num_threads(intra_op_threads)

    def wait(self) -> None:
        """Called second in each thread of the job."""
        with contextlib.suppress(threading.BrokenBarrierError):
            self._all_set.wait(timeout=60)

    def restore_default(self) -> None:
        """Called in the driver; returns when every thread is set."""
        import torch

        self.wait()
        torch.set_num_threads(self._default_threads)

    def give_up(self) -> None:
        """Releases those who wait, when not all threads could be started."""
        import torch

        self._all_set.abort()
        torch.set_num_threads(self._default_threads)


_threads_begin = threading.Lock()


def chunked(count: int, batch_size: int, streams: int) -> list[list[int]]:
    """The rows 0..count in order, in chunks of at most `batch_size`, so that `streams` threads end about together.

    Full chunks as long as each stream gets one; the rest is shared out evenly.
    """
    full = count // (batch_size * streams) * streams
    rest = count - full * batch_size
    parts = min(streams, rest)
    sizes = [batch_size] * full + [rest // parts + (number < rest % parts) for number in range(parts)]
    stops = np.cumsum(sizes).tolist()
    return [list(range(stop - size, stop)) for size, stop in zip(sizes, stops, strict=True)]


def _check_shape(image_id: str, rgb_HWC: np.ndarray, leases: Sequence[Lease]) -> None:
    """Rejects an image so narrow that it would get huge when its shorter side is brought to a member's size."""
    from ..models.preprocess import resized_size

    height_px, width_px = rgb_HWC.shape[:2]
    for lease in leases:
        resized_height_px, resized_width_px = resized_size(height_px, width_px, lease.encoder.spec.preprocessing)
        if resized_height_px * resized_width_px > _MOST_RESIZED_PIXELS:
            raise ImageRejected(
                Says.px_too_narrow_resized_would(
                    width=width_px,
                    height=height_px,
                    model=lease.encoder.spec.id,
                    new_width=resized_width_px,
                    new_height=resized_height_px,
                ),
                where=image_id,
                code_detail="too_large",
            )


def _ahead(leases: Sequence[Lease], chunk_images: int) -> int:
    """How many chunks may wait: three, or as many as fit half a GiB, at least one."""
    image_bytes = sum(_pixel_bytes(lease.encoder) for lease in leases)
    return max(1, min(_AHEAD_CHUNKS, _AHEAD_BYTES // (image_bytes * chunk_images)))


def _pixel_bytes(encoder: Encoder) -> int:
    """One preprocessed image: float32 in fp32, else uint8."""
    return 3 * encoder.spec.input_px**2 * (4 if str(encoder.dtype) == "torch.float32" else 1)


def _cores() -> int:
    """Cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


@dataclass(frozen=True)
class _Probe:
    """What is asked of a model once, as long as it stays loaded.

    Attributes:
        canaries: the canary images' features, for the passport.
        largest_tensor_bytes: of one image, among the outputs of the network's modules.
    """

    canaries: list[list[float]]
    largest_tensor_bytes: int


_probes: weakref.WeakKeyDictionary[Encoder, _Probe] = weakref.WeakKeyDictionary()


def _probe(encoder: Encoder, manager: ModelManager, job: threading.Event) -> _Probe:
    known = _probes.get(encoder)
    if known is None:
        known = _probes[encoder] = _new_probe(encoder, manager, job)
    return known


def _new_probe(encoder: Encoder, manager: ModelManager, job: threading.Event) -> _Probe:
    """Encodes the canary images, in as small batches as it takes, and watches how large the modules' outputs get.

    `job`: the event under which the caller holds the model, so that asking for it again does not wait in line.
    """
    import torch

    from ..models.batching import BatchRunner
    from ..models.device import dtype_name
    from ..models.passport import canary_images, canary_vectors

    here = threading.get_ident()  # others may be using the module
    largest_bytes = 0

    def watch(_module: torch.nn.Module, _inputs: Any, output: Any) -> None:
        nonlocal largest_bytes
        if isinstance(output, torch.Tensor) and threading.get_ident() == here:
            largest_bytes = max(largest_bytes, output.numel() * output.element_size())

    hooks = [module.register_forward_hook(watch) for module in encoder.module.modules()]
    device, dtype = str(encoder.device), dtype_name(encoder.dtype)
    try:
        with BatchRunner(manager, encoder.spec.id, device=device, dtype=dtype, cancel=job) as runner:
            canaries = canary_vectors(encoder, runner.encode)
    finally:
        for hook in hooks:
            hook.remove()
    return _Probe(canaries, largest_bytes // len(canary_images()))
