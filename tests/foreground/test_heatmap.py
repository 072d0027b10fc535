"""The last block read in other ways: parity with the block itself, each method written out, every ViT."""

from __future__ import annotations

import math
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from open_clip.transformer import VisionTransformer

from core.errors import InputError, OutOfMemory, Unsupported
from core.foreground.encoding import FeatureCache
from core.foreground.heatmap import (
    MAX_WINDOWS,
    dense_features,
    heat_map,
    last_block,
    patch_tokens,
    unsupported_reason,
    windows_of,
)
from core.foreground.pipeline import foreground_map
from core.foreground.prompts import PromptSet
from core.foreground.request import HEAT_METHODS, ForegroundRequest, Picture
from core.models.catalogue import CATALOGUE
from core.models.manager import ModelManager
from core.models.open_clip import build, model_config
from core.settings import Settings
from tests.fakes import FakeEncoder
from tests.tiny_models import TINY, spread, write_custom

COLOURED = PromptSet(("red", "blue"), ("green", "grey"))

# What open_clip's ViTs differ in: their attention, scales, norms and pooling.
VARIANTS = {
    "plain": {},
    "layer scale": {"ls_init_value": 0.3},
    "norms on queries and keys": {"qk_norm": True},
    "head scales": {"scale_heads": True},
    "inner norm": {"scale_attn_inner": True},
    "norm after attention": {"scale_attn": True, "scale_fc": True},
    "average pool": {"pool_type": "avg"},
    "norm after pool": {"final_ln_after_pool": True, "pool_type": "avg"},
    "no norm before": {"no_ln_pre": True, "pos_embed_type": "sin_cos_2d"},
}


def vit(**variant) -> VisionTransformer:
    torch.manual_seed(0)
    module = VisionTransformer(
        image_size=32, patch_size=8, width=32, layers=3, heads=4, mlp_ratio=2.0, output_dim=24, **variant
    ).eval()
    return spread(module.requires_grad_(False), 1)


def hidden_before_last(visual: VisionTransformer, pixels: torch.Tensor) -> torch.Tensor:
    seen: list[torch.Tensor] = []
    hook = visual.transformer.resblocks[-1].register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    visual(pixels)
    hook.remove()
    return seen[0] if visual.transformer.batch_first else seen[0].transpose(0, 1)


def encoder_of(visual: torch.nn.Module, has_text: bool = True) -> SimpleNamespace:
    mean, std = (0.48, 0.46, 0.41), (0.27, 0.26, 0.28)
    return SimpleNamespace(
        module=SimpleNamespace(visual=visual),
        device=torch.device("cpu"),
        dtype=torch.float32,
        spec=SimpleNamespace(id="x", has_text=has_text, preprocessing=SimpleNamespace(mean=mean, std=std)),
    )


@pytest.mark.parametrize("variant", VARIANTS)
def test_with_the_models_own_attention_the_block_and_the_image_features_come_out(variant):
    visual = vit(**VARIANTS[variant])
    pixels = torch.randn(2, 3, 32, 32)
    with torch.no_grad():
        hidden = hidden_before_last(visual, pixels)
        block = visual.transformer.resblocks[-1]
        ours = last_block(block, hidden, "clip", (4, 4))
        theirs = block(hidden)
        assert (ours - hidden).abs().max() > 0.01
        np.testing.assert_allclose(ours, theirs, atol=1e-5)
        pooled, _ = visual._pool(ours)
        np.testing.assert_allclose(pooled @ visual.proj, visual(pixels), atol=1e-5)


def written_out(block: torch.nn.Module, hidden: torch.Tensor, method: str, grid: int) -> torch.Tensor:
    """One image, head by head, token by token, as the papers describe the last block."""
    attn, heads = block.attn, block.attn.num_heads
    x = block.ln_1(hidden)
    n_tokens, width = x.shape
    q, k, v = (x @ attn.in_proj_weight.T + attn.in_proj_bias).split(width, dim=-1)
    size = width // heads
    out = torch.zeros(n_tokens, width)
    for head in range(heads):
        part = slice(head * size, (head + 1) * size)
        for i in range(n_tokens):
            qq, kk = (q[:, part] @ q[i, part]) / math.sqrt(size), (k[:, part] @ k[i, part]) / math.sqrt(size)
            if method == "maskclip":
                out[i, part] = v[i, part]
                continue
            if method == "clearclip":
                weights = qq.softmax(0)
            elif method == "sclip":
                weights = qq.softmax(0) + kk.softmax(0)
            else:
                near = torch.zeros(n_tokens)
                if i > 0:
                    for j in range(1, n_tokens):
                        (a, b), (c, d) = divmod(i - 1, grid), divmod(j - 1, grid)
                        near[j] = math.exp(-((a - c) ** 2 + (b - d) ** 2) / (2 * 5.0**2))
                weights = (kk + near).softmax(0)
            out[i, part] = weights @ v[:, part]
    out = block.ls_1(attn.out_proj(out))
    if method in ("clearclip", "naclip"):
        return out
    hidden = hidden + out
    return hidden + block.ls_2(block.mlp(block.ln_2(hidden)))


@pytest.mark.parametrize("method", ["clearclip", "maskclip", "sclip", "naclip"])
def test_each_method_is_what_its_paper_says(method):
    visual = vit(ls_init_value=0.5)
    pixels = torch.randn(1, 3, 32, 32)
    with torch.no_grad():
        hidden = hidden_before_last(visual, pixels)
        expected = written_out(visual.transformer.resblocks[-1], hidden[0], method, 4)
        np.testing.assert_allclose(
            last_block(visual.transformer.resblocks[-1], hidden, method, (4, 4))[0], expected, atol=1e-5
        )
        tokens, grid_hw = patch_tokens(encoder_of(visual), pixels, method)
        assert grid_hw == (4, 4)
        np.testing.assert_allclose(tokens[0], visual.ln_post(expected[1:]) @ visual.proj, atol=1e-5)


def test_the_methods_differ_from_each_other():
    visual, pixels = vit(), torch.randn(1, 3, 32, 32)
    tokens = [patch_tokens(encoder_of(visual), pixels, method)[0] for method in HEAT_METHODS if method != "clip"]
    for i, one in enumerate(tokens):
        for other in tokens[i + 1 :]:
            assert (one - other).abs().max() > 1e-2


def test_uint8_pixels_are_normalised_as_the_encoder_does(real, scene):
    with real.lease("custom_tiny", "cpu", "bf16") as lease:
        pixels = torch.stack([lease.encoder.preprocess(scene.rgb_HWC[:100, :100])])
        assert pixels.dtype == torch.uint8
        visual = lease.encoder.module.visual
        with torch.inference_mode():
            expected = visual._embeds(lease.encoder._preprocessor.to_input(pixels, torch.device("cpu")))
            from core.foreground.heatmap import _normalised

            ours = visual._embeds(_normalised(lease.encoder, pixels))
    np.testing.assert_allclose(ours.float(), expected.float(), atol=0.02)


def test_the_encoders_own_patch_tokens_are_the_method_clip(real, scene):
    with real.lease("custom_tiny", "cpu", "fp32") as lease:
        encoder = lease.encoder
        pixels = torch.stack([encoder.preprocess(scene.rgb_HWC[:100, :100])])
        visual = encoder.module.visual
        with torch.inference_mode():
            hidden = hidden_before_last(visual, pixels)
            ours = (
                visual.ln_post(last_block(visual.transformer.resblocks[-1], hidden, "clip", (4, 4))[:, 1:])
                @ visual.proj
            )
        np.testing.assert_allclose(patch_tokens(encoder, pixels, "clip")[0], ours, atol=1e-5)


@pytest.mark.parametrize("spec", [s for s in CATALOGUE if s.has_text and s.id != "demo_clip"], ids=lambda s: s.id)
def test_every_vit_of_the_catalogue_gives_patches_and_the_others_say_why_not(spec):
    """At full size, without weights: torch's meta device follows every shape."""
    with torch.device("meta"):
        module = build(model_config(spec, None)).eval()
    encoder = SimpleNamespace(module=module, spec=spec, device=torch.device("meta"), dtype=torch.float32)
    is_vit = "vit" in spec.architecture.lower()
    assert (unsupported_reason(encoder) is None) == is_vit
    pixels = torch.zeros(1, 3, spec.input_px, spec.input_px, device="meta")
    if not is_vit:
        with pytest.raises(Unsupported, match="patch tokens"):
            patch_tokens(encoder, pixels, "clearclip")
        return
    side = spec.input_px // module.visual.patch_size[0]
    for method in ("clearclip", "maskclip", "sclip"):
        tokens, grid_hw = patch_tokens(encoder, pixels, method)
        assert tuple(tokens.shape) == (1, side * side, spec.dim) and grid_hw == (side, side)


def test_patches_that_do_not_lie_in_the_texts_space_are_refused():
    assert "pools by attention" in unsupported_reason(encoder_of(vit(attentional_pool=True)))
    assert "no text tower" in unsupported_reason(encoder_of(vit(), has_text=False))
    assert "patch tokens" in unsupported_reason(encoder_of(torch.nn.Conv2d(3, 3, 3)))


def test_a_resnet_clip_says_that_it_has_no_patch_tokens(tmp_path, scene):
    config = {**TINY, "model_cfg": {**TINY["model_cfg"]}}
    config["model_cfg"]["vision_cfg"] = {"image_size": 32, "layers": [1, 1, 1, 1], "width": 8, "head_width": 16}
    write_custom(tmp_path, "resnet", config)
    manager = ModelManager(Settings(weights_dir=tmp_path))
    for method in HEAT_METHODS:
        with pytest.raises(Unsupported):
            foreground_map(scene, ForegroundRequest("custom_resnet", COLOURED, device="cpu"), manager, method=method)
    manager.close()


def test_an_unknown_method_is_refused_by_name(scene, fakes):
    with pytest.raises(InputError, match="clearclip"):
        foreground_map(scene, ForegroundRequest("fake", COLOURED), fakes, method="magic")


# --- from patches to a map


@pytest.mark.parametrize("hw", [(64, 64), (40, 100), (100, 40), (30, 4000), (1, 500), (500, 1), (1, 1), (33, 34)])
def test_windows_cover_the_image_and_stay_inside(hw):
    windows = windows_of(hw)
    seen = np.zeros(hw, dtype=int)
    for x0, y0, x1, y1 in windows:
        assert 0 <= x0 < x1 <= hw[1] and 0 <= y0 < y1 <= hw[0]
        seen[y0:y1, x0:x1] += 1
    assert (seen > 0).all() and len(windows) <= MAX_WINDOWS
    if max(hw) <= 8 * min(hw):
        assert {x1 - x0 for x0, _, x1, _ in windows} == {y1 - y0 for _, y0, _, y1 in windows} == {min(hw)}


@pytest.mark.parametrize("hw", [(120, 180), (180, 120), (64, 64), (20, 900), (1, 300), (2, 2)])
def test_the_map_lies_over_the_image_whatever_its_shape(hw, fake_encoder):
    rgb = np.full((*hw, 3), (30, 180, 60), dtype=np.uint8)
    rgb[:, hw[1] // 2 :] = (220, 30, 30)
    dense = dense_features(rgb, fake_encoder, "clip")
    texts, _ = fake_encoder.encode_texts(["red", "green"])
    texts_KD = torch.nn.functional.normalize(texts, dim=-1).numpy()
    heat = heat_map(dense, texts_KD, 100.0, PromptSet(("red",), ("green",)))
    full = heat.resized(hw)
    assert full.shape == hw and full.dtype == np.float32 and full.min() >= 0 and full.max() <= 1
    assert full[:, -max(1, hw[1] // 8) :].mean() > full[:, : max(1, hw[1] // 8)].mean() + 0.3
    assert max(heat.p_pos_HW.shape) <= 512


def test_a_thing_off_the_centre_of_a_wide_image_is_seen(fake_encoder):
    """The model's own preprocessing would crop both ends away."""
    rgb = np.full((60, 300, 3), (30, 180, 60), dtype=np.uint8)
    rgb[20:50, 5:45] = (220, 30, 30)
    texts, _ = fake_encoder.encode_texts(["red", "green"])
    texts_KD = torch.nn.functional.normalize(texts, dim=-1).numpy()
    heat = heat_map(dense_features(rgb, fake_encoder, "clip"), texts_KD, 100.0, PromptSet(("red",), ("green",)))
    full = heat.resized((60, 300))
    assert full[25:45, 10:40].mean() > 0.7 and full[:, 100:].mean() < 0.2


def test_changed_prompts_make_a_new_map_without_the_image_tower(scene, fakes, fake_encoder):
    cache = FeatureCache()
    first = foreground_map(scene, ForegroundRequest("fake", COLOURED), fakes, method="clip", cache=cache)
    calls = len(fake_encoder.batch_sizes)
    swapped = PromptSet(COLOURED.negative, COLOURED.positive)
    second = foreground_map(scene, ForegroundRequest("fake", swapped), fakes, method="clip", cache=cache)
    assert len(fake_encoder.batch_sizes) == calls
    np.testing.assert_allclose(first.p_pos_HW + second.p_pos_HW, 1, atol=1e-5)


def test_the_map_of_a_real_vit_follows_the_image(scene, real):
    request = ForegroundRequest("custom_tiny", COLOURED, device="cpu")
    for method in HEAT_METHODS:
        here = foreground_map(scene, request, real, method=method).p_pos_HW
        flipped = foreground_map(Picture(scene.rgb_HWC[:, ::-1].copy()), request, real, method=method).p_pos_HW
        assert here.shape == (120, 180) and np.isfinite(here).all() and float(np.ptp(here)) > 0.01
        assert np.abs(here - flipped).max() > 0.01


def test_memory_that_runs_out_makes_smaller_batches_then_an_error_in_words(scene, fake_encoder):
    whole = dense_features(scene.rgb_HWC, fake_encoder, "clip")
    fake_encoder.max_batch = 1
    np.testing.assert_allclose(
        dense_features(scene.rgb_HWC, fake_encoder, "clip").patches_NPD, whole.patches_NPD, atol=1e-6
    )
    with pytest.raises(OutOfMemory):
        dense_features(scene.rgb_HWC, FakeEncoder(max_batch=0), "clip")
