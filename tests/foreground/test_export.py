"""Files that leave the house: JSON that any reader takes, CSV that no spreadsheet runs."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import numpy as np
import pytest

from core.errors import InputError
from core.foreground import export
from core.foreground.analyse import analyse
from core.foreground.annotations import from_json
from core.foreground.pipeline import score_all
from core.foreground.prompts import PromptSet
from core.foreground.request import ForegroundRequest

FORMULA = '=HYPERLINK("http://elsewhere", "click")'


def test_a_prompt_or_a_field_that_begins_like_a_formula_is_text_in_a_spreadsheet(scene, fakes):
    """Opened in a spreadsheet, a stranger's annotation became a link."""
    brought = [{"id": FORMULA, "bbox": [20, 20, 50, 40], "note": "@SUM(1)", "@field": 1, "shift": -3, "free": "-3.5"}]
    request = ForegroundRequest("fake", PromptSet((FORMULA,), ("green",)))
    text = export.to_csv(score_all(scene, from_json(brought, scene.image_hw), request, fakes))
    headings, cells = csv.reader(io.StringIO(text))
    row = dict(zip(headings, cells, strict=True))
    assert row["s_pos_text"] == row["id"] == "'" + FORMULA
    assert row["note"] == "'@SUM(1)" and row["'@field"] == "1"
    assert row["shift"] == "-3" and row["free"] == "-3.5", "a number stays one"
    assert not any(cell[:1] in ("=", "@") for cell in (*headings, *cells))


def test_columns_are_all_that_any_component_has_and_objects_stand_as_json(scene, fakes):
    brought = [{"bbox": [20, 20, 50, 40], "a": {"ü": [1]}}, {"bbox": [100, 70, 60, 40], "b": None}]
    request = ForegroundRequest("fake", PromptSet(("red",), ("green",)))
    text = export.to_csv(score_all(scene, from_json(brought, scene.image_hw), request, fakes))
    first, second = csv.DictReader(io.StringIO(text))
    assert json.loads(first["a"]) == {"ü": [1]} and first["b"] == second["a"] == second["b"] == ""


def test_the_document_is_plain_json_whatever_a_component_brings(scene, fakes):
    mask = np.zeros(scene.image_hw, dtype=bool)
    mask[20:60, 20:70] = True
    brought = [{"segmentation": mask, "quality": float("nan"), "raw": b"x", "count": np.int64(3)}]
    request = ForegroundRequest("fake", PromptSet(("red",), ("green",)))
    *_, analysis = analyse(scene, from_json(brought, scene.image_hw), request, fakes)
    made = json.loads(export.to_json(export.document(analysis)))
    (component,) = made["components"]
    assert component["segmentation"]["size"] == list(scene.image_hw)
    assert component["quality"] is None and component["raw"] == "x" and component["count"] == 3
    assert "not_finite" in {notice["code"] for notice in made["notices"]}
    assert all(type(notice["text"]) is str for notice in export.document(analysis)["notices"])


def test_why_a_file_cannot_be_written_is_said(tmp_path: Path):
    (tmp_path / "o.json").mkdir()
    with pytest.raises(InputError, match="cannot be written: Is a directory") as caught:
        export.write_text(tmp_path / "o.json", "{}")
    assert "是文件夹" in caught.value.said.said("zh")
    assert [path.name for path in tmp_path.iterdir()] == ["o.json"], "no draft is left"


def test_a_file_is_replaced_whole(tmp_path: Path):
    (tmp_path / "o.json").write_text("old")
    export.write_text(tmp_path / "o.json", "new\r\n")
    assert (tmp_path / "o.json").read_bytes() == b"new\r\n"
    assert [path.name for path in tmp_path.iterdir()] == ["o.json"]
