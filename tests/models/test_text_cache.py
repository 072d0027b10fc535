"""The cache of text embeddings: what reaches the encoder, what is remembered, what is forgotten."""

from __future__ import annotations

import threading

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from core.errors import Unsupported
from core.models.text_cache import TextCache
from tests.fakes import FakeEncoder, fake_spec

LONG = "a very " * 10 + "long street"


def test_only_captions_not_seen_before_reach_the_encoder() -> None:
    cache, encoder = TextCache(), FakeEncoder()
    first, _ = cache.encode(encoder, ["a dog", "a cat"])
    again, _ = cache.encode(encoder, ["a cat", "a bird", "a dog"])
    assert encoder.texts_seen == ["a dog", "a cat", "a bird"]
    assert np.array_equal(again[[2, 0]], first)
    assert first.dtype == np.float32


def test_a_caption_given_twice_is_encoded_once_and_answered_twice() -> None:
    cache, encoder = TextCache(), FakeEncoder()
    features, _ = cache.encode(encoder, ["red", "blue", "red"])
    assert encoder.texts_seen == ["red", "blue"]
    assert np.array_equal(features[0], features[2]) and not np.array_equal(features[0], features[1])


@settings(max_examples=60, deadline=None)
@given(requests=st.lists(st.lists(st.sampled_from(["red", "blue", "a dog", "", LONG]), max_size=5), max_size=6))
def test_the_answer_is_the_encoder_s_own_however_it_was_asked_before(requests: list[list[str]]) -> None:
    cache, encoder = TextCache(max_bytes=3 * 16 * 4), FakeEncoder()  # room for three captions
    for texts in requests:
        features, notices = cache.encode(encoder, texts)
        expected, expected_notices = FakeEncoder().encode_texts(list(dict.fromkeys(texts)))
        rows = [list(dict.fromkeys(texts)).index(text) for text in texts]
        assert features.shape == (len(texts), 16)
        assert np.array_equal(features, expected.numpy()[rows])
        assert notices == expected_notices
        assert cache.size_bytes <= 3 * 16 * 4 and len(cache) <= 3


def test_a_cut_caption_is_reported_every_time_and_only_it() -> None:
    """The second person to use a long prompt was not told that it is cut."""
    cache, encoder = TextCache(), FakeEncoder()
    for _ in range(2):
        _, notices = cache.encode(encoder, ["a dog", LONG])
        assert [notice.subject for notice in notices] == [LONG]
    assert cache.encode(encoder, ["a dog"])[1] == []


def test_the_least_recently_used_is_forgotten_first() -> None:
    cache, encoder = TextCache(max_bytes=2 * 16 * 4), FakeEncoder()
    cache.encode(encoder, ["red", "blue"])
    cache.encode(encoder, ["red"])
    cache.encode(encoder, ["green"])  # blue goes
    encoder.texts_seen.clear()
    cache.encode(encoder, ["red", "green"])
    assert encoder.texts_seen == []
    cache.encode(encoder, ["blue"])
    assert encoder.texts_seen == ["blue"]


def test_another_model_dtype_or_weights_is_another_entry() -> None:
    cache = TextCache()
    other_weights = FakeEncoder()
    other_weights.weights_sha256 = "0" * 64
    encoders = [FakeEncoder(), FakeEncoder(fake_spec("other")), FakeEncoder(dtype=torch.bfloat16), other_weights]
    for encoder in encoders:
        cache.encode(encoder, ["red"])
    assert [encoder.texts_seen for encoder in encoders] == [["red"]] * 4
    cache.encode(FakeEncoder(), ["red"])
    assert len(cache) == 4


def test_what_comes_out_cannot_spoil_what_is_kept() -> None:
    cache, encoder = TextCache(), FakeEncoder()
    first, _ = cache.encode(encoder, ["red"])
    kept = first.copy()
    first[:] = 0
    assert np.array_equal(cache.encode(encoder, ["red"])[0], kept)


def test_no_captions_give_no_rows_and_no_text_tower_says_so() -> None:
    cache = TextCache()
    assert cache.encode(FakeEncoder(), [])[0].shape == (0, 16)
    with pytest.raises(Unsupported):
        cache.encode(FakeEncoder(fake_spec(has_text=False)), ["red"])
    cache.encode(FakeEncoder(), ["red"])
    cache.clear()
    assert len(cache) == cache.size_bytes == 0


def test_many_threads_get_their_own_captions() -> None:
    cache, encoder = TextCache(max_bytes=5 * 16 * 4), FakeEncoder()
    expected = {f"word {index}": FakeEncoder().encode_texts([f"word {index}"])[0].numpy()[0] for index in range(12)}
    wrong: list[str] = []

    def ask(start: int) -> None:
        for step in range(60):
            texts = [f"word {(start * 5 + step + offset) % 12}" for offset in range(3)]
            features, _ = cache.encode(encoder, texts)
            wrong.extend(t for t, row in zip(texts, features, strict=True) if not np.array_equal(row, expected[t]))

    threads = [threading.Thread(target=ask, args=(index,)) for index in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
    assert cache.size_bytes == len(cache) * 16 * 4 <= 5 * 16 * 4
