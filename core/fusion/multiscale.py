"""Multi-scale context from a CLIP ViT's patch tokens, added to its class token.

    tokens_BTD ─split▶ cls_BD, patches_BND ─windows of 4, 8, 16 tokens▶ pooled ─concatenated, fused▶ context_BD
    cls_BD + context_BD ─▶ tokens_BTD of the same shape; everything after stays as it was

`CLIPMultiScaleFeatureExtractor` is plan 1 (in CLIP's own width), `CLIPWithProjectionMultiScale` is plan 2 (in a wider
space, there and back); `MultiScaleOnCLS` adds either to the class token of any open_clip ViT. T = N + 1 tokens.

What the windows see. As specified they slide over the flattened sequence, so on the 16 × 8 grid of a 256 × 128 picture
4, 8 and 16 tokens are half a row, a row and two rows. A convolution whose stride is its kernel, followed by an average,
is *linear in s phase means*: `mean_j conv(x)_j = Σ_k W_k · mean_j x[s·j + k] + b`. It cannot tell where a window lies,
nor which tokens shared one; and it costs no more than one window, since the average may be taken first. Of the options
beside the specified modules, an `activation` or `pool="max"` takes that limit away. An overlapping `stride` and true
two-dimensional `windows` change which tokens a window holds; averaged without an activation they are linear still.
All options default to the specification.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import torch
import torch.nn.functional as F
from torch import nn

from ..errors import InputError
from ..words import Common
from .words import Says

Activation = Literal["none", "relu", "gelu"]
Pool = Literal["mean", "max"]
Windows = Literal["1d", "2d"]
Stride = int | Literal["window", "half"]
Scale = int | Sequence[int]

DEFAULT_SCALES = (4, 8, 16)

_ACTIVATIONS: dict[str, type[nn.Module]] = {"none": nn.Identity, "relu": nn.ReLU, "gelu": nn.GELU}


class CLIPMultiScaleSlidingWindow(nn.Module):
    """Patch tokens → one vector: a convolution for each scale, pooled over its windows, concatenated and fused.

    With the defaults, for each scale s a `Conv1d(D, D, kernel s, stride s)` without padding over the token sequence:
    **the tail of N mod s tokens is dropped**, and the average makes it linear in s phase means (see the module). A
    sequence shorter than s is pooled directly. Then Linear(S·D → D), ReLU, Linear(D → D) over S scales.
    8,391,168 parameters at D = 512 and scales 4, 8, 16.

    Args:
        feat_dim: width D of the tokens.
        scales: window lengths s ≥ 1 in tokens. With `windows="2d"` an s is s × s tokens and a pair is (height, width):
            (2, 2), (4, 2), (4, 4) have as many tokens and parameters as 4, 8, 16 in one dimension.
        activation: applied to every window's vector before pooling.
        pool: how the windows of one scale become one vector.
        stride: `window` (windows touch), `half` (each overlaps the next by half), or a number of tokens.
        windows: `1d` over the flattened sequence, `2d` over the grid.
        grid_hw: the grid of the tokens, rows first; needed for `2d`. Where a window does not fit into the grid, the
            tokens are pooled directly.

    Raises:
        InputError: an argument that makes no sense; `forward` on tokens of another width or number.
    """

    def __init__(
        self,
        feat_dim: int = 512,
        scales: Sequence[Scale] = DEFAULT_SCALES,
        *,
        activation: Activation = "none",
        pool: Pool = "mean",
        stride: Stride = "window",
        windows: Windows = "1d",
        grid_hw: tuple[int, int] | None = None,
    ) -> None:
        super().__init__()
        _check_choice("activation", activation, tuple(_ACTIVATIONS))
        _check_choice("pool", pool, ("mean", "max"))
        _check_choice("windows", windows, ("1d", "2d"))
        if windows == "2d" and grid_hw is None:
            raise InputError(Says.grid_needed(), next_step=Says.grid_needed_next())
        if not scales:
            raise InputError(Says.no_window(), where="scales", next_step=Says.no_window_next())
        self.feat_dim = feat_dim
        self.pool = pool
        self.grid_hw = grid_hw if windows == "2d" else None
        sizes = [_window(scale, windows) for scale in scales]
        convolution = nn.Conv1d if windows == "1d" else nn.Conv2d
        self.convs = nn.ModuleList(
            convolution(feat_dim, feat_dim, kernel_size=size, stride=_steps(stride, size)) for size in sizes
        )
        self.activation = _ACTIVATIONS[activation]()
        self.is_linear = activation == "none" and pool == "mean" and stride == "window"
        self.fusion = nn.Sequential(
            nn.Linear(len(sizes) * feat_dim, feat_dim), nn.ReLU(), nn.Linear(feat_dim, feat_dim)
        )

    def forward(self, patches_BND: torch.Tensor) -> torch.Tensor:
        """Patch tokens `[B, N, D]`, row-major over the grid → context `[B, D]`."""
        return self.fusion(torch.cat(self.pooled(patches_BND), dim=1))

    def pooled(self, patches_BND: torch.Tensor) -> list[torch.Tensor]:
        """One vector `[B, D]` for each scale, before they are fused."""
        if patches_BND.ndim != 3 or patches_BND.shape[2] != self.feat_dim or not patches_BND.shape[1]:
            raise InputError(
                Says.patch_tokens_shape(width=self.feat_dim, shape=list(patches_BND.shape)),
                where=type(self).__name__,
                next_step=Says.patch_tokens_shape_next(),
            )
        sequence_BDN = patches_BND.transpose(1, 2)
        field = sequence_BDN if self.grid_hw is None else self._on_grid(sequence_BDN)
        extent = field.shape[2:]
        parts_BD = []
        for conv in self.convs:
            if not _fits(conv.kernel_size, extent):
                parts_BD.append(self._pool(field))
            elif conv.stride != conv.kernel_size:
                parts_BD.append(self._pool(self.activation(conv(field))))
            else:  # windows that touch are rows of one matrix product
                rows_BRK = _windows(field, conv.kernel_size)
                if self.is_linear:
                    rows_BRK = rows_BRK.mean(dim=1, keepdim=True)
                vectors_BRD = F.linear(rows_BRK, conv.weight.flatten(1), conv.bias)
                parts_BD.append(self._pool(self.activation(vectors_BRD).transpose(1, 2)))
        return parts_BD

    def idle(self, token_count: int) -> list[nn.Conv1d | nn.Conv2d]:
        """The convolutions that pictures of so many patch tokens never reach, their window being larger.

        They get no gradient, which training on several devices would wait for: switch off `requires_grad` for them.
        """
        extent = self.grid_hw or (token_count,)
        return [conv for conv in self.convs if not _fits(conv.kernel_size, extent)]

    def _on_grid(self, sequence_BDN: torch.Tensor) -> torch.Tensor:
        height, width = self.grid_hw  # type: ignore[misc]
        if height * width != sequence_BDN.shape[2]:
            raise InputError(
                Says.grid_does_not_fit(
                    height=height, width=width, expected=height * width, given=sequence_BDN.shape[2]
                ),
                where=type(self).__name__,
                next_step=Says.grid_does_not_fit_next(),
            )
        return sequence_BDN.unflatten(2, (height, width))

    def _pool(self, field: torch.Tensor) -> torch.Tensor:
        flat_BDN = field.flatten(2)
        return flat_BDN.mean(dim=2) if self.pool == "mean" else flat_BDN.amax(dim=2)


class CLIPMultiScaleFeatureExtractor(nn.Module):
    """Plan 1, what a model holds: `[B, N, D]` → `[B, D]` in CLIP's own width. See `CLIPMultiScaleSlidingWindow`.

    Args:
        feat_dim, scales: see there. options: its other arguments.
    """

    def __init__(self, feat_dim: int = 512, scales: Sequence[Scale] = DEFAULT_SCALES, **options: object) -> None:
        super().__init__()
        self.feat_dim = feat_dim
        self.multi_scale = CLIPMultiScaleSlidingWindow(feat_dim, scales, **options)  # type: ignore[arg-type]

    def forward(self, patches_BND: torch.Tensor) -> torch.Tensor:
        """Patch tokens `[B, N, D]` → context `[B, D]`."""
        return self.multi_scale(patches_BND)


class FeatureProjectionAdapter(nn.Module):
    """Tokens from CLIP's width into another: Linear, LayerNorm, ReLU, Linear. `[…, in_dim]` → `[…, out_dim]`."""

    def __init__(self, in_dim: int = 512, out_dim: int = 768) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Linear(in_dim, out_dim), nn.LayerNorm(out_dim), nn.ReLU(), nn.Linear(out_dim, out_dim)
        )

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        """Any leading shape; the last axis is the width."""
        return self.layers(tokens)


class CLIPWithProjectionMultiScale(nn.Module):
    """Plan 2: `[B, N, D]` → a wider space → the same windows there → back to `[B, D]` (Linear, LayerNorm).

    20,259,072 parameters at the default widths. The back-projection ends in a LayerNorm, so the context's size does not
    depend on the tokens': it starts at a norm of √D beside a class token of another scale.

    Args:
        feat_dim: CLIP's width D. projected_dim: the wider one. scales, options: see `CLIPMultiScaleSlidingWindow`.
    """

    def __init__(
        self,
        feat_dim: int = 512,
        projected_dim: int = 768,
        scales: Sequence[Scale] = DEFAULT_SCALES,
        **options: object,
    ) -> None:
        super().__init__()
        self.feat_dim = feat_dim
        self.project = FeatureProjectionAdapter(feat_dim, projected_dim)
        self.multi_scale = CLIPMultiScaleSlidingWindow(projected_dim, scales, **options)  # type: ignore[arg-type]
        self.project_back = nn.Sequential(nn.Linear(projected_dim, feat_dim), nn.LayerNorm(feat_dim))

    def forward(self, patches_BND: torch.Tensor) -> torch.Tensor:
        """Patch tokens `[B, N, D]` → context `[B, D]`."""
        return self.project_back(self.multi_scale(self.project(patches_BND)))


class MultiScaleOnCLS(nn.Module):
    """Adds the multi-scale context to the class token of a ViT's projected tokens; the patches pass unchanged.

    Args:
        extractor: `[B, N, D]` → `[B, D]`, either plan; None switches it off: the tokens given are the tokens returned,
            so the model is the baseline bit for bit.
    """

    def __init__(self, extractor: nn.Module | None) -> None:
        super().__init__()
        self.extractor = extractor

    def forward(self, tokens_BTD: torch.Tensor) -> torch.Tensor:
        """`[B, N + 1, D]`, class token first → the same shape."""
        if self.extractor is None:
            return tokens_BTD
        cls_BD, patches_BND = tokens_BTD[:, 0], tokens_BTD[:, 1:]
        enriched_BD = cls_BD + self.extractor(patches_BND)
        return torch.cat([enriched_BD[:, None], patches_BND], dim=1)


def _fits(window: Sequence[int], extent: Sequence[int]) -> bool:
    return all(size <= room for size, room in zip(window, extent, strict=True))


def _windows(field: torch.Tensor, size: tuple[int, ...]) -> torch.Tensor:
    """Windows that touch, `[B, D, *extent]` → `[B, R, D · tokens of a window]`; what is left at the end is dropped."""
    for axis, side in enumerate(size):
        position = 2 + 2 * axis  # each axis becomes two: which window, where in it
        count = field.shape[position] // side
        field = field.narrow(position, 0, count * side).unflatten(position, (count, side))
    which, where = range(2, field.ndim, 2), range(3, field.ndim, 2)
    return field.permute(0, *which, 1, *where).flatten(1, len(size)).flatten(2)


# --- arguments ------------------------------------------------------------------------------------------------------


def _check_choice(name: str, value: object, known: tuple[str, ...]) -> None:
    if value not in known:
        raise InputError(
            Says.not_a_choice(name=name), where=repr(value), next_step=Common.choose_one(names=", ".join(known))
        )


def _window(scale: Scale, windows: Windows) -> tuple[int, ...]:
    """The kernel of a scale: (s,) in one dimension, (height, width) in two."""
    sides = tuple(scale) if isinstance(scale, Sequence) else (scale,)
    if windows == "2d" and len(sides) == 1:
        sides *= 2
    whole = all(isinstance(side, int) and not isinstance(side, bool) and side >= 1 for side in sides)
    if not whole or len(sides) != (1 if windows == "1d" else 2):
        shape = Says.a_length() if windows == "1d" else Says.a_side()
        raise InputError(
            Says.scale_shape(windows=windows, shape=shape),
            where=f"scales: {scale!r}",
            next_step=Says.scale_shape_next(),
        )
    return sides


def _steps(stride: Stride, size: tuple[int, ...]) -> tuple[int, ...]:
    if stride == "window":
        return size
    if stride == "half":
        return tuple(max(1, side // 2) for side in size)
    if isinstance(stride, int) and not isinstance(stride, bool) and stride >= 1:
        return (stride,) * len(size)
    raise InputError(Says.not_a_stride(), where=repr(stride), next_step=Says.not_a_stride_next())
