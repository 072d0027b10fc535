"""The page, the endpoint and the command say the same about the same photo."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from gradio_client import Client, handle_file

from core.cli.app import run as command
from core.foreground.encoding import FeatureCache
from core.foreground.request import ForegroundRequest
from core.models.manager import ModelManager
from core.settings import ImageLimits, Settings
from tests import tiny_models
from tests.browser import harness
from webapp.foreground.given import open_picture
from webapp.foreground.job import download_file, run
from webapp.kit.services import Services
from webapp.kit.uploads import Upload

CAT = Path(__file__).resolve().parents[3] / "webapp" / "examples" / "cat.jpg"
Door = Callable[[str], dict[str, Any]]


@pytest.fixture(scope="module")
def weights_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`custom_vit`, which has a heat map, and `custom_resnet`, which has none."""
    folder = tmp_path_factory.mktemp("weights")
    tiny_models.write_custom(folder, "vit", tiny_models.TINY)
    tiny_models.write_custom(folder, "resnet", tiny_models.TINY_RESNET)
    return folder


@pytest.fixture(scope="module")
def endpoint(weights_dir: Path) -> Iterator[Door]:
    with harness.serve("--weights_dir", str(weights_dir), "--lang", "en", "--device", "cpu") as running:
        client = Client(running.url, verbose=False, httpx_kwargs={"timeout": 60})
        yield lambda model: client.predict(
            image=handle_file(CAT), model=model, device="cpu", explain=True, api_name="/score_foreground"
        )
        client.close()


@pytest.fixture
def page(weights_dir: Path, tmp_path: Path) -> Iterator[Door]:
    """The tab's own run, and the JSON that it hands out."""
    settings = Settings(weights_dir=weights_dir, device="cpu")
    manager = ModelManager(settings)
    services = Services(settings, manager, tmp_path)

    def open_page(model: str) -> dict[str, Any]:
        picture = open_picture(Upload(CAT.name, CAT), ImageLimits())
        request = ForegroundRequest(model=model, device="cpu")
        *_, result = run(services, FeatureCache(), CAT.name, picture, None, request)
        return json.loads(download_file(result, "json").read_text(encoding="utf-8"))

    yield open_page
    manager.close()


@pytest.fixture
def typed(weights_dir: Path, tmp_path: Path) -> Door:
    def type_command(model: str) -> dict[str, Any]:
        output = tmp_path / "scores.json"
        options = ["--image", str(CAT), "--model", model, "--weights_dir", str(weights_dir), "--device", "cpu"]
        assert command(["foreground", *options, "--explain", "--output", str(output)]) == 0
        return json.loads(output.read_text(encoding="utf-8"))

    return type_command


@pytest.mark.parametrize(("model", "has_heat"), [("custom_vit", True), ("custom_resnet", False)])
def test_all_three_doors_lead_to_the_same_outcome(model, has_heat, page, endpoint, typed):
    """For a CLIP with a ResNet tower the command said that there is no heat map; the endpoint and the tab's JSON did
    not."""
    here, there, written = page(model), endpoint(model), typed(model)
    codes = [notice["code"] for notice in here["notices"]]
    assert ("no_heatmap" in codes) == ("proposals_by_colour" in codes) == (not has_heat)
    assert len(here["components"]) > 3
    for other in (there, written):
        assert other["notices"] == here["notices"]
        assert_same(other, here)


def assert_same(one: Any, other: Any, where: str = "") -> None:
    """Equal documents, but for the last digits of their numbers."""
    assert type(one) is type(other), where
    if isinstance(one, dict):
        assert one.keys() == other.keys(), where
        for key in one:
            assert_same(one[key], other[key], f"{where}.{key}")
    elif isinstance(one, list):
        assert len(one) == len(other), where
        for place, (first, second) in enumerate(zip(one, other, strict=True)):
            assert_same(first, second, f"{where}[{place}]")
    else:
        assert one == (pytest.approx(other, abs=1e-5) if isinstance(one, float) else other), where
