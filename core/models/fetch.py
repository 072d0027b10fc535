"""Downloading weights, when asked: into the place where `weights.locate` looks, resumable, atomic, with its sha256.

While it runs the bytes lie in `NAME.part` beside the target; a stopped download goes on from there, in this process or
a later one. When all bytes are there and agree with every hash that is known, the file gets its name. The sha256 is
written to `NAME.sha256` (the format of `sha256sum -c`) and compared when the same file is fetched again.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import re
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import httpx

from .. import files
from ..errors import InputError, NetworkUnavailable, WeightsInvalid, WorkbenchError
from ..messages import Message, reason_of
from .spec import ModelSpec
from .weights import fetch_command, locate
from .words import Says

HUB_URL = "https://huggingface.co"

_BLOCK_BYTES = 2**20
_TRIES = 6  # without a byte in between
_SECONDS_BETWEEN_TRIES = 1.0
_TIMEOUT = httpx.Timeout(30.0, connect=15.0)

OnProgress = Callable[[int, int], None]


@dataclass(frozen=True)
class Download:
    """One file to download: where from, where to, and what is known of it beforehand.

    `sha256_prefix` is the hash, or its beginning, where the address itself carries it (OpenAI's and PyTorch's do).
    """

    url: str
    target: Path
    sha256_prefix: str = ""


def downloads_of(spec: ModelSpec, weights_dir: Path, hub_url: str = HUB_URL) -> list[Download]:
    """Where a model's weights can be had, in the order tried; empty for a model that is not downloaded.

    Its own address where it has one, then the hub's `.safetensors`, then the hub's `.bin`.
    """
    downloads = []
    targets = [weights_dir / spec.folder / name for name in spec.files]
    if spec.url:
        downloads.append(Download(spec.url, targets[0], _known_hash(spec.url)))
        targets = [weights_dir / place for place in spec.elsewhere]
    if spec.hub_id:
        hub = f"{hub_url.rstrip('/')}/{spec.hub_id}/resolve/main"
        downloads += [Download(f"{hub}/{target.name}", target) for target in targets]
    return downloads


def fetch(
    spec: ModelSpec,
    weights_dir: Path,
    on_progress: OnProgress | None = None,
    *,
    hub_url: str = HUB_URL,
    seconds_between_tries: float = _SECONDS_BETWEEN_TRIES,
) -> Path:
    """Downloads a model's weights unless they are here, and returns their path.

    Args:
        on_progress: called with (bytes here, bytes in all; 0 while unknown), also for bytes of an earlier attempt. What
            it raises stops the download, which can be resumed.
        hub_url: the hub or a mirror of it.

    Raises:
        NetworkUnavailable: no connection, or it broke again and again; says which file to put where.
        WeightsInvalid: the bytes do not have the sha256 that is known or was recorded before.
        InputError: the model is not downloaded.
    """
    here = locate(spec, weights_dir)
    if here is not None:
        return here
    first_problem: NetworkUnavailable | None = None
    for source in downloads_of(spec, weights_dir, hub_url):
        try:
            return download(source, on_progress, seconds_between_tries=seconds_between_tries)
        except NetworkUnavailable as error:
            first_problem = first_problem or error
    if first_problem is None:
        raise InputError(Says.nothing_to_download(), where=spec.id, next_step=fetch_command(spec))
    raise first_problem


def download(
    source: Download,
    on_progress: OnProgress | None = None,
    *,
    seconds_between_tries: float = _SECONDS_BETWEEN_TRIES,
) -> Path:
    """`fetch` for one `Download`."""
    target = source.target
    if target.is_file():
        return target
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise WorkbenchError(
            Says.folder_not_made(error=reason_of(error)), where=str(target.parent), next_step=Says.choose_weights_dir()
        ) from error
    with files.only_one(target):  # two downloads of one file would mix their bytes
        if not target.is_file():  # another process may have been quicker
            part = target.with_name(target.name + ".part")
            _receive(source, part, on_progress or (lambda done, total: None), seconds_between_tries)
            _verify_and_name(source, part)
    return target


def recorded_sha256(path: Path) -> str | None:
    """The hash written when the file was fetched; None if it was put there by hand."""
    with contextlib.suppress(OSError):
        words = _sidecar(path).read_text(encoding="utf-8").split()
        if words and re.fullmatch(r"[0-9a-f]{64}", words[0]):
            return words[0]
    return None


# --- receiving ------------------------------------------------------------------------------------------------------


def _receive(source: Download, part: Path, on_progress: OnProgress, seconds_between_tries: float) -> None:
    """Fills `part`, going on where it ends; a broken connection is tried again as long as bytes keep coming."""
    tries_left = _TRIES
    with httpx.Client(follow_redirects=True, timeout=_TIMEOUT) as client:
        while True:
            before_bytes = part.stat().st_size if part.exists() else 0
            try:
                if _receive_once(client, source, part, on_progress):
                    return
                problem = Says.closed_early()
            except httpx.HTTPStatusError as error:
                if error.response.status_code < 500:
                    raise _unavailable(source, Says.server_answered(status=error.response.status_code)) from error
                problem = reason_of(error)
            except (httpx.ConnectError, httpx.ConnectTimeout) as error:
                problem = reason_of(error)
                tries_left -= 2  # most likely no network: once more, then say so
            except (httpx.TransportError, httpx.TooManyRedirects) as error:
                problem = reason_of(error)
            except OSError as error:
                raise WorkbenchError(
                    Says.file_not_written(error=reason_of(error)), where=str(part), next_step=Says.make_room_and_fetch()
                ) from error
            came_bytes = (part.stat().st_size if part.exists() else 0) - before_bytes
            tries_left = _TRIES if came_bytes > 0 else tries_left - 1
            if tries_left <= 0:
                raise _unavailable(source, problem)
            time.sleep(seconds_between_tries)


def _receive_once(client: httpx.Client, source: Download, part: Path, on_progress: OnProgress) -> bool:
    """One request. True when the file is complete."""
    note = _Note.read(part)
    have_bytes = part.stat().st_size if part.exists() else 0
    if have_bytes and note.total_bytes == have_bytes:
        on_progress(have_bytes, have_bytes)
        return True  # stopped between the last byte and the renaming
    headers = {"Accept-Encoding": "identity"}
    if have_bytes and note.etag:
        headers |= {"Range": f"bytes={have_bytes}-", "If-Range": note.etag}
    with client.stream("GET", source.url, headers=headers) as response:
        if response.status_code == httpx.codes.REQUESTED_RANGE_NOT_SATISFIABLE:
            part.unlink()  # longer than the file on the server: not its beginning
            return False
        response.raise_for_status()
        start_bytes = _resumed_at(response, have_bytes)
        length = response.headers.get("Content-Length")
        total_bytes = start_bytes + int(length) if length is not None else 0
        if start_bytes == 0:
            _Note(_strong_etag(response), total_bytes, _hub_sha256(response)).write(part)
        _check_room(part, total_bytes - have_bytes)
        done_bytes = start_bytes
        with part.open("ab" if start_bytes else "wb") as file:
            on_progress(done_bytes, total_bytes)
            for block in response.iter_bytes(_BLOCK_BYTES):
                file.write(block)
                done_bytes += len(block)
                on_progress(done_bytes, total_bytes)
    return total_bytes in (0, done_bytes)


def _resumed_at(response: httpx.Response, have_bytes: int) -> int:
    """Where the body begins: at `have_bytes` if the server goes on from there, else 0 (it sends all anew)."""
    span = re.match(r"bytes (\d+)-", response.headers.get("Content-Range", ""))
    if response.status_code == httpx.codes.PARTIAL_CONTENT and span and int(span.group(1)) == have_bytes:
        return have_bytes
    return 0


def _strong_etag(response: httpx.Response) -> str:
    """Only a strong one promises the same bytes; without it a broken download begins anew."""
    etag = response.headers.get("ETag", "")
    return "" if etag.startswith("W/") else etag


def _hub_sha256(response: httpx.Response) -> str:
    """The hub names the sha256 of large files in the answer that redirects to its store."""
    for answer in (*response.history, response):
        etag = answer.headers.get("X-Linked-ETag", "").strip('"')
        if re.fullmatch(r"[0-9a-f]{64}", etag):
            return etag
    return ""


def _check_room(part: Path, needed_bytes: int) -> None:
    free_bytes = shutil.disk_usage(part.parent).free
    if needed_bytes > free_bytes:
        raise WorkbenchError(
            Says.no_room(needed=needed_bytes / 1e9, free=free_bytes / 1e9),
            where=str(part.parent),
            next_step=Says.make_room(),
        )


@dataclass(frozen=True)
class _Note:
    """What must be known to go on with a `.part`: which version of the file it is, and how long that is."""

    etag: str = ""
    total_bytes: int = 0
    sha256: str = ""

    @staticmethod
    def path(part: Path) -> Path:
        return part.with_name(part.name + ".json")

    @classmethod
    def read(cls, part: Path) -> _Note:
        try:
            content = json.loads(cls.path(part).read_text(encoding="utf-8"))
            return cls(str(content["etag"]), int(content["total_bytes"]), str(content["sha256"]))
        except (OSError, ValueError, KeyError, TypeError):
            return cls()

    def write(self, part: Path) -> None:
        content = {"etag": self.etag, "total_bytes": self.total_bytes, "sha256": self.sha256}
        files.write(self.path(part), json.dumps(content))


# --- at the end -----------------------------------------------------------------------------------------------------


def _verify_and_name(source: Download, part: Path) -> None:
    digest = hashlib.sha256()
    with part.open("rb") as file:
        while block := file.read(_BLOCK_BYTES):
            digest.update(block)
    sha256 = digest.hexdigest()
    expected = (
        (Says.the_address(), source.sha256_prefix),
        (Says.the_hub(), _Note.read(part).sha256),
        (Says.written_before(name=_sidecar(source.target).name), recorded_sha256(source.target) or ""),
    )
    for who, known in expected:
        if not sha256.startswith(known):
            part.unlink()
            _Note.path(part).unlink(missing_ok=True)
            raise WeightsInvalid(
                Says.other_sha256(found=sha256[:16], source=who, expected=known[:16]),
                where=source.url,
                next_step=Says.fetch_changed_file(path=_sidecar(source.target)),
            )
    part.replace(source.target)
    files.write(_sidecar(source.target), f"{sha256}  {source.target.name}\n")
    _Note.path(part).unlink(missing_ok=True)


def _sidecar(path: Path) -> Path:
    return path.with_name(path.name + ".sha256")


def _known_hash(url: str) -> str:
    """OpenAI's addresses hold the whole sha256 as a folder, PyTorch's its first eight digits in the name."""
    whole = re.search(r"/([0-9a-f]{64})/", url)
    first_digits = re.search(r"-([0-9a-f]{8})\.pth$", url)
    return whole.group(1) if whole else first_digits.group(1) if first_digits else ""


def _unavailable(source: Download, problem: Message) -> NetworkUnavailable:
    return NetworkUnavailable(
        Says.download_failed(problem=problem),
        where=source.url,
        next_step=Says.fetch_or_place(path=source.target),
    )
