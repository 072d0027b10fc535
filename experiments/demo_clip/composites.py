"""The held-out pictures behind the card's foreground figure, and as files for `python -m core foreground evaluate`."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from core.errors import InputError
from experiments.demo_clip.data import IMAGE_PX, OBJECT_GROUPS, Composer

EACH = 600  # whole objects; fragments; backgrounds
KINDS = ("whole", "fragment", "background")
SEED = 99


def foreground_pictures(composer: Composer, each: int = EACH) -> tuple[torch.Tensor, np.ndarray]:
    """`each` whole objects on grounds, fragments, and bare grounds, in this order.

    Objects are people, animals, food, vehicles, activities and things; symbols and flags stand for nothing that the
    prompts name. Trees are left out, because "tree" is one of the negative prompts.

    Returns:
        (`pixels_BCHW` float32 0..1, `is_foreground_B` bool).
    """
    rng = np.random.default_rng(SEED)
    objects = [
        number
        for number in composer.known_classes
        if composer.classes[number].group in (1, *OBJECT_GROUPS) and "tree" not in composer.classes[number].name
    ]
    whole, _ = composer.singles(rng, rng.choice(objects, each, replace=False))
    fragments, _ = composer.fragments(rng, rng.choice(objects, each))
    bare, _ = composer.backgrounds_only(rng, each)
    return torch.cat([whole, fragments, bare]), np.arange(len(KINDS) * each) < each


def write(composer: Composer, folder: Path, each: int = EACH) -> Path:
    """`foreground_pictures` as PNG under `folder/images`, and `folder/truth.json`; returns the latter's path.

    The truth is COCO-like: one annotation to a picture, whose box is all of it and whose `foreground` says the side. So
    the treatment `raw_crop` shows the model just what the card's figure was taken of (in 8 bits).

    Raises:
        InputError: the folder holds something else already, or cannot be written.
    """
    truth_json = folder / "truth.json"
    if folder.exists() and not truth_json.is_file() and (not folder.is_dir() or any(folder.iterdir())):
        raise InputError("The folder is not empty.", where=str(folder), next_step="Name a new one with --output.")
    pixels_BCHW, is_foreground_B = foreground_pictures(composer, each)
    rgb_BHWC = (pixels_BCHW * 255).round().to(torch.uint8).permute(0, 2, 3, 1).numpy()
    images, annotations = [], []
    try:
        (folder / "images").mkdir(parents=True, exist_ok=True)
        for number, (rgb_HWC, is_foreground) in enumerate(zip(rgb_BHWC, is_foreground_B.tolist(), strict=True)):
            kind = KINDS[number // each]
            name = f"{kind}_{number % each:03}.png"
            Image.fromarray(rgb_HWC).save(folder / "images" / name)
            images.append({"id": number, "file_name": name, "height": IMAGE_PX, "width": IMAGE_PX})
            box = [0, 0, IMAGE_PX, IMAGE_PX]
            annotations.append(
                {"id": number, "image_id": number, "bbox": box, "foreground": is_foreground, "kind": kind}
            )
        truth_json.write_text(json.dumps({"images": images, "annotations": annotations}, indent=1), encoding="utf-8")
    except OSError as error:
        raise InputError(f"The composites cannot be written: {error.strerror}.", where=str(folder)) from error
    return truth_json
