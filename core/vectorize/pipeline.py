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
most `AHEAD_CHUNKS` chunks, fewer where they are large.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..images.sources import with_unique_ids
from ..settings import ImageLimits
from ..types import ImageSource, Notice, Progress, Reject, VectorizeRequest, VectorTable
from . import ensemble
from .job import Job

if TYPE_CHECKING:
    from ..models.manager import ModelManager

PROGRESS_EVERY_S = 0.2


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
    job = Job(unique, request, manager, limits, journal_folder, list(rejects), [*notices, *renamed])
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
