"""The network: a small 3-D backbone, the fusion (or none), a semantic and an instance head.

    points ─VoxelMLP▶ 96 ─┬─BiFusionEncoder▶ 256 ─┬─▶ classes
    image, camera ────────┘  (3-D only: Linear)    └─▶ offset to the object's middle, metres

The backbone is sparse-free and a means, not the point: shared MLPs, and the means and maxima of voxels of several
sizes.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import nn
from torch.func import functional_call

from core.fusion.bifusion import FUSION_WIDTH, POINT_WIDTH, BiFusionEncoder, BiFusionOutput, Points
from experiments.bifusion.data import Batch

VOXELS_M = (0.2, 0.6, 1.8)


class Outputs(NamedTuple):
    """N points: class logits `[N, K]`, offsets in metres `[N, 3]`, and the fusion's output (None without fusion)."""

    logits_NK: torch.Tensor
    offset_N3_m: torch.Tensor
    fusion: BiFusionOutput | None


class VoxelMLP(nn.Module):
    """Points with colour → features `[N, 96]` that know their surroundings at several scales.

    For each voxel size: an MLP on the point (with its place in the voxel), mean and maximum over the voxel, back to the
    point. Then one MLP on all of it.
    """

    def __init__(self, width: int = 48, out_width: int = POINT_WIDTH) -> None:
        super().__init__()
        self.point = nn.Sequential(nn.Linear(6, width), nn.GELU(), nn.Linear(width, width), nn.GELU())
        self.scales = nn.ModuleList(
            nn.Sequential(nn.Linear(width + 3, width), nn.GELU(), nn.Linear(width, width)) for _ in VOXELS_M
        )
        self.leave = nn.Sequential(
            nn.Linear(width * (1 + 2 * len(VOXELS_M)), 2 * out_width), nn.GELU(), nn.Linear(2 * out_width, out_width)
        )

    def forward(self, xyz_N3_m: torch.Tensor, rgb_N3: torch.Tensor, batch_N: torch.Tensor) -> torch.Tensor:
        point_NW = self.point(torch.cat([xyz_N3_m, rgb_N3], dim=1))
        parts = [point_NW]
        for size_m, mlp in zip(VOXELS_M, self.scales, strict=True):
            cells_N3 = torch.floor(xyz_N3_m / size_m)
            place_N3 = xyz_N3_m / size_m - cells_N3 - 0.5
            voxel_N, voxels = number_voxels(cells_N3, batch_N)
            mean_V3 = _voxel_mean(place_N3, voxel_N, voxels)
            inner_NW = mlp(torch.cat([point_NW, place_N3 - mean_V3[voxel_N]], dim=1))
            parts.append(_voxel_mean(inner_NW, voxel_N, voxels)[voxel_N])
            highest_VW = torch.zeros(voxels, inner_NW.shape[1], dtype=inner_NW.dtype, device=inner_NW.device)
            rows_NW = voxel_N[:, None].expand_as(inner_NW)
            parts.append(highest_VW.scatter_reduce(0, rows_NW, inner_NW, "amax", include_self=False)[voxel_N])
        return self.leave(torch.cat(parts, dim=1))


def number_voxels(cells_N3: torch.Tensor, batch_N: torch.Tensor) -> tuple[torch.Tensor, int]:
    """The number of each point's voxel, no voxel shared between clouds, and how many there are."""
    lowest_3 = cells_N3.amin(0) if len(cells_N3) else cells_N3.new_zeros(3)
    cells_N4 = torch.cat([batch_N[:, None], (cells_N3 - lowest_3).long()], dim=1)
    extent_4 = cells_N4.amax(0) + 1 if len(cells_N4) else torch.ones(4, dtype=torch.long)
    key_N = ((cells_N4[:, 0] * extent_4[1] + cells_N4[:, 1]) * extent_4[2] + cells_N4[:, 2]) * extent_4[3]
    _, voxel_N = torch.unique(key_N + cells_N4[:, 3], return_inverse=True)
    return voxel_N, int(voxel_N.max()) + 1 if len(voxel_N) else 0


def _voxel_mean(values_NW: torch.Tensor, voxel_N: torch.Tensor, voxels: int) -> torch.Tensor:
    sums_VW = torch.zeros(voxels, values_NW.shape[1], dtype=values_NW.dtype, device=values_NW.device)
    counts_V = torch.bincount(voxel_N, minlength=voxels).to(values_NW.dtype)
    return sums_VW.index_add(0, voxel_N, values_NW) / counts_V[:, None]


class Segmenter(nn.Module):
    """The whole network.

    Args:
        classes: K.
        fusion: None: 3-D only, the same network with a linear layer in the fusion's place.
        dtype: in which the fusion computes: weights, activations, and what the consistency loss gets. The optimiser's
            weights stay float32, so that what breaks is the arithmetic and not Adam's own epsilon.
        seed: of the first weights. Backbone, heads and the 96 → 256 projection start equal with and without fusion.
    """

    def __init__(
        self, classes: int, fusion: BiFusionEncoder | None, *, dtype: torch.dtype = torch.float32, seed: int = 0
    ) -> None:
        super().__init__()
        torch.manual_seed(seed)
        self.backbone = VoxelMLP()
        lift = nn.Linear(POINT_WIDTH, FUSION_WIDTH)
        self.semantic_head = nn.Sequential(nn.Linear(FUSION_WIDTH, 96), nn.GELU(), nn.Linear(96, classes))
        self.offset_head = nn.Sequential(nn.Linear(FUSION_WIDTH, 96), nn.GELU(), nn.Linear(96, 3))
        self.dtype = dtype
        self.fusion = fusion
        self.lift = lift if fusion is None else None
        if fusion is not None:
            fusion.point_projection.load_state_dict(lift.state_dict())
            for part in (*fusion.gate, fusion.image_encoder.spatial_projection, fusion.image_encoder.global_projection):
                if isinstance(part, nn.Linear):
                    part.reset_parameters()

    def forward(self, batch: Batch | Any, images: torch.Tensor | None) -> Outputs:
        """See `Outputs`.

        Args:
            batch: a `Batch`, or anything that holds one as `batch`.
            images: pixels, or kept tokens, of the batch's frames; None for 3-D only.
        """
        batch = getattr(batch, "batch", batch)
        features_NC = self.backbone(batch.local_N3_m, batch.rgb_N3, batch.batch_N)
        if self.fusion is None:
            assert self.lift is not None, "without fusion there is a linear layer in its place"
            fused_ND, fusion = self.lift(features_NC), None
        else:
            points = Points(batch.xyz_N3_m, features_NC, batch.batch_N)
            fusion = self.fuse(points, images, batch)
            fused_ND = fusion.feat_fusion.float()
        return Outputs(self.semantic_head(fused_ND), self.offset_head(fused_ND), fusion)

    def fuse(self, points: Points, images: torch.Tensor | None, batch: Batch) -> BiFusionOutput:
        """The fusion alone, in its own dtype."""
        assert self.fusion is not None and images is not None, "there is no fusion without images"
        if self.dtype == torch.float32:
            return self.fusion(points, images, batch.camera)
        weights = {name: weight.to(self.dtype) for name, weight in self.fusion.named_parameters()}
        return functional_call(self.fusion, weights, (points, images, batch.camera))


def semantic_loss(logits_NK: torch.Tensor, label_N: torch.Tensor) -> torch.Tensor:
    """Cross entropy over the labelled points; zero without any."""
    if not (label_N >= 0).any():
        return logits_NK[:0].float().sum()
    return F.cross_entropy(logits_NK.float(), label_N, ignore_index=-1)


def instance_loss(offset_N3_m: torch.Tensor, target_N3_m: torch.Tensor, thing_N: torch.Tensor) -> torch.Tensor:
    """PointGroup's: L1 distance to the object's middle plus one minus the cosine of the direction, over object points.

    Jiang et al., PointGroup (2020). Zero without object points.
    """
    if not thing_N.any():
        return offset_N3_m[:0].sum()
    offset, target = offset_N3_m[thing_N].float(), target_N3_m[thing_N]
    distance = (offset - target).abs().sum(1).mean()
    return distance + (1 - F.cosine_similarity(offset, target, dim=1, eps=1e-3)).mean()
