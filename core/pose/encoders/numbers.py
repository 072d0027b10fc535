"""The angles as numbers through an MLP."""

from __future__ import annotations

import torch

from ...errors import InputError
from ...words import Common
from ..angles import six_d_of_sines
from ..words import Says
from .protocol import HIDDEN_DIM, OUTPUT_DIM, PoseEncoder

FOURIER_MULTIPLES = (1, 2, 4, 8)


class MLPPoseEncoder(PoseEncoder):
    """The angles as numbers through an MLP: the default encoder.

    Args:
        output_dim: three times the transformer's width.
        hidden_dim: of the one hidden layer; 0: a linear map.
        representation: `angles` (degrees / 90, three numbers; jumps at ±180), `sincos` (six), `6d` (the first two
            columns of the rotation matrix, Zhou et al. 2019; continuous over all rotations), `fourier` (sines and
            cosines of 1, 2, 4, 8 times each angle).
    """

    DIMS = {"angles": 3, "sincos": 6, "6d": 6, "fourier": 6 * len(FOURIER_MULTIPLES)}  # noqa: RUF012

    def __init__(
        self, output_dim: int = OUTPUT_DIM, hidden_dim: int = HIDDEN_DIM, representation: str = "angles"
    ) -> None:
        if representation not in self.DIMS:
            raise InputError(
                Says.no_such_representation(), where=representation, next_step=Common.one_of(names=", ".join(self.DIMS))
            )
        super().__init__(self.DIMS[representation], output_dim, hidden_dim)
        self.representation = representation

    def features(self, angles_deg_B3: torch.Tensor) -> torch.Tensor:
        if self.representation == "angles":
            return (angles_deg_B3 / 90.0).float()
        radians_B3 = torch.deg2rad(angles_deg_B3)
        if self.representation == "sincos":
            return torch.cat([radians_B3.sin(), radians_B3.cos()], dim=1).float()
        if self.representation == "6d":
            return torch.stack(six_d_of_sines(radians_B3.sin().T, radians_B3.cos().T), dim=1).float()
        multiples_B3M = radians_B3[:, :, None] * radians_B3.new_tensor(FOURIER_MULTIPLES)
        return torch.cat([multiples_B3M.sin(), multiples_B3M.cos()], dim=2).flatten(1).float()


class FourierPoseEncoder(MLPPoseEncoder):
    """Fourier features of the angles (Tancik et al. 2020), at whole multiples, so that ±180 are one pose."""

    def __init__(self, output_dim: int = OUTPUT_DIM, hidden_dim: int = HIDDEN_DIM) -> None:
        super().__init__(output_dim, hidden_dim, "fourier")
