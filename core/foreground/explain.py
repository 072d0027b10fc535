"""Why a component got its score: what each prompt contributes, and what would change without it. No torch.

Two answers for every component and prompt, from cached logits alone:

- `without`: the exact sums and the multiplier if the prompt were taken off its list;
- `share`: its Shapley value in the game v(S) = `p_pos_sum` of the softmax over the prompts in S, v(∅) = 0.5. The
  shares add up to the score: 0.5 + Σ share = `p_pos_sum`.

The Shapley values need no sampling and no 2^K subsets. With eₖ = exp(logitₖ) and 1/x = ∫₀^∞ exp(−x·t) dt, v(S) turns
into an integral of a product over the prompts in S; with subsets drawn by a coin of bias p (whose uniform average is
the Shapley weighting: Owen, "Multilinear extensions of games", 1972) the expectation factorises too. With
xₖ = exp(−eₖ·t), gₖ = 1 − p·(1 − xₖ), G = Π gₖ, qₖ = eₖ·xₖ / gₖ and Q = Σ qₖ over the positive prompts,

    shareᵢ = ∫₀¹ dp ∫₀^∞ dt  G/gᵢ · ( [i positive]·qᵢ − p·(1 − xᵢ)·Q )  −  0.5 / K

The integrand over u = ln t is entire and each prompt's part of it is as wide as a few nats whatever its logit, so the
trapezoid rule converges exponentially (error about exp(−π²/step)); over p it is a polynomial of degree K − 1, for which
Gauss-Legendre is exact with K/2 nodes and near it with about √K once the nodes crowd towards p = 0.
"""

from __future__ import annotations

import math
import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from .prompt_lists import Group
from .prompts import PromptSet
from .scoring import Mode, Rule, Scores, group_offsets

EXACT_UP_TO = 24  # prompts for which the accurate setting is used: float64, every node needed


@dataclass(frozen=True)
class Explanation:
    """For B components and K prompts, in the order of `prompts.texts`.

    Attributes:
        share_BK: Shapley shares of `p_pos_sum`; 0.5 + their sum is the score. In balanced mode a prompt keeps its
            1/length of its group's weight in every subset.
        p_pos_without_BK, p_neg_without_BK: the sums with that prompt taken off; in balanced mode the group is one
            shorter then. NaN where it is the only prompt there is.
        multiplier_without_BK: by the rule, NaN likewise.
    """

    prompts: PromptSet
    scores: Scores
    share_BK: np.ndarray
    p_pos_without_BK: np.ndarray
    p_neg_without_BK: np.ndarray
    multiplier_without_BK: np.ndarray

    def top(self, row: int, count: int = 5) -> list[int]:
        """The prompts whose shares of this component are largest, either way, largest first."""
        return np.argsort(-np.abs(self.share_BK[row]), kind="stable")[:count].tolist()

    def changes(self, row: int) -> list[tuple[str, Group, float]]:
        """(prompt, group, new multiplier) of every prompt without which the multiplier would be another."""
        without_K, now = self.multiplier_without_BK[row], self.scores.multiplier_B[row]
        texts, groups = self.prompts.texts, self.prompts.groups
        rows = np.flatnonzero(np.isfinite(without_K) & (without_K != now))
        return [(texts[k], groups[k], float(without_K[k])) for k in rows.tolist()]


def explain(scores: Scores, *, mode: Mode = "note", rule: Rule = Rule()) -> Explanation:
    """Both answers for all components. `mode` and `rule` have to be those the scores were made with."""
    prompts = scores.prompts
    positive, negative, _ = prompts.slices
    is_positive: np.ndarray = np.zeros(len(prompts.texts), dtype=bool)
    is_negative: np.ndarray = np.zeros(len(prompts.texts), dtype=bool)
    is_positive[positive], is_negative[negative] = True, True
    logits_BK = scores.logits_BK
    if mode == "balanced":
        p_pos, p_neg = _without_balanced(logits_BK, prompts)
    else:
        p_pos, p_neg = _without(logits_BK, is_positive, is_negative)
    multiplier = np.where(np.isnan(p_pos), np.nan, rule.multiplier(np.nan_to_num(p_pos), np.nan_to_num(p_neg)))
    return Explanation(prompts, scores, shapley(logits_BK, is_positive), p_pos, p_neg, multiplier)


# --- one prompt less --------------------------------------------------------------------------------------------------


def _without(logits_BK: np.ndarray, is_positive: np.ndarray, is_negative: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Positive and negative sums of the softmax without each prompt in turn, `[B, K]` each."""
    n_rows, n_prompts = logits_BK.shape
    if n_prompts == 1:
        return np.full((n_rows, 1), np.nan), np.full((n_rows, 1), np.nan)
    rows = np.arange(n_rows)
    top = logits_BK.argmax(axis=1)
    e_BK = np.exp(logits_BK - logits_BK[rows, top][:, None])
    # As long as the largest stays, taking one term off the sum is accurate: the rest is at least 1 …
    total = e_BK.sum(axis=1, keepdims=True) - e_BK
    parts = [e_BK[:, kind].sum(axis=1, keepdims=True) - e_BK * kind for kind in (is_positive, is_negative)]
    # … without the largest the others are summed anew, on their own scale.
    rest = logits_BK.copy()
    rest[rows, top] = -np.inf
    e_rest = np.exp(rest - rest.max(axis=1, keepdims=True))
    total[rows, top] = e_rest.sum(axis=1)
    for part, kind in zip(parts, (is_positive, is_negative), strict=True):
        part[rows, top] = e_rest[:, kind].sum(axis=1)
    return np.clip(parts[0] / total, 0, 1), np.clip(parts[1] / total, 0, 1)


def _without_balanced(logits_BK: np.ndarray, prompts: PromptSet) -> tuple[np.ndarray, np.ndarray]:
    """As `_without`, where a group that loses a prompt has the mean of one fewer."""
    slices = dict(zip(("positive", "negative", "neutral"), prompts.slices, strict=True))
    raw_BK = logits_BK + group_offsets(prompts)
    means = {group: _log_mean_exp(raw_BK[:, part]) for group, part in slices.items()}  # [B] each
    p_pos, p_neg = np.full(raw_BK.shape, np.nan), np.full(raw_BK.shape, np.nan)
    for group, part in slices.items():
        if part.stop == part.start:
            continue
        changed = {name: mean[:, None] for name, mean in means.items()}
        changed[group] = _log_mean_exp_without(raw_BK[:, part])
        stack = np.stack(np.broadcast_arrays(*(changed[name] for name in ("positive", "negative", "neutral"))))
        highest = stack.max(axis=0)
        nothing_left = np.isneginf(highest)
        weights = np.exp(stack - np.where(nothing_left, 0.0, highest))
        total = np.where(nothing_left, np.nan, weights.sum(axis=0))
        p_pos[:, part], p_neg[:, part] = weights[0] / total, weights[1] / total
    return p_pos, p_neg


def _log_mean_exp(logits_Bk: np.ndarray) -> np.ndarray:
    if not logits_Bk.shape[1]:
        return np.full(len(logits_Bk), -np.inf)
    highest = logits_Bk.max(axis=1)
    return highest + np.log(np.exp(logits_Bk - highest[:, None]).mean(axis=1))


def _log_mean_exp_without(logits_Bk: np.ndarray) -> np.ndarray:
    """Log-mean-exp of a group without each of its members in turn, `[B, k]`; −∞ for a group of one."""
    count = logits_Bk.shape[1]
    if count == 1:
        return np.full(logits_Bk.shape, -np.inf)
    rows = np.arange(len(logits_Bk))
    top = logits_Bk.argmax(axis=1)
    highest = logits_Bk[rows, top][:, None]
    e_Bk = np.exp(logits_Bk - highest)
    sums = np.maximum(e_Bk.sum(axis=1, keepdims=True) - e_Bk, np.finfo(float).tiny)
    result = highest + np.log(sums)
    rest = logits_Bk.copy()
    rest[rows, top] = -np.inf
    second = rest.max(axis=1)
    result[rows, top] = second + np.log(np.exp(rest - second[:, None]).sum(axis=1))
    return result - math.log(count - 1)


# --- Shapley shares ---------------------------------------------------------------------------------------------------

_LEFT_NATS, _RIGHT_NATS = 6.0, 2.5  # the quick setting; what lies further left is summed in closed form
_LEFT_NATS_EXACT, _RIGHT_NATS_EXACT = 18.0, 3.2
_STEP, _STEP_EXACT = 0.75, 0.45
_NOTHING_LEFT_NATS = 25.0  # exp(−25) of the integrand is left out
_CHUNK_VALUES = 60_000  # prompts × nodes at a time: stays in the cache


def shapley(logits_BK: np.ndarray, is_positive: np.ndarray, *, accurate: bool | None = None) -> np.ndarray:
    """Shapley shares of `p_pos_sum`, float64 `[B, K]`.

    Args:
        logits_BK: any finite logits, hundreds of nats apart if need be.
        is_positive: `[K]`; the others weigh against.
        accurate: within 1e-7 at any K (float64, a node for every second prompt) instead of within 5e-5; None: up to
            `EXACT_UP_TO` prompts.
    """
    n_rows, n_prompts = logits_BK.shape
    if accurate is None:
        accurate = n_prompts <= EXACT_UP_TO
    if n_rows == 0:
        return np.zeros((0, n_prompts))
    order = np.argsort(~is_positive, kind="stable")  # positive prompts first, so that they are a slice
    n_positive = int(is_positive.sum())
    logits_KB = np.ascontiguousarray(logits_BK[:, order].T, dtype=np.float64)
    logits_KB = logits_KB - logits_KB.max(axis=0)
    log_total_B = np.log(np.exp(logits_KB).sum(axis=0))
    left, right = (_LEFT_NATS_EXACT, _RIGHT_NATS_EXACT) if accurate else (_LEFT_NATS, _RIGHT_NATS)
    low_B, high_B = -log_total_B - left, -logits_KB.min(axis=0) + right
    step = _STEP_EXACT if accurate else _STEP
    # Rows of like width share their number of nodes; one row with extreme logits must not slow down the others.
    n_nodes_B = 1 + np.ceil((high_B - low_B) / step / 4).astype(int) * 4
    p_nodes, p_weights = _coin_nodes(n_prompts, accurate)
    shares_KB = np.empty_like(logits_KB)
    dtype = np.float64 if accurate else np.float32
    chunks: list[tuple[np.ndarray, int]] = []
    for n_nodes in np.unique(n_nodes_B).tolist():
        rows = np.flatnonzero(n_nodes_B == n_nodes)
        at_once = max(1, _CHUNK_VALUES // (n_prompts * n_nodes))
        chunks += [(rows[begin : begin + at_once], n_nodes) for begin in range(0, len(rows), at_once)]

    def fill(chunk: tuple[np.ndarray, int]) -> None:
        rows, n_nodes = chunk
        shares_KB[:, rows] = _integrate(
            logits_KB[:, rows], n_positive, low_B[rows], high_B[rows], n_nodes, p_nodes, p_weights, dtype
        )

    with ThreadPoolExecutor(min(4, os.cpu_count() or 1, len(chunks))) as threads:  # numpy lets go of the GIL
        list(threads.map(fill, chunks))
    shares_KB -= 0.5 / n_prompts
    # The shares add up to the score exactly; what the rule missed is the same small amount for every prompt.
    score_B = np.exp(logits_KB[:n_positive]).sum(axis=0) / np.exp(log_total_B)
    shares_KB += (score_B - 0.5 - shares_KB.sum(axis=0)) / n_prompts
    shares_BK = np.empty((n_rows, n_prompts))
    shares_BK[:, order] = shares_KB.T
    return shares_BK


def _integrate(
    logits_KB: np.ndarray,
    n_positive: int,
    low_B: np.ndarray,
    high_B: np.ndarray,
    n_nodes: int,
    p_nodes: np.ndarray,
    p_weights: np.ndarray,
    dtype: type,
) -> np.ndarray:
    """The double integral for a few rows, `[K, B]`; the last axis inside is nodes of u × rows."""
    n_prompts, n_rows = logits_KB.shape
    step_B = (high_B - low_B) / (n_nodes - 1)
    u_UB = low_B + step_B * np.arange(n_nodes)[:, None]
    weight_UB = np.broadcast_to(step_B, u_UB.shape).copy()
    # To the left of the first node the integrand falls as exp(u): a geometric series.
    weight_UB[0] = step_B / -np.expm1(-step_B)
    weight = weight_UB.astype(dtype).ravel()
    # Beyond exp(80) a prompt is long past; the bound keeps float32 from overflowing.
    exponents = u_UB.astype(dtype) + logits_KB[:, None, :].astype(dtype)
    np.minimum(exponents, 80, out=exponents)
    et = np.exp(exponents, out=exponents).reshape(n_prompts, -1)
    x = np.exp(-et)
    gone = 1 - x
    et_x = et[:n_positive] * x[:n_positive]
    # G ≤ exp(−p · passed): from some node on nothing is left of it, the sooner the larger p.
    passed_U = gone.sum(axis=0).reshape(n_nodes, n_rows).min(axis=1)
    gains, losses = np.zeros_like(et_x), np.zeros_like(x)
    inverse_all, q_all = np.empty_like(x), np.empty_like(et_x)
    for p, p_weight in zip(p_nodes.astype(dtype), p_weights.astype(dtype), strict=True):
        used = n_rows * int(np.count_nonzero(p * (passed_U - 2) < _NOTHING_LEFT_NATS))
        inverse, q = inverse_all[:, :used], q_all[:, :used]
        np.multiply(gone[:, :used], -p, out=inverse)
        inverse += 1
        product = np.multiply.reduce(inverse, axis=0)
        product *= weight[:used]
        product *= p_weight
        np.divide(1, inverse, out=inverse)
        np.multiply(et_x[:, :used], inverse[:n_positive], out=q)
        q_sum = q.sum(axis=0)
        q *= inverse[:n_positive]
        q *= product
        gains[:, :used] += q
        product *= q_sum
        product *= p
        inverse *= product
        losses[:, :used] += inverse
    losses *= gone
    losses[:n_positive] -= gains
    return -losses.reshape(n_prompts, n_nodes, n_rows).sum(axis=1, dtype=np.float64)


@lru_cache(maxsize=64)
def _coin_nodes(n_prompts: int, accurate: bool) -> tuple[np.ndarray, np.ndarray]:
    """Nodes and weights for the bias of the coin, 0..1.

    Exact where it is cheap. Otherwise p = s²: what the first few prompts do happens within p < 1/K.
    """
    exact = (n_prompts + 1) // 2
    quick = max(12, math.ceil(1.2 * math.sqrt(n_prompts)))
    if accurate or exact <= quick:
        nodes, weights = np.polynomial.legendre.leggauss(max(1, exact))
        return (nodes + 1) / 2, weights / 2
    nodes, weights = np.polynomial.legendre.leggauss(quick)
    s = (nodes + 1) / 2
    return s**2, weights * s
