"""Sign-in: one page, one password, a cookie. Gradio's own would tell the API's schema before it and knows no lockout.

A program signs in as a browser does: `gradio_client.Client(url, auth=("user", "password"))` posts the same form and
keeps the cookie.
"""

from __future__ import annotations

import hashlib
import hmac
import html
import logging
import math
import secrets
import time
from collections import OrderedDict, deque
from collections.abc import Callable
from dataclasses import dataclass, field
from urllib.parse import parse_qs

from starlette.datastructures import Headers
from starlette.requests import cookie_parser
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from webapp.shell import words as words
from webapp.shell.page import BROWSER_TAGS, LOGO, theme_of
from webapp.text import Language, language_of, say

log = logging.getLogger("webapp")

MAX_FORM_BYTES = 4096
SESSION_S = 12 * 3600
MAX_SESSIONS = 1000


@dataclass(frozen=True)
class Credentials:
    """The one sign-in of this app. `generated`: made for this start, so the password has to be shown once."""

    user: str
    password: str = field(repr=False)
    generated: bool

    def match(self, user: str, password: str) -> bool:
        """Compares in a time that tells nothing about where they differ."""
        same_user = hmac.compare_digest(_digest(user), _digest(self.user))
        same_password = hmac.compare_digest(_digest(password), _digest(self.password))
        return same_user and same_password


def _digest(text: str) -> bytes:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()


class Lockout:
    """Slows down guessing.

    An address that was wrong `tries` times waits `first_wait_s`, then twice that after each further wrong try, up to
    `longest_wait_s`. Many addresses together, after `shared_tries` wrong tries within `shared_window_s`, get one try
    per `shared_pause_s`: a botnet gains nothing, and the right password still gets in.
    """

    def __init__(
        self,
        clock: Callable[[], float] = time.monotonic,
        *,
        tries: int = 5,
        first_wait_s: float = 30,
        longest_wait_s: float = 3600,
        shared_tries: int = 60,
        shared_window_s: float = 600,
        shared_pause_s: float = 2,
        remembered: int = 4096,
    ) -> None:
        self.clock = clock
        self.tries = tries
        self.first_wait_s = first_wait_s
        self.longest_wait_s = longest_wait_s
        self.shared_window_s = shared_window_s
        self.shared_pause_s = shared_pause_s
        self.remembered = remembered
        self._wrong: OrderedDict[str, tuple[int, float]] = OrderedDict()  # address: (wrong tries, locked until)
        self._shared: deque[float] = deque(maxlen=shared_tries)  # times of the latest wrong tries, of all addresses

    def wait_s(self, address: str) -> float:
        """Seconds until this address may try again; 0 if now."""
        now_s = self.clock()
        until_s = self._wrong.get(address, (0, 0.0))[1]
        if len(self._shared) == self._shared.maxlen and now_s - self._shared[0] < self.shared_window_s:
            until_s = max(until_s, self._shared[-1] + self.shared_pause_s)
        return max(0.0, until_s - now_s)

    def wrong(self, address: str) -> None:
        """One more wrong try."""
        now_s = self.clock()
        self._shared.append(now_s)
        count = self._wrong.pop(address, (0, 0.0))[0] + 1
        over = count - self.tries
        # The exponent is bounded: a thousand wrong tries must not overflow the wait.
        wait_s = min(self.first_wait_s * 2.0 ** min(over, 20), self.longest_wait_s) if over >= 0 else 0.0
        self._wrong[address] = (count, now_s + wait_s)
        if len(self._wrong) > self.remembered:
            self._wrong.popitem(last=False)

    def right(self, address: str) -> None:
        """The right password: the address starts afresh."""
        self._wrong.pop(address, None)


class Sessions:
    """Who is signed in: hashes of random tokens, each with its end. In memory: a restart signs everybody out."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self.clock = clock
        self._ends: OrderedDict[bytes, float] = OrderedDict()

    def open(self) -> str:
        """A new session's token, for the cookie."""
        token = secrets.token_urlsafe(32)
        self._ends[_digest(token)] = self.clock() + SESSION_S
        if len(self._ends) > MAX_SESSIONS:
            self._ends.popitem(last=False)
        return token

    def is_open(self, token: str | None) -> bool:
        """Whether this token is of a session that has not ended."""
        return token is not None and self._ends.get(_digest(token), -math.inf) > self.clock()

    def close(self, token: str | None) -> None:
        if token is not None:
            self._ends.pop(_digest(token), None)


class SignIn:
    """ASGI layer: without a session only the sign-in page answers. `/login` and `/logout` are ours, not Gradio's."""

    def __init__(
        self,
        app: ASGIApp,
        credentials: Credentials,
        port: int,
        default_language: Language | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.app = app
        self.credentials = credentials
        self.cookie = f"workbench_session_{port}"
        self.default_language = default_language
        self.sessions = Sessions(clock)
        self.lockout = Lockout(clock)
        self._started = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        path, method = scope["path"], scope.get("method")
        token = self._token(headers)
        response: Response
        if path == "/login" and method == "POST":
            response = await self._sign_in(scope, headers, receive)
        elif path == "/login":
            response = RedirectResponse("/", 303) if self.sessions.is_open(token) else self._page(headers)
        elif path == "/logout":
            response = self._sign_out(scope, token) if method == "POST" else RedirectResponse("/", 303)
        elif self.sessions.is_open(token) or self._is_first_start(path):
            await self.app(scope, receive, send)
            return
        elif path == "/" and method in ("GET", "HEAD"):
            response = RedirectResponse("/login", 303)
        else:
            response = JSONResponse({"detail": "Sign in first."}, 401)
        response.headers["cache-control"] = "no-store"
        await response(scope, receive, send)

    def _is_first_start(self, path: str) -> bool:
        """Gradio calls this path of itself once when it starts, before anybody is told the address."""
        if path != "/gradio_api/startup-events" or self._started:
            return False
        self._started = True
        return True

    def _token(self, headers: Headers) -> str | None:
        return cookie_parser(headers.get("cookie", "")).get(self.cookie)

    async def _sign_in(self, scope: Scope, headers: Headers, receive: Receive) -> Response:
        address = scope["client"][0] if scope.get("client") else "unknown"
        is_browser = "text/html" in headers.get("accept", "")
        wait_s = math.ceil(self.lockout.wait_s(address))
        if wait_s:
            return self._refusal(headers, is_browser, 429, "sign_in_locked", wait_s)
        form = await _read_form(receive)
        if form is None or not self.credentials.match(form.get("username", ""), form.get("password", "")):
            self.lockout.wrong(address)
            log.warning("sign-in refused for %s", address)
            return self._refusal(headers, is_browser, 401, "sign_in_wrong", 0)
        self.lockout.right(address)
        response: Response = RedirectResponse("/", 303) if is_browser else JSONResponse({"success": True})
        response.set_cookie(
            self.cookie,
            self.sessions.open(),
            max_age=SESSION_S,
            httponly=True,
            samesite="lax",
            secure=scope.get("scheme") == "https",
        )
        return response

    def _sign_out(self, scope: Scope, token: str | None) -> Response:
        self.sessions.close(token)
        response = RedirectResponse("/login", 303)
        response.delete_cookie(self.cookie, httponly=True, samesite="lax", secure=scope.get("scheme") == "https")
        return response

    def _refusal(self, headers: Headers, is_browser: bool, status: int, key: str, wait_s: int) -> Response:
        response = self._page(headers, key, wait_s, status) if is_browser else JSONResponse({"detail": key}, status)
        if wait_s:
            response.headers["retry-after"] = str(wait_s)
        return response

    def _page(self, headers: Headers, key: str = "", wait_s: int = 0, status: int = 200) -> Response:
        language = language_of(headers, self.default_language)
        return HTMLResponse(render_page(language, theme_of(headers), key, wait_s), status)


async def _read_form(receive: Receive) -> dict[str, str] | None:
    """The fields of a small urlencoded form; None if it is none, or too large."""
    body = bytearray()
    while True:
        message = await receive()
        body += message.get("body", b"")
        if len(body) > MAX_FORM_BYTES or message["type"] != "http.request":
            return None
        if not message.get("more_body"):
            break
    try:
        return {name: values[0] for name, values in parse_qs(body.decode("ascii"), max_num_fields=8).items()}
    except ValueError:
        return None


def render_page(language: Language, theme: str | None, key: str = "", wait_s: int = 0) -> str:
    """The sign-in page: no script, nothing to fetch."""

    def words(name: str, **values: object) -> str:
        return html.escape(say(language, name, **values))

    notice = f'<p role="alert">{words(key, seconds=wait_s)}</p>' if key else ""
    return _PAGE.format(
        lang=BROWSER_TAGS[language],
        scheme=theme or "light dark",
        logo=LOGO,
        title=words("sign_in_title"),
        line=words("sign_in_line"),
        user=words("sign_in_user"),
        password=words("sign_in_password"),
        enter=words("sign_in_enter"),
        notice=notice,
    )


_PAGE = """<!doctype html>
<html lang="{lang}">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="robots" content="noindex">
<title>CLIP Workbench</title>
<link rel="icon" href="data:,">
<style>
:root {{ color-scheme: {scheme}; --back: light-dark(#f8fafc, #0b1020); --card: light-dark(#fff, #121a2e);
  --ink: light-dark(#1e293b, #e2e8f0); --soft: light-dark(#64748b, #94a3b8); --line: light-dark(#e2e8f0, #22304d);
  --field: light-dark(#f8fafc, #0d1526); --bad: light-dark(#b91c1c, #fca5a5);
  --bad-back: light-dark(#fef2f2, #2a1520) }}
* {{ box-sizing: border-box }}
body {{ margin: 0; min-height: 100vh; min-height: 100dvh; display: grid; place-items: center; padding: 16px;
  background: var(--back); color: var(--ink);
  font: 14px/1.5 Inter, system-ui, -apple-system, "Segoe UI", "PingFang SC", "Microsoft YaHei", "Noto Sans CJK SC",
  sans-serif }}
form {{ width: min(360px, 100%); padding: 28px; background: var(--card); border: 1px solid var(--line);
  border-radius: 8px; box-shadow: 0 8px 30px rgba(15, 23, 42, .08) }}
.logo {{ display: block; width: 36px; height: 36px; margin-bottom: 14px }}
h1 {{ margin: 0; font-size: 19px; letter-spacing: -.01em }}
h1 + p {{ margin: 2px 0 20px; color: var(--soft) }}
label {{ display: block; margin-bottom: 14px; font-weight: 600; font-size: 13px }}
input {{ display: block; width: 100%; margin-top: 4px; padding: 9px 11px; font: inherit; font-size: 16px;
  color: inherit; background: var(--field); border: 1px solid var(--line); border-radius: 5px }}
input:focus-visible, button:focus-visible {{ outline: 2px solid #6366f1; outline-offset: 1px }}
button {{ width: 100%; margin-top: 6px; padding: 10px; font: inherit; font-weight: 600; color: #fff;
  background: #4f46e5; border: 0; border-radius: 5px; cursor: pointer }}
button:hover {{ background: #4338ca }}
[role=alert] {{ margin: 0 0 16px; padding: 8px 11px; color: var(--bad); background: var(--bad-back);
  border-radius: 5px }}
</style>
</head>
<body>
<form method="post" action="/login">
{logo}
<h1>{title}</h1>
<p>{line}</p>
{notice}
<label>{user}<input name="username" autocomplete="username" autocapitalize="none" required autofocus></label>
<label>{password}<input name="password" type="password" autocomplete="current-password" required></label>
<button>{enter}</button>
</form>
</body>
</html>
"""
