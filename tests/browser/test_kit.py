"""The kit, in a tab of its own: a toy tab in a temporary folder is one folder and one line in the table of contents."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.browser import harness

TOY = {
    "__init__.py": '"""A toy tab."""\n',
    "words.py": """
from webapp.text import register

register({"tab_toy": ("Toy", "玩具"), "toy_run": ("Play", "玩"), "toy_save": ("Keep", "留")})
""",
    "tab.py": """
import itertools
import time

import gradio as gr

from webapp.kit import assets, panels
from webapp.kit.downloads import Handover
from webapp.kit.events import AT_ONCE, COMPUTES, PRIVATE
from webapp.kit.notices import shown
from webapp.kit.running import RunAndStop
from webapp.kit.table import ResultTable, Rows, chosen_row
from webapp.text import label

numbers = itertools.count(1)


def build(services):
    job = RunAndStop.laid_out("toy_run", "toy")
    status = panels.html_part("toy-status", head=assets.head(__file__))
    results = gr.Column(visible=False, elem_id="toy-results")
    with results:
        table = ResultTable("toy-table")
        long = ResultTable("toy-long", max_height_px=200)
        save = gr.Button(label("toy_save"), elem_id="toy-save")
        handover = Handover()
    said = panels.html_part("toy-said")
    number = gr.State(0)

    def begin():
        return {**job.switched(True), results: gr.Column(visible=False)}

    def run():
        play = next(numbers)
        time.sleep(0.05)
        cells = [(f"run {play}", 10.5), ("=1+1", 9.25), ("<b>b</b>", float("nan")), ("", None)]
        yield {
            number: play,
            results: gr.Column(visible=True),
            table: Rows(("name", "score"), cells),
            long: Rows(("number",), [(number,) for number in range(1000)]),
            **job.switched(False),
        }

    def write(play):
        path = services.new_folder() / "toy.txt"
        path.write_text(f"run {play}")
        return path

    def choose(event: gr.EventData, request: gr.Request):
        with shown(services.language(request)):
            return panels.hint(f"row {chosen_row(event, 4)}")

    job.run.click(begin, None, [*job.parts, results], **AT_ONCE).then(
        run, None, [*job.parts, number, results, table, long], **COMPUTES
    )
    save.click(write, number, handover, **PRIVATE)
    table.select(choose, None, said, **AT_ONCE)
""",
    "script.js": "window.toyScript = true;\n",
    "style.css": "#toy-said { color: rgb(1, 2, 3); }\n",
}
START = """
import sys
sys.path.insert(0, sys.argv.pop(1))
from webapp import app
from webapp.__main__ import main
app.TABS = (*app.TABS, "toy_house.toy")  # the one line
sys.exit(main())
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[harness.Server]:
    """The app with one more tab."""
    folder = tmp_path_factory.mktemp("toy")
    package = folder / "toy_house" / "toy"
    package.mkdir(parents=True)
    (package.parent / "__init__.py").touch()
    for name, text in TOY.items():
        (package / name).write_text(text, encoding="utf-8")
    with harness.serve(command=[sys.executable, "-u", "-c", START, str(folder)]) as running:
        yield running


@pytest.fixture
def toy(visit: Callable[..., harness.Visitor]) -> harness.Visitor:
    visitor = visit()
    visitor.tab("Toy")
    return visitor


def play(toy: harness.Visitor) -> str:
    """Runs the toy's job; the name of the run."""
    first = toy.page.locator("#toy-table td").first
    before = first.inner_text() if first.count() else ""
    toy.page.locator("#toy-run").click()
    expect(first).not_to_have_text(before)
    expect(toy.page.locator("#toy-run")).to_be_enabled()
    return first.inner_text()


def test_a_new_tab_is_one_folder_and_one_line(visit) -> None:
    """Its words in both languages, its script and its style are found beside it."""
    visitor = visit(language="zh")
    visitor.tab("玩具")
    expect(visitor.page.locator("#toy-run")).to_have_text("玩")
    visitor.page.wait_for_function("window.toyScript === true")
    colour = "getComputedStyle(document.querySelector('#toy-said')).color"
    assert visitor.page.evaluate(colour) == "rgb(1, 2, 3)"


def test_after_a_second_run_its_own_file_is_handed_out_and_no_button_of_the_first_lies_about(
    toy, tmp_path: Path
) -> None:
    """A stray "Download" button stood there after a second run, and handed out the first run's file."""
    page = toy.page
    for _ in range(2):
        name = play(toy)
        for _again in range(2):  # the same file is saved once more when it is asked for once more
            with page.expect_download() as saved:
                page.locator("#toy-save").click()
            saved.value.save_as(tmp_path / "saved.txt")
            assert saved.value.suggested_filename == "toy.txt"
            assert (tmp_path / "saved.txt").read_text() == name
    names = [button.inner_text() for button in page.locator("#toy-results button:visible").all()]
    assert names == ["name", "score", "Copy table", "number", "Copy table", "Keep"]
    assert not page.locator("#toy-results a:visible").count()


def test_a_table_shown_together_with_its_column_is_never_empty(toy) -> None:
    """About one in thirty result tables stayed empty, with the headings "0 1 2"."""
    page = toy.page
    for _ in range(40):
        play(toy)
        assert page.locator("#toy-table th").all_inner_texts() == ["name", "score"]
        assert page.locator("#toy-table tbody tr").count() == 4


def test_rows_are_sorted_chosen_and_taken_literally(toy) -> None:
    page = toy.page
    page.locator("#toy-run").click()
    expect(page.locator("#toy-table tbody tr")).to_have_count(4)
    assert toy.cell("toy-table", 2, 0) == "<b>b</b>" and toy.cell("toy-table", 2, 1) == "nan"

    page.get_by_role("button", name="score", exact=True).click()
    column = [toy.cell("toy-table", row, 1) for row in range(4)]
    assert column == ["9.25", "10.5", "nan", ""], "numbers by value, nothing last"
    assert page.locator("#toy-table th").nth(1).get_attribute("aria-sort") == "ascending"
    page.get_by_role("button", name="score", exact=True).click()
    assert toy.cell("toy-table", 3, 1) == "" and page.locator("#toy-table th").nth(1).get_attribute("aria-sort")

    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.locator("#toy-table .wb-table-copy").click()
    expect(page.locator("#toy-table .when-copied")).to_be_visible()
    lines = page.evaluate("navigator.clipboard.readText()").split("\n")
    assert lines[0] == "name\tscore" and "'=1+1\t9.25" in lines and len(lines) == 5, "a spreadsheet runs none of it"

    row = page.locator("#toy-table tbody tr", has_text="=1+1")
    row.click()
    expect(page.locator("#toy-said")).to_contain_text("row 1")  # its place before anything was sorted
    page.locator("#toy-table tbody tr", has_text="run").focus()
    page.keyboard.press("Enter")
    expect(page.locator("#toy-said")).to_contain_text("row 0")


def test_a_long_table_is_drawn_as_far_as_one_looks(toy) -> None:
    play(toy)
    rows = toy.page.locator("#toy-long tbody tr")
    expect(rows).to_have_count(200)
    toy.page.locator("#toy-long .wb-table").evaluate("table => { table.scrollTop = table.scrollHeight; }")
    expect(rows).to_have_count(400)
    assert toy.cell("toy-long", 399, 0) == "399"
    for _ in range(2):
        toy.page.locator("#toy-long th button").click()
    assert toy.cell("toy-long", 0, 0) == "999", "sorted as a whole, not as far as drawn"


def test_the_open_tab_stands_in_the_address_and_a_reload_lands_there(visit) -> None:
    visitor = visit()
    page = visitor.page
    assert "tab=" not in page.url, "nobody chose one"
    visitor.tab("Foreground")
    expect(page.locator("#fg-run")).to_be_visible()
    assert page.url.endswith("?tab=foreground")
    page.reload()
    expect(page.locator("#fg-run")).to_be_visible()
    visitor.tab("Toy")
    page.reload()
    expect(page.locator("#toy-run")).to_be_visible()
    visitor.open("?tab=nonsense")
    expect(page.locator("#vz-run")).to_be_visible()


def test_gradios_own_toasts_and_tooltips_are_chinese_on_the_chinese_page(visit, tmp_path: Path) -> None:
    """`common.upload` stood in a tooltip, and "Invalid file type" on the Chinese page."""
    visitor = visit(language="zh")
    page = visitor.page
    words = tmp_path / "words.txt"
    words.write_text("no image")
    visitor.upload("vz-files", [words])
    toast = page.locator(".toast-body")
    expect(toast).to_contain_text("不支持的文件类型：words.txt")
    assert "Error" not in toast.inner_text()

    visitor.upload("vz-files", [Path(__file__).parents[2] / "webapp" / "examples" / "cat.jpg"])
    expect(page.locator("#vz-files")).to_contain_text("cat")
    attributes = """() => [...document.querySelectorAll('#vz-files *')].flatMap(
        (each) => ['title', 'aria-label', 'placeholder'].map((name) => each.getAttribute(name)).filter(Boolean))"""
    found = page.evaluate(attributes)
    assert found and not [text for text in found if text.startswith(("common.", "upload_text.", "file."))], found
