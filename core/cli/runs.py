"""`python -m core runs compare DIR`, `list`, `pack` and `unpack`: training runs, judged, counted, handed on."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from ..messages import Message, listed
from ..settings import Settings
from .words import Says

app = typer.Typer(no_args_is_help=True, help="Training runs: what is there, and is a difference more than noise?")

Folder = Annotated[Path, typer.Argument(metavar="DIR", help="Folder of runs, searched with everything below it.")]
GroupBy = Annotated[
    list[str],
    typer.Option("--group_by", "--group-by", help="Config key that makes the arms; several: repeat it, or commas."),
]
Metric = Annotated[str, typer.Option("--metric", help="What is reported, e.g. test/acc.")]
SelectMetric = Annotated[
    str | None,
    typer.Option("--select_metric", "--select-metric", help="What chooses the checkpoint; default: the val/ twin."),
]
Baseline = Annotated[
    str | None,
    typer.Option("--baseline", help="Arm the others are compared with; default: the experiment's own, or the first."),
]
Direction = Annotated[
    str | None, typer.Option("--direction", help="min or max is better; default: told from the metric's name.")
]
At = Annotated[str, typer.Option("--at", help="Checkpoint: best, last, or a step.")]
Duplicates = Annotated[
    str,
    typer.Option("--duplicates", help="Of several runs of one arm and seed counts: latest, first, mean; or refuse."),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]
UseCache = Annotated[
    bool,
    typer.Option(
        "--cache/--no_cache", " /--no-cache", help="Keep long logs as Arrow files in the user's cache folder."
    ),
]


@app.command("compare")
def compare_command(
    folder: Folder,
    group_by: GroupBy,
    metric: Metric,
    select_metric: SelectMetric = None,
    baseline: Baseline = None,
    direction: Direction = None,
    at: At = "best",
    duplicates: Duplicates = "latest",
    as_json: AsJson = False,
    cache: UseCache = True,
) -> None:
    """Say whether each arm is better or worse than the baseline, or whether that cannot be told."""
    from ..runs import compare, conventions_for, known_conventions
    from ..runs.conventions import read_conventions

    found = _read(folder, cache)
    own = read_conventions(folder)
    known = [*([own] if own else []), *known_conventions(Settings().results_dir)]
    report = compare(
        found,
        group_by=group_by,
        metric=metric,
        select_metric=select_metric,
        baseline=baseline,
        direction=direction,
        at=at,
        duplicates=duplicates,
        usual_baselines=conventions_for(found, known).baselines,
    )
    if as_json:
        print(json.dumps({**report.to_json(), "problems": _problems(found)}, indent=2, ensure_ascii=False))
        return
    better = Says.runs_lower_better if report.direction == "min" else Says.runs_higher_better
    print(f"{better(metric=metric, choice=_choice(report))}\n")
    headings = ["arm", "runs", "mean", "95 % interval", "IQM", "lowest", "highest"]
    print(_table(headings, [_arm_row(one) for one in report.arms]))
    if report.comparisons:
        headings = ["verdict", "difference", "95 % interval", "p (Holm)", "pairs", "d", "detectable", "more seeds"]
        rows = [_comparison_row(one) for one in report.comparisons]
        print(f"\n{_table([f'against {report.baseline}', *headings], rows)}\n")
    for comparison in report.comparisons:
        print(report.sentence(comparison))
    for note in report.notes:
        print(Says.runs_note(note=note))
    if report.excluded:
        print(f"\n{Says.runs_excluded(count=len(report.excluded))}")
        for one in report.excluded:
            print(f"  {one.run}: {one.reason}")
    _print_problems(found)


@app.command("list")
def list_command(folder: Folder, as_json: AsJson = False, cache: UseCache = True) -> None:
    """Show the runs that are found, what tells them apart, and the files that could not be read."""
    from ..runs import config_differences, config_text

    found = _read(folder, cache)
    keys = config_differences(found.runs)
    if as_json:
        runs = [
            {
                "id": run.id,
                "name": run.name,
                "path": run.path,
                "formats": list(run.formats),
                "status": run.status,
                "config": dict(run.config),
                "metrics": {name: len(run.metrics[name]) for name in run.metrics},
                "notes": list(run.notes),
            }
            for run in found
        ]
        print(json.dumps({"runs": runs, "problems": _problems(found)}, indent=2, ensure_ascii=False, default=str))
        return
    rows = [
        [run.name, run.status, "+".join(run.formats), str(len(run.metrics)), f"{run.last_step:,}"]
        + [_cell(config_text(run.config[key])) if key in run.config else "" for key in keys[:8]]
        for run in found
    ]
    print(_table(["run", "status", "format", "metrics", "last step", *keys[:8]], rows) if rows else Says.runs_none())
    if len(keys) > 8:
        print(Says.runs_also_differ(names=", ".join(keys[8:])))
    for run in found:
        for note in run.notes:
            print(Says.runs_note_of(run=run.name, note=note))
    _print_problems(found)


@app.command("pack")
def pack_command(
    folder: Folder,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="What to write, e.g. mine.runs.zip.")],
) -> None:
    """Put the runs of a folder into one file, to hand to somebody.

    Put it into any folder of runs, or upload it to the page: it is read as it is.
    """
    from ..runs import ReadLimits, pack_runs, read_runs

    runs = len(read_runs(folder, limits=ReadLimits(max_pack_bytes=0)))  # packs are not packed again
    packed = pack_runs(folder, file)
    print(Says.runs_packed(runs=runs, files=packed.files, size=packed.bytes, path=file))
    if packed.left_out:
        print(Says.runs_left_out(names=listed(packed.left_out, 10)), file=sys.stderr)


@app.command("unpack")
def unpack_command(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A pack of runs.")],
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="A new folder, to unpack into.")],
) -> None:
    """Write the files of a pack into a folder, byte by byte as they were packed."""
    from ..runs import unpack_runs

    print(Says.runs_unpacked(files=unpack_runs(file, folder), path=folder))


def _read(folder: Path, cache: bool) -> Any:
    from ..runs import default_cache_dir, read_runs

    return read_runs(folder, cache_dir=default_cache_dir() if cache else None)


def _problems(found: Any) -> list[dict[str, Any]]:
    return [asdict(problem) for problem in found.problems]


def _print_problems(found: Any) -> None:
    for problem in found.problems:
        print(Says.runs_not_read(path=problem.path, reason=problem.reason), file=sys.stderr)


def _choice(report: Any) -> Message:
    if report.at == "best":
        return Says.runs_chosen_by(metric=report.select_metric) if report.select_metric else Says.runs_logged_once()
    return Says.runs_at_last() if report.at == "last" else Says.runs_at_step(step=int(report.at))


def _cell(text: str, most: int = 40) -> str:
    return text if len(text) <= most else text[: most - 1] + "…"


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.4g}"


def _interval(interval: tuple[float, float] | None) -> str:
    return "–" if interval is None else f"{interval[0]:.4g} to {interval[1]:.4g}"


def _arm_row(arm: Any) -> list[str]:
    mean, iqm, lowest, highest = map(_number, (arm.mean, arm.iqm, arm.lowest, arm.highest))
    return [arm.arm, str(arm.runs), mean, _interval(arm.interval), iqm, lowest, highest]


def _comparison_row(one: Any) -> list[str]:
    return [
        one.arm,
        one.verdict.replace("_", " "),
        _number(one.difference),
        _interval(one.interval),
        _number(one.p_value),
        str(one.pairs),
        _number(one.effect_size),
        _number(one.detectable_difference),
        "–" if one.seeds_needed is None else f"{one.seeds_needed:,}",
    ]


def _table(headings: list[str], rows: list[list[str]]) -> str:
    """A plain table: the first column to the left, the others to the right."""
    widths = [max(len(row[column]) for row in [headings, *rows]) for column in range(len(headings))]
    lines = []
    for row in [headings, *rows]:
        cells = [row[0].ljust(widths[0])] + [cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True)]
        lines.append("  ".join(cells).rstrip())
    lines.insert(1, "  ".join("-" * width for width in widths))
    return "\n".join(lines)
