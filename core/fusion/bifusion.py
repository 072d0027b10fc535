"""CLIP's image features on 3-D points: `BiFusionEncoder.forward` is the whole way.

    images ─ViT▶ patch tokens ─Linear▶ spatial_BCHW ─┐ sampled where each point is seen ▶ f2d ─┐
                 class token  ─Linear▶ clip_global   │                                          ├─gate▶ feat_fusion
    points, camera ─project▶ pixels, validity ───────┘      96-d point features ─Linear▶ f3d ──┘

    α = σ(MLP[f3d; f2d; valid]) · valid           feat_fusion = f3d + α · f2d

A point that no image sees keeps its 3-D feature as it is. `losses.ClipConsCriterion` takes the output.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import torch
import torchvision
from torch import nn

from ..errors import InputError, Unsupported
from ..models import catalogue, vit, weights
from ..models.encoder import Encoder
from .projection import OCCLUSION_M, Camera, Projection, project, sample_features
from .words import Says

POINT_WIDTH = 96  # what the usual 3-D backbones put out
FUSION_WIDTH = 256
ALL_BLOCKS = -1


@dataclass(frozen=True)
class Points:
    """The points of a batch, all clouds after one another.

    Attributes:
        xyz_N3_m: world coordinates.
        features_NC: of the 3-D backbone, C = 96 unless the encoder was made for another width.
        batch_N: int64, which image each point belongs to; None: there is one image.
    """

    xyz_N3_m: torch.Tensor
    features_NC: torch.Tensor
    batch_N: torch.Tensor | None = None


class BiFusionOutput(NamedTuple):
    """N points and B images.

    Attributes:
        feat_fusion: `[N, 256]`.
        clip_global: `[B, 256]`.
        batch_N: the image of each point.
        gate_NC: α, zero where a point is not seen.
        projection: where each point falls, and why it is not seen.
    """

    feat_fusion: torch.Tensor
    clip_global: torch.Tensor
    batch_N: torch.Tensor
    gate_NC: torch.Tensor
    projection: Projection

    @property
    def valid_N(self) -> torch.Tensor:
        """Whether a point has an image feature at all."""
        return self.projection.valid_N


class Enhanced2DEncoder(nn.Module):
    """A ViT's tokens as a feature map and one vector: `[B, 3, 224, 224]` → `[B, 256, 14, 14]`, `[B, 256]` for a B/16.

    The tokens are those after the last norm and before CLIP's own projection (768 wide in a B/16); two linear layers
    bring them to `width`.

    Args:
        visual: open_clip's or torchvision's `VisionTransformer`; kept, not copied. It stays in eval mode.
        width: of both outputs.
        trainable_blocks: how many of the last transformer blocks train, the last norm with them; 0: the ViT is frozen;
            `ALL_BLOCKS`: everything up to the last norm.

    Raises:
        Unsupported: not a ViT of these two kinds.
    """

    def __init__(self, visual: nn.Module, width: int = FUSION_WIDTH, *, trainable_blocks: int = 0) -> None:
        super().__init__()
        if not vit.is_vit(visual):
            raise Unsupported(Says.needs_a_vit(), where=type(visual).__name__, next_step=Says.needs_a_vit_next())
        depth = len(vit.blocks(visual))
        if not ALL_BLOCKS <= trainable_blocks <= depth:
            raise InputError(
                Says.blocks_to_train(depth=depth, count=trainable_blocks),
                where="trainable_blocks",
                next_step=Says.blocks_to_train_next(depth=depth, everything=ALL_BLOCKS),
            )
        self.visual = visual.eval().requires_grad_(False)
        self.frozen_blocks = 0 if trainable_blocks == ALL_BLOCKS else depth - trainable_blocks
        self.trains_all = trainable_blocks == ALL_BLOCKS
        moving = (visual,) if self.trains_all else (*vit.blocks(visual)[self.frozen_blocks :], vit.last_norm(visual))
        for part in moving:
            part.requires_grad_(bool(trainable_blocks))
        for unused in _behind_last_norm(visual):  # several devices would wait for their gradients
            unused.requires_grad_(False)
        token_width = vit.last_norm(visual).normalized_shape[0]
        self.spatial_projection = nn.Linear(token_width, width)
        self.global_projection = nn.Linear(token_width, width)

    @classmethod
    def from_encoder(
        cls, encoder: Encoder, width: int = FUSION_WIDTH, *, trainable_blocks: int = 0
    ) -> Enhanced2DEncoder:
        """Over a copy of a loaded model's image tower, in float32; the lent model is left as it is."""
        visual = getattr(encoder.module, "visual", encoder.module)
        return cls(copy.deepcopy(visual).float(), width, trainable_blocks=trainable_blocks)

    @classmethod
    def from_catalogue(
        cls,
        model_id: str = "openai_clip_vit_b16",
        weights_dir: Path | None = None,
        width: int = FUSION_WIDTH,
        *,
        trainable_blocks: int = 0,
    ) -> Enhanced2DEncoder:
        """Over a model of the catalogue.

        Raises:
            UnknownModel, WeightsMissing, WeightsInvalid: as loading does. Unsupported: it is no ViT.
        """
        from ..settings import Settings

        weights_dir = weights_dir or Settings().weights_dir
        spec = catalogue.find(model_id, weights_dir)
        encoder = weights.load_encoder(spec, weights_dir, torch.device("cpu"), torch.float32)
        return cls.from_encoder(encoder, width, trainable_blocks=trainable_blocks)

    @property
    def image_hw(self) -> tuple[int, int]:
        """Size of the images it takes."""
        size = self.visual.image_size
        return (int(size[0]), int(size[1])) if isinstance(size, (tuple, list)) else (int(size), int(size))

    @property
    def grid_hw(self) -> tuple[int, int]:
        """Patches down and across."""
        return vit.grid_hw(self.visual)

    def train(self, mode: bool = True) -> Enhanced2DEncoder:
        """The ViT stays in eval mode: patch dropout would leave holes in the map."""
        super().train(mode)
        self.visual.eval()
        return self

    def forward(self, images: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Spatial features `[B, width, h, w]` and the global feature `[B, width]`.

        Args:
            images: preprocessed `pixels_BCHW`, or the tokens `[B, T, W]` that `frozen_tokens` made of them.
        """
        hidden_BTW = self.frozen_tokens(images) if images.ndim == 4 else images
        hidden_BTW = hidden_BTW.to(self.global_projection.weight.dtype)
        hidden_BTW = vit.walk(self.visual, hidden_BTW, start=self.frozen_blocks)
        pooled_BW, patches_BPW = vit.leave(self.visual, hidden_BTW)
        spatial_BCHW = self.spatial_projection(patches_BPW).transpose(1, 2).unflatten(2, self.grid_hw)
        return spatial_BCHW, self.global_projection(pooled_BW)

    def frozen_tokens(self, images_BCHW: torch.Tensor) -> torch.Tensor:
        """The tokens as they enter the first block that trains: what may be computed once and kept.

        Without gradients, unless everything trains.

        Raises:
            InputError: images of another shape.
        """
        if images_BCHW.ndim != 4 or images_BCHW.shape[1:] != (3, *self.image_hw):
            raise InputError(
                Says.images_shape(height=self.image_hw[0], width=self.image_hw[1], shape=list(images_BCHW.shape)),
                where="Enhanced2DEncoder",
                next_step=Says.images_shape_next(),
            )
        with torch.set_grad_enabled(self.trains_all and torch.is_grad_enabled()):
            hidden_BTW = vit.enter(self.visual, images_BCHW.to(vit.last_norm(self.visual).weight.dtype))
            return vit.walk(self.visual, hidden_BTW, stop=self.frozen_blocks)


class BiFusionEncoder(nn.Module):
    """Fuses image features into point features. See the module.

    Args:
        image_encoder: what makes the image features.
        point_width: of the 3-D features.
        gate_width: of the gate's hidden layer.
        norm: a layer norm behind each projection; the note has none.
        occlusion_m: see `projection.project`; counts where the camera has depth.
    """

    def __init__(
        self,
        image_encoder: Enhanced2DEncoder,
        point_width: int = POINT_WIDTH,
        *,
        gate_width: int = 64,
        norm: bool = False,
        occlusion_m: float = OCCLUSION_M,
    ) -> None:
        super().__init__()
        width = image_encoder.global_projection.out_features
        self.image_encoder = image_encoder
        self.point_projection = nn.Linear(point_width, width)
        self.point_norm, self.image_norm, self.global_norm = (
            nn.LayerNorm(width) if norm else nn.Identity() for _ in range(3)
        )
        self.gate = nn.Sequential(nn.Linear(2 * width + 1, gate_width), nn.GELU(), nn.Linear(gate_width, width))
        self.occlusion_m = occlusion_m

    def forward(self, points: Points, images: torch.Tensor, camera: Camera) -> BiFusionOutput:
        """Fused features of N points in B images.

        Args:
            points: of all images together.
            images: preprocessed `pixels_BCHW`, or tokens of `Enhanced2DEncoder.frozen_tokens`.
            camera: for the images **as they were preprocessed**.

        Raises:
            InputError: shapes that do not fit each other.
        """
        features_NC = self._checked(points, images, camera)
        batch_N = points.batch_N
        if batch_N is None:
            batch_N = torch.zeros(len(points.xyz_N3_m), dtype=torch.long, device=points.xyz_N3_m.device)
        projection = project(points.xyz_N3_m, batch_N, camera, occlusion_m=self.occlusion_m)
        valid_N = projection.valid_N
        spatial_BCHW, clip_global = self.image_encoder(images)
        f2d_ND = self.image_norm(sample_features(spatial_BCHW, projection.uv_N2_px, batch_N, valid_N, camera.image_hw))
        f3d_ND = self.point_norm(self.point_projection(features_NC.to(self.point_projection.weight.dtype)))
        seen_N1 = valid_N[:, None].to(f3d_ND.dtype)
        gate_ND = torch.sigmoid(self.gate(torch.cat([f3d_ND, f2d_ND, seen_N1], dim=1))) * seen_N1
        fused_ND = f3d_ND + gate_ND * f2d_ND
        return BiFusionOutput(fused_ND, self.global_norm(clip_global), batch_N, gate_ND, projection)

    def _checked(self, points: Points, images: torch.Tensor, camera: Camera) -> torch.Tensor:
        features_NC = points.features_NC
        expected = (len(points.xyz_N3_m), self.point_projection.in_features)
        if tuple(features_NC.shape) != expected:
            raise InputError(
                Says.point_features_shape(expected=list(expected), shape=list(features_NC.shape)),
                where="BiFusionEncoder",
                next_step=Says.point_features_shape_next(),
            )
        if len(images) != len(camera):
            raise InputError(
                Says.images_and_cameras(images=len(images), cameras=len(camera)),
                where="BiFusionEncoder",
                next_step=Says.images_and_cameras_next(),
            )
        if camera.image_hw != self.image_encoder.image_hw:
            raise InputError(
                Says.camera_image_size(cameras=list(camera.image_hw), model=list(self.image_encoder.image_hw)),
                where="BiFusionEncoder",
                next_step=Says.camera_image_size_next(),
            )
        return features_NC


def _behind_last_norm(tower: nn.Module) -> list[nn.Parameter]:
    """The weights that only CLIP's own output, or ImageNet's classes, pass through."""
    if isinstance(tower, torchvision.models.VisionTransformer):
        return list(tower.heads.parameters())
    return [] if tower.proj is None else [tower.proj]
