"""`Services`: the one object every tab receives."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import gradio as gr

from core.settings import Settings
from webapp.text import Language, language_of

if TYPE_CHECKING:
    from core.models.manager import ModelManager

COMPUTE = "compute"
"""`concurrency_id` of every event that computes, so that they share one limit and the models are not fought over."""
COMPUTE_LIMIT = 2
"""Jobs that compute at the same time: one long run, and a quick search beside it."""

RESULT_LIFE_S = 6 * 3600
"""A result is forgotten as late as uploads and files are (`webapp.shell.scratch.KEEP_S`)."""


@dataclass(frozen=True)
class Services:
    """What the tabs share. Nothing of a visitor is kept here: results live in `gr.State`, one per session.

    Attributes:
        settings: weights, runs, device, limits (`settings.web_limits` for what visitors upload).
        manager: lends the models.
        scratch_dir: private folder for files made for download; removed when the app ends.
        default_language: what `--lang` said; None: each browser's own.
        signed_in_only: whether visitors have to sign in.
    """

    settings: Settings
    manager: ModelManager
    scratch_dir: Path
    default_language: Language | None = None
    signed_in_only: bool = False

    def language(self, request: gr.Request | None) -> Language:
        """The language to answer this request in."""
        return language_of(dict(request.headers) if request else {}, self.default_language)

    def new_folder(self) -> Path:
        """A fresh, empty, private folder for the files of one result."""
        return Path(tempfile.mkdtemp(dir=self.scratch_dir))

    def usable_clips(self) -> list[str]:
        """Ids of the CLIP models whose weights are here, the built-in one last."""
        from core.models.weights import usable_clips

        return usable_clips(self.settings.weights_dir)


def open_services(
    settings: Settings, scratch_dir: Path, *, default_language: Language | None = None, signed_in_only: bool = False
) -> Services:
    """Services with a new model manager. Costs no torch; the first lease imports it, or the warm-up before it."""
    from core.models.manager import ModelManager

    return Services(settings, ModelManager(settings), scratch_dir, default_language, signed_in_only)
