"""`python -m core runs …` as it is typed."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from core.cli.app import run

MLP = [4.10, 4.25, 3.98, 4.31, 4.05, 4.17, 4.22, 4.09]
CLIP = [value + 0.4 + 0.02 * (index % 3 - 1) for index, value in enumerate(MLP)]
KEYS = {
    *("verdict", "difference", "interval", "p_value", "pairs", "effect_size", "detectable_difference", "seeds_needed"),
    *("baseline", "arm", "reason"),
}


@pytest.fixture
def root(tmp_path: Path, write_arms: Callable[..., Path], monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return write_arms(tmp_path / "runs", {"mlp": MLP, "clip": CLIP})


@pytest.mark.parametrize("flag", ["--group_by", "--group-by"])
def test_compare_prints_the_verdict_as_json(root: Path, capsys: pytest.CaptureFixture[str], flag: str) -> None:
    assert run(["runs", "compare", str(root), flag, "pose_encoder", "--metric", "test/nme", "--json"]) == 0
    printed = capsys.readouterr()
    result = json.loads(printed.out)
    assert [set(one) for one in result["comparisons"]] == [KEYS]
    one = result["comparisons"][0]
    assert (one["verdict"], one["baseline"], one["arm"], one["pairs"]) == ("worse", "mlp", "clip", 8)
    assert one["difference"] == pytest.approx(sum(CLIP) / 8 - sum(MLP) / 8)
    assert result["problems"] == []
    assert printed.err == ""


def test_compare_prints_tables_a_sentence_and_what_did_not_count(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (root / "mlp-3" / "metrics.jsonl").write_text('{"step": 100, "val/nme": NaN, "test/nme": 4.0}\n')
    (root / "broken.csv").write_bytes(b"")
    assert run(["runs", "compare", str(root), "--group_by", "pose_encoder", "--metric", "test/nme"]) == 0
    printed = capsys.readouterr()
    assert "clip is worse than mlp by 0.4" in printed.out
    assert "7 paired seeds; you would see differences down to" in printed.out
    assert "mlp-3: its val/nme is NaN throughout" in printed.out
    assert "clip-3: not paired" in printed.out
    assert "Not read: broken.csv: the file is empty (0 bytes)" in printed.err


def test_compare_takes_baseline_direction_checkpoint_and_several_keys(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = [*("--group_by", "pose_encoder", "--group_by", "seed", "--metric", "test/nme"), *("--direction", "max")]
    assert run(["runs", "compare", str(root), *asked, "--at", "100", "--no_cache", "--json"]) == 0
    result = json.loads(capsys.readouterr().out)
    assert (result["direction"], result["at"], result["group_by"]) == ("max", "100", ["pose_encoder", "seed"])
    assert {one["verdict"] for one in result["comparisons"]} == {"refused"}
    asked = ["--group_by", "pose_encoder", "--metric", "test/nme", "--baseline", "clip", "--select_metric", "val/nme"]
    assert run(["runs", "compare", str(root), *asked, "--json"]) == 0
    (one,) = json.loads(capsys.readouterr().out)["comparisons"]
    assert (one["verdict"], one["baseline"], one["arm"]) == ("better", "clip", "mlp")


@pytest.mark.parametrize(
    ("asked", "says"),
    [
        (["--group_by", "encoder", "--metric", "test/nme"], "Keys that differ: pose_encoder, seed."),
        (["--group_by", "pose_encoder", "--metric", "nme"], "Metrics: test/nme, val/nme."),
        (["--group_by", "pose_encoder", "--metric", "test/nme", "--at", "first"], "--at best, --at last or --at 1000"),
    ],
)
def test_what_is_misspelt_is_answered_with_what_there_is(
    root: Path, capsys: pytest.CaptureFixture[str], asked: list[str], says: str
) -> None:
    assert run(["runs", "compare", str(root), *asked]) == 2
    assert says in capsys.readouterr().err


def test_a_folder_that_is_none_is_answered_without_a_traceback(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["runs", "list", str(tmp_path / "nowhere")]) == 2
    printed = capsys.readouterr().err
    assert "does not exist" in printed
    assert "Traceback" not in printed


def test_list_shows_runs_what_tells_them_apart_and_their_status(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["runs", "list", str(root)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == ["run", "status", "format", "metrics", "last", "step", "pose_encoder", "seed"]
    assert lines[2].split() == ["clip-0", "finished", "jsonl", "2", "100", "clip", "0"]
    assert run(["runs", "list", str(root), "--json"]) == 0
    listed = json.loads(capsys.readouterr().out)["runs"]
    assert len(listed) == 16
    assert listed[0]["metrics"] == {"test/nme": 1, "val/nme": 1}
