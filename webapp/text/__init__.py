"""The words of the page, in English and Chinese, and how a visitor's language is known.

One decision, made on the server from the request's headers by `language_of`: the visitor's own choice (a cookie that
the header's switch sets, so that it lasts), else the `--lang` the app was started with, else the browser's
`Accept-Language`, else English. Everything follows it:

- What belongs to the layout (labels, tab names, buttons, placeholders, Markdown): give `label("key")`. Gradio's front
  end translates it; `page.py` tells that front end the language decided here, before it starts.

      gr.Button(label("vectorize_run"))

- What stands in a fixed piece of HTML (`gr.HTML(html_template=…)`): `in_both("key")`; the style sheet shows one.

- What a handler says (tables, figures, messages, `gr.Info`): take `request: gr.Request`, ask for the language, `say`.

      def run(files: list[str], request: gr.Request) -> str:
          language = services.language(request)
          with shown(language):                      # our errors as a message, never a traceback
              return say(language, "vectorize_done", count=3)

- What `core` says (errors, reasons of rejects, notices): `translated(message, language)`. `notices.shown` does so by
  itself for errors. Their words stand in `core/*/words.py`.

The words of the page stand in each tab's `words.py`, English and Chinese side by side; the package that they belong to
registers them when it is imported. A key begins with its section: `vectorize_run`. Values put in by `say` are plain
text: escape them (`html.escape`) where the sentence goes into HTML or Markdown.

Someone who calls the HTTP API sends no cookie: `--lang` or `Accept-Language` decides, else English.
"""

from __future__ import annotations

import html
from collections.abc import Mapping
from typing import Any, get_args

import gradio as gr
from gradio.i18n import I18nData
from starlette.requests import cookie_parser

from core.messages import Language, Message

LANGUAGES: tuple[Language, ...] = get_args(Language)
WORDS: dict[Language, dict[str, str]] = {language: {} for language in LANGUAGES}
COOKIE = "workbench_language"

# Gradio's front end looks up every text that it shows, a visitor's own too: the choice `pose_encoder` of a dropdown
# would be "translated" if there was a key of that name. So no key is what anything could be called.
_MARK = "wb:"

# Words of Gradio's own that its Chinese has not: it shows the key in their place, as in the tooltip "common.upload".
_GRADIO_ZH = {
    "common.upload": "上传",
    "common.download_all": "全部下载",
    "common.progress": "进度",
    "common.complete": "完成",
    "common.video": "视频",
    "common.webcam": "摄像头",
    "status.queue_position": "排队：{position}/{size}",
}


def register(both: Mapping[str, tuple[str, str]]) -> None:
    """Adds words: key → (English, Chinese). Called once by each `words.py`, when it is imported."""
    for key, words in both.items():
        assert key not in WORDS["en"], f"{key!r} has words already"
        for language, text in zip(LANGUAGES, words, strict=True):
            WORDS[language][key] = text


def translations() -> gr.I18n:
    """All words registered so far, for Gradio's front end."""
    ours = {language: {_MARK + key: text for key, text in WORDS[language].items()} for language in LANGUAGES}
    return gr.I18n(en=ours["en"], zh=ours["zh"] | _GRADIO_ZH)


def label(key: str) -> I18nData:
    """The words of `key` for a part of the layout; the browser shows them in the visitor's language."""
    assert key in WORDS["en"], f"no words for {key!r} in any words.py"
    return I18nData(_MARK + key)


def in_both(key: str) -> str:
    """HTML with the words of `key` in every language; only the one of `<html lang>` is shown (`shell/page.css`)."""
    return "".join(f'<span lang="{each}">{html.escape(WORDS[each][key])}</span>' for each in LANGUAGES)


def say(language: Language, key: str, **values: Any) -> str:
    """The words of `key` in `language`, with `values` put in for its `{names}`."""
    return WORDS[language][key].format(**values)


def translated(message: str, language: Language) -> str:
    """A sentence of core's in the visitor's language; what comes out of a file has one wording only."""
    return message.said(language) if isinstance(message, Message) else message


def language_of(headers: Mapping[str, str], default: Language | None = None) -> Language:
    """The visitor's language from a request's headers (lower-case names): cookie, `default`, browser, English."""
    chosen = cookie_parser(headers.get("cookie", "")).get(COOKIE)
    for language in LANGUAGES:
        if chosen == language:
            return language
    return default or _first_accepted(headers.get("accept-language", ""))


def _first_accepted(accept_language: str) -> Language:
    """The language we have that the browser ranks highest (RFC 9110: `zh-CN,zh;q=0.9,en;q=0.8`)."""
    best: Language = "en"
    best_quality = 0.0
    for part in accept_language.split(","):
        tag, _, parameter = part.strip().partition(";")
        try:
            quality = float(parameter.strip().removeprefix("q=")) if parameter else 1.0
        except ValueError:
            continue
        for language in LANGUAGES:
            if tag.lower().split("-")[0] == language and quality > best_quality:
                best, best_quality = language, quality
    return best
