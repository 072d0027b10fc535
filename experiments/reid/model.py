"""A CLIP ViT shared by three modalities, with what may train in it, the multi-scale context, and the heads.

    pixels_BM3HW ─patches, + camera (SIE)▶ ln_pre ─blocks, adapters, prompts▶ ln_post, proj ─▶ tokens [B·M, T, D]
    ─multi-scale context onto the class token▶ cls [B, M, D] ─side by side▶ features_BF ─BN neck, classifier▶ logits

Read `ReidModel` first. M = 3 modalities, W the ViT's inner width, D the width of CLIP's space, F = M · D.
"""

from __future__ import annotations

from copy import deepcopy
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import torch
import torch.nn.functional as F
from open_clip.transformer import VisionTransformer
from pytorch_metric_learning.distances import LpDistance
from pytorch_metric_learning.losses import TripletMarginLoss
from pytorch_metric_learning.miners import BatchHardMiner
from torch import nn

from core.errors import InputError, Unsupported, WeightsInvalid, WeightsMissing
from core.fusion.multiscale import CLIPMultiScaleFeatureExtractor, CLIPWithProjectionMultiScale, MultiScaleOnCLS
from core.models import catalogue, vit, weights
from core.models.open_clip import build, model_config
from core.models.spec import OPEN_CLIP_CONFIG, ModelSpec
from experiments.reid.config import ModelConfig
from experiments.reid.figures import MODALITIES

PROMPTS = 4  # for each modality in each block, as MambaPro
_OPENAI_IDS = {"ViT-B-16": "openai_clip_vit_b16", "ViT-B-32": "openai_clip_vit_b32", "ViT-L-14": "openai_clip_vit_l14"}


class Outputs(NamedTuple):
    """What training needs of a batch.

    Attributes:
        features: one `[B, F]` (DIRECT) or three `[B, D]`: what the triplet loss compares.
        logits: for each of them, `[B, identities]`.
    """

    features: tuple[torch.Tensor, ...]
    logits: tuple[torch.Tensor, ...]


class ReidModel(nn.Module):
    """See the module.

    Args:
        config: the YAML's MODEL section.
        size_hw: of the pictures in px; positions are resized to its grid.
        identities: people in training. cameras: in the whole data set.
        weights_dir: where the catalogue's weights lie.

    Attributes:
        idle_windows: sizes of the multi-scale windows that are larger than the picture's grid, so nothing of them
            trains.

    Parts are made in this order under torch's seed: camera embedding, adapters and prompts, heads, context. So all
    arms of one seed share everything but the context.

    Raises:
        InputError, Unsupported, UnknownModel, WeightsMissing, WeightsInvalid: the config cannot be built here; the key
            is named.
    """

    def __init__(
        self, config: ModelConfig, size_hw: tuple[int, int], identities: int, cameras: int, weights_dir: Path
    ) -> None:
        super().__init__()
        self.config = config
        visual = load_visual(config, weights_dir)
        visual.requires_grad_(not config.FROZEN)
        set_picture_size(visual, size_hw, config.STRIDE_SIZE)
        self.branch = VisualBranch(visual, config, cameras)
        width = self.branch.out_dim
        heads = 1 if config.DIRECT else len(MODALITIES)
        head_width = width * len(MODALITIES) if config.DIRECT else width
        self.necks = nn.ModuleList(_neck(head_width) for _ in range(heads))
        self.classifiers = nn.ModuleList(_classifier(head_width, identities) for _ in range(heads))
        height, columns = self.branch.grid_hw
        extractor = _extractor(config, width, self.branch.grid_hw)
        idle = [] if extractor is None else extractor.multi_scale.idle(height * columns)
        for conv in idle:
            conv.requires_grad_(False)
        self.context = MultiScaleOnCLS(extractor)
        self.idle_windows: list[tuple[int, ...]] = [conv.kernel_size for conv in idle]

    def forward(self, start: torch.Tensor, camera_B: torch.Tensor) -> Outputs:
        """Training: what `VisualBranch.prefix` gave, or pixels `[B, M, 3, H, W]`, and cameras `[B]`."""
        cls_BMD = self.class_tokens(start, camera_B)
        features = (cls_BMD.flatten(1),) if self.config.DIRECT else tuple(cls_BMD.unbind(1))
        parts = zip(features, self.necks, self.classifiers, strict=True)
        return Outputs(features, tuple(classify(neck(feature)) for feature, neck, classify in parts))

    def features(self, start: torch.Tensor, camera_B: torch.Tensor) -> torch.Tensor:
        """Evaluation: the modalities' class tokens side by side, `[B, F]`, before the neck."""
        return self.class_tokens(start, camera_B).flatten(1)

    def class_tokens(self, start: torch.Tensor, camera_B: torch.Tensor) -> torch.Tensor:
        """`[B, M, D]`, the context added."""
        if start.ndim == 5:
            start = self.branch.prefix(start, camera_B)
        tokens_BMTD = self.branch.suffix(start)
        return self.context(tokens_BMTD.flatten(0, 1))[:, 0].unflatten(0, tokens_BMTD.shape[:2])

    def trained_state(self) -> dict[str, torch.Tensor]:
        """Copies of all that training changes: parameters with gradients, and the necks' statistics."""
        moving = {name for name, weight in self.named_parameters() if weight.requires_grad}
        moving |= {name for name, _ in self.named_buffers() if name.startswith("necks.")}
        return {name: tensor.detach().clone() for name, tensor in self.state_dict().items() if name in moving}

    def load_trained_state(self, state: dict[str, torch.Tensor]) -> None:
        """The inverse of `trained_state`."""
        missing = set(self.trained_state()) ^ set(state)
        assert not missing, f"another model's state: {sorted(missing)[:3]}"
        self.load_state_dict(state, strict=False)


class VisualBranch(nn.Module):
    """The ViT, in two halves: up to the last blocks that have something to train (`prefix`), and from there (`suffix`).

    Where nothing in the prefix trains it is a constant of the picture, and may be computed once (`prefix_is_constant`).
    """

    def __init__(self, visual: VisionTransformer, config: ModelConfig, cameras: int) -> None:
        super().__init__()
        self.visual = visual
        self.grid_hw = vit.grid_hw(visual)
        blocks = vit.blocks(visual)
        width = visual.conv1.out_channels
        self.out_dim = int(visual.proj.shape[1]) if visual.proj is not None else width
        last = config.LAST_BLOCKS or len(blocks)
        if last > len(blocks):
            raise InputError(
                f"{config.TRANSFORMER_TYPE} has {len(blocks)} blocks.",
                where=f"MODEL.LAST_BLOCKS: {last}",
                next_step="Give at most that many, or 0 for all.",
            )
        self.sie_coe = config.SIE_COE
        self.cameras = nn.Parameter(torch.empty(cameras, width)) if config.SIE_CAMERA else None
        if self.cameras is not None:
            nn.init.trunc_normal_(self.cameras, std=0.02)
        self.first_trained = len(blocks) - last if config.ADAPTER or config.PROMPT else len(blocks)
        for index in range(self.first_trained, len(blocks)):
            if config.ADAPTER:
                blocks[index].mlp = ParallelAdapter(blocks[index].mlp, width)
            if config.PROMPT:
                blocks[index] = PromptedBlock(blocks[index], width)
        self.prefix_is_constant = config.FROZEN and self.cameras is None
        if not config.FROZEN:
            self.first_trained = 0

    def prefix(self, pixels_BM3HW: torch.Tensor, camera_B: torch.Tensor) -> torch.Tensor:
        """Normalised pixels and cameras → hidden tokens `[B, M, T, W]` before block `first_trained`."""
        batch, modalities = pixels_BM3HW.shape[:2]
        offset = None
        if self.cameras is not None:
            offset = (self.sie_coe * self.cameras[camera_B]).repeat_interleave(modalities, dim=0)
        hidden = vit.enter(self.visual, pixels_BM3HW.flatten(0, 1), offset)
        return vit.walk(self.visual, hidden, stop=self.first_trained).unflatten(0, (batch, modalities))

    def suffix(self, hidden_BMTW: torch.Tensor) -> torch.Tensor:
        """The rest: hidden tokens → projected tokens `[B, M, T, D]`, class token first."""
        hidden = vit.walk(self.visual, hidden_BMTW.flatten(0, 1), start=self.first_trained)
        tokens = vit.project(self.visual, vit.last_norm(self.visual)(hidden))
        return tokens.unflatten(0, hidden_BMTW.shape[:2])


class ParallelAdapter(nn.Module):
    """A bottleneck beside a block's MLP, on the same input: W → 2 W → GELU → W. It starts at zero: CLIP unchanged."""

    def __init__(self, mlp: nn.Module, width: int) -> None:
        super().__init__()
        self.mlp = mlp
        self.down, self.up = nn.Linear(width, 2 * width), nn.Linear(2 * width, width)
        nn.init.zeros_(self.up.weight)
        nn.init.zeros_(self.up.bias)

    def forward(self, hidden: torch.Tensor) -> torch.Tensor:
        """`[…, W]` → the same."""
        return self.mlp(hidden) + self.up(F.gelu(self.down(hidden)))


class PromptedBlock(nn.Module):
    """A block that sees a modality's own learned tokens beside the picture's; they leave with it, new ones enter next.

    Rows of the batch go through the modalities in turn: row r is of modality r mod M.
    """

    def __init__(self, block: nn.Module, width: int) -> None:
        super().__init__()
        self.block = block
        self.prompts_MPW = nn.Parameter(torch.empty(len(MODALITIES), PROMPTS, width))
        nn.init.trunc_normal_(self.prompts_MPW, std=0.02)

    def forward(self, hidden_RTW: torch.Tensor) -> torch.Tensor:
        """`[B·M, T, W]` → the same."""
        prompts = self.prompts_MPW.to(hidden_RTW.dtype).repeat(len(hidden_RTW) // len(MODALITIES), 1, 1)
        return self.block(torch.cat([hidden_RTW, prompts], dim=1))[:, : hidden_RTW.shape[1]]


class ReidLoss(nn.Module):
    """ID_LOSS_WEIGHT · cross-entropy with label smoothing + TRIPLET_LOSS_WEIGHT · hardest triplets with a soft margin.

    The soft margin is log(1 + exp(d_positive − d_negative)) on Euclidean distances of features that are not normalised
    (Hermans et al., 2017). Over several heads, the losses are added.
    """

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.config = config
        distance = LpDistance(normalize_embeddings=False, p=2, power=1)
        self.miner = BatchHardMiner(distance=distance)
        self.triplet = TripletMarginLoss(margin=0.0, smooth_loss=True, distance=distance)

    def forward(self, outputs: Outputs, identity_B: torch.Tensor) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
        """(loss, its two parts before weighting)."""
        smoothing = self.config.LABEL_SMOOTHING
        id_loss = sum(
            (F.cross_entropy(one.float(), identity_B, label_smoothing=smoothing) for one in outputs.logits),
            torch.zeros((), device=identity_B.device),
        )
        triplet_loss = torch.zeros((), device=identity_B.device)
        for feature in outputs.features:
            feature = feature.float()
            hardest = self.miner(feature, identity_B)
            triplet_loss = triplet_loss + self.triplet(feature, identity_B, hardest)
        loss = self.config.ID_LOSS_WEIGHT * id_loss + self.config.TRIPLET_LOSS_WEIGHT * triplet_loss
        return loss, {"id_loss": id_loss.detach(), "triplet_loss": triplet_loss.detach()}


# --- CLIP's visual tower --------------------------------------------------------------------------------------------


def load_visual(config: ModelConfig, weights_dir: Path) -> VisionTransformer:
    """A copy of the tower of `TRANSFORMER_TYPE`, with the weights that `PRETRAIN_PATH_T` says, in fp32 on the CPU.

    Raises:
        UnknownModel, Unsupported: no such model, or no CLIP ViT. WeightsMissing, WeightsInvalid: its weights.
    """
    spec = _spec(config, weights_dir)
    path = weights_file(config, weights_dir)
    if path is None:
        beside = weights.locate(spec, weights_dir) if spec.architecture == OPEN_CLIP_CONFIG else None
        if spec.architecture == OPEN_CLIP_CONFIG and beside is None:
            raise WeightsMissing(
                "This model's architecture is described beside its weights, which are not here.",
                where=f"MODEL.TRANSFORMER_TYPE: {spec.id}",
                next_step=weights.fetch_command(spec),
            )
        visual = build(model_config(spec, beside)).visual
    else:
        # OpenAI's archives hold three numbers beside the weights
        tagged = replace(spec, tag="openai") if path.suffix == ".pt" else spec
        loaded = weights.family_module(spec).load(tagged, path, torch.device("cpu"), torch.float32, "")
        visual = deepcopy(loaded.module.visual)
    if not isinstance(visual, VisionTransformer) or visual.attn_pool is not None or visual.pool_type != "tok":
        raise _no_vit(spec.id)
    visual.patch_dropout = nn.Identity()  # a configuration may ask for it; windows need every patch in its place
    return visual


def weights_file(config: ModelConfig, weights_dir: Path) -> Path | None:
    """Where the weights come from: `PRETRAIN_PATH_T`, else the catalogue's place; None for `random`.

    Raises as `load_visual` does.
    """
    spec = _spec(config, weights_dir)
    if config.PRETRAIN_PATH_T == "random":
        return None
    if not config.PRETRAIN_PATH_T:
        found = weights.locate(spec, weights_dir)
        if found is None:
            raise WeightsMissing(
                "The weights of this model are not here.",
                where=f"MODEL.TRANSFORMER_TYPE: {spec.id}",
                next_step=weights.fetch_command(spec),
            )
        return found
    path = Path(config.PRETRAIN_PATH_T).expanduser()
    if not path.is_file():
        raise WeightsMissing(
            "There is no such weight file.",
            where=f"MODEL.PRETRAIN_PATH_T: {path}",
            next_step=f"Give a path, or leave it empty: {weights.fetch_command(spec)}",
        )
    if spec.architecture == OPEN_CLIP_CONFIG and not (path.parent / OPEN_CLIP_CONFIG).is_file():
        raise WeightsMissing(
            f"{OPEN_CLIP_CONFIG} must lie beside these weights.",
            where=f"MODEL.PRETRAIN_PATH_T: {path}",
            next_step="Copy it there from the model's own folder.",
        )
    return path


def set_picture_size(visual: VisionTransformer, size_hw: tuple[int, int], stride_hw: tuple[int, int]) -> None:
    """Makes the tower take pictures of another size and stride: its positions are resized to the new grid, in place.

    Bicubic and antialiased, as open_clip does at loading; but also where the new grid has as many cells as the old one
    in another shape, which open_clip leaves as it is.

    Raises:
        InputError: the picture is smaller than a patch.
    """
    patch = visual.conv1.kernel_size
    grid_hw = tuple((size - side) // step + 1 for size, side, step in zip(size_hw, patch, stride_hw, strict=True))
    if min(grid_hw) < 1:
        raise InputError(
            f"A picture of {size_hw[0]} × {size_hw[1]} px is smaller than a patch of {patch[0]} × {patch[1]}.",
            where="INPUT.SIZE",
            next_step="Give a larger size.",
        )
    visual.conv1.stride = tuple(stride_hw)
    if grid_hw != tuple(visual.grid_size):
        old = visual.positional_embedding.detach()
        field = old[1:].reshape(1, *visual.grid_size, -1).permute(0, 3, 1, 2)
        resized = F.interpolate(field, size=grid_hw, mode="bicubic", antialias=True, align_corners=False)
        positions = torch.cat([old[:1], resized.permute(0, 2, 3, 1).reshape(-1, old.shape[1])])
        visual.positional_embedding = nn.Parameter(positions, requires_grad=visual.positional_embedding.requires_grad)
    visual.grid_size, visual.image_size = grid_hw, tuple(size_hw)


def _spec(config: ModelConfig, weights_dir: Path) -> ModelSpec:
    spec = catalogue.find(_OPENAI_IDS.get(config.TRANSFORMER_TYPE, config.TRANSFORMER_TYPE), weights_dir)
    if spec.family not in ("openai_clip", "open_clip"):
        raise _no_vit(spec.id)
    if spec.problem:
        raise WeightsInvalid(
            f"This checkpoint cannot be used: {spec.problem}.",
            where=f"MODEL.TRANSFORMER_TYPE: {spec.id}",
            next_step="See weights/README.md.",
        )
    return spec


def _no_vit(model_id: str) -> Unsupported:
    return Unsupported(
        "Re-identification needs a CLIP ViT with a class token.",
        where=f"MODEL.TRANSFORMER_TYPE: {model_id}",
        next_step="Choose a ViT of: python -m core models list",
    )


# --- small parts ----------------------------------------------------------------------------------------------------


def _extractor(
    config: ModelConfig, width: int, grid_hw: tuple[int, int]
) -> CLIPMultiScaleFeatureExtractor | CLIPWithProjectionMultiScale | None:
    if not config.USE_CLIP_MULTI_SCALE:
        return None
    options = {
        "activation": config.CLIP_MULTI_SCALE_ACTIVATION,
        "pool": config.CLIP_MULTI_SCALE_POOL,
        "stride": config.CLIP_MULTI_SCALE_STRIDE,
        "windows": config.CLIP_MULTI_SCALE_WINDOWS,
        "grid_hw": grid_hw,
    }
    scales = config.CLIP_MULTI_SCALE_SCALES
    if config.CLIP_MULTI_SCALE_PLAN == 1:
        return CLIPMultiScaleFeatureExtractor(width, scales, **options)
    return CLIPWithProjectionMultiScale(width, config.CLIP_MULTI_SCALE_PROJECTED_DIM, scales, **options)


def _neck(width: int) -> nn.BatchNorm1d:
    """The BN neck of Luo et al. (2019); its shift stays zero."""
    neck = nn.BatchNorm1d(width)
    neck.bias.requires_grad_(False)
    return neck


def _classifier(width: int, identities: int) -> nn.Linear:
    layer = nn.Linear(width, identities, bias=False)
    nn.init.normal_(layer.weight, std=0.001)
    return layer
