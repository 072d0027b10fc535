"""One Chromium and one app for all browser tests; a new visitor for each."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Browser, expect

from tests.browser import harness

expect.set_options(timeout=30_000)  # a busy machine is no fault of the page


# Playwright keeps an event loop running in this thread for as long as it is open; other tests call `asyncio.run`.
@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    with harness.chromium() as started:
        yield started


@pytest.fixture(scope="package")
def server() -> Iterator[harness.Server]:
    """The app as `make app` serves it, on a free port."""
    with harness.serve() as running:
        yield running


@pytest.fixture
def visit(browser: Browser, server: harness.Server) -> Iterator[Callable[..., harness.Visitor]]:
    """`visit(phone=…, language=…, dark=…)` → a visitor; each leaves at the end, and no browser may have complained."""
    visitors: list[harness.Visitor] = []

    def arrive(url: str | None = None, **how: object) -> harness.Visitor:
        visitor = harness.Visitor.arrive(browser, url or server.url, **how)  # type: ignore[arg-type]
        visitors.append(visitor)
        return visitor

    yield arrive
    for visitor in visitors:
        visitor.close()
