"""What a training writes.

    with RunRecorder("runs", "adam-seed0", {"optimizer": "adam", "seed": 0, "lr": 1e-3}) as run:
        for step, batch in enumerate(batches):
            run.log(step=step, epoch=0, **{"train/loss": loss})
            ...
        run.log({"val/acc": accuracy}, step=step, epoch=0)

makes the folder `runs/adam-seed0`:

* `config.json`: flat, with a `seed`.
* `metrics.jsonl`: one JSON object a line: `step`, `epoch`, `time` (seconds of training, downtime before a resume left
  out), then the metrics. NaN and infinities are written as Python's `json` does (`NaN`, `Infinity`).
* `environment.json`: when it started, the code's commit, versions, device.
* `status`: one word: running, finished, failed, killed. `process.json`: which process that was.

**What a crash costs.** Every row is one `write` to a file opened for appending: no buffer of ours holds it back, so a
killed process loses nothing and a reader sees the row at once. That is cheap (a few microseconds, 20 are promised)
because the operating system buffers; only if the machine itself goes down may the last seconds be lost, and the last
line torn. `flush()` forces everything to the disk; `close()` does so too.

**Several processes.** One process writes a run. In distributed training all ranks may make a recorder with the same
arguments: rank 0 writes, in all others `log` does nothing (`active` is False). The rank is the argument, or the
variable `RANK` that torchrun sets. Two unrelated processes cannot write one run: the second is refused. Workers forked
from the writer may log too; appended lines do not tear each other, and only the writer ends the run.

**Resuming.** `resume=True` takes up a run that ended, at whatever step is logged next: rows that the earlier attempt
had written at that step and beyond are superseded when read.
"""

from __future__ import annotations

import contextlib
import json
import os
import threading
import time
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from types import TracebackType
from typing import Any

from ..errors import InputError, WorkbenchError
from ..files import only_one, write
from ..messages import reason_of
from .environment import describe_environment
from .formats.columns import RESUMED_KEY
from .process import HEARTBEAT_S, recorded_status, this_process
from .words import Says

ENDINGS = ("finished", "failed", "killed")


class RunRecorder:
    """Writes one run; a context manager. See the module.

    Args:
        root: the folder of runs; made if missing.
        name: the run's folder under it; may contain `/`, may not lead out.
        config: what distinguishes this run; must have `seed`. Nested mappings are flattened with `.`.
        resume: go on where a run of this name ended; without one, start it.
        rank: of this process in distributed training; default: the variable `RANK`, else 0.
        code_dir: where to look for the commit; default: the working folder, then the script's.

    Raises:
        InputError: a bad name, a config without seed, a run of this name that exists (without `resume`) or is being
            written by another process.
    """

    def __init__(
        self,
        root: Path | str,
        name: str,
        config: Mapping[str, Any],
        *,
        resume: bool = False,
        rank: int | None = None,
        code_dir: Path | None = None,
    ) -> None:
        flat_config = _flat(config)
        if "seed" not in flat_config:
            raise InputError(Says.config_no_seed(), where=name, next_step=Says.add_seed())
        self.folder = _folder_of(Path(root), name)
        self.active = (int(os.environ.get("RANK", "0")) if rank is None else rank) == 0
        self._closed = not self.active
        self._owner = os.getpid()
        self._descriptor = -1
        self._holds = contextlib.ExitStack()  # the run's lock
        if self.active:
            self._open(flat_config, resume, code_dir)

    # ------------------------------------------------------------------------------------------------------- writing

    def log(
        self, values: Mapping[str, Any] | None = None, *, step: int, epoch: float | None = None, **metrics: Any
    ) -> None:
        """Writes one row.

        Args:
            values: metric name → number; names may contain `/`, as in `train/loss`.
            step: training steps so far; the next row may repeat it, and the later value counts.
            epoch: the epoch, whole or not.
            metrics: more metrics, where a keyword can name them.

        Numbers are anything that `float` takes: Python's, numpy's, one-element tensors (on a GPU that waits for it).

        Raises:
            InputError: a value that is no number, or the run is closed.
            WorkbenchError: the disk does not take it.
        """
        if self._closed:
            if not self.active:
                return
            raise InputError(Says.run_closed(), where=str(self.folder), next_step=Says.log_before_end())
        row: dict[str, Any] = {"step": step if type(step) is int else int(step)}
        if epoch is not None:
            row["epoch"] = epoch if type(epoch) in (int, float) else float(epoch)
        row["time"] = round(time.perf_counter() - self._zero, 4)
        if values:
            row.update(values)
        if metrics:
            row.update(metrics)
        for name, value in row.items():
            if type(value) is not float and type(value) is not int:
                row[name] = _number(name, value)
        self._append(json.dumps(row).encode() + b"\n")

    def flush(self) -> None:
        """Forces what was logged to the disk: after this even a power cut loses nothing."""
        if self._descriptor >= 0:
            os.fsync(self._descriptor)

    def close(self, status: str = "finished", error: str = "") -> None:
        """Ends the run as `finished`, `failed` or `killed`. Closing twice, or in a forked child, does nothing."""
        assert status in ENDINGS, status
        if self._closed or os.getpid() != self._owner:
            return
        self._closed = True
        self._stop_beating.set()
        self._heart.join(timeout=5.0)
        with contextlib.suppress(OSError):  # the disk may be what went wrong
            self.flush()
        os.close(self._descriptor)
        self._descriptor = -1
        with self._holds:
            if error:
                self._process["error"] = error
                _write_json(self.folder / "process.json", self._process)
            write(self.folder / "status", f"{status}\n")

    def __enter__(self) -> RunRecorder:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _traceback: TracebackType | None
    ) -> None:
        if error is None or (isinstance(error, SystemExit) and error.code in (0, None)):
            self.close("finished")
        elif isinstance(error, KeyboardInterrupt):
            self.close("killed", "KeyboardInterrupt")
        else:
            self.close("failed", f"{type(error).__name__}: {error}"[:2_000])

    # ------------------------------------------------------------------------------------------------------- opening

    def _open(self, config: dict[str, Any], resume: bool, code_dir: Path | None) -> None:
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            path = self.folder / "metrics.jsonl"
            self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o666)
        except OSError as error:
            raise InputError(
                Says.run_unwritable(error=reason_of(error)),
                where=str(self.folder),
                next_step=Says.give_writable_folder(),
            ) from None
        try:
            self._claim(resume)
            before_s = self._take_up() if os.fstat(self._descriptor).st_size else 0.0
            self._zero = time.perf_counter() - before_s
            self._process = {**this_process(), **_config_changes(self.folder / "config.json", config)}
            _write_json(self.folder / "process.json", self._process)
            write(self.folder / "status", "running\n")
            _write_json(self.folder / "config.json", config)
            if not (self.folder / "environment.json").exists():
                _write_json(self.folder / "environment.json", describe_environment(code_dir))
        except BaseException:
            os.close(self._descriptor)
            self._descriptor, self._closed = -1, True
            self._holds.close()
            raise
        self._stop_beating = threading.Event()
        self._heart = threading.Thread(target=self._beat, name="run-heartbeat", daemon=True)
        self._heart.start()

    def _claim(self, resume: bool) -> None:
        """Makes sure that nobody else writes this run, and that it is meant to be gone on with."""
        if not self._holds.enter_context(only_one(self.folder / "metrics.jsonl", wait=False)):
            raise self._busy()
        status_file = self.folder / "status"
        if status_file.exists():
            word = status_file.read_text().strip()
            process = _read_json(self.folder / "process.json")
            status, _ = recorded_status(word, process, status_file.stat().st_mtime)
            mine = (process or {}).get("pid") == os.getpid()  # the lock shows that this process has closed it
            if status == "running" and not mine:
                raise self._busy()
        if os.fstat(self._descriptor).st_size and not resume:
            raise InputError(Says.run_exists(), where=str(self.folder), next_step=Says.resume_or_rename())

    def _busy(self) -> InputError:
        return InputError(Says.run_busy(), where=str(self.folder), next_step=Says.wait_or_rename())

    def _take_up(self) -> float:
        """Closes a torn last line, marks the place, and returns the seconds of training that went before."""
        size = os.fstat(self._descriptor).st_size
        tail = _read_at(self._descriptor, max(0, size - 2**16), min(size, 2**16))
        before_s = 0.0
        for line in reversed(tail.split(b"\n")):
            try:
                before_s = float(json.loads(line)["time"])
                break
            except (ValueError, KeyError, TypeError):
                continue
        mark = json.dumps({RESUMED_KEY: 1, "time": before_s}).encode() + b"\n"
        self._append(mark if tail.endswith(b"\n") else b"\n" + mark)
        return before_s

    def _append(self, data: bytes) -> None:
        try:
            written = os.write(self._descriptor, data)
            while written < len(data):  # a full disk takes part of it, then refuses
                written += os.write(self._descriptor, data[written:])
        except OSError as error:
            raise WorkbenchError(
                Says.log_unwritable(error=reason_of(error)), where=str(self.folder), next_step=Says.free_disk()
            ) from None

    def _beat(self) -> None:
        while not self._stop_beating.wait(HEARTBEAT_S):
            with contextlib.suppress(OSError):
                os.utime(self.folder / "status")


# ---------------------------------------------------------------------------------------------------------------- parts


def _folder_of(root: Path, name: str) -> Path:
    parts = PurePosixPath(name).parts
    if not parts or PurePosixPath(name).is_absolute() or ".." in parts or "\\" in name or not name.isprintable():
        raise InputError(Says.run_name(), where=repr(name), next_step=Says.run_name_signs())
    return root.expanduser() / PurePosixPath(name)


def _flat(config: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in config.items():
        if isinstance(value, Mapping):
            flat.update(_flat(value, f"{prefix}{key}."))
        elif value is None or isinstance(value, (bool, int, float, str)):
            flat[f"{prefix}{key}"] = value
        elif isinstance(value, (list, tuple)):
            flat[f"{prefix}{key}"] = [item if isinstance(item, (bool, int, float)) else str(item) for item in value]
        else:
            flat[f"{prefix}{key}"] = str(value)
    return flat


def _number(name: str, value: Any) -> float:
    """A row's value as JSON can hold it. Texts, None and whole arrays are refused."""
    if not isinstance(value, (str, bytes)):
        with contextlib.suppress(TypeError, ValueError, RuntimeError):
            return float(value)
    raise InputError(Says.metric_no_number(kind=type(value).__name__), where=name, next_step=Says.log_mean())


def _config_changes(path: Path, config: Mapping[str, Any]) -> dict[str, Any]:
    """What a resumed run changes: {"config_changes": {key: [before, now]}}, or nothing."""
    before = _read_json(path)
    if before is None:
        return {}
    now = json.loads(json.dumps(dict(config)))
    keys = [key for key in {**before, **now} if before.get(key) != now.get(key)]
    return {"config_changes": {key: [before.get(key), now.get(key)] for key in keys}} if keys else {}


def _read_json(path: Path) -> dict[str, Any] | None:
    try:
        value = json.loads(path.read_text())
    except (OSError, ValueError):
        return None
    return value if isinstance(value, dict) else None


def _read_at(descriptor: int, offset: int, count: int) -> bytes:
    os.lseek(descriptor, offset, os.SEEK_SET)  # appending does not care where the position is
    return os.read(descriptor, count)


def _write_json(path: Path, value: Mapping[str, Any]) -> None:
    write(path, json.dumps(value, indent=1) + "\n")
