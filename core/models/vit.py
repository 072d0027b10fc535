"""A ViT's image tower, step by step: for whoever looks between its blocks, or changes what happens there.

    input_BCHW ─enter▶ hidden_BTW ─walk▶ hidden_BTW ─leave▶ pooled_BW, patches_BPW ─project▶ in the space of the texts

T = 1 + P tokens, the class token first, then the patches row by row. Both kinds of `VisionTransformer` are walked,
open_clip's and torchvision's; all steps together give what the tower itself does, which the tests hold to 1e-5.
"""

from __future__ import annotations

import torch
from torch import nn
from torchvision.models import VisionTransformer as TorchvisionViT


def is_vit(tower: nn.Module) -> bool:
    """Whether the tower is one of the two kinds, with a class token and patches in one space."""
    if isinstance(tower, TorchvisionViT):
        return True
    from open_clip.transformer import VisionTransformer as OpenClipViT  # seconds, unpaid by torchvision's models

    return isinstance(tower, OpenClipViT) and tower.attn_pool is None


def blocks(vit: nn.Module) -> nn.ModuleList | nn.Sequential:
    """The residual blocks, first to last."""
    return vit.encoder.layers if isinstance(vit, TorchvisionViT) else vit.transformer.resblocks


def last_norm(vit: nn.Module) -> nn.LayerNorm:
    return vit.encoder.ln if isinstance(vit, TorchvisionViT) else vit.ln_post


def grid_hw(vit: nn.Module) -> tuple[int, int]:
    """Patches down and across."""
    if isinstance(vit, TorchvisionViT):
        return vit.image_size // vit.patch_size, vit.image_size // vit.patch_size
    return int(vit.grid_size[0]), int(vit.grid_size[1])


def enter(vit: nn.Module, input_BCHW: torch.Tensor, class_offset_BW: torch.Tensor | None = None) -> torch.Tensor:
    """Normalised pixels → `hidden_BTW` with positions, as the first block takes it.

    Args:
        class_offset_BW: added to the class token before its position.
    """
    if isinstance(vit, TorchvisionViT):
        patches_BPW = vit._process_input(input_BCHW)
        class_11W, positions_TW = vit.class_token, vit.encoder.pos_embedding
    else:
        patches_BPW = vit.conv1(input_BCHW).flatten(2).transpose(1, 2)
        class_11W, positions_TW = vit.class_embedding[None, None], vit.positional_embedding
    class_B1W = class_11W.to(patches_BPW.dtype).expand(len(patches_BPW), -1, -1)
    if class_offset_BW is not None:
        class_B1W = class_B1W + class_offset_BW[:, None].to(patches_BPW.dtype)
    hidden_BTW = torch.cat([class_B1W, patches_BPW], dim=1) + positions_TW.to(patches_BPW.dtype)
    if isinstance(vit, TorchvisionViT):
        return vit.encoder.dropout(hidden_BTW)
    return vit.ln_pre(vit.patch_dropout(hidden_BTW))


def walk(vit: nn.Module, hidden_BTW: torch.Tensor, start: int = 0, stop: int | None = None) -> torch.Tensor:
    """`hidden_BTW` through the blocks `start:stop`, counted as a slice does."""
    tokens_first = not isinstance(vit, TorchvisionViT) and not vit.transformer.batch_first
    hidden = hidden_BTW.transpose(0, 1) if tokens_first else hidden_BTW
    for block in blocks(vit)[start:stop]:
        hidden = block(hidden)
    return hidden.transpose(0, 1) if tokens_first else hidden


def leave(vit: nn.Module, hidden_BTW: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """What the last block gave → `pooled_BW` as the tower pools it, and `patches_BPW`; both behind the last norm."""
    patches_BPW = last_norm(vit)(hidden_BTW[:, 1:])
    if isinstance(vit, TorchvisionViT):
        return last_norm(vit)(hidden_BTW[:, 0]), patches_BPW
    return vit._pool(hidden_BTW)[0], patches_BPW


def project(vit: nn.Module, tokens: torch.Tensor) -> torch.Tensor:
    """`[…, W]` behind the last norm → `[…, D]`, by the tower's own projection where it has one."""
    projection_WD = None if isinstance(vit, TorchvisionViT) else vit.proj
    return tokens if projection_WD is None else tokens @ projection_WD.to(tokens.dtype)
