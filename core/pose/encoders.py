"""Head pose → conditioning vectors: one protocol, `[B, 3] degrees → [B, output_dim]`, for every way of saying a pose.

    angles ─▶ features [B, F] ─▶ projection (trainable) ─▶ [B, output_dim] ─▶ `injection.py` splits it into q, k, v

`MLPPoseEncoder` is the default; `CLIPPoseEncoder` is what it is compared with; the others are controls (`arms.py` says
what each is for). They are interchangeable, and `build_pose_encoder` makes any of them by name.

**Cost.** A frozen CLIP with discrete captions is a table of 45 rows: the text tower runs once, when the encoder is
made, and is dropped. Continuous captions are cached for each rounded pose. Only an unfrozen tower runs in each step,
once for each different caption of the batch.

**A fair comparison.** Features differ in width (3 for the angles, 512 for CLIP), so equal hidden layers would not be
equal projections. `build_pose_encoder` gives every encoder the hidden width that makes its trainable parameters equal
to those of the `clip` encoder, to within one hidden unit; the learned table counts with its rows, a fine-tuned tower
does not count. CLIP's embeddings all point nearly the same way; they are normalised, centred and scaled once, by the
mean and spread of the captions, so that each encoder's features have about unit variance.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from ..errors import InputError, UnknownModel, Unsupported, WeightsMissing
from ..models.catalogue import DEMO_MODEL, OPEN_CLIP_CONFIG, find
from ..models.device import pick_device
from ..models.spec import ModelSpec
from ..models.weights import family_module, fetch_command, load_encoder, locate
from ..settings import Settings
from ..types import Notice
from ..words import Common
from .angles import checked_angles
from .arms import ARMS, FURTHER_POSE_ENCODERS
from .text import (
    CAPTIONS,
    PITCH_EDGES_DEG,
    PITCH_WORDS,
    ROLL_EDGE_DEG,
    ROLL_WORDS,
    YAW_EDGES_DEG,
    describe,
)
from .words import Says

# OpenAI's own names, as in `clip.load`.
OPENAI_NAMES = {
    "ViT-B/32": "openai_clip_vit_b32",
    "ViT-B/16": "openai_clip_vit_b16",
    "ViT-L/14": "openai_clip_vit_l14",
    "RN50": "openai_clip_rn50",
    "RN101": "openai_clip_rn101",
}
HIDDEN_DIM = 256
OUTPUT_DIM = 512 * 3
FOURIER_MULTIPLES = (1, 2, 4, 8)
# The middle of each bin, for interpolation; an open outer bin counts as wide as the bin beside it.
YAW_CENTRES_DEG = (-60.0, -30.0, 0.0, 30.0, 60.0)
PITCH_CENTRES_DEG = (-40.0, 0.0, 40.0)
ROLL_CENTRES_DEG = (-20.0, 0.0, 20.0)
CENTRE_POSES_DEG = np.array([(y, p, r) for y in YAW_CENTRES_DEG for p in PITCH_CENTRES_DEG for r in ROLL_CENTRES_DEG])
# Poses whose captions say where numeric captions lie and how far they spread.
SPREAD_POSES_DEG = np.random.default_rng(0).uniform(-90, 90, (128, 3))
CACHE_ROWS = 2**17  # 131,072 continuous captions of 512 values are 268 MB

# K captions → features `[K, D]`, not normalised; `TextCache.encode` with an encoder, for example.
EncodeTexts = Callable[[Sequence[str]], Any]


class PoseEncoder(nn.Module):
    """The protocol. A subclass says what its features are.

    Attributes:
        output_dim: width of what comes out: three equal parts for queries, keys and values.
        feature_dim: width of the features.
        weights_sha256: of the text tower's weight file, or what it says of random weights; empty without a tower.
    """

    weights_sha256 = ""

    def __init__(self, feature_dim: int, output_dim: int, hidden_dim: int) -> None:
        super().__init__()
        self.feature_dim, self.output_dim = feature_dim, output_dim
        self.projection: nn.Module = projection(feature_dim, hidden_dim, output_dim)

    @abstractmethod
    def features(self, angles_deg_B3: torch.Tensor) -> torch.Tensor:
        """`[B, 3]` degrees, checked → float32 `[B, feature_dim]`, what the projection sees."""

    def prepare(self, angles_deg_N3: torch.Tensor) -> None:
        """Does beforehand, in the order given, what would be done once for each of these poses; most have nothing."""

    def forward(self, angles_deg_B3: torch.Tensor) -> torch.Tensor:
        """`[B, 3]` yaw, pitch, roll in degrees → `[B, output_dim]`.

        Raises:
            InputError: another shape, or a NaN or infinite angle (names the row). Angles beyond ±180 are wrapped.
        """
        out: torch.Tensor = self.projection(self.features(checked_tensor(angles_deg_B3)))
        return out


class NoPoseEncoder(PoseEncoder):
    """Zeros: the trunk without the pose. No parameters."""

    def __init__(self, output_dim: int = OUTPUT_DIM) -> None:
        nn.Module.__init__(self)
        self.feature_dim, self.output_dim, self.projection = 0, output_dim, nn.Identity()

    def features(self, angles_deg_B3: torch.Tensor) -> torch.Tensor:
        return angles_deg_B3.new_zeros(len(angles_deg_B3), 0, dtype=torch.float32)

    def forward(self, angles_deg_B3: torch.Tensor) -> torch.Tensor:
        angles_deg_B3 = checked_tensor(angles_deg_B3)
        return angles_deg_B3.new_zeros(len(angles_deg_B3), self.output_dim, dtype=torch.float32)


# --- numbers --------------------------------------------------------------------------------------------------------


class MLPPoseEncoder(PoseEncoder):
    """The angles as numbers through an MLP: the default encoder.

    Args:
        output_dim: three times the transformer's width.
        hidden_dim: of the one hidden layer; 0: a linear map.
        representation: `angles` (degrees / 90, three numbers; jumps at ±180), `sincos` (six), `6d` (the first two
            columns of the rotation matrix, Zhou et al. 2019; continuous over all rotations), `fourier` (sines and
            cosines of 1, 2, 4, 8 times each angle).
    """

    DIMS = {"angles": 3, "sincos": 6, "6d": 6, "fourier": 6 * len(FOURIER_MULTIPLES)}  # noqa: RUF012

    def __init__(
        self, output_dim: int = OUTPUT_DIM, hidden_dim: int = HIDDEN_DIM, representation: str = "angles"
    ) -> None:
        if representation not in self.DIMS:
            raise InputError(
                Says.no_such_representation_angles(),
                where=representation,
                next_step=Common.one_of(names=", ".join(self.DIMS)),
            )
        super().__init__(self.DIMS[representation], output_dim, hidden_dim)
        self.representation = representation

    def features(self, angles_deg_B3: torch.Tensor) -> torch.Tensor:
        if self.representation == "angles":
            return (angles_deg_B3 / 90.0).float()
        radians_B3 = torch.deg2rad(angles_deg_B3)
        if self.representation == "sincos":
            return torch.cat([radians_B3.sin(), radians_B3.cos()], dim=1).float()
        if self.representation == "6d":
            return _six_d(radians_B3).float()
        multiples_B3M = radians_B3[:, :, None] * radians_B3.new_tensor(FOURIER_MULTIPLES)
        return torch.cat([multiples_B3M.sin(), multiples_B3M.cos()], dim=2).flatten(1).float()


class FourierPoseEncoder(MLPPoseEncoder):
    """Fourier features of the angles (Tancik et al. 2020), at whole multiples, so that ±180 are one pose."""

    def __init__(self, output_dim: int = OUTPUT_DIM, hidden_dim: int = HIDDEN_DIM) -> None:
        super().__init__(output_dim, hidden_dim, "fourier")


class TablePoseEncoder(PoseEncoder):
    """A learned row for each of the 45 captions: what CLIP's captions are, without CLIP.

    Args:
        output_dim, hidden_dim: as of `MLPPoseEncoder`.
        row_dim: width of a row.
    """

    def __init__(self, output_dim: int = OUTPUT_DIM, hidden_dim: int = HIDDEN_DIM, row_dim: int = 64) -> None:
        super().__init__(row_dim, output_dim, hidden_dim)
        self.rows = nn.Embedding(len(CAPTIONS), row_dim)  # starts at unit variance, as all features

    def features(self, angles_deg_B3: torch.Tensor) -> torch.Tensor:
        rows_BD: torch.Tensor = self.rows(caption_numbers_of(angles_deg_B3))
        return rows_BD


# --- words ----------------------------------------------------------------------------------------------------------


class CLIPPoseEncoder(PoseEncoder):
    """Pose → caption → CLIP's text embedding → trainable projection.

    Args:
        output_dim: three times the transformer's width.
        clip_model_name: `ViT-B/32`, `ViT-B/16`, `ViT-L/14`, or any id of the catalogue with a text tower
            (`demo_clip` is always there).
        device: `auto | cpu | gpu | cuda:N | mps`; needs no GPU.
        freeze_clip: train the projection only. False: the text tower is fine-tuned with it, and captions are encoded
            anew in each step.
        use_continuous_text: the numbers themselves in the caption instead of the table's words.
        hidden_dim: of the projection's one hidden layer; 0: a linear map.
        variant: `plain`; `permuted`: the embeddings dealt to the wrong captions; `interpolated`: those of neighbouring
            captions, by angle (trilinear between `YAW_CENTRES_DEG` and the like, level beyond them); `random`: a text
            tower of the same architecture with random weights, which need not be here.
        template: the words around the caption, with one `{}`.
        round_deg: continuous captions are rounded to this many degrees (at least 0.1), and cached.
        weights_dir: where weights lie; default: the settings'.
        seed: of the permutation and of the random tower.
        encode_texts: a text tower that is loaded already (frozen only): captions → features `[K, D]`.

    Raises:
        UnknownModel, Unsupported: the model, or its text tower, does not exist.
        WeightsMissing: its weights are not here; another model is never taken in its place.
        InputError: choices that exclude each other; a caption that is longer than the tower reads.
    """

    def __init__(
        self,
        output_dim: int = OUTPUT_DIM,
        clip_model_name: str = "ViT-B/32",
        device: str | torch.device = "auto",
        freeze_clip: bool = True,
        use_continuous_text: bool = False,
        *,
        hidden_dim: int = HIDDEN_DIM,
        variant: str = "plain",
        template: str = "{}",
        round_deg: float = 0.1,
        weights_dir: Path | None = None,
        seed: int = 0,
        encode_texts: EncodeTexts | None = None,
    ) -> None:
        _refuse_contradictions(variant, freeze_clip, use_continuous_text, round_deg, encode_texts)
        place = pick_device(device) if isinstance(device, str) else device
        folder = Settings().weights_dir if weights_dir is None else weights_dir
        spec = text_model(clip_model_name, folder)
        tower: TextTower | None = None
        if encode_texts is None:
            tower = random_tower(spec, folder, place, seed) if variant == "random" else TextTower(spec, folder, place)
            encode_texts = tower.encode
        describe_as: dict[str, Any] = {"continuous": use_continuous_text, "template": template}
        poses_deg = _rounded(SPREAD_POSES_DEG, round_deg) if use_continuous_text else CENTRE_POSES_DEG
        reference_KD = _unit_rows(encode_texts(describe(poses_deg, **describe_as))).to(place)

        super().__init__(reference_KD.shape[1], output_dim, hidden_dim)
        self.model_id, self.variant, self.freeze_clip = spec.id, variant, freeze_clip
        self.weights_sha256 = tower.weights_sha256 if tower is not None else ""
        self.use_continuous_text, self.template, self.round_deg = use_continuous_text, template, round_deg
        self._describe_as = describe_as
        self._encode_texts = encode_texts
        self._cache = _Rows(CACHE_ROWS, reference_KD.new_empty(0, reference_KD.shape[1]))
        self.tower = tower.requires_grad_(True) if tower is not None and not freeze_clip else None
        if freeze_clip and not use_continuous_text:
            order = _derangement(len(CAPTIONS), seed) if variant == "permuted" else np.arange(len(CAPTIONS))
            self.register_buffer("table_KD", reference_KD[torch.from_numpy(order).to(place)])
        centre_D = reference_KD.mean(dim=0)
        self.register_buffer("centre_D", centre_D)
        self.register_buffer("spread", (reference_KD - centre_D).square().mean().sqrt().clamp(min=1e-12))
        self.to(place)

    def forward(
        self,
        angles_deg_B3: torch.Tensor,
        expressions: Sequence[str] | None = None,
        lights: Sequence[str] | None = None,
    ) -> torch.Tensor:
        """As `PoseEncoder.forward`; with a word on expression or light for each pose, they join its caption."""
        text_BD = self.text_embedding(angles_deg_B3, expressions, lights)
        out: torch.Tensor = self.projection(self._standardised(text_BD))
        return out

    def features(self, angles_deg_B3: torch.Tensor) -> torch.Tensor:
        return self._standardised(self.text_embedding(angles_deg_B3))

    def prepare(self, angles_deg_N3: torch.Tensor) -> None:
        if self.freeze_clip and self.use_continuous_text:
            self.text_embedding(angles_deg_N3)

    def text_embedding(
        self,
        angles_deg_B3: torch.Tensor,
        expressions: Sequence[str] | None = None,
        lights: Sequence[str] | None = None,
    ) -> torch.Tensor:
        """CLIP's embedding of each pose's caption, unit length (interpolated: within it): float32 `[B, D]`."""
        angles_deg_B3 = checked_tensor(angles_deg_B3)
        if expressions is not None or lights is not None:
            return self._worded(angles_deg_B3, expressions, lights)
        if self.use_continuous_text:
            return self._continuous(angles_deg_B3)
        if not self.freeze_clip:
            return self._discrete_in_training(angles_deg_B3)
        table_KD: torch.Tensor = self.table_KD
        if self.variant == "interpolated":
            return interpolation_weights(angles_deg_B3) @ table_KD
        return table_KD[caption_numbers_of(angles_deg_B3)]

    def _standardised(self, text_BD: torch.Tensor) -> torch.Tensor:
        features_BD: torch.Tensor = (text_BD - self.centre_D) / self.spread
        return features_BD

    def _discrete_in_training(self, angles_deg_B3: torch.Tensor) -> torch.Tensor:
        numbers_U, which_B = caption_numbers_of(angles_deg_B3).unique(return_inverse=True)
        captions = describe(CENTRE_POSES_DEG[numbers_U.cpu().numpy()], **self._describe_as)
        return self._trained_rows(captions)[which_B]

    def _continuous(self, angles_deg_B3: torch.Tensor) -> torch.Tensor:
        steps_B3 = torch.round(angles_deg_B3.double() / self.round_deg).long().cpu().numpy()
        steps_U3, which_B = np.unique(steps_B3, axis=0, return_inverse=True)
        rows_of = torch.from_numpy(which_B.reshape(-1)).to(angles_deg_B3.device)

        def captions(missing: Sequence[int]) -> list[str]:
            return describe(steps_U3[list(missing)] * self.round_deg, **self._describe_as)

        if not self.freeze_clip:
            return self._trained_rows(captions(range(len(steps_U3))))[rows_of]
        keys = [row.tobytes() for row in steps_U3]
        return self._cached_rows(keys, captions)[rows_of]

    def _worded(
        self, angles_deg_B3: torch.Tensor, expressions: Sequence[str] | None, lights: Sequence[str] | None
    ) -> torch.Tensor:
        if self.variant not in ("plain", "random"):
            raise InputError(
                Says.captions_take_no_words_expression(variant=self.variant),
                next_step=Says.use_plain_variant(),
            )
        angles = angles_deg_B3.double().cpu().numpy()
        if self.use_continuous_text:
            angles = _rounded(angles, self.round_deg)
        captions = describe(angles, expressions=expressions, lights=lights, **self._describe_as)
        different = list(dict.fromkeys(captions))
        number_of = {caption: number for number, caption in enumerate(different)}
        rows_of = torch.tensor([number_of[caption] for caption in captions], dtype=torch.long).to(angles_deg_B3.device)
        if not self.freeze_clip:
            return self._trained_rows(different)[rows_of]
        return self._cached_rows(different, lambda missing: [different[number] for number in missing])[rows_of]

    def _trained_rows(self, captions: Sequence[str]) -> torch.Tensor:
        assert self.tower is not None
        return nn.functional.normalize(self.tower(captions).float(), dim=1)

    def _cached_rows(self, keys: Sequence[Any], captions: Callable[[Sequence[int]], list[str]]) -> torch.Tensor:
        device = self.centre_D.device
        missing = self._cache.missing(keys)
        if missing:
            rows_MD = _unit_rows(self._encode_texts(captions(missing)))
            self._cache.put([keys[number] for number in missing], rows_MD.to(device))
        return self._cache.get(keys, device)


class HybridPoseEncoder(PoseEncoder):
    """CLIP and MLP, added: words for what they mean, numbers for what they leave out.

    Args:
        clip, mlp: two encoders of one `output_dim`.
    """

    def __init__(self, clip: CLIPPoseEncoder, mlp: PoseEncoder) -> None:
        nn.Module.__init__(self)
        if clip.output_dim != mlp.output_dim:
            raise InputError(
                Says.parts_hybrid_need_one_output(clip=clip.output_dim, mlp=mlp.output_dim),
                next_step=Says.make_both_same_output_dim(),
            )
        self.clip, self.mlp, self.weights_sha256 = clip, mlp, clip.weights_sha256
        self.output_dim, self.feature_dim = clip.output_dim, clip.feature_dim + mlp.feature_dim

    def features(self, angles_deg_B3: torch.Tensor) -> torch.Tensor:
        return torch.cat([self.clip.features(angles_deg_B3), self.mlp.features(angles_deg_B3)], dim=1)

    def prepare(self, angles_deg_N3: torch.Tensor) -> None:
        self.clip.prepare(angles_deg_N3)

    def forward(self, angles_deg_B3: torch.Tensor) -> torch.Tensor:
        angles_deg_B3 = checked_tensor(angles_deg_B3)
        out: torch.Tensor = self.clip(angles_deg_B3) + self.mlp(angles_deg_B3)
        return out


# --- made by name ---------------------------------------------------------------------------------------------------


def build_pose_encoder(
    name: str,
    output_dim: int = OUTPUT_DIM,
    *,
    clip_model_name: str = "ViT-B/32",
    device: str | torch.device = "auto",
    freeze_clip: bool = True,
    hidden_dim: int = HIDDEN_DIM,
    match_parameters: bool = True,
    round_deg: float = 0.1,
    weights_dir: Path | None = None,
    seed: int = 0,
    encode_texts: EncodeTexts | None = None,
) -> PoseEncoder:
    """Any encoder by its name in `core.pose.arms`.

    Args:
        name: one of `ARMS`, or `sixd`.
        hidden_dim: hidden width of the `clip` encoder; 0: linear maps.
        match_parameters: give every encoder as many trainable parameters as `clip` has with that width (see the
            module's text); False: the same hidden width for all.
        seed: of all that is random: first weights, permutation, random tower. torch's own generator is left alone.
        clip_model_name, device, freeze_clip, round_deg, weights_dir, encode_texts: as of `CLIPPoseEncoder`.

    Raises:
        InputError: an unknown name; and as `CLIPPoseEncoder`.
    """
    if name not in ARMS and name not in FURTHER_POSE_ENCODERS:
        raise InputError(
            Says.no_pose_encoder_name(),
            where=name,
            next_step=Common.one_of(names=", ".join([*ARMS, *FURTHER_POSE_ENCODERS])),
        )
    place = pick_device(device) if isinstance(device, str) else device
    folder = Settings().weights_dir if weights_dir is None else weights_dir
    words = {
        "clip_model_name": clip_model_name,
        "device": place,
        "freeze_clip": freeze_clip,
        "round_deg": round_deg,
        "weights_dir": folder,
        "seed": seed,
        "encode_texts": encode_texts,
    }
    text_dim = text_model(clip_model_name, folder).dim or 512
    budget = projection_parameters(text_dim, hidden_dim, output_dim)

    def width(feature_dim: int, share: float = 1.0, besides: int = 0) -> int:
        if not match_parameters or not hidden_dim:
            return hidden_dim
        return hidden_dim_for(round(budget * share) - besides, feature_dim, output_dim)

    def numbers(representation: str, share: float = 1.0) -> MLPPoseEncoder:
        return MLPPoseEncoder(output_dim, width(MLPPoseEncoder.DIMS[representation], share), representation)

    def clip(share: float = 1.0, **options: Any) -> CLIPPoseEncoder:
        return CLIPPoseEncoder(output_dim, hidden_dim=width(text_dim, share), **{**words, **options})

    makers: dict[str, Callable[[], PoseEncoder]] = {
        "none": lambda: NoPoseEncoder(output_dim),
        "mlp": lambda: numbers("angles"),
        "sincos": lambda: numbers("sincos"),
        "sixd": lambda: numbers("6d"),
        "fourier": lambda: FourierPoseEncoder(output_dim, width(MLPPoseEncoder.DIMS["fourier"])),
        "table": lambda: TablePoseEncoder(output_dim, width(64, besides=64 * len(CAPTIONS)), 64),
        "clip": clip,
        "clip_permuted": lambda: clip(variant="permuted"),
        "clip_random": lambda: clip(variant="random", encode_texts=None),
        "clip_interpolated": lambda: clip(variant="interpolated"),
        "clip_continuous": lambda: clip(use_continuous_text=True),
        "hybrid": lambda: HybridPoseEncoder(clip(0.5), numbers("angles", 0.5)),
    }
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return makers[name]().to(place)


def projection(feature_dim: int, hidden_dim: int, output_dim: int) -> nn.Module:
    """One hidden layer with GELU, or a linear map where `hidden_dim` is 0."""
    if not hidden_dim:
        return nn.Linear(feature_dim, output_dim)
    return nn.Sequential(nn.Linear(feature_dim, hidden_dim), nn.GELU(), nn.Linear(hidden_dim, output_dim))


def projection_parameters(feature_dim: int, hidden_dim: int, output_dim: int) -> int:
    """How many parameters `projection` has."""
    if not hidden_dim:
        return (feature_dim + 1) * output_dim
    return (feature_dim + 1) * hidden_dim + (hidden_dim + 1) * output_dim


def hidden_dim_for(parameters: int, feature_dim: int, output_dim: int) -> int:
    """The hidden width whose projection has `parameters`, rounded to the nearest; at least 1."""
    return max(1, round((parameters - output_dim) / (feature_dim + 1 + output_dim)))


def trainable_parameters(module: nn.Module) -> int:
    """Parameters that training changes."""
    return sum(weight.numel() for weight in module.parameters() if weight.requires_grad)


# --- text towers ----------------------------------------------------------------------------------------------------


class TextTower(nn.Module):
    """A CLIP's text tower with its weights, without its image tower.

    Args:
        spec: a model with a text tower.
        weights_dir, device: where its weights lie, where it computes (in float32).
        encoder: an encoder that is this tower's own; default: loaded from the weights.

    Raises:
        WeightsMissing: with the command that brings them, and the name of the model that is always there.
    """

    def __init__(self, spec: ModelSpec, weights_dir: Path, device: torch.device, encoder: Any = None) -> None:
        super().__init__()
        try:
            self._encoder: Any = encoder or load_encoder(spec, weights_dir, device, torch.float32)
        except WeightsMissing as error:
            instead = ", or take demo_clip, the built-in model that is always there" if spec.id != DEMO_MODEL else ""
            raise WeightsMissing(error.what, where=error.where, next_step=f"{error.next_step}{instead}") from None
        self.module: nn.Module = self._encoder.module
        self.weights_sha256: str = self._encoder.weights_sha256
        assert self._encoder.dim, "asked once, while there is an image tower to ask"
        self.module.visual = nn.Identity()  # gigabytes that no caption needs

    def forward(self, captions: Sequence[str]) -> torch.Tensor:
        """K captions → features `[K, D]`, not normalised, with gradients. Raises `InputError` as `encode`."""
        tokens_KT = self._encoder.tokenize(captions)
        _refuse_cut(self._encoder.cut_notices(captions, tokens_KT))
        device = next(self.module.parameters()).device
        features_KD: torch.Tensor = self._encoder.encode_tokens(tokens_KT.to(device))
        return features_KD

    def encode(self, captions: Sequence[str]) -> torch.Tensor:
        """The same in batches, without gradients. Raises `InputError` for a caption that the tower would cut."""
        features_KD, notices = self._encoder.encode_texts(captions)
        _refuse_cut(notices)
        return features_KD.clone()

    def requires_grad_(self, requires_grad: bool = True) -> TextTower:
        """All weights but the scale of the similarities, which no caption passes through."""
        super().requires_grad_(requires_grad)
        for name in ("logit_scale", "logit_bias"):
            weight = getattr(self.module, name, None)
            if weight is not None:
                weight.requires_grad_(False)
        return self


def _refuse_cut(notices: Sequence[Notice]) -> None:
    if notices:
        raise InputError(notices[0].text, next_step=Says.use_shorter_template_fewer_words())


def random_tower(spec: ModelSpec, weights_dir: Path, device: torch.device, seed: int) -> TextTower:
    """The same architecture with its random first weights; the trained ones need not be here.

    Raises:
        WeightsMissing: the architecture is described by a file beside the weights, and that is not here either.
    """
    family = family_module(spec)
    path = locate(spec, weights_dir) or weights_dir / spec.folder / spec.files[0]
    if spec.architecture == OPEN_CLIP_CONFIG and not (path.parent / OPEN_CLIP_CONFIG).is_file():
        raise WeightsMissing(
            Says.description_model_not_here(),
            where=f"{spec.id}: {Path(spec.folder) / OPEN_CLIP_CONFIG}",
            next_step=fetch_command(spec),
        )
    config = family.model_config(spec, path)
    config["vision_cfg"] = {"image_size": 8, "patch_size": 8, "width": 8, "head_width": 8, "layers": 1}  # thrown away
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        module = family.build(config).to(device).eval().requires_grad_(False)
    encoder = family.OpenClipEncoder(
        spec, module, device, torch.float32, f"random, seed {seed}", config["text_cfg"], 1.0
    )
    return TextTower(spec, weights_dir, device, encoder)


def text_model(clip_model_name: str, weights_dir: Path) -> ModelSpec:
    """The catalogue entry of an OpenAI name or an id, made sure to have a text tower.

    Raises:
        UnknownModel, Unsupported: with names that do.
    """
    names = Says.id_text_tower_such_demo(names=", ".join(list(OPENAI_NAMES)[:3]))
    try:
        spec = find(OPENAI_NAMES.get(clip_model_name, clip_model_name), weights_dir)
    except UnknownModel as error:
        raise UnknownModel(error.what, where=error.where, next_step=f"{names}; {error.next_step}") from None
    if not spec.has_text and not spec.problem:
        raise Unsupported(Says.model_no_text_tower_cannot(), where=spec.id, next_step=names)
    return spec


# --- angles on their device -----------------------------------------------------------------------------------------


def checked_tensor(angles_deg_B3: torch.Tensor) -> torch.Tensor:
    """`checked_angles` for tensors, on their device: `[B, 3]` floating point, finite, wrapped into ±180.

    Raises:
        InputError: as `checked_angles`.
    """
    angles = torch.as_tensor(angles_deg_B3)
    if not angles.is_floating_point():
        angles = angles.float()
    if angles.ndim != 2 or angles.shape[1] != 3 or not bool(torch.isfinite(angles).all()):
        return torch.from_numpy(checked_angles(angles.detach().double().cpu().numpy())).to(angles)  # says what is wrong
    beyond = angles.abs() > 180.0
    return torch.where(beyond, torch.remainder(angles + 180.0, 360.0) - 180.0, angles)


def caption_numbers_of(angles_deg_B3: torch.Tensor) -> torch.Tensor:
    """`core.pose.text.caption_numbers` for checked tensors, on their device: int64 `[B]`."""
    yaw, pitch, roll = angles_deg_B3.unbind(dim=1)
    yaw_bin = sum((yaw >= edge).long() for edge in YAW_EDGES_DEG)
    pitch_bin = sum((pitch >= edge).long() for edge in PITCH_EDGES_DEG)
    roll_bin = 1 + (roll >= ROLL_EDGE_DEG).long() - (roll <= -ROLL_EDGE_DEG).long()
    numbers: torch.Tensor = (yaw_bin * len(PITCH_WORDS) + pitch_bin) * len(ROLL_WORDS) + roll_bin
    return numbers


def interpolation_weights(angles_deg_B3: torch.Tensor) -> torch.Tensor:
    """Each caption's part in a pose, float32 `[B, 45]`: at most eight neighbours, together 1."""
    weights_B1 = angles_deg_B3.new_ones(len(angles_deg_B3), 1)
    for axis, centres_deg in enumerate((YAW_CENTRES_DEG, PITCH_CENTRES_DEG, ROLL_CENTRES_DEG)):
        centres_K = angles_deg_B3.new_tensor(centres_deg)
        angle_B1 = angles_deg_B3[:, axis : axis + 1].clamp(centres_deg[0], centres_deg[-1])
        hats_BK = (1.0 - (angle_B1 - centres_K).abs() / (centres_deg[1] - centres_deg[0])).clamp(min=0.0)
        weights_B1 = (weights_B1[:, :, None] * hats_BK[:, None, :]).flatten(1)
    return weights_B1.float()


def _six_d(radians_B3: torch.Tensor) -> torch.Tensor:
    """The first two columns of `core.pose.angles.rotation_matrices`, one after the other, `[B, 6]`."""
    (sin_y, sin_p, sin_r), (cos_y, cos_p, cos_r) = radians_B3.sin().unbind(1), radians_B3.cos().unbind(1)
    first = (cos_y * cos_r + sin_y * sin_p * sin_r, -cos_p * sin_r, -sin_y * cos_r + cos_y * sin_p * sin_r)
    second = (cos_y * sin_r - sin_y * sin_p * cos_r, cos_p * cos_r, -sin_y * sin_r - cos_y * sin_p * cos_r)
    return torch.stack([*first, *second], dim=1)


# --- parts ----------------------------------------------------------------------------------------------------------


class _Rows:
    """Embeddings by key in one growing tensor. Full, it forgets everything and starts again."""

    def __init__(self, max_rows: int, no_rows_0D: torch.Tensor) -> None:
        self._max_rows = max_rows
        self._row_of: dict[Any, int] = {}
        self._rows_ND = no_rows_0D

    def __len__(self) -> int:
        return len(self._row_of)

    def missing(self, keys: Sequence[Any]) -> list[int]:
        """Places in `keys` of those that are not here. May forget, so `put` what is missing before the next call."""
        absent = [place for place, key in enumerate(keys) if key not in self._row_of]
        if absent and len(self._row_of) + len(absent) > self._max_rows:
            self._row_of.clear()
            return list(range(len(keys)))
        return absent

    def put(self, keys: Sequence[Any], rows_MD: torch.Tensor) -> None:
        start = len(self._row_of)
        needed = start + len(keys)
        if needed > len(self._rows_ND):
            grown = rows_MD.new_empty(max(256, 2 * needed), rows_MD.shape[1])
            grown[:start] = self._rows_ND[:start]
            self._rows_ND = grown
        self._rows_ND[start:needed] = rows_MD
        self._row_of.update(zip(keys, range(start, needed), strict=True))

    def get(self, keys: Sequence[Any], device: torch.device) -> torch.Tensor:
        self._rows_ND = self._rows_ND.to(device)  # the encoder may have moved since
        return self._rows_ND[torch.tensor([self._row_of[key] for key in keys], dtype=torch.long, device=device)]


def _refuse_contradictions(
    variant: str, freeze_clip: bool, use_continuous_text: bool, round_deg: float, encode_texts: EncodeTexts | None
) -> None:
    variants = ("plain", "permuted", "interpolated", "random")
    if variant not in variants:
        raise InputError(
            Says.no_such_variant_captions(), where=variant, next_step=Common.one_of(names=", ".join(variants))
        )
    if variant in ("permuted", "interpolated") and (use_continuous_text or not freeze_clip):
        raise InputError(
            Says.captions_only_discrete_text_frozen(variant=variant),
            next_step="freeze_clip=True, use_continuous_text=False",
        )
    if not round_deg >= 0.1 or not np.isfinite(round_deg):
        raise InputError(Says.captions_rounded_0_1_degrees(), where=f"round_deg={round_deg}")
    if encode_texts is not None and not freeze_clip:
        raise InputError(Says.borrowed_text_tower_cannot_fine(), next_step=Says.leave_out_encode_texts_freeze())


def _rounded(angles_deg: np.ndarray, round_deg: float) -> np.ndarray:
    rounded: np.ndarray = np.round(angles_deg / round_deg) * round_deg
    return rounded


def _unit_rows(features_KD: Any) -> torch.Tensor:
    return nn.functional.normalize(torch.as_tensor(features_KD).detach().float(), dim=1)


def _derangement(count: int, seed: int) -> np.ndarray:
    """A permutation that leaves nothing in its place."""
    random = np.random.default_rng(seed)
    while True:
        order = random.permutation(count)
        if not (order == np.arange(count)).any():
            return order
