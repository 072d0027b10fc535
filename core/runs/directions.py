"""Is lower or higher better? Told from the words of a metric's name; what they do not say is asked, never guessed.

A name is read by its last part (`loss/seg/mIoU` → `mIoU`), the parts before it only where that says nothing. Its words
stand in one table (`_PHRASES`). What else is in a name decides what becomes of them:

* `loss` as the head (`dice_loss`) goes before whatever it is a loss of;
* what is only weakly meant (`score`, `s`, the 1 of `top1`) yields to what is plainly meant (`top1_err`);
* a negation turns a word round where it can mean nothing else (`neg_rmse`); `neg_acc` may be the accuracy on negatives;
* a difference is better small (`accuracy_gap`), or as it moves the measure (`accuracy_drop`, `error_reduction`);
* a spread, a count, a weight of a measure (`acc_std`, `loss_weight`) says nothing of the kind: asked.
"""

from __future__ import annotations

import re
from typing import Literal

from ..errors import InputError
from .words import Says

Way = Literal["min", "max"]


def direction_of(metric: str, given: str | None = None) -> Way:
    """`min` where lower is better, `max` where higher is: as given, else told from the metric's name.

    Raises:
        InputError: `given` is neither, or the name does not say it.
    """
    if given is not None:
        if given not in ("min", "max"):
            raise InputError(Says.direction(), where=str(given), next_step=Says.give_direction())
        return "min" if given == "min" else "max"
    told = told_by(metric)
    if told is None:
        raise InputError(Says.direction_untold(), where=metric, next_step=Says.say_direction())
    return told


def told_by(metric: str) -> Way | None:
    """What a name says by itself; None where it says nothing, or two things."""
    rate = _RATE.search(metric)
    if rate:  # images per second
        return "max" if _way_of(_words_of(metric[: rate.start()])) != "min" else None
    *parents, last = metric.split("/")
    words = _words_of(last)
    if parents and words == ["s"]:
        return None  # `ops/s` is a rate, `epoch/s` a time
    told = _way_of(words)
    if told == "max" and any(_is_loss(_words_of(parent)) for parent in parents) and not _all_known(words):
        return None  # `loss/accuracy_head` is a loss, `loss/acc` is none
    if told is not None or _asks(words):
        return told
    return _way_of([word for parent in parents for word in _words_of(parent)])


# -------------------------------------------------------------------------------------------------------------- table

_LOWER = """
    error|errors|err|mae|mse|nme|rmse|rmsd|rmsle|msle|mape|smape|mpjpe|pa mpjpe|mpvpe|epe|aepe|ade|fde|abs rel|sq rel
    perplexity|ppl|ece|mce|nll|bce|ce|cross entropy|crossentropy|wer|cer|mer|brier|deviance|nelbo
    fid|sfid|kid|fvd|fad|lpips|dists|niqe|brisque|ergas
    eer|hter|apcer|bpcer|acer|far|frr|fmr|fnmr|fpr|fnr|fdr|false positive|false positives|false negative
    false negatives|false alarm|false alarms|false discovery|false acceptance|false rejection|false match|der|jer|mcd
    distance|chamfer|hausdorff|hd N|assd|asd|emd|wasserstein|mmd|kl|kld|kl div|divergence|jsd
    drift|miss|misses|regret|failure|failures|collision|collisions|violation|violations|penalty|cost|hallucination
    forgetting|misclassification|residual|residuals|bpb|bpd|bpc|bits per byte|bits per dim|bits per char|aic|bic
    mean rank|median rank|avg rank|average rank|med r|medr|mean r|meanr|md r|mdr|mn r|mnr
    latency|duration|runtime
    brier score|fid score
"""
_HIGHER = """
    acc|macc|accuracy|accuracies|map|ap|ar|auc|auroc|roc auc|auprc|aupr|prauc|rocauc|recall|precision|sensitivity
    specificity|tpr|tnr|ppv|npv|iou|miou|giou|jaccard|dice|mdice|ms ssim|f N|f N score|f measure|s measure|e measure
    fscore|f score|fbeta|psnr|ssim|vmaf|r squared|explained variance|cmc|correlation|pearson|spearman|kendall|plcc
    srcc|krcc|pcc|mcc|kappa|qwk|throughput|fps|qps|mfu|mrr|ndcg|hit|hits|hitrate|reward|rewards|rew|return|returns
    likelihood|loglikelihood|elbo|bleu|rouge|meteor|cider|spice|chrf|bertscore|bert score|comet|pck|pckh|oks|mota
    hota|idf N|success|successes|win rate|winrate|pass rate|solve rate|exact match|correct|nmi|ari|ami|silhouette
    purity|homogeneity|v measure|similarity|cos sim|clip score|clipscore|inception score|true positive|true negative
    predictive value|vqa score|pass N|aesthetic score
"""
_WEAKLY_LOWER = """
    ms|millisecond|milliseconds|us|ns|s|sec|secs|second|seconds|minutes|hours|time|fr|memory|vram|bytes|mb|gb
"""
_WEAKLY_HIGHER = "top N|rank N|r N|r|hit N|cmc N"
_BARE_HIGHER = "score|scores|r|r N"
"""Only where nothing else is in the name that could be meant: `eval/mean_score`, not `toxicity_score`."""


def _set(text: str) -> frozenset[str]:
    return frozenset(text.split())


_PLAIN = _set(
    """mean avg average max min median best final total overall macro micro weighted mixed top val valid validation test
    eval train dev ep episode per class pixel sample step epoch ema smooth smoothed running global image images batch m
    a bbox box segm mask seg rate percent pct value metric metrics raw online offline b"""
)
"""Words beside a measure that change nothing of it."""

_ASKED = _set(
    """std stddev var variance sd se sem stderr standard ratio count counts num n weight weights weighting lambda coef
    coefficient scale scaler threshold thresholds thresh thr target goal baseline slope index idx id temperature lr
    delta diff difference change inverse inv reciprocal not no non without wo minus travelled traveled driven covered
    steps timesteps budget limit bonus margin schedule discount alpha beta gamma bound bounds survival until between"""
)
_UNITS = _set("s sec secs second seconds ms us ns minutes hours time memory vram bytes mb gb")
_DURATIONS = frozenset(("latency", "duration", "runtime"))
_NEGATIONS = frozenset(("neg", "negative", "negated"))
_NEGATED = frozenset(
    ("mse", "rmse", "mae", "mape", "nme", "likelihood", "loglikelihood", "elbo", "brier", "perplexity")
)
_NEGATED |= frozenset(("deviance", "brier score", "rmsle", "msle"))
_KINDS_OF_ERROR = frozenset(("mean", "squared", "absolute", "max", "median", "root"))
_SMALLER = frozenset(("drop", "decrease", "degradation", "decline", "deterioration", "reduction"))
_LARGER = frozenset(("increase", "improvement", "gain"))
_GAPS = frozenset(("generalization", "generalisation", "optimality", "duality", "fairness", "train", "test", "val"))
_LOSSES = frozenset(("loss", "losses"))
_LOSS_OF = frozenset(("dice", "iou", "giou", "jaccard", "ssim"))
"""`loss_dice` is a loss, as detectors and transformers log it; of other pairs (`loss_auc`) nobody can tell."""

_RATE = re.compile(
    r"(?:^|[/_\- ])(?:images?|imgs?|samples?|frames?|tokens?|items?|steps?|rows?|batches|iterations?|iters?|its?|words"
    r"|examples?|sequences|queries|requests|documents|pairs|points|episodes|updates|faces|texts|vectors|masks)"
    r"(?:[_\- ]?per[_\- ]?|/)(?:s|secs?|seconds?|min|minutes?|hours?)$",
    re.IGNORECASE,
)


def _phrases(way: Way, weight: int, text: str) -> dict[tuple[str, ...], tuple[Way, int]]:
    return {tuple(phrase.split()): (way, weight) for phrase in re.split(r"[|\n]", text) if phrase.strip()}


_PHRASES: dict[tuple[str, ...], tuple[Way, int]] = {
    **_phrases("min", 1, _WEAKLY_LOWER),
    **_phrases("max", 1, _WEAKLY_HIGHER),
    **_phrases("min", 2, _LOWER),
    **_phrases("max", 2, _HIGHER),
}
"""Words of a name → which way they point, and how plainly. `N` stands for a number."""
_BARE = _phrases("max", 1, _BARE_HIGHER)
_LONGEST = max(map(len, _PHRASES))
_OPPOSITE: dict[Way, Way] = {"min": "max", "max": "min"}

# -------------------------------------------------------------------------------------------------------------- words


def _words_of(name: str) -> list[str]:
    """The words of one part of a name, lower case, numbers by themselves: `valLoss` → val loss, `Rank-1` → rank 1."""
    if re.match(r"\s*(1|one)\s*[-_]?\s*(minus|[-−])\s*[_ ]?[A-Za-z]", name):  # 1-accuracy
        return ["1", "minus", *_words_of(re.sub(r"^\s*(1|one)\W*", "", name))]
    name = re.sub(r"mAP|mIoU|IoU|mAcc|mDice", lambda match: match[0].lower(), name)
    name = re.sub(r"@(?=\d)", " ", name).replace("@", " at ")
    words: list[str] = []
    for part in re.findall(r"[A-Za-z]+|\d+", name):
        if (part.lower(),) in _PHRASES or part.isdigit() or part.lower() in _LOSSES:
            words.append(part.lower())
            continue
        for word in re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+", part):
            lower = word.lower()
            # `logloss`, `diceloss`
            words += [lower[:-4], "loss"] if lower.endswith("loss") and len(lower) > 4 else [lower]
    return _without_condition(words)


def _without_condition(words: list[str]) -> list[str]:
    """`tpr_at_fpr_1e-3` is a tpr: a measure after `at`, or after a number (`fpr@95tpr`), says where it was taken."""
    for place, word in enumerate(words):
        if place and word == "at":
            rest = words[place + 1 :]
            at = next((i for i, one in enumerate(rest) if not one.isdigit()), len(rest))
            if at < len(rest) and (rest[at],) in _PHRASES:
                return [*words[:place], *rest[:at], *rest[at + 1 :]]
    if len(words) == 3 and words[0] in ("fpr", "tpr", "fnr", "tnr") and words[1].isdigit():
        return words[:1]
    return words


def _found(words: list[str]) -> tuple[list[tuple[str, Way, int]], list[str]]:
    """The phrases of the table among the words (text, way, weight), the longest first taken; and the words left."""
    found: list[tuple[str, Way, int]] = []
    left: list[str] = []
    place = 0
    while place < len(words):
        for length in range(min(_LONGEST, len(words) - place), 0, -1):
            some = words[place : place + length]
            known = _PHRASES.get(tuple(some)) or _PHRASES.get(tuple("N" if one.isdigit() else one for one in some))
            if known:
                found.append((" ".join(some), *known))
                break
        else:
            length = 1
            left.append(words[place])
        place += length
    return found, left


def _is_loss(words: list[str]) -> bool:
    return any(word in _LOSSES for word in words)


def _asks(words: list[str]) -> bool:
    """Whether the words say something that can point both ways."""
    found, left = _found(words)
    changed = _ASKED | _NEGATIONS | _SMALLER | _LARGER | _LOSSES | {"gap"}
    return bool(found) or any(word in changed for word in left)


def _all_known(words: list[str]) -> bool:
    return all(word.isdigit() or word in _PLAIN for word in _found(words)[1])


def _way_of(words: list[str]) -> Way | None:
    if len(words) > 1 and words[-2] == "per" and words[-1] in _UNITS:
        words = words[:-2]  # a rate of whatever stands before it
    found, left = _found(words)
    if _ASKED & set(left) or _is_when(words, found):
        return None
    told = _loss_or_measure(words, found, left)
    if _NEGATIONS & set(left):
        return _negated(found, words, told)
    if "gap" in left:
        may_be_wanted = {"similarity", "distance", "reward", "return"} & set(words)
        return "min" if not may_be_wanted and (told is not None or _GAPS & set(left)) else None
    changes = (_SMALLER | _LARGER) & set(left)
    return _changed(told, changes, words[0]) if changes else told


def _changed(told: Way | None, changes: frozenset[str], first: str) -> Way | None:
    """What a change of a measure points to, where that is plain."""
    if told == "max" and changes <= _LARGER:
        return "max"
    if told == "max" and changes <= _SMALLER and first not in _SMALLER:
        return "min"  # `accuracy_drop`; `drop_acc` may be the accuracy under dropout
    return "max" if told == "min" and changes <= {"reduction", "improvement"} else None


def _is_when(words: list[str], found: list[tuple[str, Way, int]]) -> bool:
    """Whether it is a time or a memory beside a measure (`time_to_success`, `map_memory`), or where the best was."""
    plain = {text for text, _, weight in found if weight == 2}
    beside = bool(plain - _DURATIONS) and any(text in _UNITS and text != "s" for text, *_ in found)
    return beside or (words[-1:] in (["epoch"], ["step"]) and bool({"best", "max", "min"} & set(words)))


def _loss_or_measure(words: list[str], found: list[tuple[str, Way, int]], left: list[str]) -> Way | None:
    """What the words point to, whatever else is said of it."""
    if _is_loss(words):
        return _loss(words, found)
    if not found:
        bare = [word for word in left if (word,) in _BARE]
        return "max" if bare and _all_known([word for word in left if word not in bare]) else None
    plainly = max(weight for *_, weight in found)
    ways = {way for _, way, weight in found if weight == plainly}
    return ways.pop() if len(ways) == 1 else None


def _loss(words: list[str], found: list[tuple[str, Way, int]]) -> Way | None:
    """A loss, unless a measure that is no loss stands after the word."""
    place = next(i for i, word in enumerate(words) if word in _LOSSES)
    after = [text for text, way, weight in found if way == "max" and weight == 2 and text.split()[0] in words[place:]]
    return "min" if all(text in _LOSS_OF for text in after) else None


def _negated(found: list[tuple[str, Way, int]], words: list[str], told: Way | None) -> Way | None:
    """The other way round, where the negation can only be a sign."""
    names = {text for text, *_ in found}
    is_error = bool({"error", "err", "deviance"} & names and _KINDS_OF_ERROR & set(words))
    is_sign = is_error or bool(names & _NEGATED) or ("loss" in words and "log" in words)
    return _OPPOSITE[told] if is_sign and told is not None else None
