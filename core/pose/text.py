"""Head pose → words: a table of bins with half-open edges, to the letter.

    yaw    < −45 left profile view · < −15 left three-quarter view · < 15 frontal view
           · < 45 right three-quarter view · else right profile view
    pitch  < −20 looking down · < 20 level gaze · else looking up
    roll   |roll| < 10 upright · ≥ 10 tilted right · ≤ −10 tilted left

Joined by ", " in that order: 5 · 3 · 3 = 45 captions. Note that roll's lower edge belongs to "tilted left", while
yaw's and pitch's lower edges belong to the middle bin.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from ..errors import InputError
from .angles import ANGLES, checked_angles
from .words import Says

YAW_WORDS = (
    "left profile view",
    "left three-quarter view",
    "frontal view",
    "right three-quarter view",
    "right profile view",
)
PITCH_WORDS = ("looking down", "level gaze", "looking up")
ROLL_WORDS = ("tilted left", "upright", "tilted right")
_WORDS = (YAW_WORDS, PITCH_WORDS, ROLL_WORDS)
YAW_EDGES_DEG = (-45.0, -15.0, 15.0, 45.0)
PITCH_EDGES_DEG = (-20.0, 20.0)
ROLL_EDGE_DEG = 10.0
# The middle of each bin; an open outer bin counts as wide as the bin beside it.
YAW_CENTRES_DEG = (-60.0, -30.0, 0.0, 30.0, 60.0)
PITCH_CENTRES_DEG = (-40.0, 0.0, 40.0)
ROLL_CENTRES_DEG = (-20.0, 0.0, 20.0)

# All discrete captions; a pose's caption is CAPTIONS[caption_numbers(pose)].
CAPTIONS = tuple(f"{yaw}, {pitch}, {roll}" for yaw in YAW_WORDS for pitch in PITCH_WORDS for roll in ROLL_WORDS)
# A pose of each caption, in the middle of its bins, float64 `[45, 3]`.
CENTRE_POSES_DEG = np.array([(y, p, r) for y in YAW_CENTRES_DEG for p in PITCH_CENTRES_DEG for r in ROLL_CENTRES_DEG])

EXPRESSIONS = ("neutral", "smiling", "surprised", "sad", "mouth open", "eyes closed")
LIGHTS = ("light from the left", "light from the right", "light from above", "light from the front", "dim light")
TEMPLATES = ("{}", "a head, {}", "a face, {}", "a photo of a face, {}", "a rendered head, {}", "a person, {}")


def bins(angles_deg_N3: npt.ArrayLike) -> np.ndarray:
    """The bin of each angle: int64 `[N, 3]`, indices into `YAW_WORDS`, `PITCH_WORDS`, `ROLL_WORDS`.

    Raises:
        InputError: a NaN, infinite or absent angle (names the row), or another shape.
    """
    yaw, pitch, roll = checked_angles(angles_deg_N3).T
    return np.stack(
        [
            np.searchsorted(YAW_EDGES_DEG, yaw, side="right"),
            np.searchsorted(PITCH_EDGES_DEG, pitch, side="right"),
            1 + (roll >= ROLL_EDGE_DEG).astype(np.int64) - (roll <= -ROLL_EDGE_DEG),
        ],
        axis=1,
    )


def bin_words(angles_deg: npt.ArrayLike) -> dict[str, str]:
    """One pose's words by angle: `yaw`, `pitch`, `roll`. Raises `InputError` as `bins`."""
    numbers = bins(angles_deg)[0].tolist()
    return {name: words[number] for name, words, number in zip(ANGLES, _WORDS, numbers, strict=True)}


def caption_numbers(angles_deg_N3: npt.ArrayLike) -> np.ndarray:
    """int64 `[N]`, 0..44: which of `CAPTIONS` each pose has.

    Raises:
        InputError: as `bins`.
    """
    yaw, pitch, roll = bins(angles_deg_N3).T
    numbers: np.ndarray = (yaw * len(PITCH_WORDS) + pitch) * len(ROLL_WORDS) + roll
    return numbers


def describe(
    angles_deg_N3: npt.ArrayLike,
    *,
    continuous: bool = False,
    expressions: Sequence[str] | None = None,
    lights: Sequence[str] | None = None,
    template: str = "{}",
) -> list[str]:
    """One caption for each pose.

    Args:
        angles_deg_N3: yaw, pitch, roll in degrees, `[N, 3]` or `[3]`.
        continuous: the numbers themselves instead of the table's words, rounded to a tenth of a degree.
        expressions: a word or two for each pose (`EXPRESSIONS` has some), or none; an empty string adds nothing.
        lights: the same for the light (`LIGHTS` has some).
        template: one of `TEMPLATES`, or any text with one `{}`.

    Returns:
        N captions such as `right profile view, level gaze, upright`, or `yaw 45.0, pitch 10.0, roll -5.0 degrees`.

    Raises:
        InputError: as `bins`; lists of another length than N; a template without exactly one `{}`.
    """
    if template.count("{}") != 1 or template.replace("{}", "").count("{") or template.replace("{}", "").count("}"):
        raise InputError(Says.one_brace(), where=template, next_step=Says.one_brace_next())
    angles = checked_angles(angles_deg_N3)
    if continuous:
        rounded = np.round(angles, 1) + 0.0  # adding 0.0 turns −0.0 into 0.0
        captions = [f"yaw {yaw:.1f}, pitch {pitch:.1f}, roll {roll:.1f} degrees" for yaw, pitch, roll in rounded]
    else:
        captions = [CAPTIONS[number] for number in caption_numbers(angles)]
    for kind, words in ((Says.expressions(), expressions), (Says.lights(), lights)):
        if words is None:
            continue
        if len(words) != len(captions):
            raise InputError(
                Says.words_for_poses(count=len(words), kind=kind, poses=len(captions)),
                next_step=Says.words_for_poses_next(kind=kind),
            )
        captions = [f"{caption}, {word}" if word else caption for caption, word in zip(captions, words, strict=True)]
    return [template.replace("{}", caption) for caption in captions]
