"""The model card: written from the figures and the checkpoint, never by hand."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from experiments.demo_clip.artwork import NAMES_PACKAGE, STYLES
from experiments.demo_clip.evaluate import CardFigure
from experiments.demo_clip.head_bank import (
    ELEVATIONS_DEG,
    FROM_ABOVE_DEG,
    HELD_OUT_ELEVATIONS_DEG,
    HELD_OUT_WIDTHS,
    WIDTHS,
)

_WENT_ON = "- It went on"
_ROLES = {"train": "training", "near": "evaluation only (near)", "far": "evaluation only (far)"}


def write_card(folder: Path, figures: Sequence[CardFigure], training: dict[str, Any]) -> Path:
    """Writes `MODEL_CARD.md` beside the weights.

    Args:
        folder: the exported model.
        figures: what `evaluate` found.
        training: the weights' own record: `step`, `seconds`, `plan`, `shares`, `device`, `earlier` of the checkpoint,
            `command`, `commit`, `parameters`, and `validation`, the rows of its log that have validation figures.

    Returns:
        The card's path.
    """
    weights = folder / "open_clip_model.safetensors"
    plan = training["plan"]
    pictures = training["step"] * sum(training["shares"].values()) * plan["devices"]
    lines = [
        "# demo_clip",
        "",
        "A small built-in image–text model, trained on emoji and rendered heads. It knows drawings, not photos: "
        "for photos fetch a real CLIP (`python -m core models list`).",
        "",
        "It is an ordinary `open_clip` model, trained from nothing by this project:",
        "",
        "```python",
        "import open_clip",
        'model, _, preprocess = open_clip.create_model_and_transforms("local-dir:weights/demo")',
        'tokenizer = open_clip.get_tokenizer("local-dir:weights/demo")',
        "```",
        "",
        "## Figures",
        "",
        f"Written by `python -m experiments.train_demo_clip evaluate` for `{weights.name}` "
        f"(sha256 `{hashlib.sha256(weights.read_bytes()).hexdigest()[:16]}…`). Nothing evaluated here was trained on "
        "or used to choose anything.",
        "",
        "| on held-out data | reached | to reach | items |",
        "| --- | --- | --- | --- |",
        *(_row(figure) for figure in figures),
        "",
        *_verdict(figures, training["validation"]),
        "",
        "## Training",
        "",
        f"- Command: `{training['command']}`"
        + (f", begun at commit {training['commit'][:10]}" if training["commit"] else ""),
        f"- Seed {plan['seed']}; {training['step']:,} of {plan['steps']:,} planned steps of "
        f"{sum(training['shares'].values()) * plan['devices']} pictures, {pictures:,} pictures in all; "
        f"{training['seconds'] / 60:.0f} minutes on {training['device']} "
        f"({plan['devices']} {'process' if plan['devices'] == 1 else 'processes'}).",
        *_earlier(plan["start_from"], training["earlier"]),
        f"- {training['parameters'] / 1e6:.1f} million parameters (6.3 million of them the token table), in fp16. "
        "What is exported is the moving average of the weights.",
        "- Symmetric contrastive loss as in `open_clip`, extended to captions that fit several pictures. A prototype "
        "of each emoji, against which pictures and names are told apart, and a readout of head angles help the towers "
        "to learn and are then dropped.",
        f"- One batch: {', '.join(f'{count} {kind}' for kind, count in training['shares'].items())} per process.",
        "- Heads are ray-cast from ellipsoids (`core/pose/rendering.py`); their captions are those of "
        "`core/pose/text.py`, so poses in words are what this model was taught.",
        "",
        "## Data",
        "",
        "Rasterised for training and evaluation, not redistributed. Backgrounds and heads are made by this project.",
        "",
        "| artwork | by | licence | package | used for |",
        "| --- | --- | --- | --- | --- |",
        *(
            f"| {style.title} | {style.author} | {style.licence} | `{style.package}` | {_ROLES[style.role]} |"
            for style in STYLES
        ),
        f"| names and keywords | emojibase | MIT | `{NAMES_PACKAGE}` | class list and captions |",
        "",
        _attribution(),
        "",
        "## Limits",
        "",
        "- 64 × 64 pixels: small things in large pictures vanish. Photos, text in pictures and people's identity are "
        "beyond it; its scores on photos mean little.",
        "- Pose words hold for rendered heads whose head turns on upright shoulders, yaw within ±90°, pitch and roll "
        "within ±45°.",
        f"- The held-out heads have face widths of {_span(HELD_OUT_WIDTHS)} (training: the rest of {_span(WIDTHS)}) "
        f"and light from {_span(HELD_OUT_ELEVATIONS_DEG)}° above the horizon (training: the rest of "
        f"{ELEVATIONS_DEG[0]:g} to {FROM_ABOVE_DEG[1]:g}°); their poses are uniform, all else about them is drawn as "
        "in training.",
        "- Emoji carry the views of their makers: professions, families and flags are drawn as they drew them.",
        "",
    ]
    path = folder / "MODEL_CARD.md"
    path.write_text("\n".join(lines), encoding="utf-8")
    return path


def training_of(folder: Path) -> str:
    """What the card beside a model says of its training's length, and of those before it; empty without a card."""
    path = folder / "MODEL_CARD.md"
    lines = path.read_text(encoding="utf-8").splitlines() if path.is_file() else []
    return " ".join(line.removeprefix("- ") for line in lines if line.startswith(("- Command: ", "- Seed ", _WENT_ON)))


def _earlier(start_from: str, training: str) -> list[str]:
    if not start_from:
        return []
    return [
        f"{_WENT_ON} from the weights of an earlier training (EARLIER, sha256 `{start_from}…`), whose card says: "
        f"{training}"
    ]


def _attribution() -> str:
    """Every drawing's maker whose licence asks to be named."""
    parts = []
    for licence, name, url in (("CC-BY-4.0", "CC BY 4.0", "by"), ("CC-BY-SA-4.0", "CC BY-SA 4.0", "by-sa")):
        owners = [f"{style.title} © {style.author}" for style in STYLES if style.licence == licence]
        parts.append(f"{'; '.join(owners)} ([{name}](https://creativecommons.org/licenses/{url}/4.0/))")
    return f"Attribution: {'; '.join(parts)}. The drawings were resized, recoloured and composited."


def _span(ends: tuple[float, float]) -> str:
    return f"{ends[0]:g}–{ends[1]:g}".replace("-", "−")


def _row(figure: CardFigure) -> str:
    percent = figure.key != "foreground_auroc"
    value = f"{figure.value:.1%}" if percent else f"{figure.value:.3f}"
    floor = "reported only" if figure.floor is None else f"{figure.floor:.0%}" if percent else f"{figure.floor:.2f}"
    return f"| {figure.title} | {value} | {floor} | {figure.count:,} |"


def _verdict(figures: Sequence[CardFigure], validation: Sequence[dict[str, str]]) -> list[str]:
    short = [figure.title for figure in figures if figure.floor is not None and figure.value < figure.floor]
    if not short:
        return ["All floors are reached."]
    lines = ["Not reached in this training:", "", *(f"- {title}" for title in short)]
    if validation:
        rising = len(validation) > 1 and all(
            float(validation[-1][name]) > float(validation[-2][name]) for name in ("val_top1", "val_pose_exact")
        )
        lines += [
            "",
            "How far it had come, on a validation split of the training styles (drawings kept back, other heads)"
            + ("; still rising when it ended, so more steps would reach further:" if rising else ":"),
            "",
            "| step | name top-1 | name top-5 | exact pose caption |",
            "| --- | --- | --- | --- |",
        ]
        for row in validation:
            shares = (f"{float(row[name]):.1%}" for name in ("val_top1", "val_top5", "val_pose_exact"))
            lines.append(f"| {row['step']} | {' | '.join(shares)} |")
    return lines
