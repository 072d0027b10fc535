"""What the Pose tab and its HTTP API share between the visitor and `core.pose`.

look        a pose, its wording, a model → caption, embedding, q/k/v of an encoder, the map around the pose
audits      a model → the audit of every encoder, one after the other
convert     an uploaded CSV of poses → a file with captions and vectors
guess       a photo → the 45 captions ranked
"""

from __future__ import annotations

import json
import math
import threading
from collections import OrderedDict
from collections.abc import Callable, Generator, Iterator
from contextlib import closing
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from core.errors import InputError
from core.images.crops import crop
from core.images.decode import decode
from core.pose.angles import ANGLE_NAMES, ANGLES, checked_angles
from core.pose.arms import ARMS
from core.pose.audit import Candidate, Encode, PoseAudit, audit_all
from core.pose.embedding import Embedded, Wording, embed_captions, embed_poses, lend_text_model, vector_table
from core.pose.poses import PosesResult
from core.pose.poses import convert as convert_file
from core.pose.words import Says as PoseSays
from core.pose.zero_shot import PoseGuess, zero_shot
from core.settings import ImageLimits
from core.types import ImageSource, Progress
from core.words import Common
from webapp.kit import assets
from webapp.kit.services import Services
from webapp.kit.uploads import Upload
from webapp.kit.words import KitSays
from webapp.pose.words import Says

if TYPE_CHECKING:
    from core.pose.encoders import PoseEncoder

OUTPUT_DIM = 3 * 512
ENCODERS = tuple(name for name in ARMS if name not in ("none", "clip_permuted", "clip_random"))
"""Whose q, k, v are shown: all but those that say nothing true of the pose."""
AUDITED = tuple(name for name in ARMS if name not in ("none", "clip_random", "clip_continuous"))
"""All but those of nothing or of noise, and the one that needs the text tower for every pose."""
ENCODERS_KEPT = 32
AUDIT_POSES = 300
SLOW_POSES = 64
"""Poses timed through the text tower; scaled to 1,000."""
MAP_YAW_DEG, MAP_PITCH_DEG = 90, 60
MAP_STEP_DEG = 2.5
CONTINUOUS_STEP_DEG = 10.0
"""A caption for each cell has to go through the text tower."""
FILE_SUFFIXES = (".npz", ".csv", ".parquet")
MAX_FILE_VALUES = 100_000_000
MAX_FILE_CAPTIONS = 20_000
VECTOR_FORMATS = ("npz", "npy", "csv", "parquet", "json")
EXAMPLE_HEADS = {"astronaut.jpg": (100, 0, 290, 190), "photographer.jpg": (125, 40, 265, 180)}
"""Example photos with the box around the head, pixels."""
RENDERED = "rendered"
RENDERED_PX = 256


@dataclass(frozen=True)
class Pose:
    """Yaw, pitch, roll in degrees, wrapped; `wrapped` names the angles that were beyond ±180, as given."""

    yaw: float = 0.0
    pitch: float = 0.0
    roll: float = 0.0
    wrapped: tuple[tuple[str, float, float], ...] = ()

    @classmethod
    def read(cls, sent: Any) -> Pose:
        """From the dials, or from numbers a program sent. Raises `InputError` for what is no finite number."""
        values = []
        for name, angle in zip(ANGLES, ANGLE_NAMES, strict=True):
            value = sent.get(name) if isinstance(sent, dict) else None
            if value is None or (isinstance(value, str) and not value.strip()):
                raise InputError(Says.angle_empty(angle=angle()), next_step=Says.give_angle())
            try:
                number = float(value) if not isinstance(value, bool) else math.nan
            except OverflowError:  # a whole number of hundreds of digits
                number = math.inf
            except (TypeError, ValueError):
                raise InputError(
                    Says.angle_no_number(angle=angle(), value=str(value)[:40]), next_step=Says.give_angle()
                ) from None
            if not math.isfinite(number):
                raise InputError(PoseSays.not_finite(angles=angle()), next_step=Says.give_angle())
            values.append(number)
        yaw, pitch, roll = checked_angles(values)[0].tolist()
        used = zip(ANGLES, values, (yaw, pitch, roll), strict=True)
        return cls(yaw, pitch, roll, tuple((name, old, new) for name, old, new in used if old != new))

    @property
    def angles_13(self) -> np.ndarray:
        return np.array([[self.yaw, self.pitch, self.roll]])


@dataclass(frozen=True)
class Asked:
    """What a visitor wants to see of a pose."""

    pose: Pose
    wording: Wording
    model: str
    encoder: str = "clip"
    device: str = "auto"


@dataclass(frozen=True, eq=False)
class Looked:
    """What is shown of a pose.

    Attributes:
        asked: of the visitor.
        made: the caption and its embedding.
        qkv_3M: float32 `[3, 512]`, the untrained encoder's parts for queries, keys, values.
        parameters: of the encoder, trainable.
        yaw_deg, pitch_deg: axes of the map. similarity_PY: cosine with the current pose's caption, rows are pitch.
    """

    asked: Asked
    made: Embedded
    qkv_3M: np.ndarray
    parameters: int
    yaw_deg: np.ndarray
    pitch_deg: np.ndarray
    similarity_PY: np.ndarray


class UntrainedEncoder:
    """A pose encoder with its first, random weights. Thread-safe.

    Attributes:
        parameters: that training would change.
    """

    def __init__(self, encoder: PoseEncoder) -> None:
        from core.pose.encoders import trainable_parameters

        self.parameters = trainable_parameters(encoder)
        self._encoder = encoder
        self._lock = threading.Lock()  # it remembers continuous captions

    def __call__(self, angles_N3: np.ndarray) -> np.ndarray:
        """float64 `[N, 3]` degrees → float32 `[N, OUTPUT_DIM]`."""
        with self._lock:
            return self._encoder.encode(angles_N3)


class EncoderShelf:
    """Untrained pose encoders, each made once for its model. Thread-safe; the least recently used goes first.

    They hold projections and small tables, never a text tower: captions are encoded by the manager's model.
    """

    def __init__(self, services: Services) -> None:
        self._services = services
        self._kept: OrderedDict[tuple[str, str, str], UntrainedEncoder] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, name: str, model: str, device: str) -> UntrainedEncoder:
        """Raises as `build_pose_encoder`."""
        from core.pose.encoders import build_pose_encoder

        key = (name, model, device)
        with self._lock:
            if key in self._kept:
                self._kept.move_to_end(key)
                return self._kept[key]
        services = self._services
        encoder = UntrainedEncoder(
            build_pose_encoder(
                name,
                OUTPUT_DIM,
                clip_model_name=model,
                device="cpu",  # projections of a few megabytes
                weights_dir=services.settings.weights_dir,
                encode_texts=lambda captions: embed_captions(captions, services.manager, model, device=device).units_ND,
            )
        )
        with self._lock:
            self._kept[key] = encoder
            while len(self._kept) > ENCODERS_KEPT:
                self._kept.popitem(last=False)
        return encoder


# --- one pose ---------------------------------------------------------------------------------------------------------


def look(services: Services, shelf: EncoderShelf, asked: Asked) -> Looked:
    """Raises `InputError`, `Unsupported`, `WeightsMissing` … as the parts do."""
    made = embed_poses(asked.pose.angles_13, services.manager, asked.model, asked.wording, device=asked.device)
    encoder = shelf.get(asked.encoder, asked.model, asked.device)
    qkv_3M = encoder(asked.pose.angles_13)[0].reshape(3, -1)
    yaw_deg, pitch_deg, similarity_PY = similarity_map(services, asked, made)
    return Looked(asked, made, qkv_3M, encoder.parameters, yaw_deg, pitch_deg, similarity_PY)


def similarity_map(services: Services, asked: Asked, made: Embedded) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The cosine of this pose's caption with those of other yaws and pitches, at its own roll."""
    step = CONTINUOUS_STEP_DEG if asked.wording.continuous else MAP_STEP_DEG
    # Cells' centres; the bins' edges then fall between two cells.
    yaw_deg = np.arange(-MAP_YAW_DEG + step / 2, MAP_YAW_DEG, step)
    pitch_deg = np.arange(-MAP_PITCH_DEG + step / 2, MAP_PITCH_DEG, step)
    grid_PY3 = np.stack(
        [*np.meshgrid(yaw_deg, pitch_deg), np.full((len(pitch_deg), len(yaw_deg)), asked.pose.roll)], -1
    )
    around = embed_poses(
        grid_PY3.reshape(-1, 3), services.manager, asked.model, asked.wording, device=asked.device
    ).units_ND
    return yaw_deg, pitch_deg, (around @ made.units_ND[0]).reshape(len(pitch_deg), len(yaw_deg))


def vector_file(services: Services, looked: Looked, kind: str) -> Path:
    """`pose.npz` …: the embedding in the house's format; `pose.json`: everything shown, q, k and v too."""
    path = services.new_folder() / f"pose.{kind}"
    if kind != "json":
        from core.vectorize import store

        store.write(vector_table(looked.made, services.manager), path)
        return path
    pose, asked = looked.asked.pose, looked.asked
    query, key, value = looked.qkv_3M.tolist()
    document = {
        "yaw_deg": pose.yaw,
        "pitch_deg": pose.pitch,
        "roll_deg": pose.roll,
        "caption": looked.made.captions[0],
        "model": looked.made.model,
        "embedding": looked.made.units_ND[0].tolist(),
        "pose_encoder": {"name": asked.encoder, "trained": False, "seed": 0, "parameters": looked.parameters},
        "q": query,
        "k": key,
        "v": value,
    }
    path.write_text(json.dumps(document, ensure_ascii=False, indent=1), encoding="utf-8")
    return path


# --- every encoder ----------------------------------------------------------------------------------------------------


def audits(services: Services, shelf: EncoderShelf, model: str, device: str) -> Iterator[Progress | PoseAudit]:
    """`AUDITED` with this model's text tower, then `clip` timed without its cache (named `clip_uncached`)."""

    def maker(name: str) -> Callable[[], Encode]:
        return lambda: shelf.get(name, model, device)

    def uncached(angles_N3: np.ndarray) -> np.ndarray:
        """Every pose's caption through the text tower, then through the projection."""
        captions = Wording().captions(angles_N3)
        with lend_text_model(services.manager, model, device) as lease:
            for begin in range(0, len(captions), 64):
                lease.encoder.encode_texts(captions[begin : begin + 64])
        return shelf.get("clip", model, device)(angles_N3)

    candidates = [Candidate(name, maker(name)) for name in AUDITED]
    candidates.append(Candidate("clip_uncached", maker("clip"), timed=uncached, timed_poses=SLOW_POSES))
    yield from audit_all(candidates, poses=AUDIT_POSES)


# --- many poses -------------------------------------------------------------------------------------------------------


def convert(
    services: Services, upload: Upload, suffix: str, wording: Wording, model: str, device: str
) -> Generator[Progress | PosesResult, None, None]:
    """Progress, then the result; its `output` lies in a private folder."""
    if suffix not in FILE_SUFFIXES:
        raise InputError(KitSays.no_format(suffix=suffix[:20]), next_step=Common.choose(names=", ".join(FILE_SUFFIXES)))
    stem = Path(upload.name).stem[:60] or "poses"
    output = services.new_folder() / f"{stem}-encoded{suffix}"
    with closing(
        convert_file(  # type: ignore[type-var]
            upload.path,
            output,
            wording,
            manager=services.manager,
            model=model,
            device=device,
            max_values=MAX_FILE_VALUES,
            max_captions=MAX_FILE_CAPTIONS,
        )
    ) as steps:
        yield from steps


# --- a photo ----------------------------------------------------------------------------------------------------------


def guess(
    services: Services, upload: Upload, model: str, device: str, templates: tuple[str, ...], limits: ImageLimits
) -> tuple[np.ndarray, PoseGuess]:
    """The photo, upright, and what the model makes of it. Raises `ImageRejected` and as `zero_shot`."""
    rgb_HWC = decode(ImageSource(upload.name, path=upload.path), limits)
    return rgb_HWC, zero_shot(rgb_HWC, services.manager, model, templates=templates, device=device)


@lru_cache(maxsize=4)
def example_head(name: str) -> np.ndarray:
    """An example photo, cropped to the head: uint8 `[H, W, 3]`."""
    rgb_HWC = decode(ImageSource(name, path=assets.PHOTOS_DIR / name), ImageLimits())
    return np.ascontiguousarray(crop(rgb_HWC, EXAMPLE_HEADS[name]))


def rendered_head(pose: Pose, size_px: int = RENDERED_PX) -> np.ndarray:
    """The drawn head at a pose, on a plain ground: uint8 `[H, W, 3]`."""
    from core.pose.rendering import HeadLooks, render_heads

    rgba_HW4 = render_heads(HeadLooks.plain(1), pose.angles_13, size_px=size_px)[0].astype(np.float32)
    ground = np.array([196, 205, 214], np.float32) * (1 - rgba_HW4[..., 3:] / 255)
    return (rgba_HW4[..., :3] + ground).clip(0, 255).astype(np.uint8)


def shown_size(rgb_HWC: np.ndarray, side_px: int = 192) -> np.ndarray:
    """At most `side_px` along the longer side."""
    from PIL import Image

    scale = min(1.0, side_px / max(rgb_HWC.shape[:2]))
    size = (max(1, round(rgb_HWC.shape[1] * scale)), max(1, round(rgb_HWC.shape[0] * scale)))
    return np.asarray(Image.fromarray(rgb_HWC).resize(size, Image.Resampling.BOX))
