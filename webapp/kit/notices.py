"""The one place where an exception becomes words on the page."""

from __future__ import annotations

import html
import logging
import secrets
from collections.abc import Iterator
from contextlib import contextmanager

import gradio as gr

from core.errors import WorkbenchError
from webapp.text import WORDS, Language, say, translated

log = logging.getLogger("webapp")


@contextmanager
def shown(language: Language) -> Iterator[None]:
    """Inside this block every exception reaches the page as a message in the visitor's language.

    A `WorkbenchError` is told in full: what, where, the next step. Anything else is a fault of ours: its traceback goes
    to the server's log under a number, and the page shows the number. Works around the body of a generator too.
    """
    try:
        yield
    except gr.Error:
        raise
    except WorkbenchError as error:
        raise gr.Error(message(error, language), title=headline(error, language), print_exception=False) from None
    except Exception:
        number = secrets.token_hex(3)
        log.exception("fault %s", number)
        raise gr.Error(
            say(language, "error_internal_detail", number=number),
            title=say(language, "error_internal"),
            print_exception=False,
        ) from None


@contextmanager
def answered(language: Language) -> Iterator[None]:
    """As `shown`, for an endpoint: plain text, since nobody reads HTML out of an exception."""
    with shown(language):
        try:
            yield
        except WorkbenchError as error:
            raise gr.Error(" ".join(_lines(error, language)), print_exception=False) from None


def headline(error: WorkbenchError, language: Language) -> str:
    """A few words in the visitor's language that name the kind of error."""
    key = f"error_{error.code}"
    return say(language, key if key in WORDS["en"] else "error_error")


def sentence(error: WorkbenchError, language: Language) -> str:
    """What happened and where, as plain text."""
    what = translated(error.what, language)
    return what if not error.where else f"{what} [{error.where}]"


def message(error: WorkbenchError, language: Language) -> str:
    """What, where and the next step in the visitor's language, as HTML with every value escaped."""
    return "<br>".join(html.escape(line) for line in _lines(error, language))


def _lines(error: WorkbenchError, language: Language) -> list[str]:
    lines = [sentence(error, language)]
    if error.next_step:
        lines.append(say(language, "error_next", step=translated(error.next_step, language)))
    return lines
