"""`ClipConsCriterion`: each point's fused feature shall agree with the CLIP feature of its image.

    s = cos(feat_fusion, clip_global) / temperature          L = mean over points of a form of −log σ(s)

Three forms:

* `naive`, as the note writes it: −log(σ(s) + 1e-8), computed in whatever dtype comes in. Its gradient with respect to
  the cosine is at most 1/temperature. What breaks it is float16, where 1e-8 is zero: from s ≈ −11.1 on the gradient of
  a single term is −inf (one over a sigmoid below 1/65504; a mean over N points divides by N before that, and holds out
  longer), from s ≈ −17.4 on the loss is inf. And a zero feature: its direction is 0/0.
* `stable`: softplus(−s), the same value without the 1e-8, always in float32, with a normalisation whose gradient is
  bounded by 1/(temperature · norm_eps).
* `infonce`: the same care, but a point must tell its image from the other images of the batch. Without such negatives
  the optimum of the first two is trivial: every point the one vector of its image.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, get_args

import torch
import torch.nn.functional as F
from torch import nn

from ..errors import InputError
from ..words import Common
from .words import Says

Form = Literal["naive", "stable", "infonce"]
NAIVE_EPS = 1e-8
NOTE_SCHEDULE = ((1, 0.0), (11, 0.001), (21, 0.01))  # from this epoch on, counted from 1: this weight
NOTE_CLAMP = 10.0
NOTE_MIN_TEMPERATURE = 0.1


def partial_gradient(feature: torch.Tensor, ratio: float) -> torch.Tensor:
    """The same value, bit for bit; `ratio` times the gradient. r·f + (1 − r)·detach(f) without its rounding."""
    if ratio == 1.0:
        return feature
    held = feature.detach()
    return held if ratio == 0.0 else held + ratio * (feature - held)


class ClipConsCriterion(nn.Module):
    """The weighted loss; a scalar.

    Args:
        loss_weight: its weight. 0 gives zero without computing anything.
        temperature: > 0.
        gradient_flow_ratio: how much of the gradient reaches `clip_global`, 0..1.
        form: see the module.
        schedule: (first epoch, weight) pairs in order, epochs counted from 1; replaces `loss_weight` once an epoch has
            been set with `set_epoch`, before which the first pair counts. `NOTE_SCHEDULE` is the note's.
        feature_clamp: both features are clamped to ± this before they are normalised (the note: 10).
        min_temperature: the temperature is at least this (the note: 0.1).
        norm_eps: added in quadrature to each norm in `stable` and `infonce`.

    Raises:
        InputError: a value out of its range.
    """

    def __init__(
        self,
        loss_weight: float = 0.05,
        temperature: float = 0.07,
        gradient_flow_ratio: float = 0.02,
        form: Form = "naive",
        *,
        schedule: Sequence[tuple[int, float]] | None = None,
        feature_clamp: float | None = None,
        min_temperature: float | None = None,
        norm_eps: float = 1e-3,
    ) -> None:
        super().__init__()
        if form not in get_args(Form):
            raise InputError(Says.no_such_form(form=form), next_step=Common.choose_one(names=", ".join(get_args(Form))))
        for name, value, allowed in (
            ("loss_weight", loss_weight, loss_weight >= 0),
            ("temperature", temperature, temperature > 0),
            ("gradient_flow_ratio", gradient_flow_ratio, 0 <= gradient_flow_ratio <= 1),
            ("feature_clamp", feature_clamp, feature_clamp is None or feature_clamp > 0),
            ("min_temperature", min_temperature, min_temperature is None or min_temperature > 0),
            ("norm_eps", norm_eps, norm_eps > 0),
        ):
            if not allowed:
                raise InputError(
                    Says.value_cannot_be(name=name, value=value),
                    where="ClipConsCriterion",
                    next_step=Says.value_cannot_be_next(),
                )
        if schedule is not None and (not schedule or [*schedule] != sorted(schedule, key=lambda pair: pair[0])):
            raise InputError(Says.schedule_order(), where=str(schedule), next_step=Says.schedule_order_next())
        self.loss_weight = loss_weight
        self.temperature = max(temperature, min_temperature or 0.0)
        self.gradient_flow_ratio = gradient_flow_ratio
        self.form: Form = form
        self.schedule = None if schedule is None else tuple((int(epoch), float(weight)) for epoch, weight in schedule)
        self.feature_clamp = feature_clamp
        self.norm_eps = norm_eps
        self._epoch = 1

    def set_epoch(self, epoch: int) -> None:
        """Tells the schedule which epoch runs, counted from 1."""
        self._epoch = epoch

    @property
    def weight(self) -> float:
        """The weight that counts now."""
        if self.schedule is None:
            return self.loss_weight
        reached = [weight for first, weight in self.schedule if first <= self._epoch]
        return reached[-1] if reached else 0.0

    def forward(
        self,
        feat_fusion: torch.Tensor,
        clip_global: torch.Tensor,
        batch_N: torch.Tensor | None = None,
        valid_N: torch.Tensor | None = None,
    ) -> torch.Tensor:
        """`weight` × the mean over the points that count.

        Args:
            feat_fusion: `[N, D]`.
            clip_global: `[B, D]`.
            batch_N: int64, the image of each point; may be left out where B is 1 or N (a row for each row).
            valid_N: bool, the points that count; all if left out. None at all: the loss is 0, not NaN.

        Raises:
            InputError: shapes that do not fit; `infonce` with a single image.
        """
        batch_N = self._checked(feat_fusion, clip_global, batch_N)
        if self.weight == 0.0:
            return feat_fusion[:0].sum() + clip_global[:0].sum()
        if valid_N is not None:
            feat_fusion, batch_N = feat_fusion[valid_N], batch_N[valid_N]
        if len(feat_fusion) == 0:
            return feat_fusion.sum() + clip_global[:0].sum()
        return self.weight * self.per_point(feat_fusion, clip_global, batch_N).mean()

    def per_point(self, feat_fusion: torch.Tensor, clip_global: torch.Tensor, batch_N: torch.Tensor) -> torch.Tensor:
        """The unweighted loss of each point, `[N]`."""
        clip_global = partial_gradient(clip_global, self.gradient_flow_ratio)
        if self.form == "naive":
            return self._naive(feat_fusion, clip_global, batch_N)
        with torch.autocast(feat_fusion.device.type, enabled=False):
            points_ND = self._unit(feat_fusion)
            images_BD = self._unit(clip_global)
            if self.form == "stable":
                return F.softplus(-(points_ND * images_BD[batch_N]).sum(-1) / self.temperature)
            return F.cross_entropy(points_ND @ images_BD.T / self.temperature, batch_N, reduction="none")

    def _naive(self, feat_fusion: torch.Tensor, clip_global: torch.Tensor, batch_N: torch.Tensor) -> torch.Tensor:
        points_ND = F.normalize(self._clamped(feat_fusion), dim=-1)
        images_BD = F.normalize(self._clamped(clip_global), dim=-1)
        logits_N = (points_ND * images_BD[batch_N]).sum(-1) / self.temperature
        return naive_nll(logits_N)

    def _unit(self, feature_ND: torch.Tensor) -> torch.Tensor:
        """Directions in float32 (float64 stays); a zero feature has the zero direction and a bounded gradient."""
        feature_ND = feature_ND if feature_ND.dtype == torch.float64 else feature_ND.float()
        feature_ND = self._clamped(feature_ND)
        return feature_ND * (feature_ND.square().sum(-1, keepdim=True) + self.norm_eps**2).rsqrt()

    def _clamped(self, feature: torch.Tensor) -> torch.Tensor:
        return feature if self.feature_clamp is None else feature.clamp(-self.feature_clamp, self.feature_clamp)

    def _checked(
        self, feat_fusion: torch.Tensor, clip_global: torch.Tensor, batch_N: torch.Tensor | None
    ) -> torch.Tensor:
        if feat_fusion.ndim != 2 or clip_global.ndim != 2 or feat_fusion.shape[1] != clip_global.shape[1]:
            raise InputError(
                Says.features_shape(points=list(feat_fusion.shape), images=list(clip_global.shape)),
                where="ClipConsCriterion",
                next_step=Says.features_shape_next(),
            )
        points, images = len(feat_fusion), len(clip_global)
        if self.form == "infonce" and images < 2 and self.weight:
            raise InputError(
                Says.infonce_needs_others(), where="ClipConsCriterion", next_step=Says.infonce_needs_others_next()
            )
        if batch_N is None:
            if images not in (1, points):
                raise InputError(
                    Says.which_image(points=points, images=images),
                    where="ClipConsCriterion",
                    next_step=Says.which_image_next(),
                )
            rows = torch.arange(points, device=feat_fusion.device)
            return rows if images == points else torch.zeros_like(rows)
        if batch_N.shape != (points,):
            raise InputError(
                Says.batch_shape(points=points, shape=list(batch_N.shape)),
                where="ClipConsCriterion",
                next_step=Says.batch_shape_next(),
            )
        return batch_N


def naive_nll(logits: torch.Tensor) -> torch.Tensor:
    """−log(σ(s) + 1e-8), as the note writes it, in the dtype of `logits`."""
    return -torch.log(torch.sigmoid(logits) + NAIVE_EPS)
