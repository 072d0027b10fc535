"""Files that are whole or not there, and work that only one does at a time."""

from __future__ import annotations

import multiprocessing
import threading
import time
from pathlib import Path

from core.files import only_one


def _adds_one(counter: Path) -> None:
    with only_one(counter):
        value = int(counter.read_text())
        time.sleep(0.002)  # whoever works beside this one reads the same value
        counter.write_text(str(value + 1))


def _adds_ten(counter: Path) -> None:
    for _ in range(10):
        _adds_one(counter)


def test_threads_and_processes_work_one_at_a_time(tmp_path: Path) -> None:
    """A lock that goes with its holder must not let in two: one on the old file without a name, one on a new file."""
    counter = tmp_path / "counter"
    counter.write_text("0")
    context = multiprocessing.get_context("fork")
    workers = [threading.Thread(target=_adds_ten, args=(counter,)) for _ in range(4)]
    workers += [context.Process(target=_adds_ten, args=(counter,)) for _ in range(2)]  # type: ignore[list-item]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(60)
    assert counter.read_text() == "60"
    assert [path.name for path in tmp_path.iterdir()] == ["counter"], "the lock is gone"


def test_who_does_not_wait_is_told_at_once(tmp_path: Path) -> None:
    with only_one(tmp_path / "work") as first, only_one(tmp_path / "work", wait=False) as second:
        assert first and not second
    with only_one(tmp_path / "work", wait=False) as again:
        assert again
