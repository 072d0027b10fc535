"""What a press does: runs, other prompts, one component, downloads."""

from __future__ import annotations

import json

import numpy as np
import pytest
from PIL import Image

from core.foreground.encoding import FeatureCache
from core.foreground.prompts import PromptSet
from core.foreground.request import ForegroundRequest
from core.foreground.scoring import FIELDS, Rule
from core.foreground.treatments import TREATMENTS
from tests.fakes import COLOURS
from tests.webapp.foreground.conftest import PROMPTS, finished
from webapp.foreground import scene
from webapp.foreground.job import Shelf, again, download_file, look, run


def test_another_prompt_is_scored_without_the_image_tower(services, picture, things, encoder):
    """A changed prompt took as long as the first run."""
    cache = FeatureCache()
    before = finished(run(services, cache, "a.png", picture, things, ForegroundRequest(model="fake", prompts=PROMPTS)))
    calls = list(encoder.batch_sizes)
    assert sum(calls) >= len(things.components), "the first run needs the tower"

    other = PromptSet(("red", "a lamp"), ("green",), ("grey",))
    how = {"templates": "one", "mode": "balanced", "rule": Rule(negative_above=0.3), "heat_method": "clearclip"}
    after = again(services, cache, before, other, **how)

    assert encoder.batch_sizes == calls, "the image tower was called again"
    assert after.outcome.encoded == 0
    fresh = ForegroundRequest(
        model="fake", prompts=other, templates="one", mode="balanced", rule=Rule(negative_above=0.3)
    )
    direct = finished(run(services, FeatureCache(), "a.png", picture, things, fresh))
    np.testing.assert_allclose(after.outcome.scores.p_pos_sum_B, direct.outcome.scores.p_pos_sum_B, atol=1e-9)
    assert after.outcome.notices == direct.outcome.notices, "nothing is left over from the prompts before"


def test_without_components_some_are_proposed_and_a_model_without_patches_says_so(services, picture):
    result = finished(
        run(services, FeatureCache(), "a.png", picture, None, ForegroundRequest(model="fake", prompts=PROMPTS))
    )
    assert len(result.outcome.components) >= 3, "red, green and the ground"
    assert result.analysis.heat is None
    told = {notice.code: notice.text for notice in result.outcome.notices}
    assert "patch tokens" in told["no_heatmap"] and told["no_heatmap"].said("zh").startswith("没有热图：fake ")
    assert json.loads(scene.heat_json(None))["src"] == ""


def test_a_component_is_looked_at_under_every_treatment_as_the_model_sees_it(services, result, encoder):
    looks = look(services, FeatureCache(), result, 0)
    assert {one.treatment.name for one in looks} == set(TREATMENTS)
    assert looks[0].treatment.name == "original"
    for one in looks:
        assert one.input_HWC.shape == (32, 32, 3)
    assert looks[0].fields == result.outcome.scores.fields(0)
    np.testing.assert_allclose(
        looks[0].input_HWC.mean(axis=(0, 1)), np.minimum(np.array(COLOURS["red"]) * 1.05, 255), atol=2
    )


def test_the_explanation_of_one_component_adds_up_to_its_score(result):
    for row in range(2):
        explanation = result.explanation(row)
        assert explanation.share_BK.shape == (1, 4)
        assert 0.5 + explanation.share_BK.sum() == pytest.approx(result.outcome.scores.p_pos_sum_B[row], abs=1e-9)


def test_the_shelf_forgets_the_oldest_and_its_files(result):
    shelf = Shelf(max_bytes=1)
    first = shelf.put(result)
    assert shelf.get(first) is result, "the newest stays however large it is"
    assert result.folder.is_dir()
    second = shelf.put(result)
    assert shelf.get(first) is None
    assert not result.folder.exists()
    assert shelf.put(result, second) == second
    shelf.forget(second)
    assert shelf.get(second) is None
    assert shelf.get(None) is None


def test_downloads_hold_what_the_page_shows(result):
    made = json.loads(download_file(result, "json").read_text())
    assert [row["semantic_multiplier"] for row in made["components"]] == result.outcome.scores.multiplier_B.tolist()
    assert len(made["explanations"]) == 2
    lines = download_file(result, "csv").read_text().splitlines()
    assert len(lines) == 3
    assert set(FIELDS) <= set(lines[0].split(","))
    image = np.asarray(Image.open(download_file(result, "png")))
    assert image.shape == result.analysis.picture.rgb_HWC.shape
    level = scene.levels(result.outcome)[1]
    colour = tuple(int(scene.LEVEL_COLOURS[level][i : i + 2], 16) for i in (1, 3, 5))
    assert tuple(image[109, 130]) == colour, "the lower edge of the second box"
