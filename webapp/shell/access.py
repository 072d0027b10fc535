"""Who may reach the app, and what they may send it.

The layers a request passes, outermost first (`middleware` puts them together):

1. Headers that tell the browser to run and load nothing foreign.
2. The host name must be one the app is served under (else a foreign page could point its own name here).
3. A browser must be on our own page (else a foreign page could use the visitor's cookies).
4. Sign-in, where the app is served beyond this machine (`sign_in.py`).
5. Only the paths the page uses; only files that were uploaded here, never a path or URL of the sender's choosing;
   not too large, not too many.
6. The page in the visitor's language (`page.py`).
"""

from __future__ import annotations

import ipaddress
import json
import re
import secrets
import socket
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.formparsers import MultiPartException
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.responses import JSONResponse, PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from core.errors import InputError
from webapp.shell.page import LocalizedPage
from webapp.shell.scratch import folder_bytes
from webapp.shell.sign_in import Credentials, SignIn
from webapp.text import Language

LOOPBACK = ("localhost", "127.0.0.1")
TUNNEL_NAMES = "*.gradio.live"
GENERATED_USER = "workbench"


# ── the door ─────────────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True)
class Door:
    """How the app is reached.

    Attributes:
        url: the address to open on this machine.
        port: in `url`; names the session cookie, since cookies do not tell ports apart.
        hosts: names and addresses a request may be addressed to; `*.` stands for every subdomain.
        credentials: the sign-in to ask for; None only where nobody but this machine can reach the app.
        network_urls: the addresses to open on other machines of the network.
    """

    url: str
    port: int
    hosts: tuple[str, ...]
    credentials: Credentials | None
    network_urls: tuple[str, ...] = ()


def open_door(host: str, port: int, *, share: bool, auth: str | None, extra_hosts: Sequence[str]) -> Door:
    """The door for these options. Beyond this machine there is always a sign-in: yours, or a generated one.

    Args:
        host: address or name to listen on; `0.0.0.0` is every network.
        auth: `USER:PASSWORD` or None.
        extra_hosts: of `--allowed_host`.

    Raises `InputError`.
    """
    credentials = parse_auth(auth) if auth is not None else None
    if credentials is None and (share or not is_loopback(host)):
        # Four groups from 32 letters that nobody mistakes for each other: 100 bits.
        alphabet = "abcdefghijkmnpqrstuvwxyz23456789"
        groups = ("".join(secrets.choice(alphabet) for _ in range(5)) for _ in range(4))
        credentials = Credentials(GENERATED_USER, "-".join(groups), generated=True)
    hosts = allowed_hosts(host, share=share, extra=extra_hosts)
    if not _is_wildcard(host):
        return Door(f"http://{host}:{port}", port, hosts, credentials)
    reached_at = [address for address in _own_addresses() if not is_loopback(address)]
    network_urls = tuple(f"http://{address}:{port}" for address in reached_at)
    return Door(f"http://127.0.0.1:{port}", port, hosts, credentials, network_urls)


def parse_auth(auth: str) -> Credentials:
    """`USER:PASSWORD` (the password may contain colons). Raises `InputError`."""
    user, _, password = auth.partition(":")
    if not user or not password:
        raise InputError("--auth is USER:PASSWORD, neither of them empty.", next_step="For example: --auth ada:…")
    return Credentials(user, password, generated=False)


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach what listens there."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def allowed_hosts(host: str, *, share: bool, extra: Sequence[str]) -> tuple[str, ...]:
    """Names a request may be addressed to: loopback; on a network this machine's own; the tunnel's; those named."""
    names = [*LOOPBACK]
    if _is_wildcard(host):
        hostname = socket.gethostname().lower()
        names += [hostname, f"{hostname}.local", *_own_addresses()]
    elif host not in names:
        names.append(host.lower())
    if share:
        names.append(TUNNEL_NAMES)
    for name in extra:
        if not re.fullmatch(r"(\*\.)?[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)*", name):
            raise InputError(
                "This is not a host name.", where=f"--allowed_host {name}", next_step="Give a name: lab.example.org"
            )
        names.append(name.lower())
    return tuple(dict.fromkeys(names))


def _is_wildcard(host: str) -> bool:
    return host == "0.0.0.0"  # noqa: S104


def _own_addresses() -> list[str]:
    import psutil

    interfaces = psutil.net_if_addrs().values()
    return [address.address for each in interfaces for address in each if address.family == socket.AF_INET]


# ── the layers ───────────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True)
class UploadLimits:
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


def middleware(
    door: Door, temp_dir: Path, default_language: Language | None, limits: UploadLimits | None = None
) -> list[Middleware]:
    """All layers, outermost first. `temp_dir` holds Gradio's upload folder."""
    layers = [
        Middleware(SecurityHeaders),
        Middleware(TrustedHostMiddleware, allowed_hosts=list(door.hosts), www_redirect=False),
        Middleware(SameOriginOnly),
    ]
    if door.credentials:
        layers.append(
            Middleware(SignIn, credentials=door.credentials, port=door.port, default_language=default_language)
        )
    return [
        *layers,
        Middleware(KnownPathsOnly),
        Middleware(UploadsOnly, temp_dir=temp_dir, limits=limits or UploadLimits()),
        Middleware(LocalizedPage, default_language=default_language),
    ]


CONTENT_SECURITY_POLICY = "; ".join(
    [
        "default-src 'self'",
        # Gradio builds templates and our own small components at run time, hence eval; nothing comes from elsewhere.
        "script-src 'self' 'unsafe-inline' 'unsafe-eval'",
        "style-src 'self' 'unsafe-inline'",
        "img-src 'self' data: blob:",
        "media-src 'self' data: blob:",
        "font-src 'self' data:",
        "connect-src 'self' data: blob:",
        "worker-src 'self' blob:",
        "object-src 'none'",
        "base-uri 'self'",
        "form-action 'self'",
        "frame-ancestors 'none'",
    ]
)


class SecurityHeaders:
    """The browser is told to load nothing foreign, to guess no content types and to show us in nobody's frame."""

    HEADERS = {  # noqa: RUF012
        "content-security-policy": CONTENT_SECURITY_POLICY,
        "x-content-type-options": "nosniff",
        "x-frame-options": "DENY",
        "referrer-policy": "same-origin",
        "cross-origin-opener-policy": "same-origin",
        "cross-origin-resource-policy": "same-origin",
    }

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in self.HEADERS.items():
                    headers[name] = value
            await send(message)

        await self.app(scope, receive, with_headers if scope["type"] == "http" else send)


class SameOriginOnly:
    """Refuses what another site's page makes a visitor's browser send: forms, scripts, pictures. Links may lead here.

    Programs that are no browsers send neither `Origin` nor `Sec-Fetch-Site`, and carry nobody's cookies: they pass.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
        elif self._is_foreign(Headers(scope=scope), scope["method"]):
            refusal = PlainTextResponse("This request comes from another site.", status_code=403)
            await refusal(scope, receive, send)
        else:
            # Gradio would build its own address from this header, whoever sent it.
            headers = [(name, value) for name, value in scope["headers"] if name != b"x-forwarded-host"]
            await self.app({**scope, "headers": headers}, receive, send)

    @staticmethod
    def _is_foreign(headers: Headers, method: str) -> bool:
        origin = headers.get("origin")
        if origin is not None and urlsplit(origin).netloc != headers.get("host"):
            return True
        if headers.get("sec-fetch-site") in (None, "same-origin", "none"):
            return False
        follows_link = method in ("GET", "HEAD") and headers.get("sec-fetch-mode") == "navigate"
        return not (follows_link and headers.get("sec-fetch-dest") == "document")


class KnownPathsOnly:
    """Answers 404 to everything the page does not use: Gradio brings proxying, recordings, deep links, monitoring …"""

    PATHS = re.compile(
        r"/|/config/?|/theme\.css|/favicon\.ico|/robots\.txt|/(assets|static|svelte)/.+"
        r"|/gradio_api/(info/?|app_id/?|startup-events|theme\.css|upload|upload_progress|cancel|reset/?"
        r"|queue/(join|data|status)|heartbeat/[\w-]+|component_server/?|file=(?!\w\w+:|//).+"
        r"|(run|api|call|call/v2)/[\w-]+/?|call/(v2/)?[\w-]+/[\w-]+)",
        re.ASCII,
    )

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] in ("http", "websocket") and not self.PATHS.fullmatch(scope["path"]):
            await PlainTextResponse("Not found", status_code=404)(scope, receive, send)
            return
        await self.app(scope, receive, send)


@dataclass
class UploadsOnly:
    """Bounds what is sent, and refuses references to files that were not uploaded here.

    Gradio lets a sender name a file by path or URL inside its JSON. Here the path must lie in the upload folder and the
    URL must be ours; everything else is refused before Gradio sees it.
    """

    app: ASGIApp
    temp_dir: Path
    limits: UploadLimits
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


def _counted(receive: Receive, headers: Headers, limits: UploadLimits) -> Receive:
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


# ── nothing is fetched for a visitor ─────────────────────────────────────────────────────────────────────────────────


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
