"""From cosine similarities to component scores: the note's rule, the balanced mode, the cosine view.

Plain arithmetic on arrays, so that a changed list, mode or threshold is scored again without a model. No torch.

    cosines_BK × logit scale ─▶ logits_BK ─softmax over all K prompts─▶ probabilities_BK ─sums, maxima─▶ multiplier
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, Literal

import numpy as np

from ..errors import InputError
from ..types import Notice
from ..words import Common
from .prompts import PromptSet
from .words import Says

Mode = Literal["note", "balanced"]
MODES: tuple[Mode, ...] = ("note", "balanced")

FIELDS = (
    "s_pos",
    "s_neg",
    "s_pos_text",
    "s_neg_text",
    "p_pos_sum",
    "p_neg_sum",
    "p_pos_max",
    "p_neg_max",
    "semantic_multiplier",
)


Level = Literal["foreground", "likely", "ambiguous", "background"]
LEVELS: tuple[Level, ...] = ("foreground", "likely", "ambiguous", "background")
THRESHOLDS = ("negative_above", "positive_above", "negative_below", "likely_above")


@dataclass(frozen=True)
class Rule:
    """Two-level thresholds on the sums, and what each level multiplies a component's score by.

    `background` if p_neg_sum > `negative_above`; else `foreground` if p_pos_sum > `positive_above` and p_neg_sum <
    `negative_below`; else `likely` if p_pos_sum > `likely_above`; else `ambiguous`.
    """

    negative_above: float = 0.5
    positive_above: float = 0.7
    negative_below: float = 0.2
    likely_above: float = 0.4
    background: float = 0.1
    foreground: float = 2.0
    likely: float = 1.0
    ambiguous: float = 0.5

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            is_threshold = field.name in THRESHOLDS
            if not (math.isfinite(value) and value >= 0 and (value <= 1 or not is_threshold)):
                template = Says.threshold_range if is_threshold else Says.multiplier_range
                raise InputError(template(name=field.name, value=value))

    def level(self, p_pos_sum: np.ndarray, p_neg_sum: np.ndarray) -> np.ndarray:
        """The level that each pair of sums reaches, as its place in `LEVELS`; any shape."""
        is_background = p_neg_sum > self.negative_above
        is_foreground = (p_pos_sum > self.positive_above) & (p_neg_sum < self.negative_below)
        is_likely = p_pos_sum > self.likely_above
        return np.select([is_background, is_foreground, is_likely], [3, 0, 1], 2)

    def multiplier(self, p_pos_sum: np.ndarray, p_neg_sum: np.ndarray) -> np.ndarray:
        """The multiplier of each pair of sums; any shape."""
        multipliers = np.array([getattr(self, level) for level in LEVELS])
        return multipliers[self.level(p_pos_sum, p_neg_sum)]


@dataclass(frozen=True)
class Scores:
    """Scores of B components; float64. An empty group has sum 0, maximum 0 and the text "".

    Attributes:
        logits_BK: what the softmax was taken of, in the order of `prompts.texts`; balanced mode's offsets included.
        probabilities_BK: each row sums to 1.
        p_pos_sum_B, p_neg_sum_B: sums over the positive and the negative prompts.
        best_positive_B, best_negative_B: place in the group of the most probable prompt; -1 for an empty group.
        multiplier_B: by the rule.
    """

    prompts: PromptSet
    logits_BK: np.ndarray
    probabilities_BK: np.ndarray
    p_pos_sum_B: np.ndarray
    p_neg_sum_B: np.ndarray
    best_positive_B: np.ndarray
    best_negative_B: np.ndarray
    multiplier_B: np.ndarray

    def only(self, row: int) -> Scores:
        """Of one component alone."""
        arrays = {field.name: getattr(self, field.name)[row : row + 1] for field in fields(self)[1:]}
        return Scores(self.prompts, **arrays)

    def fields(self, row: int) -> dict[str, Any]:
        """The nine fields of one component, as plain Python values."""
        positive, negative, _ = self.prompts.slices
        p_positive, positive_text = _best(
            self.probabilities_BK[row, positive], self.prompts.positive, int(self.best_positive_B[row])
        )
        p_negative, negative_text = _best(
            self.probabilities_BK[row, negative], self.prompts.negative, int(self.best_negative_B[row])
        )
        return {
            "s_pos": p_positive,
            "s_neg": p_negative,
            "s_pos_text": positive_text,
            "s_neg_text": negative_text,
            "p_pos_sum": float(self.p_pos_sum_B[row]),
            "p_neg_sum": float(self.p_neg_sum_B[row]),
            "p_pos_max": p_positive,
            "p_neg_max": p_negative,
            "semantic_multiplier": float(self.multiplier_B[row]),
        }


def score(
    cosines_BK: np.ndarray, logit_scale: float, prompts: PromptSet, *, mode: Mode = "note", rule: Rule = Rule()
) -> Scores:
    """Scores B components by their cosine similarities to the K prompts.

    `note`: softmax over all prompts, so a longer list weighs more. `balanced`: each group's logits are combined by
    log-mean-exp before the groups meet; the same as taking ln(group length) off each logit, which is what is done here.

    Args:
        cosines_BK: image · text of L2-normalised features, in the order of `prompts.texts`.
        logit_scale: exp(logit_scale) of the checkpoint.
    """
    if mode not in MODES:
        raise InputError(Says.mode_unknown(name=mode), next_step=Common.choose(names=" or ".join(MODES)))
    logits_BK = logits(cosines_BK, logit_scale, prompts, mode)
    probabilities_BK = softmax(logits_BK)
    positive, negative, _ = prompts.slices
    p_pos_sum_B = probabilities_BK[:, positive].sum(axis=1)
    p_neg_sum_B = probabilities_BK[:, negative].sum(axis=1)
    return Scores(
        prompts=prompts,
        logits_BK=logits_BK,
        probabilities_BK=probabilities_BK,
        p_pos_sum_B=p_pos_sum_B,
        p_neg_sum_B=p_neg_sum_B,
        best_positive_B=_argmax(probabilities_BK[:, positive]),
        best_negative_B=_argmax(probabilities_BK[:, negative]),
        multiplier_B=rule.multiplier(p_pos_sum_B, p_neg_sum_B),
    )


def logits(cosines_BK: np.ndarray, logit_scale: float, prompts: PromptSet, mode: Mode = "note") -> np.ndarray:
    """float64 logits; in balanced mode less ln(length of the prompt's group)."""
    logits_BK = np.asarray(cosines_BK, dtype=np.float64) * float(logit_scale)
    assert logits_BK.shape[1] == len(prompts.texts), "one column for each prompt"
    return logits_BK - group_offsets(prompts) if mode == "balanced" else logits_BK


def group_offsets(prompts: PromptSet) -> np.ndarray:
    """ln(length of its group) of each of the K prompts."""
    lengths = {group: prompts.groups.count(group) for group in set(prompts.groups)}
    return np.log(np.array([lengths[group] for group in prompts.groups], dtype=np.float64))


def softmax(logits_BK: np.ndarray) -> np.ndarray:
    """Along the last axis; safe for any finite logits."""
    exponentials = np.exp(logits_BK - logits_BK.max(axis=-1, keepdims=True))
    return exponentials / exponentials.sum(axis=-1, keepdims=True)


def _argmax(probabilities_Bk: np.ndarray) -> np.ndarray:
    if not probabilities_Bk.shape[1]:
        return np.full(len(probabilities_Bk), -1)
    return probabilities_Bk.argmax(axis=1)


def _best(probabilities_k: np.ndarray, texts: Sequence[str], place: int) -> tuple[float, str]:
    return (float(probabilities_k[place]), texts[place]) if place >= 0 else (0.0, "")


# --- into the component's own fields ----------------------------------------------------------------------------------


def add_fields(brought: Mapping[str, Any], added: Mapping[str, Any]) -> dict[str, Any]:
    """What the component brought and what was added, nothing lost.

    Where a name is taken (a file that was scored before), the new value gets the name and the brought one moves to
    `NAME_given`, or `NAME_given2` and so on.
    """
    merged = dict(brought)
    for name, value in added.items():
        if name in merged:
            merged[_free_name(name, merged, added)] = merged[name]
        merged[name] = value
    return merged


def _free_name(name: str, *taken: Mapping[str, Any]) -> str:
    candidate, again = f"{name}_given", 1
    while any(candidate in mapping for mapping in taken):
        again += 1
        candidate = f"{name}_given{again}"
    return candidate


def ranking(scores_B: Sequence[float | None], multipliers_B: Sequence[float]) -> tuple[list[float], list[int]]:
    """The re-weighted scores, and the rows from best to worst.

    A component without a score of its own counts as 1. Equal ones keep their order.
    """
    reweighted = [
        (1.0 if own is None else own) * multiplier for own, multiplier in zip(scores_B, multipliers_B, strict=True)
    ]
    return reweighted, sorted(range(len(reweighted)), key=lambda row: -reweighted[row])


# --- the old way, for comparison --------------------------------------------------------------------------------------


def cosine_view(cosines_BK: np.ndarray, prompts: PromptSet) -> list[dict[str, Any]]:
    """Raw cosine similarities, the old way: the best positive and negative prompt and which of them is nearer.

    Keys `cos_pos`, `cos_pos_text`, `cos_neg`, `cos_neg_text`, `cos_margin` (positive less negative; None if a group is
    empty). No temperature, so margins of a hundredth may be near certainty for the model.
    """
    positive, negative, _ = prompts.slices
    rows = []
    for cosines_K in np.asarray(cosines_BK, dtype=np.float64):
        row: dict[str, Any] = {}
        for side, part, texts in (("pos", positive, prompts.positive), ("neg", negative, prompts.negative)):
            place = int(cosines_K[part].argmax()) if texts else -1
            row[f"cos_{side}"] = float(cosines_K[part][place]) if texts else None
            row[f"cos_{side}_text"] = texts[place] if texts else ""
        both = row["cos_pos"] is not None and row["cos_neg"] is not None
        row["cos_margin"] = row["cos_pos"] - row["cos_neg"] if both else None
        rows.append(row)
    return rows


# --- what the lists themselves decide ---------------------------------------------------------------------------------


def list_notices(prompts: PromptSet, mode: Mode = "note", rule: Rule = Rule()) -> tuple[Notice, ...]:
    """What a person should know about these lists before reading any score."""
    notices = []
    n_positive, n_negative = len(prompts.positive), len(prompts.negative)
    if mode == "note" and n_positive and n_negative and n_positive != n_negative:
        total = len(prompts.texts)
        p_pos, p_neg = n_positive / total, n_negative / total
        multiplier = float(rule.multiplier(np.array(p_pos), np.array(p_neg)))
        notices.append(
            Notice(
                "lists_unbalanced",
                Says.lists_unbalanced(positive=n_positive, negative=n_negative, p_pos=p_pos, multiplier=multiplier),
            )
        )
    # Without neutral prompts p_pos_sum = 1 - p_neg_sum, so whatever is not background passes the lower threshold.
    if not prompts.neutral and 1 - rule.negative_above > rule.likely_above:
        notices.append(Notice("branch_dead", Says.branch_dead(multiplier=rule.ambiguous)))
    return tuple(notices)
