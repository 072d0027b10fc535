"""Who may come in, and what they may bring. Requests to the real app are in tests/browser/test_security.py."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Callable
from pathlib import Path

import gradio.processing_utils
import gradio.routes
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, PlainTextResponse
from starlette.routing import Route
from starlette.testclient import TestClient

from core.errors import InputError
from webapp.shell import access, door, received
from webapp.shell.access import KnownPathsOnly, SameOriginOnly, SecurityHeaders
from webapp.shell.page import LocalizedPage, localize, tab_of
from webapp.shell.received import UploadsOnly, VisitorLimits
from webapp.shell.sign_in import SESSION_S, Credentials, Lockout, Sessions, SignIn

PASSWORD = "correct horse: battery"


class Clock:
    """A clock that a test sets."""

    def __init__(self) -> None:
        self.now_s = 1000.0

    def __call__(self) -> float:
        return self.now_s


# ── the door ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def open_door(host: str = "127.0.0.1", **options: object) -> door.Door:
    return door.open_door(host, 7860, **{"share": False, "auth": None, "extra_hosts": (), **options})  # type: ignore


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "127.0.1.1"])
def test_on_this_machine_alone_nobody_has_to_sign_in(host: str) -> None:
    assert open_door(host).credentials is None
    assert set(open_door(host).hosts) == {"localhost", "127.0.0.1", host}


@pytest.mark.parametrize(("host", "share"), [("0.0.0.0", False), ("192.168.7.5", False), ("127.0.0.1", True)])
def test_beyond_this_machine_a_sign_in_is_made_up(host: str, share: bool) -> None:
    first, second = (open_door(host, share=share).credentials for _ in range(2))
    assert first and second and first.generated
    assert first.password != second.password and len(first.password) >= 20
    assert first.password not in repr(first), "a password must not reach a log by way of repr"


def test_a_given_sign_in_is_kept_even_on_this_machine() -> None:
    credentials = open_door(auth=f"ada:{PASSWORD}").credentials
    assert credentials == Credentials("ada", PASSWORD, generated=False)


@pytest.mark.parametrize("auth", ["", "ada", "ada:", ":secret"])
def test_half_a_sign_in_is_refused(auth: str) -> None:
    with pytest.raises(InputError, match="USER:PASSWORD"):
        open_door(auth=auth)


def test_hosts_follow_the_way_the_app_is_served() -> None:
    import socket

    lan = open_door("0.0.0.0").hosts
    assert {"localhost", "127.0.0.1", socket.gethostname().lower()} <= set(lan)
    assert "*" not in lan and "0.0.0.0" not in lan
    assert open_door("0.0.0.0").url == "http://127.0.0.1:7860"
    assert not [url for url in open_door("0.0.0.0").network_urls if "127.0." in url or url[7:-5] not in lan]
    assert "192.168.7.5" in open_door("192.168.7.5").hosts
    assert "192.168.7.6" not in open_door("192.168.7.5").hosts
    assert "*.gradio.live" in open_door(share=True).hosts
    assert "*.gradio.live" not in lan
    assert {"lab.example.org", "*.example.net"} <= set(
        open_door(extra_hosts=["Lab.Example.org", "*.example.net"]).hosts
    )


@pytest.mark.parametrize("name", ["*", "", "http://lab", "lab:80", "a b", "*.", "lab.*"])
def test_what_is_no_host_name_is_refused(name: str) -> None:
    with pytest.raises(InputError, match="host name"):
        open_door(extra_hosts=[name])


@pytest.mark.parametrize(
    ("options", "answered", "refused"),
    [
        ({}, "localhost:7860", "x.gradio.live"),
        ({"share": True}, "0a1b2c.gradio.live", "gradio.live.evil.example"),
        ({"host": "192.168.7.5"}, "192.168.7.5:7860", "192.168.7.6:7860"),
        ({"extra_hosts": ["lab.example.org"]}, "lab.example.org", "www.lab.example.org"),
        ({"extra_hosts": ["*.example.net"]}, "a.example.net", "example.net"),
    ],
)
def test_every_layer_together_answers_to_these_names_only(
    tmp_path: Path, options: dict[str, object], answered: str, refused: str
) -> None:
    layers = access.middleware(open_door(**options), tmp_path, None)  # type: ignore[arg-type]
    behind = client(*layers)
    assert behind.get("/config", headers={"host": answered}).status_code in (200, 401)
    assert behind.get("/config", headers={"host": refused}).status_code == 400


# ── sign-in ──────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("user", "password", "expected"),
    [
        ("ada", PASSWORD, True),
        ("ada", PASSWORD + " ", False),
        ("Ada", PASSWORD, False),
        ("", "", False),
        ("ада", "пароль", False),
        ("ada\ud800", PASSWORD, False),
    ],
)
def test_credentials_match_exactly(user: str, password: str, expected: bool) -> None:
    assert Credentials("ada", PASSWORD, generated=False).match(user, password) is expected


def test_lockout_waits_longer_each_time_and_forgets_after_success() -> None:
    clock = Clock()
    lockout = Lockout(clock, tries=3, first_wait_s=30, longest_wait_s=100)
    waits = []
    for _ in range(6):
        lockout.wrong("a")
        waits.append(lockout.wait_s("a"))
    assert waits == [0, 0, 30, 60, 100, 100]
    assert lockout.wait_s("b") == 0, "another address is not punished"
    clock.now_s += 99
    assert lockout.wait_s("a") == pytest.approx(1)
    clock.now_s += 1
    assert lockout.wait_s("a") == 0
    lockout.right("a")
    lockout.wrong("a")
    assert lockout.wait_s("a") == 0, "after the right password the count starts afresh"


def test_many_addresses_together_are_slowed_but_never_shut_out() -> None:
    clock = Clock()
    lockout = Lockout(clock, shared_tries=10, shared_window_s=600, shared_pause_s=2)
    for number in range(10):
        assert lockout.wait_s(f"bot{number}") == 0
        lockout.wrong(f"bot{number}")
    assert lockout.wait_s("owner") == pytest.approx(2)
    clock.now_s += 2
    assert lockout.wait_s("owner") == 0
    lockout.wrong("bot99")
    assert lockout.wait_s("owner") == pytest.approx(2)
    clock.now_s += 601
    lockout.wrong("bot100")
    assert lockout.wait_s("owner") == 0, "the wave is over"


@given(st.lists(st.tuples(st.integers(0, 30), st.floats(0, 5000)), max_size=300))
@settings(max_examples=60, deadline=None)
def test_lockout_never_overflows_and_remembers_a_bounded_number(tries: list[tuple[int, float]]) -> None:
    clock = Clock()
    lockout = Lockout(clock, remembered=8)
    for number, pause_s in tries:
        lockout.wrong(f"address {number}")
        assert 0 <= lockout.wait_s(f"address {number}") <= lockout.longest_wait_s
        clock.now_s += pause_s
    assert len(lockout._wrong) <= 8


def test_a_very_long_attack_does_not_overflow_the_wait() -> None:
    lockout = Lockout(Clock())
    for _ in range(5000):
        lockout.wrong("a")
    assert lockout.wait_s("a") == lockout.longest_wait_s


def test_sessions_end_by_time_and_by_signing_out() -> None:
    clock = Clock()
    sessions = Sessions(clock)
    first, second = sessions.open(), sessions.open()
    assert sessions.is_open(first) and sessions.is_open(second)
    assert not sessions.is_open(None) and not sessions.is_open("") and not sessions.is_open("guess")
    sessions.close(first)
    assert not sessions.is_open(first) and sessions.is_open(second)
    clock.now_s += SESSION_S
    assert not sessions.is_open(second)


def client(*layers: Middleware, address: str = "198.51.100.7", base_url: str = "http://127.0.0.1:7860") -> TestClient:
    """A small app behind these layers: it tells what reached it."""

    async def echo(request: Request) -> JSONResponse:
        return JSONResponse({"path": request.url.path, "body": (await request.body()).decode("latin-1")})

    app = Starlette(routes=[Route("/{path:path}", echo, methods=["GET", "POST", "HEAD"])], middleware=list(layers))
    return TestClient(app, base_url=base_url, follow_redirects=False, client=(address, 50000))


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def visitor(clock: Clock) -> TestClient:
    credentials = Credentials("ada", PASSWORD, generated=False)
    return client(Middleware(SignIn, credentials=credentials, port=7860, clock=clock))


BROWSER = {"accept": "text/html,application/xhtml+xml"}
RIGHT = {"username": "ada", "password": PASSWORD}
WRONG = {"username": "ada", "password": "wrong"}


def test_a_stranger_sees_the_sign_in_page_and_nothing_else(visitor: TestClient) -> None:
    assert visitor.get("/", headers=BROWSER).headers["location"] == "/login"
    assert visitor.get("/config").status_code == 401
    assert visitor.post("/gradio_api/queue/join", json={}).status_code == 401
    page = visitor.get("/login")
    assert page.status_code == 200 and 'type="password"' in page.text
    assert PASSWORD not in page.text and "ada" not in page.text


def test_gradio_may_start_itself_once(visitor: TestClient) -> None:
    assert visitor.get("/gradio_api/startup-events").status_code == 200
    assert visitor.get("/gradio_api/startup-events").status_code == 401


def test_the_right_password_opens_and_signing_out_closes(visitor: TestClient) -> None:
    answer = visitor.post("/login", data=RIGHT, headers=BROWSER)
    assert (answer.status_code, answer.headers["location"]) == (303, "/")
    cookie = answer.headers["set-cookie"].lower()
    assert "httponly" in cookie and "samesite=lax" in cookie and "secure" not in cookie
    assert visitor.get("/config").json()["path"] == "/config"
    assert visitor.get("/login").headers["location"] == "/"
    token = visitor.cookies["workbench_session_7860"]
    assert visitor.post("/logout").headers["location"] == "/login"
    assert visitor.get("/config", headers={"cookie": f"workbench_session_7860={token}"}).status_code == 401


def test_behind_https_the_cookie_is_for_https_only() -> None:
    credentials = Credentials("ada", PASSWORD, generated=False)
    tunnel = client(Middleware(SignIn, credentials=credentials, port=7860), base_url="https://x.gradio.live")
    assert "secure" in tunnel.post("/login", data=RIGHT).headers["set-cookie"].lower()


def test_a_link_or_picture_cannot_sign_anybody_out(visitor: TestClient) -> None:
    visitor.post("/login", data=RIGHT)
    visitor.get("/logout")
    assert visitor.get("/config").status_code == 200


def test_sign_in_never_leads_anywhere_else(visitor: TestClient) -> None:
    answer = visitor.post("/login?next=https://evil.example", data={**RIGHT, "next": "//evil.example"}, headers=BROWSER)
    assert answer.headers["location"] == "/"


def test_after_five_wrong_tries_even_the_right_password_waits(visitor: TestClient, clock: Clock) -> None:
    for _ in range(5):
        assert visitor.post("/login", data=WRONG).status_code == 401
    locked = visitor.post("/login", data=RIGHT)
    assert locked.status_code == 429 and locked.headers["retry-after"] == "30"
    assert "set-cookie" not in locked.headers
    clock.now_s += 30
    assert visitor.post("/login", data=RIGHT).status_code == 200


def test_the_page_tells_what_is_wrong_in_the_visitors_language(visitor: TestClient) -> None:
    chinese = {**BROWSER, "accept-language": "zh-CN"}
    assert "密码不正确" in visitor.post("/login", data=WRONG, headers=chinese).text
    for _ in range(4):
        visitor.post("/login", data=WRONG)
    assert "30 秒" in visitor.post("/login", data=WRONG, headers=chinese).text
    english = visitor.post("/login", data=WRONG, headers=BROWSER)
    assert "30 seconds" in english.text and 'lang="en"' in english.text


@pytest.mark.parametrize(
    "body",
    [b"", b"username=ada", b"\xff\xfe", b"a=" + b"x" * 10_000, b"username[]=ada&password[]=x", b'{"username":1}'],
)
def test_a_malformed_form_is_a_wrong_try(visitor: TestClient, body: bytes) -> None:
    answer = visitor.post("/login", content=body, headers={"content-type": "application/x-www-form-urlencoded"})
    assert answer.status_code == 401


def test_what_was_typed_never_comes_back(visitor: TestClient, caplog: pytest.LogCaptureFixture) -> None:
    typed = {"username": "<script>alert(1)</script>", "password": "my-other-password"}
    page = visitor.post("/login", data=typed, headers=BROWSER).text
    assert "script>alert" not in page and "my-other-password" not in page
    assert "my-other-password" not in caplog.text and "198.51.100.7" in caplog.text


@pytest.mark.parametrize("cookie", ["workbench_session_7860=", "workbench_session_7860=x", "=;;=", '"\x01'])
def test_a_made_up_cookie_opens_nothing(visitor: TestClient, cookie: str) -> None:
    assert visitor.get("/config", headers={"cookie": cookie}).status_code == 401


# ── other sites ──────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("method", "headers", "allowed"),
    [
        ("POST", {}, True),  # a program
        ("POST", {"origin": "http://127.0.0.1:7860", "sec-fetch-site": "same-origin"}, True),
        ("POST", {"origin": "https://evil.example"}, False),
        ("POST", {"origin": "null"}, False),
        ("POST", {"origin": "http://127.0.0.1:3000", "sec-fetch-site": "same-site"}, False),  # another local program
        ("POST", {"sec-fetch-site": "cross-site"}, False),
        ("GET", {"origin": "https://evil.example"}, False),
        ("GET", {"sec-fetch-site": "none", "sec-fetch-mode": "navigate", "sec-fetch-dest": "document"}, True),
        ("GET", {"sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate", "sec-fetch-dest": "document"}, True),
        ("GET", {"sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate", "sec-fetch-dest": "iframe"}, False),
        ("GET", {"sec-fetch-site": "cross-site", "sec-fetch-mode": "no-cors", "sec-fetch-dest": "image"}, False),
        ("POST", {"sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate", "sec-fetch-dest": "document"}, False),
    ],
)
def test_another_sites_page_may_link_here_and_no_more(method: str, headers: dict[str, str], allowed: bool) -> None:
    answer = client(Middleware(SameOriginOnly)).request(method, "/config", headers=headers)
    assert answer.status_code == (200 if allowed else 403)


def test_a_forwarded_host_is_not_believed() -> None:
    async def told(request: Request) -> PlainTextResponse:
        return PlainTextResponse(request.headers.get("x-forwarded-host", "nothing"))

    app = Starlette(routes=[Route("/", told)], middleware=[Middleware(SameOriginOnly)])
    assert TestClient(app).get("/", headers={"x-forwarded-host": "evil.example"}).text == "nothing"


def test_the_browser_is_told_to_load_nothing_foreign() -> None:
    headers = client(Middleware(SecurityHeaders)).get("/").headers
    policy = dict(part.split(" ", 1) for part in headers["content-security-policy"].split("; "))
    assert policy["default-src"] == "'self'" and policy["frame-ancestors"] == "'none'"
    assert not [part for part in policy.values() if "http" in part or "*" in part]
    assert headers["x-content-type-options"] == "nosniff"


# ── paths ────────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("path", "known"),
    [
        ("/", True),
        ("/config", True),
        ("/assets/index-D.js", True),
        ("/gradio_api/queue/join", True),
        ("/gradio_api/call/vectorize", True),
        ("/gradio_api/call/vectorize/0a1b", True),
        ("/gradio_api/heartbeat/1b2-c3", True),
        ("/gradio_api/file=/tmp/x/cat.png", True),
        ("/gradio_api/file=http://127.0.0.1:9/x", False),
        ("/gradio_api/file=HTTPS://127.0.0.1:9/x", False),
        ("/gradio_api/file=//127.0.0.1/x", False),
        ("/gradio_api/file/etc/passwd", False),
        ("/gradio_api/proxy=https://a.hf.space/x", False),
        ("/gradio_api/deep_link", False),
        ("/gradio_api/process_recording", False),
        ("/gradio_api/stream/x", False),
        ("/gradio_api/runs", False),
        ("/gradio_api/run-history/connect", False),
        ("/gradio_api/mcp/", False),
        ("/gradio_api/openapi.json", False),
        ("/monitoring", False),
        ("/monitoring/summary", False),
        ("/manifest.json", False),
        ("/login", False),
        ("/docs", False),
    ],
)
def test_only_the_paths_the_page_uses(path: str, known: bool) -> None:
    assert client(Middleware(KnownPathsOnly)).get(path).status_code == (200 if known else 404)


# ── files ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def sender(temp_dir: Path, **limits: int) -> Callable[..., int]:
    """`send(json)` → the status."""
    behind = client(Middleware(UploadsOnly, temp_dir=temp_dir, limits=VisitorLimits(**limits)))
    return lambda sent, **how: behind.post("/gradio_api/queue/join", json=sent, **how).status_code


def test_only_uploaded_files_may_be_named(tmp_path: Path) -> None:
    """Gradio takes a file by path or URL inside its JSON; a stranger would name `/etc/passwd`, or a neighbour."""
    uploads = tmp_path / "uploads"
    uploads.mkdir()
    (uploads / "cat.png").write_bytes(b"x")
    (uploads / "way-out").symlink_to("/etc")
    send = sender(uploads)
    ours = {"path": str(uploads / "cat.png"), "meta": {"_type": "gradio.FileData"}}
    assert send({"data": [ours, None, "text", 3, [{"image": ours, "caption": None}]]}) == 200
    assert send({"data": [{**ours, "url": "http://127.0.0.1:7860/gradio_api/file=/x/cat.png"}]}) == 200
    assert send({"data": [{**ours, "url": "/gradio_api/file=/x/cat.png"}]}) == 200
    for path in (
        "/etc/passwd",
        str(uploads / ".." / "secret"),
        str(uploads) + "-next-door/x",
        str(uploads / "way-out" / "passwd"),
        "http://127.0.0.1:9/x.png",
        "https://example.org/x.png",
        "file:///etc/passwd",
        "weights/x",
        "~/x",
        "",
        "x\0y",
        7,
        ["/etc/passwd"],
    ):
        assert send({"data": [{"path": path}]}) == 400, path
        assert send({"data": [[{"image": {"path": path, "meta": {"_type": "gradio.FileData"}}}]]}) == 400, path
    for url in (
        "http://127.0.0.1:9/x",
        "//evil.example/gradio_api/file=x",
        "/config",
        "file:///etc/passwd",
        "ftp://x",
        7,
    ):
        assert send({"data": [{**ours, "url": url}]}) == 400, url
        assert send({"data": [{"path": None, "url": url}]}) == 400, url


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner, max_size=4),
    max_leaves=20,
)


@given(json_values, st.lists(st.sampled_from(["list", "dict"]), max_size=30))
@settings(max_examples=100, deadline=None)
def test_a_file_is_found_however_deep_it_is_hidden(beside: object, nesting: list[str]) -> None:
    hidden = {"path": "/etc/passwd"}
    sent: object = hidden
    for kind in nesting:
        sent = [beside, sent] if kind == "list" else {"a": beside, "b": sent}
    assert hidden in list(received.file_references(sent))


def test_the_body_arrives_unchanged(tmp_path: Path) -> None:
    behind = client(Middleware(UploadsOnly, temp_dir=tmp_path, limits=VisitorLimits()))
    sent = json.dumps({"data": ["汉字", 1.5]}).encode()
    assert behind.post("/gradio_api/queue/join", content=sent).json()["body"] == sent.decode()


def test_a_request_too_large_or_no_json_is_refused(tmp_path: Path) -> None:
    behind = client(Middleware(UploadsOnly, temp_dir=tmp_path, limits=VisitorLimits(json_bytes=100)))
    assert behind.post("/gradio_api/queue/join", content=b'"' + b"x" * 99 + b'"').status_code == 413
    stream = (b" " * 40 for _ in range(4))  # no Content-Length
    assert behind.post("/gradio_api/queue/join", content=stream).status_code == 413
    assert behind.post("/gradio_api/queue/join", content=b"{").status_code == 400
    assert behind.post("/gradio_api/queue/join", content=b"[" * 90).status_code == 400
    assert behind.post("/gradio_api/queue/join", content=b"[1]").status_code == 200


def test_deep_nesting_is_refused_not_a_crash(tmp_path: Path) -> None:
    behind = client(Middleware(UploadsOnly, temp_dir=tmp_path, limits=VisitorLimits()))
    answer = behind.post("/gradio_api/queue/join", content=b"[" * 200_000 + b"]" * 200_000)
    assert answer.status_code in (200, 400)


def test_an_upload_is_refused_by_its_declared_size_and_when_the_disk_share_is_full(tmp_path: Path) -> None:
    behind = client(Middleware(UploadsOnly, temp_dir=tmp_path, limits=VisitorLimits(request_bytes=1000)))
    assert behind.post("/gradio_api/upload", files={"files": b"x" * 500}).status_code == 200
    assert behind.post("/gradio_api/upload", files={"files": b"x" * 2000}).status_code == 413
    (tmp_path / "stored").write_bytes(b"x" * 2000)
    full = client(Middleware(UploadsOnly, temp_dir=tmp_path, limits=VisitorLimits(stored_bytes=1000)))
    assert full.post("/gradio_api/upload", files={"files": b"x"}).status_code == 507


@given(st.integers(1, 12), st.integers(1, 64), st.integers(1, 4))
@settings(max_examples=80, deadline=None)
def test_files_are_counted_however_the_upload_is_cut_into_pieces(files: int, piece: int, limit: int) -> None:
    part = b'--cut\r\ncontent-disposition: form-data; name="files"; filename="a"\r\n\r\n--cu t-cut\r\n'
    body = part * files + b"--cut--\r\n"
    pieces = [body[start : start + piece] for start in range(0, len(body), piece)]
    waiting = [{"type": "http.request", "body": each, "more_body": True} for each in pieces]

    async def receive() -> dict[str, object]:
        return waiting.pop(0)

    headers = received.Headers({"content-type": "multipart/form-data; boundary=cut"})
    counting = received._counted(receive, headers, VisitorLimits(files=limit))  # type: ignore[arg-type]

    async def read_all() -> bytes:
        return b"".join([(await counting())["body"] for _ in pieces])

    if files <= limit:
        assert asyncio.run(read_all()) == body
    else:
        with pytest.raises(received.MultiPartException, match="maximum allowed size"):
            asyncio.run(read_all())


# ── nothing is fetched ───────────────────────────────────────────────────────────────────────────────────────────────


def test_gradio_can_fetch_no_url_even_if_it_is_asked_to(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A public address in a file reference would be fetched by Gradio, of any size."""
    for module, name in (
        (gradio.processing_utils, "async_ssrf_protected_get"),
        (gradio.routes, "secure_url_stream_response"),
    ):
        monkeypatch.setattr(module, name, getattr(module, name))  # put back afterwards
    received.forbid_fetching()
    with pytest.raises(received.FetchRefusedError):
        asyncio.run(gradio.processing_utils.async_ssrf_protected_download("https://93.184.215.14/x.png", str(tmp_path)))
    with pytest.raises(received.FetchRefusedError):
        asyncio.run(gradio.routes.secure_url_stream_response("https://93.184.215.14/x.png", None))  # type: ignore
    assert not [each for each in tmp_path.rglob("*") if each.is_file()]


# ── the page ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_the_page_leaves_in_the_visitors_language_and_theme() -> None:
    import gradio

    own = Path(gradio.__file__).parent / "templates" / "frontend" / "index.html"

    async def page(_: Request) -> HTMLResponse:
        return HTMLResponse(own.read_text(encoding="utf-8"))

    app = Starlette(routes=[Route("/", page)], middleware=[Middleware(LocalizedPage, default_language=None)])
    visitor = TestClient(app)
    english, chinese = (visitor.get("/", headers={"accept-language": each}).text for each in ("en", "zh-CN"))
    assert 'lang="en"' in english and 'lang="zh-CN"' in chinese
    assert chinese.index("start.js") < chinese.index('type="module"') and "theme_mode" not in chinese
    dark = visitor.get("/", headers={"cookie": "workbench_theme=dark"}).text
    assert '<gradio-app theme_mode="dark"' in dark
    assert "theme_mode" not in visitor.get("/", headers={"cookie": 'workbench_theme="><script>'}).text
    assert "og:image" not in english and "manifest.json" not in english


PAGE = b'<head></head>{"elem_id":"tabs"} {"elem_id":"tab-pose"}'


@pytest.mark.parametrize(
    ("query", "opened"),
    [
        ("", None),
        ("tab=pose", "pose"),
        ("tab=pose&tab=runs", "pose"),
        ("runs&group=seed", None),  # a link to runs, on a page that has no such tab
        ("tab=nonsense", None),
        ("tab=", None),
        ('tab="},"x":{"', None),
        ("tab=%22%3E%3Cscript%3E", None),
        ("tab=" + "a" * 100, None),
    ],
)
def test_the_address_opens_a_tab_that_is_there_and_nothing_else(query: str, opened: str | None) -> None:
    page = localize(PAGE, "en", None, tab_of(query)).decode()
    assert re.findall(r'"selected":"(.*?)"', page) == ([opened] if opened else [])
    assert "<script>" not in page


def test_a_link_to_runs_opens_their_tab() -> None:
    assert tab_of("runs&group_by=pose_encoder") == "runs" == tab_of("runs=") and tab_of("tab=pose&runs") == "pose"
