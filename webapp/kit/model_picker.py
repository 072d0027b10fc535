"""`ModelPicker`: the page's table of models. Several may be picked; their order is the order of the ensemble.

Models whose weights are here can be picked; the others show the command that fetches them. The value is a `Models`;
what comes back from the browser is a tuple of ids, in the order of picking, for the handler to look up
(`catalogue.find` refuses what it does not know).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import gradio as gr

from core.models.spec import FAMILY_NAMES, ModelSpec
from core.settings import Settings
from webapp.kit import assets
from webapp.kit.panels import size_text
from webapp.text import WORDS, Language, say

MAX_PICKED = 16
_JS_WORDS = (
    *("model", "dim", "input", "params", "text", "none", "one", "several"),
    *("away", "away_hint", "copy", "copied", "fetch_size"),
)


def model_rows(settings: Settings, language: Language) -> list[dict[str, Any]]:
    """Every model of the catalogue and of `weights/custom/` as the table shows it: those here first, else in
    catalogue order."""
    from core.models.catalogue import specs
    from core.models.weights import fetch_command, locate, problem_of

    def row(spec: ModelSpec) -> dict[str, Any]:
        problem = problem_of(spec, settings.weights_dir)
        return {
            "id": spec.id,
            "family": say(language, "picker_custom") if spec.custom else FAMILY_NAMES[spec.family],
            "dim": spec.dim,  # 0 where a model's own files would say it and are not here
            "input": spec.input_px,
            "params": _millions(spec.params_m),
            "size": size_text(spec.file_bytes) if spec.file_bytes else "",
            "here": not problem and locate(spec, settings.weights_dir) is not None,
            "text": spec.has_text,
            "command": "" if problem else fetch_command(spec).said(language),
            "advice": (problem or spec.advice).said(language),
        }

    rows = [row(spec) for spec in specs(settings.weights_dir)]
    return [row for row in rows if row["here"]] + [row for row in rows if not row["here"]]


def _millions(params_m: float) -> str:
    """Parameters in millions: `151 M`, `0.42 M`; empty where not known."""
    return "" if not params_m else f"{params_m:.0f} M" if params_m >= 1 else f"{params_m:.2f} M"


class ModelPicker(gr.HTML):
    """The table. As an input it gives a `tuple[str, ...]`: the ids picked, in order; nothing else is believed.

    Args:
        settings: where weights are looked for.
        language_of: the language of a request (`services.language`).
    """

    def __init__(self, settings: Settings, language_of: Callable[[gr.Request | None], Language], **kwargs: Any) -> None:
        def model_rows_now(request: gr.Request) -> list[dict[str, Any]]:
            return model_rows(settings, language_of(request))

        super().__init__(
            value=None,
            html_template='<div class="wb-models" role="group"></div>',
            head=assets.head(__file__, "model_picker"),
            js_on_load="WorkbenchModelPicker.mount(element, props, watch, server);",
            server_functions=[model_rows_now],
            apply_default_css=False,
            **kwargs,
        )

    def preprocess(self, payload: Any) -> tuple[str, ...]:
        picked = payload.get("picked") if isinstance(payload, dict) else None
        if not isinstance(picked, list):
            return ()
        return tuple(dict.fromkeys(str(model_id)[:200] for model_id in picked[:MAX_PICKED]))

    def postprocess(self, value: dict[str, Any] | None) -> dict[str, Any] | None:  # type: ignore[override]
        return value

    def api_info(self) -> dict[str, Any]:
        return {"type": "object", "description": "{picked: [model ids, in the order of the ensemble]}"}


def picker_value(settings: Settings, language: Language, picked: tuple[str, ...] | None = None) -> dict[str, Any]:
    """What a `ModelPicker` shows. Without `picked` the first model that is here, so that a new visitor can run at
    once."""
    rows = model_rows(settings, language)
    here = [row["id"] for row in rows if row["here"]]
    chosen = here[:1] if picked is None else [model_id for model_id in picked if model_id in here]
    # Their {names} are filled in by the script.
    words = {word: WORDS[language][f"picker_{word}"] for word in _JS_WORDS}
    return {"rows": rows, "picked": chosen, "words": words}
