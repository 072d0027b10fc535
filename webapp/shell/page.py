"""What the server does to Gradio's one HTML page before it leaves: language, theme, the open tab, nothing foreign.

Gradio's front end asks the browser for its language and knows no lasting choice of light or dark. Both are decided
here, from the request, so that front end, handlers and sign-in page agree: `<html lang>`, the answer of
`navigator.language` and the theme of `<gradio-app>` are written into the page.
"""

from __future__ import annotations

import re
from urllib.parse import parse_qs

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import cookie_parser
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from webapp.kit import assets
from webapp.text import Language, language_of

THEME_COOKIE = "workbench_theme"
LOGO = (
    '<svg class="logo" viewBox="0 0 32 32" width="30" height="30" aria-hidden="true">'
    '<rect width="32" height="32" rx="8" fill="#4f46e5"/>'
    '<path d="M9 22 L16 9 L23 22" fill="none" stroke="#a5b4fc" stroke-width="1.6"/>'
    '<circle cx="16" cy="9" r="3.2" fill="#fff"/><circle cx="9" cy="22" r="3.2" fill="#c7d2fe"/>'
    '<circle cx="23" cy="22" r="3.2" fill="#818cf8"/></svg>'
)

BROWSER_TAGS: dict[Language, str] = {"en": "en", "zh": "zh-CN"}

# Previews for social networks that name Gradio's own site, and the manifest of an app to install, which this is not.
_FOREIGN = re.compile(rb'\s*<(?:meta\s+(?:property="og:|name="twitter:)|link\s+rel="manifest")[^>]*>')


def localize(page: bytes, language: Language, theme: str | None, tab: str = "") -> bytes:
    """Gradio's index page → the same in `language`; `theme` is `light`, `dark` or None for the system's own; `tab` is
    open (the first, where there is none of that name)."""
    tag = BROWSER_TAGS[language].encode()
    page = _FOREIGN.sub(b"", page)
    page = page.replace(b'lang="en"', b'lang="' + tag + b'"', 1)
    page = page.replace(b"<head>", b"<head>" + assets.head(__file__, "start").encode(), 1)
    if theme:
        page = page.replace(b"<gradio-app", b'<gradio-app theme_mode="' + theme.encode() + b'"', 1)
    if tab and f'"elem_id":"tab-{tab}"'.encode() in page:
        page = page.replace(b'"elem_id":"tabs"', f'"selected":"{tab}","elem_id":"tabs"'.encode(), 1)
    return page


def tab_of(query: str) -> str:
    """The tab that a query string asks for: `?tab=pose`, or a link to runs, which names none; else empty."""
    asked = parse_qs(query, keep_blank_values=True)
    tab = asked.get("tab", ["runs" if "runs" in asked else ""])[0]
    return tab if re.fullmatch(r"\w{1,40}", tab) else ""


def theme_of(headers: Headers) -> str | None:
    """The visitor's lasting choice of `light` or `dark`, or None."""
    theme = cookie_parser(headers.get("cookie", "")).get(THEME_COOKIE)
    return theme if theme in ("light", "dark") else None


class LocalizedPage:
    """ASGI layer around Gradio: passes everything through but the page itself."""

    def __init__(self, app: ASGIApp, default_language: Language | None) -> None:
        self.app = app
        self.default_language = default_language

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] != "/" or scope["method"] != "GET":
            await self.app(scope, receive, send)
            return

        headers = Headers(scope=scope)
        start: Message = {}
        body = bytearray()

        async def collect(message: Message) -> None:
            nonlocal start
            if message["type"] == "http.response.start":
                start = message
                return
            body.extend(message.get("body", b""))
            if message.get("more_body"):
                return
            page = localize(
                bytes(body),
                language_of(headers, self.default_language),
                theme_of(headers),
                tab_of(scope["query_string"].decode("latin-1")),
            )
            out = MutableHeaders(raw=list(start["headers"]))
            out["content-length"] = str(len(page))
            out["cache-control"] = "no-store"
            out.add_vary_header("Cookie")
            out.add_vary_header("Accept-Language")
            await send({**start, "headers": out.raw})
            await send({"type": "http.response.body", "body": page})

        await self.app(scope, receive, collect)
