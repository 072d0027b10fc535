"""Folders on offer, committed results, and the questions about them."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from core.errors import InputError
from core.runs import Conventions, pack_runs
from core.runs.conventions import Question, read_conventions
from core.runs.directions import direction_of
from core.settings import Settings
from tests.webapp.runs.builders import POSES, QUESTIONS, RESULTS_DIR, experiment, judge
from webapp.runs import job, panels
from webapp.runs import view as viewing
from webapp.runs.library import Library, questions_of
from webapp.runs.view import view_of_question


def test_the_library_offers_folders_and_never_a_path(tmp_path: Path) -> None:
    (tmp_path / "runs" / "first" / "mlp-0").mkdir(parents=True)
    (tmp_path / "runs" / "first" / "mlp-0" / "metrics.jsonl").write_text('{"step": 1, "val/nme": 2}\n')
    (tmp_path / "results" / "sample_x" / "a").mkdir(parents=True)
    library = Library(Settings(runs_dir=tmp_path / "runs", results_dir=tmp_path / "results"))
    names = [source.name for source in library.folders()]
    assert names == ["runs", "first", "sample_x"]
    assert all(str(tmp_path) not in source.id for source in library.folders())
    for bad in ("../results", str(tmp_path), "runs.zzz", "first/..", ""):
        with pytest.raises(InputError):
            library.find(bad)
    assert len(library.read(library.find("first"))) == 1


def test_a_folder_with_nothing_but_its_description_asks_no_question(tmp_path: Path) -> None:
    (tmp_path / "results" / "reid").mkdir(parents=True)
    (tmp_path / "results" / "reid" / "README.md").write_text("# Results will stand here")
    shutil.copy(RESULTS_DIR / "reid" / "questions.json", tmp_path / "results" / "reid")
    library = Library(Settings(runs_dir=tmp_path / "runs", results_dir=tmp_path / "results"))
    assert library.folders() == []
    (tmp_path / "results" / "reid" / "plan1-0").mkdir()
    assert [question.id for question, _ in questions_of(library.folders())] == ["reid", "reid_all"]


def test_without_any_folder_there_is_nothing_to_start_with(tmp_path: Path) -> None:
    library = Library(Settings(runs_dir=tmp_path / "none", results_dir=tmp_path / "nothing"))
    assert library.folders() == []
    assert library.start() is None
    assert "RunRecorder" in panels.empty_panel("zh")


def test_own_runs_come_before_the_committed_ones_and_the_sample_comes_last(tmp_path: Path) -> None:
    for name in ("sample_pose", "pose_encoder"):
        (tmp_path / "results" / name / "a").mkdir(parents=True)
        (tmp_path / "results" / name / "a" / "metrics.jsonl").write_text('{"step": 1, "val/nme": 2}\n')
    library = Library(Settings(runs_dir=tmp_path / "runs", results_dir=tmp_path / "results"))
    assert library.start().name == "pose_encoder"  # type: ignore[union-attr]
    (tmp_path / "runs" / "mine").mkdir(parents=True)
    (tmp_path / "runs" / "mine" / "metrics.jsonl").write_text('{"step": 1, "val/nme": 2}\n')
    assert library.start().name == "runs"  # type: ignore[union-attr]


def test_what_the_first_start_shows_is_there_and_judged(tmp_path: Path) -> None:
    library = Library(Settings(runs_dir=tmp_path / "none"))
    source = library.start()
    assert source is not None
    assert source.committed
    found = library.read(source)
    assert not found.problems
    assert all(run.status == "finished" for run in found)
    questions = [question for question, _ in questions_of([source])]
    asked = view_of_question(questions[0], source.id, found.runs)
    view, missing = viewing.settled(asked, found.runs, POSES)
    assert missing == []
    report = judge(job.taking_part(found.runs, view), view)
    assert (view.group_by, view.metric, report.baseline) == (("pose_encoder",), "test/nme", "mlp")
    assert report.comparisons
    assert all(one.pairs >= 6 and not one.out_of_reach for one in report.comparisons)
    told = judge(job.matching(found.runs, "pose_encoder=mlp|none"), replace(view, search=""))
    assert told.comparisons[0].verdict == "worse", "a network that is not told the pose"


@pytest.mark.parametrize(("folder", "question"), QUESTIONS, ids=[question.id for _, question in QUESTIONS])
def test_a_question_about_committed_results_can_be_answered_by_their_seeds(
    folder: str, question: Question, tmp_path: Path
) -> None:
    """Eight seeds and ten arms: no adjusted p-value could be below 0.078, and everything was "not shown"."""
    library = Library(Settings(runs_dir=tmp_path))
    offered = library.find(folder)
    assert offered.committed
    runs = library.read(offered).runs
    assert runs
    conventions = library.conventions(runs)
    view, missing = viewing.settled(view_of_question(question, offered.id, runs), runs, conventions)
    assert missing == []
    report = job.judge(job.taking_part(runs, view), view, conventions.baselines)
    assert report.baseline in question.baselines
    if question.search:  # all arms at once are for looking around
        assert not [one.arm for one in report.comparisons if one.out_of_reach]


def test_a_question_is_offered_where_its_results_are_and_asks_about_its_arms_alone(tmp_path: Path) -> None:
    for arm in ("mlp", "clip", "none"):
        folder = tmp_path / "results" / "pose_encoder" / f"{arm}-0"
        folder.mkdir(parents=True)
        (folder / "config.json").write_text(json.dumps({"pose_encoder": arm, "seed": 0}))
        (folder / "metrics.jsonl").write_text('{"step": 1, "val/nme": 2, "test/nme": 3, "train/loss": 1}\n')
    shutil.copy(RESULTS_DIR / "pose_encoder" / "questions.json", tmp_path / "results" / "pose_encoder")
    (tmp_path / "runs" / "reid").mkdir(parents=True)
    shutil.copy(RESULTS_DIR / "reid" / "questions.json", tmp_path / "runs" / "reid")
    (tmp_path / "runs" / "reid" / "metrics.jsonl").write_text('{"step": 1, "test/mAP": 2}\n')
    library = Library(Settings(runs_dir=tmp_path / "runs", results_dir=tmp_path / "results"))
    offered = questions_of(library.folders())
    assert [question.id for question, _ in offered] == [*("pose", "pose_better", "pose_words", "pose_all")], (
        "a stranger's folder of that name asks nothing"
    )
    views = {one.id: view_of_question(one, folder.id, library.read(folder).runs) for one, folder in offered}
    runs = library.read(offered[0][1]).runs
    view, missing = viewing.settled(views["pose"], runs, POSES)
    assert missing == []
    assert (view.metric, view.baseline, view.direction) == ("test/nme", "mlp", "min")
    assert {run.config["pose_encoder"] for run in job.taking_part(runs, view)} == {"mlp", "clip"}
    assert len(job.taking_part(runs, views["pose_all"])) == 3


@pytest.mark.parametrize(("folder", "question"), QUESTIONS, ids=[question.id for _, question in QUESTIONS])
def test_every_question_is_worded_and_its_metric_has_the_direction_it_says(folder: str, question: Question) -> None:
    assert question.title().said("en")
    assert question.title().said("zh") != question.title().said("en")
    for metric in question.metrics:
        assert direction_of(metric) == question.direction  # type: ignore[arg-type]


def test_a_pack_dropped_into_the_runs_root_is_one_more_log_of_it(tmp_path: Path) -> None:
    """A collaborator's file was a file that the page did not know."""
    for arm in ("mlp", "clip"):
        folder = tmp_path / "theirs" / f"{arm}-0"
        folder.mkdir(parents=True)
        (folder / "config.json").write_text(json.dumps({"pose_encoder": arm, "seed": 0}))
        (folder / "metrics.jsonl").write_text('{"step": 1, "test/nme": 3}\n')
    pack_runs(tmp_path / "theirs", tmp_path / "runs" / "theirs.runs.zip")
    library = Library(Settings(runs_dir=tmp_path / "runs", results_dir=tmp_path / "none"))
    (root,) = library.folders()
    assert [run.name for run in library.read(root)] == ["clip-0", "mlp-0"]


def test_an_experiments_own_words_hold_in_ones_own_folder_and_no_others_do(tmp_path: Path) -> None:
    """The verdict on any run knew `mlp`; now the pose experiment says it, and only where its key is."""
    library = Library(Settings(runs_dir=tmp_path))
    poses = experiment(clip=4.5)
    assert library.conventions(poses).baselines == ("mlp",)
    others = [replace(run, config={"arm": run.config["pose_encoder"], "seed": 0}) for run in poses]
    assert library.conventions(others).baselines == ()


def test_damaged_questions_take_away_themselves_only(tmp_path: Path) -> None:
    folder = tmp_path / "results" / "poses" / "mlp-0"
    folder.mkdir(parents=True)
    (folder / "metrics.jsonl").write_text('{"step": 1, "val/acc": 2}\n')
    for damaged in ("{", "[]", '{"questions": [{"id": "x"}]}', '{"place": "first"}'):
        (tmp_path / "results" / "poses" / "questions.json").write_text(damaged)
        library = Library(Settings(runs_dir=tmp_path / "none", results_dir=tmp_path / "results"))
        (offered,) = library.folders()
        assert questions_of([offered]) == []
        assert len(library.read(offered)) == 1
        assert library.conventions(library.read(offered)) == Conventions()
        with pytest.raises(InputError, match="questions cannot be read"):
            read_conventions(tmp_path / "results" / "poses")
