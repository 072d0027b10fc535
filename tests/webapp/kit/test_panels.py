"""Fragments that every tab shows."""

from core.foreground.words import Says
from core.types import Notice, Reject
from core.words import Common
from webapp.foreground import figures
from webapp.kit import panels


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
