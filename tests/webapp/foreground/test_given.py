"""What visitors give: drawings, boxes, files, lists."""

from __future__ import annotations

import base64
import io

import numpy as np
import pytest
from PIL import Image

from core.errors import InputError
from core.foreground.prompt_lists import PRESETS, preset
from core.settings import ImageLimits
from webapp.foreground.given import Drawn, from_file, parse_boxes
from webapp.foreground.reading import with_presets
from webapp.kit.uploads import Upload


def png(painted: np.ndarray) -> str:
    rgba = np.zeros((*painted.shape, 4), dtype=np.uint8)
    rgba[painted] = 255
    buffer = io.BytesIO()
    Image.fromarray(rgba).save(buffer, "PNG")
    return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode()


def test_strokes_and_boxes_become_components_in_the_photos_own_pixels():
    painted = np.zeros((50, 100), dtype=bool)  # the photo is twice as large
    painted[5:15, 10:30] = painted[30:40, 60:80] = True
    drawn = Drawn.read({"mask": png(painted), "boxes": [[0.5, 0.1, 0.75, 0.5]]})
    found = drawn.components((100, 200), ImageLimits()).components
    assert [c.box_xyxy_px for c in found] == [(20, 10, 60, 30), (120, 60, 160, 80), (100, 10, 150, 50)]
    assert [c.id for c in found] == ["1", "2", "3"]


@pytest.mark.parametrize(
    "sent",
    [
        {"mask": "data:image/svg+xml;base64,AAAA"},
        {"mask": "http://elsewhere/x.png"},
        {"mask": 3},
        {"boxes": "all"},
        {"boxes": [[0, 0, 1]]},
        {"boxes": [["a", 0, 1, 1]]},
    ],
)
def test_a_drawing_that_the_page_would_not_send_is_refused(sent):
    with pytest.raises(InputError, match="cannot be read"):
        Drawn.read(sent)


@pytest.mark.parametrize("sent", [None, {}, {"mask": "", "boxes": []}, {"mask": png(np.zeros((4, 4), dtype=bool))}])
def test_nothing_drawn_is_said(sent):
    with pytest.raises(InputError, match="Nothing is drawn"):
        Drawn.read(sent).components((40, 40), ImageLimits())


def test_boxes_are_read_with_commas_spaces_and_brackets():
    assert parse_boxes("1, 2, 3, 4\n\n [5 6;7 8.5]\n") == [[1, 2, 3, 4], [5, 6, 7, 8.5]]


@pytest.mark.parametrize(
    ("text", "says"), [("", "no boxes"), ("1 2 3", "Line 1"), ("1 2 3 4\n1 2 x 4", "Line 2"), ("0 0 nan 4", "Line 1")]
)
def test_what_is_no_box_is_named_with_its_line(text, says):
    with pytest.raises(InputError, match=says):
        parse_boxes(text)


def test_a_mask_and_json_are_told_apart_by_what_is_in_them(picture, tmp_path):
    mask = np.zeros((60, 90), dtype=np.uint8)
    mask[10:30, 10:35] = 255
    Image.fromarray(mask).save(tmp_path / "mask.json", "PNG")  # the wrong ending
    (tmp_path / "boxes.png").write_text('\ufeff {"boxes": [[1, 2, 30, 40]]}', encoding="utf-8")
    by_mask = from_file(Upload("mask.json", tmp_path / "mask.json"), picture, "a.png", ImageLimits())
    assert by_mask.components[0].box_xyxy_px == (20, 20, 70, 60)
    assert [notice.code for notice in by_mask.notices] == ["mask_resized"]
    by_json = from_file(Upload("boxes.png", tmp_path / "boxes.png"), picture, "a.png", ImageLimits())
    assert by_json.components[0].box_xyxy_px == (1, 2, 30, 40)


def test_presets_come_and_go_and_own_lines_stay():
    text = "\n".join(preset("note negative").prompts) + "\na lamp post"
    more = with_presets(text, ["note negative", "stuff"], "negative").splitlines()
    assert set(preset("stuff").prompts) <= set(more)
    assert "a lamp post" in more
    assert len(more) == len(set(more))
    assert with_presets("\n".join(more), [], "negative") == "a lamp post"
    assert all(each.name for each in PRESETS)
