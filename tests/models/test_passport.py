"""Passports: what refuses, what warns, and the canaries that decide."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from core.models import catalogue, passport, weights
from core.models.passport import (
    canary_images,
    canary_vectors,
    compare,
    merged_passport,
    model_passport,
    table_passport,
)
from tests.fakes import FakeEncoder, fake_spec

GOLDEN = ["a0531b5c2bd0c7a3", "0fb35ff0bcaceb87", "822a70c0ca689a5a"]


def passport_of(*encoders: Any, normalize: bool = False) -> dict[str, Any]:
    return table_passport(
        [model_passport(encoder) for encoder in encoders], normalize, [canary_vectors(encoder) for encoder in encoders]
    )


def edited(original: dict[str, Any], *path: Any, to: Any) -> dict[str, Any]:
    copy = json.loads(json.dumps(original))
    place = copy
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = to
    return copy


@pytest.fixture
def stored() -> dict[str, Any]:
    return passport_of(FakeEncoder(fake_spec("a")), FakeEncoder(fake_spec("b", dim=8)))


def test_the_same_encoders_agree_and_survive_json(stored: dict[str, Any]) -> None:
    again = passport_of(FakeEncoder(fake_spec("a")), FakeEncoder(fake_spec("b", dim=8)))
    assert json.loads(json.dumps(stored)) == stored
    assert compare(json.loads(json.dumps(stored)), again) == passport.Comparison((), ())


def test_a_passport_says_what_made_the_vectors(stored: dict[str, Any]) -> None:
    member = stored["members"][1]
    assert (member["model_id"], member["dim"], member["dtype"]) == ("b", 8, "float32")
    assert len(member["weights_sha256"]) == 64
    assert member["preprocessing"]["mode"] == "reference" and member["preprocessing"]["crop_px"] == 32
    assert {"torch", "torchvision", "pillow", "open_clip_torch"} <= set(member["libraries"])
    fast = model_passport(FakeEncoder(dtype=torch.bfloat16))
    assert (fast["preprocessing"]["mode"], fast["dtype"]) == ("fast", "bfloat16")


REFUSED = {
    "weights": (("members", 0, "weights_sha256"), "0" * 64, "a: the weights were 000000000000…"),
    "model": (("members", 0, "model_id"), "c", "the models were c, b, now a, b"),
    "dimension": (("members", 1, "dim"), 9, "b: the dimension was 9"),
    "architecture": (("members", 0, "architecture"), "ViT-B-32", "a: the architecture was ViT-B-32"),
    "resize": (("members", 0, "preprocessing", "resize_px"), 36, "a: preprocessing resize_px was 36, now 32"),
    "mean": (("members", 0, "preprocessing", "mean"), [0.5] * 3, "a: preprocessing mean was [0.5, 0.5, 0.5]"),
    "interpolation": (("members", 1, "preprocessing", "interpolation"), "bilinear", "b: preprocessing interpolation"),
    "normalize": (("normalize",), True, "normalize was True, now False"),
    "format": (("format",), 99, "format 99"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_makes_vectors_incomparable_refuses_and_is_named(name: str, stored: dict[str, Any]) -> None:
    path, value, words = REFUSED[name]
    comparison = compare(edited(stored, *path, to=value), stored)
    assert len(comparison.refused) == 1 and words in comparison.refused[0]


def test_an_ensemble_in_another_order_is_another_model(stored: dict[str, Any]) -> None:
    swapped = passport_of(FakeEncoder(fake_spec("b", dim=8)), FakeEncoder(fake_spec("a")))
    assert compare(stored, swapped).refused == ("the models were a, b, now b, a",)
    alone = passport_of(FakeEncoder(fake_spec("a")))
    assert compare(stored, alone).refused == ("the models were a, b, now a",)


@pytest.mark.parametrize(
    ("path", "value", "words"),
    [
        (("members", 0, "libraries", "torch"), "1.0", "a: torch was 1.0, now"),
        (("members", 0, "libraries", "gone"), "3", "a: gone was 3, now None"),
        (("members", 1, "dtype"), "bfloat16", "b: dtype was bfloat16, now float32"),
        (("members", 1, "device"), "cuda", "b: device was cuda, now cpu"),
        (("members", 1, "preprocessing", "mode"), "fast", "b: preprocessing mode was fast, now reference"),
    ],
)
def test_what_may_change_the_last_digits_only_warns(
    path: tuple[Any, ...], value: str, words: str, stored: dict[str, Any]
) -> None:
    comparison = compare(edited(stored, *path, to=value), stored)
    assert comparison.refused == () and len(comparison.warnings) == 1 and words in comparison.warnings[0]


def test_the_canaries_decide(stored: dict[str, Any]) -> None:
    """Same names, same hashes, other vectors: something below has changed."""
    turned = edited(stored, "canaries", 1, 2, to=[-value for value in stored["canaries"][1][2]])
    comparison = compare(turned, stored)
    assert len(comparison.refused) == 1 and "b: the canary images give other vectors" in comparison.refused[0]
    near = edited(stored, "canaries", 0, 0, to=[value * 1.0001 for value in stored["canaries"][0][0]])
    assert compare(near, stored).refused == ()


def test_sixteen_bits_are_given_more_room() -> None:
    exact = passport_of(FakeEncoder())
    noise = np.random.default_rng(0).normal(size=16) * 0.03 * np.abs(exact["canaries"][0][0]).max()
    shaken = edited(exact, "canaries", 0, 0, to=(np.array(exact["canaries"][0][0]) + noise).tolist())
    assert compare(shaken, exact).refused
    sixteen = edited(shaken, "members", 0, "dtype", to="bfloat16")
    assert not compare(sixteen, exact).refused


@pytest.mark.parametrize(
    "canaries", [[], True, 3.0, [[[float("nan")] * 16] * 3], [[[1.0]]], [[["x"]]], [[], []], [[[0.0] * 16] * 3]]
)
def test_canaries_that_cannot_be_compared_refuse_and_missing_ones_decide_nothing(canaries: Any) -> None:
    exact = passport_of(FakeEncoder())
    comparison = compare(edited(exact, "canaries", to=canaries), exact)
    assert bool(comparison.refused) == bool(canaries)


def test_rows_of_two_dtypes_are_passed_off_as_neither() -> None:
    """A model that ran out of memory in fp16 on the GPU goes on in fp32 on the CPU: one table, two kinds of rows."""
    exact = model_passport(FakeEncoder())
    fast = {**exact, "dtype": "float16", "device": "cuda", "preprocessing": {**exact["preprocessing"], "mode": "fast"}}
    merged = merged_passport([fast, exact, exact])
    assert (merged["dtype"], merged["device"]) == ("float16, then float32", "cuda, then cpu")
    assert merged["preprocessing"]["mode"] == "fast, then reference"
    assert {key for key in exact if merged[key] != exact[key]} == {"dtype", "device", "preprocessing"}
    for other in (fast, exact):
        comparison = compare(table_passport([merged], False), table_passport([other], False))
        assert not comparison.refused and len(comparison.warnings) == 3
    assert merged_passport([exact]) == exact


EXACT = passport_of(FakeEncoder())


@settings(max_examples=100, deadline=None)
@given(data=st.data())
def test_a_passport_from_anywhere_never_raises(data: st.DataObject) -> None:
    """The JSON comes out of a stranger's file."""
    plain = st.recursive(
        st.none() | st.booleans() | st.integers(-3, 3) | st.floats() | st.text(max_size=3),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
        max_leaves=6,
    )
    exact = EXACT
    keys = ["format", "normalize", "members", "canaries"]
    strange = {**exact, **{key: data.draw(plain) for key in data.draw(st.sets(st.sampled_from(keys), min_size=1))}}
    member = {**exact["members"][0], data.draw(st.sampled_from(sorted(exact["members"][0]))): data.draw(plain)}
    for other in (strange, {**exact, "members": [member]}, {}):
        comparison = compare(other, exact)
        assert all(isinstance(line, str) for line in (*comparison.refused, *comparison.warnings))
        compare(exact, other)


# --- canaries -------------------------------------------------------------------------------------------------------


def test_the_canary_images_are_the_same_everywhere() -> None:
    """Golden: sha256 of the pixels as first made; stored files hold vectors of exactly these."""
    assert [image.shape for image in canary_images()] == [(180, 240, 3), (300, 260, 3), (97, 131, 3)]
    assert [hashlib.sha256(image.tobytes()).hexdigest()[:16] for image in canary_images()] == GOLDEN


def test_canaries_notice_what_a_hash_does_not(tiny_weights: Path) -> None:
    """Another input normalisation or another activation, weights unchanged."""
    spec = catalogue.find("custom_tiny", tiny_weights)
    encoder = weights.load_encoder(spec, tiny_weights, torch.device("cpu"), torch.float32)
    before = passport_of(encoder)
    assert compare(before, passport_of(encoder)).refused == ()
    for block in encoder.module.visual.transformer.resblocks:
        block.mlp.gelu = torch.nn.ReLU()
    assert "canary" in compare(before, passport_of(encoder)).refused[0]


def test_trained_sixteen_bit_vectors_may_be_compared_with_exact_ones(tmp_path: Path) -> None:
    """A collection made on a GPU in bf16 is searched on a laptop in fp32: warned, not refused."""
    spec = catalogue.find("efficientnet_lite0", tmp_path)
    exact, near = (
        passport_of(weights.load_encoder(spec, tmp_path, torch.device("cpu"), dtype))
        for dtype in (torch.float32, torch.bfloat16)
    )
    comparison = compare(near, exact)
    assert comparison.refused == ()
    assert [line.split(": ")[1].split(" was")[0] for line in comparison.warnings] == ["dtype", "preprocessing mode"]


def test_members_with_other_input_sizes_stand_side_by_side() -> None:
    wide = FakeEncoder(replace(fake_spec("wide", dim=12, input_px=48)))
    both = passport_of(FakeEncoder(), wide)
    assert [len(vectors[0]) for vectors in both["canaries"]] == [16, 12]
