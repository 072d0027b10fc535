"""Who may reach the app, and what they may send it.

`door.py` says where the app is reached. The layers a request passes, outermost first (`middleware` puts them together):

1. Headers that tell the browser to run and load nothing foreign.
2. The host name must be one the app is served under (else a foreign page could point its own name here).
3. A browser must be on our own page (else a foreign page could use the visitor's cookies).
4. Sign-in, where the app is served beyond this machine (`sign_in.py`).
5. Only the paths the page uses; only files that were uploaded here, never a path or URL of the sender's choosing;
   not too large, not too many (`received.py`).
6. The page in the visitor's language (`page.py`).
"""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from webapp.shell.door import Door
from webapp.shell.page import LocalizedPage
from webapp.shell.received import UploadsOnly, VisitorLimits
from webapp.shell.sign_in import SignIn
from webapp.text import Language


def middleware(
    door: Door, temp_dir: Path, default_language: Language | None, limits: VisitorLimits | None = None
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
        Middleware(UploadsOnly, temp_dir=temp_dir, limits=limits or VisitorLimits()),
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
