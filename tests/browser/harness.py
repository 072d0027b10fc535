"""Drive the real app in a real Chromium.

`serve()` starts `python -m webapp` on a free port with its own temporary folder and stops its whole process group.
`Visitor` is one person at one browser window: it opens the page, works it by what a person sees, and writes down every
console message, page error, failed request and request to anywhere else. `Visitor.close` fails if anything was written
down that the test did not expect.
"""

from __future__ import annotations

import contextlib
import http.client
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from playwright.sync_api import Browser, Locator, Page, Response, sync_playwright

from tests.browser.install import find_chromium

REPO_DIR = Path(__file__).resolve().parents[2]
WIDE = {"width": 1440, "height": 900}
PHONE = {"width": 390, "height": 844}
LANGUAGES = {"en": "en-US", "zh": "zh-CN"}

CHROMIUM_FLAGS = [
    "--no-sandbox",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    # WebGL without a GPU
    "--use-gl=angle",
    "--use-angle=swiftshader",
    "--enable-unsafe-swiftshader",
]

# Said by Chromium's software renderer and by Gradio's own scripts, whatever the app does.
NOISE = re.compile(r"GPU stall due to ReadPixels|willReadFrequently|Method not implemented")


@dataclass
class Server:
    """A running app. `log()` is everything it printed so far."""

    url: str
    port: int
    process: subprocess.Popen[bytes]
    log_path: Path
    temp_dir: Path

    def log(self) -> str:
        return self.log_path.read_text(encoding="utf-8", errors="replace")

    def stop(self, timeout_s: float = 15) -> int:
        """Ask the process group to end; kill it if it does not. Returns the exit status."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGTERM)
        try:
            return self.process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, signal.SIGKILL)
            return self.process.wait()


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


@contextlib.contextmanager
def serve(
    *options: str, env: dict[str, str] | None = None, timeout_s: float = 90, command: Sequence[str] = ()
) -> Iterator[Server]:
    """`python -m webapp --port FREE OPTIONS…`, from before its first answer to after its end.

    `command`: what is run in place of `python -m webapp`.
    """
    port = free_port()
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        temp_dir = Path(folder) / "tmp"
        temp_dir.mkdir()
        log_path = Path(folder) / "log.txt"
        with log_path.open("wb") as log:
            process = subprocess.Popen(
                [*(command or (sys.executable, "-u", "-m", "webapp")), "--port", str(port), *options],
                cwd=REPO_DIR,
                env={**os.environ, "TMPDIR": str(temp_dir), "HF_HUB_OFFLINE": "1", **(env or {})},
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        server = Server(f"http://127.0.0.1:{port}/", port, process, log_path, temp_dir)
        try:
            _wait_until_up(server, timeout_s)
            yield server
        finally:
            server.stop()


def _wait_until_up(server: Server, timeout_s: float) -> None:
    """Until the greeting is printed: the page answers and every option is settled."""
    end = time.monotonic() + timeout_s
    while "Stop with Ctrl+C" not in server.log():
        if server.process.poll() is not None or time.monotonic() > end:
            raise RuntimeError(f"the app did not start; it printed:\n{server.log()[-4000:]}")
        time.sleep(0.05)


def request(
    server: Server, method: str, path: str, *, body: bytes | str | None = None, headers: dict[str, str] | None = None
) -> tuple[int, dict[str, str], bytes]:
    """One raw HTTP request, with exactly these headers: (status, headers in lower case, body)."""
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=30)
    try:
        connection.request(method, path, body=body, headers=headers or {})
        answer = connection.getresponse()
        return answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read()
    finally:
        connection.close()


@contextlib.contextmanager
def chromium() -> Iterator[Browser]:
    """A headless Chromium. None on this machine is a failure that says how to get one, never a skip."""
    path = find_chromium()
    if path is None:
        raise RuntimeError(
            "No Chromium for the browser tests. `make browser` installs one; or set CHROMIUM=/path/to/it."
        )
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=CHROMIUM_FLAGS)
        try:
            yield browser
        finally:
            browser.close()


@dataclass
class Visitor:
    """One person at one window of the app.

    Attributes:
        page: Playwright's page, for what the helpers below do not cover.
        problems: what a person would not see but we must know; `expect_problem` takes one away.
        requests: every URL asked for, in order.
    """

    page: Page
    url: str
    phone: bool = False
    problems: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)

    @classmethod
    def arrive(
        cls, browser: Browser, url: str, *, phone: bool = False, language: str = "en", dark: bool = False
    ) -> Visitor:
        """A new visitor (own cookies) whose browser speaks `language`; `dark` is the system's setting."""
        visitor = cls._new(browser, url, phone, language, dark)
        visitor.open()
        return visitor

    @classmethod
    def at_sign_in(
        cls, browser: Browser, url: str, *, phone: bool = False, language: str = "en", dark: bool = False
    ) -> Visitor:
        """The same where there is a sign-in: the visitor stands before it."""
        visitor = cls._new(browser, url, phone, language, dark)
        visitor.page.goto(url)
        visitor.page.locator("input[type=password]").wait_for()
        return visitor

    def sign_in(self, user: str, password: str) -> None:
        """Fill in the sign-in page and send it."""
        self.page.locator("input[name=username]").fill(user)
        self.page.locator("input[name=password]").fill(password)
        self.page.locator("form button").click()

    @classmethod
    def _new(cls, browser: Browser, url: str, phone: bool, language: str, dark: bool) -> Visitor:
        context = browser.new_context(
            viewport=PHONE if phone else WIDE,
            is_mobile=phone,
            has_touch=phone,
            device_scale_factor=2 if phone else 1,
            locale=LANGUAGES[language],
            color_scheme="dark" if dark else "light",
            accept_downloads=True,
        )
        visitor = cls(context.new_page(), url, phone)
        visitor._listen()
        return visitor

    def _listen(self) -> None:
        add = self.problems.append
        origin = self.url.rstrip("/")
        page = self.page

        def on_response(response: Response) -> None:
            if response.status >= 400:
                add(f"HTTP {response.status} {response.request.method} {response.url}")

        def on_console(kind: str, text: str) -> None:
            if kind in ("error", "warning") and not NOISE.search(text):
                add(f"console {kind}: {text[:300]}")

        def on_request(url: str) -> None:
            self.requests.append(url)
            if not url.startswith((origin, "data:", "blob:")):
                add(f"request to elsewhere: {url}")

        page.on("console", lambda message: on_console(message.type, message.text))
        page.on("pageerror", lambda error: add(f"page error: {str(error)[:300]}"))
        page.on("request", lambda request: on_request(request.url))
        page.on("response", on_response)

    def open(self, path: str = "") -> None:
        """(Re)load the page and wait until it can be worked."""
        self.page.goto(self.url + path)
        self.wait_ready()

    def wait_ready(self) -> None:
        """Until the tabs stand there and Gradio has attached its handlers, a moment after the first paint."""
        self.page.locator("#tabs").wait_for(timeout=30_000)
        self.page.wait_for_timeout(700)

    def see(self, text: str, *, timeout_ms: float = 30_000) -> Locator:
        """Wait until this text can be seen; the element that has it."""
        found = self.page.get_by_text(text).locator("visible=true").first
        found.wait_for(timeout=timeout_ms)
        return found

    def tab(self, name: str) -> None:
        """Choose a tab by its visible name, out of the overflow menu on a phone."""
        tab = self.page.locator("#tabs [role=tab]", has_text=name).locator("visible=true").first
        if tab.count():
            tab.click()
        else:
            self.page.locator("#tabs .overflow-menu > button").click()
            self.page.locator("#tabs .overflow-dropdown button", has_text=name).click()

    def press(self, name: str) -> None:
        """Click the button with this visible name."""
        self.page.get_by_role("button", name=name, exact=True).locator("visible=true").first.click()

    def upload(self, elem_id: str, files: Sequence[Path]) -> None:
        """Hand files to the upload field inside `#elem_id`."""
        self.page.locator(f"#{elem_id} input[type=file]").first.set_input_files([str(file) for file in files])

    def wait_plot(self, elem_id: str, *, timeout_ms: float = 60_000) -> None:
        """Until a plot is drawn inside `#elem_id`."""
        drawn = f"#{elem_id} .js-plotly-plot .main-svg, #{elem_id} .js-plotly-plot canvas"
        self.page.locator(drawn).first.wait_for(timeout=timeout_ms)

    def cell(self, elem_id: str, row: int, column: int) -> str:
        """The text of one cell of the table `#elem_id`."""
        cell = self.page.locator(f"#{elem_id} [data-testid=cell-{row}-{column}]").first
        cell.wait_for()
        return cell.inner_text().strip()

    def switch_language(self) -> None:
        """The page's own switch; the page loads again in the other language, if asked after a yes."""
        accept = lambda dialog: dialog.accept()  # noqa: E731  on/remove_listener need the same object
        self.page.on("dialog", accept)
        with self.page.expect_navigation():
            self.page.locator("#language").click()
        self.page.remove_listener("dialog", accept)
        self.wait_ready()

    def switch_theme(self) -> None:
        self.page.locator("#theme").click()

    @property
    def is_dark(self) -> bool:
        return bool(self.page.evaluate("document.body.classList.contains('dark')"))

    @property
    def overflow_px(self) -> int:
        """How far the page can be scrolled sideways; 0 on a page that fits its window."""
        return int(self.page.evaluate("document.documentElement.scrollWidth - window.innerWidth"))

    @property
    def cut_off(self) -> list[str]:
        """Headings and buttons of the page's frame whose words do not fit: what they should say."""
        script = "all => all.filter(e => e.scrollWidth > e.clientWidth + 1).map(e => e.innerText)"
        return list(self.page.locator("#header :is(h1, button), #side :is(h2, button)").evaluate_all(script))

    def screenshot(self, path: Path) -> None:
        self.page.screenshot(path=str(path), full_page=True)

    def expect_problem(self, pattern: str) -> None:
        """One or more problems matching `pattern` have happened, and are meant to."""
        kept = [problem for problem in self.problems if not re.search(pattern, problem)]
        assert len(kept) < len(self.problems), f"no problem matches {pattern!r}; there are: {self.problems}"
        self.problems[:] = kept

    def close(self) -> None:
        """Leave. Fails if the browser complained about anything the test did not expect."""
        self.page.context.close()
        assert not self.problems, "the browser complained:\n" + "\n".join(self.problems)


def external(urls: Iterable[str], origin: str) -> list[str]:
    """Those of the URLs that leave this machine."""
    return [url for url in urls if not url.startswith((origin.rstrip("/"), "data:", "blob:"))]
