"""What an experiment has agreed on about its runs: `questions.json`, beside its results.

    {
      "group_by": "arm",                            the config key that makes its arms
      "baselines": ["none"],                        the arm that others are compared with: the first that is there
      "metrics": ["test/angle"],                    what is asked about first
      "place": 0,                                   among the experiments of a page; the smallest is shown first
      "questions": [{
        "id": "angles", "en": "Angles: with and without", "zh": "…",
        "search": "arm=none|with", "curves": ["val/angle"]
      }]
    }

Everything may be left out. So the reader and the verdict know no experiment by name, and an experiment's own words stay
with it. They hold wherever a run's config has the key, in a folder of one's own too.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ..errors import InputError
from ..messages import Template, english, reason_of
from .series import Run
from .words import Says

FILE_NAME = "questions.json"


@dataclass(frozen=True)
class Question:
    """Something to ask of an experiment's runs, as it was meant to be asked before the results were known.

    Attributes:
        title: for people.
        group_by, metrics, direction, baselines: the experiment's own where the question has none.
        search: which runs it is about (see the Runs tab). Every arm more makes Holm's adjustment stricter, and eight
            seeds cannot answer for more than six arms at once: so a question has its own arms.
        curves: metrics to draw to begin with.
    """

    id: str
    title: Template
    group_by: str
    metrics: tuple[str, ...]
    baselines: tuple[str, ...]
    direction: str = "auto"
    search: str = ""
    curves: tuple[str, ...] = ()


@dataclass(frozen=True)
class Conventions:
    """See the module."""

    group_by: str = ""
    baselines: tuple[str, ...] = ()
    metrics: tuple[str, ...] = ()
    place: float = 100.0
    questions: tuple[Question, ...] = ()


NO_CONVENTIONS = Conventions()


def read_conventions(folder: Path) -> Conventions | None:
    """Those of an experiment whose results lie in `folder`; None if it has none.

    Raises:
        InputError: the file is damaged.
    """
    path = folder / FILE_NAME
    try:
        fields = json.loads(path.read_text("utf-8"))
        return _conventions_of(fields)
    except FileNotFoundError:
        return None
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        said = reason_of(error) if isinstance(error, (OSError, ValueError)) else english(repr(error))
        raise InputError(Says.questions_unread(error=said), where=str(path), next_step=Says.mend_questions()) from None


def _conventions_of(fields: dict[str, Any]) -> Conventions:
    common = Conventions(
        group_by=fields.get("group_by", ""),
        baselines=tuple(fields.get("baselines", ())),
        metrics=tuple(fields.get("metrics", ())),
        place=float(fields.get("place", NO_CONVENTIONS.place)),
    )
    questions = tuple(
        Question(
            id=one["id"],
            title=Template(_literal(one["en"]), _literal(one["zh"]), f"question.{one['id']}"),
            group_by=one.get("group_by", common.group_by),
            metrics=tuple(one.get("metrics", common.metrics)),
            baselines=tuple(one.get("baselines", common.baselines)),
            direction=one.get("direction", fields.get("direction", "auto")),
            search=one.get("search", ""),
            curves=tuple(one.get("curves", fields.get("curves", ()))),
        )
        for one in fields.get("questions", ())
    )
    return replace(common, questions=questions)


def _literal(text: str) -> str:
    return text.replace("{", "{{").replace("}", "}}")


def known_conventions(results_dir: Path) -> tuple[Conventions, ...]:
    """Those of every experiment whose results lie in a folder of `results_dir`, the first to be shown first."""
    folders = sorted(path for path in results_dir.iterdir() if path.is_dir()) if results_dir.is_dir() else []
    found = [one for folder in folders if (one := read_conventions(folder)) is not None]
    return tuple(sorted(found, key=lambda one: one.place))


def conventions_for(runs: Iterable[Run], known: Sequence[Conventions]) -> Conventions:
    """The first whose key a run's config has."""
    keys = {key for run in runs for key in run.config}
    return next((one for one in known if one.group_by in keys), NO_CONVENTIONS)
