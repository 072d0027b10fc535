"""The threads of one job: a feed that keeps the decode pool a little ahead, and how many threads torch uses in each."""

from __future__ import annotations

import contextlib
import os
import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Generic, TypeVar

import numpy as np

MOST_STREAMS = 16  # encode threads of a job on the CPU

Prepared = TypeVar("Prepared")


class Feed(Generic[Prepared]):
    """Hands chunks to the encode threads, in order, and keeps the pool a few chunks ahead of them."""

    def __init__(
        self,
        pool: ThreadPoolExecutor,
        chunks: list[list[int]],
        prepare: Callable[[int], Prepared],
        ahead: int,
    ) -> None:
        self._pool = pool
        self._chunks = iter(chunks)
        self._prepare = prepare
        self._ahead = ahead
        self._lock = threading.Lock()
        self._waiting: deque[tuple[list[int], list[Future[Prepared]]]] = deque()

    def next(self) -> tuple[list[int], list[Future[Prepared]]] | None:
        """The next chunk's rows and their images to come; None when there is no more."""
        with self._lock:
            self._fill(1)
            chunk = self._waiting.popleft() if self._waiting else None
            self._fill(self._ahead)
            return chunk

    def _fill(self, count: int) -> None:
        while len(self._waiting) < count and (rows := next(self._chunks, None)) is not None:
            self._waiting.append((rows, [self._pool.submit(self._prepare, row) for row in rows]))


class IntraOpThreads:
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


threads_begin = threading.Lock()
"""Two jobs that begin at once would take each other's setting for the default."""


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


def cores() -> int:
    """Cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
