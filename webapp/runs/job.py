"""What the Runs tab and `/compare_runs` share: which folders there are, what a view of them is, what to start with.

A visitor never types a path. `Library` offers folders under opaque ids and reads them, each reader kept, so that the
next reading takes only what is new. A `View` is everything a visitor has chosen; it becomes the query of a link and
comes back from one, and what a link says is believed only where it makes sense here (`settled`).
"""

from __future__ import annotations

import json
import math
import re
import threading
from collections import Counter, OrderedDict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlencode

from core.errors import InputError
from core.runs import (
    Problem,
    Report,
    Run,
    RunReader,
    RunSet,
    compare,
    config_differences,
    config_text,
    default_cache_dir,
    list_folders,
)
from core.runs.checkpoint import direction_of
from core.runs.compare import SEED_KEYS
from core.settings import REPO_DIR, Settings
from core.words import Common
from webapp.runs.words import Says

RESULTS_DIR = REPO_DIR / "experiments" / "results"
UPLOAD_ID = "upload"
MAX_CURVES = 4
X_AXES = ("step", "epoch", "time", "wall")
DRAWINGS = ("bands", "runs")
INTERVALS = ("bootstrap", "t")
CHECKPOINTS = ("best", "last")
DIRECTIONS = ("auto", "min", "max")
COSTS = ("seconds_per_epoch", "samples_per_s", "peak_memory_bytes", "parameters")
READERS_KEPT = 8
_MAX_WORD = 300
_MAX_WORDS = 2_000
_MAX_SMOOTHING = 0.99


# ------------------------------------------------------------------ folders


@dataclass(frozen=True)
class Source:
    """A folder of runs on offer. `id` is opaque; `name` is the folder's own; `committed`: it came with the project."""

    id: str
    name: str
    path: Path
    committed: bool = False


class Library:
    """The folders of the runs root, and the results that came with the project. Safe to use from several threads."""

    def __init__(self, settings: Settings, results_dir: Path = RESULTS_DIR) -> None:
        self._runs_dir = settings.runs_dir
        self._results_dir = results_dir
        self._readers: OrderedDict[Path, RunReader] = OrderedDict()
        self._lock = threading.Lock()

    def sources(self) -> list[Source]:
        """What there is now: the runs root and the folders in it, then the committed results."""
        found: list[Source] = []
        for prefix, root, committed in (("runs", self._runs_dir, False), ("results", self._results_dir, True)):
            try:
                folders = list_folders(root)
            except (InputError, OSError):  # not made yet: the first training makes it
                continue
            for folder in folders:
                if folder.id == "root":
                    if committed or not _has_folders(folder.path):
                        continue
                elif _is_run(folder.path) or not _holds_logs(folder.path):
                    continue
                found.append(Source(f"{prefix}.{folder.id}", folder.name, folder.path, committed))
        return found

    def start(self) -> Source | None:
        """What to show first: the visitor's own runs if there are any, else the results of the pose experiment, else
        whatever there is."""
        sources = self.sources()
        own = [source for source in sources if not source.committed]
        if own and len(self.read(own[0])):
            return own[0]
        committed = [source for source in sources if source.committed]
        committed.sort(key=lambda source: (source.name.startswith("sample"), "pose" not in source.name, source.name))
        return next(iter([*committed, *own]), None)

    def find(self, source_id: str) -> Source:
        """The folder behind an id, or behind the name of a folder on offer.

        Raises:
            InputError: there is none.
        """
        sources = self.sources()
        for source in sources:
            if source_id == source.id:
                return source
        for source in sources:
            if source_id == source.name:
                return source
        known = ", ".join(source.name for source in sources[:12]) or "none yet"
        raise InputError(
            Common.there_no_such_folder_runs(), where=str(source_id)[:60], next_step=Says.folders_here(names=known)
        )

    def read(self, source: Source) -> RunSet:
        """The runs of a folder as they are now; only what is new is read."""
        with self._lock:
            reader = self._readers.pop(source.path, None) or RunReader(source.path, cache_dir=default_cache_dir())
            self._readers[source.path] = reader
            while len(self._readers) > READERS_KEPT:
                self._readers.popitem(last=False)
        return reader.read()


def _is_run(folder: Path) -> bool:
    return any((folder / name).is_file() for name in ("metrics.jsonl", "config.json", "metrics.csv", "status"))


def _holds_logs(folder: Path) -> bool:
    """Whether there can be runs in it: a folder, or a file that is no text about them."""
    return any(entry.is_dir() or entry.suffix not in (".md", ".txt") for entry in folder.iterdir())


def _has_folders(root: Path) -> bool:
    return any(entry.name[:1] != "." for entry in root.iterdir())


# ------------------------------------------------------------------ a view


@dataclass(frozen=True)
class View:
    """Everything a visitor has chosen. An empty word means "choose for me".

    Attributes:
        folder: id of a `Source`, or `upload`.
        group_by: config keys that make the arms.
        metric: what the verdict reports; `select`: what chooses the checkpoint; `at`: best or last.
        baseline: an arm's label.
        direction: auto, min or max.
        curves: metrics drawn; `x`: their axis; `smooth`: weight of the moving average, 0 to 0.99; `log`: of `x`, `y`.
        draw: bands (mean and interval of each arm) or runs; `interval`: bootstrap or t.
        cost: horizontal axis of quality against cost.
        search: which runs take part, see `matching`; `hidden`: ids of runs that are ticked off.
    """

    folder: str = ""
    group_by: tuple[str, ...] = ()
    metric: str = ""
    select: str = ""
    at: str = "best"
    baseline: str = ""
    direction: str = "auto"
    curves: tuple[str, ...] = ()
    x: str = "step"
    smooth: float = 0.0
    log: tuple[str, ...] = ()
    draw: str = "bands"
    interval: str = "bootstrap"
    cost: str = ""
    search: str = ""
    hidden: tuple[str, ...] = ()

    def query(self) -> str:
        """The view as the query of a link: `runs_folder=…&runs_metric=…`, only what is not as at the start."""
        pairs: list[tuple[str, str]] = []
        for one in fields(self):
            value = getattr(self, one.name)
            if value != one.default:
                words = value if isinstance(value, tuple) else (str(value),)
                pairs += [(f"runs_{one.name}", word) for word in words]
        return urlencode(pairs)

    @staticmethod
    def from_query(query: str) -> View:
        """A link's query → the view, with everything that cannot be meant left at its default. Never fails."""
        try:
            said = parse_qs(query.lstrip("?")[:100_000], max_num_fields=5_000, errors="replace")
        except ValueError:
            return View()
        values: dict[str, Any] = {}
        for one in fields(View):
            words = [word[:_MAX_WORD] for word in said.get(f"runs_{one.name}", [])][:_MAX_WORDS]
            if not words:
                continue
            values[one.name] = tuple(words) if isinstance(one.default, tuple) else words[0]
        try:
            smooth = float(values.pop("smooth", 0.0))
        except ValueError:
            smooth = 0.0
        return View(**values, smooth=smooth).plausible()

    def plausible(self) -> View:
        """The same with every choice among a fixed few held to those."""
        one_of = {"x": X_AXES, "draw": DRAWINGS, "interval": INTERVALS, "at": CHECKPOINTS, "direction": DIRECTIONS}
        fixed: dict[str, Any] = {
            name: options[0] for name, options in one_of.items() if getattr(self, name) not in options
        }
        smooth = self.smooth if math.isfinite(self.smooth) else 0.0
        return replace(
            self,
            **fixed,
            smooth=min(max(smooth, 0.0), _MAX_SMOOTHING),
            log=tuple(axis for axis in ("x", "y") if axis in self.log),
            cost=self.cost if self.cost in COSTS else "",
        )


@dataclass(frozen=True)
class Preset:
    """A question of this project, asked as it was meant to be before the results were known. It is offered where its
    results are; the words for it are `runs_preset_ID`.

    Attributes:
        folder: name under `experiments/results`.
        metrics, baselines: the first that is there.
        search: which runs it is about. Every arm more makes Holm's adjustment stricter, and eight seeds cannot answer
            for more than six arms at once: so a question has its own arms.
        curves: to begin with; those that are there.
    """

    id: str
    folder: str
    group_by: str
    metrics: tuple[str, ...]
    direction: str
    baselines: tuple[str, ...]
    search: str = ""
    curves: tuple[str, ...] = ()

    def view(self, source: Source, runs: Sequence[Run]) -> View:
        """The question as a view of its folder."""
        names = RunSet(tuple(runs)).metric_names
        arms = set(arms_of(runs, (self.group_by,)).values())
        return View(
            folder=source.id,
            group_by=(self.group_by,),
            metric=next((name for name in self.metrics if name in names), ""),
            baseline=next((arm for arm in self.baselines if arm in arms), ""),
            direction=self.direction,
            search=self.search,
            curves=tuple(name for name in self.curves if name in names),
        )


_POSE = Preset("pose_all", "pose_encoder", "pose_encoder", ("test/nme",), "min", ("mlp",))
_REID = Preset("reid_all", "reid", "multi_scale", ("test/mAP", "test/rank1"), "max", ("baseline", "none"))
_BIFUSION = Preset(
    *("bifusion_all", "bifusion", "fusion", ("test/mIoU",), "max", ("3d_only",)),
    curves=("val/mIoU", "grad/total_max", "train/loss"),
)
PRESETS = (
    replace(_POSE, id="pose", search="pose_encoder=mlp|clip"),
    replace(_POSE, id="pose_better", search="pose_encoder=mlp|clip_interpolated|clip_continuous|hybrid"),
    replace(_POSE, id="pose_words", search="pose_encoder=clip|clip_permuted|clip_random|table", baselines=("clip",)),
    _POSE,
    replace(_REID, id="reid", search="multi_scale=baseline|plan1|plan2"),
    _REID,
    replace(_BIFUSION, id="bifusion", search="fusion=3d_only|naive"),
    _BIFUSION,
)
PRESET = "preset."
"""Begins the id under which a preset is offered beside the folders."""


def presets_of(sources: Iterable[Source]) -> list[tuple[Preset, Source]]:
    """The presets whose results are here, in their own order."""
    by_name = {source.name: source for source in sources if source.committed}
    return [(preset, by_name[preset.folder]) for preset in PRESETS if preset.folder in by_name]


def settled(view: View, runs: Sequence[Run]) -> tuple[View, list[str]]:
    """The view with every open choice made, and what it names that is not here (keys, metrics, arms)."""
    names = RunSet(tuple(runs)).metric_names
    keys = {key for run in runs for key in run.config}
    ids = {run.id for run in runs}
    missing = [key for key in view.group_by if key not in keys]
    missing += [name for name in dict.fromkeys((view.metric, view.select, *view.curves)) if name and name not in names]
    group_by = tuple(key for key in view.group_by if key in keys) or default_group(runs)
    metric = view.metric if view.metric in names else default_metric(runs)
    curves = tuple(dict.fromkeys(name for name in view.curves if name in names))[:MAX_CURVES]
    baseline = view.baseline
    if baseline and baseline not in arms_of(runs, group_by).values():
        missing.append(baseline)
        baseline = ""
    new = replace(
        view,
        group_by=group_by,
        metric=metric,
        select=view.select if view.select in names else "",
        baseline=baseline,
        curves=curves or default_curves(runs, metric),
        hidden=tuple(run_id for run_id in view.hidden if run_id in ids),
    )
    return new, missing


def default_group(runs: Sequence[Run]) -> tuple[str, ...]:
    """`pose_encoder` where runs have it, else the first key that differs and is no seed; none where none differs."""
    if any("pose_encoder" in run.config for run in runs):
        return ("pose_encoder",)
    return tuple(key for key in config_differences(runs) if key not in SEED_KEYS)[:1]


def default_metric(runs: Sequence[Run]) -> str:
    """What a verdict would be asked about: what most runs have, a test metric before a validation one, an error of
    landmarks first."""
    count = Counter(name for run in runs for name in run.metrics)
    most = max(count.values(), default=0)

    def rank(name: str) -> tuple[bool, int, int, int, str]:
        split = re.match(r"(test|val|valid|eval|train)\b|", name.lower().replace("_", "/"))
        place = {"test": 0, "val": 1, "valid": 1, "eval": 1, "train": 3}.get(split[1] or "" if split else "", 2)
        return (count[name] * 2 < most, place, "nme" not in name.lower(), "loss" in name.lower(), name)

    names = RunSet(tuple(runs)).metric_names
    return min((name for name in names if _has_direction(name)), key=rank, default=names[0] if names else "")


def default_curves(runs: Sequence[Run], metric: str) -> tuple[str, ...]:
    """Two curves to begin with: the metric (or its validation twin, where it was logged once), and a loss."""
    longest = {name: max((len(run.metrics[name]) for run in runs[:40] if name in run.metrics), default=0)
               for name in RunSet(tuple(runs)).metric_names}  # fmt: skip
    bare = re.split(r"[/_.]", metric, maxsplit=1)[-1]
    drawn = [name for name in longest if longest[name] > 1] or list(longest)
    first = [name for name in drawn if name == metric] or [name for name in drawn if name != metric and bare in name]
    losses = [name for name in drawn if "loss" in name.lower()]
    losses.sort(key=lambda name: ("train" not in name.lower(), name))
    return tuple(dict.fromkeys([*first[:1], *losses[:1], *drawn[:1]]))[:2]


def _has_direction(metric: str) -> bool:
    try:
        direction_of(metric)
    except InputError:
        return False
    return True


# ------------------------------------------------------------------ runs of a view


def arms_of(runs: Iterable[Run], group_by: Sequence[str]) -> dict[str, str]:
    """Run id → label of its arm, as the verdict names it; a run without one of the keys has none and is left out.
    Without keys every run is an arm of its own."""
    if not group_by:
        return {run.id: run.name for run in runs}
    if len(group_by) == 1:
        return {run.id: config_text(run.config[group_by[0]]) for run in runs if group_by[0] in run.config}
    return {
        run.id: ", ".join(f"{key}={config_text(run.config[key])}" for key in group_by)
        for run in runs
        if all(key in run.config for key in group_by)
    }


def matching(runs: Sequence[Run], search: str) -> list[Run]:
    """The runs that every word of `search` fits.

    A word, or one of several (`mlp|clip`), is part of a name, status or config value; `key=value`, `key=one|other`,
    `key!=value`, `key<number` and `key>number` ask a config key; a leading `-` turns a word round. Case does not
    matter.
    """
    tests = [_test(word) for word in search.lower().split()[:50]]
    return [run for run in runs if all(test(run) for test in tests)]


def _test(word: str) -> Any:
    if word.startswith("-") and len(word) > 1:
        inner = _test(word[1:])
        return lambda run: not inner(run)
    asked = re.fullmatch(r"([^=<>!]+)(!=|=|<|>)(.*)", word)
    if asked is None:
        parts = word.split("|")
        return lambda run: any(
            part in text.lower()
            for text in (run.name, run.status, *map(config_text, run.config.values()))
            for part in parts
        )
    key, sign, wanted = asked.groups()

    def asks(run: Run) -> bool:
        values = [value for name, value in run.config.items() if name.lower() == key]
        if not values:
            return sign == "!="
        if sign in ("<", ">"):
            try:
                return float(values[0]) < float(wanted) if sign == "<" else float(values[0]) > float(wanted)
            except (TypeError, ValueError):
                return False
        return (config_text(values[0]).lower() in wanted.split("|")) == (sign == "=")

    return asks


def taking_part(runs: Sequence[Run], view: View) -> list[Run]:
    """The runs that are drawn and judged: those that the search finds and that are not ticked off."""
    hidden = set(view.hidden)
    return [run for run in matching(runs, view.search) if run.id not in hidden]


def judge(runs: Sequence[Run], view: View) -> Report:
    """The verdict on a settled view.

    Raises:
        InputError: as `core.runs.compare`.
    """
    return compare(
        runs,
        group_by=list(view.group_by),
        metric=view.metric,
        select_metric=view.select or None,
        baseline=view.baseline or None,
        direction=None if view.direction == "auto" else view.direction,
        at=view.at,
    )


def verdict_json(report: Report, problems: Sequence[Problem]) -> dict[str, Any]:
    """What the command line prints with `--json`, as plain values.

    A problem's place is called `file` here: gradio_client would take a value under `path` for something to download.
    """
    listed = [{"file": one.path, "code": one.code, "reason": one.reason} for one in problems]
    plain: Mapping[str, Any] = json.loads(json.dumps(report.to_json()))
    return {**plain, "problems": listed}
