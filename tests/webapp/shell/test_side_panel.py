"""The side panel's words about the models in memory."""

from __future__ import annotations

from dataclasses import replace

import pytest

from core.types import ModelStatus
from webapp.kit.panels import size_text
from webapp.shell.side_panel import render

IDLE = ModelStatus("vit<b>", "cuda:0", "bf16", "ready", 605_000_000, 0, 0.4, 125.0)


def test_every_model_shows_where_how_large_and_what_it_does() -> None:
    models = [
        IDLE,
        replace(IDLE, model_id="busy", leases=2),
        replace(IDLE, model_id="new", last_used_s_ago=3.0),
        replace(IDLE, model_id="coming", state="loading", leases=1, size_bytes=1_600_000_000),
        replace(IDLE, model_id="going", state="evicting"),
    ]
    page = render(models, "en")
    assert page.count("<li") == 5 and "cuda:0 · bf16 · 605 MB" in page and "1.6 GB" in page
    for state in ("idle 2 min", "at work", "ready", "loading", "leaving"):
        assert f"<em>{state}</em>" in page
    assert "Together 4.0 GB (5)" in page
    assert "<b>vit&lt;b&gt;</b>" in page, "a custom model's folder name is not markup"


def test_only_an_idle_model_can_be_unloaded_alone() -> None:
    models = [IDLE, replace(IDLE, model_id="busy", leases=2), replace(IDLE, model_id="coming", state="loading")]
    page = render(models, "en")
    assert page.count("<button") == 1 and 'data-model="vit&lt;b&gt;"' in page and 'title="Unload vit&lt;b&gt;"' in page


def test_nothing_loaded_is_said_in_the_visitors_language() -> None:
    assert "None loaded yet." in render([], "en") and "尚未加载模型" in render([], "zh")
    assert "Unloaded: 2." in render([], "en", "Unloaded: 2.")


@pytest.mark.parametrize(
    ("size_bytes", "text"), [(0, "0 MB"), (19_400_000, "19 MB"), (999_000_000, "999 MB"), (1_000_000_000, "1.0 GB")]
)
def test_sizes_for_people(size_bytes: int, text: str) -> None:
    assert size_text(size_bytes) == text
