"""The block: torch's own layer when switched off, and every part of the pose at work when switched on."""

import pytest
import torch

from core.errors import InputError
from core.pose.injection import PoseBlock

WIDTH, HEADS = 16, 4


@pytest.fixture
def tokens() -> torch.Tensor:
    return torch.randn(3, 7, WIDTH, generator=torch.Generator().manual_seed(1))


@pytest.fixture
def pose() -> torch.Tensor:
    return torch.randn(3, 3 * WIDTH, generator=torch.Generator().manual_seed(2))


def block(**options: bool) -> PoseBlock:
    torch.manual_seed(0)
    return PoseBlock(WIDTH, HEADS, **options)


def test_switched_off_it_is_torch_s_pre_norm_layer(tokens: torch.Tensor) -> None:
    ours = block(qk_norm=False)
    theirs = torch.nn.TransformerEncoderLayer(
        WIDTH, HEADS, 4 * WIDTH, dropout=0.0, activation="gelu", batch_first=True, norm_first=True
    )
    with torch.no_grad():
        for part, other in (
            (theirs.norm1, ours.norm_1),
            (theirs.norm2, ours.norm_2),
            (theirs.self_attn.out_proj, ours.out),
            (theirs.linear1, ours.mlp[0]),
            (theirs.linear2, ours.mlp[2]),
        ):
            part.load_state_dict(other.state_dict())
        theirs.self_attn.in_proj_weight.copy_(ours.qkv.weight)
        theirs.self_attn.in_proj_bias.copy_(ours.qkv.bias)
    assert torch.allclose(ours(tokens), theirs(tokens), atol=1e-6)


@pytest.mark.parametrize("qk_norm", [True, False])
def test_while_the_gate_is_zero_it_is_the_plain_block_bit_for_bit(
    qk_norm: bool, tokens: torch.Tensor, pose: torch.Tensor
) -> None:
    gated = block(qk_norm=qk_norm)
    assert torch.equal(gated(tokens, 1e6 * pose), gated(tokens))
    plain = block(qk_norm=qk_norm, gate=False)
    assert torch.equal(plain(tokens, 0 * pose), plain(tokens))
    assert torch.equal(plain(tokens), gated(tokens)), "the gate draws no random numbers"


def test_the_gate_opens_by_its_gradient(tokens: torch.Tensor, pose: torch.Tensor) -> None:
    gated = block()
    pose.requires_grad_(True)
    gated(tokens, pose).square().sum().backward()
    assert gated.gate is not None and gated.gate.grad is not None
    assert float(gated.gate.grad.abs().min()) > 0
    assert float(pose.grad.abs().max()) == 0, "what stands before a closed gate does not learn yet"


@pytest.mark.parametrize("part", ["queries", "keys", "values"])
def test_each_part_reaches_its_own_place(part: str, tokens: torch.Tensor, pose: torch.Tensor) -> None:
    """Against attention written out: the offset enters q, k or v of every token and nothing else."""
    ours = block(gate=False, qk_norm=False)
    number = ["queries", "keys", "values"].index(part)
    only = torch.zeros_like(pose)
    only[:, number * WIDTH : (number + 1) * WIDTH] = pose[:, number * WIDTH : (number + 1) * WIDTH]
    qkv = list(ours.qkv(ours.norm_1(tokens)).chunk(3, dim=-1))
    qkv[number] = qkv[number] + only[:, None, number * WIDTH : (number + 1) * WIDTH]
    heads = [each.view(3, 7, HEADS, 4).transpose(1, 2) for each in qkv]
    weights = (heads[0] @ heads[1].transpose(2, 3) / 4**0.5).softmax(dim=-1)
    middle = tokens + ours.out((weights @ heads[2]).transpose(1, 2).reshape(3, 7, WIDTH))
    assert torch.allclose(ours(tokens, only), middle + ours.mlp(ours.norm_2(middle)), atol=1e-5)


def test_without_qk_norm_the_keys_part_does_nothing_and_with_it_something(
    tokens: torch.Tensor, pose: torch.Tensor
) -> None:
    keys_only = torch.zeros_like(pose)
    keys_only[:, WIDTH : 2 * WIDTH] = pose[:, WIDTH : 2 * WIDTH]
    plain, normed = block(gate=False, qk_norm=False), block(gate=False, qk_norm=True)
    assert torch.allclose(plain(tokens, keys_only), plain(tokens), atol=1e-5)
    assert not torch.allclose(normed(tokens, keys_only), normed(tokens), atol=1e-2)


def test_each_head_of_the_batch_has_its_own_pose(tokens: torch.Tensor, pose: torch.Tensor) -> None:
    ours = block(gate=False)
    order = torch.tensor([2, 0, 1])
    assert torch.allclose(ours(tokens, pose)[order], ours(tokens[order], pose[order]), atol=1e-6)
    assert not torch.allclose(ours(tokens, pose), ours(tokens, pose[order]), atol=1e-3)


def test_heads_that_do_not_divide_the_width_are_refused() -> None:
    with pytest.raises(InputError, match="5 heads"):
        PoseBlock(16, 5)
