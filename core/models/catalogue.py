"""The catalogue: one entry per model, the only place where its facts stand.

`specs(weights_dir)` is what every list shows: the entries below, the built-in model with the facts of its own
`open_clip_config.json`, and the checkpoints found under `weights/custom/`. `tests/models/test_catalogue.py` builds
every architecture without weights and holds each fact against it. No torch is imported here.
"""

from __future__ import annotations

import difflib
import hashlib
import json
import re
import struct
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

from ..errors import UnknownModel
from .spec import (
    CLIP_MEAN,
    CLIP_STD,
    HALF,
    IMAGENET_MEAN,
    IMAGENET_STD,
    Activation,
    ModelSpec,
    Preprocessing,
)
from .words import Says

OPEN_CLIP_CONFIG = "open_clip_config.json"
HUB_FILES = ("open_clip_model.safetensors", "open_clip_pytorch_model.bin")  # the order in which open_clip prefers them
VOCABULARY = 49408  # of open_clip's own tokenizer
CUSTOM_FOLDER = "custom"
CUSTOM_PREFIX = "custom_"
DEMO_MODEL = "demo_clip"  # the built-in one

_OPENAI_URL = "https://openaipublic.azureedge.net/clip/models"
_TORCHVISION_URL = "https://download.pytorch.org/models"
_CLIP_224 = Preprocessing(224, 224, "bicubic", CLIP_MEAN, CLIP_STD)


def _openai(
    name: str, sha256: str, hub: str, *, dim: int, params_m: float, gmacs: float, file_bytes: int, advice: str
) -> ModelSpec:
    """A model of OpenAI's own release. Architectures are open_clip's `-quickgelu` ones, which compute the same.

    `file_bytes` is that of the TorchScript archive, approximately: its tensors, without the archive's own overhead.
    """
    residual = name.startswith("RN")
    return ModelSpec(
        id="openai_clip_" + name.lower().replace("vit-b-", "vit_b").replace("vit-l-", "vit_l"),
        family="openai_clip",
        architecture=f"{name}-quickgelu",
        tag="openai",
        dim=dim,
        preprocessing=_CLIP_224,
        activation="relu" if residual else "quickgelu",
        params_m=params_m,
        gmacs=gmacs,
        file_bytes=file_bytes,
        licence="",
        folder="openai",
        files=(f"{name}.pt",),
        has_text=True,
        advice=advice,
        hub_id=f"timm/{hub}",
        url=f"{_OPENAI_URL}/{sha256}/{name}.pt",
        elsewhere=tuple(f"clip/{hub}/{file}" for file in HUB_FILES),
    )


def _open_clip(
    suffix: str,
    architecture: str,
    tag: str,
    hub_id: str,
    *,
    dim: int,
    params_m: float,
    gmacs: float,
    advice: str,
    preprocessing: Preprocessing = _CLIP_224,
    activation: Activation = "gelu",
    licence: str = "",
    elsewhere: tuple[str, ...] = (),
) -> ModelSpec:
    """A model of open_clip's zoo. `file_bytes` is four bytes for each parameter: the size to a part in a thousand.

    The folder bears the hub repository's name without its `CLIP-`; a folder with the whole name is found as well.
    """
    repository = hub_id.split("/")[1]
    folder = repository.removeprefix("CLIP-")
    if folder != repository:
        elsewhere = (*(f"clip/{repository}/{name}" for name in HUB_FILES), *elsewhere)
    return ModelSpec(
        id=f"open_clip_{suffix}",
        family="open_clip",
        architecture=architecture,
        tag=tag,
        dim=dim,
        preprocessing=preprocessing,
        activation=activation,
        params_m=params_m,
        gmacs=gmacs,
        file_bytes=round(params_m * 4e6),
        licence=licence,
        folder=f"clip/{folder}",
        files=HUB_FILES,
        has_text=True,
        advice=advice,
        hub_id=hub_id,
        elsewhere=elsewhere,
    )


def _torchvision(
    name: str,
    file: str,
    tag: str,
    *,
    dim: int,
    resize_px: int,
    crop_px: int,
    activation: Activation,
    params_m: float,
    gmacs: float,
    file_mib: float,
    advice: str,
) -> ModelSpec:
    """A classifier of torchvision; its vector is what enters the last linear layer."""
    return ModelSpec(
        id=name,
        family="torchvision",
        architecture=name,
        tag=tag,
        dim=dim,
        preprocessing=Preprocessing(
            resize_px,
            crop_px,
            "bicubic" if name.startswith("efficientnet") else "bilinear",
            IMAGENET_MEAN,
            IMAGENET_STD,
        ),
        activation=activation,
        params_m=params_m,
        gmacs=gmacs,
        file_bytes=round(file_mib * 2**20),
        licence="",
        folder="torchvision",
        files=(file,),
        has_text=False,
        advice=advice,
        url=f"{_TORCHVISION_URL}/{file}",
    )


DEMO = ModelSpec(
    id=DEMO_MODEL,
    family="open_clip",
    architecture=OPEN_CLIP_CONFIG,
    tag="demo",
    # Width, size and cost are read from the model's own configuration; see `specs`.
    dim=0,
    preprocessing=Preprocessing(0, 0, "bicubic", CLIP_MEAN, CLIP_STD),
    activation="gelu",
    params_m=0.0,
    gmacs=0.0,
    file_bytes=0,
    licence="MIT",
    folder="demo",
    files=(HUB_FILES[0],),
    has_text=True,
    advice="Small built-in model, trained on emoji and rendered heads; for photos fetch a real one.",
)

CATALOGUE: tuple[ModelSpec, ...] = (
    DEMO,
    ModelSpec(
        id="efficientnet_lite0",
        family="efficientnet_lite",
        architecture="efficientnet-lite0",
        tag="imagenet",
        dim=1280,
        # The reference takes the middle 224/256 of the shorter side to 224 px and gives (x - 127) / 128.
        preprocessing=Preprocessing(256, 224, "bicubic", (127 / 255,) * 3, (128 / 255,) * 3),
        activation="relu6",
        params_m=4.65,
        gmacs=0.385,
        file_bytes=0,
        licence="Apache-2.0",
        folder="torchvision",
        files=("efficientnet-lite0-57934424.pth",),
        has_text=False,
        advice="Always here: its ImageNet weights come with the installation. Tiny and quick; images only.",
    ),
    _openai(
        "ViT-B-32",
        "40d365715913c9da98579312b702a82c18be219cc2a73407c4526f58eba950af",
        "vit_base_patch32_clip_224.openai",
        dim=512,
        params_m=151.28,
        gmacs=4.409,
        file_bytes=353_436_676,
        advice="The fast default. ImageNet zero-shot 63.3 %.",
    ),
    _openai(
        "ViT-B-16",
        "5806e77cd80f8b59890b7e101eabd078d9fb84e6937f9e85e4ecb61988df416f",
        "vit_base_patch16_clip_224.openai",
        dim=512,
        params_m=149.62,
        gmacs=17.563,
        file_bytes=350_349_316,
        advice="Sees finer detail than B/32 at four times the compute.",
    ),
    _openai(
        "ViT-L-14",
        "b8cca3fd41ae0c99ba7e8951adf17d267cdb84cd88be6f7c2e0eca1737a03836",
        "vit_large_patch14_clip_224.openai",
        dim=768,
        params_m=427.62,
        gmacs=81.013,
        file_bytes=932_051_972,
        advice="Strong and widely used; wants a GPU for more than a few hundred images. Zero-shot 75.5 %.",
    ),
    _openai(
        "RN50",
        "afeb0e10f9e5a86da6080e35cf09123aca3b358a0c3e3b6c78a7b63bc04b6762",
        "resnet50_clip.openai",
        dim=1024,
        params_m=102.01,
        gmacs=6.111,
        file_bytes=255_262_844,
        advice="A convolutional CLIP; for comparison with older work. Zero-shot 59.8 %.",
    ),
    _openai(
        "RN101",
        "8fa8567bab74a42d41c5915025a8e4538c3bdbe8804a470a72f30b0d94fab599",
        "resnet101_clip.openai",
        dim=512,
        params_m=119.69,
        gmacs=9.771,
        file_bytes=290_938_388,
        advice="A deeper convolutional CLIP; for comparison with older work. Zero-shot 62.3 %.",
    ),
    _open_clip(
        "vit_b32_openai",
        "ViT-B-32-quickgelu",
        "openai",
        "timm/vit_base_patch32_clip_224.openai",
        dim=512,
        params_m=151.28,
        gmacs=4.409,
        activation="quickgelu",
        licence="Apache-2.0",
        advice="OpenAI's B/32 from the hub's copy: the same vectors as openai_clip_vit_b32.",
        elsewhere=("openai/ViT-B-32.pt",),
    ),
    _open_clip(
        "vit_b32_laion400m",
        "ViT-B-32-quickgelu",
        "laion400m_e32",
        "timm/vit_base_patch32_clip_224.laion400m_e32",
        dim=512,
        params_m=151.28,
        gmacs=4.409,
        activation="quickgelu",
        licence="MIT",
        advice="B/32 on open data; QuickGELU, as it was trained. Zero-shot 62.9 %.",
    ),
    _open_clip(
        "vit_b16_laion400m",
        "ViT-B-16",
        "laion400m_e32",
        "timm/vit_base_patch16_clip_224.laion400m_e32",
        dim=512,
        params_m=149.62,
        gmacs=17.563,
        advice="B/16 on open data. Zero-shot 67.1 %.",
    ),
    _open_clip(
        "vit_b32_laion2b",
        "ViT-B-32",
        "laion2b_s34b_b79k",
        "laion/CLIP-ViT-B-32-laion2B-s34B-b79K",
        dim=512,
        params_m=151.28,
        gmacs=4.409,
        advice="The best B/32 here, and as fast as the default. Zero-shot 66.6 %.",
    ),
    _open_clip(
        "vit_l14_laion2b",
        "ViT-L-14",
        "laion2b_s32b_b82k",
        "laion/CLIP-ViT-L-14-laion2B-s32B-b82K",
        dim=768,
        params_m=427.62,
        gmacs=81.013,
        preprocessing=replace(_CLIP_224, mean=HALF, std=HALF),  # trained with 0.5, unlike all other CLIPs here
        licence="MIT",
        advice="Recommended for large batches on a GPU. Zero-shot 75.3 %.",
    ),
    _open_clip(
        "vit_h14_laion2b",
        "ViT-H-14",
        "laion2b_s32b_b79k",
        "laion/CLIP-ViT-H-14-laion2B-s32B-b79K",
        dim=1024,
        params_m=986.11,
        gmacs=167.295,
        licence="MIT",
        advice="Best semantics, four gigabytes; wants a GPU. Zero-shot 78.0 %.",
    ),
    _open_clip(
        "convnext_base",
        "convnext_base",
        "laion400m_s13b_b51k",
        "laion/CLIP-convnext_base-laion400M-s13B-b51K",
        dim=512,
        params_m=151.52,
        gmacs=15.354,
        licence="MIT",
        advice="A convolutional tower of today. Zero-shot 66.3 %.",
    ),
    _open_clip(
        "convnext_large",
        "convnext_large_d_320",
        "laion2b_s29b_b131k_ft_soup",
        "laion/CLIP-convnext_large_d_320.laion2B-s29B-b131K-ft-soup",
        dim=768,
        params_m=351.77,
        gmacs=70.126,
        preprocessing=Preprocessing(320, 320, "bicubic", CLIP_MEAN, CLIP_STD),
        advice="Large and sharp-eyed at 320 px; close to H/14 for less than half the compute. Zero-shot 76.9 %.",
    ),
    _torchvision(
        "resnet50",
        "resnet50-11ad3fa6.pth",
        "IMAGENET1K_V2",
        dim=2048,
        resize_px=232,
        crop_px=224,
        activation="relu",
        params_m=25.56,
        gmacs=4.089,
        file_mib=97.79,
        advice="The classic baseline.",
    ),
    _torchvision(
        "resnet101",
        "resnet101-cd907fc2.pth",
        "IMAGENET1K_V2",
        dim=2048,
        resize_px=232,
        crop_px=224,
        activation="relu",
        params_m=44.55,
        gmacs=7.801,
        file_mib=170.53,
        advice="A classic, deeper.",
    ),
    _torchvision(
        "resnet152",
        "resnet152-f82ba261.pth",
        "IMAGENET1K_V2",
        dim=2048,
        resize_px=232,
        crop_px=224,
        activation="relu",
        params_m=60.19,
        gmacs=11.514,
        file_mib=230.474,
        advice="The deepest classic ResNet.",
    ),
    _torchvision(
        "efficientnet_b0",
        "efficientnet_b0_rwightman-7f5810bc.pth",
        "IMAGENET1K_V1",
        dim=1280,
        resize_px=256,
        crop_px=224,
        activation="silu",
        params_m=5.29,
        gmacs=0.386,
        file_mib=20.451,
        advice="Small and accurate for its size.",
    ),
    _torchvision(
        "efficientnet_b7",
        "efficientnet_b7_lukemelas-c5b4e57e.pth",
        "IMAGENET1K_V1",
        dim=2560,
        resize_px=600,
        crop_px=600,
        activation="silu",
        params_m=66.35,
        gmacs=37.746,
        file_mib=254.675,
        advice="Sees 600 px: fine detail, slow, hungry for memory.",
    ),
    _torchvision(
        "vit_b_16",
        "vit_b_16-c867db91.pth",
        "IMAGENET1K_V1",
        dim=768,
        resize_px=256,
        crop_px=224,
        activation="gelu",
        params_m=86.57,
        gmacs=17.564,
        file_mib=330.285,
        advice="A vision transformer trained on ImageNet alone.",
    ),
    _torchvision(
        "vit_b_32",
        "vit_b_32-d86f8d99.pth",
        "IMAGENET1K_V1",
        dim=768,
        resize_px=256,
        crop_px=224,
        activation="gelu",
        params_m=88.22,
        gmacs=4.409,
        file_mib=336.604,
        advice="As vit_b_16, at a quarter of the compute.",
    ),
    _torchvision(
        "vit_l_16",
        "vit_l_16-852ce7e3.pth",
        "IMAGENET1K_V1",
        dim=1024,
        resize_px=242,
        crop_px=224,
        activation="gelu",
        params_m=304.33,
        gmacs=61.555,
        file_mib=1161.023,
        advice="The large ImageNet transformer.",
    ),
)


def specs(weights_dir: Path) -> tuple[ModelSpec, ...]:
    """All models a list shows: the catalogue, then the custom checkpoints under `weights_dir/custom/`, by name.

    A custom checkpoint that cannot be used stands in the list with its `problem`.
    """
    listed = tuple(_demo(weights_dir) if spec is DEMO else spec for spec in CATALOGUE)
    return listed + _custom(weights_dir)


def find(model_id: str, weights_dir: Path) -> ModelSpec:
    """The entry of an id. Raises `UnknownModel`, which names close ids."""
    known = {spec.id: spec for spec in specs(weights_dir)}
    if model_id in known:
        return known[model_id]
    close = difflib.get_close_matches(model_id.lower(), known, n=3, cutoff=0.6)
    hint = f"did you mean {', '.join(close)}? " if close else ""
    raise UnknownModel(Says.no_model_id(), where=model_id, next_step=hint + "python -m core models list")


# --- checkpoints that describe themselves ---------------------------------------------------------------------------


def _demo(weights_dir: Path) -> ModelSpec:
    folder = weights_dir / DEMO.folder
    return _from_config(DEMO, folder) if (folder / OPEN_CLIP_CONFIG).is_file() else DEMO


def _custom(weights_dir: Path) -> tuple[ModelSpec, ...]:
    root = weights_dir / CUSTOM_FOLDER
    if not root.is_dir():
        return ()
    folders = sorted(path for path in root.iterdir() if path.is_dir() and not path.name.startswith("."))
    return tuple(_custom_spec(folder) for folder in folders)


def _custom_spec(folder: Path) -> ModelSpec:
    safe_name = re.sub(r"[^A-Za-z0-9._-]", "_", folder.name)
    if safe_name != folder.name:  # cannot be used, but must not take the id of a folder that can
        safe_name += "-" + hashlib.sha256(folder.name.encode()).hexdigest()[:4]
    blank = replace(
        DEMO,
        id=CUSTOM_PREFIX + safe_name,
        tag="custom",
        licence="",
        folder=f"{CUSTOM_FOLDER}/{folder.name}",
        advice="Your own checkpoint.",
        custom=True,
    )
    if safe_name != folder.name:
        return replace(blank, problem=Says.rename_folder_letters_digits_dot(folder=folder.name))
    weights = sorted(path.name for path in folder.glob("*.safetensors"))
    if HUB_FILES[0] in weights:
        weights = [HUB_FILES[0]]
    if len(weights) != 1:
        count = "no" if not weights else "several"
        return replace(
            blank, problem=Says.safetensors_files_keep_one_name(count=count, folder=blank.folder, name=HUB_FILES[0])
        )
    return _from_config(replace(blank, files=(weights[0],)), folder)


def _from_config(blank: ModelSpec, folder: Path) -> ModelSpec:
    """`blank` with the facts of the `open_clip_config.json` in `folder`, or with the problem it has."""
    path = folder / OPEN_CLIP_CONFIG
    where = f"{blank.folder}/{OPEN_CLIP_CONFIG}"
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
        return _facts(blank, config, folder / blank.files[0])
    except FileNotFoundError:
        return replace(blank, problem=Says.missing(path=where))
    except (OSError, ValueError) as error:  # ValueError: bad JSON, bad encoding, and `_facts` below
        return replace(blank, problem=f"{where}: {error}")
    except (KeyError, TypeError, AttributeError, IndexError) as error:
        return replace(
            blank, problem=Says.not_open_clip_configuration(path=where, kind=type(error).__name__, error=error)
        )


def _facts(blank: ModelSpec, config: dict[str, Any], weights: Path) -> ModelSpec:
    model = config["model_cfg"]
    vision, text = model["vision_cfg"], model["text_cfg"]
    image = config.get("preprocess_cfg", {})
    size = vision.get("image_size", 224)
    height_px, width_px = (size, size) if isinstance(size, int) else size
    if height_px != width_px:
        raise ValueError(f"the input is {height_px}×{width_px}, only square inputs are supported")
    if text.get("hf_model_name"):
        raise ValueError("its text tower comes from the transformers library, which is not supported")
    if "multimodal_cfg" in model:
        raise ValueError("CoCa models are not supported")
    resize_mode = image.get("resize_mode", "shortest")
    if resize_mode not in ("shortest", "squash"):
        raise ValueError(f"resize_mode {resize_mode!r} is not supported (shortest, squash)")
    interpolation = image.get("interpolation", "bicubic")
    if interpolation not in ("bicubic", "bilinear"):
        raise ValueError(f"interpolation {interpolation!r} is not supported (bicubic, bilinear)")
    mean, std = _three(image.get("mean", CLIP_MEAN)), _three(image.get("std", CLIP_STD))
    residual = isinstance(vision.get("layers"), list)
    activation: Activation = "quickgelu" if model.get("quick_gelu") else "gelu"
    # other tokenizers have to be downloaded: such a model gives vectors of images only
    own_tokens = not text.get("hf_tokenizer_name") and text.get("vocab_size", VOCABULARY) == VOCABULARY
    return replace(
        blank,
        dim=int(model["embed_dim"]),
        preprocessing=Preprocessing(int(height_px), int(height_px), interpolation, mean, std, cast(Any, resize_mode)),
        activation="relu" if residual else activation,
        params_m=_parameters_m(weights),
        gmacs=_vit_gmacs(int(model["embed_dim"]), vision, int(height_px)),
        has_text=own_tokens,
        advice=blank.advice if own_tokens else f"{blank.advice} Images only: its tokenizer is not open_clip's own.",
    )


def _three(values: Any) -> tuple[float, float, float]:
    if isinstance(values, (int, float)):
        values = [values] * 3
    red, green, blue = (float(value) for value in values)
    return red, green, blue


def _parameters_m(weights: Path) -> float:
    """Millions of values in a `.safetensors` file, from its header alone; 0 while the file is not there."""
    if not weights.is_file():
        return 0.0
    with weights.open("rb") as file:
        start = file.read(8)
        length = struct.unpack("<Q", start)[0] if len(start) == 8 else 0
        if not 0 < length <= min(100_000_000, weights.stat().st_size - 8):
            raise ValueError(f"{weights.name} is not a safetensors file")
        header = json.loads(file.read(length))
    total = 0
    for name, entry in header.items():
        if name != "__metadata__":
            count = 1
            for extent in entry["shape"]:
                count *= int(extent)
            total += count
    return round(total / 1e6, 2)


def _vit_gmacs(dim: int, vision: dict[str, Any], image_px: int) -> float:
    """1e9 multiply-accumulates of open_clip's own vision transformer; 0 (unknown) for other towers.

    Per layer and token: 4 w² for the projections of attention, 2 · ratio · w² for the MLP, 2 · tokens · w for attention
    itself; before them the patch embedding, after them the projection of the pooled token.
    """
    if vision.get("timm_model_name") or isinstance(vision.get("layers", 12), list):
        return 0.0
    width, layers = int(vision.get("width", 768)), int(vision.get("layers", 12))
    patch, ratio = vision.get("patch_size", 16), float(vision.get("mlp_ratio", 4.0))
    patches = (image_px // int(patch)) ** 2
    tokens = patches + 1
    per_layer = tokens * (4 + 2 * ratio) * width**2 + 2 * tokens**2 * width
    return round((layers * per_layer + patches * 3 * int(patch) ** 2 * width + width * dim) / 1e9, 3)
