"""What the READMEs tell people to type works: Python blocks run, commands know their flags, links lead somewhere."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import typer

from core.cli.app import app
from webapp.__main__ import _parser

REPO_DIR = Path(__file__).resolve().parents[1]
PAGES = [
    REPO_DIR / name
    for name in ("README.md", "experiments/README.md", "weights/README.md")
    if (REPO_DIR / name).is_file()
]


def blocks(language: str) -> list[str]:
    """The fenced blocks of one language, of all pages."""
    return [
        block
        for page in PAGES
        for block in re.findall(rf"^```{language}\n(.*?)^```", page.read_text(encoding="utf-8"), re.M | re.S)
    ]


def commands() -> list[list[str]]:
    """Every `python -m …` line of the shell blocks, as words; continued lines joined, comments left out."""
    lines = [line for block in blocks("bash") for line in block.replace("\\\n", " ").splitlines()]
    found = [shlex.split(line, comments=True) for line in lines]
    return [words[words.index("-m") + 1 :] for words in found if "-m" in words]


def known_flags(words: list[str]) -> set[str]:
    """The flags of the command that these words call, with `_` for `-`; fails where there is no such command."""
    module = words[0]
    if module == "webapp":
        flags = {flag for action in _parser()._actions for flag in action.option_strings}
    elif module == "core":
        command = typer.main.get_command(app)
        context = typer.Context(command)
        for word in words[1:]:
            if word.startswith("-") or not hasattr(command, "get_command"):
                break
            inner = command.get_command(context, word)
            if inner is None:  # an argument of a group that is a command too
                break
            command = inner
        assert command.name != app.info.name, words
        flags = {flag for parameter in command.params for flag in parameter.opts} | {"--help"}
    else:
        source = (REPO_DIR / (module.replace(".", "/") + ".py")).read_text(encoding="utf-8")
        flags = {f"--{name}" for name in re.findall(r'"(?:--)?([a-z][a-z_0-9]*)"', source)} | {"--help"}
    return {flag.replace("-", "_") for flag in flags}


def test_there_is_something_to_check() -> None:
    assert len(commands()) >= 10 and len(blocks("python")) >= 2


@pytest.mark.parametrize("words", commands(), ids=lambda words: " ".join(words)[:60])
def test_a_command_of_the_pages_knows_its_flags(words: list[str]) -> None:
    named = {word.split("=")[0].replace("-", "_") for word in words if word.startswith("--")}
    assert named <= known_flags(words)


def test_a_flag_that_does_not_exist_is_found() -> None:
    assert "__no_such" not in known_flags(["core", "vectorize"])
    assert "__image_path" in known_flags(["core", "vectorize"])
    assert "__group_by" in known_flags(["core", "runs", "compare", "runs/"])


@pytest.mark.parametrize("code", blocks("python"), ids=lambda code: code.strip().splitlines()[-1][:40])
def test_a_python_block_of_the_pages_runs(code: str, tmp_path: Path) -> None:
    """In an empty folder with a folder `photos`, as a reader would have."""
    (tmp_path / "photos").mkdir()
    for name in ("cat.jpg", "coffee.jpg"):
        shutil.copy(REPO_DIR / "webapp" / "examples" / name, tmp_path / "photos")
    ended = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env={"PYTHONPATH": str(REPO_DIR), "PATH": "", "HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(REPO_DIR)))
def test_links_lead_to_files(page: Path) -> None:
    targets = re.findall(r"\]\((?!https?:|#)([^)#\s]+)", page.read_text(encoding="utf-8"))
    assert [target for target in targets if not (page.parent / target).exists()] == []
