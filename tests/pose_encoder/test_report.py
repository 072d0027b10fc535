"""The report: verdicts of `core.runs.compare`, and an interval that knows both seeds and faces."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from core.errors import InputError
from core.runs import RunRecorder
from experiments.pose_encoder.data import generated
from experiments.pose_encoder.report import report, seeds_and_people

IDENTITIES = (4, 2, 30)


def write_runs(folder: Path, seeds: int = 8, fingerprint: str = "") -> None:
    """Finished runs without training: `clip` is one point of NME better than `mlp` on every face, `none` the same."""
    data = generated(0, IDENTITIES)
    random = np.random.default_rng(0)
    for seed in range(seeds):
        noise = 5 + random.normal(size=len(data.test))
        for arm, shift in (("mlp", 0.0), ("clip", -1.0), ("none", random.normal() * 0.01)):
            config = {
                "pose_encoder": arm, "seed": seed, "data_dir": "generated", "data_seed": 0, "identities": IDENTITIES,
                "data_fingerprint": fingerprint or data.fingerprint, "parameters_pose": 1000,
            }  # fmt: skip
            metrics = {"nme": 5 + 0.1 * seed + shift, "auc": 50.0, "fr": 1.0, "geodesic_deg": 3.0}
            metrics |= {f"nme_yaw_{each}": 5.0 for each in ("0_30", "30_60", "60_90")}
            with RunRecorder(folder, f"{arm}-seed{seed}", config) as run:
                run.log({"val/nme": metrics["nme"]}, step=1, epoch=1)
                run.log({f"test/{name}": value for name, value in metrics.items()}, step=1, epoch=1)
            np.save(folder / f"{arm}-seed{seed}" / "test_errors.npy", ((noise + shift) / 100).astype(np.float16))


def test_the_tables_say_what_the_runs_say(tmp_path: Path) -> None:
    write_runs(tmp_path)
    text = report(tmp_path)
    rows = {line.split("`")[1]: line for line in text.split("against")[1].splitlines() if line.startswith("| `")}
    assert "| better | -1.00 | -1.00 to -1.00 |" in rows["clip"] and "0.016 | 8 |" in rows["clip"]
    assert "no difference shown" in rows["none"]
    first = text.split("against")[0]
    assert first.index("`none`") < first.index("`mlp`") < first.index("`clip`"), "the order of the arms"
    assert "| 5.35 | 5.00 | 5.00 | 5.00 | 50.00 | 1.00 | 3.00 | 5.35 | 1,000 |" in first


def test_runs_of_other_data_are_refused(tmp_path: Path) -> None:
    write_runs(tmp_path / "a", seeds=1, fingerprint="other")
    with pytest.raises(InputError, match="no longer"):
        report(tmp_path / "a")
    with pytest.raises(InputError, match="0 data sets"):
        (tmp_path / "b").mkdir()
        report(tmp_path / "b")


def test_the_interval_covers_what_it_should() -> None:
    """Differences made of a seed's luck and a face's: about 95 of 100 intervals hold the truth, given many seeds."""
    random = np.random.default_rng(1)
    yaw = random.uniform(0, 90, 120)
    hits = 0
    for trial in range(60):
        seed_luck, face_luck = random.normal(size=(30, 1)), random.normal(size=(1, 120))
        low, high = seeds_and_people(0.5 + seed_luck + face_luck, yaw, np.arange(120), draws=400, seed=trial)
        hits += low < 0.5 < high
    assert 51 <= hits <= 60


def test_faces_alone_widen_the_interval_too() -> None:
    yaw = np.linspace(0, 90, 90)
    same_for_all_seeds = np.tile(np.random.default_rng(0).normal(size=90), (8, 1))
    low, high = seeds_and_people(same_for_all_seeds, yaw, np.arange(90))
    assert high - low == pytest.approx(2 * 1.96 * same_for_all_seeds[0].std() / np.sqrt(90), rel=0.15)
    assert seeds_and_people(np.ones((8, 90)), yaw, np.arange(90)) == pytest.approx((1.0, 1.0))


def test_four_faces_of_one_person_are_not_four_people() -> None:
    """Drawn face by face, the interval of people who differ was half as wide as it should be."""
    luck_of_people = np.random.default_rng(0).normal(size=200)
    faces = np.tile(np.repeat(luck_of_people, 4), (8, 1))
    yaw = np.random.default_rng(1).uniform(0, 90, 800)
    low, high = seeds_and_people(faces, yaw, np.repeat(np.arange(200), 4))
    alone_low, alone_high = seeds_and_people(faces, yaw, np.arange(800))
    assert high - low == pytest.approx(2 * (alone_high - alone_low), rel=0.15)
