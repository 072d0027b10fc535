"""A learned row for each caption."""

from __future__ import annotations

import torch
from torch import nn

from ..text import CAPTIONS
from .protocol import HIDDEN_DIM, OUTPUT_DIM, PoseEncoder
from .tensors import caption_numbers_of

ROW_DIM = 64


class TablePoseEncoder(PoseEncoder):
    """A learned row for each of the 45 captions: what CLIP's captions are, without CLIP.

    Args:
        output_dim, hidden_dim: as of `MLPPoseEncoder`.
        row_dim: width of a row.
    """

    def __init__(self, output_dim: int = OUTPUT_DIM, hidden_dim: int = HIDDEN_DIM, row_dim: int = ROW_DIM) -> None:
        super().__init__(row_dim, output_dim, hidden_dim)
        self.rows = nn.Embedding(len(CAPTIONS), row_dim)  # starts at unit variance, as all features

    def features(self, angles_deg_B3: torch.Tensor) -> torch.Tensor:
        rows_BD: torch.Tensor = self.rows(caption_numbers_of(angles_deg_B3))
        return rows_BD
