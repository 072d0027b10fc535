"""The library in other people's projects: the wheel is called `clip_workbench`, and their own `core` stays theirs."""

from __future__ import annotations

import shutil
import subprocess
import sys
import sysconfig
import venv
import zipfile
from pathlib import Path

import pytest

REPO_DIR = Path(__file__).resolve().parent.parent
PHOTOS = REPO_DIR / "webapp" / "examples"
SCRIPT = """
import sys
from pathlib import Path

import core
import clip_workbench
from clip_workbench import ModelManager, Settings, VectorizeRequest, WorkbenchError, find_images, vectorize_all
from clip_workbench.runs import RunRecorder

assert core.WHOSE == "the project's own"
assert "site-packages" in clip_workbench.__file__
for name in clip_workbench.__all__:
    getattr(clip_workbench, name)
assert [name for name in sys.modules if name.startswith("core.")] == [], "nothing of ours is called core there"

settings = Settings()
assert "site-packages" not in str(settings.weights_dir) and "site-packages" not in str(settings.runs_dir)
sources = find_images(Path(sys.argv[1])).sources[:2]
table = vectorize_all(sources, VectorizeRequest(("efficientnet_lite0",)), ModelManager(settings))
assert table.vectors_ND.shape == (2, 1280)
try:
    vectorize_all([], VectorizeRequest(("nonsense",)), ModelManager(settings))
except WorkbenchError as error:
    assert "python -m clip_workbench models list" in str(error), error
print("fine")
"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built from the sources as they are. No network: what builds it is in this environment."""
    folder = tmp_path_factory.mktemp("wheel")
    copy = folder / "source"
    copy.mkdir()
    for name in ("pyproject.toml", "setup.py", "requirements.txt", "README.md", "LICENSE"):
        shutil.copy(REPO_DIR / name, copy)
    shutil.copytree(REPO_DIR / "core", copy / "core", ignore=shutil.ignore_patterns("__pycache__"))
    build = [
        sys.executable,
        "-m",
        "pip",
        "wheel",
        "--quiet",
        "--no-deps",
        "--no-build-isolation",
        "-w",
        str(folder),
        ".",
    ]
    done = subprocess.run(build, cwd=copy, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-3000:]
    (built,) = folder.glob("clip_workbench-*.whl")
    return built


@pytest.fixture(scope="module")
def project(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A project with a `core` of its own and an environment with the wheel in it: (its folder, its Python)."""
    folder = tmp_path_factory.mktemp("project")
    (folder / "core").mkdir()
    (folder / "core" / "__init__.py").write_text('WHOSE = "the project\'s own"\n')
    venv.create(folder / "env", with_pip=True)
    python = folder / "env" / ("Scripts" if sys.platform == "win32" else "bin") / "python"
    subprocess.run([str(python), "-m", "pip", "install", "--quiet", "--no-deps", str(wheel)], check=True)
    # The parts it stands on are those of this environment: to install them again would take gigabytes.
    site = sysconfig.get_path("purelib", vars={"base": str(folder / "env"), "platbase": str(folder / "env")})
    (Path(site) / "parts.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return folder, python


def test_the_wheel_holds_the_library_alone(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    tops = {name.split("/")[0] for name in names}
    assert {top for top in tops if not top.endswith(".dist-info")} == {"clip_workbench"}
    ours = {file.relative_to(REPO_DIR / "core").as_posix() for file in (REPO_DIR / "core").rglob("*.py")}
    assert {f"clip_workbench/{name}" for name in ours} <= set(names)


def test_its_public_names_work_beside_a_foreign_core(project: tuple[Path, Path]) -> None:
    folder, python = project
    done = subprocess.run([str(python), "-c", SCRIPT, str(PHOTOS)], cwd=folder, capture_output=True, text=True)
    assert done.stdout.strip() == "fine", done.stdout + done.stderr


def test_its_command_line_works_beside_a_foreign_core(project: tuple[Path, Path]) -> None:
    folder, python = project
    command = [str(python), "-m", "clip_workbench", "pose", "describe", "--yaw", "45", "--pitch", "10", "--roll", "-5"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    assert done.stdout.strip() == "right profile view, level gaze, upright", done.stderr
    help_text = subprocess.run(
        [str(python), "-m", "clip_workbench", "--help"], cwd=folder, capture_output=True, text=True
    )
    assert "python -m clip_workbench" in help_text.stdout and all(
        name in help_text.stdout for name in ("vectorize", "models", "foreground", "pose", "runs")
    )
