"""The third diagnosis without a training: do the projections overflow where there are many points?

    python -m experiments.bifusion.probe

A fresh network, real frames, and N points of them: the largest activation and gradient of the fusion, what is not
finite, and what vanished to zero, in three number formats, with all losses and with the consistency loss alone. Prints
the table and writes it as JSON beside the runs.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from core.errors import WorkbenchError
from core.fusion.bifusion import BiFusionEncoder, Enhanced2DEncoder, Points
from core.fusion.losses import ClipConsCriterion, Form
from core.settings import REPO_DIR, Settings
from experiments.bifusion.data import FrameBank, prepare_rooms
from experiments.bifusion.frames import read_classes, read_split
from experiments.bifusion.model import Segmenter, instance_loss, semantic_loss
from experiments.bifusion.place import image_model
from experiments.bifusion.plan import DEFAULT_WORK_DIR

POINTS = (256, 4_096, 65_536)
DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}
FRAMES = 4


def measure(
    bank: FrameBank, fusion: BiFusionEncoder, points: int, dtype: str, form: Form, *, all_losses: bool, scale: float
) -> dict[str, Any]:
    """One forward and backward pass with `points` points in all, float16 and bfloat16 without loss scaling.

    Args:
        scale: of the 3-D features, as if the backbone put out values that much larger.
    """
    model = Segmenter(len(bank.class_names), fusion, dtype=DTYPES[dtype])
    batch = bank.batch(range(FRAMES), points // FRAMES, (0,))
    with torch.no_grad():
        features_NC = scale * model.backbone(batch.local_N3_m, batch.rgb_N3, batch.batch_N)
        tokens = fusion.image_encoder.frozen_tokens(bank.pixels_FCHW[batch.frames_B])
    out = model.fuse(Points(batch.xyz_N3_m, features_NC, batch.batch_N), tokens, batch)
    out.feat_fusion.retain_grad()
    loss = ClipConsCriterion(form=form)(out.feat_fusion, out.clip_global, out.batch_N, out.valid_N).float()
    if all_losses:
        fused = out.feat_fusion.float()
        loss = loss + 0.4 * semantic_loss(model.semantic_head(fused), batch.label_N)
        loss = loss + instance_loss(model.offset_head(fused), batch.offset_N3_m, batch.thing_N)
    model.zero_grad()
    loss.backward()
    by_point = out.feat_fusion.grad[out.valid_N]
    weights = {
        "points_96_256": fusion.point_projection.weight,
        "clip_to_256": fusion.image_encoder.spatial_projection.weight,
    }
    found = [weight.grad for weight in weights.values()] + [by_point]
    return {
        "points": points,
        "dtype": dtype,
        "form": form,
        "losses": "all" if all_losses else "clip",
        "scale": scale,
        "largest_activation": float(out.feat_fusion.detach().float().abs().max()),
        **{f"gradient_{name}": float(weight.grad.double().norm()) for name, weight in weights.items()},
        "gradient_zero_share": float((by_point == 0).float().mean()),
        "not_finite": sum(int((~torch.isfinite(one)).sum()) for one in found)
        + int(not math.isfinite(float(loss.detach()))),
    }


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; returns the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m experiments.bifusion.probe", description=(__doc__ or "").split("\n")[0]
    )
    parser.add_argument("--points", type=int, nargs="*", default=POINTS)
    parser.add_argument("--output", type=Path, default=REPO_DIR / "experiments" / "results" / "bifusion" / "probe.json")
    parser.add_argument("--weights_dir", "--weights-dir", type=Path, default=Settings().weights_dir)
    parser.add_argument("--work_dir", "--work-dir", type=Path, default=DEFAULT_WORK_DIR)
    options = parser.parse_args(arguments)
    try:
        root = prepare_rooms(options.work_dir)
        classes = read_classes(root)
        encoder = image_model("demo_clip", options.weights_dir)
        bank = FrameBank(read_split(root, "train", classes)[:2], classes, encoder)
        rows = []
        for points in options.points:
            for dtype in DTYPES:
                for all_losses in (False, True):
                    for scale in (1.0, 600.0):  # 600: activations of ±50
                        fusion = BiFusionEncoder(Enhanced2DEncoder.from_encoder(encoder), occlusion_m=0.3)
                        rows.append(measure(bank, fusion, points, dtype, "naive", all_losses=all_losses, scale=scale))
                        print(json.dumps(rows[-1]), flush=True)
        options.output.parent.mkdir(parents=True, exist_ok=True)
        options.output.write_text("[\n" + ",\n".join(json.dumps(row) for row in rows) + "\n]\n", encoding="utf-8")
    except WorkbenchError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
