"""`core.vectorize.comparable`: a file's vectors and vectors made now meet only where they mean the same."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from core.errors import PassportMismatch
from core.models.manager import ModelManager
from core.settings import Settings
from core.types import VectorizeRequest, VectorTable
from core.vectorize import store
from core.vectorize.comparable import check
from core.vectorize.pipeline import vectorize_all
from tests.tiny_models import TINY, write_custom
from tests.vectorize.conftest import Fakes, sources


def made(weights_dir: Path, **request) -> VectorTable:
    options = {"models": ("custom_tiny",), "device": "cpu", "dtype": "fp32"} | request
    return vectorize_all(sources(3), VectorizeRequest(**options), ModelManager(Settings(weights_dir=weights_dir)))


def test_the_same_models_and_weights_are_accepted_without_a_word(tiny_weights, tmp_path):
    store.write(made(tiny_weights, models=("custom_tiny", "custom_tiny_wide"), normalize=True), tmp_path / "v.parquet")
    assert check(store.read(tmp_path / "v.parquet"), ModelManager(Settings(weights_dir=tiny_weights))) == []


def test_other_weights_under_the_same_name_are_refused(tiny_weights, tmp_path):
    store.write(made(tiny_weights), tmp_path / "v.npz")
    write_custom(tmp_path / "others", "tiny", TINY, seed=5)
    with pytest.raises(PassportMismatch, match="weights") as caught:
        check(store.read(tmp_path / "v.npz"), ModelManager(Settings(weights_dir=tmp_path / "others")))
    assert "custom_tiny" in str(caught.value) and "Vectorize" in str(caught.value)


def test_other_preprocessing_is_refused_with_the_difference_named(tiny_weights, tmp_path):
    store.write(made(tiny_weights), tmp_path / "v.npz")
    other = {**TINY, "preprocess_cfg": {**TINY["preprocess_cfg"], "mean": [0.5, 0.5, 0.5]}}
    write_custom(tmp_path / "others", "tiny", other)  # the same weights
    with pytest.raises(PassportMismatch, match="preprocessing mean"):
        check(store.read(tmp_path / "v.npz"), ModelManager(Settings(weights_dir=tmp_path / "others")))


def test_another_dtype_or_library_version_warns_and_the_canaries_decide(tiny_weights):
    manager = ModelManager(Settings(weights_dir=tiny_weights))
    table = made(tiny_weights)
    older = json.loads(json.dumps(table.passport))
    older["members"][0]["libraries"]["torch"] = "2.0.0"
    older["members"][0]["dtype"] = "bfloat16"
    warnings = check(replace(table, passport=older), manager)
    assert any("torch was 2.0.0" in warning for warning in warnings) and any("dtype" in warning for warning in warnings)
    older["canaries"][0][1][:12] = [-value for value in older["canaries"][0][1][:12]]
    with pytest.raises(PassportMismatch, match="canary"):
        check(replace(table, passport=older), manager)


@pytest.mark.parametrize(
    ("has_bf16", "said"), [(True, ["dtype was float32, now bfloat16", "mode was reference, now fast"]), (False, [])]
)
def test_vectors_made_in_fp16_on_a_gpu_are_checked_on_a_cpu_in_another_dtype(monkeypatch, has_bf16, said):
    """The CPU takes what `auto` means there; that it differs from the fp32 written in the passport is said."""
    monkeypatch.setattr("core.models.device.cpu_has_bf16", lambda: has_bf16)
    fakes = Fakes()
    manager = fakes.manager()
    table = vectorize_all(sources(2), VectorizeRequest(("fake",), dtype="fp32"), manager)
    fp16 = replace(table, members=(replace(table.members[0], dtype="fp16"),))
    warnings = check(fp16, manager, device="cpu")
    assert len(warnings) == len(said) and all(word in warning for word, warning in zip(said, warnings, strict=True))


def test_a_refusal_is_said_in_chinese_with_each_difference(tiny_weights, tmp_path):
    """On the Chinese page the differences stood there in English."""
    store.write(made(tiny_weights), tmp_path / "v.npz")
    write_custom(tmp_path / "others", "tiny", TINY, seed=5)
    with pytest.raises(PassportMismatch) as caught:
        check(store.read(tmp_path / "v.npz"), ModelManager(Settings(weights_dir=tmp_path / "others")))
    assert "custom_tiny：权重原为" in caught.value.what.said("zh")
