"""The pose table to the letter: every edge, one ulp to either side, both zeros."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import InputError
from core.pose.text import (
    CAPTIONS,
    EXPRESSIONS,
    LIGHTS,
    PITCH_WORDS,
    ROLL_WORDS,
    TEMPLATES,
    YAW_WORDS,
    bins,
    caption_numbers,
    describe,
)


def above(value: float) -> float:
    return math.nextafter(value, math.inf)


def below(value: float) -> float:
    return math.nextafter(value, -math.inf)


def by_the_table(yaw: float, pitch: float, roll: float) -> str:
    """The rules written out a second time, as the table reads them."""
    if yaw < -45:
        first = "left profile view"
    elif -45 <= yaw < -15:
        first = "left three-quarter view"
    elif -15 <= yaw < 15:
        first = "frontal view"
    elif 15 <= yaw < 45:
        first = "right three-quarter view"
    else:
        first = "right profile view"
    second = "looking down" if pitch < -20 else "level gaze" if pitch < 20 else "looking up"
    third = "upright" if abs(roll) < 10 else "tilted right" if roll >= 10 else "tilted left"
    return f"{first}, {second}, {third}"


@pytest.mark.parametrize(
    ("yaw", "words"),
    [
        (below(-45.0), "left profile view"),
        (-45.0, "left three-quarter view"),
        (above(-45.0), "left three-quarter view"),
        (below(-15.0), "left three-quarter view"),
        (-15.0, "frontal view"),
        (above(-15.0), "frontal view"),
        (-0.0, "frontal view"),
        (0.0, "frontal view"),
        (below(15.0), "frontal view"),
        (15.0, "right three-quarter view"),
        (above(15.0), "right three-quarter view"),
        (below(45.0), "right three-quarter view"),
        (45.0, "right profile view"),
        (above(45.0), "right profile view"),
    ],
)
def test_yaw_edges(yaw: float, words: str) -> None:
    assert describe([yaw, 0, 0]) == [f"{words}, level gaze, upright"]


@pytest.mark.parametrize(
    ("pitch", "words"),
    [
        (below(-20.0), "looking down"),
        (-20.0, "level gaze"),
        (above(-20.0), "level gaze"),
        (-0.0, "level gaze"),
        (0.0, "level gaze"),
        (below(20.0), "level gaze"),
        (20.0, "looking up"),
        (above(20.0), "looking up"),
    ],
)
def test_pitch_edges(pitch: float, words: str) -> None:
    assert describe([0, pitch, 0]) == [f"frontal view, {words}, upright"]


@pytest.mark.parametrize(
    ("roll", "words"),
    [
        (below(-10.0), "tilted left"),
        (-10.0, "tilted left"),
        (above(-10.0), "upright"),
        (-0.0, "upright"),
        (0.0, "upright"),
        (below(10.0), "upright"),
        (10.0, "tilted right"),
        (above(10.0), "tilted right"),
    ],
)
def test_roll_edges(roll: float, words: str) -> None:
    assert describe([0, 0, roll]) == [f"frontal view, level gaze, {words}"]


def test_all_edges_together_in_one_call() -> None:
    edges = [0.0, -0.0]
    for edge in (10.0, 15.0, 20.0, 45.0):
        edges += [below(edge), edge, above(edge), below(-edge), -edge, above(-edge)]
    poses = list(itertools.product(edges, repeat=3))
    assert describe(poses) == [by_the_table(*pose) for pose in poses]


def test_the_note_s_example_follows_the_rule_not_the_note() -> None:
    assert describe([45, 10, -5]) == ["right profile view, level gaze, upright"]


def test_45_distinct_captions_in_table_order() -> None:
    assert len(CAPTIONS) == len(set(CAPTIONS)) == 45
    assert CAPTIONS[0] == "left profile view, looking down, tilted left"
    assert CAPTIONS[-1] == "right profile view, looking up, tilted right"
    assert [c.split(", ")[0] for c in CAPTIONS[::9]] == list(YAW_WORDS)


@given(st.lists(st.tuples(*[st.floats(-180, 180)] * 3), min_size=1, max_size=50))
def test_many_poses_at_once_read_as_one_by_one(poses: list[tuple[float, float, float]]) -> None:
    assert describe(poses) == [by_the_table(*pose) for pose in poses]
    numbers = caption_numbers(poses)
    assert [CAPTIONS[number] for number in numbers] == describe(poses)
    assert [f"{YAW_WORDS[y]}, {PITCH_WORDS[p]}, {ROLL_WORDS[r]}" for y, p, r in bins(poses)] == describe(poses)


def test_single_precision_edges_stay_on_their_side() -> None:
    poses = np.array([[15, 20, 10], [np.nextafter(np.float32(15), np.float32(0)), 20, 10]], np.float32)
    assert describe(poses) == [
        "right three-quarter view, looking up, tilted right",
        "frontal view, looking up, tilted right",
    ]


@pytest.mark.parametrize(
    ("pose", "same_as"), [((370, 0, 0), (10, 0, 0)), ((-190, 0, 0), (170, 0, 0)), ((0, 0, 725), (0, 0, 5))]
)
def test_angles_beyond_half_a_turn_are_wrapped(pose: tuple[float, ...], same_as: tuple[float, ...]) -> None:
    assert describe(pose) == describe(same_as)


def test_half_a_turn_is_not_beyond_itself() -> None:
    assert describe([180, 0, 0])[0].startswith("right profile view")
    assert describe([-180, 0, 0])[0].startswith("left profile view")


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf, None])
def test_a_pose_that_is_no_number_is_named_by_its_row(bad: float | None) -> None:
    with pytest.raises(InputError, match="pitch is not a finite number") as caught:
        describe(np.array([[0, 0, 0], [1, bad, 2], [3, 4, 5]], dtype=object))
    assert caught.value.where == "row 1"


def test_text_and_wrong_shapes_are_refused() -> None:
    with pytest.raises(InputError, match="must be numbers"):
        describe([["left", 0, 0]])  # type: ignore[list-item]
    with pytest.raises(InputError, match="three columns"):
        describe([[0, 0]])
    assert describe(np.zeros((0, 3))) == []


def test_continuous_text_says_the_numbers() -> None:
    assert describe([[45, 10, -5], [-0.04, 0, 359]], continuous=True) == [
        "yaw 45.0, pitch 10.0, roll -5.0 degrees",
        "yaw 0.0, pitch 0.0, roll -1.0 degrees",
    ]


def test_expression_light_and_template_are_added_in_order() -> None:
    captions = describe(
        [[0, 0, 0], [50, 0, 0]], expressions=["smiling", ""], lights=["", "dim light"], template="a photo of a face, {}"
    )
    assert captions == [
        "a photo of a face, frontal view, level gaze, upright, smiling",
        "a photo of a face, right profile view, level gaze, upright, dim light",
    ]
    assert all(template.count("{}") == 1 for template in TEMPLATES) and EXPRESSIONS and LIGHTS


def test_wrong_lists_and_templates_are_refused() -> None:
    with pytest.raises(InputError, match="1 expressions for 2 poses"):
        describe(np.zeros((2, 3)), expressions=["smiling"])
    for template in ("no place", "{} and {}", "{0}", "{} {x}"):
        with pytest.raises(InputError, match="exactly one"):
            describe([0, 0, 0], template=template)


def test_a_million_poses_give_the_numbers_of_their_captions() -> None:
    poses = np.random.default_rng(0).uniform(-200, 200, (1_000_000, 3))
    numbers = caption_numbers(poses)
    assert numbers.shape == (1_000_000,) and set(np.unique(numbers)) == set(range(45))
    for row in range(0, 1_000_000, 99_991):
        wrapped = (poses[row] + 180) % 360 - 180
        assert CAPTIONS[numbers[row]] == by_the_table(*wrapped)
