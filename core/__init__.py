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

# public name → (module, name there)
_PUBLIC = {
    "ImageSource": ("core.types", "ImageSource"),
    "Progress": ("core.types", "Progress"),
    "Reject": ("core.types", "Reject"),
    "VectorTable": ("core.types", "VectorTable"),
    "VectorizeRequest": ("core.types", "VectorizeRequest"),
    "WorkbenchError": ("core.errors", "WorkbenchError"),
    "ImageLimits": ("core.settings", "ImageLimits"),
    "Settings": ("core.settings", "Settings"),
    "decode": ("core.images.decode", "decode"),
    "find_images": ("core.images.sources", "find"),
    "images_from_zip": ("core.images.archive", "from_zip"),
    "ModelManager": ("core.models.manager", "ModelManager"),
    "vectorize_all": ("core.vectorize.pipeline", "vectorize_all"),
    "read_vectors": ("core.vectorize.store", "read"),
    "write_vectors": ("core.vectorize.store", "write"),
    "check_vectors": ("core.vectorize.store", "check"),
    "search_by_image": ("core.vectorize.search", "by_image"),
    "search_by_text": ("core.vectorize.search", "by_text"),
    "search_by_vector": ("core.vectorize.search", "by_vector"),
    "ForegroundRequest": ("core.foreground.pipeline", "ForegroundRequest"),
    "Picture": ("core.foreground.pipeline", "Picture"),
    "PromptSet": ("core.foreground.prompts", "PromptSet"),
    "components_from_boxes": ("core.foreground.annotations", "from_boxes"),
    "components_from_json": ("core.foreground.annotations", "from_json"),
    "components_from_mask": ("core.foreground.mask_images", "from_mask"),
    "score_foreground": ("core.foreground.pipeline", "score_all"),
    "explain_scores": ("core.foreground.explain", "explain"),
    "describe_pose": ("core.pose.text", "describe"),
    "encode_pose": ("core.pose.embedding", "embed_poses"),
    "guess_pose": ("core.pose.zero_shot", "zero_shot"),
    "PoseWording": ("core.pose.embedding", "Wording"),
    "build_pose_encoder": ("core.pose.encoders", "build_pose_encoder"),
    "MLPPoseEncoder": ("core.pose.encoders", "MLPPoseEncoder"),
    "CLIPPoseEncoder": ("core.pose.encoders", "CLIPPoseEncoder"),
    "HybridPoseEncoder": ("core.pose.encoders", "HybridPoseEncoder"),
    "PoseBlock": ("core.pose.injection", "PoseBlock"),
}

__all__ = sorted(_PUBLIC)


def __getattr__(name: str) -> Any:
    if name not in _PUBLIC:
        raise AttributeError(f"module 'core' has no attribute {name!r}")
    module, attribute = _PUBLIC[name]
    return getattr(importlib.import_module(module), attribute)


def __dir__() -> list[str]:
    return [*globals(), *_PUBLIC]
