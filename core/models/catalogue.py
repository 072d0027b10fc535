"""The catalogue: every model there is, by id. The entries stand in `entries`, one a model, the only place of its facts.

`specs(weights_dir)` is what every list shows: the entries, the built-in model with the facts of its own
`open_clip_config.json`, and the checkpoints found under `weights/custom/`. `tests/models/test_catalogue.py` builds
every architecture without weights and holds each fact against it. No torch is imported here.
"""

from __future__ import annotations

import difflib
from pathlib import Path

from ..errors import UnknownModel
from .described import DEMO, custom_specs, demo_spec
from .entries.classic import EFFICIENTNET_LITE, TORCHVISION
from .entries.clip import OPEN_CLIP, OPENAI
from .spec import ModelSpec
from .words import Says

CATALOGUE: tuple[ModelSpec, ...] = (DEMO, *EFFICIENTNET_LITE, *OPENAI, *OPEN_CLIP, *TORCHVISION)


def specs(weights_dir: Path) -> tuple[ModelSpec, ...]:
    """All models a list shows: the catalogue, then the custom checkpoints under `weights_dir/custom/`, by name.

    A custom checkpoint that cannot be used stands in the list with its `problem`.
    """
    listed = tuple(demo_spec(weights_dir) if spec is DEMO else spec for spec in CATALOGUE)
    return listed + custom_specs(weights_dir)


def find(model_id: str, weights_dir: Path) -> ModelSpec:
    """The entry of an id. Raises `UnknownModel`, which names close ids."""
    listed = {spec.id: spec for spec in CATALOGUE}
    if model_id in listed and model_id != DEMO.id:  # and no file of anybody's is looked at
        return listed[model_id]
    known = {spec.id: spec for spec in specs(weights_dir)}
    if model_id in known:
        return known[model_id]
    close = difflib.get_close_matches(model_id.lower(), known, n=3, cutoff=0.6)
    hint = Says.did_you_mean(names=", ".join(close)) if close else Says.list_models()
    raise UnknownModel(Says.no_model_id(), where=model_id, next_step=hint)
