"""The page around the tabs, as a person sees it."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest

from tests.browser.harness import Server, Visitor, external, request

Visit = Callable[..., Visitor]

TABS = {"en": ["Vectorize", "Foreground", "Pose", "Runs"], "zh": ["向量化", "前景", "姿态", "训练"]}


@pytest.mark.parametrize("language", ["en", "zh"])
def test_four_tabs_in_the_language_of_the_browser(visit: Visit, language: str) -> None:
    visitor = visit(language=language)
    tabs = visitor.page.locator("#tabs [role=tab]").locator("visible=true").all_inner_texts()
    assert [tab.strip() for tab in tabs] == TABS[language]
    assert visitor.page.title() == "CLIP Workbench"
    assert visitor.page.evaluate("document.documentElement.lang") == {"en": "en", "zh": "zh-CN"}[language]
    header = visitor.page.locator("#header header").bounding_box()
    assert header is not None and header["height"] < 70 and header["width"] > 1300, "the style sheet is there"
    visitor.tab(TABS[language][2])
    visitor.see({"en": "Straight ahead", "zh": "回到正前方"}[language])


def test_the_language_switch_changes_everything_and_lasts(visit: Visit) -> None:
    """Gradio's own switch forgets the choice when the page is loaded again."""
    visitor = visit(language="en")
    visitor.switch_language()
    visitor.see("前景")
    visitor.open()
    visitor.see("前景")
    visitor.press("模型")
    visitor.see("尚未加载模型")  # said by the server
    visitor.page.keyboard.press("Escape")
    visitor.switch_language()
    visitor.see("Foreground")


def test_switching_the_language_asks_before_work_is_lost(visit: Visit) -> None:
    """Someone dropped forty photos, pressed the switch to see the page in Chinese, and had an empty page."""
    visitor = visit(language="en")
    visitor.press("Try the examples")
    visitor.see("astronaut.jpg")
    asked: list[str] = []
    visitor.page.once("dialog", lambda dialog: (asked.append(dialog.message), dialog.dismiss()))
    visitor.page.locator("#language").click()
    visitor.see("astronaut.jpg")
    assert len(asked) == 1 and "results will be gone" in asked[0]
    assert visitor.page.evaluate("document.documentElement.lang") == "en"


def test_light_and_dark_follow_the_system_and_the_switch_lasts(visit: Visit) -> None:
    assert visit(dark=True).is_dark
    visitor = visit(dark=False)
    assert not visitor.is_dark
    visitor.switch_theme()
    assert visitor.is_dark
    visitor.open()
    assert visitor.is_dark
    visitor.switch_theme()
    visitor.open()
    assert not visitor.is_dark


@pytest.mark.parametrize("language", ["en", "zh"])
def test_the_page_fits_a_phone(visit: Visit, language: str) -> None:
    visitor = visit(phone=True, language=language)
    assert visitor.overflow_px == 0
    assert visitor.cut_off == []
    names = {"en": ("Models", "中文", "Light or dark"), "zh": ("模型", "English", "明暗切换")}[language]
    for name in names:  # some show only an icon
        assert visitor.page.get_by_role("button", name=name, exact=True).count() == 1, name
    for tab in TABS[language]:
        visitor.tab(tab)
        assert visitor.overflow_px == 0, tab
    box = visitor.page.locator("#theme").bounding_box()
    assert box is not None and box["x"] + box["width"] <= 390
    visitor.page.locator("#models-button").click()
    panel = visitor.page.locator("#models-panel").bounding_box()
    assert panel is not None and panel["x"] >= 0 and panel["x"] + panel["width"] <= 390


def asked_for_models(visitor: Visitor) -> int:
    return sum("component_server" in url for url in visitor.requests)


def test_the_side_panel_asks_only_while_it_can_be_seen(visit: Visit) -> None:
    visitor = visit()
    visitor.page.wait_for_timeout(2500)
    assert asked_for_models(visitor) == 0, "closed, it costs nothing"
    visitor.press("Models")
    visitor.page.locator("#models-panel").get_by_text(re.compile("None loaded yet|Together")).wait_for()
    visitor.page.wait_for_timeout(2500)
    visitor.page.keyboard.press("Escape")
    visitor.page.locator("#models-panel").wait_for(state="hidden")
    until_closed = asked_for_models(visitor)
    assert until_closed >= 2
    visitor.page.wait_for_timeout(2500)
    assert asked_for_models(visitor) == until_closed


def test_the_page_can_be_worked_by_keyboard(visit: Visit) -> None:
    visitor = visit()
    visitor.page.locator("#models-button").focus()
    visitor.page.keyboard.press("Enter")
    visitor.page.locator("#models-panel").wait_for(state="visible")
    assert visitor.page.evaluate("document.activeElement.className") == "close"
    visitor.page.keyboard.press("Enter")
    visitor.page.locator("#models-panel").wait_for(state="hidden")
    assert visitor.page.evaluate("document.activeElement.id") == "models-button"


def test_no_request_leaves_the_machine(visit: Visit, server: Server) -> None:
    visitor = visit()
    for tab in TABS["en"]:
        visitor.tab(tab)
    visitor.page.wait_for_timeout(500)
    assert len(visitor.requests) > 20
    assert external(visitor.requests, server.url) == []
    _, _, page = request(server, "GET", "/")
    assert b"githubusercontent" not in page and b"googleapis" not in page
