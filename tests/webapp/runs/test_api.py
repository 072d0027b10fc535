"""`/compare_runs` as a program calls it: gradio_client against the app as it is really served."""

from __future__ import annotations

import json
import subprocess
import sys
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from gradio_client import Client, handle_file
from gradio_client.exceptions import AppError

from core.runs import RunRecorder, pack_runs
from tests.browser import harness

LUCK = (0.11, -0.06, 0.02, -0.13, 0.09, 0.01, -0.04, 0.07)


def write_runs(root: Path, seeds: int, **levels: float) -> None:
    """Finished runs whose arms differ by `levels`, as a training writes them."""
    for arm, level in levels.items():
        for seed in range(seeds):
            with RunRecorder(root, f"{arm}-{seed}", {"pose_encoder": arm, "seed": seed}) as run:
                for step in range(1, 4):
                    run.log({"val/nme": level + LUCK[seed] + 1 / step, "train/loss": 1 / step}, step=step, epoch=step)
                run.log({"test/nme": level + LUCK[seed] * 1.1 + 0.01 * seed * (arm == "clip")}, step=3, epoch=3)


@pytest.fixture(scope="module")
def runs_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("runs")
    write_runs(root / "many", 8, mlp=4.0, clip=4.5)
    write_runs(root / "few", 5, mlp=4.0, clip=9.0)
    return root


@pytest.fixture(scope="module")
def server(runs_dir: Path) -> Iterator[harness.Server]:
    with harness.serve("--runs_dir", str(runs_dir), "--lang", "en") as running:
        yield running


@pytest.fixture(scope="module")
def call(server: harness.Server) -> Iterator[Callable[..., dict[str, Any]]]:
    client = Client(server.url, verbose=False, httpx_kwargs={"timeout": 60})
    yield lambda **asked: client.predict(api_name="/compare_runs", **asked)
    client.close()


def test_the_verdict_is_that_of_the_command_line(call: Callable[..., Any], runs_dir: Path) -> None:
    answer = call(folder="many", group_by="pose_encoder", metric="test/nme", duplicates="latest")
    (one,) = answer["comparisons"]
    assert (one["verdict"], one["arm"], one["baseline"], one["pairs"]) == ("worse", "clip", "mlp", 8)

    command = [sys.executable, "-m", "core", "runs", "compare", str(runs_dir / "many"), "--group_by", "pose_encoder"]
    printed = subprocess.run(
        [*command, "--metric", "test/nme", "--json", "--no_cache"],
        cwd=harness.REPO_DIR, capture_output=True, text=True, check=True,
    )  # fmt: skip
    told = json.loads(printed.stdout)
    assert answer == {"folder": "many", **told, "problems": []}
    assert told["problems"] == []


def test_nothing_given_is_chosen_as_the_page_chooses(call: Callable[..., Any]) -> None:
    answer = call(folder="many")
    assert (answer["metric"], answer["group_by"]) == ("test/nme", ["pose_encoder"])


def test_five_pairs_are_refused_with_the_reason(call: Callable[..., Any]) -> None:
    (one,) = call(folder="few")["comparisons"]
    assert one["verdict"] == "refused"
    assert "at least 6" in one["reason"]
    assert one["p_value"] is None


def test_logs_sent_along_are_judged_and_forgotten(call: Callable[..., Any], tmp_path: Path) -> None:
    write_runs(tmp_path / "mine", 6, a=1.0, b=3.0)
    (tmp_path / "mine" / "a-0" / "notes.txt").write_text("not a log")
    with zipfile.ZipFile(tmp_path / "mine.zip", "w") as archive:
        for file in (tmp_path / "mine").rglob("*.*"):
            archive.write(file, file.relative_to(tmp_path))
        archive.writestr("../../escape.csv", "step,loss\n1,2\n")
    answer = call(files=[handle_file(tmp_path / "mine.zip")], baseline="b")
    (one,) = answer["comparisons"]
    assert (one["arm"], one["baseline"], one["verdict"]) == ("a", "b", "better")
    assert any("leads out" in problem["reason"] for problem in answer["problems"])
    with pytest.raises(AppError, match="no such folder"):
        call(folder="mine")


def test_a_pack_sent_along_is_judged_as_the_folder_that_it_was_made_of(
    call: Callable[..., Any], runs_dir: Path, tmp_path: Path
) -> None:
    pack_runs(runs_dir / "many", tmp_path / "handed on.runs.zip")
    answer = call(files=[handle_file(tmp_path / "handed on.runs.zip")])
    assert answer == {**call(folder="many"), "folder": ""}


def test_a_zip_bomb_is_refused_by_its_size_and_not_unpacked(call: Callable[..., Any], tmp_path: Path) -> None:
    with (
        zipfile.ZipFile(tmp_path / "bomb.zip", "w", zipfile.ZIP_DEFLATED) as archive,
        archive.open("bomb.csv", "w", force_zip64=True) as member,
    ):
        for _ in range(300):
            member.write(bytes(2**20))
    with pytest.raises(AppError, match="more than 256 MB"):
        call(files=[handle_file(tmp_path / "bomb.zip")])


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"folder": "/etc"}, "no such folder"),
        ({"folder": "../.."}, "no such folder"),
        ({"folder": "many", "metric": "test/gone"}, "Metrics: "),
        ({"folder": "many", "group_by": "color"}, "config has this key"),
        ({"folder": "many", "direction": "up"}, "auto, min or max"),
        ({"folder": "many", "at": "-1"}, "best, last or a step"),
        ({"folder": "many", "baseline": "cnn"}, "cnn"),
        ({"folder": "many", "duplicates": "newest"}, "the latest, the first"),
    ],
)
def test_what_makes_no_sense_is_answered_in_words(
    call: Callable[..., Any], asked: dict[str, str], message: str
) -> None:
    with pytest.raises(AppError, match=message) as caught:
        call(**asked)
    assert "Traceback" not in str(caught.value)


def test_only_the_named_endpoint_is_offered(server: harness.Server) -> None:
    client = Client(server.url, verbose=False, httpx_kwargs={"timeout": 60})
    offered = client.view_api(return_format="dict")["named_endpoints"]
    client.close()
    assert "/compare_runs" in offered
    assert not {name for name in offered if name.strip("/") in ("opened", "looked", "judged", "drawn", "take", "write")}
