"""The face model: frontal landmarks and a pose in, the landmarks under that pose out.

    front [B, 68, 2] ─ 17 tokens of four neighbouring landmarks ─▶ PoseBlock × layers ─▶ + front ─▶ [B, 68, 2]
    angles [B, 3] ─ any encoder of `core.pose.encoders` ─▶ [B, 3·width] ──────▲

The pose reaches the trunk only through the blocks' queries, keys and values. All blocks take the same vector.
"""

from __future__ import annotations

import torch
from torch import nn

from core.pose.encoders import PoseEncoder
from core.pose.injection import PoseBlock
from experiments.pose_encoder.landmarks import LANDMARKS

GROUP = 4  # landmarks in a token: 17 tokens instead of 68 make a run four times as quick


class FaceModel(nn.Module):
    """See the module.

    Args:
        pose_encoder: of output width `3 · width`.
        width, layers, heads, mlp_ratio, qk_norm, gate: of the blocks.
        seed: of the trunk's first weights, which do not depend on the pose encoder. torch's own generator is left
            alone.
    """

    def __init__(
        self,
        pose_encoder: PoseEncoder,
        *,
        width: int = 48,
        layers: int = 2,
        heads: int = 2,
        mlp_ratio: float = 2.0,
        qk_norm: bool = True,
        gate: bool = False,
        seed: int = 0,
    ) -> None:
        super().__init__()
        assert pose_encoder.output_dim == 3 * width, "three parts as wide as a token"
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.enter = nn.Linear(2 * GROUP, width)
            self.place = nn.Parameter(0.5 * torch.randn(LANDMARKS // GROUP, width))
            self.blocks = nn.ModuleList(
                PoseBlock(width, heads, mlp_ratio, qk_norm=qk_norm, gate=gate) for _ in range(layers)
            )
            self.norm = nn.LayerNorm(width)
            self.leave = nn.Linear(width, 2 * GROUP)
        self.pose_encoder = pose_encoder

    def forward(self, front_BK2: torch.Tensor, angles_deg_B3: torch.Tensor) -> torch.Tensor:
        """Landmarks `[B, 68, 2]` in units of the frontal box, and degrees `[B, 3]` → landmarks `[B, 68, 2]`."""
        pose_BW3 = self.pose_encoder(angles_deg_B3)
        tokens_BTW = self.enter(front_BK2.reshape(len(front_BK2), LANDMARKS // GROUP, 2 * GROUP)) + self.place
        for block in self.blocks:
            tokens_BTW = block(tokens_BTW, pose_BW3)
        moved_BK2 = self.leave(self.norm(tokens_BTW)).reshape(front_BK2.shape)
        return front_BK2 + moved_BK2


def landmark_loss(predicted_BK2: torch.Tensor, seen_BK2: torch.Tensor) -> torch.Tensor:
    """The metric itself, NME as a fraction; smooth where a landmark is hit."""
    box_B = (seen_BK2.amax(dim=1) - seen_BK2.amin(dim=1)).prod(dim=1).sqrt()
    squared_BK = (predicted_BK2 - seen_BK2).square().sum(dim=2)
    return ((squared_BK + 1e-6).sqrt().mean(dim=1) / box_B).mean()
