"""The pose encoders by name, and what each is for. Light: menus and command lines need no torch to list them."""

from __future__ import annotations

POSE_ENCODERS: dict[str, str] = {
    "none": "nothing of the pose: what the trunk does without it",
    "mlp": "the three angles through an MLP: the default the others are compared with",
    "sincos": "their sines and cosines through an MLP",
    "fourier": "sines and cosines of their multiples through an MLP",
    "table": "a learned row for each of the 45 captions: 45 codes without meaning at the start",
    "clip": "the caption through CLIP's text tower",
    "clip_permuted": "the same embeddings dealt to the wrong captions: codes without their meaning",
    "clip_random": "the caption through a text tower of random weights: words without training",
    "clip_interpolated": "embeddings of neighbouring captions, interpolated by angle",
    "clip_continuous": "the numbers themselves as text through CLIP's text tower",
    "hybrid": "clip and mlp, added",
}
# Made by name like the others, outside the experiment's standard set.
FURTHER_POSE_ENCODERS: dict[str, str] = {
    "sixd": "the rotation's first two columns (6D) through an MLP",
}
ARMS = tuple(POSE_ENCODERS)
