"""What a result depends on beside its config: when, at which commit, with which versions, on which device."""

from __future__ import annotations

import contextlib
import os
import platform
import sys
import time
from importlib import metadata
from pathlib import Path
from typing import Any

PACKAGES = (
    *("torch", "torchvision", "open_clip_torch", "clip-anytorch", "timm", "lightning", "lightning-fabric"),
    *("pytorch-metric-learning", "numpy", "scipy", "pillow"),
)


def describe_environment(code_dir: Path | None = None) -> dict[str, Any]:
    """What a run's `environment.json` says. Imports nothing heavy.

    GPUs are named if torch has been imported by whoever trains.
    """
    versions = {}
    for package in PACKAGES:
        with contextlib.suppress(metadata.PackageNotFoundError):
            versions[package] = metadata.version(package)
    return {
        "started_unix_s": round(time.time(), 3),
        "commit": read_commit(code_dir),
        "python": platform.python_version(),
        "platform": platform.platform(),
        "versions": versions,
        "device": {"cpu": _cpu_name(), "cores": os.cpu_count(), "gpus": _gpu_names()},
    }


def read_commit(start: Path | None = None) -> str | None:
    """The commit checked out around `start` (default: the working folder, then the script's), or None.

    Reads `.git` itself, worktrees and packed refs included; git need not be installed.
    """
    starts = [start] if start is not None else [Path.cwd(), Path(sys.argv[0] or ".").resolve().parent]
    for folder in starts:
        for candidate in (folder.resolve(), *folder.resolve().parents):
            if (candidate / ".git").exists():
                return _head_of(candidate / ".git")
    return None


def _head_of(git: Path) -> str | None:
    try:
        if git.is_file():  # a worktree or submodule points elsewhere
            git = (git.parent / git.read_text().partition("gitdir:")[2].strip()).resolve()
        head = (git / "HEAD").read_text().strip()
        if not head.startswith("ref:"):
            return head or None
        reference = head.partition("ref:")[2].strip()
        common = git
        if (git / "commondir").exists():
            common = (git / (git / "commondir").read_text().strip()).resolve()
        for base in (git, common):
            if (base / reference).is_file():
                return (base / reference).read_text().strip()
        for line in (common / "packed-refs").read_text().splitlines():
            commit, _, name = line.partition(" ")
            if name == reference:
                return commit
    except OSError:
        pass
    return None


def _cpu_name() -> str:
    with contextlib.suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def _gpu_names() -> list[str]:
    torch = sys.modules.get("torch")
    if torch is None or not torch.cuda.is_available():
        return []
    return [torch.cuda.get_device_name(index) for index in range(torch.cuda.device_count())]
