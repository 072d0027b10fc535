"""`python -m core vectorize`: the note's command line, flag for flag."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from core.cli import vectorize as command
from core.cli.app import run
from core.models import weights
from core.vectorize import store
from tests.vectorize.conftest import photo


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    folder = tmp_path / "photos"
    (folder / "sub").mkdir(parents=True)
    for number in range(5):
        Image.fromarray(photo(number)).save(folder / f"{number}.jpg")
    Image.fromarray(photo(9)).save(folder / "sub" / "9.png")
    (folder / "empty.png").write_bytes(b"")
    (folder / "text.jpg").write_bytes(b"this is not an image")
    (folder / "notes.txt").write_text("hello")
    return folder


@pytest.fixture
def vectorize(tiny_weights, capsys):
    """Runs the command with the tiny models; returns (status, stdout, stderr)."""

    def call(*words: object, models: str | None = "custom_tiny") -> tuple[int, str, str]:
        flags = ["--weights_dir", tiny_weights, "--device", "cpu"] + (["--models", models] if models else [])
        status = run(["vectorize", *map(str, words), *map(str, flags)])
        shown = capsys.readouterr()
        assert "Traceback" not in shown.err
        return status, shown.out, shown.err

    return call


@pytest.mark.parametrize(("has_bf16", "place"), [(True, "cpu, bf16"), (False, "cpu, fp32")])
def test_a_folder_becomes_vectors_and_every_reject_is_named_with_its_reason(
    vectorize, photos, tmp_path, monkeypatch, has_bf16, place
):
    monkeypatch.setattr("core.models.device.cpu_has_bf16", lambda: has_bf16)
    output = tmp_path / "out" / "vectors.npz"
    status, out, err = vectorize("--image_path", photos, "--output", output, "--batch_size", 2)
    assert status == 0
    table = store.read(output)
    assert table.ids == tuple(f"{number}.jpg" for number in range(5)) and table.dim == 24
    for words in ("empty.png", "The file is empty.", "text.jpg", "This is not an image", "notes.txt", "sub/"):
        assert words in out
    for words in ("custom_tiny", "dimension    24", "Total dimension     24", "1.00×", place, "first ten", "std"):
        assert words in out
    assert str(output) in err and not output.with_name("vectors.npz.partial").exists()


def test_without_output_only_the_report(vectorize, photos, tmp_path):
    before = sorted(tmp_path.rglob("*"))
    status, out, _ = vectorize("--image_path", photos)
    assert status == 0 and "Total dimension" in out and sorted(tmp_path.rglob("*")) == before


def test_the_notes_flags_an_ensemble_on_one_image(vectorize, photos):
    status, out, _ = vectorize(
        "--image_path",
        photos / "3.jpg",
        "--batch_size",
        "16",
        "--json",
        models="custom_tiny,custom_tiny_wide,efficientnet_lite0",
    )
    facts = json.loads(out)
    assert status == 0 and facts["dim"] == 24 + 40 + 1280 and facts["images"] == 1 and facts["rejects"] == []
    assert [model["columns"] for model in facts["models"]] == [[0, 24], [24, 64], [64, 1344]]
    assert facts["relative_compute"] > 1 and len(facts["image"]["first_ten"]) == 10
    assert facts["image"]["id"] == "3.jpg" and facts["image"]["shape"] == [1344]


def test_recursive_normalize_dtype_and_hyphens(vectorize, photos, tmp_path):
    output = tmp_path / "v.parquet"
    status, out, _ = vectorize(
        "--image-path", photos, "--recursive", "--normalize", "--dtype", "bf16", "--output", output, "--batch-size", 3,
        "--json", models="custom_tiny, custom_tiny_wide",
    )  # fmt: skip
    table = store.read(output)
    assert status == 0 and "sub/9.png" in table.ids and len(table.ids) == 6
    for member in table.members:
        lengths = np.linalg.norm(table.vectors_ND[:, member.start : member.stop], axis=1)
        np.testing.assert_allclose(lengths, 1, atol=1e-5)
        assert member.dtype == "bf16"
    assert json.loads(out)["normalized"] is True


@pytest.mark.parametrize("suffix", store.SUFFIXES)
def test_every_output_format(vectorize, photos, tmp_path, suffix):
    status, _, _ = vectorize("--image_path", photos, "--output", tmp_path / f"v{suffix}")
    table = store.read(tmp_path / f"v{suffix}")
    assert status == 0 and len(table.ids) == 5
    assert [reject.id for reject in table.rejects] == ["empty.png", "text.jpg"]
    assert table.passport["members"][0]["model_id"] == "custom_tiny"


def test_the_default_is_the_built_in_clip_where_it_is_and_the_classic_model_elsewhere(
    vectorize, photos, tiny_weights, monkeypatch, tmp_path
):
    status, out, _ = vectorize("--image_path", photos / "1.jpg", "--json", models=None)
    assert status == 0 and json.loads(out)["models"][0]["id"] == command.default_model(tiny_weights)
    assert command.default_model(tmp_path) == "efficientnet_lite0"
    located = weights.locate

    def here(spec, weights_dir):
        return Path("demo") if spec.id == "demo_clip" else located(spec, weights_dir)

    monkeypatch.setattr(weights, "locate", here)
    assert command.default_model(tmp_path) == "demo_clip"


def test_nothing_usable_is_status_one_with_the_reasons(vectorize, photos, tmp_path):
    output = tmp_path / "v.npz"
    status, out, err = vectorize("--image_path", photos / "empty.png", "--output", output)
    assert status == 1 and "The file is empty." in out and "No image could be used" in err
    assert not output.exists() and not output.with_name("v.npz.partial").exists()


@pytest.mark.parametrize(
    ("words", "models", "status", "told"),
    [
        (["--output", "v.txt"], "custom_tiny", 2, "names no format"),
        (["--dtype", "fp8"], "custom_tiny", 2, "Unknown dtype"),
        (["--device", "tpu"], "custom_tiny", 2, "tpu"),
        (["--device", "cuda:99"], "custom_tiny", 2, "cuda:99"),
        (["--batch_size", "0"], "custom_tiny", 2, "batch size"),
        ([], "custom_tiny,custom_tiny", 2, "once"),
        ([], "custom_tinny", 2, "custom_tiny"),
        ([], "open_clip_vit_b32_laion2b", 1, "python -m core models fetch open_clip_vit_b32_laion2b"),
        ([], ",", 2, "No model was chosen"),
        (["--image_path", "/no/such/folder"], "custom_tiny", 2, "no such file"),
    ],
)
def test_what_cannot_be_is_told_before_any_work(
    photos, tiny_weights, capsys, tmp_path, monkeypatch, words, models, status, told
):
    monkeypatch.chdir(tmp_path)
    flags = ["--image_path", str(photos), "--weights_dir", str(tiny_weights), "--models", models]
    assert run(["vectorize", *flags, *words]) == status
    shown = capsys.readouterr()
    assert told in shown.err and "Traceback" not in shown.err and shown.out == ""
    assert not (tmp_path / "v.txt").exists()


def test_a_folder_without_images_says_what_is_there(vectorize, tmp_path):
    (tmp_path / "only.txt").write_text("hello")
    status, out, err = vectorize("--image_path", tmp_path)
    assert status == 2 and out == "" and "no image" in err and "only.txt" in err


def test_the_real_command_keeps_stdout_for_the_report(photos, tmp_path):
    """As a user types it, with the model that is always there."""
    words = [
        "vectorize",
        "--image_path",
        photos,
        "--models",
        "efficientnet_lite0",
        "--output",
        tmp_path / "v.csv",
        "--json",
    ]
    words += ["--weights_dir", tmp_path]
    done = subprocess.run([sys.executable, "-m", "core", *map(str, words)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    facts = json.loads(done.stdout)
    assert facts["dim"] == 1280 and facts["images"] == 5 and len(facts["rejects"]) == 2
    assert "Written" in done.stderr and "Traceback" not in done.stderr
    assert store.read(tmp_path / "v.csv").vectors_ND.shape == (5, 1280)


def test_a_foreign_output_is_refused_before_any_work_and_replaced_when_asked(vectorize, photos, tmp_path, monkeypatch):
    output = tmp_path / "notes.npz"
    output.write_bytes(b"mine")
    with monkeypatch.context() as patch:
        patch.setattr(command, "_run", lambda *_: pytest.fail("work was done"))
        status, _, err = vectorize("--image_path", photos, "--output", output)
    assert status == 2 and "did not write" in err and "--overwrite" in err and output.read_bytes() == b"mine"
    assert vectorize("--image_path", photos, "--output", output, "--overwrite")[0] == 0
    assert len(store.read(output).ids) == 5
    assert vectorize("--image_path", photos, "--output", output)[0] == 0, "one of ours is replaced unasked"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["notes.npz", "photos"]


def test_many_rejects_are_counted_the_first_named_and_all_in_the_json(vectorize, photos):
    for number in range(30):
        (photos / f"bad{number:02d}.png").write_bytes(b"")
    _, out, _ = vectorize("--image_path", photos)
    rejects = out[out.index("Rejects (") :].split("\n\n")[0].splitlines()
    assert len(rejects) == 1 + 20 + 1 and rejects[0] == "Rejects (32)" and "12 more" in rejects[-1]
    _, out, _ = vectorize("--image_path", photos, "--json")
    assert len(json.loads(out)["rejects"]) == 32
