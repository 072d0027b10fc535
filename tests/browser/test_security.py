"""A stranger has the link. Raw requests to the real app, and a visitor at the sign-in page."""

from __future__ import annotations

import http.client
import json
import re
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from gradio_client import Client
from gradio_client.exceptions import AuthenticationError
from playwright.sync_api import Browser

from tests.browser.harness import Server, Visitor, request, serve

Visit = Callable[..., Visitor]
JSON = {"Content-Type": "application/json"}


@pytest.fixture(scope="module")
def lan_server() -> Iterator[Server]:
    """Served to the whole network without --auth: the app makes up a password."""
    with serve("--host", "0.0.0.0", "--allowed_host", "lab.example.org") as running:
        yield running


@pytest.fixture(scope="module")
def password(lan_server: Server) -> str:
    found = re.findall(r"Password:\s+(\S+)", lan_server.log())
    assert len(found) == 1, "shown exactly once"
    return found[0]


def post(server: Server, path: str, value: object, **headers: str) -> tuple[int, str]:
    status, _, body = request(server, "POST", path, body=json.dumps(value), headers={**JSON, **headers})
    return status, body.decode("utf-8", "replace")


def multipart(files: list[tuple[str, bytes]]) -> tuple[bytes, dict[str, str]]:
    parts = [
        f'--cut\r\nContent-Disposition: form-data; name="files"; filename="{name}"\r\n\r\n'.encode() + data + b"\r\n"
        for name, data in files
    ]
    return b"".join(parts) + b"--cut--\r\n", {"Content-Type": "multipart/form-data; boundary=cut"}


# ── whom the app answers ─────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("host", "status"),
    [("127.0.0.1", 200), ("localhost:80", 200), ("evil.example", 400), ("127.0.0.1.evil.example", 400), ("", 400)],
)
def test_served_to_this_machine_it_answers_to_loopback_names_alone(server: Server, host: str, status: int) -> None:
    """A foreign page can point its own name at 127.0.0.1 and read what answers (DNS rebinding)."""
    assert request(server, "GET", "/config", headers={"Host": host})[0] == status


def test_served_to_the_network_it_answers_to_this_machines_names(lan_server: Server) -> None:
    names = ["127.0.0.1", "localhost", socket.gethostname(), f"{socket.gethostname()}.local", "lab.example.org"]
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as route:
        try:
            route.connect(("192.0.2.1", 9))  # sends nothing; tells which of our addresses faces outwards
            names.append(route.getsockname()[0])
        except OSError:
            pass  # no network here, hence no such address
    for name in names:
        assert request(lan_server, "GET", "/login", headers={"Host": name})[0] == 200, name
    for name in ("evil.example", "x.gradio.live", "203.0.113.5", "notlab.example.org"):
        assert request(lan_server, "GET", "/login", headers={"Host": name})[0] == 400, name


def test_another_sites_page_cannot_send_files_here(server: Server) -> None:
    body, headers = multipart([("a.png", b"x")])
    foreign = {**headers, "Origin": "https://evil.example"}
    assert request(server, "POST", "/gradio_api/upload", body=body, headers=foreign)[0] == 403
    hidden = {**headers, "Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors"}
    assert request(server, "POST", "/gradio_api/upload", body=body, headers=hidden)[0] == 403
    assert request(server, "POST", "/gradio_api/upload", body=body, headers=headers)[0] == 200


def test_the_address_told_to_the_page_is_not_the_senders(server: Server) -> None:
    _, _, page = request(server, "GET", "/config", headers={"X-Forwarded-Host": "evil.example"})
    assert b"evil.example" not in page


def test_answers_carry_the_policy(server: Server) -> None:
    for path in ("/", "/config", "/assets/none.js"):
        _, headers, _ = request(server, "GET", path)
        assert "default-src 'self'" in headers["content-security-policy"]
        assert headers["x-frame-options"] == "DENY"


# ── files ────────────────────────────────────────────────────────────────────────────────────────────────────────────


@contextmanager
def listener() -> Iterator[tuple[int, list[bytes]]]:
    """A server next door: (its port, what was sent to it)."""
    heard: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0.2)
        stop = threading.Event()

        def listen() -> None:
            while not stop.is_set():
                try:
                    connection, _ = server.accept()
                except TimeoutError:
                    continue
                with connection:
                    heard.append(connection.recv(100))

        thread = threading.Thread(target=listen)
        thread.start()
        try:
            yield server.getsockname()[1], heard
        finally:
            stop.set()
            thread.join()


def test_no_path_and_no_url_of_the_senders_choosing(server: Server) -> None:
    """A stranger names a file of the server, or a machine behind its firewall, instead of uploading."""
    with listener() as (port, heard):
        addresses = [f"http://127.0.0.1:{port}/x.png", f"http://localhost:{port}/x", f"http://2130706433:{port}/x"]
        references = [
            {"path": "/etc/passwd"},
            {"path": f"{server.temp_dir}/../log.txt"},
            {"path": "webapp/app.py"},
            *({"path": address} for address in addresses),
            *({"path": None, "url": address} for address in addresses),
            *({"path": "x.png", "url": address, "orig_name": "x.png"} for address in addresses),
        ]
        for reference in references:
            sent = {"data": [[{**reference, "meta": {"_type": "gradio.FileData"}}]]}
            for path in ("/gradio_api/call/vectorize", "/gradio_api/run/vectorize", "/gradio_api/queue/join"):
                status, answer = post(server, path, {**sent, "session_hash": "s", "fn_index": 0})
                assert status == 400, (path, reference, answer)
        for address in addresses:
            assert request(server, "GET", f"/gradio_api/file={address}")[0] == 404
            assert request(server, "GET", f"/gradio_api/proxy={address}")[0] == 404
    assert heard == []


@pytest.mark.parametrize(
    "path",
    ["/etc/passwd", "webapp/app.py", "../../etc/passwd", "..%2f..%2fetc%2fpasswd", ".git/config", "README.md"],
)
def test_no_file_of_the_server_is_handed_out(server: Server, path: str) -> None:
    status, _, body = request(server, "GET", f"/gradio_api/file={path}")
    assert status in (403, 404) and b"root:" not in body and b"import" not in body


def stored(server: Server) -> list[Path]:
    return [file for file in server.temp_dir.rglob("*") if file.is_file()]


def test_too_large_is_refused_before_it_is_read(server: Server) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=30)
    connection.putrequest("POST", "/gradio_api/upload")
    connection.putheader("Content-Type", "multipart/form-data; boundary=cut")
    connection.putheader("Content-Length", str(3 * 2**30))
    connection.endheaders()
    assert connection.getresponse().status == 413
    connection.close()
    assert post(server, "/gradio_api/queue/join", "x" * (9 * 2**20))[0] == 413


def test_too_many_files_are_refused_and_leave_nothing_behind(server: Server) -> None:
    before = set(stored(server))
    body, headers = multipart([(f"{number}.png", b"%d" % number) for number in range(600)])
    assert request(server, "POST", "/gradio_api/upload", body=body, headers=headers)[0] == 413
    assert set(stored(server)) == before


def test_an_uploaded_page_is_downloaded_not_run(server: Server) -> None:
    body, headers = multipart([("evil.html", b"<script>alert(1)</script>"), ("evil.svg", b"<svg onload='alert(1)'/>")])
    _, _, answer = request(server, "POST", "/gradio_api/upload", body=body, headers=headers)
    for path in json.loads(answer):
        status, told, _ = request(server, "GET", f"/gradio_api/file={path}")
        assert status == 200 and told["content-disposition"].startswith("attachment")


# ── what is closed, and what is never said ───────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "path",
    ["/monitoring", "/monitoring/summary", "/gradio_api/deep_link?session_hash=x", "/gradio_api/runs", "/docs",
     "/gradio_api/openapi.json", "/manifest.json", "/login", "/gradio_api/process_recording"],
)  # fmt: skip
def test_what_the_page_does_not_use_is_not_there(server: Server, path: str) -> None:
    assert request(server, "GET", path)[0] == 404


def test_nobody_jumps_the_queue(server: Server) -> None:
    for path in ("/gradio_api/run/vectorize", "/gradio_api/api/vectorize"):
        status, answer = post(server, path, {"data": []})
        assert status == 404, answer


@pytest.mark.parametrize(
    "value", [{"data": []}, {"data": [{}] * 50, "fn_index": 9999, "session_hash": "x"}, [], None, {"fn_index": "x"}]
)
def test_no_request_brings_a_traceback_to_the_page(server: Server, value: object) -> None:
    for path in ("/gradio_api/queue/join", "/gradio_api/call/vectorize", "/gradio_api/component_server"):
        status, answer = post(server, path, value)
        assert 400 <= status <= 500 or "event_id" in answer
        assert "Traceback" not in answer and ".py" not in answer


# ── sign-in ──────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "path",
    ["/config", "/theme.css", "/assets/index.js", "/static/img/logo.svg", "/favicon.ico", "/gradio_api/info",
     "/gradio_api/queue/data?session_hash=x", "/gradio_api/queue/status", "/gradio_api/heartbeat/x",
     "/gradio_api/startup-events", "/gradio_api/app_id", "/gradio_api/file=README.md", "/gradio_api/upload_progress"],
)  # fmt: skip
def test_without_signing_in_nothing_answers(lan_server: Server, path: str) -> None:
    status, _, body = request(lan_server, "GET", path)
    assert (status, json.loads(body)) == (401, {"detail": "Sign in first."})


@pytest.mark.parametrize(
    "path", ["queue/join", "call/vectorize", "run/vectorize", "cancel", "reset", "component_server"]
)
def test_without_signing_in_nothing_can_be_done(lan_server: Server, path: str) -> None:
    assert post(lan_server, f"/gradio_api/{path}", {"data": [], "session_hash": "x", "fn_index": 0})[0] == 401
    body, headers = multipart([("a.png", b"x")])
    assert request(lan_server, "POST", "/gradio_api/upload", body=body, headers=headers)[0] == 401


def test_the_sign_in_page_tells_nothing_of_the_app(lan_server: Server) -> None:
    _, _, page = request(lan_server, "GET", "/login")
    assert b"gradio" not in page.lower() and b"/vectorize" not in page


def test_guessing_locks_the_guesser_out(lan_server: Server, password: str) -> None:
    form = {"Content-Type": "application/x-www-form-urlencoded", "X-Forwarded-For": "198.51.100.9"}
    statuses = [
        request(lan_server, "POST", "/login", body=f"username=workbench&password={number}", headers=form)[0]
        for number in range(6)
    ]
    assert statuses == [401] * 5 + [429]
    right = f"username=workbench&password={password}"
    assert request(lan_server, "POST", "/login", body=right, headers=form)[0] == 429
    elsewhere = {**form, "X-Forwarded-For": "198.51.100.10"}
    assert request(lan_server, "POST", "/login", body=right, headers=elsewhere)[0] == 200
    assert password not in lan_server.log().split("Stop with", 1)[1]


def test_a_program_signs_in_with_gradio_client(lan_server: Server, password: str) -> None:
    url = lan_server.url
    with pytest.raises(AuthenticationError):
        Client(url, verbose=False)
    client = Client(url, auth=("workbench", password), verbose=False)
    try:
        assert client.view_api(return_format="dict")["named_endpoints"]
    finally:
        client.close()


@pytest.mark.parametrize(("phone", "language"), [(False, "en"), (True, "zh")])
def test_a_person_signs_in_and_out(
    browser: Browser, lan_server: Server, password: str, phone: bool, language: str
) -> None:
    words = {"en": ("User or password is wrong.", "Sign out"), "zh": ("用户名或密码不正确。", "退出登录")}[language]
    visitor = Visitor.at_sign_in(browser, lan_server.url, phone=phone, language=language)
    assert visitor.overflow_px == 0
    visitor.sign_in("workbench", "wrong")
    visitor.see(words[0])
    visitor.expect_problem("HTTP 401 POST .*/login")
    visitor.expect_problem("console error.*401")
    visitor.sign_in("workbench", password)
    visitor.wait_ready()
    assert visitor.overflow_px == 0
    assert visitor.cut_off == []
    visitor.press(words[1])
    visitor.page.wait_for_url("**/login")
    visitor.page.goto(lan_server.url)
    visitor.page.locator("input[type=password]").wait_for()
    visitor.close()


# ── the end ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_stopping_the_app_removes_its_temporary_folder(lan_server: Server) -> None:
    """Last in this file: the server is gone afterwards."""
    assert list(lan_server.temp_dir.iterdir())
    assert lan_server.stop() == 0
    assert list(lan_server.temp_dir.iterdir()) == []
