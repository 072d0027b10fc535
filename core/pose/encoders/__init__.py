"""Head pose → conditioning vectors: one protocol, `[B, 3] degrees → [B, output_dim]`, for every way of saying a pose.

    angles ─▶ features [B, F] ─▶ projection (trainable) ─▶ [B, output_dim] ─▶ `injection.py` splits it into q, k, v

    protocol.py    what every encoder is, its trainable part, and the encoder of nothing
    numbers.py     the angles as numbers through an MLP
    table.py       a learned row for each caption
    captions.py    the caption through CLIP's text tower
    hybrid.py      the two added
    text_tower.py  a CLIP's text tower without the rest of it
    tensors.py     angles on their device: checking, captions, interpolation
    build.py       any encoder by its name in `core.pose.arms`

`MLPPoseEncoder` is the default; `CLIPPoseEncoder` is what it is compared with; the others are controls (`arms.py` says
what each is for). They are interchangeable, and `build_pose_encoder` makes any of them by name.

**Cost.** A frozen CLIP with discrete captions is a table of 45 rows: the text tower runs once, when the encoder is
made, and is dropped. Continuous captions are cached for each rounded pose. Only an unfrozen tower runs in each step,
once for each different caption of the batch.

**A fair comparison.** Features differ in width (3 for the angles, 512 for CLIP), so equal hidden layers would not be
equal projections. `build_pose_encoder` gives every encoder the hidden width that makes its trainable parameters equal
to those of the `clip` encoder, to within one hidden unit; the learned table counts with its rows, a fine-tuned tower
does not count. CLIP's embeddings all point nearly the same way; they are normalised, centred and scaled once, by the
mean and spread of the captions, so that each encoder's features have about unit variance.
"""

from .build import build_pose_encoder
from .captions import CaptionRows as _Rows  # its name in encoders pickled by version 0.1
from .captions import CLIPPoseEncoder
from .hybrid import HybridPoseEncoder
from .numbers import FourierPoseEncoder, MLPPoseEncoder
from .protocol import EncodeTexts, NoPoseEncoder, PoseEncoder, trainable_parameters
from .table import TablePoseEncoder
from .text_tower import TextTower, text_model

__all__ = [
    "CLIPPoseEncoder",
    "EncodeTexts",
    "FourierPoseEncoder",
    "HybridPoseEncoder",
    "MLPPoseEncoder",
    "NoPoseEncoder",
    "PoseEncoder",
    "TablePoseEncoder",
    "TextTower",
    "_Rows",
    "build_pose_encoder",
    "text_model",
    "trainable_parameters",
]
