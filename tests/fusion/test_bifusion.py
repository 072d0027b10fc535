"""The fusion: shapes of the spec, the way from a painted picture to a point, validity, and who gets gradients."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
import torchvision
from open_clip.transformer import VisionTransformer

from core.errors import InputError, Unsupported, WeightsMissing
from core.fusion.bifusion import ALL_BLOCKS, BiFusionEncoder, Enhanced2DEncoder, Points
from core.fusion.losses import ClipConsCriterion
from core.fusion.projection import Camera
from core.models import catalogue, weights
from tests.tiny_models import spread

INTRINSICS = torch.tensor([[16.0, 0.0, 15.5], [0.0, 16.0, 15.5], [0.0, 0.0, 1.0]])


def vit(side_px: int = 32, patch: int = 8, width: int = 32, layers: int = 3, seed: int = 0) -> VisionTransformer:
    torch.manual_seed(seed)
    return spread(
        VisionTransformer(side_px, patch, width, layers, heads=width // 16, mlp_ratio=2.0, output_dim=24), seed
    ).eval()


def scene(images: int = 2, points: int = 20, seed: int = 1) -> tuple[Points, torch.Tensor, Camera]:
    """Points in front of each camera, most of them in the image."""
    generator = torch.Generator().manual_seed(seed)
    xyz = torch.randn(points, 3, generator=generator) * torch.tensor([1.6, 1.6, 0.3]) + torch.tensor([0.0, 0.0, 2.0])
    features = torch.randn(points, 96, generator=generator)
    camera = Camera(INTRINSICS.repeat(images, 1, 1), torch.eye(4).repeat(images, 1, 1), (32, 32))
    pixels = torch.randn(images, 3, 32, 32, generator=generator)
    return Points(xyz, features, torch.arange(points) % images), pixels, camera


# ------------------------------------------------------------------------------------------------------------- 2-D part


def test_a_b16_gives_the_spatial_and_global_features_of_the_spec():
    """768 wide, 224 px, patches of 16, as CLIP's ViT-B/16; two layers of its twelve are enough for shapes."""
    encoder = Enhanced2DEncoder(VisionTransformer(224, 16, 768, 2, 12, 4.0, output_dim=512))
    with torch.no_grad():
        spatial, overall = encoder(torch.zeros(2, 3, 224, 224))
    assert spatial.shape == (2, 256, 14, 14) and overall.shape == (2, 256)
    assert encoder.spatial_projection.in_features == encoder.global_projection.in_features == 768
    assert encoder.image_hw == (224, 224) and encoder.grid_hw == (14, 14)


def test_the_tokens_are_open_clips_own(tiny_weights: Path):
    """Before CLIP's projection: what it projects must be what `encode_images` and `patch_tokens` give."""
    loaded = weights.load_encoder(
        catalogue.find("custom_tiny", tiny_weights), tiny_weights, torch.device("cpu"), torch.float32
    )
    encoder = Enhanced2DEncoder.from_encoder(loaded, width=32)
    with torch.no_grad():
        for projection in (encoder.spatial_projection, encoder.global_projection):
            projection.weight.copy_(torch.eye(32))
            projection.bias.zero_()
    pixels = torch.randn(2, 3, 32, 32)
    expected = loaded.patch_tokens(pixels)
    with torch.no_grad():
        spatial, overall = encoder(pixels)
        proj = encoder.visual.proj
        torch.testing.assert_close(overall @ proj, expected.cls_BD)
        torch.testing.assert_close(spatial.flatten(2).transpose(1, 2) @ proj, expected.patches_BPD)
    assert encoder.visual is not loaded.module.visual, "a lent model must not be trained"


def test_torchvisions_vit_works_too():
    visual = torchvision.models.VisionTransformer(32, 8, num_layers=2, num_heads=2, hidden_dim=32, mlp_dim=64)
    with torch.no_grad():
        for weight in visual.parameters():
            weight.add_(0.1 * torch.randn_like(weight))
    visual.heads = torch.nn.Identity()
    encoder = Enhanced2DEncoder(visual, width=32)
    with torch.no_grad():
        encoder.global_projection.weight.copy_(torch.eye(32))
        encoder.global_projection.bias.zero_()
        pixels = torch.randn(2, 3, 32, 32)
        spatial, overall = encoder(pixels)
        torch.testing.assert_close(overall, visual.eval()(pixels))
    assert spatial.shape == (2, 32, 4, 4)


def test_from_the_catalogue(tiny_weights: Path):
    encoder = Enhanced2DEncoder.from_catalogue("custom_tiny_wide", tiny_weights, trainable_blocks=1)
    assert encoder.image_hw == (48, 48) and encoder.grid_hw == (3, 3)
    with pytest.raises(WeightsMissing, match="fetch"):
        Enhanced2DEncoder.from_catalogue("openai_clip_vit_b16", tiny_weights)
    with pytest.raises(Unsupported, match="ViT"):
        Enhanced2DEncoder.from_catalogue("efficientnet_lite0", tiny_weights)


@pytest.mark.parametrize("blocks", [0, 1, 3, ALL_BLOCKS])
def test_exactly_the_blocks_asked_for_train(blocks: int):
    encoder = Enhanced2DEncoder(vit(), trainable_blocks=blocks)
    before = {name: weight.clone() for name, weight in encoder.visual.named_parameters()}
    encoder.train()
    optimizer = torch.optim.SGD(encoder.parameters(), 0.1)
    spatial, overall = encoder(torch.randn(2, 3, 32, 32))
    (spatial.square().mean() + overall.square().mean()).backward()
    optimizer.step()
    moved = {name for name, weight in encoder.visual.named_parameters() if not torch.equal(weight, before[name])}
    blocks_moved = {int(name.split(".")[2]) for name in moved if "resblocks" in name}
    assert blocks_moved == set(range(3 - (3 if blocks == ALL_BLOCKS else blocks), 3))
    assert ("ln_post.weight" in moved) is (blocks != 0)
    assert ("conv1.weight" in moved) is (blocks == ALL_BLOCKS)


@pytest.mark.parametrize("blocks", [0, 2])
def test_kept_tokens_give_the_same_as_pixels(blocks: int):
    encoder = Enhanced2DEncoder(vit(), trainable_blocks=blocks)
    pixels = torch.randn(3, 3, 32, 32)
    tokens = torch.cat([encoder.frozen_tokens(one[None]) for one in pixels])
    assert not tokens.requires_grad
    for kept, direct in zip(encoder(tokens), encoder(pixels), strict=True):
        torch.testing.assert_close(kept, direct)


def test_patch_dropout_never_runs():
    visual = VisionTransformer(32, 8, 32, 1, 2, 2.0, patch_dropout=0.5)
    encoder = Enhanced2DEncoder(visual, trainable_blocks=ALL_BLOCKS).train()
    assert encoder(torch.randn(1, 3, 32, 32))[0].shape == (1, 256, 4, 4)


# --------------------------------------------------------------------------------------------------------------- fusion


def test_a_point_gets_its_own_patch_of_its_own_image():
    """A change in one patch of one image changes exactly the fused features of the points that fall on it, once
    attention is out of the way."""
    encoder = BiFusionEncoder(Enhanced2DEncoder(vit(layers=1))).eval()
    with torch.no_grad():
        encoder.image_encoder.visual.transformer.resblocks[0].attn.out_proj.weight.zero_()  # patches stay apart
    # 32 px, patches of 8: the middle of patch (row 1, column 2) is pixel (11.5, 19.5); x = (u − 15.5) / 16 · z
    on_patch = torch.tensor([[(19.5 - 15.5) / 16 * 2, (11.5 - 15.5) / 16 * 2, 2.0]])
    elsewhere = torch.tensor([[(3.5 - 15.5) / 16 * 2, (27.5 - 15.5) / 16 * 2, 2.0]])
    points = Points(torch.cat([on_patch, elsewhere, on_patch]), torch.randn(3, 96), torch.tensor([0, 0, 1]))
    camera = Camera(INTRINSICS.repeat(2, 1, 1), torch.eye(4).repeat(2, 1, 1), (32, 32))
    pixels = torch.randn(2, 3, 32, 32)
    changed = pixels.clone()
    changed[0, :, 8:16, 16:24] += 1.0
    with torch.no_grad():
        before, after = encoder(points, pixels, camera), encoder(points, changed, camera)
    differs = (before.feat_fusion - after.feat_fusion).abs().amax(1) > 1e-6
    assert differs.tolist() == [True, False, False]


def test_a_point_that_is_not_seen_keeps_its_3d_feature_whatever_the_image_shows():
    encoder = BiFusionEncoder(Enhanced2DEncoder(vit())).eval()
    points, pixels, camera = scene(points=4)
    xyz = torch.tensor([[0.0, 0.0, 2.0], [0.0, 0.0, -2.0], [9.0, 0.0, 2.0], [0.0, 0.0, 3.0]])
    depth = torch.full((2, 32, 32), 2.0)
    camera = Camera(camera.intrinsics_B33, camera.world_to_camera_B44, (32, 32), depth)
    points = Points(xyz, points.features_NC, torch.zeros(4, dtype=torch.long))
    with torch.no_grad():
        out = encoder(points, pixels, camera)
        other = encoder(points, pixels + torch.randn_like(pixels), camera)
        alone = encoder.point_projection(points.features_NC)
    assert out.valid_N.tolist() == [True, False, False, False]
    assert torch.equal(out.feat_fusion[1:], alone[1:]) and torch.equal(other.feat_fusion[1:], alone[1:])
    assert not torch.equal(out.feat_fusion[0], other.feat_fusion[0])
    assert (out.gate_NC[0] > 0).all() and (out.gate_NC[1:] == 0).all()


def test_the_gate_is_what_the_module_says():
    encoder = BiFusionEncoder(Enhanced2DEncoder(vit())).eval()
    points, pixels, camera = scene()
    with torch.no_grad():
        out = encoder(points, pixels, camera)
        f3d = encoder.point_projection(points.features_NC)
        f2d = (out.feat_fusion - f3d) / out.gate_NC.clamp(min=1e-9)
        seen = out.valid_N[:, None].float()
        alpha = torch.sigmoid(encoder.gate(torch.cat([f3d, torch.where(seen > 0, f2d, 0.0), seen], 1))) * seen
    torch.testing.assert_close(alpha, out.gate_NC, rtol=1e-3, atol=1e-4)
    assert 0.2 < out.valid_N.float().mean() < 1.0, "the scene must have points of both kinds"


def test_outputs_go_through_the_criterion_and_gradients_reach_what_they_should():
    encoder = BiFusionEncoder(Enhanced2DEncoder(vit(), trainable_blocks=1))
    points, pixels, camera = scene()
    features = points.features_NC.requires_grad_()
    for ratio, reaches_clip in ((0.0, False), (0.02, True)):
        encoder.zero_grad()
        out = encoder(points, pixels, camera)
        assert out.feat_fusion.shape == (20, 256) and out.clip_global.shape == (2, 256)
        ClipConsCriterion(gradient_flow_ratio=ratio)(
            out.feat_fusion, out.clip_global, out.batch_N, out.valid_N
        ).backward()
        assert features.grad is not None and features.grad.abs().sum() > 0
        gradient = encoder.image_encoder.global_projection.weight.grad
        assert bool(gradient is not None and gradient.abs().sum() > 0) is reaches_clip
        # the ViT hears of the loss through the sampled features in any case; the ratio rules the target's way only
        assert encoder.image_encoder.spatial_projection.weight.grad.abs().sum() > 0


def test_one_image_needs_no_batch_index():
    encoder = BiFusionEncoder(Enhanced2DEncoder(vit())).eval()
    points, pixels, camera = scene(images=1)
    with torch.no_grad():
        with_index = encoder(points, pixels, camera)
        without = encoder(Points(points.xyz_N3_m, points.features_NC), pixels, camera)
    assert torch.equal(with_index.feat_fusion, without.feat_fusion)


def test_norms_are_an_option_and_bound_large_features():
    points, pixels, camera = scene()
    large = Points(points.xyz_N3_m, 1e4 * points.features_NC, points.batch_N)
    bounded = BiFusionEncoder(Enhanced2DEncoder(vit()), norm=True).eval()
    with torch.no_grad():
        assert bounded(large, pixels, camera).feat_fusion.abs().max() < 100
        assert BiFusionEncoder(Enhanced2DEncoder(vit()))(large, pixels, camera).feat_fusion.abs().max() > 1000


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_sixteen_bit_weights_work_and_are_near(dtype: torch.dtype):
    encoder = BiFusionEncoder(Enhanced2DEncoder(vit())).eval()
    points, pixels, camera = scene()
    tokens = encoder.image_encoder.frozen_tokens(pixels)
    with torch.no_grad():
        exact = encoder(points, tokens, camera)
        halved = encoder.to(dtype)(points, tokens, camera)
    assert halved.feat_fusion.dtype == dtype
    assert torch.equal(halved.valid_N, exact.valid_N), "where points fall does not depend on the weights' dtype"
    torch.testing.assert_close(halved.feat_fusion.float(), exact.feat_fusion, rtol=0.05, atol=0.05)


def test_what_does_not_fit_is_refused_in_words():
    encoder = BiFusionEncoder(Enhanced2DEncoder(vit()))
    points, pixels, camera = scene()
    with pytest.raises(InputError, match="images \\[B, 3, 32, 32\\]"):
        encoder.image_encoder(torch.zeros(1, 3, 40, 32))
    with pytest.raises(InputError, match=r"must be \[20, 96\]"):
        encoder(Points(points.xyz_N3_m, torch.zeros(20, 64), points.batch_N), pixels, camera)
    with pytest.raises(InputError, match="2 images but 1 camera"):
        encoder(points, pixels, Camera(INTRINSICS[None], torch.eye(4)[None], (32, 32)))
    with pytest.raises(InputError, match="follow the preprocessing"):
        encoder(points, pixels, Camera(camera.intrinsics_B33, camera.world_to_camera_B44, (480, 640)))
    with pytest.raises(InputError, match="3 blocks"):
        Enhanced2DEncoder(vit(), trainable_blocks=4)
    with pytest.raises(Unsupported, match="ViT"):
        Enhanced2DEncoder(torchvision.models.resnet18())
