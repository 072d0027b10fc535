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
          with errors.shown(language):                      # our errors as a message, never a traceback
              return say(language, "vectorize_done", count=3)

- What `core` says, in English (errors, reasons of rejects, notices): `translated(text, language)` of `text/errors`.
  `errors.shown` does so by itself.

The words stand in `en.py` and `zh.py`, one section per tab; both have the same keys and the same `{names}` (a test
holds that). A key begins with its section: `vectorize_run`. Values put in by `say` are plain text: escape them
(`html.escape`) where the sentence goes into HTML or Markdown.

Someone who calls the HTTP API sends no cookie: `--lang` or `Accept-Language` decides, else English.
"""

from __future__ import annotations

import html
from collections.abc import Mapping
from typing import Any, Literal, get_args

import gradio as gr
from gradio.i18n import I18nData
from starlette.requests import cookie_parser

from webapp.text.en import WORDS as EN
from webapp.text.zh import WORDS as ZH

Language = Literal["en", "zh"]
LANGUAGES: tuple[Language, ...] = get_args(Language)
WORDS: dict[Language, dict[str, str]] = {"en": EN, "zh": ZH}
COOKIE = "workbench_language"

# Gradio's front end looks up every text that it shows, a visitor's own too: the choice `pose_encoder` of a dropdown
# would be "translated" if there was a key of that name. So no key is what anything could be called.
_MARK = "wb:"
i18n = gr.I18n(**{language: {_MARK + key: words for key, words in WORDS[language].items()} for language in LANGUAGES})


def label(key: str) -> I18nData:
    """The words of `key` for a part of the layout; the browser shows them in the visitor's language."""
    assert key in EN, f"no words for {key!r} in webapp/text/en.py"
    return i18n(_MARK + key)


def in_both(key: str) -> str:
    """HTML with the words of `key` in every language; only the one of `<html lang>` is shown (`static/page.css`)."""
    return "".join(f'<span lang="{each}">{html.escape(WORDS[each][key])}</span>' for each in LANGUAGES)


def say(language: Language, key: str, **values: Any) -> str:
    """The words of `key` in `language`, with `values` put in for its `{names}`."""
    return WORDS[language][key].format(**values)


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
