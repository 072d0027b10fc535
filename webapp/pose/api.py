"""`/describe_pose` and `/encode_pose`: a head pose in words, and as a vector.

    from gradio_client import Client

    app = Client("http://127.0.0.1:7860")
    app.predict(yaw=45, pitch=10, roll=-5, api_name="/describe_pose")["caption"]
    app.predict(yaw=45, pitch=10, roll=-5, api_name="/encode_pose")["embedding"]

Degrees in the viewer's frame: yaw > 0 turns the nose to image right, pitch > 0 up, roll > 0 tips the head's top to
image right. Every argument may be left out.
"""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import gradio as gr

from core.pose.angles import ANGLES
from core.pose.embedding import Wording, catalogue_id, default_model, embed_poses
from core.pose.text import bin_words, caption_numbers
from webapp.kit.notices import answered
from webapp.kit.services import COMPUTE, COMPUTE_LIMIT, Services
from webapp.pose.job import Pose


def build(services: Services) -> None:
    """The endpoints, on components that are never shown. Called once, inside the page's Blocks."""

    def describe_pose(
        yaw: Any = 0.0,
        pitch: Any = 0.0,
        roll: Any = 0.0,
        continuous: bool = False,
        expression: str = "",
        lighting: str = "",
        template: str = "{}",
        request: gr.Request = None,  # type: ignore[assignment]  # Gradio always gives it
    ) -> dict[str, Any]:
        with answered(services.language(request)):
            pose, wording = _asked(yaw, pitch, roll, continuous, expression, lighting, template)
            return _described(pose, wording)

    def encode_pose(
        yaw: Any = 0.0,
        pitch: Any = 0.0,
        roll: Any = 0.0,
        continuous: bool = False,
        expression: str = "",
        lighting: str = "",
        template: str = "{}",
        model: str = "",
        device: str = "auto",
        request: gr.Request = None,  # type: ignore[assignment]  # Gradio always gives it
    ) -> dict[str, Any]:
        with answered(services.language(request)):
            pose, wording = _asked(yaw, pitch, roll, continuous, expression, lighting, template)
            chosen = catalogue_id(model) or default_model(services.settings.weights_dir)
            made = embed_poses(pose.angles_13, services.manager, chosen, wording, device=device or "auto")
            return {
                **_described(pose, wording),
                "model": made.model,
                "dim": made.dim,
                "embedding": made.units_ND[0].tolist(),
                "seconds": made.seconds,
                "notices": [asdict(notice) for notice in made.notices],
            }

    with gr.Row(visible=False):
        angles = [gr.Number(0.0, label=f"{name}: degrees") for name in ANGLES]
        wording = [
            gr.Checkbox(False, label="continuous: the numbers themselves instead of 45 captions"),
            gr.Textbox("", label="expression: a word or two, or empty"),
            gr.Textbox("", label="lighting: a word or two, or empty"),
            gr.Textbox("{}", label="template: text with one {}"),
        ]
        model = gr.Textbox("", label="model: a CLIP's id, or ViT-B/32, ViT-B/16, ViT-L/14; empty for the default")
        device = gr.Textbox(services.settings.device, label="device: auto, cpu, gpu, cuda:N, mps")
        made = gr.JSON(label="pose")
        gr.Button().click(
            describe_pose,
            [*angles, *wording],
            made,
            api_name="describe_pose",
            api_description=(
                "A head pose in words. Gives `caption`, `number` (which of the 45 discrete captions), `bins`, and "
                "`yaw_deg`, `pitch_deg`, `roll_deg` as used, wrapped into ±180."
            ),
            queue=False,
        )
        gr.Button().click(
            encode_pose,
            [*angles, *wording, model, device],
            made,
            api_name="encode_pose",
            api_description=(
                "A head pose in words, through CLIP's text tower. Gives what `/describe_pose` gives, and `embedding` "
                "(of length 1), `dim`, `model`, `seconds`, `notices`."
            ),
            concurrency_id=COMPUTE,
            concurrency_limit=COMPUTE_LIMIT,
        )


def _asked(
    yaw: Any, pitch: Any, roll: Any, continuous: bool, expression: str, lighting: str, template: str
) -> tuple[Pose, Wording]:
    pose = Pose.read({"yaw": yaw, "pitch": pitch, "roll": roll})
    return pose, Wording(bool(continuous), expression or "", lighting or "", template or "{}")


def _described(pose: Pose, wording: Wording) -> dict[str, Any]:
    return {
        "caption": wording.captions(pose.angles_13)[0],
        "number": int(caption_numbers(pose.angles_13)[0]),
        "bins": bin_words(pose.angles_13),
        "yaw_deg": pose.yaw,
        "pitch_deg": pose.pitch,
        "roll_deg": pose.roll,
        "wrapped": [name for name, _, _ in pose.wrapped],
    }
