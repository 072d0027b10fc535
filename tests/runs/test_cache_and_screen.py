"""Long logs: kept as Arrow files, and cut down to what a screen can show."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.runs import Run, RunReader, downsample, read_runs
from core.runs.cache import SMALLEST_CACHED_BYTES, SeriesCache, default_cache_dir
from core.runs.formats import FORMATS
from core.runs.series import Series

ROWS = 9_000


def _write(path: Path, start: int, stop: int) -> None:
    with path.open("a") as file:
        for step in range(start, stop):
            row: dict[str, float] = {
                "step": step,
                "epoch": step // 100,
                "time": step / 8,
                "a": step / 3,
                "b": -step / 7,
            }
            if step % 50 == 0:
                row["sparse"] = step * 2.0
            file.write(json.dumps(row) + "\n")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "runs" / "long"
    folder.mkdir(parents=True)
    _write(folder / "metrics.jsonl", 0, ROWS)
    assert (folder / "metrics.jsonl").stat().st_size > SMALLEST_CACHED_BYTES
    return tmp_path / "runs"


def _same(one: Run, other: Run) -> bool:
    def arrays(run: Run, name: str) -> list[list[float]]:
        series = run.metrics[name]
        assert series.epoch is not None
        assert series.time_s is not None
        return [series.step.tolist(), series.value.tolist(), series.epoch.tolist(), series.time_s.tolist()]

    assert set(one.metrics) == set(other.metrics)
    return all(arrays(one, name) == arrays(other, name) for name in one.metrics) and one.notes == other.notes


@pytest.fixture
def parsed_bytes(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many bytes each call of the JSONL parser was given."""
    counts: list[int] = []
    plain = FORMATS["jsonl"]

    def counting(block: bytes, *rest):  # type: ignore[no-untyped-def]
        counts.append(len(block))
        return plain.parse(block, *rest)

    monkeypatch.setitem(FORMATS, "jsonl", replace(plain, parse=counting))
    return counts


def test_a_long_log_is_parsed_once_and_then_mapped(root: Path, tmp_path: Path, parsed_bytes: list[int]) -> None:
    plain = read_runs(root).runs[0]
    first = read_runs(root, cache_dir=tmp_path / "cache").runs[0]
    parsed_bytes.clear()
    second = read_runs(root, cache_dir=tmp_path / "cache").runs[0]
    assert parsed_bytes == []
    assert _same(first, plain)
    assert _same(second, plain)
    assert second.metrics["a"].step is second.metrics["b"].step, "shared axes are stored once"


def test_notes_come_out_of_the_cache_in_both_languages(root: Path, tmp_path: Path) -> None:
    with (root / "long" / "metrics.jsonl").open("a") as file:
        file.write("not JSON\n")
    first = read_runs(root, cache_dir=tmp_path / "cache").runs[0].notes
    again = read_runs(root, cache_dir=tmp_path / "cache").runs[0].notes
    assert again == first == (f"1 lines could not be read (not JSON); the first is line {ROWS + 1}",)
    assert [note.said("zh") for note in again] == [f"1 行无法读取（不是 JSON）；首个为第 {ROWS + 1} 行"]


def test_a_log_that_grew_since_it_was_cached_is_read_from_there(
    root: Path, tmp_path: Path, parsed_bytes: list[int]
) -> None:
    read_runs(root, cache_dir=tmp_path / "cache")
    path = root / "long" / "metrics.jsonl"
    before = path.stat().st_size
    _write(path, ROWS - 1, ROWS + 500)  # its first row repeats a step
    parsed_bytes.clear()
    grown = read_runs(root, cache_dir=tmp_path / "cache").runs[0]
    assert sum(parsed_bytes) == path.stat().st_size - before
    assert _same(grown, read_runs(root).runs[0])
    assert len(grown.metrics["a"]) == ROWS + 500


def test_a_log_that_was_rewritten_is_not_taken_from_the_cache(root: Path, tmp_path: Path) -> None:
    read_runs(root, cache_dir=tmp_path / "cache")
    path = root / "long" / "metrics.jsonl"
    data = path.read_bytes()
    path.write_bytes(data.replace(b'"a": 1.0,', b'"a": 9.0,'))  # same length, another value, same file
    assert 9.0 in read_runs(root, cache_dir=tmp_path / "cache").runs[0].metrics["a"].value
    path.write_bytes(data.replace(b'"a"', b'"z"') + b'{"step": 99999, "z": 1}\n')  # longer, another start
    assert "a" not in read_runs(root, cache_dir=tmp_path / "cache").runs[0].metrics


@pytest.mark.parametrize("damage", [b"", b"ARROW1 is what this is not", None])
def test_a_damaged_cache_is_made_again(root: Path, tmp_path: Path, damage: bytes | None) -> None:
    plain = read_runs(root).runs[0]
    read_runs(root, cache_dir=tmp_path / "cache")
    (file,) = (tmp_path / "cache").iterdir()
    damaged = file.read_bytes()[:-100] if damage is None else damage
    file.unlink()
    file.write_bytes(damaged)
    assert _same(read_runs(root, cache_dir=tmp_path / "cache").runs[0], plain)
    (file,) = (tmp_path / "cache").iterdir()
    assert len(file.read_bytes()) > 100_000


def test_a_cache_that_cannot_be_written_costs_time_only(root: Path, tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("a file where the folder should be")
    assert _same(read_runs(root, cache_dir=tmp_path / "cache").runs[0], read_runs(root).runs[0])


def test_a_growing_log_is_not_stored_again_at_every_reading(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stored: list[str] = []
    plain = SeriesCache.store

    def counting(self: SeriesCache, key: str, *rest):  # type: ignore[no-untyped-def]
        stored.append(key)
        return plain(self, key, *rest)

    monkeypatch.setattr(SeriesCache, "store", counting)
    reader = RunReader(root, cache_dir=tmp_path / "cache")
    for start in range(ROWS, ROWS + 2_000, 100):
        reader.read()
        _write(root / "long" / "metrics.jsonl", start, start + 100)
    assert len(stored) == 1
    _write(root / "long" / "metrics.jsonl", ROWS + 2_000, ROWS + 4_000)
    assert _same(reader.read().runs[0], read_runs(root).runs[0])
    assert len(stored) == 2


def test_the_cache_keeps_within_its_bounds_and_short_logs_stay_out(tmp_path: Path) -> None:
    series = {"a": Series(np.arange(10_000), np.zeros(10_000))}
    cache = SeriesCache(tmp_path / "cache", max_bytes=500_000)
    for number in range(10):
        assert cache.store(f"{number:02}", {"offset": number}, series)
    files = list((tmp_path / "cache").iterdir())
    assert 1 <= len(files) <= 3
    assert sum(file.stat().st_size for file in files) <= 500_000
    (tmp_path / "runs").mkdir()
    (tmp_path / "runs" / "short.csv").write_text("step,loss\n1,2\n")
    read_runs(tmp_path / "runs", cache_dir=tmp_path / "none")
    assert not (tmp_path / "none").exists()


def test_the_cache_lies_in_the_users_own_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert default_cache_dir() == tmp_path / "clip-workbench" / "runs"


# --------------------------------------------------------------------------------------------------------------- screen


@settings(max_examples=80, deadline=None)
@given(
    length=st.integers(0, 5_000),
    most=st.integers(4, 300),
    seed=st.integers(0, 1_000),
    broken=st.floats(0, 1),
    window=st.none() | st.tuples(st.integers(0, 5_000), st.integers(0, 5_000)),
)
def test_what_is_drawn_keeps_extremes_ends_and_gaps(
    length: int, most: int, seed: int, broken: float, window: tuple[int, int] | None
) -> None:
    rng = np.random.default_rng(seed)
    x = np.cumsum(rng.integers(1, 3, length))
    y = rng.normal(size=length)
    if seed % 2 and length:
        y[rng.random(length) < broken * 0.3] = rng.choice([np.nan, np.inf, -np.inf])
    x_range = None if window is None else (min(window), max(window))
    picked = downsample(x, y, most, x_range)
    assert np.all(np.diff(picked) > 0)
    inside = np.arange(length) if x_range is None else np.flatnonzero((x >= x_range[0]) & (x <= x_range[1]))
    assert len(picked) <= 2 * most + 4
    if len(inside):
        first, last = max(0, inside[0] - (x_range is not None)), min(length - 1, inside[-1] + (x_range is not None))
        assert (picked[0], picked[-1]) == (first, last), "lines reach the edges of the view, and no further"
        finite = inside[np.isfinite(y[inside])]
        seen = y[picked][np.isfinite(y[picked])]
        if len(finite):
            assert seen.min() <= y[finite].min()
            assert seen.max() >= y[finite].max()
        if len(finite) < len(inside):
            assert not np.isfinite(y[picked]).all(), "that it diverged is still seen"


def test_one_spike_among_a_million_points_is_drawn_and_zooming_refines() -> None:
    x = np.arange(1_000_000)
    y = np.sin(x / 50_000)
    y[654_321] = 40.0
    y[123_456] = np.nan
    picked = downsample(x, y, 1_000)
    assert {0, 123_456, 654_321, 999_999} <= set(picked.tolist())
    assert len(picked) <= 1_010
    closer = downsample(x, y, 1_000, (650_000, 660_000))
    assert (
        len(np.intersect1d(closer, np.arange(650_000, 660_001)))
        > 10 * ((picked >= 650_000) & (picked <= 660_000)).sum()
    )
    whole = downsample(x, y, 1_000, (654_300, 654_400))
    assert whole.tolist() == list(range(654_299, 654_402)), "every point, and one beyond each edge"


def test_a_gap_breaks_the_line_at_its_first_and_last_point() -> None:
    y = np.ones(10_000)
    y[4_000:6_000] = np.nan
    picked = downsample(np.arange(10_000), y, 100)
    assert {4_000, 5_999} <= set(picked.tolist())
    assert np.isnan(y[picked]).sum() == 2
