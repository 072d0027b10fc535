"""What stands around the tabs: the header with its switches, and the footer.

Their words are in the page in both languages, and the style sheet shows the one of `<html lang>`.
"""

from __future__ import annotations

import html
import json

import gradio as gr

from webapp.kit import assets
from webapp.kit.services import Services
from webapp.shell import words as words
from webapp.shell.page import LOGO, THEME_COOKIE
from webapp.text import COOKIE as LANGUAGE_COOKIE
from webapp.text import WORDS, in_both

_YEAR_S = 365 * 24 * 3600

_ICON = '<svg viewBox="0 0 24 24" width="16" height="16" fill="none" stroke="currentColor" stroke-width="1.8" '
_ICON += 'stroke-linecap="round" stroke-linejoin="round" aria-hidden="true">'
MODELS_ICON = _ICON + '<path d="M12 3l8 4.5v9L12 21l-8-4.5v-9z"/><path d="M12 12l8-4.5M12 12v9M12 12L4 7.5"/></svg>'
MOON_ICON = _ICON + '<path d="M20 14.5A8 8 0 0 1 9.5 4a8 8 0 1 0 10.5 10.5z"/></svg>'
SUN_ICON = _ICON + (
    '<circle cx="12" cy="12" r="4"/><path d="M12 2v2M12 20v2M2 12h2M20 12h2M5 5l1.4 1.4M17.6 17.6L19 19M5 19l1.4-1.4'
    'M17.6 6.4L19 5"/></svg>'
)
DOOR_ICON = _ICON + '<path d="M14 4h5v16h-5M3 12h11M10 8l4 4-4 4"/></svg>'


def header(services: Services) -> None:
    """Name and line; models, language, light or dark, and sign-out where there is a sign-in."""
    question = json.dumps({language: words["switch_language_question"] for language, words in WORDS.items()})
    known = f'data-language-cookie="{LANGUAGE_COOKIE}" data-theme-cookie="{THEME_COOKIE}" data-max-age="{_YEAR_S}"'
    sign_out = (
        f'<form method="post" action="logout"><button id="sign-out">{DOOR_ICON}{in_both("sign_out")}</button></form>'
        if services.signed_in_only
        else ""
    )
    gr.HTML(
        html_template=(
            f'<header {known} data-question="{html.escape(question)}">{LOGO}<div class="name"><h1>CLIP Workbench</h1>'
            f"<p>{in_both('app_line')}</p></div><nav>"
            f'<button id="models-button" aria-controls="models-panel">{MODELS_ICON}{in_both("models_button")}</button>'
            f'<button id="language">{in_both("switch_language")}</button>'
            f'<button id="theme" class="icon-only"><span class="to-dark">{MOON_ICON}</span>'
            f'<span class="to-light">{SUN_ICON}</span>{in_both("switch_theme")}</button>'
            f"{sign_out}</nav></header>"
        ),
        head=assets.head(__file__, "frame"),
        js_on_load="WorkbenchFrame.mount(element);",
        elem_id="header",
        apply_default_css=False,
    )


def footer() -> None:
    """What happens to what people drop here."""
    gr.HTML(
        html_template=f"<footer><p>{in_both('footer_privacy')}</p><p>{in_both('footer_parts')}</p></footer>",
        js_on_load=None,
        elem_id="footer",
        apply_default_css=False,
    )
