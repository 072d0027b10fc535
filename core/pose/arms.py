"""The pose encoders by name: what each is for, and how it is made. An arm is one entry here.

Light: menus and command lines need no torch to list them. `encoders/build.py` makes them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from ..messages import Template

EncoderKind = Literal["none", "numbers", "table", "captions", "hybrid"]


@dataclass(frozen=True)
class Arm:
    """One pose encoder.

    Attributes:
        purpose: what it is for, as a clause.
        kind: of encoder: the method of `encoders.build.Maker` that makes it.
        options: of that method.
        standard: whether the experiment's standard set has it.
    """

    purpose: Template
    kind: EncoderKind
    options: Mapping[str, Any] = field(default_factory=dict)
    standard: bool = True


ARMS: dict[str, Arm] = {
    "none": Arm(Template("nothing of the pose: what the trunk does without it", "不含姿态：主干自身的水平"), "none"),
    "mlp": Arm(
        Template(
            "the three angles through an MLP: the default the others are compared with",
            "三个角度经 MLP：默认编码器，其余以它为准",
        ),
        "numbers",
        {"representation": "angles"},
    ),
    "sincos": Arm(
        Template("their sines and cosines through an MLP", "角度的正弦、余弦经 MLP"),
        "numbers",
        {"representation": "sincos"},
    ),
    "sixd": Arm(
        Template("the rotation's first two columns (6D) through an MLP", "旋转矩阵前两列（6D）经 MLP"),
        "numbers",
        {"representation": "6d"},
        standard=False,
    ),
    "fourier": Arm(
        Template("sines and cosines of their multiples through an MLP", "角度倍频的正弦、余弦经 MLP"),
        "numbers",
        {"representation": "fourier"},
    ),
    "table": Arm(
        Template(
            "a learned row for each of the 45 captions: 45 codes without meaning at the start",
            "45 句各对应一行可学习参数：起初没有含义的 45 个编码",
        ),
        "table",
    ),
    "clip": Arm(Template("the caption through CLIP's text tower", "描述经 CLIP 文本编码器"), "captions"),
    "clip_permuted": Arm(
        Template(
            "the same embeddings dealt to the wrong captions: codes without their meaning",
            "同样的向量，但与描述错配：失去含义的编码",
        ),
        "captions",
        {"variant": "permuted"},
    ),
    "clip_random": Arm(
        Template(
            "the caption through a text tower of random weights: words without training",
            "描述经随机权重的文本编码器：未经训练的词语",
        ),
        "captions",
        {"variant": "random", "encode_texts": None},  # a tower that the caller has loaded is not random
    ),
    "clip_interpolated": Arm(
        Template("embeddings of neighbouring captions, interpolated by angle", "相邻描述的向量按角度插值"),
        "captions",
        {"variant": "interpolated"},
    ),
    "clip_continuous": Arm(
        Template("the numbers themselves as text through CLIP's text tower", "数值写成文字经 CLIP 文本编码器"),
        "captions",
        {"use_continuous_text": True},
    ),
    "hybrid": Arm(Template("clip and mlp, added", "clip 与 mlp 相加"), "hybrid"),
}
for _name, _arm in ARMS.items():
    _arm.purpose.code = f"pose.arm_{_name}"

STANDARD_ARMS = tuple(name for name, arm in ARMS.items() if arm.standard)
