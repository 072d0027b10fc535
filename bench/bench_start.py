"""How long the first answers take: `import core`, `import gradio`, and the page after `python -m webapp`.

    python -m bench.bench_start [--rounds 5] [--json]

Each figure is of processes of their own, files warm: seconds on the clock, and seconds of processor time, which other
work on the machine disturbs less. The page counts as answered when `/` gives status 200; torch is imported behind it.
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import psutil

REPO_DIR = Path(__file__).resolve().parents[1]
GIVE_UP_S = 120

Seconds = tuple[float, float]
"""On the clock, of the processor."""


def run_python(code: str) -> Seconds:
    """`python -c CODE` from start to end, less what `python -c pass` takes."""

    def once(text: str) -> Seconds:
        before, begin_s = os.times(), time.perf_counter()
        subprocess.run([sys.executable, "-c", text], cwd=REPO_DIR, check=True)
        after = os.times()
        cpu_s = after.children_user + after.children_system - before.children_user - before.children_system
        return time.perf_counter() - begin_s, cpu_s

    empty, whole = once("pass"), once(code)
    return max(0.0, whole[0] - empty[0]), max(0.0, whole[1] - empty[1])


def page_answers() -> Seconds:
    """From `python -m webapp` to the first status 200."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        begin_s = time.perf_counter()
        process = subprocess.Popen(
            [sys.executable, "-m", "webapp", "--port", str(port)],
            cwd=REPO_DIR,
            env={**os.environ, "TMPDIR": folder},
            stdout=subprocess.DEVNULL,
        )
        try:
            while not _answers(port):
                if process.poll() is not None or time.perf_counter() - begin_s > GIVE_UP_S:
                    raise RuntimeError("the app did not start; try `python -m webapp`")
                time.sleep(0.02)
            spent = psutil.Process(process.pid).cpu_times()
            return time.perf_counter() - begin_s, spent.user + spent.system
        finally:
            process.terminate()
            process.wait(30)


def _answers(port: int) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        connection.request("GET", "/")
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


MEASURED: tuple[tuple[str, float | None, Callable[[], Seconds]], ...] = (
    ("import core", 0.3, lambda: run_python("import core")),
    ("import gradio as it comes", None, lambda: run_python("import gradio")),
    ("import gradio for the page", None, lambda: run_python("import webapp, gradio")),
    ("page answers", 4.5, page_answers),
)


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description="Measure how long the first answers take.")
    parser.add_argument("--rounds", type=int, default=5, help="processes for each figure; the median is told")
    parser.add_argument("--json", action="store_true", help="print the figures as JSON")
    options = parser.parse_args(argv)
    rows = []
    for name, target_s, measure in MEASURED:
        measure()  # files into the system's cache
        rounds = [measure() for _ in range(options.rounds)]
        wall_s, cpu_s = ([round(seconds[part], 2) for seconds in rounds] for part in (0, 1))
        row = {"what": name, "wall_s": statistics.median(wall_s), "least_s": min(wall_s), "most_s": max(wall_s)}
        rows.append({**row, "cpu_s": statistics.median(cpu_s), "target_s": target_s})
    if options.json:
        print(json.dumps(rows, indent=1))
        return
    print("| what | seconds (least–most) | processor seconds | to reach |\n| --- | --- | --- | --- |")
    for row in rows:
        target = f"{row['target_s']}" if row["target_s"] is not None else ""
        wall = f"{row['wall_s']} ({row['least_s']}–{row['most_s']})"
        print(f"| {row['what']} | {wall} | {row['cpu_s']} | {target} |")


if __name__ == "__main__":
    main()
