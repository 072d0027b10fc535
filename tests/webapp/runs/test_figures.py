"""What the Runs tab shows, without a page: views and their links, curves, cost, verdict card, tables as files."""

from __future__ import annotations

import csv
import html
import io
import json
import math
import re
import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.errors import InputError
from core.runs import Report, Run, RunSet, Series, read_runs
from core.runs.checkpoint import direction_of
from core.runs.compare import arms_of
from core.runs.conventions import Question, read_conventions
from core.settings import Settings
from webapp.kit.drawing import Drawing
from webapp.runs import costs as run_costs
from webapp.runs import figures, job, panels, traces, verdict
from webapp.runs import view as viewing
from webapp.runs.library import Library, questions_of
from webapp.runs.table_files import table_text
from webapp.runs.view import View, view_of_question

RESULTS_DIR = Settings().results_dir
POSES = read_conventions(RESULTS_DIR / "pose_encoder")
assert POSES is not None
QUESTIONS = [
    (folder.name, question)
    for folder in sorted(RESULTS_DIR.iterdir())
    if folder.is_dir()
    for question in read_conventions(folder).questions  # type: ignore[union-attr]
]
EVIL = "<img src=x onerror=alert(1)>&'\""
STEPS = np.arange(1, 41)


def make_run(
    name: str, config: dict, level: float, *, status: str = "finished", metrics: dict[str, Series] | None = None
) -> Run:
    values = level + 5.0 / STEPS
    time_s = STEPS * 0.5
    epoch = STEPS / 10
    logged = {
        "train/loss": Series(STEPS, values, epoch, time_s),
        "val/nme": Series(STEPS, values, epoch, time_s),
        "test/nme": Series(STEPS[-1:], values[-1:], epoch[-1:], time_s[-1:]),
        "samples_per_s": Series(STEPS, np.full(40, 200.0), epoch, time_s),
    }
    return Run(
        name, name, name, ("jsonl",), config, metrics or logged, status=status, started_unix_s=1.7e9, updated_unix_s=1.0
    )


def experiment(seeds: int = 8, **other: float) -> list[Run]:
    """`mlp` at 4.0 and others above or below it, the same luck for every arm of a seed."""
    luck = np.random.default_rng(0).normal(0, 0.2, seeds)
    own = np.random.default_rng(1)
    levels = {"mlp": 4.0, **other}
    return [
        make_run(
            f"{arm}-{seed}",
            {"pose_encoder": arm, "seed": seed, "lr": 0.001, "parameters": 1_000_000},
            level + luck[seed] + own.normal(0, 0.02),
        )
        for arm, level in levels.items()
        for seed in range(seeds)
    ]


def view_of(runs: list[Run], **choices: object) -> View:
    return viewing.settled(View(**choices), runs, POSES)[0]  # type: ignore[arg-type]


def judge(runs: Sequence[Run], view: View) -> Report:
    return job.judge(runs, view, POSES)


def card(runs: list[Run], language: str = "en", **choices: object) -> str:
    view = view_of(runs, **choices)
    report = judge(job.taking_part(runs, view), view)
    return verdict.verdict_card(report, traces.colours_of(arms_of(runs, view.group_by)), language)


def plain(fragment: str) -> str:
    """What a person reads."""
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", fragment)).split())


def drawn(runs: list[Run], **choices: object) -> tuple[Drawing, tuple[str, ...]]:
    view = view_of(runs, **choices)
    arms = arms_of(runs, view.group_by)
    made = figures.curves(job.taking_part(runs, view), arms, traces.colours_of(arms), view, "en")
    assert isinstance(made.drawing, Drawing), made.drawing
    return made.drawing, made.notes


# ------------------------------------------------------------------ the verdict in words


def test_the_card_says_who_is_worse_by_how_much_and_what_could_have_been_seen() -> None:
    words = plain(card(experiment(clip=4.5)))
    assert "clip is worse than mlp by" in words
    assert re.search(r"by 0\.(49|5)\d* in test/nme", words)
    assert re.search(
        r"95 % interval 0\.\d+ to 0\.\d+ · p = 0\.0078 · 8 paired seeds · you would see differences", words
    )


def test_a_better_arm_is_called_better_with_a_positive_interval() -> None:
    words = plain(card(experiment(clip=3.5)))
    assert "clip is better than mlp by" in words
    assert re.search(r"95 % interval 0\.4\d+ to 0\.5\d+", words), "an interval around the size that the sentence names"


def test_chance_is_called_chance_and_says_how_many_more_seeds() -> None:
    words = plain(card(experiment(clip=4.001)))
    assert "No difference is shown between clip and mlp" in words
    assert "more seeds would show a difference of this size" in words


def test_five_pairs_are_refused_with_the_reason_in_both_languages() -> None:
    runs = experiment(seeds=5, clip=9.0)
    assert "at least 6 are needed" in plain(card(runs))
    assert "至少需要 6 对" in plain(card(runs, "zh"))
    assert "worse" not in re.findall(r'<article class="(\w+)"', card(runs))


def test_the_card_speaks_chinese() -> None:
    words = plain(card(experiment(clip=4.5), "zh"))
    assert "clip 不如 mlp" in words
    assert "8 对种子" in words
    assert "置换检验" in words, "the method too"


@pytest.mark.parametrize("language", ["en", "zh"])
def test_names_with_html_stay_names(language: str) -> None:
    runs = [replace(run, name=EVIL, config={**run.config, "pose_encoder": EVIL}) for run in experiment(clip=4.5)[8:]]
    runs = experiment()[:8] + runs
    made = card(runs, language)
    assert "<img" not in made
    assert html.escape(EVIL, quote=True) in made


def test_better_lies_on_the_tinted_side_of_the_picture() -> None:
    runs = experiment(clip=3.5)
    view = view_of(runs)
    report = judge(runs, view)
    picture = verdict.forest(report.comparisons[0], verdict.reach_of(report), True, "en")
    dot = float(re.search(r'circle cx="([\d.]+)"', picture)[1])  # type: ignore[index]
    start, width = map(float, re.search(r'class="good" x="([\d.]+)" y="0" width="([\d.]+)"', picture).groups())  # type: ignore[union-attr]
    assert start <= dot <= start + width


def test_all_pictures_have_one_scale_and_an_arm_far_away_becomes_an_arrow() -> None:
    runs = experiment(clip=4.1, table=4.2, none=40.0)
    report = judge(runs, view_of(runs))
    reach = verdict.reach_of(report)
    assert 0.2 < reach < 0.5, "set by the two that are near"
    dots = {}
    for one in report.comparisons:
        picture = verdict.forest(one, reach, True, "en")
        found = re.search(r'circle cx="([\d.]+)"', picture)
        dots[one.arm] = float(found[1]) - 130 if found else None
        assert ("<path" in picture) == (one.arm == "none")
    assert dots["none"] is None
    assert dots["table"] == pytest.approx(2 * dots["clip"], rel=0.2)  # type: ignore[operator]


def test_too_few_seeds_for_so_many_arms_is_not_called_chance() -> None:
    """Six pairs and two arms: -0.31, interval -0.36 to -0.26, and the card said that it may be chance."""
    runs = experiment(6, clip=4.5, table=4.6)
    for language, words, least in (("en", "can be shown yet", "no p below 0.0625"), ("zh", "种子太少", "低于 0.0625")):
        shown = plain(card(runs, language))
        assert words in shown
        assert least in shown
        assert "may be chance" not in shown
    sentence = judge(runs, view_of(runs)).sentence(judge(runs, view_of(runs)).comparisons[0])
    assert "more seeds are needed before anything can be shown" in sentence


def test_many_arms_are_counted_before_they_are_listed() -> None:
    runs = experiment(clip=4.5, a=4.5, b=4.0, c=3.5, d=4.0)
    assert "5 arms against mlp: 1 better · 2 worse · 2 no difference shown" in plain(card(runs))
    assert "arms against" not in plain(card(experiment(clip=4.5)))


# ------------------------------------------------------------------ choices and links


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
    report = job.judge(job.taking_part(runs, view), view, conventions)
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
        assert direction_of(metric, conventions=read_conventions(RESULTS_DIR / folder)) == question.direction  # type: ignore[arg-type]


# ------------------------------------------------------------------ curves


def test_smoothing_is_the_debiased_average() -> None:
    values = np.array([4.0, 2.0, 8.0])
    weights = np.array([0.25, 0.5, 1.0])  # w = 0.5, newest last
    assert traces.smoothed(values, 0.5)[-1] == pytest.approx((values * weights).sum() / weights.sum())
    assert traces.smoothed(values, 0.5)[0] == 4.0, "no pull towards zero"
    assert traces.smoothed(values, 0.0) is values


@given(
    st.lists(st.floats(-1e6, 1e6) | st.just(math.nan) | st.just(math.inf), min_size=1, max_size=50),
    st.floats(0, 0.99),
)
def test_smoothing_stays_between_the_extremes_and_keeps_what_is_not_finite(values: list[float], weight: float) -> None:
    value_N = np.array(values)
    result = traces.smoothed(value_N, weight)
    finite = np.isfinite(value_N)
    assert np.array_equal(np.isfinite(result), finite)
    if finite.any():
        low, high = value_N[finite].min(), value_N[finite].max()
        slack = 1e-6 * max(1.0, abs(low), abs(high))
        assert ((result[finite] >= low - slack) & (result[finite] <= high + slack)).all()


def test_each_arm_is_one_line_with_one_band_and_one_place_in_the_legend() -> None:
    drawing, notes = drawn(experiment(clip=4.5), curves=("val/nme", "train/loss"))
    lines = [trace for trace in drawing.figure.data if trace.fill is None]
    bands = [trace for trace in drawing.figure.data if trace.fill == "toself"]
    assert len(lines) == len(bands) == 4
    assert [trace.name for trace in drawing.figure.data if trace.showlegend] == ["mlp", "clip"]
    assert drawing.figure.layout.hoversubplots == "axis", "the pointer reads both charts at once"
    assert {trace.xaxis for trace in drawing.figure.data} == {"x"}
    assert any("truly covers about" in note for note in notes)


def test_smoothing_leaves_the_raw_curve_to_be_seen() -> None:
    drawing, _ = drawn(experiment(clip=4.5), draw="runs", smooth=0.9, curves=("val/nme",))
    faint = [trace for trace in drawing.figure.data if trace.opacity and trace.opacity < 0.5]
    assert len(faint) == 16
    assert not any(trace.showlegend for trace in faint)
    assert len(drawing.figure.data) == 32


def test_zoom_survives_refreshing_and_smoothing_but_not_another_axis() -> None:
    runs = experiment(clip=4.5)
    before = drawn(runs)[0].view
    assert drawn(runs, smooth=0.5, hidden=("mlp-0",), draw="runs")[0].view == before
    assert drawn(runs, x="epoch")[0].view != before


def test_a_zoom_is_drawn_from_the_full_log_with_its_extremes_and_the_rest_stays() -> None:
    values = np.random.default_rng(0).normal(size=200_000)
    values[123_456] = 50.0
    runs = [
        make_run(
            f"m{seed}", {"pose_encoder": "a", "seed": seed}, 1, metrics={"val/nme": Series(np.arange(200_000), values)}
        )
        for seed in range(2)
    ]
    for draw in ("bands", "runs"):
        view = view_of(runs, curves=("val/nme",), draw=draw)
        arms = arms_of(runs, view.group_by)
        whole = figures.curves(runs, arms, traces.colours_of(arms), view, "en").drawing
        assert isinstance(whole, Drawing)
        assert json.loads(whole.to_json())["x_range"] is None
        zoom = figures.Zoom(whole.view, 123_400.0, 123_600.0)
        near = figures.curves(runs, arms, traces.colours_of(arms), view, "en", zoom).drawing
        assert isinstance(near, Drawing)
        assert (near.view, near.x_range) == (whole.view, (123_400.0, 123_600.0))
        line = next(trace for trace in near.figure.data if trace.fill is None)
        x = np.asarray(line.x)
        assert set(range(123_400, 123_601)) <= set(x.tolist()), "every step that was logged"
        assert max(line.y) == 50.0
        assert (x.min(), x.max()) == (0, 199_999)
        other = figures.curves(runs, arms, traces.colours_of(arms), view, "en", replace(zoom, view="other")).drawing
        assert isinstance(other, Drawing)
        assert other.x_range is None, "a zoom into another chart says nothing about this one"


def test_a_zoom_into_a_logarithmic_axis_is_refined_too() -> None:
    run = make_run(
        "m", {"pose_encoder": "a", "seed": 0}, 1, metrics={"val/nme": Series(np.arange(100_000), np.ones(100_000))}
    )
    view = view_of([run], curves=("val/nme",), draw="runs", log=("x",))
    arms = arms_of([run], view.group_by)
    name = figures.curves([run], arms, {}, view, "en").drawing.view  # type: ignore[union-attr]
    near = figures.curves([run], arms, {}, view, "en", figures.Zoom(name, 70_000.0, 70_100.0)).drawing
    assert set(range(70_000, 70_101)) <= set(near.figure.data[0].x.tolist())  # type: ignore[union-attr]


def test_more_arms_than_colours_are_told_apart_by_their_line() -> None:
    runs = experiment(1, **{f"arm{number}": 4.0 for number in range(10)})
    drawing, _ = drawn(runs)
    looks = {(trace.line.color, trace.line.dash) for trace in drawing.figure.data if trace.showlegend}
    assert len(looks) == 11


def test_nan_is_marked_and_no_line_is_drawn_across() -> None:
    values = np.array([3.0, 2.0, math.nan, math.inf, 1.0])
    broken = make_run("m", {"pose_encoder": "mlp", "seed": 0}, 1, metrics={"val/nme": Series(np.arange(5), values)})
    drawing, _ = drawn([broken], draw="runs", curves=("val/nme",))
    marks = [trace for trace in drawing.figure.data if trace.mode == "markers"]
    assert list(marks[0].hovertext) == ["m: NaN at step 2", "m: ∞ at step 3"]
    assert list(marks[0].y) == [2.0, 2.0]
    line = next(trace for trace in drawing.figure.data if trace.mode == "lines")
    assert not line.connectgaps
    assert np.isnan(np.asarray(line.y, dtype=float)).sum() == 2


def test_a_long_curve_keeps_its_extremes_in_few_points() -> None:
    values = np.sin(np.arange(200_000) / 900.0)
    values[123_456] = 50.0
    run = make_run("m", {"pose_encoder": "a", "seed": 0}, 1, metrics={"val/nme": Series(np.arange(200_000), values)})
    drawing, _ = drawn([run], draw="runs", curves=("val/nme",))
    line = drawing.figure.data[0]
    assert len(line.x) <= traces.MOST_POINTS + 10
    assert max(line.y) == 50.0


@pytest.mark.parametrize("x", viewing.X_AXES)
@pytest.mark.parametrize("draw", viewing.DRAWINGS)
def test_every_axis_draws_also_logarithmically(x: str, draw: str) -> None:
    drawing, _ = drawn(experiment(clip=4.5), x=x, draw=draw, log=("x", "y"), smooth=0.5)
    assert drawing.to_json()
    assert drawing.figure.layout.yaxis.type == "log"


def test_a_log_axis_says_what_it_cannot_show() -> None:
    values = np.array([1.0, 0.0, -1.0])
    run = make_run("m", {"pose_encoder": "a", "seed": 0}, 1, metrics={"val/nme": Series(np.arange(3), values)})
    _, notes = drawn([run], draw="runs", log=("y",), curves=("val/nme",))
    assert any(note.startswith("2 values of zero or below") for note in notes)


def test_markup_in_names_is_drawn_letter_by_letter() -> None:
    runs = [replace(run, name=EVIL, config={"pose_encoder": "<b>x</b>%{y}", "seed": 0}) for run in experiment()]
    drawing, _ = drawn(runs, draw="runs")
    text = drawing.figure.to_json()
    assert "<b>x</b>" not in text
    assert "<img" not in text


def test_no_runs_no_curves_but_words() -> None:
    made = figures.curves([], {}, {}, View(), "zh")
    assert isinstance(made.drawing, str)


# ------------------------------------------------------------------ cost


def test_cost_is_told_from_what_was_logged() -> None:
    (cost,) = run_costs.costs(experiment(), arms_of(experiment(), ("pose_encoder",)))
    assert (cost.runs, cost.samples_per_s, cost.parameters) == (8, 200.0, 1_000_000.0)
    assert cost.seconds_per_epoch == pytest.approx(5.0), "half a second a step, ten steps an epoch"
    assert cost.peak_memory_bytes is None


@pytest.mark.parametrize(
    ("name", "value", "field", "expected"),
    [
        ("peak_memory_gb", 1.5, "peak_memory_bytes", 1.5 * 2**30),
        ("max_memory_mb", 10, "peak_memory_bytes", 10 * 2**20),
        ("cost/peak_memory_bytes", 77, "peak_memory_bytes", 77),
        ("images/s", 9, "samples_per_s", 9),
        ("params_m", 2, "parameters", 2e6),
        ("trainable_parameters", 5, "parameters", 5),
        ("seconds_per_epoch", 7, "seconds_per_epoch", 7),
    ],
)
def test_usual_names_and_units_are_known(name: str, value: float, field: str, expected: float) -> None:
    run = make_run("m", {"a": 1}, 1, metrics={name: Series(np.arange(1), np.array([float(value)]))})
    (cost,) = run_costs.costs([run], {"m": "m"})
    assert getattr(cost, field) == pytest.approx(expected)


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), min_size=1, max_size=12), st.booleans(), st.booleans())
def test_the_front_beats_all_others_and_no_one_beats_the_front(
    points: list[tuple[int, int]], more_cost: bool, lower_quality: bool
) -> None:
    cost, quality = [float(x) for x, _ in points], [float(y) for _, y in points]
    front = run_costs.pareto_front(cost, quality, more_cost=more_cost, lower_quality=lower_quality)

    def beats(a: int, b: int) -> bool:
        x = cost[a] >= cost[b] if more_cost else cost[a] <= cost[b]
        y = quality[a] <= quality[b] if lower_quality else quality[a] >= quality[b]
        return x and y and (cost[a], quality[a]) != (cost[b], quality[b])

    everyone = range(len(points))
    assert front
    for one in everyone:
        assert (one in front) == (not any(beats(other, one) for other in everyone))


def test_the_scatter_marks_the_front() -> None:
    runs = experiment(clip=4.5)
    view = view_of(runs)
    arms = arms_of(runs, view.group_by)
    report = judge(runs, view)
    drawing = run_costs.scatter(report, run_costs.costs(runs, arms), "seconds_per_epoch", traces.colours_of(arms), "en")
    assert isinstance(drawing, Drawing)
    front, mlp, clip = drawing.figure.data
    assert list(front.x) == list(mlp.x), "the same cost and better: mlp alone"
    assert clip.marker.color == "rgba(0,0,0,0)"


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1), st.text("abc_", min_size=1, max_size=24)), max_size=14))
def test_no_name_in_the_scatter_covers_another(points: list[tuple[float, float, str]]) -> None:
    x, y, names = ([point[part] for point in points] for part in range(3))
    places = run_costs.label_places(x, y, names, (-0.2, 1.2), (-0.2, 1.2))
    width, height = run_costs.PLOT_PX
    boxes = []
    for at_x, at_y, name, place in zip(x, y, names, places, strict=True):
        if not place:
            continue
        vertical, side = place.split()
        middle_x = (at_x + 0.2) / 1.4 * width + {"left": -1, "center": 0, "right": 1}[side] * len(name) * 3.3
        middle_y = (at_y + 0.2) / 1.4 * height + {"bottom": -15, "middle": 0, "top": 15}[vertical]
        boxes.append((middle_x, middle_y, len(name) * 3.3))
    for number, (x1, y1, half1) in enumerate(boxes):
        for x2, y2, half2 in boxes[:number]:
            assert abs(y1 - y2) >= 13.9 or abs(x1 - x2) >= half1 + half2 - 16.1


def test_a_name_alone_stands_above_its_point() -> None:
    assert run_costs.label_places([0.5], [0.5], ["mlp"], (0, 1), (0, 1)) == ["top center"]


def test_no_interval_strikes_a_name_through() -> None:
    assert run_costs.label_places([0.5], [0.5], ["mlp"], (0, 1), (0, 1), [(0.2, 0.8)]) == ["top right"]


# ------------------------------------------------------------------ tables as files


def test_csv_comes_back_and_no_cell_is_a_formula() -> None:
    rows = [["=cmd|' /C calc'!A0", "−0.5"], ['a,b\n"c"', "+1"], ["@x", "-0.1 to 2"]]
    text = table_text(["run", "value"], rows, "csv")
    back = list(csv.reader(io.StringIO(text.lstrip("\ufeff"))))
    assert back == [["run", "value"], ["'=cmd|' /C calc'!A0", "-0.5"], ['a,b\n"c"', "+1"], ["'@x", "'-0.1 to 2"]]


def test_markdown_and_latex_take_names_literally() -> None:
    rows = [["a|b_<i>", "50 %"]]
    assert "a\\|b\\_&lt;i&gt;" in table_text(["run", "x"], rows, "md")
    latex = table_text(["run_1", "x"], [["\\input{x} & 5%", "~"]], "tex")
    assert r"\textbackslash{}input\{x\} \& 5\% & \textasciitilde{}" in latex
    assert r"run\_1 & x \\" in latex


def test_the_table_of_runs_shows_only_what_differs() -> None:
    runs = experiment(clip=4.5)
    headings, rows = panels.run_rows(runs, None, "test/nme", "en")
    assert headings == ["run", "status", "pose_encoder", "seed", "test/nme", "last step"]
    assert rows[9][:4] == ["clip-1", "finished", "clip", "1"]
    value = panels.table_value(
        runs, len(runs), View(folder="f", metric="test/nme", hidden=("clip-1",)), None, {}, {}, "en"
    )
    assert value["words"]["count"] == "15 of 16 take part"
    assert value["rows"][0]["keys"][3] == 0.0, "sorted by value, not by letters"


def test_unread_files_are_listed_with_their_reason(tmp_path: Path) -> None:
    (tmp_path / "good").mkdir()
    (tmp_path / "good" / "metrics.jsonl").write_text('{"step": 1, "val/nme": 2}\n')
    (tmp_path / "<b>bad").mkdir()
    (tmp_path / "<b>bad" / "metrics.csv").write_bytes(b"\x00\xff\xfe garbage")
    found = read_runs(tmp_path)
    shown = panels.problems_panel(found.problems, found.runs, "en")
    assert len(RunSet(found.runs)) == 1
    assert "<b>bad" not in shown
    assert html.escape("<b>bad") in shown
