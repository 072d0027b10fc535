"""Words and numbers together."""

from __future__ import annotations

import torch
from torch import nn

from ...errors import InputError
from ..words import Says
from .captions import CLIPPoseEncoder
from .protocol import PoseEncoder
from .tensors import checked_tensor


class HybridPoseEncoder(PoseEncoder):
    """CLIP and MLP, added: words for what they mean, numbers for what they leave out.

    Args:
        clip, mlp: two encoders of one `output_dim`.
    """

    def __init__(self, clip: CLIPPoseEncoder, mlp: PoseEncoder) -> None:
        nn.Module.__init__(self)
        if clip.output_dim != mlp.output_dim:
            raise InputError(
                Says.hybrid_output_dims(clip=clip.output_dim, mlp=mlp.output_dim),
                next_step=Says.hybrid_output_dims_next(),
            )
        self.clip, self.mlp, self.weights_sha256 = clip, mlp, clip.weights_sha256
        self.output_dim, self.feature_dim = clip.output_dim, clip.feature_dim + mlp.feature_dim

    def features(self, angles_deg_B3: torch.Tensor) -> torch.Tensor:
        return torch.cat([self.clip.features(angles_deg_B3), self.mlp.features(angles_deg_B3)], dim=1)

    def prepare(self, angles_deg_N3: torch.Tensor) -> None:
        self.clip.prepare(angles_deg_N3)

    def forward(self, angles_deg_B3: torch.Tensor) -> torch.Tensor:
        angles_deg_B3 = checked_tensor(angles_deg_B3)
        out: torch.Tensor = self.clip(angles_deg_B3) + self.mlp(angles_deg_B3)
        return out
