"""What the Runs tab and `/compare_runs` do with a view: which runs take part, in which arms, and the verdict."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from core.runs import Problem, Report, Run, compare, config_text
from webapp.runs.view import View


def matching(runs: Sequence[Run], search: str) -> list[Run]:
    """The runs that every word of `search` fits.

    A word, or one of several (`adam|sgd`), is part of a name, status or config value; `key=value`, `key=one|other`,
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


def judge(runs: Sequence[Run], view: View, usual_baselines: Sequence[str]) -> Report:
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
        duplicates=view.duplicates,
        usual_baselines=usual_baselines,
    )


def verdict_json(report: Report, problems: Sequence[Problem]) -> dict[str, Any]:
    """What the command line prints with `--json`, as plain values.

    A problem's place is called `file` here: gradio_client would take a value under `path` for something to download.
    """
    listed = [{"file": one.path, "code": one.code, "reason": one.reason} for one in problems]
    plain: Mapping[str, Any] = json.loads(json.dumps(report.to_json()))
    return {**plain, "problems": listed}
