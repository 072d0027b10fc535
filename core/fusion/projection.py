"""From points in the world to pixels of an image, and from pixels to features. One convention, stated here:

* Camera frame: x right, y down, z forward, metres. `world_to_camera_B44 @ [X, 1]`; a ScanNet pose is the inverse.
* Pixel (column 0, row 0) has its **centre** at u = v = 0, so an image of width W covers −½ ≤ u < W − ½. This is what
  calibrations mean (cx = 319.5 is the middle of 640 columns).
* A resize by s moves centres: u′ = s·(u + ½) − ½, hence fx′ = s·fx and cx′ = s·(cx + ½) − ½. A crop subtracts its
  offset.
* Sampling uses g = 2·(u + ½)/W − 1 with `align_corners=False`: independent of resolution, so a 14 × 14 feature map of a
  224 × 224 image is sampled with the image's own u and W.

A point has a feature only where the camera sees it: in front, inside the image, and, where there is depth, not behind
what the depth shows. Everything here is computed in float32 (or float64 when given it), also under autocast: half
precision holds no pixel coordinates.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import NamedTuple

import torch
import torch.nn.functional as F

from ..errors import InputError
from ..models.preprocess import resized_size
from ..models.spec import Preprocessing
from .words import Says

MIN_DEPTH_M = 0.05  # nearer to the camera's plane than this, a point has no pixel worth the name
OCCLUSION_M = 0.10  # a point this much off the depth measured at its pixel is not the point that was seen


# ---------------------------------------------------------------------------------------------------------- intrinsics


def resize_intrinsics(intrinsics_33: torch.Tensor, from_hw: tuple[int, int], to_hw: tuple[int, int]) -> torch.Tensor:
    """The intrinsics of an image after a resize; `[..., 3, 3]`, pixels. Skew scales with the columns."""
    scale_v, scale_u = to_hw[0] / from_hw[0], to_hw[1] / from_hw[1]
    return _affine(intrinsics_33, scale_u, 0.5 * scale_u - 0.5, scale_v, 0.5 * scale_v - 0.5)


def crop_intrinsics(intrinsics_33: torch.Tensor, left_px: float, top_px: float) -> torch.Tensor:
    """The intrinsics after `left_px` columns and `top_px` rows were cut off; negative: padded."""
    return _affine(intrinsics_33, 1.0, -left_px, 1.0, -top_px)


def preprocess_intrinsics(
    intrinsics_33: torch.Tensor, image_hw: tuple[int, int], preprocessing: Preprocessing
) -> torch.Tensor:
    """The intrinsics of what a model sees: resized and centre-cropped as `Encoder.preprocess` does it.

    Args:
        image_hw: of the image that the intrinsics are for.
        preprocessing: of the model, from the catalogue.
    """
    resized_hw, (left_px, top_px) = _geometry(image_hw, preprocessing)
    return crop_intrinsics(resize_intrinsics(intrinsics_33, image_hw, resized_hw), left_px, top_px)


def preprocess_depth(depth_HW_m: torch.Tensor, preprocessing: Preprocessing) -> torch.Tensor:
    """Depth as a model's input is cut, `[crop, crop]`: the nearest pixel's, for a mean of two depths is nobody's."""
    image_hw = (depth_HW_m.shape[0], depth_HW_m.shape[1])
    resized_hw, (left_px, top_px) = _geometry(image_hw, preprocessing)
    side_px = preprocessing.crop_px

    def source(size_px: int, resized_px: int, offset_px: int) -> torch.Tensor:
        centres = (torch.arange(side_px) + offset_px + 0.5) * (size_px / resized_px)
        return centres.floor().long().clamp(0, size_px - 1)

    rows, columns = source(image_hw[0], resized_hw[0], top_px), source(image_hw[1], resized_hw[1], left_px)
    return depth_HW_m[rows[:, None].to(depth_HW_m.device), columns[None].to(depth_HW_m.device)]


def _geometry(image_hw: tuple[int, int], preprocessing: Preprocessing) -> tuple[tuple[int, int], tuple[int, int]]:
    """Size after the resize, and the centre crop's (left, top), rounded as torchvision rounds."""
    height_px, width_px = resized_size(*image_hw, preprocessing)
    crop_px = preprocessing.crop_px
    return (height_px, width_px), (round((width_px - crop_px) / 2), round((height_px - crop_px) / 2))


def _affine(intrinsics_33: torch.Tensor, a_u: float, b_u: float, a_v: float, b_v: float) -> torch.Tensor:
    """u′ = a_u·u + b_u, v′ = a_v·v + b_v as a matrix on the left."""
    change_33 = intrinsics_33.new_tensor([[a_u, 0.0, b_u], [0.0, a_v, b_v], [0.0, 0.0, 1.0]])
    return change_33 @ intrinsics_33


# -------------------------------------------------------------------------------------------------------------- cameras


@dataclass(frozen=True)
class Camera:
    """B cameras, one for each image of a batch.

    Attributes:
        intrinsics_B33: pixels of the image **as the encoder gets it** (see `preprocess_intrinsics`).
        world_to_camera_B44: rigid; the last row is 0 0 0 1.
        image_hw: size of those images.
        depth_BHW_m: depth of those images, 0 where nothing was measured; None: occlusion is not checked.

    Raises:
        InputError: another shape, a value that is not finite, a focal length that is not positive.
    """

    intrinsics_B33: torch.Tensor
    world_to_camera_B44: torch.Tensor
    image_hw: tuple[int, int]
    depth_BHW_m: torch.Tensor | None = None

    def __post_init__(self) -> None:
        count = len(self.intrinsics_B33)
        for name, tensor, shape in (
            ("intrinsics_B33", self.intrinsics_B33, (count, 3, 3)),
            ("world_to_camera_B44", self.world_to_camera_B44, (count, 4, 4)),
            ("depth_BHW_m", self.depth_BHW_m, (count, *self.image_hw)),
        ):
            if tensor is None:
                continue
            if tuple(tensor.shape) != shape:
                raise InputError(
                    Says.camera_shape(name=name, expected=list(shape), shape=list(tensor.shape)),
                    next_step=Says.camera_shape_next(),
                )
            finite_B = torch.isfinite(tensor).flatten(1).all(1)
            if not finite_B.all():
                raise InputError(
                    Says.camera_not_finite(name=name),
                    where=f"image {int((~finite_B).nonzero()[0])} of the batch",
                    next_step=Says.camera_not_finite_next(),
                )
        if (self.intrinsics_B33[:, [0, 1], [0, 1]] <= 0).any():
            raise InputError(Says.focal_lengths(), next_step=Says.focal_lengths_next())

    def __len__(self) -> int:
        return len(self.intrinsics_B33)

    def to(self, device: torch.device | str) -> Camera:
        """The same cameras on another device."""
        depth = None if self.depth_BHW_m is None else self.depth_BHW_m.to(device)
        return replace(
            self,
            intrinsics_B33=self.intrinsics_B33.to(device),
            world_to_camera_B44=self.world_to_camera_B44.to(device),
            depth_BHW_m=depth,
        )


class Projection(NamedTuple):
    """Where N points fall, each in the image of its own camera.

    Attributes:
        uv_N2_px: column and row; zero where the point is not in front of the camera, and then meaningless.
        depth_N_m: z in the camera's frame.
        in_front_N, inside_N, unoccluded_N: bool, each implying the one before it.
    """

    uv_N2_px: torch.Tensor
    depth_N_m: torch.Tensor
    in_front_N: torch.Tensor
    inside_N: torch.Tensor
    unoccluded_N: torch.Tensor

    @property
    def valid_N(self) -> torch.Tensor:
        """Whether the camera sees the point."""
        return self.unoccluded_N

    def shares(self) -> dict[str, float]:
        """What part of the points is `visible`, and why the others are not: `behind`, `outside`, `occluded`."""
        total = max(1, len(self.in_front_N))
        front, inside, seen = (int(mask.sum()) for mask in (self.in_front_N, self.inside_N, self.unoccluded_N))
        return {
            "visible": seen / total,
            "behind": (len(self.in_front_N) - front) / total,
            "outside": (front - inside) / total,
            "occluded": (inside - seen) / total,
        }


def project(
    xyz_N3_m: torch.Tensor,
    batch_N: torch.Tensor,
    camera: Camera,
    *,
    min_depth_m: float = MIN_DEPTH_M,
    occlusion_m: float = OCCLUSION_M,
) -> Projection:
    """Points in the world → pixels.

    Args:
        xyz_N3_m: world coordinates.
        batch_N: int64, which camera of the batch each point belongs to, 0..B−1.
        min_depth_m: z must exceed it.
        occlusion_m: how far z may lie from the depth measured at the pixel. Where nothing was measured a point counts
            as occluded: nobody has seen it.

    Raises:
        InputError: shapes that do not fit, or a batch index without camera.
    """
    _check_points(xyz_N3_m, batch_N, len(camera))
    with torch.autocast(xyz_N3_m.device.type, enabled=False):
        xyz = _at_least_fp32(xyz_N3_m)
        pose_N44 = camera.world_to_camera_B44.to(xyz.dtype)[batch_N]
        local_N3 = torch.einsum("nij,nj->ni", pose_N44[:, :3, :3], xyz) + pose_N44[:, :3, 3]
        z_N = local_N3[:, 2]
        in_front_N = z_N > min_depth_m
        # the division is by 1 where it would be meaningless, so that neither values nor gradients become NaN
        safe_z_N = torch.where(in_front_N, z_N, torch.ones_like(z_N))
        rays_N3 = torch.where(in_front_N[:, None], local_N3, torch.zeros_like(local_N3)) / safe_z_N[:, None]
        rays_N3 = torch.cat([rays_N3[:, :2], in_front_N[:, None].to(xyz.dtype)], dim=1)
        uv_N2 = torch.einsum("nij,nj->ni", camera.intrinsics_B33.to(xyz.dtype)[batch_N], rays_N3)[:, :2]
        height_px, width_px = camera.image_hw
        u_N, v_N = uv_N2.unbind(1)
        inside_N = in_front_N & (u_N >= -0.5) & (u_N < width_px - 0.5) & (v_N >= -0.5) & (v_N < height_px - 0.5)
        unoccluded_N = inside_N
        if camera.depth_BHW_m is not None:
            # the nearest pixel: between two surfaces an interpolated depth lies on neither
            column_N = (u_N + 0.5).floor().long().clamp(0, width_px - 1)
            row_N = (v_N + 0.5).floor().long().clamp(0, height_px - 1)
            seen_N = camera.depth_BHW_m.to(xyz.dtype)[batch_N, row_N, column_N]
            unoccluded_N = inside_N & (seen_N > 0) & ((z_N - seen_N).abs() < occlusion_m)
    return Projection(uv_N2, z_N, in_front_N, inside_N, unoccluded_N)


def unproject(
    uv_N2_px: torch.Tensor, depth_N_m: torch.Tensor, intrinsics_33: torch.Tensor, camera_to_world_44: torch.Tensor
) -> torch.Tensor:
    """Pixels with depth → world coordinates `[N, 3]`, metres: the inverse of `project` for one camera."""
    ones_N1 = torch.ones_like(depth_N_m)[:, None]
    rays_N3 = torch.linalg.solve(intrinsics_33, torch.cat([uv_N2_px, ones_N1], dim=1).T).T
    local_N3 = rays_N3 * depth_N_m[:, None]
    return local_N3 @ camera_to_world_44[:3, :3].T + camera_to_world_44[:3, 3]


# ------------------------------------------------------------------------------------------------------------- sampling


def sample_features(
    features_BCHW: torch.Tensor,
    uv_N2_px: torch.Tensor,
    batch_N: torch.Tensor,
    valid_N: torch.Tensor,
    image_hw: tuple[int, int],
) -> torch.Tensor:
    """Bilinear features at pixels, `[N, C]`, in the dtype of the features.

    Rows that are not valid are not sampled: they are zero, carry no gradient, and say nothing. Never use the result
    without `valid_N`. Within half a cell of the border the border cell counts alone (`padding_mode="border"`).

    Args:
        features_BCHW: a feature map of any resolution for each image.
        uv_N2_px: pixels of the image, not of the feature map.
        image_hw: size of the image.
    """
    height_px, width_px = image_hw
    sampled_NC = features_BCHW.new_zeros(len(uv_N2_px), features_BCHW.shape[1])
    sampled_NC = sampled_NC + features_BCHW[:0].sum()  # part of the graph even where no point is seen
    with torch.autocast(features_BCHW.device.type, enabled=False):
        size_2 = uv_N2_px.new_tensor([width_px, height_px])
        grid_N2 = 2 * (uv_N2_px + 0.5) / size_2 - 1
        # in half precision the positions would be off by a tenth of a cell, so the map is sampled in float32
        maps_BCHW = _at_least_fp32(features_BCHW)
        for index in range(len(features_BCHW)):
            rows = (valid_N & (batch_N == index)).nonzero()[:, 0]
            if not len(rows):
                continue
            grid_11M2 = grid_N2[rows].to(maps_BCHW.dtype)[None, None]
            values_CM = F.grid_sample(
                maps_BCHW[index : index + 1], grid_11M2, mode="bilinear", padding_mode="border", align_corners=False
            )[0, :, 0]
            sampled_NC = sampled_NC.index_copy(0, rows, values_CM.T.to(sampled_NC.dtype))
    return sampled_NC


# --------------------------------------------------------------------------------------------------------------- parts


def _at_least_fp32(tensor: torch.Tensor) -> torch.Tensor:
    return tensor if tensor.dtype == torch.float64 else tensor.float()


def _check_points(xyz_N3_m: torch.Tensor, batch_N: torch.Tensor, cameras: int) -> None:
    if xyz_N3_m.ndim != 2 or xyz_N3_m.shape[1] != 3 or batch_N.shape != xyz_N3_m.shape[:1]:
        raise InputError(
            Says.points_shape(points=list(xyz_N3_m.shape), batch=list(batch_N.shape)),
            next_step=Says.points_shape_next(),
        )
    if len(batch_N) and not 0 <= int(batch_N.min()) <= int(batch_N.max()) < cameras:
        raise InputError(
            Says.points_of_no_image(most=int(batch_N.max()), least=int(batch_N.min()), images=cameras),
            where="batch_N",
            next_step=Says.points_of_no_image_next(),
        )
