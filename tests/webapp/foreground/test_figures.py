"""The table and the fragments, and that nothing a visitor brings is read as markup."""

from __future__ import annotations

import numpy as np

from core.foreground.annotations import from_json
from core.foreground.encoding import FeatureCache
from core.foreground.mask_images import from_mask
from core.foreground.prompts import PromptSet
from core.foreground.request import Extras, ForegroundRequest
from core.foreground.scoring import FIELDS
from core.foreground.treatments import TREATMENTS
from core.messages import english
from core.types import Notice
from tests.webapp.foreground.conftest import PROMPTS, disc, finished
from webapp.foreground import figures, scene
from webapp.foreground.job import Look, Result, leak, look, run
from webapp.kit import panels
from webapp.kit.examples import strip

HOSTILE = "<img src=x onerror=alert(1)>"


def test_the_table_has_every_field_and_what_was_brought(services, picture):
    given = from_mask(np.pad(np.ones((20, 20), np.uint8), 5), (30, 30))
    component = given.components[0]
    component.fields["note"] = HOSTILE  # type: ignore[index]
    component.fields["segmentation"] = {"size": [30, 30], "counts": "x" * 900}  # type: ignore[index]
    request = ForegroundRequest(model="fake", prompts=PROMPTS)
    outcome = finished(run(services, FeatureCache(), "a", picture, given, request, Extras())).outcome
    rows = figures.table_rows(outcome, "en")
    first = dict(zip(rows.headings, rows.cells[0], strict=True))
    assert set(FIELDS) <= set(rows.headings)
    assert rows.headings[0] == "id"
    assert first["note"] == HOSTILE
    assert len(first["segmentation"]) <= 60
    old_way = figures.table_rows(outcome, "en", cosine=True)
    assert rows.headings[1] == old_way.headings[1] == "score × mult.", "what the rows are sorted by"
    assert all(len(cells) == len(old_way.headings) for cells in old_way.cells)
    assert list(old_way.headings[2:7]) == ["cos_pos", "cos_pos_text", "cos_neg", "cos_neg_text", "cos_margin"]


def test_no_prompt_and_no_name_is_read_as_markup(services, picture, things):
    prompts = PromptSet((HOSTILE, "red"), ("green",))
    named = [{"id": HOSTILE, "box_xyxy_px": [0, 0, 40, 40]}, {"id": HOSTILE + "2", "box_xyxy_px": [0, 0, 1, 1]}]

    given = from_json(named, picture.image_hw)
    result = finished(
        run(services, FeatureCache(), HOSTILE, picture, given, ForegroundRequest(model="fake", prompts=prompts))
    )
    looks = look(services, FeatureCache(), result, 0)
    shown = [
        figures.detail(result.outcome, 0, looks, result.explanation(0), "en"),
        figures.treatments(result.outcome, looks, "en"),
        scene.legend(result.outcome, "zh"),
        figures.summary(result.outcome, "en"),
        panels.notes_panel(
            "en", rejects=result.outcome.rejects, rejects_title=HOSTILE, notices=[HOSTILE], limits=[HOSTILE]
        ),
        figures.lists_panel((1, 1, 1), [Notice("x", english(HOSTILE))], "en"),
        strip(HOSTILE, [(HOSTILE, HOSTILE, HOSTILE)]),
    ]
    assert all("<img src=x" not in fragment for fragment in shown)
    assert "&lt;img src=x" in shown[0]
    assert "too small" in shown[4]


def test_what_would_change_it_is_said_in_words(result):
    changed = [row for row in range(2) if result.explanation(row).changes(0)]
    for row in range(2):
        panel = figures.detail(result.outcome, row, [_look(result)], result.explanation(row), "en")
        assert ("Without “" in panel) == (row in changed)
        assert ("No single prompt decides" in panel) == (row not in changed)


def _look(result: Result):

    return Look(result.outcome.request.treatment, np.zeros((4, 4, 3), np.uint8), result.outcome.scores.fields(0))


def test_the_leak_of_one_component_stands_under_each_treatment(services, picture):
    given = from_mask(disc(picture.image_hw, (40, 45), 15), picture.image_hw)
    request = ForegroundRequest(model="fake", prompts=PROMPTS, margin=0.5)
    cache = FeatureCache()
    result = finished(run(services, cache, "a", picture, given, request, Extras()))
    leaks = leak(services, result, 0).leaks
    assert [one.treatment for one in leaks] == list(TREATMENTS)
    looks = look(services, cache, result, 0)
    shown = figures.treatments(result.outcome, looks, "en", leaks)
    assert shown.count("outside moves it by") == 4
    assert "<b>outside moves it by 0</b>" in shown.split("<figure")[1], "original hides the outside"
    assert "fg-leak" not in figures.treatments(result.outcome, looks, "en")
