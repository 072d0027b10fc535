"""A foreground map from CLIP's own patches, without training: the last block is read in another way.

Only the attention of the last block (and whether its residual and feed-forward stay) differs between the methods; then
`ln_post`, the projection, and the same softmax over the prompts as for components.

| method | attention | residual and feed-forward | source |
| --- | --- | --- | --- |
| `clearclip` (default) | softmax(q·qᵀ) | dropped | ClearCLIP, arXiv 2407.12442 |
| `maskclip` | each patch its own value | kept | MaskCLIP, arXiv 2112.01071 |
| `sclip` | softmax(q·qᵀ) + softmax(k·kᵀ) | kept | SCLIP, arXiv 2312.01597 |
| `naclip` | softmax(k·kᵀ + Gaussian of the distance, σ = 5 patches) | dropped | NACLIP, arXiv 2404.08181 |
| `clip` | the model's own | kept | the encoder's `patch_tokens`, for comparison |

An image that is not square is seen through overlapping square windows, so that nothing is cropped away.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from ..errors import OutOfMemory, Unsupported
from ..images.crops import Box, crop
from ..messages import Message
from ..models.device import is_out_of_memory
from ..models.encoder import Encoder
from .prompts import PromptSet
from .request import DEFAULT_METHOD, HeatMethod, check_method
from .scoring import Mode, logits, softmax
from .words import Says

if TYPE_CHECKING:
    import torch

MAX_WINDOWS = 16
MAP_PX = 512  # longer side of a map; patches are far coarser
NACLIP_SIGMA_PATCHES = 5.0


@dataclass(frozen=True)
class DenseFeatures:
    """The patches of one image; changed prompts make a new map of these without the image tower.

    Attributes:
        method: how the last block was read.
        image_hw: size of the image, pixels.
        windows: where each of the N windows lies.
        patches_NPD: float32, L2-normalised, row-major over the grid.
        grid_hw: P = h · w.
    """

    method: HeatMethod
    image_hw: tuple[int, int]
    windows: tuple[Box, ...]
    patches_NPD: np.ndarray
    grid_hw: tuple[int, int]


@dataclass(frozen=True)
class HeatMap:
    """How much of each place is foreground.

    Attributes:
        method: how the last block was read.
        image_hw: size of the image, pixels.
        p_pos_HW: float32 0..1, `p_pos_sum` of the patches, bilinear in between; its longer side is at most `MAP_PX`.
    """

    method: HeatMethod
    image_hw: tuple[int, int]
    p_pos_HW: np.ndarray

    def resized(self, size_hw: tuple[int, int]) -> np.ndarray:
        """The map in another size (bilinear), float32 `[h, w]`."""
        return _bilinear(self.p_pos_HW, size_hw)


def heat_map(
    dense: DenseFeatures, texts_KD: np.ndarray, logit_scale: float, prompts: PromptSet, mode: Mode = "note"
) -> HeatMap:
    """The map for these prompts. `texts_KD` are L2-normalised, in the order of `prompts.texts`."""
    n_windows, _, dim = dense.patches_NPD.shape
    cosines = dense.patches_NPD.reshape(-1, dim) @ texts_KD.T
    positive, _, _ = prompts.slices
    p_pos = softmax(logits(cosines, logit_scale, prompts, mode))[:, positive].sum(axis=1)
    grids = p_pos.astype(np.float32).reshape(n_windows, *dense.grid_hw)
    return HeatMap(dense.method, dense.image_hw, _stitch(grids, dense.windows, dense.image_hw))


def dense_features(
    rgb_HWC: np.ndarray, encoder: Encoder, method: HeatMethod = DEFAULT_METHOD, *, batch_size: int = MAX_WINDOWS
) -> DenseFeatures:
    """One image → its patches in the space of the texts.

    Raises:
        Unsupported: the architecture has no patch tokens (ConvNeXt, ResNet …) or they are not in the text's space.
        OutOfMemory: not even one window fits.
    """
    check_method(method)
    image_hw = (rgb_HWC.shape[0], rgb_HWC.shape[1])
    windows = windows_of(image_hw)
    pixels = [encoder.preprocess(_square(crop(rgb_HWC, window), encoder.spec.input_px)) for window in windows]
    parts: list[np.ndarray] = []
    begin = 0
    while begin < len(pixels):
        import torch

        try:
            tokens = patch_tokens(encoder, torch.stack(pixels[begin : begin + batch_size]), method)
        except Exception as error:
            if not is_out_of_memory(error):
                raise
            tokens = None
        if tokens is None:
            if batch_size == 1:
                raise OutOfMemory(Says.heat_out_of_memory(), where=encoder.spec.id, next_step=Says.choose_cpu())
            batch_size = max(1, min(batch_size, len(pixels) - begin) // 2)
            continue
        patches_BPD, grid_hw = tokens
        parts.append(torch.nn.functional.normalize(patches_BPD.float(), dim=-1).cpu().numpy())
        begin += batch_size
    return DenseFeatures(method, image_hw, windows, np.concatenate(parts), grid_hw)


def unsupported_reason(encoder: Encoder) -> Message | None:
    """Why this model gives no heat map, in a sentence; None if it does."""
    from open_clip.transformer import VisionTransformer

    if not encoder.spec.has_text:
        return Says.heat_needs_text(model=encoder.spec.id)
    visual = getattr(encoder.module, "visual", None)
    if not isinstance(visual, VisionTransformer):
        return Says.heat_needs_vit(model=encoder.spec.id)
    if visual.attn_pool is not None:
        return Says.heat_attention_pool(model=encoder.spec.id)
    if getattr(visual.transformer.resblocks[-1].attn, "logit_scale", None) is not None:
        return Says.heat_cosine_attention(model=encoder.spec.id)
    return None


# --- the last block ---------------------------------------------------------------------------------------------------


def patch_tokens(
    encoder: Encoder, pixels_BCHW: torch.Tensor, method: HeatMethod
) -> tuple[torch.Tensor, tuple[int, int]]:
    """`pixels_BCHW` as `encode_images` takes them → (`patches_BPD`, grid)."""
    if method == "clip":
        tokens = encoder.patch_tokens(pixels_BCHW)
        return tokens.patches_BPD, tokens.grid_hw
    reason = unsupported_reason(encoder)
    if reason is not None:
        raise Unsupported(reason, where=encoder.spec.id, next_step=Says.choose_vit())
    import torch

    from ..models import vit

    tower = encoder.module.visual
    grid_hw = vit.grid_hw(tower)
    with torch.inference_mode():
        hidden_BTW = vit.walk(tower, vit.enter(tower, _normalised(encoder, pixels_BCHW)), stop=-1)
        out_BTW = last_block(vit.blocks(tower)[-1], hidden_BTW, method, grid_hw)
        return vit.project(tower, vit.last_norm(tower)(out_BTW[:, 1:])), grid_hw


def last_block(
    block: torch.nn.Module, hidden_BTW: torch.Tensor, method: HeatMethod, grid_hw: tuple[int, int]
) -> torch.Tensor:
    """open_clip's last residual block with another attention. `clip` computes what the block itself does.

    Handles both of open_clip's attentions (torch's `MultiheadAttention` and its own `Attention` with norms on queries
    and keys, head scales and an inner norm) and layer scales. Token 0 is the class token.
    """
    keep = method in ("maskclip", "sclip", "clip")
    attended = _attend(block.attn, block.ln_1(hidden_BTW), method, grid_hw)
    branch = block.ls_1(getattr(block, "ln_attn", _same)(attended))
    if not keep:
        return branch
    hidden_BTW = hidden_BTW + branch
    return hidden_BTW + block.ls_2(block.mlp(block.ln_2(hidden_BTW)))


def _attend(
    attention: torch.nn.Module, input_BTW: torch.Tensor, method: HeatMethod, grid_hw: tuple[int, int]
) -> torch.Tensor:
    import torch

    batch, n_tokens, width = input_BTW.shape
    heads = attention.num_heads
    projected = torch.nn.functional.linear(input_BTW, attention.in_proj_weight, attention.in_proj_bias)
    q, k, v = (part.view(batch, n_tokens, heads, -1).transpose(1, 2) for part in projected.chunk(3, dim=-1))
    q, k = getattr(attention, "ln_q", _same)(q), getattr(attention, "ln_k", _same)(k)
    scale = q.shape[-1] ** -0.5

    def weights(a: torch.Tensor, b: torch.Tensor, bias: torch.Tensor | float = 0.0) -> torch.Tensor:
        """float32 whatever the model's dtype: sums of many small numbers."""
        return torch.softmax(a.float() @ b.float().transpose(-1, -2) * scale + bias, dim=-1)

    if method == "maskclip":
        mixed = v.float()
    elif method == "clearclip":
        mixed = weights(q, q) @ v.float()
    elif method == "sclip":
        mixed = (weights(q, q) + weights(k, k)) @ v.float()
    elif method == "naclip":
        mixed = weights(k, k, _neighbourhood(grid_hw, NACLIP_SIGMA_PATCHES).to(k.device)) @ v.float()
    else:
        mixed = weights(q, k) @ v.float()
    mixed = mixed.to(v.dtype)
    head_scale = getattr(attention, "head_scale", None)
    if head_scale is not None:
        mixed = mixed * head_scale
    mixed_BTW = mixed.transpose(1, 2).reshape(batch, n_tokens, width)
    return attention.out_proj(getattr(attention, "ln_inner", _same)(mixed_BTW))


def _neighbourhood(grid_hw: tuple[int, int], sigma_patches: float) -> torch.Tensor:
    """exp(−distance² / 2σ²) between patches, float32 `[1 + P, 1 + P]`; 0 from and to the class token."""
    import torch

    height, width = grid_hw
    places_P2 = torch.cartesian_prod(torch.arange(height), torch.arange(width)).float()
    near_PP = torch.exp(-(torch.cdist(places_P2, places_P2) ** 2) / (2 * sigma_patches**2))
    return torch.nn.functional.pad(near_PP, (1, 0, 1, 0))


def _normalised(encoder: Encoder, pixels_BCHW: torch.Tensor) -> torch.Tensor:
    """What the module takes: on its device, in its dtype; uint8 pixels are normalised, float ones are already."""
    import torch

    pixels = pixels_BCHW.to(encoder.device)
    if pixels.dtype == torch.uint8:
        mean, std = (
            torch.tensor(values, device=encoder.device).view(1, 3, 1, 1)
            for values in (encoder.spec.preprocessing.mean, encoder.spec.preprocessing.std)
        )
        pixels = (pixels.float() / 255 - mean) / std
    return pixels.to(encoder.dtype)


def _same(value: torch.Tensor) -> torch.Tensor:
    return value


# --- windows ----------------------------------------------------------------------------------------------------------


def windows_of(image_hw: tuple[int, int]) -> tuple[Box, ...]:
    """Squares of the shorter side, each overlapping the next by half or more; for very long images at most
    `MAX_WINDOWS` rectangles."""
    height_px, width_px = image_hw
    long_px, short_px = max(image_hw), min(image_hw)
    count = min(MAX_WINDOWS, 1 + math.ceil(2 * (long_px - short_px) / short_px))
    side_px = max(short_px, math.ceil(2 * long_px / (count + 1)))
    starts = [round(place * (long_px - side_px) / (count - 1)) for place in range(count)] if count > 1 else [0]
    if width_px >= height_px:
        return tuple((start, 0, start + side_px, height_px) for start in starts)
    return tuple((0, start, width_px, start + side_px) for start in starts)


def _square(rgb_HWC: np.ndarray, side_px: int) -> np.ndarray:
    """A window of a very long image is squashed, so that the preprocessing crops nothing off."""
    if rgb_HWC.shape[0] == rgb_HWC.shape[1]:
        return rgb_HWC
    return np.asarray(Image.fromarray(rgb_HWC).resize((side_px, side_px), Image.Resampling.BICUBIC))


def _stitch(grids_Nhw: np.ndarray, windows: tuple[Box, ...], image_hw: tuple[int, int]) -> np.ndarray:
    """Patch grids → one map; where windows overlap, the one whose middle is nearer weighs more."""
    scale = min(1.0, MAP_PX / max(image_hw))
    height, width = (max(1, round(side * scale)) for side in image_hw)
    total, weight = np.zeros((height, width)), np.zeros((height, width))
    for grid_hw, (x0, y0, x1, y1) in zip(grids_Nhw, windows, strict=True):
        left, right = _span(x0 * scale, x1 * scale, width)
        top, bottom = _span(y0 * scale, y1 * scale, height)
        piece_hw = (bottom - top, right - left)
        tent = np.outer(_tent(piece_hw[0]), _tent(piece_hw[1]))
        total[top:bottom, left:right] += tent * _bilinear(grid_hw, piece_hw)
        weight[top:bottom, left:right] += tent
    return np.clip(total / weight, 0.0, 1.0).astype(np.float32)


def _span(start: float, stop: float, size: int) -> tuple[int, int]:
    first = min(math.floor(start + 1e-6), size - 1)
    return first, min(size, max(first + 1, math.ceil(stop - 1e-6)))


def _tent(size: int) -> np.ndarray:
    places = (np.arange(size) + 0.5) / size
    return np.minimum(places, 1 - places)


def _bilinear(values_hw: np.ndarray, size_hw: tuple[int, int]) -> np.ndarray:
    image = Image.fromarray(np.ascontiguousarray(values_hw, dtype=np.float32))
    return np.asarray(image.resize((size_hw[1], size_hw[0]), Image.Resampling.BILINEAR))
