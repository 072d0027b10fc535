"""Two runs of one arm and seed: which of them counts hangs on contents and names, never on when a file was written."""

from __future__ import annotations

import json
import os
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from core.cli.app import run
from core.errors import InputError
from core.runs import Report, compare, pack_runs, read_runs, stage_upload

OLD = [0.70, 0.72, 0.71, 0.73, 0.69, 0.74]


@pytest.fixture
def root(tmp_path: Path, write_run: Callable[..., Path]) -> Path:
    """Six seeds: the baseline once; the arm twice, a try that is 0.1 worse and a second that is 0.1 better."""
    root = tmp_path / "runs"
    for seed, acc in enumerate(OLD):
        for name, arm, value in (("base", "base", acc), ("new-2", "new", acc - 0.1), ("new-10", "new", acc + 0.1)):
            write_run(root / f"{name}" / f"s{seed}", {"arm": arm, "seed": seed}, [{"step": 1, "test/acc": value}])
    return root


def _report(root: Path, **asked: str) -> Report:
    return compare(read_runs(root), group_by="arm", metric="test/acc", baseline="base", **asked)


def _touch(root: Path, *, newest: str) -> None:
    for file in root.rglob("*.*"):
        written_s = 2e9 if newest in file.parts else 1e9
        os.utime(file, (written_s, written_s))


def _verdict(report: Report) -> tuple[str, float]:
    (one,) = report.comparisons
    return one.verdict, round(one.difference or 0.0, 6)


def test_copying_does_not_turn_the_verdict(root: Path, tmp_path: Path) -> None:
    """better +0.10 became worse −0.10."""
    verdicts = []
    for newest in ("new-2", "new-10"):
        _touch(root, newest=newest)
        verdicts.append(_verdict(_report(root)))
        shutil.copytree(root, tmp_path / f"copy-{newest}", copy_function=shutil.copy)
        verdicts.append(_verdict(_report(tmp_path / f"copy-{newest}")))
    assert verdicts == [("better", 0.1)] * 4, "of names without a start the last in natural order: new-10 after new-2"


def test_a_folder_a_zip_and_a_pack_of_it_give_the_same_report(root: Path, tmp_path: Path) -> None:
    _touch(root, newest="new-2")
    with zipfile.ZipFile(tmp_path / "runs.zip", "w") as archive:
        for file in sorted(root.rglob("*.*"), reverse=True):
            archive.write(file, file.relative_to(root))
    assert stage_upload([tmp_path / "runs.zip"], tmp_path / "staged") == ()
    (tmp_path / "packed").mkdir()
    pack_runs(root, tmp_path / "packed" / "mine.runs.zip")
    expected = _verdict(_report(root))
    assert _verdict(_report(tmp_path / "staged")) == expected
    assert _verdict(_report(tmp_path / "packed")) == expected


def test_a_recorded_start_goes_before_names(root: Path) -> None:
    for folder, started in (("new-2", 200.0), ("new-10", 100.0)):
        for seed in range(6):
            environment = {"started_unix_s": started}
            (root / folder / f"s{seed}" / "environment.json").write_text(json.dumps(environment))
    report = _report(root)
    assert _verdict(report) == ("worse", -0.1)
    assert "is a later run of the same arm and seed" in report.excluded[0].reason
    assert _verdict(_report(root, duplicates="first")) == ("better", 0.1)


@pytest.mark.parametrize(
    ("rule", "verdict", "says"),
    [
        ("latest", ("better", 0.1), "the latest counts, by its recorded start or else by name"),
        ("first", ("worse", -0.1), "the first counts"),
        ("mean", ("no_difference_shown", 0.0), "their mean counts"),
        ("refuse", ("refused", 0.1), "no verdict on their arms"),
    ],
)
def test_the_rule_is_the_visitors_and_is_said(root: Path, rule: str, verdict: tuple[str, float], says: str) -> None:
    report = _report(root, duplicates=rule)
    assert _verdict(report) == pytest.approx(verdict)
    assert f"several runs of one arm and seed (6 times): {says}" in report.notes[0]
    assert (report.duplicates, report.repeated_seeds) == (rule, 6)
    assert len(report.excluded) == 6


def test_refused_is_said_with_what_to_do_and_other_arms_are_judged(root: Path, write_run: Callable[..., Path]) -> None:
    for seed, acc in enumerate(OLD):
        write_run(root / "third" / f"s{seed}", {"arm": "third", "seed": seed}, [{"step": 1, "test/acc": acc + 0.2}])
    refused, judged = _report(root, duplicates="refuse").comparisons
    assert (refused.arm, refused.verdict, refused.p_value) == ("new", "refused", None)
    assert "several runs have the same arm and seed (new)" in refused.reason
    assert (judged.arm, judged.verdict) == ("third", "better")


def test_without_repeated_seeds_nothing_is_said_of_them(root: Path) -> None:
    shutil.rmtree(root / "new-2")
    report = _report(root)
    assert report.repeated_seeds == 0
    assert not any("several runs" in note for note in report.notes)


def test_a_rule_that_is_none_is_answered_with_those_there_are(root: Path) -> None:
    with pytest.raises(InputError, match="the latest, the first, their mean") as caught:
        _report(root, duplicates="newest")
    assert "latest, first, mean or refuse" in caught.value.next_step


def test_the_command_takes_the_rule_and_says_it(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    asked = ["runs", "compare", str(root), "--group_by", "arm", "--metric", "test/acc", "--baseline", "base"]
    assert run([*asked, "--duplicates", "first"]) == 0
    printed = capsys.readouterr().out
    assert "new is worse than base by 0.1" in printed
    assert "several runs of one arm and seed (6 times): the first counts" in printed
