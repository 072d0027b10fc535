"""What every pose encoder is: features, and the trainable projection behind them. And the encoder of nothing."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from torch import nn

from .tensors import checked_tensor

HIDDEN_DIM = 256
OUTPUT_DIM = 512 * 3

# K captions → features `[K, D]`, not normalised; `TextCache.encode` with an encoder, for example.
EncodeTexts = Callable[[Sequence[str]], Any]


class PoseEncoder(nn.Module):
    """The protocol. A subclass says what its features are.

    Attributes:
        output_dim: width of what comes out: three equal parts for queries, keys and values.
        feature_dim: width of the features.
        weights_sha256: of the text tower's weight file, or what it says of random weights; empty without a tower.
    """

    weights_sha256 = ""

    def __init__(self, feature_dim: int, output_dim: int, hidden_dim: int) -> None:
        super().__init__()
        self.feature_dim, self.output_dim = feature_dim, output_dim
        self.projection: nn.Module = projection(feature_dim, hidden_dim, output_dim)

    @abstractmethod
    def features(self, angles_deg_B3: torch.Tensor) -> torch.Tensor:
        """`[B, 3]` degrees, checked → float32 `[B, feature_dim]`, what the projection sees."""

    def prepare(self, angles_deg_N3: torch.Tensor) -> None:
        """Does beforehand, in the order given, what would be done once for each of these poses; most have nothing."""

    def forward(self, angles_deg_B3: torch.Tensor) -> torch.Tensor:
        """`[B, 3]` yaw, pitch, roll in degrees → `[B, output_dim]`.

        Raises:
            InputError: another shape, or a NaN or infinite angle (names the row). Angles beyond ±180 are wrapped.
        """
        out: torch.Tensor = self.projection(self.features(checked_tensor(angles_deg_B3)))
        return out

    def encode(self, angles_deg_N3: np.ndarray) -> np.ndarray:
        """The same for arrays, without gradients: `[N, 3]` degrees → float32 `[N, output_dim]`."""
        device = next((weight.device for weight in self.parameters()), None)
        with torch.inference_mode():
            encoded_ND: np.ndarray = self(torch.from_numpy(angles_deg_N3).float().to(device)).cpu().numpy()
        return encoded_ND


class NoPoseEncoder(PoseEncoder):
    """Zeros: the trunk without the pose. No parameters."""

    def __init__(self, output_dim: int = OUTPUT_DIM) -> None:
        nn.Module.__init__(self)
        self.feature_dim, self.output_dim, self.projection = 0, output_dim, nn.Identity()

    def features(self, angles_deg_B3: torch.Tensor) -> torch.Tensor:
        return angles_deg_B3.new_zeros(len(angles_deg_B3), 0, dtype=torch.float32)

    def forward(self, angles_deg_B3: torch.Tensor) -> torch.Tensor:
        angles_deg_B3 = checked_tensor(angles_deg_B3)
        return angles_deg_B3.new_zeros(len(angles_deg_B3), self.output_dim, dtype=torch.float32)


# --- the trainable part, and its size -------------------------------------------------------------------------------


def projection(feature_dim: int, hidden_dim: int, output_dim: int) -> nn.Module:
    """One hidden layer with GELU, or a linear map where `hidden_dim` is 0."""
    if not hidden_dim:
        return nn.Linear(feature_dim, output_dim)
    return nn.Sequential(nn.Linear(feature_dim, hidden_dim), nn.GELU(), nn.Linear(hidden_dim, output_dim))


def projection_parameters(feature_dim: int, hidden_dim: int, output_dim: int) -> int:
    """How many parameters `projection` has."""
    if not hidden_dim:
        return (feature_dim + 1) * output_dim
    return (feature_dim + 1) * hidden_dim + (hidden_dim + 1) * output_dim


def hidden_dim_for(parameters: int, feature_dim: int, output_dim: int) -> int:
    """The hidden width whose projection has `parameters`, rounded to the nearest; at least 1."""
    return max(1, round((parameters - output_dim) / (feature_dim + 1 + output_dim)))


def trainable_parameters(module: nn.Module) -> int:
    """Parameters that training changes."""
    return sum(weight.numel() for weight in module.parameters() if weight.requires_grad)
