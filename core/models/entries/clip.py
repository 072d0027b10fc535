"""CLIP models: OpenAI's own release, and open_clip's zoo. A model is one entry here."""

from __future__ import annotations

from dataclasses import replace

from ...messages import Message
from ..spec import CLIP_MEAN, CLIP_STD, HALF, HUB_FILES, Activation, ModelSpec, Preprocessing, advise

_OPENAI_URL = "https://openaipublic.azureedge.net/clip/models"
_CLIP_224 = Preprocessing(224, 224, "bicubic", CLIP_MEAN, CLIP_STD)


def _openai(
    name: str, sha256: str, hub: str, *, dim: int, params_m: float, gmacs: float, file_bytes: int, advice: Message
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
    advice: Message,
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


OPENAI: tuple[ModelSpec, ...] = (
    _openai(
        "ViT-B-32",
        "40d365715913c9da98579312b702a82c18be219cc2a73407c4526f58eba950af",
        "vit_base_patch32_clip_224.openai",
        dim=512,
        params_m=151.28,
        gmacs=4.409,
        file_bytes=353_436_676,
        advice=advise("The fast default. ImageNet zero-shot 63.3 %.", "快速的默认选择。ImageNet 零样本 63.3 %。"),
    ),
    _openai(
        "ViT-B-16",
        "5806e77cd80f8b59890b7e101eabd078d9fb84e6937f9e85e4ecb61988df416f",
        "vit_base_patch16_clip_224.openai",
        dim=512,
        params_m=149.62,
        gmacs=17.563,
        file_bytes=350_349_316,
        advice=advise("Sees finer detail than B/32 at four times the compute.", "比 B/32 看得更细，计算量约为四倍。"),
    ),
    _openai(
        "ViT-L-14",
        "b8cca3fd41ae0c99ba7e8951adf17d267cdb84cd88be6f7c2e0eca1737a03836",
        "vit_large_patch14_clip_224.openai",
        dim=768,
        params_m=427.62,
        gmacs=81.013,
        file_bytes=932_051_972,
        advice=advise(
            "Strong and widely used; wants a GPU for more than a few hundred images. Zero-shot 75.5 %.",
            "效果强、使用广；超过几百张图片建议用 GPU。零样本 75.5 %。",
        ),
    ),
    _openai(
        "RN50",
        "afeb0e10f9e5a86da6080e35cf09123aca3b358a0c3e3b6c78a7b63bc04b6762",
        "resnet50_clip.openai",
        dim=1024,
        params_m=102.01,
        gmacs=6.111,
        file_bytes=255_262_844,
        advice=advise(
            "A convolutional CLIP; for comparison with older work. Zero-shot 59.8 %.",
            "卷积结构的 CLIP，便于与早期工作比较。零样本 59.8 %。",
        ),
    ),
    _openai(
        "RN101",
        "8fa8567bab74a42d41c5915025a8e4538c3bdbe8804a470a72f30b0d94fab599",
        "resnet101_clip.openai",
        dim=512,
        params_m=119.69,
        gmacs=9.771,
        file_bytes=290_938_388,
        advice=advise(
            "A deeper convolutional CLIP; for comparison with older work. Zero-shot 62.3 %.",
            "更深的卷积 CLIP，便于与早期工作比较。零样本 62.3 %。",
        ),
    ),
)

OPEN_CLIP: tuple[ModelSpec, ...] = (
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
        advice=advise(
            "OpenAI's B/32 from the hub's copy: the same vectors as openai_clip_vit_b32.",
            "OpenAI B/32 的 hub 副本：向量与 openai_clip_vit_b32 相同。",
        ),
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
        advice=advise(
            "B/32 on open data; QuickGELU, as it was trained. Zero-shot 62.9 %.",
            "在开放数据上训练的 B/32，沿用训练时的 QuickGELU。零样本 62.9 %。",
        ),
    ),
    _open_clip(
        "vit_b16_laion400m",
        "ViT-B-16",
        "laion400m_e32",
        "timm/vit_base_patch16_clip_224.laion400m_e32",
        dim=512,
        params_m=149.62,
        gmacs=17.563,
        advice=advise("B/16 on open data. Zero-shot 67.1 %.", "在开放数据上训练的 B/16。零样本 67.1 %。"),
    ),
    _open_clip(
        "vit_b32_laion2b",
        "ViT-B-32",
        "laion2b_s34b_b79k",
        "laion/CLIP-ViT-B-32-laion2B-s34B-b79K",
        dim=512,
        params_m=151.28,
        gmacs=4.409,
        advice=advise(
            "The best B/32 here, and as fast as the default. Zero-shot 66.6 %.",
            "这里最好的 B/32，速度与默认模型相同。零样本 66.6 %。",
        ),
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
        advice=advise(
            "Recommended for large batches on a GPU. Zero-shot 75.3 %.", "推荐在 GPU 上处理大批量图片。零样本 75.3 %。"
        ),
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
        advice=advise(
            "Best semantics, four gigabytes; wants a GPU. Zero-shot 78.0 %.",
            "语义最佳，文件四 GB；需要 GPU。零样本 78.0 %。",
        ),
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
        advice=advise("A convolutional tower of today. Zero-shot 66.3 %.", "现代卷积图像编码器。零样本 66.3 %。"),
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
        advice=advise(
            "Large and sharp-eyed at 320 px; close to H/14 for less than half the compute. Zero-shot 76.9 %.",
            "大而敏锐，输入 320 像素；接近 H/14，计算量不到一半。零样本 76.9 %。",
        ),
    ),
)
