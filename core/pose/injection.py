"""A transformer block whose queries, keys and values take the three parts of a pose's conditioning vector.

    x ─LayerNorm─▶ q, k, v ─ + gate · (pose in three parts) ─▶ attention ─▶ + x ─LayerNorm─▶ MLP ─▶ +

Without a pose, or while the gate is zero, it is the plain pre-norm block, bit for bit.

**The key's part needs the normalisation of q and k.** One vector added to every key adds the same number, q · offset,
to all of a query's scores, and softmax does not see what all scores share: the keys' part would have no effect and no
gradient. With `qk_norm` (as in ViT-22B, Dehghani et al. 2023), which comes after the offsets, it has both. Take
`qk_norm=False` for the plain recipe.
"""

from __future__ import annotations

import torch
from torch import nn

from ..errors import InputError
from .words import Says


class PoseBlock(nn.Module):
    """A pre-norm transformer block, conditioned or not.

    Args:
        width: of a token; the conditioning vector has three times this.
        heads: attention heads; must divide `width`.
        mlp_ratio: hidden width of the MLP over `width`.
        qk_norm: LayerNorm of each head's queries and keys, after the pose is added.
        gate: a learned factor for each of the `3 · width` channels, zero at the start, so that training begins at the
            plain block whatever the pose encoder gives. False: the pose is added as it is.

    Raises:
        InputError: `heads` does not divide `width`.
    """

    def __init__(
        self, width: int, heads: int, mlp_ratio: float = 4.0, *, qk_norm: bool = True, gate: bool = True
    ) -> None:
        super().__init__()
        if heads < 1 or width % heads:
            raise InputError(
                Says.heads_divide_width(heads=heads, width=width), next_step=Says.heads_divide_width_next()
            )
        self.width, self.heads = width, heads
        self.norm_1, self.norm_2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.qkv = nn.Linear(width, 3 * width)
        self.out = nn.Linear(width, width)
        self.norm_q: nn.Module = nn.LayerNorm(width // heads) if qk_norm else nn.Identity()
        self.norm_k: nn.Module = nn.LayerNorm(width // heads) if qk_norm else nn.Identity()
        hidden = round(width * mlp_ratio)
        self.mlp = nn.Sequential(nn.Linear(width, hidden), nn.GELU(), nn.Linear(hidden, width))
        self.gate = nn.Parameter(torch.zeros(3 * width)) if gate else None

    def forward(self, tokens_BTW: torch.Tensor, pose_BW3: torch.Tensor | None = None) -> torch.Tensor:
        """Tokens `[B, T, W]` and the pose `[B, 3·W]` (queries, keys, values, in this order), or none → `[B, T, W]`."""
        batch, count, width = tokens_BTW.shape
        qkv_BTW3 = self.qkv(self.norm_1(tokens_BTW))
        if pose_BW3 is not None:
            offset_BW3 = pose_BW3 if self.gate is None else self.gate * pose_BW3
            qkv_BTW3 = qkv_BTW3 + offset_BW3[:, None, :]
        q, k, v = (
            part.view(batch, count, self.heads, width // self.heads).transpose(1, 2) for part in qkv_BTW3.chunk(3, -1)
        )
        seen = nn.functional.scaled_dot_product_attention(self.norm_q(q), self.norm_k(k), v)
        tokens_BTW = tokens_BTW + self.out(seen.transpose(1, 2).reshape(batch, count, width))
        out_BTW: torch.Tensor = tokens_BTW + self.mlp(self.norm_2(tokens_BTW))
        return out_BTW
