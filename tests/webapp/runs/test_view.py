"""Views and their links, what is chosen where nobody chose, and the search."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.runs import Series
from tests.webapp.runs.builders import POSES, experiment, make_run
from webapp.runs import job
from webapp.runs import view as viewing
from webapp.runs.view import View


def test_a_link_brings_back_every_choice() -> None:
    view = View(
        folder="runs.abc",
        group_by=("pose_encoder", "lr & co"),
        metric="test/nme",
        select="val/nme",
        at="last",
        baseline="a=b&c",
        direction="max",
        curves=("train/loss", "val/nme"),
        x="time",
        smooth=0.6,
        log=("x", "y"),
        draw="runs",
        interval="t",
        cost="parameters",
        search="mlp -failed lr<0.01",
        hidden=("r1", "r2"),
    )
    assert View.from_query("?" + view.query()) == view
    assert View().query() == ""


@given(st.text(max_size=300))
def test_no_link_breaks_the_page(query: str) -> None:
    view = View.from_query(query)
    assert view.x in viewing.X_AXES
    assert 0 <= view.smooth <= 0.99


@pytest.mark.parametrize(
    "query",
    [
        "runs_x=<script>&runs_smooth=NaN&runs_draw=../../etc/passwd&runs_at=7e9&runs_log=z",
        "runs_smooth=1e309&runs_interval=&runs_direction=up",
        "runs_smooth=-5&runs_cost=os.environ",
    ],
)
def test_a_hostile_link_chooses_nothing(query: str) -> None:
    assert View.from_query(query) == View()


def test_a_link_that_names_what_is_not_here_says_so_and_shows_the_rest() -> None:
    runs = experiment(clip=4.5)
    asked = View(metric="test/gone", group_by=("color", "pose_encoder"), baseline="cnn", hidden=("mlp-0", "zzz"))
    view, missing = viewing.settled(asked, runs, POSES)
    assert missing == ["color", "test/gone", "cnn"]
    assert (view.metric, view.group_by, view.baseline, view.hidden) == ("test/nme", ("pose_encoder",), "", ("mlp-0",))


def test_pose_encoder_makes_the_arms_else_the_first_key_that_differs_and_is_no_seed() -> None:
    runs = experiment(clip=4.5)
    assert viewing.default_group(runs, POSES) == ("pose_encoder",)
    others = [
        replace(run, config={"seed": run.config["seed"], "lr": number % 2, "wd": number % 3})
        for number, run in enumerate(runs)
    ]
    assert viewing.default_group(others, POSES) == ("lr",)
    assert viewing.default_group([replace(run, config={"seed": 1}) for run in runs], POSES) == ()


def test_a_metric_of_one_run_among_many_is_not_what_is_asked_about_first() -> None:
    runs = experiment(clip=4.5)
    alone = make_run("x", {"seed": 0}, 1, metrics={"test/acc_nme": Series(np.arange(1), np.ones(1))})
    assert viewing.default_metric([alone, *runs], POSES) == "test/nme"
    assert viewing.default_metric([alone], POSES) == "test/acc_nme"


@pytest.mark.parametrize(
    ("search", "count"),
    [
        ("", 16),
        ("clip", 8),
        ("CLIP seed<3", 3),
        ("pose_encoder=mlp seed!=0", 7),
        ("-clip seed>5", 2),
        ("seed<nonsense", 0),
        ("gone=1", 0),
        ("(a+)+$ [", 0),
        ("finished", 16),
        ("mlp-1|clip-1|clip-2", 3),
        ("pose_encoder=mlp|clip", 16),
        ("pose_encoder=mlp|none seed<2", 2),
        ("pose_encoder!=mlp|clip", 0),
    ],
)
def test_the_search_finds(search: str, count: int) -> None:
    assert len(job.matching(experiment(clip=4.5), search)) == count
