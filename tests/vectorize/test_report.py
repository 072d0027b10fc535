"""`core.vectorize.report`: what the specification asks the report to state, in numbers recomputed here."""

from __future__ import annotations

import json

import numpy as np
import pytest

from core.types import ImageSource, VectorizeRequest
from core.vectorize.pipeline import vectorize_all
from core.vectorize.report import report, report_text
from tests.vectorize.conftest import sources


@pytest.fixture
def table(fakes):
    mixed = [*sources(4), ImageSource("bad\x1b[31m.png", data=b"hello"), ImageSource("empty.png", data=b"")]
    return vectorize_all(mixed, VectorizeRequest(("fake", "wide"), device="cpu", dtype="fp32"), fakes.manager())


def test_the_report_states_models_dimensions_times_device_and_one_image(table):
    facts = report(table, row=2)
    json.dumps(facts)
    assert [(model["id"], model["dim"], model["columns"]) for model in facts["models"]] == [
        ("fake", 16, [0, 16]),
        ("wide", 24, [16, 40]),
    ]
    assert all(
        model["load_s"] >= 0 and model["device"] == "cpu" and model["dtype"] == "fp32" for model in facts["models"]
    )
    assert facts["dim"] == 40 and facts["relative_compute"] == 4.0 and facts["images"] == 4
    vector = table.vectors_ND[2].astype(np.float64)
    image = facts["image"]
    assert image["id"] == "0002.png" and image["shape"] == [40] and image["ms"] > 0
    np.testing.assert_allclose(image["first_ten"], vector[:10], atol=1e-6)
    assert image["mean"] == pytest.approx(vector.mean()) and image["std"] == pytest.approx(vector.std())
    assert image["norm"] == pytest.approx(np.linalg.norm(vector))


def test_one_model_has_a_relative_compute_of_one(fakes):
    assert report(vectorize_all(sources(1), VectorizeRequest(("wide",)), fakes.manager()))["relative_compute"] == 1.0


def test_every_reject_stands_there_with_its_reason(table):
    facts, text = report(table), report_text(table)
    assert [(reject["id"], reject["code"]) for reject in facts["rejects"]] == [
        ("bad\x1b[31m.png", "not_an_image"),
        ("empty.png", "empty"),
    ]
    for reject in table.rejects:
        assert reject.reason in text
    assert "Rejects (2)" in text and "empty.png" in text


def test_the_text_states_it_too_and_obeys_no_control_codes(table):
    text = report_text(table)
    for words in ("fake", "wide", "Total dimension     40", "4.00×", "cpu, fp32", "(40,)", "first ten", "mean", "std"):
        assert words in text
    assert "\x1b" not in text and not text.endswith("\n")


def test_a_table_without_rows_still_reports(fakes):
    table = vectorize_all([ImageSource("x", data=b"")], VectorizeRequest(("fake",)), fakes.manager())
    assert report(table)["image"] is None and report(table)["images"] == 0
    assert "0 vectors, 1 rejects" in report_text(table)
