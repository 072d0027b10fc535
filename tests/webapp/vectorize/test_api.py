"""`/vectorize` as a program calls it: gradio_client against the app as it is really served."""

from __future__ import annotations

import json
import time
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import numpy as np
import psutil
import pytest
from gradio_client import Client, handle_file
from gradio_client.exceptions import AppError

from core.models.manager import ModelManager
from core.settings import Settings
from core.types import ImageSource, VectorizeRequest
from core.vectorize import comparable, store
from core.vectorize.pipeline import vectorize_all
from tests import tiny_models
from tests.browser import harness

EXAMPLES = Path(__file__).resolve().parents[3] / "webapp" / "examples"
PHOTOS = [EXAMPLES / name for name in ("cat.jpg", "temple.jpg", "coffee.jpg")]


@pytest.fixture(scope="module")
def weights_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("weights")
    tiny_models.write_custom(folder, "tiny", tiny_models.TINY)
    return folder


@pytest.fixture(scope="module")
def server(weights_dir: Path) -> Iterator[harness.Server]:
    with harness.serve("--weights_dir", str(weights_dir), "--lang", "en") as running:
        yield running


@pytest.fixture(scope="module")
def client(server: harness.Server) -> Iterator[Client]:
    opened = Client(server.url, verbose=False, httpx_kwargs={"timeout": 60})
    yield opened
    opened.close()


@pytest.fixture(scope="module")
def call(client: Client) -> Callable[..., tuple[dict, str | None]]:
    def vectorize(files: list[Path], models: object, **options: object) -> tuple[dict, str | None]:
        return client.predict(
            files=[handle_file(file) for file in files], models=models, api_name="/vectorize", **options
        )

    return vectorize


@pytest.fixture(scope="module")
def manager(weights_dir: Path) -> Iterator[ModelManager]:
    opened = ModelManager(Settings(weights_dir=weights_dir))
    yield opened
    opened.close()


def test_an_ensemble_gives_the_vectors_of_a_direct_call(call, manager):
    """Stands first: the app was just started and still imports torch, which once made the first run fail."""
    models = ("custom_tiny", "efficientnet_lite0")
    report, npz = call(PHOTOS, list(models), dtype="fp32", normalize=True)

    sources = [ImageSource(photo.name, path=photo) for photo in PHOTOS]
    direct = vectorize_all(sources, VectorizeRequest(models, dtype="fp32", normalize=True), manager)
    with np.load(npz) as stored:
        assert stored["ids"].tolist() == [photo.name for photo in PHOTOS]
        np.testing.assert_allclose(stored["vectors"], direct.vectors_ND, atol=1e-5)
    assert report["ids"] == list(direct.ids)
    assert report["dim"] == direct.dim == 24 + 1280
    assert [(m["model_id"], m["start"], m["stop"]) for m in report["members"]] == [
        ("custom_tiny", 0, 24),
        ("efficientnet_lite0", 24, 1304),
    ]
    first = report["images"][0]
    assert first["first"] == pytest.approx(direct.vectors_ND[0, :10].tolist(), abs=1e-5)
    assert first["norm"] == pytest.approx(2**0.5, abs=1e-4), "two unit vectors side by side"


def test_the_file_can_be_read_back_and_checked_against_todays_models(call, manager):
    _, npz = call(PHOTOS[:1], "custom_tiny")
    table = store.read(Path(npz))
    assert table.ids == ("cat.jpg",)
    assert comparable.check(table, manager) == []


def test_models_may_be_one_string_with_commas(call):
    report, _ = call(PHOTOS[:1], "efficientnet_lite0, custom_tiny")
    assert [member["model_id"] for member in report["members"]] == ["efficientnet_lite0", "custom_tiny"]


def test_what_cannot_be_used_is_named_and_the_rest_goes_on(call, tmp_path):
    (tmp_path / "notes.jpg").write_text("not a photo")
    (tmp_path / "empty.png").write_bytes(b"")
    with zipfile.ZipFile(tmp_path / "trip.zip", "w") as opened:
        opened.write(PHOTOS[1], "../../outside/temple.jpg")
    (tmp_path / "broken.zip").write_bytes(b"PK\x03\x04")
    files = [tmp_path / name for name in ("notes.jpg", "empty.png", "trip.zip", "broken.zip")]

    report, npz = call([*files, PHOTOS[0]], "custom_tiny")

    assert report["ids"] == ["trip.zip/outside/temple.jpg", "cat.jpg"]
    codes = {reject["id"]: reject["code"] for reject in report["rejects"]}
    assert codes == {"notes.jpg": "not_an_image", "empty.png": "empty", "broken.zip": "archive"}
    with np.load(npz) as stored:
        assert stored["vectors"].shape == (2, 24)


def test_when_nothing_can_be_used_the_rejects_are_the_answer(call, tmp_path):
    (tmp_path / "notes.jpg").write_text("not a photo")
    report, npz = call([tmp_path / "notes.jpg"], "custom_tiny")
    assert (report["ids"], npz) == ([], None)
    assert [reject["id"] for reject in report["rejects"]] == ["notes.jpg"]


@pytest.mark.parametrize(
    ("models", "options", "message"),
    [
        ("efficientnet_lite", {}, "efficientnet_lite0"),  # a close name is suggested
        ("openai_clip_vit_b32", {}, "python -m core models fetch openai_clip_vit_b32"),
        ("", {}, "No model"),
        ("custom_tiny,custom_tiny", {}, "once"),
        ({"a": 1}, {}, "list of model ids"),
        ("custom_tiny", {"dtype": "int4"}, "int4"),
        ("custom_tiny", {"device": "cuda:99"}, "cuda:99"),
        ("custom_tiny", {"batch_size": 0}, "batch size"),
        ("custom_tiny", {"batch_size": None}, "batch_size"),
    ],
)
def test_what_makes_no_sense_is_answered_in_words(call, models, options, message):
    with pytest.raises(AppError) as caught:
        call(PHOTOS[:1], models, **options)
    assert message in str(caught.value)
    assert "Traceback" not in str(caught.value)


def test_no_files_at_all_say_so(call):
    with pytest.raises(AppError, match="no images"):
        call([], "custom_tiny")


def test_neither_a_path_of_the_server_nor_an_address_is_read(server):
    """Whoever calls without gradio_client may write anything where an upload belongs."""
    for path in ("/etc/hostname", f"http://127.0.0.1:{server.port}/", "../../etc/hostname"):
        stolen = {"path": path, "orig_name": "x.jpg", "meta": {"_type": "gradio.FileData"}}
        body = {"data": [[stolen], "custom_tiny", 1, "cpu", "fp32", False]}
        started = httpx.post(f"{server.url}gradio_api/call/vectorize", json=body, timeout=60)
        if started.status_code == 200:
            answer = httpx.get(f"{server.url}gradio_api/call/vectorize/{started.json()['event_id']}", timeout=60).text
            assert "event: error" in answer, answer
            assert "event: complete" not in answer
        else:
            assert started.status_code in (400, 403, 422), started.text


def test_only_named_endpoints_are_offered(client):
    offered = client.view_api(return_format="dict")
    assert "/vectorize" in offered["named_endpoints"]
    assert all(not name.lstrip("/").startswith(("run", "stopped", "_")) for name in offered["named_endpoints"])
    assert offered["unnamed_endpoints"] == {}


def test_a_cancelled_call_stops_working(client, server, tmp_path):
    with zipfile.ZipFile(tmp_path / "many.zip", "w", zipfile.ZIP_STORED) as opened:
        data = PHOTOS[1].read_bytes()
        for number in range(1500):
            opened.writestr(f"{number:04}.jpg", data)
    job = client.submit(files=[handle_file(tmp_path / "many.zip")], models="efficientnet_lite0", api_name="/vectorize")
    end = time.monotonic() + 120
    while not any(json.loads(json.dumps(o))[0].get("progress", {}).get("done", 0) > 0 for o in job.outputs() if o[0]):
        assert not job.done(), "1,500 photos were done before anyone could cancel"
        assert time.monotonic() < end
        time.sleep(0.2)
    job.cancel()
    assert _falls_silent(server.process.pid)


def _falls_silent(pid: int, timeout_s: float = 60) -> bool:
    """Whether the process stops using the CPU; vectorizing keeps every core busy."""
    process = psutil.Process(pid)
    end = time.monotonic() + timeout_s
    while time.monotonic() < end:
        before = sum(process.cpu_times()[:2])
        time.sleep(1.5)
        if sum(process.cpu_times()[:2]) - before < 0.15:
            return True
    return False
