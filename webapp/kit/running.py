"""The two buttons of a job: one starts it, one stops it; while it runs only the second can be pressed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import gradio as gr

from webapp.kit.events import Updates
from webapp.text import label


@dataclass(frozen=True)
class RunAndStop:
    """A job's buttons.

    Attributes:
        run, stop: the buttons.
        others: further buttons that start the same job, or must not be pressed meanwhile.
    """

    run: gr.Button
    stop: gr.Button
    others: tuple[gr.Button, ...] = ()

    @classmethod
    def laid_out(cls, run_key: str, elem_id: str, *, small: bool = False) -> RunAndStop:
        """Both, side by side where they are called for: `#ELEM_ID-run` and `#ELEM_ID-stop`."""
        size = "sm" if small else "lg"
        run = gr.Button(
            label(run_key),
            variant="secondary" if small else "primary",
            size=size,
            scale=3,
            min_width=80 if small else 120,
            elem_id=f"{elem_id}-run",
        )
        stop = gr.Button(label("stop"), size=size, interactive=False, scale=1, min_width=80, elem_id=f"{elem_id}-stop")
        return cls(run, stop)

    @property
    def parts(self) -> Sequence[gr.Button]:
        return (self.run, *self.others, self.stop)

    def switched(self, running: bool) -> Updates:
        """How they look while the job runs, and when it does not."""
        idle = {button: gr.Button(interactive=not running) for button in (self.run, *self.others)}
        return {**idle, self.stop: gr.Button(interactive=running)}


def show_outputs_js(elem_id: str) -> str:
    """For a run button: on a phone the outputs lie below all inputs, so the page scrolls there."""
    return f"() => WorkbenchKit.showOutputs('{elem_id}')"
