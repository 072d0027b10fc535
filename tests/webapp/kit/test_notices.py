"""What a visitor reads when something fails."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import gradio as gr
import pytest

import core.errors
from core.errors import Cancelled, WeightsMissing, WorkbenchError
from core.foreground.words import Says
from core.types import Notice, Reject
from core.words import Common
from webapp.foreground import figures
from webapp.kit import notices as errors
from webapp.kit import panels
from webapp.text import WORDS


def raised(error: Exception, language: str = "en") -> gr.Error:
    with pytest.raises(gr.Error) as caught, errors.shown(language):  # type: ignore[arg-type]
        raise error
    return caught.value


def kinds() -> list[type[WorkbenchError]]:
    return [each for each in vars(core.errors).values() if isinstance(each, type) and issubclass(each, WorkbenchError)]


@pytest.mark.parametrize("kind", kinds(), ids=lambda kind: kind.__name__)
def test_every_kind_of_error_has_its_own_headline(kind: type[WorkbenchError]) -> None:
    assert f"error_{kind.code}" in WORDS["en"]


def test_what_where_and_the_next_step_are_told_and_escaped() -> None:
    error = WeightsMissing("No weights", where="<img src=x>", next_step="python -m core models fetch <id>")
    english, chinese = raised(error, "en"), raised(error, "zh")
    assert english.title == "The model's weights are not here yet" and chinese.title == "本机还没有该模型的权重"
    assert english.message == "No weights [&lt;img src=x&gt;]<br>Next: python -m core models fetch &lt;id&gt;"
    assert "下一步：python -m core" in chinese.message
    assert not english.print_exception


def test_a_fault_of_ours_shows_a_number_and_leaves_the_rest_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.ERROR):
        shown = raised(RuntimeError("/srv/secret/path"))
    assert "secret" not in shown.message and "Traceback" not in shown.message
    number = next(word for word in caplog.text.split() if word in shown.message and len(word) == 6)
    assert number and "/srv/secret/path" in caplog.text


def test_it_works_around_a_generator_and_lets_it_be_closed() -> None:
    closed = []

    def job(fail: bool) -> Iterator[int]:
        with errors.shown("en"):
            try:
                yield 1
                if fail:
                    raise Cancelled("Stopped by you.")
                yield 2
            finally:
                closed.append(fail)

    with pytest.raises(gr.Error, match=r"Stopped by you\."):
        list(job(True))
    running = job(False)
    next(running)
    running.close()  # type: ignore[attr-defined]
    assert closed == [True, False]


def test_a_message_made_for_the_page_passes_as_it_is() -> None:
    message = gr.Error("as it is")
    assert raised(message) is message


# ---- lists of rejects and notices ----


def test_rejects_and_notices_speak_chinese_where_they_are_listed() -> None:
    """On the Chinese page the reasons of rejects stood there in English."""
    rejects = [Reject("a.jpg", "empty", Common.file_empty())]
    notice = Notice("proposed", Says.proposed(count=7))
    told = panels.notes_panel("zh", rejects=rejects, rejects_title="1 个", notices=[notice])
    assert "文件是空的。" in told and "没有给出组件，自动提出了 7 个。" in told and "须知" in told
    assert "The file is empty." in panels.notes_panel("en", rejects=rejects, rejects_title="1")
    assert "自动提出了 7 个" in figures.lists_panel((1, 1, 0), [notice], "zh")


def test_a_summary_marks_bad_news_and_escapes_what_it_is_given() -> None:
    cells = (("picker_model", "<b>", "a & b"), ("picker_dim", "512", ""))
    shown = panels.summary(cells, "zh", bad=("picker_dim",), elem_class="x-y")
    assert shown == (
        '<dl class="wb-summary x-y"><div class=""><dt>模型</dt><dd>&lt;b&gt;<small>a &amp; b</small></dd></div>'
        '<div class="bad"><dt>维度</dt><dd>512<small></small></dd></div></dl>'
    )
