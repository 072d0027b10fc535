"""What visitors may send: files that they upload, of bounded size and number; never a path or URL of their choosing."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.formparsers import MultiPartException
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from webapp.shell.scratch import folder_bytes


@dataclass(frozen=True)
class VisitorLimits:
    """What one visitor may send.

    Attributes:
        file_bytes: one uploaded file. A zip may be this large; a single image is bounded further when it is decoded.
        request_bytes: one upload with all its files.
        files: files in one upload.
        json_bytes: any other request.
        stored_bytes: all uploads and results that lie in the temporary folder together.
    """

    file_bytes: int = 256 * 2**20
    request_bytes: int = 1024 * 2**20
    files: int = 500
    json_bytes: int = 8 * 2**20
    stored_bytes: int = 8 * 2**30


@dataclass
class UploadsOnly:
    """Bounds what is sent, and refuses references to files that were not uploaded here.

    Gradio lets a sender name a file by path or URL inside its JSON. Here the path must lie in the upload folder and the
    URL must be ours; everything else is refused before Gradio sees it.
    """

    app: ASGIApp
    temp_dir: Path
    limits: VisitorLimits
    _measured: tuple[float, int] = field(default=(float("-inf"), 0), init=False)

    # The second takes what is drawn over a picture.
    MULTIPART_PATHS = ("/gradio_api/upload", "/gradio_api/component_server")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] != "POST":
            await self.app(scope, receive, send)
        elif scope["path"] in self.MULTIPART_PATHS and _is_multipart(scope):
            await self._pass_upload(scope, receive, send)
        else:
            await self._pass_json(scope, receive, send)

    async def _pass_upload(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = Headers(scope=scope)
        if _content_length(headers) > self.limits.request_bytes:
            await _refuse(413, "This upload is too large.", scope, receive, send)
        elif self._stored_bytes() > self.limits.stored_bytes:
            await _refuse(507, "The app's temporary folder is full. Try again later.", scope, receive, send)
        else:
            await self.app(scope, _counted(receive, headers, self.limits), send)

    async def _pass_json(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = Headers(scope=scope)
        if _content_length(headers) > self.limits.json_bytes:
            await _refuse(413, "This request is too large.", scope, receive, send)
            return
        body = bytearray()
        while True:
            message = await receive()
            if message["type"] != "http.request":
                return  # the sender left
            body += message.get("body", b"")
            if len(body) > self.limits.json_bytes:
                await _refuse(413, "This request is too large.", scope, receive, send)
                return
            if not message.get("more_body"):
                break
        try:
            sent = json.loads(body) if body else None
        except (ValueError, RecursionError):
            await _refuse(400, "This is not JSON.", scope, receive, send)
            return
        for reference in file_references(sent):
            if not self._is_ours(reference, headers.get("host", "")):
                await _refuse(400, "A file must be uploaded first; paths and URLs are not taken.", scope, receive, send)
                return

        unread: list[Message] = [{"type": "http.request", "body": bytes(body), "more_body": False}]

        async def again() -> Message:
            return unread.pop() if unread else await receive()

        await self.app(scope, again, send)

    def _is_ours(self, reference: dict[str, Any], host: str) -> bool:
        path, url = reference.get("path"), reference.get("url")
        if path is not None:
            if not isinstance(path, str) or "\0" in path:
                return False
            if not Path(path).resolve().is_relative_to(self.temp_dir.resolve()):
                return False
        if url is None or url == "":
            return True
        if not isinstance(url, str):
            return False
        if url.startswith(("data:image/", "blob:")):
            return True  # a preview the browser made; never fetched
        parts = urlsplit(url)
        return parts.netloc in ("", host) and parts.path.startswith("/gradio_api/file=")

    def _stored_bytes(self) -> int:
        """Size of the temporary folder, measured at most once in five seconds."""
        measured_s, size_bytes = self._measured
        if time.monotonic() - measured_s > 5:
            size_bytes = folder_bytes(self.temp_dir)
            self._measured = (time.monotonic(), size_bytes)
        return size_bytes


def file_references(sent: Any) -> Iterator[dict[str, Any]]:
    """Every object in a JSON value that names a file: it has a `path` or a `url`."""
    waiting = [sent]
    while waiting:
        value = waiting.pop()
        if isinstance(value, dict):
            if "path" in value or "url" in value:
                yield value
            waiting.extend(value.values())
        elif isinstance(value, list):
            waiting.extend(value)


def _counted(receive: Receive, headers: Headers, limits: VisitorLimits) -> Receive:
    """`receive` that stops an upload with more files or bytes than allowed; parts are counted as they come."""
    found = re.search(r'boundary="?([^";,]+)', headers.get("content-type", ""))
    boundary = b"--" + (found[1].encode("latin-1") if found else b"\0")
    tail = b""
    parts = 0
    total_bytes = 0

    async def counting() -> Message:
        nonlocal tail, parts, total_bytes
        message = await receive()
        chunk = message.get("body", b"")
        total_bytes += len(chunk)
        window = tail + chunk
        parts += window.count(boundary)
        # Keep just too little to count a boundary twice.
        tail = window[-(len(boundary) - 1) :]
        # Gradio answers 413 to "maximum allowed size", and removes what it has written so far.
        if parts > limits.files + 1:  # the last boundary closes
            raise MultiPartException(f"Too many files: the maximum allowed size of one upload is {limits.files} files.")
        if total_bytes > limits.request_bytes:
            raise MultiPartException("The upload is larger than the maximum allowed size.")
        return message

    return counting


def _is_multipart(scope: Scope) -> bool:
    return Headers(scope=scope).get("content-type", "").startswith("multipart/form-data")


def _content_length(headers: Headers) -> int:
    declared = headers.get("content-length", "0")
    return int(declared) if declared.isdecimal() else 0


async def _refuse(status: int, why: str, scope: Scope, receive: Receive, send: Send) -> None:
    await JSONResponse({"detail": why}, status_code=status)(scope, receive, send)


# ---- nothing is fetched for a visitor ----


class FetchRefusedError(PermissionError):
    """Something asked the server to fetch a URL."""


def forbid_fetching() -> None:
    """Take from Gradio the two functions that fetch a URL on a visitor's word. The layers above refuse such requests
    already; this holds even for a way they do not know."""
    import gradio.processing_utils
    import gradio.routes

    async def refuse(*_: object, **__: object) -> Any:
        raise FetchRefusedError("This app fetches no URLs.")

    for module, name in (
        (gradio.processing_utils, "async_ssrf_protected_get"),
        (gradio.routes, "secure_url_stream_response"),
    ):
        assert hasattr(module, name), f"{module.__name__}.{name} is gone: find what this version of Gradio fetches with"
        setattr(module, name, refuse)
