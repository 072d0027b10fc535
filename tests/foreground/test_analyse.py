"""One way from picture to outcome: what each step leaves, what is said on the way, and that it can be stopped."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from core.errors import InputError, Unsupported
from core.foreground import export
from core.foreground.analyse import Analysis, analyse
from core.foreground.components import ComponentSet
from core.foreground.prompts import PromptSet
from core.foreground.request import Extras, ForegroundRequest
from core.foreground.treatments import TREATMENTS
from core.models.manager import ModelManager
from core.settings import Settings
from core.types import Progress
from tests.tiny_models import TINY, TINY_RESNET, write_custom

COLOURED = PromptSet(("red", "blue"), ("green", "grey"))


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ModelManager]:
    """`custom_vit`, which has a heat map, and `custom_resnet`, which has none."""
    folder: Path = tmp_path_factory.mktemp("weights")
    write_custom(folder, "vit", TINY)
    write_custom(folder, "resnet", TINY_RESNET)
    manager = ModelManager(Settings(weights_dir=folder, device="cpu"))
    yield manager
    manager.close()


def finished(*arguments, **options) -> tuple[list[str], Analysis]:
    """The stages, each once, and the outcome."""
    *progress, last = analyse(*arguments, **options)
    assert isinstance(last, Analysis) and all(isinstance(step, Progress) for step in progress)
    return list(dict.fromkeys(step.stage for step in progress)), last


def codes(analysis: Analysis) -> list[str]:
    return [notice.code for notice in analysis.result.notices]


def test_given_components_are_scored_and_nothing_else_is_done(scene, things, clips):
    stages, found = finished(scene, things, ForegroundRequest("custom_vit", COLOURED), clips)
    assert stages == ["components"]
    assert found.components is things and len(found.result.rows) == 3
    assert found.heat is None and found.explanation is None and found.leaks is None


def test_without_components_a_heat_map_is_made_and_some_are_proposed(scene, clips):
    stages, found = finished(scene, None, ForegroundRequest("custom_vit", COLOURED), clips)
    assert stages == ["heat", "propose", "components"]
    assert found.heat is not None and found.heat.method == "clearclip"
    assert all("score" in component.fields for component in found.components.components)
    assert "proposed" in codes(found) and "no_heatmap" not in codes(found)


def test_a_resnet_tower_proposes_by_colour_and_says_why_there_is_no_heat_map(scene, clips):
    """The command said so; the endpoint and the tab's JSON did not."""
    _, found = finished(scene, None, ForegroundRequest("custom_resnet", COLOURED), clips)
    assert found.heat is None and {"proposed", "proposals_by_colour", "no_heatmap"} <= set(codes(found))
    written = {notice["code"]: notice["text"] for notice in export.document(found)["notices"]}
    assert written["no_heatmap"].startswith("No heat map: custom_resnet is not one of open_clip's ViTs")


@pytest.mark.parametrize("given", [True, False])
def test_a_heat_map_that_is_only_welcome_stops_nothing_and_is_missed_once(given, scene, things, clips):
    request, extras = ForegroundRequest("custom_resnet", COLOURED), Extras("if_possible")
    _, found = finished(scene, things if given else None, request, clips, extras=extras)
    assert codes(found).count("no_heatmap") == 1
    _, again = finished(scene, found.components, request, clips, extras=extras)
    assert codes(again) == codes(found), "scored once more, the same is said"


def test_a_heat_map_that_is_required_is_an_error_where_there_is_none(scene, things, clips):
    with pytest.raises(Unsupported, match="ViT"):
        finished(scene, things, ForegroundRequest("custom_resnet", COLOURED), clips, extras=Extras("required"))
    _, found = finished(
        scene, things, ForegroundRequest("custom_vit", COLOURED), clips, extras=Extras("required", "naclip")
    )
    assert found.heat is not None and found.heat.method == "naclip"


def test_an_unknown_method_is_refused_before_any_work():
    with pytest.raises(InputError, match="clearclip"):
        Extras(heat_method="magic")  # type: ignore[arg-type]


def test_explanation_and_leak_are_of_every_component(scene, things, clips):
    extras = Extras(explain=True, leak=True)
    stages, found = finished(scene, things, ForegroundRequest("custom_vit", COLOURED), clips, extras=extras)
    assert stages == ["components", "leak"]
    assert found.explanation is not None and found.explanation.share_BK.shape == (3, 4)
    assert found.leaks is not None and len(found.leaks.leaks) == 3 * len(TREATMENTS)
    made = export.document(found, image="scene.png")
    assert len(made["explanations"]) == 3 and len(made["mask_leak"]) == 12 and made["image"] == "scene.png"


def test_nothing_to_score_is_an_error(scene, clips):
    with pytest.raises(InputError, match="No component found"):
        finished(scene, ComponentSet(), ForegroundRequest("custom_vit", COLOURED), clips)


@pytest.mark.parametrize("extras", [Extras(), Extras(leak=True)])
def test_closing_it_gives_the_model_back_wherever_it_stands(extras, scene, things, fakes):
    total = len(list(analyse(scene, things, ForegroundRequest("fake", COLOURED), fakes, extras=extras)))
    for steps in range(1, total):
        work = analyse(scene, things, ForegroundRequest("fake", COLOURED), fakes, extras=extras)
        for _ in range(steps):
            next(work)
        work.close()
        assert [status.leases for status in fakes.status()] == [0]
