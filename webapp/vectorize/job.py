"""One run from uploaded files to a `Result`: what the page and the HTTP API share between the visitor and
`core.vectorize`."""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from collections.abc import Generator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from core.errors import ImageRejected, StoreError
from core.images import decode
from core.settings import ImageLimits
from core.types import ImageSource, Progress, VectorizeRequest, VectorTable
from core.vectorize.store import SUFFIXES, write
from core.words import Common
from webapp.kit.panels import THUMBNAIL_PX, data_uri
from webapp.kit.services import Services
from webapp.kit.uploads import Upload, image_sources
from webapp.kit.words import KitSays

SHOW_EVERY_S = 0.2
"""Progress on thumbnails is told at most this often."""
FORMATS = SUFFIXES


@dataclass(frozen=True)
class Result:
    """What one run left in one visitor's session.

    Attributes:
        table: vectors, and the rejects of archives too.
        thumbnails: data URIs by id; empty for an image that gave none.
        folder: private, for files made for download; its name is the run's own.
    """

    table: VectorTable
    thumbnails: dict[str, str]
    folder: Path

    def forget(self) -> None:
        shutil.rmtree(self.folder, ignore_errors=True)


def run(
    services: Services, uploads: Sequence[Upload], request: VectorizeRequest, *, pictures: bool = True
) -> Generator[Progress | Result, None, None]:
    """Progress a few times a second, then one `Result` as the last item. Closing the generator stops the work.

    Args:
        pictures: make thumbnails too.

    Raises:
        WorkbenchError: nothing to do, too much to do, an unknown model, weights that are missing …
    """
    from core.vectorize.pipeline import vectorize

    limits = services.settings.web_limits
    with tempfile.TemporaryDirectory(dir=services.scratch_dir) as unpacked:
        sources, rejects, notices = image_sources(uploads, limits, Path(unpacked))
        job = vectorize(sources, request, services.manager, limits=limits, rejects=rejects, notices=notices)
        with closing(job) as steps:
            for step in steps:
                if isinstance(step, Progress):
                    yield step
                else:
                    table = step
        thumbnails: dict[str, str] = {}
        if pictures:
            thumbnails = yield from _thumbnails(sources, table, limits)
        yield Result(table, thumbnails, services.new_folder())


def _thumbnails(
    sources: Sequence[ImageSource], table: VectorTable, limits: ImageLimits
) -> Generator[Progress, None, dict[str, str]]:
    """Returns the data URIs, by id, of the images that have a row: about 2 kB each."""
    rows = set(table.ids)
    wanted = [source for source in sources if source.id in rows]

    def picture(source: ImageSource) -> str:
        try:
            return data_uri(decode.thumbnail(source, THUMBNAIL_PX, limits))
        except ImageRejected:  # it has a vector all the same, and is shown by name
            return ""

    made: dict[str, str] = {}
    shown_s = time.monotonic()
    pool = ThreadPoolExecutor(min(8, os.cpu_count() or 1))
    try:
        for source, uri in zip(wanted, pool.map(picture, wanted), strict=True):
            made[source.id] = uri
            if time.monotonic() - shown_s >= SHOW_EVERY_S:
                shown_s = time.monotonic()
                yield Progress("thumbnails", len(made), len(wanted))
    finally:
        pool.shutdown(cancel_futures=True)
    return made


def download_file(result: Result, suffix: str) -> Path:
    """The vectors as one file: `vectors.npz`, or a zip where a format is more than one file (`.npy` with its
    `.json`).

    Raises:
        StoreError: a format that is not one of `FORMATS`, or the file cannot be written.
    """
    if suffix not in FORMATS:
        raise StoreError(KitSays.no_format(suffix=suffix), next_step=Common.choose_one(names=" ".join(FORMATS)))
    kind = suffix[1:]
    place = result.folder / kind
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir(parents=True)
    written = write(result.table, place / f"vectors{suffix}")
    if len(written) == 1 and written[0].is_file():
        return written[0]
    return Path(shutil.make_archive(str(result.folder / f"vectors-{kind}"), "zip", place))
