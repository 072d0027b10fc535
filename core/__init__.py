"""CLIP Workbench: CLIP as a part, used from Python.

    file bytes ─decode▶ rgb_HWC (uint8) ─preprocess▶ pixels_BCHW ─encoder▶ features_BD ─L2▶ vectors_ND ─▶ store, search
    mask/box + rgb_HWC ─crop, treat▶ pixels_BCHW ─encoder▶ features ─ × prompts ▶ probabilities ▶ component scores
    yaw, pitch, roll (deg) ─▶ caption ─text tower, cached▶ embedding ─projection▶ q, k, v offsets in a transformer
    training loop ─▶ run folder (config, metrics, environment) ─▶ read ▶ align by seed ▶ compare ▶ verdict

One manager lends the models to all of them. Everything crosses stages as a small frozen dataclass whose rows keep their
ids: forty photos in, thirty-eight vectors and two named rejects out.

    from core import ModelManager, Settings, VectorizeRequest, find_images, vectorize_all, write_vectors

    manager = ModelManager(Settings())
    table = vectorize_all(find_images(Path("photos")).sources, VectorizeRequest(("efficientnet_lite0",)), manager)
    write_vectors(table, Path("photos.npz"))

Names are imported when they are first used: `import core` costs no torch. Each part's own module says more; read
`core.types` for the legend of the names, then `core.vectorize.pipeline`.
"""

from __future__ import annotations

import importlib
from typing import Any

# public name → (module, name there). Relative, as all imports within: the wheel installs this package as
# `clip_workbench`, beside whatever `core` a project has of its own.
_PUBLIC = {
    "ImageSource": (".types", "ImageSource"),
    "Progress": (".types", "Progress"),
    "Reject": (".types", "Reject"),
    "VectorTable": (".types", "VectorTable"),
    "VectorizeRequest": (".types", "VectorizeRequest"),
    "WorkbenchError": (".errors", "WorkbenchError"),
    "ImageLimits": (".settings", "ImageLimits"),
    "Settings": (".settings", "Settings"),
    "decode": (".images.decode", "decode"),
    "find_images": (".images.sources", "find"),
    "images_from_zip": (".images.archive", "from_zip"),
    "ModelManager": (".models.manager", "ModelManager"),
    "vectorize_all": (".vectorize.pipeline", "vectorize_all"),
    "read_vectors": (".vectorize.store", "read"),
    "write_vectors": (".vectorize.store", "write"),
    "check_vectors": (".vectorize.comparable", "check"),
    "search_by_image": (".vectorize.search", "by_image"),
    "search_by_text": (".vectorize.search", "by_text"),
    "search_by_vector": (".vectorize.search", "by_vector"),
    "ForegroundRequest": (".foreground.request", "ForegroundRequest"),
    "Picture": (".foreground.request", "Picture"),
    "PromptSet": (".foreground.prompts", "PromptSet"),
    "components_from_boxes": (".foreground.annotations", "from_boxes"),
    "components_from_json": (".foreground.annotations", "from_json"),
    "components_from_mask": (".foreground.mask_images", "from_mask"),
    "score_foreground": (".foreground.pipeline", "score_all"),
    "explain_scores": (".foreground.explain", "explain"),
    "describe_pose": (".pose.text", "describe"),
    "encode_pose": (".pose.embedding", "embed_poses"),
    "guess_pose": (".pose.zero_shot", "zero_shot"),
    "PoseWording": (".pose.embedding", "Wording"),
    "build_pose_encoder": (".pose.encoders", "build_pose_encoder"),
    "MLPPoseEncoder": (".pose.encoders", "MLPPoseEncoder"),
    "CLIPPoseEncoder": (".pose.encoders", "CLIPPoseEncoder"),
    "HybridPoseEncoder": (".pose.encoders", "HybridPoseEncoder"),
    "PoseBlock": (".pose.injection", "PoseBlock"),
}

__all__ = sorted(_PUBLIC)


def __getattr__(name: str) -> Any:
    if name not in _PUBLIC:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module, attribute = _PUBLIC[name]
    return getattr(importlib.import_module(module, __name__), attribute)


def __dir__() -> list[str]:
    return [*globals(), *_PUBLIC]
