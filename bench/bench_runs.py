"""How fast runs open, against TensorBoard's own reader on the same files.

    python bench/bench_runs.py                # everything; needs 3 GB in the temporary folder and some minutes
    python bench/bench_runs.py --quick        # a tenth of everything: that it works, no figures to quote
    python bench/bench_runs.py --json         # the table as JSON

Every figure comes from a process of its own: imports are not in it, everything else is (finding the files, configs,
parsing, writing the cache). Before each, the files are pushed out of the system's page cache: cold means cold.
"First" opens logs never seen; "again" opens them with the Arrow cache of an earlier process. TensorBoard's reader is
`EventAccumulator` with sampling switched off, as many processes side by side as our reader has threads, on the same
event files in the same sitting.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import struct
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from core.runs import RunRecorder, downsample, pack_runs, read_runs
from core.runs.formats.tfrecord import masked_crc32c

VARIANTS = 8  # files differ in eight ways; writing two hundred different ones would take longer than the measurements


# ------------------------------------------------------------------------------------------------------------- writing


def write_jsonl_runs(root: Path, runs: int, points: int) -> None:
    """Run folders as the recorder leaves them, one metric of `points` points each."""
    texts = []
    for variant in range(VARIANTS):
        values = np.random.default_rng(variant).normal(size=points).cumsum().tolist()
        texts.append(
            "".join(
                f'{{"step": {step}, "epoch": {step // 1000}, "time": {step * 0.0123:.4f}, "train/loss": {value!r}}}\n'
                for step, value in enumerate(values)
            )
        )
    for run in range(runs):
        folder = root / f"run{run:04}"
        folder.mkdir(parents=True)
        (folder / "metrics.jsonl").write_text(texts[run % VARIANTS])
        (folder / "config.json").write_text(
            json.dumps({"pose_encoder": "mlp" if run % 2 else "clip", "seed": run // 2})
        )
        (folder / "environment.json").write_text(json.dumps({"started_unix_s": 1.7e9 + run}))
        (folder / "status").write_text("finished\n")


def write_event_runs(root: Path, runs: int, points: int) -> None:
    """Event files with the bytes that `SummaryWriter.add_scalar` writes, one scalar of `points` points each."""
    from tensorboard.compat.proto import event_pb2

    for variant in range(min(VARIANTS, runs)):
        values = np.random.default_rng(variant).normal(size=points).cumsum().tolist()
        payloads = [event_pb2.Event(wall_time=1.7e9, file_version="brain.Event:2").SerializeToString()]
        event = event_pb2.Event()
        scalar = event.summary.value.add(tag="train/loss")
        for step, value in enumerate(values):
            event.wall_time, event.step, scalar.simple_value = 1.7e9 + step * 0.0123, step, value
            payloads.append(event.SerializeToString())
        headers = b"".join(struct.pack("<Q", len(payload)) for payload in payloads)
        eights = np.full(len(payloads), 8)
        header_crcs = masked_crc32c(np.frombuffer(headers, np.uint8), np.arange(len(payloads)) * 8, eights)
        lengths = np.array([len(payload) for payload in payloads])
        starts = np.concatenate([[0], lengths.cumsum()[:-1]])
        crcs = masked_crc32c(np.frombuffer(b"".join(payloads), np.uint8), starts, lengths)
        data = b"".join(
            struct.pack("<QI", len(payload), header_crc) + payload + struct.pack("<I", crc)
            for payload, header_crc, crc in zip(payloads, header_crcs.tolist(), crcs.tolist(), strict=True)
        )
        for run in range(variant, runs, VARIANTS):
            folder = root / f"run{run:04}"
            folder.mkdir(parents=True)
            (folder / "events.out.tfevents.1700000000.host.1.0").write_bytes(data)


def push_out_of_memory(root: Path) -> None:
    """Takes the files out of the page cache, as far as the operating system allows."""
    os.sync()
    for file in root.rglob("*"):
        if file.is_file():
            descriptor = os.open(file, os.O_RDONLY)
            os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
            os.close(descriptor)


# --------------------------------------------------------------------------------- measured, in processes of their own


def measure_open(root: Path, cache: Path | None, draw: bool) -> dict[str, float]:
    """Opens everything under `root`; all series are built, and with `draw` cut to 2,000 points each."""
    import pyarrow.csv
    import pyarrow.json

    _ = (pyarrow.csv, pyarrow.json)
    if next(root.rglob("*tfevents*"), None):
        from tensorboard.compat.proto import event_pb2

        _ = event_pb2
    before = _memory_mb()
    start, cpu_start = time.perf_counter(), time.process_time()
    found = read_runs(root, cache_dir=cache)
    points = sum(len(run.metrics[name]) for run in found for name in run.metrics)
    seconds, cpu_s = time.perf_counter() - start, time.process_time() - cpu_start
    result = {"seconds": seconds, "cpu_s": cpu_s, "points": points, "memory_mb": _memory_mb() - before}
    if draw:
        start = time.perf_counter()
        for run in found:
            series = run.metrics["train/loss"]
            downsample(series.step, series.value, 2_000)
        result["draw_seconds"] = time.perf_counter() - start
    return result


def measure_tensorboard(folders: list[Path]) -> dict[str, float]:
    """The same with TensorBoard's reader; sampling off, so that it keeps what we keep."""
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    before = _memory_mb()
    start, cpu_start = time.perf_counter(), time.process_time()
    accumulators = []
    points = 0
    for folder in folders:
        accumulator = EventAccumulator(str(folder), size_guidance={"scalars": 0, "tensors": 0})
        accumulator.Reload()
        points += sum(len(accumulator.Scalars(tag)) for tag in accumulator.Tags()["scalars"])
        accumulators.append(accumulator)
    seconds, cpu_s = time.perf_counter() - start, time.process_time() - cpu_start
    return {"seconds": seconds, "cpu_s": cpu_s, "points": points, "memory_mb": _memory_mb() - before}


def measure_record(root: Path) -> dict[str, float]:
    """Microseconds that one logged row costs, as the median of 50 batches of 1,000."""
    costs, cpu_costs = [], []
    with RunRecorder(root, "speed", {"seed": 0}) as run:
        step = 0
        for _ in range(50):
            start, cpu_start = time.perf_counter(), time.thread_time()
            for _ in range(1_000):
                run.log({"train/loss": 0.123456 + step, "val/nme": 4.2}, step=step, epoch=step // 1_000)
                step += 1
            costs.append((time.perf_counter() - start) / 1_000 * 1e6)
            cpu_costs.append((time.thread_time() - cpu_start) / 1_000 * 1e6)
    return {"microseconds": float(np.median(costs)), "cpu_microseconds": float(np.median(cpu_costs))}


def _memory_mb() -> float:
    """Memory of this process that is its own: mapped files can be dropped at any time and do not count."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("RssAnon"):
            return int(line.split()[1]) / 1024
    return float("nan")


def _start(what: str, *arguments: object) -> subprocess.Popen[str]:
    command = [sys.executable, __file__, "--child", what, *map(str, arguments)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def _result(process: subprocess.Popen[str]) -> dict[str, float]:
    printed, _ = process.communicate()
    if process.returncode:
        raise SystemExit(f"a measurement ended with {process.returncode}")
    return json.loads(printed.splitlines()[-1])


def _open(root: Path, cache: Path | None, draw: bool = False) -> dict[str, float]:
    push_out_of_memory(root)
    return _result(_start("open", root, cache or "-", int(draw)))


def _tensorboard(root: Path, processes: int) -> dict[str, float]:
    push_out_of_memory(root)
    folders = sorted(root.iterdir())
    started = [_start("tensorboard", *folders[first::processes]) for first in range(processes)]
    results = [_result(process) for process in started]
    return {
        "seconds": max(result["seconds"] for result in results),
        "cpu_s": sum(result["cpu_s"] for result in results),
        "points": sum(result["points"] for result in results),
        "memory_mb": sum(result["memory_mb"] for result in results),
    }


# --------------------------------------------------------------------------------------------------------------- table


def measure_all(base: Path, quick: bool) -> list[dict[str, Any]]:
    """Writes the files, opens them every way, and returns the rows of the table."""
    scale = 10 if quick else 1
    cores = max(1, min(8, os.cpu_count() or 1))
    rows: list[dict[str, Any]] = []

    def row(name: str, result: dict[str, float], target: str) -> None:
        figures = {key: result[key] for key in ("seconds", "cpu_s", "points", "memory_mb") if key in result}
        rows.append({"what": name, **figures, "target": target})
        print(f"{name}: {result}", file=sys.stderr)

    runs, points = 200 // scale, 10_000
    write_jsonl_runs(base / "jsonl", runs, points)
    row(f"{runs} × {points:,}, JSONL, first", _open(base / "jsonl", base / "cache1"), "3 s")
    row(f"{runs} × {points:,}, JSONL, again", _open(base / "jsonl", base / "cache1"), "")
    shutil.rmtree(base / "jsonl")

    write_event_runs(base / "events", runs, points)
    ours = _open(base / "events", base / "cache2")
    theirs = _tensorboard(base / "events", cores)
    assert ours["points"] == theirs["points"], "both read every point"
    row(f"{runs} × {points:,}, event files, first", ours, "3 s")
    row(f"the same files, TensorBoard's reader, {cores} processes", theirs, "")
    shutil.rmtree(base / "events")

    runs, points = 1_000 // scale, 1_000
    write_jsonl_runs(base / "many", runs, points)
    row(f"{runs:,} × {points:,}, JSONL, first", _open(base / "many", base / "cache3"), "2 s")
    pack_runs(base / "many", base / "packed" / "many.runs.zip")
    row("the same in one pack, first", _open(base / "packed", base / "cache5"), "2 s")
    shutil.rmtree(base / "many")

    runs, points = 200 // scale, 100_000
    write_jsonl_runs(base / "long", runs, points)
    row(f"{runs} × {points:,}, JSONL, first", _open(base / "long", base / "cache4"), "")
    again = _open(base / "long", base / "cache4", draw=True)
    row(f"{runs} × {points:,}, JSONL, again", again, "0.5 s")
    rows.append({"what": "… all curves cut to 2,000 points", "seconds": again["draw_seconds"], "target": ""})
    shutil.rmtree(base / "long")

    push_out_of_memory(base / "cache4")
    record = _result(_start("record", base / "record"))
    seconds, cpu_s = record["microseconds"] / 1e6, record["cpu_microseconds"] / 1e6
    rows.append({"what": "one logged row", "seconds": seconds, "cpu_s": cpu_s, "target": "20 µs"})
    return rows


def _seconds(seconds: float) -> str:
    return f"{seconds * 1e6:.1f} µs" if seconds < 1e-3 else f"{seconds:.2f} s"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument("--quick", action="store_true", help="a tenth of everything")
    parser.add_argument("--dir", type=Path, help="where to write the files; default: the temporary folder")
    parser.add_argument("--child", nargs=argparse.REMAINDER, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        what, *arguments = options.child
        if what == "open":
            cache = None if arguments[1] == "-" else Path(arguments[1])
            print(json.dumps(measure_open(Path(arguments[0]), cache, arguments[2] == "1")))
        elif what == "tensorboard":
            print(json.dumps(measure_tensorboard([Path(folder) for folder in arguments])))
        else:
            print(json.dumps(measure_record(Path(arguments[0]))))
        return

    load_before = os.getloadavg()[0]
    with tempfile.TemporaryDirectory(dir=options.dir, prefix="bench_runs_") as folder:
        rows = measure_all(Path(folder), options.quick)
    machine = {"cores": os.cpu_count(), "python": platform.python_version(), "load_before": load_before}
    if options.json:
        print(json.dumps({"machine": machine, "rows": rows}, indent=1, ensure_ascii=False))
        return
    print(f"{machine['cores']} cores, Python {machine['python']}, load before {load_before:.1f}\n")
    print("| what | time | target | of processors | points | own memory |")
    print("| --- | ---: | ---: | ---: | ---: | ---: |")
    for one in rows:
        points = f"{one['points']:,.0f}" if "points" in one else ""
        memory = f"{one['memory_mb']:,.0f} MB" if "memory_mb" in one else ""
        cpu = _seconds(one["cpu_s"]) if "cpu_s" in one else ""
        print(f"| {one['what']} | {_seconds(one['seconds'])} | {one['target']} | {cpu} | {points} | {memory} |")


if __name__ == "__main__":
    main()
