"""A vector's identity: change any one thing that shapes a vector, and every door notices."""

from __future__ import annotations

import json
import os
from copy import deepcopy
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import load_file, save_file

from core.errors import PassportMismatch
from core.foreground.encoding import encoder_key
from core.images import decode
from core.models import catalogue, weights
from core.models.encoder import Encoder
from core.models.identity import identity, identity_key
from core.models.manager import ModelManager
from core.models.passport import compare, model_passport, table_passport
from core.models.spec import HUB_FILES, OPEN_CLIP_CONFIG
from core.models.text_cache import TextCache
from core.settings import Settings
from core.types import ImageSource, VectorizeRequest
from core.vectorize import search
from core.vectorize.pipeline import vectorize_all
from core.vectorize.resume import passport_key
from tests.fakes import FakeEncoder, fake_spec
from tests.tiny_models import TINY, write_custom

MODEL = "custom_mine"

# What users correct in a configuration; none of it changes a tensor's shape.
CONFIGURATIONS = {
    "quick_gelu": ("model_cfg", "quick_gelu", True),
    "pooling of the image": ("model_cfg", "vision_cfg", "pool_type", "avg"),
    "pooling of the text": ("model_cfg", "text_cfg", "pool_type", "first"),
    "causal mask": ("model_cfg", "text_cfg", "no_causal_mask", True),
    "heads of the image": ("model_cfg", "vision_cfg", "head_width", 8),
    "heads of the text": ("model_cfg", "text_cfg", "heads", 4),
    "mean": ("preprocess_cfg", "mean", [0.5, 0.5, 0.5]),
    "std": ("preprocess_cfg", "std", [0.5, 0.5, 0.5]),
    "interpolation": ("preprocess_cfg", "interpolation", "bilinear"),
    "resize": ("preprocess_cfg", "resize_mode", "squash"),
    "tokenizer": ("model_cfg", "text_cfg", "tokenizer_kwargs", {"clean": "whitespace"}),
}
PARTS = (*CONFIGURATIONS, "weights", "alpha")


def change(part: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Changes one part of a model in place, as a user would; the configuration keeps its time of change."""
    if part == "alpha":
        monkeypatch.setattr(decode, "ALPHA", "drop")
    elif part == "weights":
        state = load_file(folder / HUB_FILES[0])
        save_file(state | {"visual.proj": state["visual.proj"] * 1.5}, folder / HUB_FILES[0])
    else:
        config = deepcopy(TINY)
        *parents, name, value = CONFIGURATIONS[part]
        place = config
        for parent in parents:
            place = place[parent]
        place[name] = value
        path = folder / OPEN_CLIP_CONFIG
        stat = path.stat()
        path.write_text(json.dumps(config))
        os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))


def load(folder: Path) -> Encoder:
    return weights.load_encoder(catalogue.find(MODEL, folder), folder, torch.device("cpu"), torch.float32)


@pytest.mark.parametrize("part", PARTS)
def test_every_door_notices_one_changed_part(part: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A corrected open_clip_config.json gave another configuration's cached text vectors, a file of two configurations
    after a resumed run, hits in a stranger's table, and the old module in a running process."""
    folder = write_custom(tmp_path, "mine", TINY)
    manager, cache = ModelManager(Settings(weights_dir=tmp_path, device="cpu", dtype="fp32")), TextCache()
    noise = np.random.default_rng(0).integers(0, 255, (40, 60, 3), dtype=np.uint8)
    pictures = [ImageSource("a.png", rgb_HWC=noise)]
    table = vectorize_all(pictures, VectorizeRequest((MODEL,)), manager)
    with manager.lease(MODEL) as lease:
        before, passport = lease.encoder, model_passport(lease.encoder)
        cache.encode(before, ["a dog"])
        keys = identity_key(before), passport_key(passport), encoder_key(before)
    assert search.by_text(["a dog"], table, manager)[1] == []

    change(part, folder, monkeypatch)

    with manager.lease(MODEL) as lease:
        after = lease.encoder
        if part != "alpha":  # decoding is no part of a module
            assert after is not before, "the old module in a running process"
        fresh = load(tmp_path)
        features_KD, _ = cache.encode(after, ["a dog"])
        assert len(cache) == 2, "text cache"
        torch.testing.assert_close(torch.from_numpy(features_KD), fresh.encode_texts(["a dog"])[0])
        now = identity_key(after), passport_key(model_passport(after)), encoder_key(after)
        assert all(new != old for new, old in zip(now, keys, strict=True)), "journal and caches"
        comparison = compare(table_passport([passport], False), table_passport([model_passport(after)], False))
        assert len(comparison.refused) == (2 if part == "tokenizer" else 1), "passport: the configuration has it too"
        assert not comparison.warnings
    for ask in (
        lambda: search.by_text(["a dog"], table, manager),
        lambda: search.by_image(pictures[0], table, manager),
    ):
        with pytest.raises(PassportMismatch):
            ask()


def leaves(value: Any, *path: Any) -> list[tuple[Any, ...]]:
    if isinstance(value, dict) and value:
        return [leaf for key, part in value.items() for leaf in leaves(part, *path, key)]
    return [path]


@pytest.fixture(scope="module")
def whole(tiny_weights: Path) -> dict[str, Any]:
    spec = catalogue.find("custom_tiny", tiny_weights)
    return model_passport(weights.load_encoder(spec, tiny_weights, torch.device("cpu"), torch.float32))


@given(data=st.data(), value=st.one_of(st.integers(1000, 2000), st.text("xyz", min_size=4), st.none()))
@settings(max_examples=100, deadline=None)
def test_any_leaf_of_an_identity_refuses_and_is_named(whole: dict[str, Any], data: st.DataObject, value: Any) -> None:
    parts = {name: whole[name] for name in identity(FakeEncoder())}
    parts["preprocessing"] = {name: part for name, part in parts["preprocessing"].items() if name != "mode"}
    *parents, last = data.draw(st.sampled_from(leaves(parts)))
    changed = json.loads(json.dumps(whole))
    place = changed
    for parent in parents:
        place = place[parent]
    place[last] = value
    refused = compare(table_passport([changed], False), table_passport([whole], False)).refused
    assert refused and any(str(last).partition("_")[0] in reason for reason in refused)
    assert passport_key(changed) != passport_key(whole)


def test_where_and_how_it_is_computed_is_no_part_of_it() -> None:
    """A table made on a GPU in fp16 stays searchable on a laptop."""
    assert identity_key(FakeEncoder(dtype=torch.bfloat16)) == identity_key(FakeEncoder())
    assert identity_key(FakeEncoder(fake_spec("other name"))) != identity_key(FakeEncoder())


def test_a_file_of_version_0_1_opens_and_says_what_it_does_not_record(whole: dict[str, Any]) -> None:
    old = {name: part for name, part in whole.items() if name not in ("switches", "tokenizer", "alpha")}
    comparison = compare(table_passport([old], False), table_passport([whole], False))
    assert comparison.refused == ()
    assert [warning.said("en") for warning in comparison.warnings] == [
        f"custom_tiny: {part} not recorded, the file is of version 0.1" for part in ("switches", "tokenizer", "alpha")
    ]
    assert "未记录 alpha" in comparison.warnings[2].said("zh")


def test_searching_a_table_of_version_0_1_says_what_was_not_recorded(tiny_weights: Path) -> None:
    manager = ModelManager(Settings(weights_dir=tiny_weights, device="cpu", dtype="fp32"))
    picture = ImageSource("a", rgb_HWC=np.zeros((8, 8, 3), np.uint8))
    table = vectorize_all([picture], VectorizeRequest(("custom_tiny",)), manager)
    for part in ("switches", "tokenizer", "alpha"):
        del table.passport["members"][0][part]
    hits, notices = search.by_text(["a dog"], table, manager)
    assert len(hits[0]) == 1 and [notice.code for notice in notices] == ["passport"] * 3
