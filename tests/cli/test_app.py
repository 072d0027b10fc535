"""`core.cli.app` and `import core`: flags with `_` or `-`, errors in words, nothing heavy before it is needed."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys

import pytest
import typer

import core
from core.cli import app as root
from core.errors import InputError, StoreError
from core.settings import REPO_DIR


def test_importing_core_and_the_command_line_costs_no_torch():
    script = (
        "import sys, core, core.cli.app\n"
        "assert core.VectorizeRequest(('a',)).batch_size == 32 and core.decode and core.read_vectors\n"
        "root = core.cli.app.app\n"
        "import core.cli.vectorize, core.cli.models\n"
        "heavy = ('torch', 'torchvision', 'open_clip', 'gradio', 'plotly', 'pandas', 'pyarrow', 'lancedb')\n"
        "print([name for name in heavy if name in sys.modules])\n"
    )
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"


def test_every_public_name_is_there():
    for name in core.__all__:
        assert getattr(core, name) is not None
    assert set(core.__all__) <= set(dir(core))
    with pytest.raises(AttributeError):
        _ = core.no_such_name


def test_help_names_every_command(capsys):
    assert root.run(["--help"]) == 0
    shown = capsys.readouterr().out
    for name in ("vectorize", "models"):
        assert name in shown


@pytest.mark.parametrize("flag", ["--weights_dir", "--weights-dir"])
def test_underscored_and_hyphenated_flags_are_the_same(capsys, tmp_path, flag):
    assert root.run(["models", "list", flag, str(tmp_path), "--json"]) == 0
    assert "efficientnet_lite0" in capsys.readouterr().out


@pytest.mark.parametrize("words", [["--bogus"], ["nonsense"], ["vectorize"], ["vectorize", "--batch_size", "many"]])
def test_wrong_usage_is_two_and_no_traceback(capsys, words):
    assert root.run(words) == 2
    shown = capsys.readouterr()
    assert "Traceback" not in shown.err and shown.out == "" and "Error" in shown.err


@pytest.mark.parametrize(
    ("error", "status", "words"),
    [
        (InputError("The mask is empty.", where="a.png", next_step="Draw one."), 2, "The mask is empty. [a.png] Next:"),
        (StoreError("The disk is full."), 1, "Error: The disk is full."),
        (ZeroDivisionError("by zero"), 1, "ZeroDivisionError: by zero"),
        (KeyboardInterrupt(), 130, "Interrupted."),
    ],
)
def test_errors_are_words_and_a_status(capsys, monkeypatch, error, status, words):
    def fail(*_arguments, **_options):
        raise error

    monkeypatch.setattr(typer.Typer, "__call__", fail)
    assert root.run([]) == status
    shown = capsys.readouterr()
    assert words in shown.err and "Traceback" not in shown.err and shown.out == ""
    if status in (1, 2):
        monkeypatch.setenv("CLIP_WORKBENCH_DEBUG", "1")
        with pytest.raises(type(error)):
            root.run([])


def test_under_another_name_it_calls_itself_by_that_name(tmp_path):
    """The wheel installs the package as `clip_workbench`; a project with a `core` of its own uses it beside that."""
    shutil.copytree(REPO_DIR / "core", tmp_path / "clip_workbench")
    (tmp_path / "core").mkdir()
    (tmp_path / "core" / "__init__.py").write_text("raise RuntimeError('another project')")
    command = [sys.executable, "-m", "clip_workbench", "models", "list", "--json"]
    listed = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True, env=_home(tmp_path))
    rows = {row["id"]: row for row in json.loads(listed.stdout)}
    assert rows["resnet50"]["command"] == "python -m clip_workbench models fetch resnet50"
    script = (
        "from clip_workbench import Settings; print(Settings().weights_dir)\n"
        "from clip_workbench.models.weights import family_module; from clip_workbench.models.catalogue import find\n"
        "print(family_module(find('resnet50', Settings().weights_dir)).__name__)"
    )
    run = subprocess.run(
        [sys.executable, "-c", script], cwd=tmp_path, capture_output=True, text=True, check=True, env=_home(tmp_path)
    )
    assert run.stdout.split() == [f"{tmp_path}/.clip-workbench/weights", "clip_workbench.models.torchvision"]


def _home(place):
    return {**os.environ, "HOME": str(place)}
