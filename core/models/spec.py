"""`ModelSpec`: everything known about a model before it is loaded. One entry of the catalogue is one of these."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from ..messages import NOTHING, Message, Template

Family = Literal["openai_clip", "open_clip", "torchvision", "efficientnet_lite"]
FAMILY_NAMES: dict[Family, str] = {
    "openai_clip": "OpenAI CLIP",
    "open_clip": "OpenCLIP",
    "torchvision": "torchvision",
    "efficientnet_lite": "EfficientNet-Lite",
}
Activation = Literal["gelu", "quickgelu", "relu", "silu", "relu6"]

CLIP_MEAN = (0.48145466, 0.4578275, 0.40821073)
CLIP_STD = (0.26862954, 0.26130258, 0.27577711)
IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)
HALF = (0.5, 0.5, 0.5)

OPEN_CLIP_CONFIG = "open_clip_config.json"
HUB_FILES = ("open_clip_model.safetensors", "open_clip_pytorch_model.bin")  # the order in which open_clip prefers them


@dataclass(frozen=True)
class Preprocessing:
    """From an upright RGB image to a model's input.

    Attributes:
        resize_px: the shorter side is resized to this.
        crop_px: centre crop, square; the model's input size.
        interpolation: `bicubic` or `bilinear`, antialiased.
        mean, std: per channel, for values scaled to 0..1.
        resize_mode: `shortest` as above; `squash` resizes to the square, proportions not kept, nothing cropped.
    """

    resize_px: int
    crop_px: int
    interpolation: Literal["bicubic", "bilinear"]
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    resize_mode: Literal["shortest", "squash"] = "shortest"


@dataclass(frozen=True)
class ModelSpec:
    """One catalogue entry. A fact that disagrees with the loaded model fails a test.

    Attributes:
        id: what users type and files store; never changes.
        family: which reference library defines the model, hence how it loads and what its features are.
        architecture: the library's own name (`ViT-B-32-quickgelu`, `resnet152`).
        tag: the library's name of the weights (`laion2b_s34b_b79k`, `IMAGENET1K_V2`).
        dim: width of the image embedding.
        preprocessing: see above.
        activation: of the image tower.
        params_m: millions of parameters, text tower included.
        gmacs: 1e9 multiply-accumulates of the image tower for one image.
        file_bytes: size of the weight file to download, 0 where it ships with the project or a package.
        licence: of the weights; empty where it has not been seen.
        hub_id: repository on the Hugging Face hub, or empty.
        url: direct download where there is no hub repository, or empty.
        folder: where the weights lie, relative to the weights folder.
        files: file names looked for in `folder`, in this order.
        has_text: whether there is a text tower.
        advice: one line for the person who chooses; see `advise`.
        elsewhere: further places of the same weights, relative to the weights folder, looked at after `files`.
        custom: found under `weights/custom/` rather than listed in the catalogue.
        problem: why this entry cannot be loaded (a custom checkpoint with a bad configuration); empty if it can.
    """

    id: str
    family: Family
    architecture: str
    tag: str
    dim: int
    preprocessing: Preprocessing
    activation: Activation
    params_m: float
    gmacs: float
    file_bytes: int
    licence: str
    folder: str
    files: tuple[str, ...]
    has_text: bool
    advice: Message
    hub_id: str = ""
    url: str = ""
    elsewhere: tuple[str, ...] = ()
    custom: bool = False
    problem: Message = NOTHING

    @property
    def input_px(self) -> int:
        return self.preprocessing.crop_px


def advise(en: str, zh: str) -> Message:
    """An entry's line of advice in both languages."""
    return Template(en, zh, "models.advice")()
