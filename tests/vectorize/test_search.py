"""`core.vectorize.search`: the right row first, for vectors, images and words."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.errors import ImageRejected, InputError, PassportMismatch, Unsupported
from core.types import ImageSource, Member, VectorizeRequest, VectorTable
from core.vectorize import search
from core.vectorize.pipeline import vectorize_all
from tests.fakes import COLOURS, FakeEncoder, solid
from tests.vectorize.conftest import photo, png, sources

COLOUR_SOURCES = [ImageSource(name, rgb_HWC=solid(name)) for name in COLOURS]


def plain(vectors_ND: np.ndarray) -> VectorTable:
    member = Member("m", 0, vectors_ND.shape[1], 0.0, "cpu", "fp32", 1.0)
    return VectorTable(tuple(map(str, range(len(vectors_ND)))), vectors_ND, (member,), {})


@given(seed=st.integers(0, 1000), rows=st.integers(1, 40), dim=st.integers(1, 20), k=st.integers(0, 50))
@settings(max_examples=60, deadline=None)
def test_hits_are_the_largest_cosines_best_first(seed, rows, dim, k):
    rng = np.random.default_rng(seed)
    vectors = rng.normal(size=(rows, dim)).astype(np.float32) * rng.uniform(0.01, 100, (rows, 1)).astype(np.float32)
    query = rng.normal(size=dim)
    cosines = [float(np.dot(row, query) / np.linalg.norm(row) / np.linalg.norm(query)) for row in vectors.astype(float)]
    hits = search.by_vector(query, plain(vectors), k)
    assert len(hits) == min(k, rows) and len({hit.row for hit in hits}) == len(hits)
    np.testing.assert_allclose([hit.score for hit in hits], sorted(cosines, reverse=True)[:k], atol=1e-5)
    assert all(hit.id == str(hit.row) and abs(hit.score - cosines[hit.row]) < 1e-5 for hit in hits)


def test_zero_vectors_score_zero_and_ties_keep_their_order():
    table = plain(np.array([[0, 0], [1, 0], [2, 0], [0, 1]], dtype=np.float32))
    hits = search.by_vector(np.array([3.0, 0.0]), table, 4)
    assert [(hit.row, hit.score) for hit in hits] == [(1, 1.0), (2, 1.0), (0, 0.0), (3, 0.0)]
    assert [hit.score for hit in search.by_vector(np.zeros(2), table, 4)] == [0, 0, 0, 0]


def test_a_query_of_another_width_or_not_finite_is_refused():
    table = plain(np.ones((2, 3), dtype=np.float32))
    for query in (np.ones(4), np.ones((1, 3)), np.array([1, np.nan, 1])):
        with pytest.raises(InputError):
            search.by_vector(query, table)


def test_an_image_finds_itself_first_and_another_its_likeness(fakes):
    manager = fakes.manager()
    table = vectorize_all(sources(12), VectorizeRequest(("fake", "wide"), normalize=True), manager)
    hits = search.by_image(ImageSource("query", data=png(photo(7))), table, manager, k=3)
    assert hits[0].id == "0007.png" and hits[0].score == pytest.approx(1.0, abs=1e-5) and len(hits) == 3
    brighter = np.clip(photo(7).astype(int) + 6, 0, 255).astype(np.uint8)
    assert search.by_image(ImageSource("query", rgb_HWC=brighter), table, manager)[0].id == "0007.png"
    with pytest.raises(ImageRejected) as caught:
        search.by_image(ImageSource("query", data=b"no image"), table, manager)
    assert caught.value.code_detail == "not_an_image"


def test_an_image_is_not_compared_with_vectors_of_other_weights(fakes):
    manager = fakes.manager()
    table = vectorize_all(sources(3), VectorizeRequest(("fake",)), manager)
    table.passport["members"][0]["weights_sha256"] = "0" * 64
    with pytest.raises(PassportMismatch):
        search.by_image(sources(1)[0], table, manager)
    with pytest.raises(PassportMismatch):
        search.by_text(["red"], table, manager)


@pytest.mark.parametrize("models", [("fake",), ("mute", "fake"), ("fake", "mute")])
def test_words_find_their_picture_in_the_span_of_the_model_that_knows_words(fakes, models):
    manager = fakes.manager()
    table = vectorize_all(COLOUR_SOURCES, VectorizeRequest(models), manager)
    found, notices = search.by_text(["a red thing", "something blue", "green"], table, manager, k=2)
    assert [hits[0].id for hits in found] == ["red", "blue", "green"] and notices == []
    assert all(len(hits) == 2 and hits[0].score >= hits[1].score for hits in found)


def test_words_are_encoded_once(fakes):
    manager = fakes.manager()
    table = vectorize_all(COLOUR_SOURCES, VectorizeRequest(("fake",)), manager)
    for _ in range(3):
        search.by_text(["red", "blue"], table, manager)
    assert [text for encoder in fakes.encoders for text in encoder.texts_seen] == ["red", "blue"]


def test_a_text_that_is_too_long_is_told(fakes):
    manager = fakes.manager()
    table = vectorize_all(COLOUR_SOURCES, VectorizeRequest(("fake",)), manager)
    _, notices = search.by_text(["red " * 50], table, manager)
    assert [notice.code for notice in notices] == ["text_cut"]


def test_without_exactly_one_text_tower_the_user_is_asked(fakes):
    manager = fakes.manager()
    mute = vectorize_all(COLOUR_SOURCES, VectorizeRequest(("mute",)), manager)
    with pytest.raises(Unsupported, match="text tower"):
        search.by_text(["red"], mute, manager)
    both = vectorize_all(COLOUR_SOURCES, VectorizeRequest(("fake", "wide", "mute")), manager)
    with pytest.raises(InputError, match="Several") as caught:
        search.by_text(["red"], both, manager)
    assert "fake, wide" in str(caught.value)
    for model_id in ("fake", "wide"):
        found, _ = search.by_text(["red"], both, manager, model_id=model_id)
        assert found[0][0].id == "red"
        span = next(member for member in both.members if member.model_id == model_id)
        direct, _ = FakeEncoder(fakes.specs[model_id]).encode_texts(["red"])
        part = both.vectors_ND[0, span.start : span.stop]
        cosine = float(part @ direct[0].numpy() / np.linalg.norm(part) / np.linalg.norm(direct[0].numpy()))
        assert next(hit.score for hit in found[0] if hit.row == 0) == pytest.approx(cosine, abs=1e-5)
    with pytest.raises(Unsupported):
        search.by_text(["red"], both, manager, model_id="mute")
    with pytest.raises(InputError, match="not among"):
        search.by_text(["red"], both, manager, model_id="other")
