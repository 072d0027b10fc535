"""A picture against the 45 captions: the softmax by hand, marginals, templates; the built-in model on drawn heads."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from core.errors import InputError, Unsupported
from core.models.manager import ModelManager
from core.pose.rendering import HeadLooks, render_heads
from core.pose.text import CAPTIONS, PITCH_WORDS, ROLL_WORDS, YAW_WORDS, describe
from core.pose.zero_shot import PoseGuess, zero_shot
from core.settings import Settings
from tests.fakes import solid


def direct(encoder, rgb, templates):
    """The same by hand, one caption at a time."""
    units = []
    for caption in CAPTIONS:
        features = encoder.encode_texts([template.format(caption) for template in templates])[0].double().numpy()
        mean = (features / np.linalg.norm(features, axis=1, keepdims=True)).mean(axis=0)
        units.append(mean / np.linalg.norm(mean))
    image = encoder.encode_images(torch.stack([encoder.preprocess(rgb)]))[0].double().numpy()
    cosines = np.array(units) @ (image / np.linalg.norm(image))
    weights = np.exp(encoder.logit_scale * (cosines - cosines.max()))
    return cosines, weights / weights.sum()


@pytest.mark.parametrize("templates", [("{}",), ("{}", "a red face, {}")])
def test_probabilities_are_those_of_a_direct_call(fakes, fake_encoder, templates):
    rgb = solid("red")
    guess = zero_shot(rgb, fakes, "fake", templates=templates)
    cosines, probabilities = direct(fake_encoder, rgb, templates)
    np.testing.assert_allclose(guess.cosines_45, cosines, atol=1e-5)
    np.testing.assert_allclose(guess.probabilities_45, probabilities, atol=1e-3)
    assert guess.logit_scale == fake_encoder.logit_scale and guess.templates == templates
    assert guess.ranking == np.argsort(-guess.probabilities_45, kind="stable").tolist()
    assert guess.caption == CAPTIONS[guess.ranking[0]]


def test_each_angle_has_the_other_two_summed_out():
    probabilities = np.random.default_rng(0).dirichlet(np.ones(45))
    guess = PoseGuess(probabilities, np.zeros(45), 1.0, ("{}",), {}, 0.0, 0.0)
    for words, values in ((YAW_WORDS, guess.yaw_5), (PITCH_WORDS, guess.pitch_3), (ROLL_WORDS, guess.roll_3)):
        assert values.sum() == pytest.approx(1) and len(values) == len(words)
        for word, value in zip(words, values, strict=True):
            parts = [p for p, caption in zip(probabilities, CAPTIONS, strict=True) if word in caption.split(", ")]
            assert value == pytest.approx(sum(parts))


def test_templates_and_models_that_cannot_be_used(fakes):
    with pytest.raises(InputError, match="no template"):
        zero_shot(solid("red"), fakes, "fake", templates=())
    with pytest.raises(InputError, match="exactly one"):
        zero_shot(solid("red"), fakes, "fake", templates=("{} {}",))
    with pytest.raises(Unsupported, match="no text tower"):
        zero_shot(solid("red"), fakes, "mute")


def test_the_built_in_model_sees_which_way_a_drawn_head_turns():
    """It was taught these captions on such heads; swapped signs or a shuffled caption list would show here."""
    poses = [[60, 0, 0], [-60, 0, 0], [0, -40, 0], [0, 40, 0], [0, 0, 25], [0, 0, -25]]
    manager = ModelManager(Settings(device="cpu"))
    for pose, rgba in zip(poses, render_heads(HeadLooks.plain(6), poses, size_px=96), strict=True):
        rgb = (rgba[..., :3] + (255.0 - rgba[..., 3:]) * 0.8).clip(0, 255).astype(np.uint8)
        guess = zero_shot(rgb, manager, "demo_clip", templates=("{}",))
        turned = int(np.argmax(np.abs(pose)))
        word = describe([pose])[0].split(", ")[turned]
        bins = (guess.yaw_5, guess.pitch_3, guess.roll_3)[turned]
        right = bins[(YAW_WORDS, PITCH_WORDS, ROLL_WORDS)[turned].index(word)]
        opposite = bins[0 if np.sum(pose) > 0 else -1]
        assert right > 5 * opposite, (pose, guess.caption)
    manager.close()
