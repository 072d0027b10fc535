"""mIoU and the error of offsets over all frames of a part, with the same points each time."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from experiments.bifusion.data import FrameBank
from experiments.bifusion.model import Segmenter

POINT_SEED = 991
POINTS = 256  # of each frame, however many a run trains on
FRAMES_AT_ONCE = 16


@dataclass(frozen=True)
class Scores:
    """`miou`: mean over the classes that occur in the truth, 0..1; `iou_K`: NaN where a class does not occur;
    `offset_m`: mean distance between where an object's middle is and where a point says it is, metres."""

    miou: float
    iou_K: tuple[float, ...]
    offset_m: float


@torch.no_grad()
def evaluate(model: Segmenter, bank: FrameBank, tokens_FTW: torch.Tensor | None) -> Scores:
    """Scores of a model in eval mode. A logit that is not a number counts as a wrong answer."""
    classes = len(bank.class_names)
    device = next(model.parameters()).device
    confusion_KK = torch.zeros(classes, classes + 1, dtype=torch.long)  # the last column: no answer
    distances, things = 0.0, 0
    for frames in torch.arange(len(bank)).split(FRAMES_AT_ONCE):
        batch = bank.batch(frames.tolist(), POINTS, (POINT_SEED,)).to(device)
        out = model(batch, None if tokens_FTW is None else tokens_FTW[batch.frames_B])
        answer_N = out.logits_NK.argmax(1)
        answer_N[~torch.isfinite(out.logits_NK).all(1)] = classes
        known_N = batch.label_N >= 0
        pairs = batch.label_N[known_N] * (classes + 1) + answer_N[known_N]
        confusion_KK += torch.bincount(pairs.cpu(), minlength=confusion_KK.numel()).view_as(confusion_KK)
        errors = (out.offset_N3_m - batch.offset_N3_m)[batch.thing_N].norm(dim=1)
        distances += float(errors.sum())
        things += len(errors)
    return Scores(*_iou(confusion_KK), distances / max(1, things))


def _iou(confusion_KK: torch.Tensor) -> tuple[float, tuple[float, ...]]:
    square_KK = confusion_KK[:, :-1].double()
    hits_K = square_KK.diagonal()
    truth_K = confusion_KK.sum(1).double()
    iou_K = torch.where(truth_K > 0, hits_K / (truth_K + square_KK.sum(0) - hits_K), torch.nan)
    return float(iou_K.nanmean()), tuple(iou_K.tolist())
