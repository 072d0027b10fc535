"""Tables, on the page and as files, and what could not be read."""

from __future__ import annotations

import csv
import html
import io
from pathlib import Path

from core.runs import RunSet, read_runs
from tests.webapp.runs.builders import experiment, plain
from webapp.runs import panels
from webapp.runs.table_files import table_text
from webapp.runs.view import View


def test_csv_comes_back_and_no_cell_is_a_formula() -> None:
    rows = [["=cmd|' /C calc'!A0", "−0.5"], ['a,b\n"c"', "+1"], ["@x", "-0.1 to 2"]]
    text = table_text(["run", "value"], rows, "csv")
    back = list(csv.reader(io.StringIO(text.lstrip("\ufeff"))))
    assert back == [["run", "value"], ["'=cmd|' /C calc'!A0", "-0.5"], ['a,b\n"c"', "+1"], ["'@x", "'-0.1 to 2"]]


def test_markdown_and_latex_take_names_literally() -> None:
    rows = [["a|b_<i>", "50 %"]]
    assert "a\\|b\\_&lt;i&gt;" in table_text(["run", "x"], rows, "md")
    latex = table_text(["run_1", "x"], [["\\input{x} & 5%", "~"]], "tex")
    assert r"\textbackslash{}input\{x\} \& 5\% & \textasciitilde{}" in latex
    assert r"run\_1 & x \\" in latex


def test_the_table_of_runs_shows_only_what_differs() -> None:
    runs = experiment(clip=4.5)
    headings, rows = panels.run_rows(runs, None, "test/nme", "en")
    assert headings == ["run", "status", "pose_encoder", "seed", "test/nme", "last step"]
    assert rows[9][:4] == ["clip-1", "finished", "clip", "1"]
    value = panels.table_value(
        runs, len(runs), View(folder="f", metric="test/nme", hidden=("clip-1",)), None, {}, {}, "en"
    )
    assert value["words"]["count"] == "15 of 16 take part"
    assert value["rows"][0]["keys"][3] == 0.0, "sorted by value, not by letters"


def test_unread_files_are_listed_with_their_reason(tmp_path: Path) -> None:
    (tmp_path / "good").mkdir()
    (tmp_path / "good" / "metrics.jsonl").write_text('{"step": 1, "val/nme": 2}\n')
    (tmp_path / "<b>bad").mkdir()
    (tmp_path / "<b>bad" / "metrics.csv").write_bytes(b"\x00\xff\xfe garbage")
    found = read_runs(tmp_path)
    shown = panels.problems_panel(found.problems, found.runs, "en")
    assert len(RunSet(found.runs)) == 1
    assert "<b>bad" not in shown
    assert html.escape("<b>bad") in shown


def test_what_core_says_of_logs_is_said_in_chinese_too(tmp_path: Path) -> None:
    (tmp_path / "bad.csv").write_bytes(b"")
    (tmp_path / "a.jsonl").write_text('{"step": 1, "loss": 1, "box": [1]}\nno JSON\n{"step": 1, "loss": 2}\n')
    found = read_runs(tmp_path)
    words = plain(panels.problems_panel(found.problems, found.runs, "zh"))
    assert "文件是空的（0 字节）" in words
    assert "1 行无法读取（不是 JSON）；首个为第 2 行" in words
    assert "box：跳过了 1 个列表" in words
    assert "1 步被重复写入" in words
