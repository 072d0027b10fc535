"""Downloading weights, when asked: into the place where `weights.locate` looks, resumable, atomic, with its sha256.

While it runs the bytes lie in `NAME.part` beside the target; a stopped download goes on from there, in this process or
a later one. When all bytes are there and agree with every hash that is known, the file gets its name. The sha256 is
written to `NAME.sha256` (the format of `sha256sum -c`) and compared when the same file is fetched again.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import httpx

from ..errors import InputError, NetworkUnavailable, WeightsInvalid, WorkbenchError
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
class Source:
    """One file to download: where from, where to, and what is known of it beforehand.

    `sha256_prefix` is the hash, or its beginning, where the address itself carries it (OpenAI's and PyTorch's do).
    """

    url: str
    target: Path
    sha256_prefix: str = ""


def sources_of(spec: ModelSpec, weights_dir: Path, hub_url: str = HUB_URL) -> list[Source]:
    """Where a model's weights can be had, in the order tried; empty for a model that is not downloaded.

    Its own address where it has one, then the hub's `.safetensors`, then the hub's `.bin`.
    """
    sources = []
    targets = [weights_dir / spec.folder / name for name in spec.files]
    if spec.url:
        sources.append(Source(spec.url, targets[0], _known_hash(spec.url)))
        targets = [weights_dir / place for place in spec.elsewhere]
    if spec.hub_id:
        hub = f"{hub_url.rstrip('/')}/{spec.hub_id}/resolve/main"
        sources += [Source(f"{hub}/{target.name}", target) for target in targets]
    return sources


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
    for source in sources_of(spec, weights_dir, hub_url):
        try:
            return download(source, on_progress, seconds_between_tries=seconds_between_tries)
        except NetworkUnavailable as error:
            first_problem = first_problem or error
    if first_problem is None:
        raise InputError(Says.model_not_downloaded(), where=spec.id, next_step=fetch_command(spec))
    raise first_problem


def download(
    source: Source,
    on_progress: OnProgress | None = None,
    *,
    seconds_between_tries: float = _SECONDS_BETWEEN_TRIES,
) -> Path:
    """`fetch` for one `Source`."""
    target = source.target
    if target.is_file():
        return target
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise WorkbenchError(
            Says.folder_cannot_made(error=error), where=str(target.parent), next_step=Says.choose_another_weights_dir()
        ) from error
    with _only_one(target):
        if target.is_file():  # another process was quicker
            return target
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


def _receive(source: Source, part: Path, on_progress: OnProgress, seconds_between_tries: float) -> None:
    """Fills `part`, going on where it ends; a broken connection is tried again as long as bytes keep coming."""
    tries_left = _TRIES
    with httpx.Client(follow_redirects=True, timeout=_TIMEOUT) as client:
        while True:
            before_bytes = part.stat().st_size if part.exists() else 0
            try:
                if _receive_once(client, source, part, on_progress):
                    return
                problem: Exception | str = "the connection closed before the end"
            except httpx.HTTPStatusError as error:
                if error.response.status_code < 500:
                    raise _unavailable(source, f"the server answered {error.response.status_code}") from error
                problem = error
            except (httpx.ConnectError, httpx.ConnectTimeout) as error:
                problem = error
                tries_left -= 2  # most likely no network: once more, then say so
            except (httpx.TransportError, httpx.TooManyRedirects) as error:
                problem = error
            except OSError as error:
                raise WorkbenchError(
                    Says.file_cannot_written(error=error),
                    where=str(part),
                    next_step=Says.make_room_disk_fetch_again(),
                ) from error
            came_bytes = (part.stat().st_size if part.exists() else 0) - before_bytes
            tries_left = _TRIES if came_bytes > 0 else tries_left - 1
            if tries_left <= 0:
                raise _unavailable(source, str(problem) or type(problem).__name__)
            time.sleep(seconds_between_tries)


def _receive_once(client: httpx.Client, source: Source, part: Path, on_progress: OnProgress) -> bool:
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
            Says.gb_still_come_gb_free(needed=needed_bytes / 1e9, free=free_bytes / 1e9),
            where=str(part.parent),
            next_step=Says.make_room_choose_another_weights(),
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
        self.path(part).write_text(json.dumps(content), encoding="utf-8")


# --- at the end -----------------------------------------------------------------------------------------------------


def _verify_and_name(source: Source, part: Path) -> None:
    digest = hashlib.sha256()
    with part.open("rb") as file:
        while block := file.read(_BLOCK_BYTES):
            digest.update(block)
    sha256 = digest.hexdigest()
    expected = {
        "the address": source.sha256_prefix,
        "the hub": _Note.read(part).sha256,
        f"{_sidecar(source.target).name}, written before": recorded_sha256(source.target) or "",
    }
    for who, known in expected.items():
        if not sha256.startswith(known):
            part.unlink()
            _Note.path(part).unlink(missing_ok=True)
            raise WeightsInvalid(
                Says.file_came_sha256_but_says(found=sha256[:16], source=who, expected=known[:16]),
                where=source.url,
                next_step=Says.fetch_again_if_file_changed(path=_sidecar(source.target)),
            )
    part.replace(source.target)
    _sidecar(source.target).write_text(f"{sha256}  {source.target.name}\n", encoding="utf-8")
    _Note.path(part).unlink(missing_ok=True)


def _sidecar(path: Path) -> Path:
    return path.with_name(path.name + ".sha256")


def _known_hash(url: str) -> str:
    """OpenAI's addresses hold the whole sha256 as a folder, PyTorch's its first eight digits in the name."""
    whole = re.search(r"/([0-9a-f]{64})/", url)
    first_digits = re.search(r"-([0-9a-f]{8})\.pth$", url)
    return whole.group(1) if whole else first_digits.group(1) if first_digits else ""


def _unavailable(source: Source, problem: str) -> NetworkUnavailable:
    return NetworkUnavailable(
        Says.download_failed(problem=problem),
        where=source.url,
        next_step=Says.fetch_again_download_address_elsewhere(path=source.target),
    )


@contextlib.contextmanager
def _only_one(target: Path) -> Iterator[None]:
    """Two downloads of one file would mix their bytes: the second waits for the first, in any process."""
    lock_path = target.with_name(target.name + ".lock")
    while True:
        lock = lock_path.open("w")
        _wait_for(lock)
        # whoever held it removed the file: a lock on a file that has no name any more keeps nobody out
        with contextlib.suppress(OSError):
            if os.path.samestat(os.fstat(lock.fileno()), lock_path.stat()):
                break
        lock.close()
    try:
        yield
    finally:
        with contextlib.suppress(OSError):  # Windows removes no open file
            lock_path.unlink()
        lock.close()


def _wait_for(lock: IO[str]) -> None:
    try:
        import fcntl
    except ImportError:  # Windows has no such lock; two downloads at once are then the user's doing
        return
    fcntl.flock(lock, fcntl.LOCK_EX)
