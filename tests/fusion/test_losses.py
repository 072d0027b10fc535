"""The consistency loss: values, gradients against float64 differences, and what each number format does to it."""

from __future__ import annotations

import math
from typing import Any, get_args

import pytest
import torch
from torch.nn import functional as F

from core.errors import InputError
from core.fusion.losses import NOTE_SCHEDULE, ClipConsCriterion, Form, naive_nll, partial_gradient

FORMS = get_args(Form)


def features(points: int = 12, images: int = 3, width: int = 16, dtype: torch.dtype = torch.float64, seed: int = 0):
    generator = torch.Generator().manual_seed(seed)
    fused = torch.randn(points, width, generator=generator, dtype=torch.float64).to(dtype).requires_grad_()
    clip = torch.randn(images, width, generator=generator, dtype=torch.float64).to(dtype).requires_grad_()
    return fused, clip, torch.arange(points) % images


def opposed(dtype: torch.dtype, logit: float, temperature: float = 0.05):
    """One point whose cosine with its image is temperature · logit, exact in its directions."""
    cosine = logit * temperature
    clip = torch.tensor([[1.0, 0.0]], dtype=dtype)
    fused = torch.tensor([[cosine, math.sqrt(1 - cosine**2)]], dtype=dtype).requires_grad_()
    return fused, clip


# -------------------------------------------------------------------------------------------------------------- values


def test_the_naive_form_is_the_notes_formula():
    fused, clip, batch = features()
    expected = []
    for point, image in zip(fused, clip[batch], strict=True):
        cosine = float((point @ image / (point.norm() * image.norm())).detach())
        expected.append(-math.log(1 / (1 + math.exp(-cosine / 0.07)) + 1e-8))
    loss = ClipConsCriterion()(fused, clip, batch)
    assert loss.item() == pytest.approx(0.05 * sum(expected) / len(expected), rel=1e-9)


def test_defaults_are_the_notes():
    criterion = ClipConsCriterion()
    assert (criterion.loss_weight, criterion.temperature, criterion.gradient_flow_ratio) == (0.05, 0.07, 0.02)
    assert criterion.form == "naive" and criterion.schedule is None and criterion.feature_clamp is None


def test_stable_and_naive_agree_where_the_naive_form_is_sound():
    fused, clip, batch = features()
    naive = ClipConsCriterion().per_point(fused, clip, batch)
    stable = ClipConsCriterion(form="stable").per_point(fused, clip, batch)
    torch.testing.assert_close(stable, naive, rtol=1e-5, atol=1e-6)


def test_infonce_is_cross_entropy_over_the_images_of_the_batch():
    fused, clip, batch = features()
    logits = F.normalize(fused, dim=1) @ F.normalize(clip, dim=1).T / 0.07
    expected = -torch.log_softmax(logits, 1)[torch.arange(len(batch)), batch]
    torch.testing.assert_close(
        ClipConsCriterion(form="infonce").per_point(fused, clip, batch), expected, rtol=1e-5, atol=1e-5
    )


@pytest.mark.parametrize("form", ["naive", "stable"])
def test_without_negatives_one_vector_for_all_points_is_the_optimum_and_infonce_does_not_fall_for_it(form: Form):
    """All images alike and all points on them: the note's loss is content, InfoNCE is not."""
    same = torch.ones(1, 8, dtype=torch.float64)
    args = (same.repeat(6, 1), same.repeat(3, 1), torch.arange(6) % 3)
    assert ClipConsCriterion(1.0, form=form)(*args).item() == pytest.approx(math.log1p(math.exp(-1 / 0.07)), rel=0.05)
    assert ClipConsCriterion(1.0, form="infonce")(*args).item() == pytest.approx(math.log(3))


@pytest.mark.parametrize("form", FORMS)
def test_only_valid_points_count_and_a_swapped_image_changes_the_loss(form: Form):
    fused, clip, batch = features()
    criterion = ClipConsCriterion(form=form)
    valid = torch.arange(len(fused)) % 2 == 0
    torch.testing.assert_close(criterion(fused, clip, batch, valid), criterion(fused[valid], clip, batch[valid]))
    assert criterion(fused, clip, (batch + 1) % 3).item() != pytest.approx(criterion(fused, clip, batch).item())


@pytest.mark.parametrize("form", FORMS)
def test_no_valid_point_gives_zero_not_nan_and_still_has_a_gradient(form: Form):
    fused, clip, batch = features()
    loss = ClipConsCriterion(form=form)(fused, clip, batch, torch.zeros(len(fused), dtype=torch.bool))
    loss.backward()
    assert loss.item() == 0 and fused.grad is not None and not fused.grad.any()


def test_one_image_or_a_row_for_each_point_need_no_batch_index():
    fused, clip, batch = features()
    criterion = ClipConsCriterion()
    torch.testing.assert_close(criterion(fused, clip[batch]), criterion(fused, clip, batch))
    torch.testing.assert_close(criterion(fused, clip[:1]), criterion(fused, clip[:1], torch.zeros_like(batch)))
    with pytest.raises(InputError, match="which point belongs to which"):
        criterion(fused, clip)


# ----------------------------------------------------------------------------------------------------------- gradients


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("options", [{}, {"feature_clamp": 0.8, "min_temperature": 0.1}])
def test_gradients_are_those_of_float64_finite_differences(form: Form, options: dict[str, Any]):
    fused, clip, batch = features(points=5, images=2, width=4)
    criterion = ClipConsCriterion(gradient_flow_ratio=1.0, form=form, **options)
    assert torch.autograd.gradcheck(lambda f, c: criterion(f, c, batch), (fused, clip), eps=1e-6, atol=1e-7)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("ratio", [0.0, 0.02, 1.0])
def test_the_ratio_is_what_reaches_clip_and_changes_neither_value_nor_the_points_gradient(form: Form, ratio: float):
    def gradients(of: float):
        fused, clip, batch = features()
        loss = ClipConsCriterion(gradient_flow_ratio=of, form=form)(fused, clip, batch)
        loss.backward()
        return loss.item(), fused.grad, torch.zeros_like(clip) if clip.grad is None else clip.grad

    value, at_points, at_clip = gradients(ratio)
    whole_value, whole_at_points, whole_at_clip = gradients(1.0)
    assert value == whole_value
    assert torch.equal(at_points, whole_at_points)
    torch.testing.assert_close(at_clip, ratio * whole_at_clip, rtol=1e-12, atol=0)
    assert whole_at_clip.abs().sum() > 0


def test_partial_gradient_keeps_every_bit_also_in_half_precision():
    feature = torch.randn(1000).half()
    assert torch.equal(partial_gradient(feature.requires_grad_(), 0.02), feature)


def test_the_gradient_by_the_cosine_is_at_most_one_over_the_temperature_not_fifty_times_that():
    for temperature in (0.07, 0.1, 0.2):
        cosines = torch.linspace(-1, 1, 401, dtype=torch.float64, requires_grad=True)
        naive_nll(cosines / temperature).sum().backward()
        assert 0.9 / temperature < cosines.grad.abs().max() <= 1 / temperature
    # well aligned, it vanishes: 14.3 σ(−14.3) = 9e-6
    one = torch.ones((), dtype=torch.float64, requires_grad=True)
    naive_nll(one / 0.07).backward()
    assert abs(one.grad.item()) == pytest.approx(9e-6, rel=0.1)


def test_the_scale_of_features_does_not_matter_so_plus_minus_fifty_cannot_hurt():
    for form in FORMS:
        fused, clip, batch = features()
        large = (50 * fused.detach()).requires_grad_()
        ClipConsCriterion(form=form)(fused, clip, batch).backward()
        ClipConsCriterion(form=form)(large, 50 * clip, batch).backward()
        torch.testing.assert_close(50 * large.grad, fused.grad, rtol=1e-5, atol=1e-9)


def test_clamping_large_features_zeroes_most_gradients_and_turns_the_vector():
    generator = torch.Generator().manual_seed(0)
    fused = (30 * torch.randn(200, 256, generator=generator, dtype=torch.float64)).requires_grad_()
    clip = torch.randn(1, 256, generator=generator, dtype=torch.float64)
    ClipConsCriterion(feature_clamp=10.0)(fused, clip).backward()
    assert (fused.grad == 0).double().mean().item() == pytest.approx(0.74, abs=0.01)  # P(|30 x| > 10)
    turned = F.cosine_similarity(fused, fused.clamp(-10, 10)).mean().item()
    assert turned == pytest.approx(0.87, abs=0.01)


def test_small_features_have_large_gradients_where_the_stable_form_is_bounded():
    """‖∂L/∂x‖ = σ(−s)/T · √(1 − cos²) / ‖x‖: nothing holds it in the naive form until 1e-12."""
    direction = torch.tensor([[0.6, 0.8]], dtype=torch.float64)
    clip = torch.tensor([[0.8, -0.6]], dtype=torch.float64)  # cosine 0: σ = ½

    def steepness(form: Form, norm: float) -> float:
        fused = (norm * direction).requires_grad_()
        ClipConsCriterion(1.0, form=form)(fused, clip).backward()
        return float(fused.grad.norm())

    for norm in (1.0, 1e-3, 1e-6, 1e-9):
        assert steepness("naive", norm) == pytest.approx(0.5 / 0.07 / norm, rel=1e-3)
        assert steepness("stable", norm) <= 0.5 / 0.07 / 1e-3
    assert steepness("stable", 1.0) == pytest.approx(0.5 / 0.07, rel=1e-5)


# ------------------------------------------------------------------------------------------------------ number formats


def test_in_float32_the_epsilon_halves_the_gradient_at_its_logarithm_and_kills_it_further_out():
    def slope(logit: float) -> float:
        value = torch.tensor(logit, requires_grad=True)
        naive_nll(value).backward()
        return float(value.grad)

    assert slope(math.log(1e-8)) == pytest.approx(-0.5, rel=1e-3)  # s = −18.42
    assert slope(-30.0) == pytest.approx(-9.4e-6, rel=0.05)
    assert slope(-1 / 0.07) == pytest.approx(-1 / (1 + 1e-8 * math.exp(1 / 0.07)), rel=1e-3)  # at most 1.6 % lost
    assert slope(-1 / 0.07) < -0.984
    stable = torch.tensor(-30.0, requires_grad=True)
    F.softplus(-stable).backward()
    assert stable.grad.item() == pytest.approx(-1.0)


@pytest.mark.parametrize(
    ("logit", "loss_is_finite", "gradient"),
    [(-11.0, True, -1.0), (-11.2, True, -math.inf), (-14.3, True, -math.inf), (-18.0, False, math.nan)],
)
def test_pure_float16_breaks_the_naive_form(logit: float, loss_is_finite: bool, gradient: float):
    """1e-8 is zero in float16, and one over a sigmoid below 1/65504 is infinite."""
    assert torch.tensor(1e-8, dtype=torch.float16) == 0
    value = torch.tensor(logit, dtype=torch.float16, requires_grad=True)
    loss = naive_nll(value)
    loss.backward()
    assert math.isfinite(loss.item()) is loss_is_finite
    if math.isnan(gradient):
        assert math.isnan(value.grad.item())
    else:
        assert value.grad.item() == pytest.approx(gradient, rel=1e-2)


@pytest.mark.parametrize("logit", [-14.3, -18.0])
def test_the_same_through_the_criterion_naive_breaks_stable_does_not(logit: float):
    for form, sound in (("naive", False), ("stable", True)):
        fused, clip = opposed(torch.float16, logit)
        loss = ClipConsCriterion(1.0, temperature=0.05, form=form)(fused, clip)  # type: ignore[arg-type]
        loss.backward()
        assert bool(fused.grad.isfinite().all() and loss.isfinite()) is sound
        if sound:
            exact, _ = opposed(torch.float64, logit)
            ClipConsCriterion(1.0, temperature=0.05, form="stable")(exact, clip.double()).backward()
            assert loss.item() == pytest.approx(-logit, rel=5e-3)
            assert fused.grad.dtype == torch.float16
            torch.testing.assert_close(fused.grad.double(), exact.grad, rtol=5e-2, atol=5e-2)


def test_at_the_notes_temperature_only_an_opposed_pair_breaks_pure_float16():
    """s = cos / 0.07 reaches −11.1 at cos < −0.776: the small temperature alone does not break it."""
    for cosine, sound in ((-0.7, True), (-0.77, True), (-0.79, False), (-1.0, False)):
        fused, clip = opposed(torch.float16, cosine / 0.07, 0.07)
        ClipConsCriterion(1.0)(fused, clip).backward()
        assert bool(fused.grad.isfinite().all()) is sound, cosine


@pytest.mark.parametrize(
    ("temperature", "cosine", "sound"), [(0.07, -1.0, True), (0.01, -0.17, True), (0.01, -0.176, False)]
)
def test_over_many_points_pure_float16_breaks_where_the_sigmoid_is_zero(temperature: float, cosine: float, sound: bool):
    """The mean's 1/N comes first, so the −11.1 of a single term becomes −17.4: never at 0.07, where |s| ≤ 14.3."""
    fused, clip = opposed(torch.float16, cosine / temperature, temperature)
    many = fused.detach().repeat(300, 1).requires_grad_()
    ClipConsCriterion(temperature=temperature)(many, clip).backward()
    assert bool(many.grad.isfinite().all()) is sound


@pytest.mark.parametrize("logit", [-14.3, -18.0])
def test_bfloat16_is_sound_in_both_forms(logit: float):
    for form in ("naive", "stable"):
        fused, clip = opposed(torch.bfloat16, logit)
        loss = ClipConsCriterion(1.0, temperature=0.05, form=form)(fused, clip)  # type: ignore[arg-type]
        loss.backward()
        assert loss.isfinite() and fused.grad.isfinite().all() and fused.grad.abs().sum() > 0


def test_a_zero_feature_is_nan_for_the_naive_form_in_float16_only():
    """F.normalize guards with 1e-12, which float16 does not have: 0 / 0."""
    clip = torch.ones(1, 4)
    for dtype, form, sound in (
        (torch.float16, "naive", False),
        (torch.bfloat16, "naive", True),
        (torch.float32, "naive", True),
        (torch.float16, "stable", True),
    ):
        fused = torch.zeros(2, 4, dtype=dtype, requires_grad=True)
        loss = ClipConsCriterion(form=form)(fused, clip.to(dtype))  # type: ignore[arg-type]
        loss.backward()
        assert bool(loss.isfinite() and fused.grad.isfinite().all()) is sound, (dtype, form)


def test_many_points_overflow_a_sum_in_float16_and_never_the_mean():
    """The one way in which a large N does overflow: adding up before dividing."""
    each = naive_nll(torch.zeros(2**17, dtype=torch.float16))  # 0.693 each
    assert each.mean().item() == pytest.approx(math.log(2), rel=1e-3)
    assert math.isinf(each.sum().item())
    fused = torch.randn(2**17, 4, generator=torch.Generator().manual_seed(0)).half()
    for form in ("naive", "stable"):
        assert ClipConsCriterion(1.0, 0.5, form=form)(fused, torch.ones(1, 4).half()).isfinite()  # type: ignore[arg-type]


@pytest.mark.parametrize("form", ["stable", "infonce"])
def test_under_autocast_the_stable_forms_compute_in_float32(form: Form):
    fused, clip, batch = features(dtype=torch.float32, width=256)
    criterion = ClipConsCriterion(form=form)
    outside = criterion(fused, clip, batch)
    with torch.autocast("cpu", torch.bfloat16):
        inside = criterion(fused, clip, batch)
    assert inside.dtype == torch.float32
    assert torch.equal(inside, outside)


# --------------------------------------------------------------------------------------------------- schedule, options


def test_the_notes_schedule_counts_epochs_from_one():
    criterion = ClipConsCriterion(schedule=NOTE_SCHEDULE)
    weights = {}
    for epoch in (1, 10, 11, 20, 21, 300):
        criterion.set_epoch(epoch)
        weights[epoch] = criterion.weight
    assert weights == {1: 0.0, 10: 0.0, 11: 0.001, 20: 0.001, 21: 0.01, 300: 0.01}
    fused, clip, batch = features()
    criterion.set_epoch(5)
    assert criterion(fused, clip, batch).item() == 0.0
    criterion.set_epoch(25)
    torch.testing.assert_close(criterion(fused, clip, batch), ClipConsCriterion(0.01)(fused, clip, batch))


def test_the_temperature_has_a_floor():
    assert ClipConsCriterion(min_temperature=0.1).temperature == 0.1
    assert ClipConsCriterion(temperature=0.5, min_temperature=0.1).temperature == 0.5


@pytest.mark.parametrize(
    "options",
    [
        {"temperature": 0.0},
        {"loss_weight": -1.0},
        {"gradient_flow_ratio": 1.5},
        {"form": "other"},
        {"schedule": ()},
        {"schedule": ((11, 0.1), (1, 0.0))},
        {"feature_clamp": 0.0},
        {"norm_eps": 0.0},
    ],
)
def test_impossible_options_are_refused(options: dict[str, Any]):
    with pytest.raises(InputError):
        ClipConsCriterion(**options)


def test_infonce_needs_another_image_and_says_so():
    fused, clip, _ = features(images=1)
    with pytest.raises(InputError, match="others of the batch"):
        ClipConsCriterion(form="infonce")(fused, clip)


def test_features_that_do_not_fit_are_refused():
    with pytest.raises(InputError, match=r"\[N, D\]"):
        ClipConsCriterion()(torch.zeros(3, 4), torch.zeros(1, 5))
