"""Fragments of HTML that every tab shows, and the places they stand in. Pure functions but for the last few.

Every value is escaped by `text`; the only markup is what stands in this file. Style: `kit.css`.
"""

from __future__ import annotations

import base64
import html
import io
from collections.abc import Collection, Sequence
from typing import Any

import gradio as gr
import numpy as np

from core.types import Notice, Reject
from webapp.text import WORDS, Language, label, say, translated

THUMBNAIL_PX = 96
REJECTS_SHOWN = 200


def text(value: object) -> str:
    """Anything as text inside HTML, also inside an attribute."""
    return html.escape(str(value), quote=True)


def seconds_text(seconds: float) -> str:
    """`0.4 s`, `12 s`, `3 min 20 s`, `1 h 5 min`."""
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


def size_text(size_bytes: int) -> str:
    """Bytes for people: `605 MB`, `1.2 GB`."""
    return f"{size_bytes / 1e9:.1f} GB" if size_bytes >= 1e9 else f"{size_bytes / 1e6:.0f} MB"


def data_uri(rgb_HWC: np.ndarray) -> str:
    """An upright uint8 RGB image as a WebP data URI, at its own size: it travels with the
    result, no request fetches it."""
    from PIL import Image

    buffer = io.BytesIO()
    Image.fromarray(rgb_HWC).save(buffer, "WEBP", quality=70, method=1)
    return "data:image/webp;base64," + base64.b64encode(buffer.getvalue()).decode("ascii")


# ---- before, during, instead ----


def steps_panel(title: str, steps: Sequence[str]) -> str:
    """What to do, before there is a result."""
    items = "".join(f"<li>{text(step)}</li>" for step in steps)
    return f'<div class="wb-empty"><h2>{text(title)}</h2><ol>{items}</ol></div>'


def progress_panel(stage: str, facts: str, done: int, total: int) -> str:
    """A bar; `facts` stand at its right end."""
    share = done / total if total else 0.0
    return (
        f'<div class="wb-progress"><p><b>{text(stage)}</b><span>{text(facts)}</span></p>'
        f'<div role="progressbar" aria-label="{text(stage)}" aria-valuemin="0" aria-valuemax="{total}"'
        f' aria-valuenow="{done}"><i style="width:{100 * share:.1f}%"></i></div></div>'
    )


def message_panel(headline: str, lines: Sequence[str] = (), *, kind: str = "error") -> str:
    """A lasting message: `kind` is `error` or `info`. `lines` are plain text."""
    body = "".join(f"<p>{text(line)}</p>" for line in lines if line)
    role = "alert" if kind == "error" else "status"
    return f'<div class="wb-message {kind}" role="{role}"><b>{text(headline)}</b>{body}</div>'


def fault_panel(error: gr.Error) -> str:
    """As `message_panel`, for what `notices.shown` raised: its message is HTML already."""
    return f'<div class="wb-message error" role="alert"><b>{text(error.title)}</b><p>{error.message}</p></div>'


def hint(words: str) -> str:
    """A quiet line of plain text."""
    return f'<p class="wb-hint">{text(words)}</p>'


# ---- a result, and what should be known about it ----


def summary(
    cells: Sequence[tuple[str, str, str]], language: Language, *, bad: Collection[str] = (), elem_class: str = ""
) -> str:
    """The figures one looks at first.

    Args:
        cells: the key of each one's heading, its value, a note below it.
        bad: keys of those that are bad news.
    """
    blocks = "".join(
        f'<div class="{"bad" if key in bad else ""}"><dt>{text(say(language, key))}</dt>'
        f"<dd>{text(value)}<small>{text(note)}</small></dd></div>"
        for key, value, note in cells
    )
    return f'<dl class="wb-summary {elem_class}">{blocks}</dl>'


def notes_panel(
    language: Language,
    *,
    rejects: Sequence[Reject] = (),
    rejects_title: str = "",
    further_rejects: int = 0,
    notices: Sequence[Notice | str] = (),
    limits: Sequence[str] = (),
) -> str:
    """Rejects and their reasons, what was done on the user's behalf, what is shown in part; empty without any.

    Args:
        rejects_title: what they are called and how many they are, in the visitor's language.
        further_rejects: how many more there are than `rejects` names.
        limits: sentences in the visitor's language.
    """
    told = [translated(each.text, language) if isinstance(each, Notice) else each for each in notices]
    return (
        (_rejects(rejects, rejects_title, further_rejects, language) if rejects else "")
        + _list(say(language, "notices_title"), told)
        + _list(say(language, "limits_title"), limits)
    )


def _rejects(rejects: Sequence[Reject], title: str, further: int, language: Language) -> str:
    """A long list is folded up, and cut."""
    lines = [
        (reject.id, _reject_kind(reject, language), translated(reject.reason, language))
        for reject in rejects[:REJECTS_SHOWN]
    ]
    more = len(rejects[REJECTS_SHOWN:]) + further
    if more:
        lines.append(("…", "", say(language, "rejects_more", count=more)))
    with_kind = any(kind for _, kind, _ in lines)
    rows = "".join(
        f"<tr><td>{text(name)}</td>{f'<td>{text(kind)}</td>' if with_kind else ''}<td>{text(reason)}</td></tr>"
        for name, kind, reason in lines
    )
    return (
        f'<details class="wb-note bad"{" open" if len(rejects) <= 5 else ""}><summary>{text(title)}</summary>'
        f'<div class="wb-scroll"><table class="wb-rejects">{rows}</table></div></details>'
    )


def _reject_kind(reject: Reject, language: Language) -> str:
    """Its code in a word or two of the visitor's language; empty where there are none."""
    key = f"reject_{reject.code}"
    return say(language, key) if key in WORDS[language] else ""


def _list(title: str, lines: Sequence[str]) -> str:
    if not lines:
        return ""
    items = "".join(f"<li>{text(line)}</li>" for line in dict.fromkeys(lines))
    return f'<div class="wb-note"><b>{text(title)}</b><ul>{items}</ul></div>'


# ---- places on the page ----


def html_part(elem_id: str, **kwargs: Any) -> gr.HTML:
    """A place for one of our own fragments, without Gradio's styles for prose."""
    return gr.HTML(elem_id=elem_id, apply_default_css=False, **kwargs)


def heading(key: str) -> gr.Markdown:
    return gr.Markdown(label(key), elem_classes="wb-heading")


def hint_part(key: str) -> gr.Markdown:
    return gr.Markdown(label(key), elem_classes="wb-hint")
