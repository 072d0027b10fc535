"""The multi-scale modules: sizes, shapes, parity with a direct calculation, and what they can and cannot see."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional as F

from core.errors import InputError
from core.fusion.multiscale import (
    CLIPMultiScaleFeatureExtractor,
    CLIPMultiScaleSlidingWindow,
    CLIPWithProjectionMultiScale,
    FeatureProjectionAdapter,
    MultiScaleOnCLS,
)

D = 12


def tokens(batch: int, count: int, width: int = D, seed: int = 0) -> torch.Tensor:
    return torch.randn(batch, count, width, generator=torch.Generator().manual_seed(seed))


def parameters(module: torch.nn.Module) -> int:
    return sum(weight.numel() for weight in module.parameters())


@pytest.mark.parametrize(
    ("make", "expected"),
    [
        (CLIPMultiScaleSlidingWindow, 8_391_168),
        (CLIPMultiScaleFeatureExtractor, 8_391_168),
        (CLIPWithProjectionMultiScale, 20_259_072),
        (lambda: CLIPMultiScaleSlidingWindow(768), 18_878_208),
        (FeatureProjectionAdapter, 986_112),
        (
            lambda: CLIPMultiScaleSlidingWindow(scales=[(2, 2), (4, 2), (4, 4)], windows="2d", grid_hw=(16, 8)),
            8_391_168,
        ),
    ],
)
def test_parameter_counts(make, expected: int) -> None:
    with torch.device("meta"):
        assert parameters(make()) == expected


def test_default_shapes() -> None:
    patches = tokens(2, 128, 512)
    assert CLIPMultiScaleSlidingWindow()(patches).shape == (2, 512)
    assert CLIPMultiScaleFeatureExtractor()(patches).shape == (2, 512)
    assert FeatureProjectionAdapter()(patches).shape == (2, 128, 768)


def test_plan_two_has_shapes_and_order_of_the_specification() -> None:
    module = CLIPWithProjectionMultiScale(D, 18, [2, 3])
    kinds = [type(layer).__name__ for layer in (*module.project.layers, *module.project_back)]
    assert kinds == ["Linear", "LayerNorm", "ReLU", "Linear", "Linear", "LayerNorm"]
    assert isinstance(module.multi_scale, CLIPMultiScaleSlidingWindow) and module.multi_scale.feat_dim == 18
    assert module(tokens(3, 7)).shape == (3, D)


def test_equals_a_direct_calculation() -> None:
    """Windows cut by hand, multiplied by the kernel as a matrix; the last 32 mod 5 tokens play no part."""
    module = CLIPMultiScaleSlidingWindow(D, [4, 5])
    patches = tokens(2, 32)
    pooled = []
    for size, conv in zip((4, 5), module.convs, strict=True):
        windows = patches[:, : 32 // size * size].reshape(2, 32 // size, size, D)
        pooled.append((torch.einsum("bjkd,edk->bje", windows, conv.weight) + conv.bias).mean(1))
    first, _, last = module.fusion
    expected = F.linear(F.relu(F.linear(torch.cat(pooled, 1), first.weight, first.bias)), last.weight, last.bias)
    torch.testing.assert_close(module(patches), expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    ("scales", "options"),
    [([3, 8], {}), ([(2, 3), 4], {"windows": "2d", "grid_hw": (9, 4)})],
    ids=["1d", "2d"],
)
@pytest.mark.parametrize("pool", ["mean", "max"])
def test_touching_windows_equal_the_convolution(scales: list, options: dict, pool: str) -> None:
    """Values and gradients of the specification's own order: convolve every window, then pool."""
    torch.manual_seed(0)
    module = CLIPMultiScaleSlidingWindow(D, scales, pool=pool, **options).double()
    patches = tokens(2, 36).double().requires_grad_(True)
    field = patches.transpose(1, 2)
    field = field.unflatten(2, options["grid_hw"]) if options else field
    windows = [conv(field).flatten(2) for conv in module.convs]
    convolved = torch.cat([one.mean(2) if pool == "mean" else one.amax(2) for one in windows], dim=1)
    result = torch.cat(module.pooled(patches), dim=1)
    torch.testing.assert_close(result, convolved)
    weights = [patches, *module.convs.parameters()]
    target = torch.randn_like(result)
    for one, two in zip(
        torch.autograd.grad((result * target).sum(), weights),
        torch.autograd.grad((convolved * target).sum(), weights),
        strict=True,
    ):
        torch.testing.assert_close(one, two)


def test_the_tail_is_dropped_and_only_the_tail() -> None:
    module = CLIPMultiScaleSlidingWindow(D, [4])
    patches = tokens(1, 11)
    for position in range(11):
        changed = patches.clone()
        changed[0, position] += 1
        same = torch.allclose(module(changed), module(patches), atol=1e-6)
        assert same == (position >= 8), position


@pytest.mark.parametrize("pool", ["mean", "max"])
def test_a_sequence_shorter_than_the_window_is_pooled_directly(pool: str) -> None:
    module = CLIPMultiScaleSlidingWindow(D, [4, 8], pool=pool, activation="gelu")
    patches = tokens(2, 5)
    direct = patches.mean(1) if pool == "mean" else patches.amax(1)
    parts = module.pooled(patches)
    torch.testing.assert_close(parts[1], direct)
    assert not torch.allclose(parts[0], direct)


def shuffled_within_phases(patches: torch.Tensor, size: int, seed: int) -> torch.Tensor:
    """Token s·j + k goes to s·π_k(j) + k, another permutation of the windows for each phase k."""
    generator = torch.Generator().manual_seed(seed)
    windows = patches.shape[1] // size
    result = patches.clone()
    for phase in range(size):
        result[:, phase::size] = patches[:, phase::size][:, torch.randperm(windows, generator=generator)]
    return result


@settings(max_examples=20, deadline=None)
@given(size=st.sampled_from([2, 4, 8]), windows=st.integers(2, 5), seed=st.integers(0, 1000))
def test_as_specified_it_cannot_see_which_tokens_shared_a_window(size: int, windows: int, seed: int) -> None:
    torch.manual_seed(seed)
    module = CLIPMultiScaleSlidingWindow(D, [size])
    patches = tokens(2, size * windows, seed=seed)
    torch.testing.assert_close(
        module(shuffled_within_phases(patches, size, seed)), module(patches), rtol=1e-4, atol=1e-5
    )


@pytest.mark.parametrize("options", [{"pool": "max"}, {"activation": "gelu"}, {"activation": "relu"}], ids=str)
def test_an_activation_or_the_maximum_can_see_it(options: dict) -> None:
    torch.manual_seed(0)
    module = CLIPMultiScaleSlidingWindow(D, [4], **options)
    patches = tokens(2, 16)
    assert (module(shuffled_within_phases(patches, 4, 3)) - module(patches)).abs().max() > 1e-3


@pytest.mark.parametrize(
    "layout", [{}, {"stride": "half"}, {"stride": 1}, {"windows": "2d", "grid_hw": (4, 4)}], ids=str
)
@pytest.mark.parametrize("look", [{}, {"pool": "max"}, {"activation": "gelu"}], ids=str)
def test_what_is_linear_whatever_its_windows(layout: dict, look: dict) -> None:
    torch.manual_seed(0)
    module = CLIPMultiScaleSlidingWindow(D, [2], **layout, **look)
    one, two = tokens(2, 16, seed=1), tokens(2, 16, seed=2)
    parts = [module.pooled(each)[0] for each in (one + two, one, two, torch.zeros_like(one))]
    bend = (parts[0] - parts[1] - parts[2] + parts[3]).abs().max()
    assert (bend < 1e-5) == (not look), bend


def test_one_dimensional_windows_run_over_the_end_of_a_row_and_square_ones_do_not() -> None:
    """On a grid 4 wide, tokens 3 and 4 are neighbours in the sequence and far apart in the picture."""
    flat = CLIPMultiScaleSlidingWindow(D, [2], stride=1, activation="relu")
    square = CLIPMultiScaleSlidingWindow(D, [2], stride=1, activation="relu", windows="2d", grid_hw=(4, 4))

    def partners(module: CLIPMultiScaleSlidingWindow, first: int) -> set[int]:
        """Tokens that interact with `first`: the mixed second derivative of the output is not zero."""
        patches = tokens(1, 16).double().requires_grad_(True)
        double = module.double()
        found = set()
        for other in range(16):
            both, one, two = patches.clone(), patches.clone(), patches.clone()
            for target, positions in ((both, (first, other)), (one, (first,)), (two, (other,))):
                for position in positions:
                    target[0, position] = target[0, position] + 3
            pooled = [double.pooled(each)[0] for each in (both, one, two, patches)]
            if other != first and (pooled[0] - pooled[1] - pooled[2] + pooled[3]).abs().max() > 1e-9:
                found.add(other)
        return found

    assert partners(flat, 3) == {2, 4}
    assert partners(square, 3) == {2, 6, 7}
    assert partners(square, 5) == {0, 1, 2, 4, 6, 8, 9, 10}


def test_two_dimensional_windows_equal_a_direct_calculation() -> None:
    module = CLIPMultiScaleSlidingWindow(D, [(2, 4), 2, 16], windows="2d", grid_hw=(5, 4), stride="half")
    patches = tokens(2, 20)
    field = patches.transpose(1, 2).reshape(2, D, 5, 4)
    expected = [
        F.conv2d(field, module.convs[0].weight, module.convs[0].bias, stride=(1, 2)).mean((2, 3)),
        F.conv2d(field, module.convs[1].weight, module.convs[1].bias, stride=1).mean((2, 3)),
        patches.mean(1),  # 16 × 16 does not fit into 5 × 4
    ]
    for part, want in zip(module.pooled(patches), expected, strict=True):
        torch.testing.assert_close(part, want, rtol=1e-5, atol=1e-6)


def test_switched_off_it_is_the_baseline_bit_for_bit() -> None:
    given_tokens = tokens(2, 9)
    off = MultiScaleOnCLS(None)
    assert off(given_tokens) is given_tokens
    assert not list(off.parameters())


def test_the_context_is_added_to_cls_and_the_patches_pass() -> None:
    extractor = CLIPMultiScaleFeatureExtractor(D, [2])
    given_tokens = tokens(2, 9)
    result = MultiScaleOnCLS(extractor)(given_tokens)
    assert result.shape == given_tokens.shape
    assert torch.equal(result[:, 1:], given_tokens[:, 1:])
    assert torch.equal(result[:, 0], given_tokens[:, 0] + extractor(given_tokens[:, 1:]))


def test_gradients_reach_every_parameter_and_the_tokens() -> None:
    for extractor in (CLIPMultiScaleFeatureExtractor(D, [2, 4], pool="max"), CLIPWithProjectionMultiScale(D, 18, [2])):
        given_tokens = tokens(2, 9).requires_grad_(True)
        MultiScaleOnCLS(extractor)(given_tokens)[:, 0].square().sum().backward()
        assert all(weight.grad is not None and weight.grad.abs().sum() > 0 for weight in extractor.parameters())
        assert (given_tokens.grad.abs().sum(2) > 0).all()


def test_a_row_of_the_batch_does_not_depend_on_the_others() -> None:
    module = CLIPMultiScaleSlidingWindow(D, [2, 3])
    patches = tokens(4, 9)
    torch.testing.assert_close(module(patches)[2:3], module(patches[2:3]))


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"scales": []}, "at least one scale"),
        ({"scales": [0]}, "at least 1"),
        ({"scales": [2.5]}, "whole tokens"),
        ({"scales": [(2, 2)]}, "1d windows"),
        ({"scales": [2], "windows": "2d"}, "grid_hw"),
        ({"scales": [2], "windows": "3d"}, "1d, 2d"),
        ({"pool": "median"}, "mean, max"),
        ({"activation": "tanh"}, "none, relu, gelu"),
        ({"stride": 0}, "number of tokens"),
        ({"stride": "third"}, "window, half"),
    ],
)
def test_bad_arguments_are_named(arguments: dict, words: str) -> None:
    with pytest.raises(InputError, match=words):
        CLIPMultiScaleSlidingWindow(D, **arguments)


def test_bad_tokens_are_named() -> None:
    module = CLIPMultiScaleSlidingWindow(D, [2])
    for shape in ((2, 4, D + 1), (2, 0, D), (4, D)):
        with pytest.raises(InputError, match=r"\[B, N, 12\]"):
            module(torch.zeros(shape))
    with pytest.raises(InputError, match="16 tokens, not 15"):
        CLIPMultiScaleSlidingWindow(D, [2], windows="2d", grid_hw=(4, 4))(torch.zeros(1, 15, D))
