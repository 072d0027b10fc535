"""`add_hparams` as people call it: once, in a loop, with a name of their own."""

from __future__ import annotations

from pathlib import Path

import pytest
from torch.utils.tensorboard import SummaryWriter

from core.runs import RunReader, compare, pack_runs, read_runs


def test_trials_of_one_writer_are_runs_each_also_while_they_are_written(tmp_path: Path) -> None:
    """Five trials became one run with the configuration of the last."""
    reader = RunReader(tmp_path)
    with SummaryWriter(str(tmp_path / "sweep")) as writer:
        for trial in range(5):
            writer.add_hparams({"lr": 0.1 * (trial + 1), "seed": trial}, {"hparam/acc": trial / 10})
            writer.flush()
            assert len(reader.read()) == trial + 1
    found = reader.read()
    assert found.problems == ()
    assert {round(run.config["lr"], 3): run.metrics["hparam/acc"].value.tolist() for run in found} == {
        round(0.1 * (trial + 1), 3): [pytest.approx(trial / 10)] for trial in range(5)
    }


def test_trials_with_the_same_values_are_not_one_run(tmp_path: Path) -> None:
    with SummaryWriter(str(tmp_path / "sweep")) as writer:
        for acc in (0.1, 0.2, 0.3):
            writer.add_hparams({"lr": 0.1}, {"hparam/acc": acc})
    assert len(read_runs(tmp_path)) == 3


def test_trials_beside_the_curves_of_their_writer_are_runs_and_it_says_so(tmp_path: Path) -> None:
    with SummaryWriter(str(tmp_path / "sweep")) as writer:
        for trial in range(2):
            writer.add_hparams({"lr": 0.1 * (trial + 1)}, {"hparam/acc": trial / 10})
            writer.add_scalar("loss", 1.0, trial)
    found = read_runs(tmp_path)
    assert len(found) == 3
    (own,) = [run for run in found if "loss" in run.metrics]
    assert dict(own.config) == {}
    assert own.notes == ("2 trials of add_hparams lie in its folder, each a run of its own",)


def test_called_again_at_the_end_with_the_same_values_it_is_still_one_run(tmp_path: Path) -> None:
    with SummaryWriter(str(tmp_path / "run")) as writer:
        writer.add_hparams({"lr": 0.1}, {"hparam/acc": 0.0})
        writer.add_scalar("loss", 1.0, 1)
        writer.add_hparams({"lr": 0.1}, {"hparam/acc": 0.9})
    # The folders are named after the moment; 71.4 is the later one, whichever digits a run happens to get.
    first, last = sorted(each for each in (tmp_path / "run").iterdir() if each.is_dir())
    first.rename(first.with_name("1764366771.35"))
    last.rename(last.with_name("1764366771.4"))
    (run,) = read_runs(tmp_path).runs
    assert dict(run.config) == {"lr": 0.1}
    assert run.metrics["hparam/acc"].value.tolist() == [pytest.approx(0.9)]


def _named(root: Path) -> None:
    for arm, acc in (("adam", 0.9), ("sgd", 0.5)):
        for seed in range(6):
            with SummaryWriter(str(root / f"{arm}-{seed}")) as writer:
                for step in range(3):
                    writer.add_scalar("val/acc", acc + seed / 100 + step / 1000, step)
                writer.add_hparams({"opt": arm, "seed": seed}, {"hp/acc": acc}, run_name="hparams")


@pytest.mark.parametrize("packed", [False, True])
def test_with_a_run_name_the_configuration_is_joined_to_its_metrics(tmp_path: Path, packed: bool) -> None:
    """The configuration was a run of its own, and no verdict on `val/acc` could be asked for."""
    _named(tmp_path / "logs")
    root = tmp_path / "logs"
    if packed:
        root = tmp_path / "packed"
        root.mkdir()
        pack_runs(tmp_path / "logs", root / "logs.runs.zip")
    found = read_runs(root)
    assert len(found) == 12
    report = compare(found, group_by="opt", metric="val/acc", baseline="sgd")
    assert (report.comparisons[0].verdict, report.comparisons[0].pairs) == ("better", 6)


def test_a_run_with_curves_of_its_own_below_another_is_not_swallowed(tmp_path: Path) -> None:
    with SummaryWriter(str(tmp_path / "outer")) as writer:
        writer.add_scalar("loss", 1.0, 0)
    with SummaryWriter(str(tmp_path / "outer" / "inner")) as writer:
        for step in range(3):
            writer.add_scalar("loss", 2.0, step)
        writer.add_hparams({"lr": 0.1}, {"hp/acc": 0.5}, run_name=".")
    assert [run.name for run in read_runs(tmp_path)] == ["outer", "outer/inner"]


def test_tags_alike_in_their_first_199_characters_stay_two(tmp_path: Path) -> None:
    with SummaryWriter(str(tmp_path / "run")) as writer:
        for step in range(3):
            writer.add_scalar("x" * 300 + "a", float(step), step)
            writer.add_scalar("x" * 300 + "b", float(step + 100), step)
    (tmp_path / "table.csv").write_text(f"step,{'y' * 300}a,{'y' * 300}b\n1,1,2\n2,3,4\n")
    found = {run.name: run for run in read_runs(tmp_path)}
    values = [one.value.tolist() for one in found["run"].metrics.values()]
    assert sorted(values) == [[0, 1, 2], [100, 101, 102]]
    assert sorted(one.value.tolist() for one in found["table"].metrics.values()) == [[1, 3], [2, 4]]
    assert all(len(name) <= 200 for run in found.values() for name in run.metrics)
