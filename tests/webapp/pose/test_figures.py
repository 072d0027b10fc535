"""What the Pose tab shows, and the work between the page and core: dials, head, map, panels, files."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import InputError
from core.pose.audit import PoseAudit
from core.pose.embedding import Wording, embed_poses
from core.pose.poses import PosesResult
from core.pose.text import CAPTIONS, PITCH_WORDS, ROLL_WORDS, YAW_WORDS, bins
from core.pose.zero_shot import PoseGuess
from core.settings import Settings
from core.types import Progress, Reject
from core.vectorize import store
from webapp.kit.panels import REJECTS_SHOWN
from webapp.kit.services import Services, open_services
from webapp.kit.uploads import Upload
from webapp.pose import figures, fragments
from webapp.pose.dials import dial_bins
from webapp.pose.job import (
    AUDITED,
    ENCODERS,
    EXAMPLE_HEADS,
    Asked,
    EncoderShelf,
    Looked,
    Pose,
    audits,
    convert,
    example_head,
    look,
    rendered_head,
    vector_file,
)

EDGES = [-180, -45, -20, -15, -10, 10, 15, 20, 45, 180]
near_edges = st.sampled_from(EDGES).flatmap(
    lambda edge: st.sampled_from([float(edge), float(np.nextafter(edge, 0)), float(np.nextafter(edge, 2 * edge))])
)


@pytest.fixture(scope="module")
def services(tiny_weights: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Services]:
    opened = open_services(Settings(weights_dir=tiny_weights, device="cpu"), tmp_path_factory.mktemp("scratch"))
    yield opened
    opened.manager.close()


@pytest.fixture(scope="module")
def shelf(services: Services) -> EncoderShelf:
    return EncoderShelf(services)


@pytest.fixture(scope="module")
def looked(services: Services, shelf: EncoderShelf) -> Looked:
    return look(services, shelf, Asked(Pose(30, 10, -5), Wording(), "custom_tiny"))


# ------------------------------------------------------------------ what comes in


@given(st.tuples(*[near_edges | st.floats(-180, 180)] * 3))
def test_the_dials_bins_are_cores_bins(pose: tuple[float, float, float]) -> None:
    """The browser chooses by these edges, core by its table: one angle, one bin, the same words."""
    pose = tuple(max(-180.0, min(180.0, angle)) for angle in pose)
    for place, (name, angle) in enumerate(zip(("yaw", "pitch", "roll"), pose, strict=True)):
        inside = [
            one["words"]
            for one in dial_bins()[name]
            if (one["from"] < angle or (one["from_in"] and one["from"] == angle))
            and (angle < one["to"] or (one["to_in"] and one["to"] == angle))
        ]
        words = (YAW_WORDS, PITCH_WORDS, ROLL_WORDS)[place][bins([pose])[0, place]]
        assert inside == [words], (name, angle)


def test_a_pose_as_the_page_sends_it() -> None:
    assert Pose.read({"yaw": 30, "pitch": "1e1", "roll": -5.5}) == Pose(30, 10, -5.5)
    wrapped = Pose.read({"yaw": 190, "pitch": 0, "roll": -540})
    assert (wrapped.yaw, wrapped.roll) == (-170, -180)
    assert wrapped.wrapped == (("yaw", 190.0, -170.0), ("roll", -540.0, -180.0))


@pytest.mark.parametrize(
    ("sent", "words"),
    [
        (None, "yaw is empty"),
        ({"yaw": 1, "pitch": None, "roll": 0}, "pitch is empty"),
        ({"yaw": 1, "pitch": 2, "roll": " "}, "roll is empty"),
        ({"yaw": "left", "pitch": 2, "roll": 0}, "yaw is not a number: 'left'"),
        ({"yaw": [1], "pitch": 2, "roll": 0}, "yaw is not a number"),
        ({"yaw": True, "pitch": 2, "roll": 0}, "yaw is not a finite number"),
        ({"yaw": float("nan"), "pitch": 2, "roll": 0}, "yaw is not a finite number"),
        ({"yaw": 0, "pitch": "inf", "roll": 0}, "pitch is not a finite number"),
        ({"yaw": 0, "pitch": 0, "roll": 10**400}, "roll is not a finite number"),
    ],
)
def test_what_is_no_pose_is_named(sent: object, words: str) -> None:
    with pytest.raises(InputError, match=words):
        Pose.read(sent)


# ------------------------------------------------------------------ one pose


def test_a_look_is_what_core_says(services: Services, looked: Looked) -> None:
    direct = embed_poses([30, 10, -5], services.manager, "custom_tiny")
    np.testing.assert_array_equal(looked.made.units_ND, direct.units_ND)
    assert looked.qkv_3M.shape == (3, 512) and looked.parameters > 0
    assert not np.allclose(looked.qkv_3M[0], looked.qkv_3M[1])
    rows, columns = looked.similarity_PY.shape
    assert (rows, columns) == (len(looked.pitch_deg), len(looked.yaw_deg))
    for row, column in ((0, 0), (rows - 1, 3), (5, columns - 1)):
        other = embed_poses([looked.yaw_deg[column], looked.pitch_deg[row], -5], services.manager, "custom_tiny")
        assert looked.similarity_PY[row, column] == pytest.approx(
            float(other.units_ND[0] @ direct.units_ND[0]), abs=1e-6
        )
    here = np.abs(looked.pitch_deg - 10).argmin(), np.abs(looked.yaw_deg - 30).argmin()
    assert looked.similarity_PY[here] == pytest.approx(1, abs=1e-6) == looked.similarity_PY.max()


def test_the_map_jumps_at_the_bins_edges_and_nowhere_else(looked: Looked) -> None:
    jumps = np.flatnonzero(np.any(np.diff(looked.similarity_PY, axis=1) != 0, axis=0))
    assert ((looked.yaw_deg[jumps] + looked.yaw_deg[jumps + 1]) / 2).tolist() == [-45, -15, 15, 45]
    jumps = np.flatnonzero(np.any(np.diff(looked.similarity_PY, axis=0) != 0, axis=1))
    assert ((looked.pitch_deg[jumps] + looked.pitch_deg[jumps + 1]) / 2).tolist() == [-20, 20]


@pytest.mark.parametrize("name", ENCODERS)
def test_every_encoder_on_offer_answers_and_differs(
    services: Services, shelf: EncoderShelf, looked: Looked, name: str
) -> None:
    made = shelf.get(name, "custom_tiny", "auto")(np.array([[30.0, 10.0, -5.0], [-60.0, 0.0, 0.0]]))
    assert made.shape == (2, 1536) and np.isfinite(made).all() and not np.allclose(made[0], made[1])
    assert shelf.get(name, "custom_tiny", "auto") is shelf.get(name, "custom_tiny", "auto"), "made once"
    assert (name == "clip") == np.allclose(made[0], looked.qkv_3M.ravel(), atol=1e-6)


@pytest.mark.parametrize("kind", ["npz", "npy", "csv", "parquet", "json"])
def test_downloads_hold_what_is_shown(services: Services, looked: Looked, kind: str) -> None:
    path = vector_file(services, looked, kind)
    assert path.name == f"pose.{kind}"
    if kind == "json":
        made = json.loads(path.read_text(encoding="utf-8"))
        assert made["caption"] == looked.made.captions[0] and made["pose_encoder"]["trained"] is False
        np.testing.assert_allclose([made["q"], made["k"], made["v"]], looked.qkv_3M, atol=1e-6)
        vector = made["embedding"]
    else:
        vector = store.read(path).vectors_ND[0]
    np.testing.assert_allclose(vector, looked.made.units_ND[0], atol=1e-6)


def test_the_head_is_two_meshes_and_a_nose_at_rest() -> None:
    figure = figures.head_drawing("en").figure
    assert [trace.type for trace in figure.data] == ["mesh3d", "mesh3d", "scatter3d"]
    still, head, nose = figure.data
    assert [trace.meta["turns"] for trace in figure.data] == [False, True, True]
    assert min(still.y) < -2 < min(head.y), "shoulders stay upright"
    assert nose.z[1] > max(head.z) and list(nose.x) == [0, 0], "the nose points to the viewer"
    assert max(max(head.i), max(head.j), max(head.k)) < len(head.x) == len(head.vertexcolor)
    camera = figure.layout.scene.camera
    assert camera.eye.z > 0 == camera.eye.x and camera.up.y == 1, "the viewer's frame: x right, y up"


@pytest.mark.parametrize("language", ["en", "zh"])
def test_every_chart_and_panel_in_both_languages(looked: Looked, language) -> None:
    for drawing in (figures.embedding_drawing, figures.qkv_drawing, figures.map_drawing):
        made = json.loads(drawing(looked, language).to_json())
        assert made["data"] and made["description"]
    for panel in (fragments.caption_panel, fragments.statistics_panel, fragments.qkv_note):
        assert panel(looked, language)


def test_the_caption_panel_says_which_poses_share_the_caption(looked: Looked) -> None:
    panel = fragments.caption_panel(looked, "en")
    assert "right three-quarter view, level gaze, upright" in panel and "caption 32 of 45" in panel
    assert "yaw [15, 45), pitch [−20, 20) and roll (−10, 10)" in panel
    asked = replace(looked.asked, pose=Pose.read({"yaw": 500, "pitch": -20, "roll": -10}))
    panel = fragments.caption_panel(replace(looked, asked=asked), "en")
    assert "yaw 500 is beyond ±180: wrapped to 140" in panel
    assert "yaw ≥ 45, pitch [−20, 20) and roll ≤ −10" in panel
    continuous = replace(looked, asked=replace(looked.asked, wording=Wording(continuous=True)))
    assert "of 45" not in fragments.caption_panel(continuous, "en")


def test_a_visitors_words_are_never_markup(looked: Looked) -> None:
    captions = ("<img src=x onerror=alert(1)>",)
    panel = fragments.caption_panel(replace(looked, made=replace(looked.made, captions=captions)), "en")
    assert "<img" not in panel and "&lt;img" in panel


# ------------------------------------------------------------------ a guess, the audit, a file


def test_the_guess_shows_the_ranking_and_the_marginals() -> None:
    probabilities = np.full(45, 0.1 / 44)
    probabilities[7] = 0.9
    guess = PoseGuess(probabilities, np.linspace(-1, 1, 45), 50.0, ("{}",), {"id": "<m>"}, 0.0, 0.5)
    panel = fragments.guess_panel(guess, np.zeros((8, 8, 3), np.uint8), "en")
    assert panel.index(CAPTIONS[7]) < panel.index("90.0%") and panel.count('<th scope="row">') == 10
    assert "temperature 1/50" in panel and "<m>" not in panel
    assert panel.count('class="ps-bar best"') == 3 and f"{100 * guess.yaw_5.max():.0f}%" in panel


def test_the_drawn_example_turns_the_way_the_dials_say() -> None:
    """The nose is the reddest skin in the light; for yaw > 0 the face's middle moves to image right."""
    skin = [np.argwhere(rendered_head(Pose(yaw, 0, 0))[60:150, :, 0] > 200)[:, 1].mean() for yaw in (-50, 0, 50)]
    assert skin[0] < skin[1] - 10 and skin[2] > skin[1] + 10
    for name in EXAMPLE_HEADS:
        height_px, width_px = example_head(name).shape[:2]
        assert abs(height_px - width_px) <= 1 and height_px > 100


def test_the_audit_goes_through_every_encoder_and_times_clip_twice(
    services: Services, shelf: EncoderShelf, monkeypatch
) -> None:
    monkeypatch.setattr("webapp.pose.job.AUDIT_POSES", 20)
    monkeypatch.setattr("webapp.pose.job.SLOW_POSES", 4)
    monkeypatch.setattr("core.pose.audit.SLOW_S", 0.0)
    steps = list(audits(services, shelf, "custom_tiny", "auto"))
    made = {step.name: step for step in steps if isinstance(step, PoseAudit)}
    assert list(made) == [*AUDITED, "clip_uncached"] == [step.stage for step in steps if isinstance(step, Progress)]
    assert made["clip_uncached"].rank_correlation == made["clip"].rank_correlation
    assert made["clip_uncached"].timed_poses == 4 < made["clip"].timed_poses
    assert made["sixd"].tears < (0.1,) * 3 and made["mlp"].tears > (0.5,) * 3
    panel = fragments.audit_panel(list(made.values()), "", "zh")
    assert panel.count("<tr>") == 1 + len(made) and "clip_interpolated" in panel
    assert "<table" not in fragments.audit_panel((), "x", "en")


def test_a_file_goes_through_and_its_rows_are_shown(services: Services, tmp_path: Path) -> None:
    path = tmp_path / "upload"
    path.write_text("yaw,pitch,roll\n0,0,0\n<i>,0,0\n300,0,0\n")
    upload = Upload("my poses.csv", path)
    steps = list(convert(services, upload, ".npz", Wording(), "custom_tiny", "auto"))
    result = steps[-1]
    assert isinstance(result, PosesResult) and result.output.name == "my poses-encoded.npz"
    assert services.scratch_dir in result.output.parents
    panel = fragments.file_panel(result, "en")
    assert "1 not usable" in panel and "&lt;i&gt;" in panel and "<i>" not in panel
    assert "wrapped: line 4" in panel and "left profile view" in panel
    assert "line 3" in panel and "行号 3" in fragments.file_panel(result, "zh")
    with pytest.raises(InputError, match="no format"):
        next(convert(services, upload, ".exe", Wording(), "custom_tiny", "auto"))


def test_many_bad_rows_are_counted_though_not_all_are_shown() -> None:
    rejects = tuple(Reject(f"line {n}", "pose", "yaw is empty") for n in range(1000))
    result = PosesResult(5000, 1, 1, 0, {}, rejects, Path("o.npz"), (), ())
    panel = fragments.file_panel(result, "en")
    assert "4,999" in panel and panel.count("yaw is empty") == REJECTS_SHOWN and "and 4,799 more" in panel
