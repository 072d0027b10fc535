"""The steps of `core.models.vit` together are the tower itself: open_clip and torchvision called directly, to 1e-5."""

from __future__ import annotations

import pytest
import torch
import torchvision
from open_clip.transformer import VisionTransformer as OpenClipViT

from core.models import vit
from tests.tiny_models import spread

# What open_clip's ViTs differ in before and behind their blocks.
OPEN_CLIP = {
    "plain": {},
    "average pool": {"pool_type": "avg"},
    "norm after pool": {"final_ln_after_pool": True, "pool_type": "avg"},
    "no norm before": {"no_ln_pre": True, "pos_embed_type": "sin_cos_2d"},
    "layer scale": {"ls_init_value": 0.3},
}


def open_clip_vit(**options: object) -> OpenClipViT:
    sizes = {"image_size": 32, "patch_size": 8, "width": 32, "layers": 3, "heads": 4, "mlp_ratio": 2.0}
    torch.manual_seed(0)
    return spread(OpenClipViT(**(sizes | {"output_dim": 24} | options)).eval().requires_grad_(False), 1)


def torchvision_vit() -> torchvision.models.VisionTransformer:
    torch.manual_seed(0)
    tower = torchvision.models.VisionTransformer(32, 8, num_layers=3, num_heads=4, hidden_dim=32, mlp_dim=64)
    tower.heads = torch.nn.Identity()
    return spread(tower.eval().requires_grad_(False), 1)


TOWERS = [*OPEN_CLIP, "no projection", "tokens first", "torchvision"]


@pytest.fixture(params=TOWERS)
def tower(request: pytest.FixtureRequest) -> torch.nn.Module:
    if request.param == "torchvision":
        return torchvision_vit()
    made = open_clip_vit(**OPEN_CLIP.get(request.param, {}))
    if request.param == "no projection":
        made.proj = None
    if request.param == "tokens first":  # an option of open_clip's transformer, for each of its blocks alike
        made.transformer.batch_first = False
        for block in made.transformer.resblocks:
            block.attn.batch_first = False
    return made


PIXELS = torch.randn(2, 3, 32, 32, generator=torch.Generator().manual_seed(2))


def test_all_steps_together_are_the_tower(tower: torch.nn.Module) -> None:
    pooled_BW, patches_BPW = vit.leave(tower, vit.walk(tower, vit.enter(tower, PIXELS)))
    torch.testing.assert_close(vit.project(tower, pooled_BW), tower(PIXELS), atol=1e-5, rtol=1e-5)
    assert vit.grid_hw(tower) == (4, 4) and patches_BPW.shape == (2, 16, 32)
    assert vit.is_vit(tower) and len(vit.blocks(tower)) == 3


def test_the_way_may_be_broken_off_between_any_two_blocks(tower: torch.nn.Module) -> None:
    hidden = vit.enter(tower, PIXELS)
    for stop in (0, 1, -1):
        halves = vit.walk(tower, vit.walk(tower, hidden, stop=stop), start=stop)
        torch.testing.assert_close(halves, vit.walk(tower, hidden), atol=1e-5, rtol=1e-5)
    assert (vit.walk(tower, hidden, stop=-1) - vit.walk(tower, hidden)).abs().max() > 0.01


def test_patches_are_what_the_library_calls_so() -> None:
    tower = open_clip_vit(output_tokens=True)
    _, expected_BPW = tower(PIXELS)
    _, patches_BPW = vit.leave(tower, vit.walk(tower, vit.enter(tower, PIXELS)))
    torch.testing.assert_close(patches_BPW, expected_BPW, atol=1e-5, rtol=1e-5)


def test_an_offset_is_the_class_tokens_alone(tower: torch.nn.Module) -> None:
    offset_BW = torch.randn(2, 32, generator=torch.Generator().manual_seed(3))
    plain, moved = vit.enter(tower, PIXELS), vit.enter(tower, PIXELS, offset_BW)
    torch.testing.assert_close(moved[:, 1:], plain[:, 1:])
    norm = getattr(tower, "ln_pre", torch.nn.Identity())
    before = tower.class_embedding + tower.positional_embedding[0] if hasattr(tower, "class_embedding") else None
    if before is None:
        before = (tower.class_token + tower.encoder.pos_embedding[:, :1])[0, 0]
    torch.testing.assert_close(moved[:, 0], norm(before + offset_BW), atol=1e-5, rtol=1e-5)


def test_towers_that_are_no_such_vit_are_told_apart() -> None:
    assert not vit.is_vit(torchvision.models.resnet18())
    assert not vit.is_vit(open_clip_vit(attentional_pool=True, attn_pooler_queries=4, attn_pooler_heads=4))
