"""Points → pixels → features: hand-computed cases, and one property at every image size."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from core.errors import InputError
from core.fusion.projection import (
    Camera,
    crop_intrinsics,
    preprocess_depth,
    preprocess_intrinsics,
    project,
    resize_intrinsics,
    sample_features,
    unproject,
)
from core.models.open_clip import reference_transform
from core.models.spec import Preprocessing

# ScanNet's depth camera: 640 × 480, its axis through the middle of the image
DEPTH_K = torch.tensor([[577.87, 0.0, 319.5], [0.0, 577.87, 239.5], [0.0, 0.0, 1.0]], dtype=torch.float64)


def plain(side_px: int, mode: str = "shortest", resize_px: int | None = None) -> Preprocessing:
    return Preprocessing(resize_px or side_px, side_px, "bilinear", (0.0,) * 3, (1.0,) * 3, mode)  # type: ignore[arg-type]


def camera_at(
    intrinsics_33: torch.Tensor, image_hw: tuple[int, int], pose_44: torch.Tensor | None = None, **more: torch.Tensor
) -> Camera:
    pose_44 = torch.eye(4, dtype=intrinsics_33.dtype) if pose_44 is None else pose_44
    return Camera(intrinsics_33[None], pose_44[None], image_hw, **more)


def zeros(points: torch.Tensor) -> torch.Tensor:
    return torch.zeros(len(points), dtype=torch.long)


# ---------------------------------------------------------------------------------------------------- computed by hand


def test_a_point_on_the_axis_falls_on_the_principal_point_and_one_beside_it_by_focal_length_over_depth():
    points = torch.tensor([[0.0, 0.0, 2.0], [0.5, -0.25, 2.0]], dtype=torch.float64)
    seen = project(points, zeros(points), camera_at(DEPTH_K, (480, 640)))
    # u = 577.87 · 0.5 / 2 + 319.5, v = 577.87 · (−0.25) / 2 + 239.5
    expected = torch.tensor([[319.5, 239.5], [463.9675, 167.26625]], dtype=torch.float64)
    torch.testing.assert_close(seen.uv_N2_px, expected)
    torch.testing.assert_close(seen.depth_N_m, torch.tensor([2.0, 2.0], dtype=torch.float64))
    assert seen.valid_N.all()


def test_a_world_to_camera_pose_is_applied_not_its_inverse():
    # the camera stands at x = 3 and looks along the world's +x: its right is the world's −y, its down the world's −z
    camera_to_world = torch.tensor(
        [[0.0, 0.0, 1.0, 3.0], [-1.0, 0.0, 0.0, 0.0], [0.0, -1.0, 0.0, 1.0], [0.0, 0.0, 0.0, 1.0]], dtype=torch.float64
    )
    intrinsics = torch.tensor([[10.0, 0.0, 4.5], [0.0, 10.0, 4.5], [0.0, 0.0, 1.0]], dtype=torch.float64)
    points = torch.tensor([[5.0, 0.0, 1.0], [5.0, -0.2, 0.8], [1.0, 0.0, 1.0]], dtype=torch.float64)
    seen = project(points, zeros(points), camera_at(intrinsics, (10, 10), torch.linalg.inv(camera_to_world)))
    # 2 m ahead; 0.2 m to the right and 0.2 m down at 2 m is one pixel each way; the third is behind
    torch.testing.assert_close(seen.uv_N2_px[:2], torch.tensor([[4.5, 4.5], [5.5, 5.5]], dtype=torch.float64))
    assert seen.in_front_N.tolist() == [True, True, False]
    assert seen.depth_N_m[2] == -2.0


def test_resize_follows_the_pixel_centres():
    halved = resize_intrinsics(DEPTH_K, (480, 640), (240, 320))
    # cx′ = ½ · (319.5 + ½) − ½ = 159.5: the middle stays the middle; scaling cx alone would say 159.75
    expected = torch.tensor([[288.935, 0.0, 159.5], [0.0, 288.935, 119.5], [0.0, 0.0, 1.0]], dtype=torch.float64)
    torch.testing.assert_close(halved, expected)


def test_a_crop_moves_the_principal_point_only():
    cropped = crop_intrinsics(DEPTH_K, 80, -3)
    assert cropped[0, 2] == 239.5 and cropped[1, 2] == 242.5
    assert cropped[0, 0] == cropped[1, 1] == DEPTH_K[0, 0]


def test_clip_resizes_the_shorter_side_and_crops_the_middle():
    seen = preprocess_intrinsics(DEPTH_K, (480, 640), plain(224))
    # 480 × 640 → 224 × 298 (298.67 rounded down), then 37 columns off the left
    assert seen[1, 1] == pytest.approx(577.87 * 224 / 480)
    assert seen[0, 0] == pytest.approx(577.87 * 298 / 640)
    assert seen[0, 2] == pytest.approx(320 * 298 / 640 - 0.5 - 37)
    assert seen[1, 2] == pytest.approx(111.5)


def test_squashing_scales_both_axes_apart():
    seen = preprocess_intrinsics(DEPTH_K, (480, 640), plain(224, "squash"))
    assert seen[0, 0] == pytest.approx(577.87 * 0.35) and seen[1, 1] == pytest.approx(577.87 * 224 / 480)
    assert seen[0, 2] == pytest.approx(111.5) and seen[1, 2] == pytest.approx(111.5)


# ------------------------------------------------------------------------------------------------------------ validity


def test_behind_outside_and_occluded_are_told_apart():
    intrinsics = torch.tensor([[4.0, 0.0, 1.5], [0.0, 4.0, 1.5], [0.0, 0.0, 1.0]])
    depth = torch.full((1, 4, 4), 2.0)
    depth[0, 0, 0] = 0.0  # nothing was measured here
    points = torch.tensor(
        [
            [0.0, 0.0, 2.0],  # on the surface that was seen
            [0.0, 0.0, 2.06],  # within the tolerance behind it
            [0.0, 0.0, 3.0],  # behind it
            [0.0, 0.0, 1.0],  # in front of it: whatever was seen was not this
            [0.0, 0.0, -2.0],  # behind the camera
            [0.0, 0.0, 0.0],  # in the camera's own plane
            [5.0, 0.0, 2.0],  # to the right of the image
            [-0.75, -0.75, 2.0],  # pixel (0, 0), where there is no depth
        ]
    )
    seen = project(points, zeros(points), camera_at(intrinsics, (4, 4), depth_BHW_m=depth))
    assert seen.in_front_N.tolist() == [True, True, True, True, False, False, True, True]
    assert seen.inside_N.tolist() == [True, True, True, True, False, False, False, True]
    assert seen.valid_N.tolist() == [True, True, False, False, False, False, False, False]
    assert seen.shares() == {"visible": 2 / 8, "behind": 2 / 8, "outside": 1 / 8, "occluded": 3 / 8}
    assert torch.isfinite(seen.uv_N2_px).all()


@pytest.mark.parametrize(
    ("u", "inside"), [(-0.5, True), (-0.5001, False), (7.499, True), (7.5, False), (0.0, True), (7.0, True)]
)
def test_an_image_covers_whole_pixels_from_minus_a_half(u: float, inside: bool):
    intrinsics = torch.tensor([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]], dtype=torch.float64)
    for axis, image_hw in ((0, (100, 8)), (1, (8, 100))):
        point = torch.zeros(1, 3, dtype=torch.float64)
        point[0, axis], point[0, 2] = u, 1.0
        assert project(point, zeros(point), camera_at(intrinsics, image_hw)).valid_N.item() is inside


def test_each_point_is_seen_by_its_own_camera():
    intrinsics = torch.eye(3).repeat(2, 1, 1)
    intrinsics[1, 0, 2] = 5.0
    poses = torch.eye(4).repeat(2, 1, 1)
    poses[1, 2, 3] = 1.0
    points = torch.tensor([[1.0, 1.0, 1.0]] * 4)
    seen = project(points, torch.tensor([0, 1, 1, 0]), Camera(intrinsics, poses, (20, 20)))
    assert seen.uv_N2_px.tolist() == [[1.0, 1.0], [5.5, 0.5], [5.5, 0.5], [1.0, 1.0]]


def test_gradients_stay_finite_where_points_have_no_pixel():
    points = torch.tensor([[0.1, 0.2, 0.0], [0.1, 0.2, -1.0], [0.1, 0.2, 1.0]], requires_grad=True)
    project(points, zeros(points), camera_at(torch.eye(3), (4, 4))).uv_N2_px.sum().backward()
    assert points.grad is not None and torch.isfinite(points.grad).all()
    assert points.grad[:2].abs().sum() == 0 and points.grad[2].abs().sum() > 0


def test_half_precision_around_it_does_not_reach_the_pixels():
    points = torch.tensor([[0.8123, 0.3, 2.0]])
    camera = camera_at(DEPTH_K.float() * torch.tensor([[2.0, 2.0, 2.0], [2.0, 2.0, 2.0], [1.0, 1.0, 1.0]]), (960, 1280))
    plain_uv = project(points, zeros(points), camera).uv_N2_px
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(project(points, zeros(points), camera).uv_N2_px, plain_uv)


@given(st.integers(0, 2**31 - 1))
@settings(max_examples=30, deadline=None)
def test_unproject_undoes_project(seed: int):
    random = np.random.default_rng(seed)
    rotation = np.linalg.qr(random.standard_normal((3, 3)))[0]
    pose = torch.eye(4, dtype=torch.float64)
    pose[:3, :3] = torch.from_numpy(rotation * np.sign(np.linalg.det(rotation)))
    pose[:3, 3] = torch.from_numpy(random.uniform(-3, 3, 3))
    uv = torch.from_numpy(random.uniform([0, 0], [639, 479], (20, 2)))
    depth = torch.from_numpy(random.uniform(0.2, 8.0, 20))
    points = unproject(uv, depth, DEPTH_K, torch.linalg.inv(pose))
    seen = project(points, zeros(points), camera_at(DEPTH_K, (480, 640), pose))
    torch.testing.assert_close(seen.uv_N2_px, uv, atol=1e-8, rtol=0)
    torch.testing.assert_close(seen.depth_N_m, depth)
    assert seen.valid_N.all()


# ------------------------------------------------------------------------------------------------------------ sampling


@given(st.integers(1, 40), st.integers(1, 40), st.integers(1, 6), st.integers(1, 6), st.integers(0, 2**31 - 1))
@settings(max_examples=60, deadline=None)
def test_a_point_gets_the_feature_painted_at_its_pixel_at_every_image_size(
    height: int, width: int, zoom_v: int, zoom_u: int, seed: int
):
    """A feature map of height × width cells over an image `zoom` times as large; a point in the middle of a cell."""
    random = np.random.default_rng(seed)
    painted = torch.from_numpy(random.standard_normal((2, 3, height, width)))
    image_hw = (height * zoom_v, width * zoom_u)
    count = 12
    batch = torch.from_numpy(random.integers(0, 2, count))
    row, column = random.integers(0, height, count), random.integers(0, width, count)
    # the cell's centre in pixels of the image: the mean of the first and last of its pixels' centres
    u, v = column * zoom_u + (zoom_u - 1) / 2, row * zoom_v + (zoom_v - 1) / 2
    intrinsics = torch.tensor([[7.0, 0.0, 2.0], [0.0, 5.0, 1.0], [0.0, 0.0, 1.0]], dtype=torch.float64)
    depth = torch.from_numpy(random.uniform(0.5, 5.0, count))
    points = unproject(torch.from_numpy(np.stack([u, v], 1)), depth, intrinsics, torch.eye(4, dtype=torch.float64))
    seen = project(points, batch, Camera(intrinsics.repeat(2, 1, 1), torch.eye(4).repeat(2, 1, 1).double(), image_hw))
    assert seen.valid_N.all()
    sampled = sample_features(painted, seen.uv_N2_px, batch, seen.valid_N, image_hw)
    torch.testing.assert_close(sampled, painted[batch, :, row, column])


@given(st.integers(33, 120), st.integers(33, 120), st.integers(0, 2**31 - 1))
@settings(max_examples=25, deadline=None)
def test_through_clips_own_resize_and_crop_a_point_meets_what_the_model_sees(height: int, width: int, seed: int):
    """A picture whose red is its column and green its row, preprocessed by open_clip's transform: at a point's pixel of
    the input the colours must name the point's pixel of the picture."""
    random = np.random.default_rng(seed)
    picture = np.zeros((height, width, 3), np.uint8)
    picture[..., 0], picture[..., 1] = 2 * np.arange(width)[None], 2 * np.arange(height)[:, None]
    preprocessing = plain(32)
    pixels = reference_transform(preprocessing)(Image.fromarray(picture))[None] * 255 / 2
    intrinsics = torch.tensor([[50.0, 0.0, width / 2], [0.0, 50.0, height / 2], [0.0, 0.0, 1.0]], dtype=torch.float64)
    margin = max(2, math.ceil(min(height, width) / 32))
    uv = torch.from_numpy(random.uniform([margin, margin], [width - 1 - margin, height - 1 - margin], (40, 2)))
    points = unproject(uv, torch.full((40,), 2.0).double(), intrinsics, torch.eye(4).double())
    camera = camera_at(preprocess_intrinsics(intrinsics, (height, width), preprocessing), (32, 32))
    seen = project(points, zeros(points), camera)
    inner = seen.valid_N & ((seen.uv_N2_px > 1) & (seen.uv_N2_px < 30)).all(1)
    sampled = sample_features(pixels, seen.uv_N2_px, zeros(points), inner, (32, 32))[inner]
    # bytes were rounded, and antialiasing bends ramps near the edges only
    torch.testing.assert_close(sampled[:, :2].double(), uv[inner], atol=0.35, rtol=0)


def test_depth_is_cut_as_the_image_is():
    depth = torch.arange(60 * 90).reshape(60, 90).float()
    cut = preprocess_depth(depth, plain(20))
    # 60 × 90 → 20 × 30, five columns off each side: the middle pixel of every 3 × 3 block
    assert torch.equal(cut, depth[1::3, 1::3][:, 5:25])
    assert torch.equal(preprocess_depth(depth[:20, :20], plain(20)), depth[:20, :20])


def test_rows_that_are_not_valid_are_not_sampled_and_carry_no_gradient():
    features = torch.ones(1, 2, 3, 3, requires_grad=True)
    uv = torch.tensor([[1.0, 1.0], [float("nan"), 0.0], [9.0, 9.0]])
    sampled = sample_features(features, uv, zeros(uv), torch.tensor([True, False, False]), (3, 3))
    assert sampled.tolist() == [[1.0, 1.0], [0.0, 0.0], [0.0, 0.0]]
    sampled.sum().backward()
    assert features.grad is not None and features.grad[0, 0].tolist() == [[0, 0, 0], [0, 1, 0], [0, 0, 0]]


def test_sixteen_bit_maps_are_sampled_at_exact_places():
    ramp = torch.arange(14.0).repeat(14, 1)[None, None]
    uv = torch.tensor([[100.3, 50.0]])
    args = (uv, zeros(uv), torch.tensor([True]), (224, 224))
    expected = (100.3 + 0.5) / 16 - 0.5
    assert sample_features(ramp, *args).item() == pytest.approx(expected, abs=1e-5)
    for dtype, step in ((torch.float16, 2**-8), (torch.bfloat16, 2**-5)):
        sampled = sample_features(ramp.to(dtype), *args)
        assert sampled.dtype == dtype and abs(sampled.item() - expected) <= step / 2


# -------------------------------------------------------------------------------------------------------------- errors


def test_cameras_that_cannot_be_are_refused_by_name():
    eye = torch.eye(4)[None]
    with pytest.raises(InputError, match=r"world_to_camera_B44 is not finite.*image 1"):
        Camera(torch.eye(3).repeat(2, 1, 1), torch.cat([eye, eye * float("-inf")]), (4, 4))
    with pytest.raises(InputError, match="intrinsics_B33 must be"):
        Camera(torch.eye(4)[None], eye, (4, 4))
    with pytest.raises(InputError, match="depth_BHW_m must be"):
        Camera(torch.eye(3)[None], eye, (4, 4), torch.zeros(1, 5, 4))
    with pytest.raises(InputError, match="focal"):
        Camera(torch.zeros(1, 3, 3), eye, (4, 4))


def test_points_without_a_camera_are_refused():
    camera = camera_at(torch.eye(3), (4, 4))
    with pytest.raises(InputError, match="image 1"):
        project(torch.zeros(2, 3), torch.tensor([0, 1]), camera)
    with pytest.raises(InputError, match="batch index"):
        project(torch.zeros(2, 3), torch.tensor([0]), camera)


def test_no_points_at_all_is_fine():
    none = torch.zeros(0, 3)
    seen = project(none, zeros(none), camera_at(torch.eye(3), (4, 4)))
    assert len(seen.valid_N) == 0 and seen.shares()["visible"] == 0
    assert sample_features(torch.ones(1, 2, 3, 3), seen.uv_N2_px, zeros(none), seen.valid_N, (4, 4)).shape == (0, 2)
