"""The benchmark of models: every model asked for has a row, whatever became of it."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from typer.testing import CliRunner

from core.cli import models_bench
from core.cli.models import app
from core.errors import Cancelled, DeviceUnavailable, InputError, UnknownModel, WeightsInvalid, WeightsMissing
from core.models import bench as bench_module
from core.models import catalogue
from core.models.bench import bench, bench_rows
from core.models.manager import ModelManager
from core.models.spec import ModelSpec
from core.settings import Settings
from tests.fakes import FakeEncoder, fake_load, fake_spec


class Models:
    """Fakes by name: `absent` has no weights, `damaged` bad ones, `large` takes two images at most."""

    before_encode: Callable[[torch.Tensor], None] | None = None

    def __init__(self) -> None:
        self.encoders: list[FakeEncoder] = []
        self.manager = ModelManager(Settings(idle_unload_s=0.0), load=self._load, find=self._find)

    def _find(self, model_id: str) -> ModelSpec:
        if model_id == "unheard_of":
            raise UnknownModel("There is no such model.")
        return replace(fake_spec(model_id), params_m=0.001)

    def _load(self, spec: ModelSpec, device: torch.device, dtype: torch.dtype) -> FakeEncoder:
        if spec.id == "absent":
            raise WeightsMissing("Not here.", where=spec.id, next_step="python -m core models fetch absent")
        if spec.id == "damaged":
            raise WeightsInvalid("The file is damaged.", where=spec.id)
        encoder = FakeEncoder(spec, device, dtype, max_batch=2 if spec.id == "large" else None, size_bytes=777)
        encoder.before_encode = self.before_encode
        self.encoders.append(encoder)
        return encoder


@pytest.fixture
def one_second_per_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    """A clock that only encoding moves."""
    now_s = [0.0]

    def tick(pixels_BCHW: torch.Tensor) -> None:
        now_s[0] += 1.0

    monkeypatch.setattr(bench_module, "time", SimpleNamespace(perf_counter=lambda: now_s[0]))
    monkeypatch.setattr(Models, "before_encode", staticmethod(tick))


def test_a_row_for_each_model_and_dtype(one_second_per_batch: None):
    models = Models()
    rows = bench(["a", "b"], models.manager, ["fp32", "bf16"], batch_size=4, seconds=2.5, device="cpu")
    assert [(row.model_id, row.dtype) for row in rows] == [("a", "fp32"), ("a", "bf16"), ("b", "fp32"), ("b", "bf16")]
    for row in rows:
        assert (row.state, row.device, row.batch_size, row.memory_bytes) == ("measured", "cpu", 4, 777)
        assert (row.images, row.images_per_s) == (12, 4.0), "three batches of a second each, the warm-up not counted"
        assert row.load_s > 0
        assert row.peak_bytes is None
    used = [encoder for encoder in models.encoders if encoder.batch_sizes]
    assert [encoder.batch_sizes for encoder in used] == [[4, 4, 4, 4]] * 4


def test_a_model_slower_than_the_time_is_measured_by_its_first_batch(one_second_per_batch: None):
    models = Models()
    (row,) = bench(["a"], models.manager, ["fp32"], batch_size=3, seconds=0.5, device="cpu")
    assert (row.images, row.images_per_s) == (3, 3.0)
    assert [encoder.batch_sizes for encoder in models.encoders] == [[], [3]]


def test_models_without_weights_are_listed_with_the_command_that_brings_them():
    rows = bench(["absent", "damaged", "a"], Models().manager, ["fp32", "bf16"], 2, 0.0, device="cpu")
    assert [(row.model_id, row.state) for row in rows] == [
        ("absent", "absent"),
        ("damaged", "failed"),
        ("damaged", "failed"),
        ("a", "measured"),
        ("a", "measured"),
    ]
    assert rows[0].hint == "python -m core models fetch absent"
    assert rows[1].hint == "The file is damaged. [damaged]"
    assert rows[0].images_per_s == 0.0


def test_a_batch_that_does_not_fit_is_said():
    (row,) = bench(["large"], Models().manager, ["fp32"], batch_size=8, seconds=0.0, device="cpu")
    assert row.batch_size == 2
    assert [notice.code for notice in row.notices] == ["oom_batch", "oom_batch"]
    assert row.images == 8


@pytest.mark.parametrize(
    ("model_id", "dtype", "device", "error"),
    [
        ("unheard_of", "fp32", "cpu", UnknownModel),
        ("b", "int4", "cpu", InputError),
        ("b", "fp32", "cuda:99", DeviceUnavailable),
    ],
)
def test_wrong_names_are_refused_before_anything_runs(model_id: str, dtype: str, device: str, error: type[Exception]):
    models = Models()
    with pytest.raises(error):
        bench(["a", model_id], models.manager, ["fp32", dtype], 2, 0.0, device=device)
    assert models.encoders == []


def test_cancel_stops_it():
    cancel = threading.Event()
    rows = bench_rows(["a", "b"], Models().manager, ["fp32"], 2, 0.0, device="cpu", cancel=cancel)
    assert next(rows).model_id == "a"
    cancel.set()
    with pytest.raises(Cancelled):
        next(rows)


def test_a_model_in_use_is_measured_and_stays():
    models = Models()
    with models.manager.lease("a", "cpu", "fp32") as lease:
        (row,) = bench(["a"], models.manager, ["fp32"], 2, 0.0, device="cpu")
        assert (row.state, row.load_s) == ("measured", 0.0)
        assert len(models.encoders) == 1
        assert lease.encoder is models.encoders[0]


# ---- the command ----


@pytest.fixture
def fakes_for_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    """The command's own manager, with fakes in the place of weights; resnet50's are not here."""

    def load(spec: ModelSpec, device: torch.device, dtype: torch.dtype) -> FakeEncoder:
        if spec.id == "resnet50":
            raise WeightsMissing("Not here.", where=spec.id, next_step="python -m core models fetch resnet50")
        return fake_load(spec, device, dtype)

    monkeypatch.setattr(models_bench, "ModelManager", lambda settings: ModelManager(settings, load=load))


def run(*arguments: str) -> str:
    result = CliRunner().invoke(app, ["bench", "--device", "cpu", "--seconds", "0", *arguments], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.stdout


def test_the_command_prints_a_table(fakes_for_the_command: None):
    table = run("--models", "vit_b_16, resnet50", "--dtype", "fp32", "--batch_size", "2")
    assert [line.split()[:4] for line in table.splitlines()[1:2]] == [["vit_b_16", "cpu", "fp32", "2"]]
    assert "absent: python -m core models fetch resnet50" in table


def test_the_command_prints_json_for_programs(fakes_for_the_command: None):
    rows = json.loads(run("--models", "vit_b_16,resnet50", "--dtype", "fp32,bf16", "--batch_size", "1", "--json"))
    assert [(row["model_id"], row["dtype"], row["state"]) for row in rows] == [
        ("vit_b_16", "fp32", "measured"),
        ("vit_b_16", "bf16", "measured"),
        ("resnet50", "fp32", "absent"),
    ]


def test_without_names_the_whole_catalogue_is_listed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    def load(spec: ModelSpec, device: torch.device, dtype: torch.dtype) -> FakeEncoder:
        raise WeightsMissing("Not here.", where=spec.id, next_step=f"python -m core models fetch {spec.id}")

    monkeypatch.setattr(models_bench, "ModelManager", lambda settings: ModelManager(settings, load=load))
    rows = json.loads(run("--weights_dir", str(tmp_path), "--json"))
    assert [row["model_id"] for row in rows] == [spec.id for spec in catalogue.specs(tmp_path)]
    assert {row["state"] for row in rows} <= {"absent", "failed"}


def test_no_dtype_named():
    with pytest.raises(InputError, match="No dtype"):
        CliRunner().invoke(app, ["bench", "--dtype", ","], catch_exceptions=False)
