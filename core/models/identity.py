"""What a model is: everything that shapes its vectors. Two identities that are equal give the same vectors but for
rounding; where any part differs, vectors may not be mixed, compared or taken over.

Runtime, dtype, device and library versions are no part of it: they move the last digits, and canaries judge them
(`passport`). No torch is imported here.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from ..images import decode

if TYPE_CHECKING:
    from .encoder import Encoder


def identity(encoder: Encoder) -> dict[str, Any]:
    """The parts, as plain JSON values.

    Returns:
        `weights_sha256`; `architecture`, the library's name of it, and `switches`, its whole configuration;
        `preprocessing`; `tokenizer`, None without a text tower; `alpha`, how transparency was taken.
    """
    preprocessing = asdict(encoder.spec.preprocessing)
    return {
        "weights_sha256": encoder.weights_sha256,
        "architecture": encoder.spec.architecture,
        "switches": encoder.switches,
        "preprocessing": {name: list(v) if isinstance(v, tuple) else v for name, v in preprocessing.items()},
        "tokenizer": encoder.tokenizer,
        "alpha": decode.ALPHA,
    }


def identity_key(encoder: Encoder) -> str:
    """A hash of the identity, for caches."""
    return hashlib.sha256(json.dumps(identity(encoder), sort_keys=True).encode()).hexdigest()
