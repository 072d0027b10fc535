"""Who writes a run, and whether it still does.

A run folder's `status` is one word; `process.json` says which process wrote it. A run that says `running` is running
only while that process is alive: same process id **and** same start time, since ids are given out again. On another
machine, or in another container, it cannot be looked up; there the `status` file's time stamp is the heartbeat.
"""

from __future__ import annotations

import os
import platform
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..messages import NOTHING, Message, english
from .series import STATUSES
from .words import Says

HEARTBEAT_S = 20.0
SILENT_AFTER_S = 300.0  # fifteen missed heartbeats
START_TOLERANCE_S = 5.0  # start times shift by this much when a clock is set


def this_process() -> dict[str, Any]:
    """What identifies the calling process, as JSON values."""
    import psutil

    return {
        "pid": os.getpid(),
        "process_started_unix_s": psutil.Process().create_time(),
        "host": platform.node(),
        "pid_namespace": _pid_namespace(),
    }


def _pid_namespace() -> int | None:
    """On Linux, the container's own numbering of processes; None where there is no such thing."""
    try:
        return Path("/proc/self/ns/pid").stat().st_ino
    except OSError:
        return None


def is_alive(process: Mapping[str, Any]) -> bool | None:
    """Whether the process of a `process.json` lives; None if that cannot be told from here."""
    import psutil

    pid, started = process.get("pid"), process.get("process_started_unix_s")
    if process.get("host") != platform.node() or process.get("pid_namespace") != _pid_namespace():
        return None
    if not isinstance(pid, int) or isinstance(pid, bool) or not isinstance(started, (int, float)) or pid <= 0:
        return None
    try:
        found = psutil.Process(pid)
        same = abs(found.create_time() - started) <= START_TOLERANCE_S
        return same and found.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
    except (psutil.Error, OverflowError):
        return None


def recorded_status(
    word: str | None, process: Mapping[str, Any] | None, last_sign_unix_s: float, *, is_here: bool = True
) -> tuple[str, Message]:
    """The true status of a run and, where it is not simply the recorded word, why.

    Args:
        word: what `status` says; None without one.
        process: what `process.json` says; None without one.
        last_sign_unix_s: when anything of the run was last written.
        is_here: whether the process can be one of this machine, as that of a run in a pack cannot.
    """
    if word is None:
        return "unknown", NOTHING
    if word not in STATUSES:
        return "unknown", Says.status_unknown(names=", ".join(STATUSES))
    error = str((process or {}).get("error") or "")
    if word != "running":
        return word, Says.ended_with(error=english(error)) if error and word != "finished" else NOTHING
    alive = is_alive(process) if process and is_here else None
    if alive is False:
        return "killed", Says.process_gone()
    silent_s = time.time() - last_sign_unix_s
    if alive is None and silent_s > SILENT_AFTER_S:
        return "killed", Says.silent(minutes=silent_s / 60)
    return "running", NOTHING
