"""`Uploads`: the page's drop zone for many files, and what it takes to turn them into `ImageSource`s.

Differs from `gr.File`, whose base it is: one file of a wrong kind does not refuse the others (it becomes a reject
with a reason), the visitor's own file names are kept, addresses on the web are never fetched, and no empty temporary
files are left.
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import gradio as gr

from core.errors import InputError
from core.images.archive import ArchiveLimits, from_zip
from core.images.sources import with_unique_ids
from core.settings import ImageLimits
from core.types import ImageSource, Notice, Reject
from webapp.kit.words import KitSays

MAX_IMAGES = 2000
"""Images of one run, those inside archives counted."""
MAX_UNPACKED_BYTES = 2 * 2**30
"""What the archives of one run may take on disk together."""

ARCHIVE = ArchiveLimits()


@dataclass(frozen=True)
class Upload:
    """One uploaded file.

    Attributes:
        name: what the visitor called it; only ever shown, never a path.
        path: where Gradio stored it, inside its own upload folder (checked by Gradio before we see it).
    """

    name: str
    path: Path


class _Received:
    """What both upload components do with what the browser sent."""

    def preprocess(self, payload: Any) -> list[Upload]:
        if payload is None:
            return []
        files = payload if isinstance(payload, (list, tuple)) else getattr(payload, "root", [payload])
        return [Upload(own_name(file.orig_name or Path(file.path).name), Path(file.path)) for file in files]

    def move_resource_to_block_cache(self, url_or_file_path: str | Path | None) -> str | None:
        if url_or_file_path is not None and str(url_or_file_path).lower().startswith(("http:", "https:")):
            raise gr.Error("Upload the file itself; addresses on the web are not fetched.", print_exception=False)
        return super().move_resource_to_block_cache(url_or_file_path)  # type: ignore[misc]


class Uploads(_Received, gr.File):
    """A drop zone. As an input it gives `list[Upload]`."""

    def get_block_name(self) -> str:
        return "file"  # drawn by Gradio's own front end


class UploadOne(_Received, gr.UploadButton):
    """A button that asks for one file. As an input it gives `list[Upload]`, of one or none."""

    def get_block_name(self) -> str:
        return "uploadbutton"


class UploadImage(_Received, gr.Image):
    """One photo, dropped, pasted or chosen. As an input it gives `list[Upload]`, of one or none; not decoded here."""

    def get_block_name(self) -> str:
        return "image"

    def example_payload(self) -> Any:
        return None  # Gradio's own is an address on the web, and stands in the page

    def example_value(self) -> Any:
        return None


def own_name(name: str) -> str:
    """The last part of a visitor's file name, without control characters, at most 200 characters; never empty."""
    last = name.replace("\\", "/").rsplit("/", 1)[-1]
    printable = "".join(char for char in last if char.isprintable()).strip()
    return printable[-200:] or "unnamed"


def image_sources(
    uploads: Sequence[Upload], limits: ImageLimits, folder: Path
) -> tuple[list[ImageSource], list[Reject], list[Notice]]:
    """Uploaded files and archives → images in the order given, and what could not be opened at all.

    Ids are the visitor's own names, made unique (a notice says so); a member of an archive is `photos.zip/cat.jpg`,
    or just its own name when one archive is all there is. A broken archive is a reject and stops nothing else.

    Args:
        folder: private, for the unpacked members; has to live as long as the sources are read.

    Raises:
        InputError: nothing was given, or more than `MAX_IMAGES`.
    """
    if not uploads:
        raise InputError(KitSays.no_images(), next_step=KitSays.drop_photos())
    sources: list[ImageSource] = []
    rejects: list[Reject] = []
    room_bytes = MAX_UNPACKED_BYTES
    for number, upload in enumerate(uploads):
        if Path(upload.name).suffix.lower() != ".zip":
            sources.append(ImageSource(upload.name, path=upload.path))
            continue
        unpacked = folder / str(number)
        unpacked.mkdir()
        prefix = "" if len(uploads) == 1 else f"{upload.name}/"
        try:
            bounds = replace(ARCHIVE, max_unpacked_bytes=min(ARCHIVE.max_unpacked_bytes, room_bytes))
            members, refused = from_zip(upload.path, bounds, limits, into=unpacked)
        except InputError as error:
            shutil.rmtree(unpacked)  # what was unpacked before the limit was met
            rejects.append(Reject(upload.name, "archive", error.said))
            continue
        room_bytes -= sum(file.stat().st_size for file in unpacked.iterdir())
        sources += [replace(member, id=prefix + member.id) for member in members]
        rejects += [replace(reject, id=prefix + reject.id) for reject in refused]
        if len(sources) > MAX_IMAGES:
            break
    if len(sources) > MAX_IMAGES:
        raise InputError(KitSays.too_many_images(limit=MAX_IMAGES), next_step=KitSays.give_at_most(limit=MAX_IMAGES))
    unique, notices = with_unique_ids(sources)
    return unique, rejects, notices
