"""The drawn head against the angles it is asked for."""

from dataclasses import replace

import numpy as np
import pytest

from core.errors import InputError
from core.pose.rendering import HeadLooks, render_heads

RED = np.array([[1, 0, 0]], np.float32)


def marked_heads(count: int) -> HeadLooks:
    """Heads in grey with red lips and flat light, so that the mouth can be found by its colour."""
    grey = np.full((count, 3), 0.5, np.float32)
    return replace(
        HeadLooks.plain(count),
        skin_rgb=grey, hair_rgb=grey * 0.4, shirt_rgb=grey, iris_rgb=grey, lip_rgb=np.repeat(RED, count, 0),
        ambient=np.ones(count, np.float32),
    )  # fmt: skip


def mouth_xy(picture: np.ndarray) -> np.ndarray:
    """The mouth's centre, x right and y up, the picture spanning ±1."""
    side = len(picture)
    rgb = picture[..., :3].astype(int)
    y, x = np.nonzero(rgb[..., 0] > rgb[..., 1] + 60)
    return np.array([x.mean(), (side - 1) - y.mean()]) / (side - 1) * 2 - 1


def test_the_mouth_moves_where_the_head_turns() -> None:
    poses = [[0, 0, 0], [30, 0, 0], [-30, 0, 0], [0, 25, 0], [0, -25, 0]]
    rest, right, left, up, down = [mouth_xy(picture) for picture in render_heads(marked_heads(5), poses)]
    assert abs(rest[0]) < 0.02
    assert right[0] > 0.15 and left[0] < -0.15
    assert up[1] > rest[1] + 0.1 and down[1] < rest[1] - 0.1


@pytest.mark.parametrize("roll_deg", [-40, -10, 10, 40])
def test_roll_turns_the_face_in_the_picture_plane(roll_deg: float) -> None:
    rest, tipped = [
        mouth_xy(picture) for picture in render_heads(marked_heads(2), [[0, 0, 0], [0, 0, roll_deg]], size_px=96)
    ]
    # the top tips to image right, so the mouth, below the centre, swings to image left
    assert np.rad2deg(np.arctan2(-tipped[0], -tipped[1])) == pytest.approx(roll_deg, abs=2.5)
    assert np.linalg.norm(tipped) == pytest.approx(np.linalg.norm(rest), abs=0.02)


def test_a_mirrored_pose_is_the_mirrored_picture() -> None:
    looks = replace(HeadLooks.plain(2), light=np.tile(np.array([0, 0.5, 0.866], np.float32), (2, 1)))
    one, other = render_heads(looks, [[35, -12, 20], [-35, -12, -20]])
    difference = np.abs(one.astype(int) - other[:, ::-1])
    assert np.median(difference) == 0 and (difference > 3).mean() < 0.002  # a ray may just miss on one side


def test_a_head_does_not_depend_on_its_neighbours() -> None:
    rng = np.random.default_rng(0)
    poses = rng.uniform(-45, 45, (70, 3))  # more than one chunk
    together = render_heads(HeadLooks.plain(70), poses, size_px=32)
    alone = render_heads(HeadLooks.plain(1), poses[66:67], size_px=32)
    assert np.array_equal(together[66], alone[0])
    assert together.shape == (70, 32, 32, 4) and together.dtype == np.uint8


def test_colours_are_premultiplied_and_the_corner_is_empty() -> None:
    picture = render_heads(HeadLooks.plain(1), [0, 0, 0])[0]
    assert not picture[0, 0].any()
    assert (picture[..., :3].max(axis=2) <= picture[..., 3]).all()
    assert picture[..., 3].mean() > 0.3 * 255


def test_light_from_a_side_makes_that_side_brighter() -> None:
    light = np.array([[-0.9, 0, 0.44], [0.9, 0, 0.44]], np.float32)
    looks = replace(HeadLooks.plain(2), light=light, ambient=np.full(2, 0.3, np.float32))
    from_left, from_right = render_heads(looks, np.zeros((2, 3)))[..., :3].astype(float)
    assert from_left[:, :32].mean() > 1.2 * from_left[:, 32:].mean()
    assert from_right[:, 32:].mean() > 1.2 * from_right[:, :32].mean()


def test_angles_that_are_no_numbers_are_refused() -> None:
    with pytest.raises(InputError, match="yaw is not a finite number"):
        render_heads(HeadLooks.plain(1), [np.nan, 0, 0])
    assert render_heads(HeadLooks.plain(0), np.zeros((0, 3))).shape == (0, 64, 64, 4)
