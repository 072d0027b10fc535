"""`/describe_pose` and `/encode_pose` as a program calls them: gradio_client against the app as it is really served."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from gradio_client import Client
from gradio_client.exceptions import AppError

from core.models.manager import ModelManager
from core.pose.embedding import Wording, embed_poses
from core.settings import Settings
from tests.browser import harness


@pytest.fixture(scope="module")
def call(tiny_weights: Path) -> Iterator[Callable[..., dict]]:
    with harness.serve("--weights_dir", str(tiny_weights), "--lang", "en") as running:
        client = Client(running.url, verbose=False, httpx_kwargs={"timeout": 60})
        yield lambda name, *arguments, **options: client.predict(*arguments, api_name=name, **options)
        client.close()


def test_without_arguments_the_head_looks_straight_ahead(call):
    made = call("/describe_pose")
    assert made["caption"] == "frontal view, level gaze, upright" and made["number"] == 22
    assert made["bins"] == {"yaw": "frontal view", "pitch": "level gaze", "roll": "upright"}


def test_the_notes_example_by_the_rule_and_a_wrapped_angle(call):
    assert call("/describe_pose", 45, 10, -5)["caption"] == "right profile view, level gaze, upright"
    made = call("/describe_pose", yaw=-190, roll="10", expression="smiling", lighting="dim light")
    assert made["caption"] == "right profile view, level gaze, tilted right, smiling, dim light"
    assert made["yaw_deg"] == 170 and made["wrapped"] == ["yaw"]
    assert call("/describe_pose", yaw=1, continuous=True)["caption"] == "yaw 1.0, pitch 0.0, roll 0.0 degrees"


def test_the_embedding_is_that_of_a_direct_call(call, tiny_weights):
    made = call("/encode_pose", yaw=45, pitch=10, roll=-5, expression="smiling", model="custom_tiny")
    manager = ModelManager(Settings(weights_dir=tiny_weights))
    direct = embed_poses([45, 10, -5], manager, "custom_tiny", Wording(expression="smiling"))
    manager.close()
    np.testing.assert_allclose(made["embedding"], direct.units_ND[0], atol=1e-6)
    assert made["caption"] == direct.captions[0] and made["dim"] == 24 and made["model"]["id"] == "custom_tiny"


def test_the_clip_that_is_here_is_the_default(call):
    assert call("/encode_pose")["model"]["id"].startswith("custom_tiny")


@pytest.mark.parametrize(
    ("name", "options", "words"),
    [
        ("/describe_pose", {"yaw": None}, "yaw is empty"),
        ("/describe_pose", {"pitch": "left"}, "pitch is not a number: 'left'"),
        ("/describe_pose", {"roll": "nan"}, "roll is not a finite number"),
        ("/describe_pose", {"roll": "inf"}, "roll is not a finite number"),
        ("/describe_pose", {"template": "no place"}, "exactly one {}"),
        ("/encode_pose", {"model": "nonsense"}, "nonsense"),
        ("/encode_pose", {"model": "efficientnet_lite0"}, "text tower"),
        ("/encode_pose", {"model": "ViT-B/16"}, "models fetch openai_clip_vit_b16"),
        ("/encode_pose", {"device": "cuda:77"}, "cuda:77"),
    ],
)
def test_what_makes_no_sense_is_answered_in_words(call, name, options, words):
    with pytest.raises(AppError) as caught:
        call(name, **options)
    assert words in str(caught.value) and "Traceback" not in str(caught.value)
