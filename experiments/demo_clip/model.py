"""The built-in CLIP: architecture, loss, optimiser, export. The model is open_clip's own `CLIP` class throughout."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import open_clip
import torch
import torch.nn.functional as F
from open_clip.model import CLIP
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from core.errors import InputError
from core.files import replacing

EMBED_DIM = 256
MEAN = STD = (0.5, 0.5, 0.5)


def model_config(width: int = 192, layers: int = 6) -> dict[str, Any]:
    """The `model_cfg` of `open_clip_config.json`. All 49,408 token rows stay; captions of this project fit in 32."""
    return {
        "embed_dim": EMBED_DIM,
        "vision_cfg": {"image_size": 64, "patch_size": 8, "width": width, "layers": layers, "head_width": 32},
        "text_cfg": {"context_length": 32, "vocab_size": 49408, "width": 128, "heads": 4, "layers": 3},
    }


def build(config: dict[str, Any]) -> CLIP:
    """A `CLIP` of this configuration, with our initial weights. Draws from torch's global generator."""
    model = CLIP(
        embed_dim=config["embed_dim"], vision_cfg=dict(config["vision_cfg"]), text_cfg=dict(config["text_cfg"])
    )
    model.visual.patch_dropout = open_clip.transformer.PatchDropout(0.0)
    with torch.no_grad():
        _start_near_identity(model)
    return model


def _start_near_identity(model: CLIP) -> None:
    """Attention starts by looking at like tokens, as in "Mimetic Initialization of Self-Attention Layers"
    (Trockman and Kolter, 2023): small vision transformers then need far fewer pictures.
    """
    width = model.visual.conv1.out_channels
    for block in model.visual.transformer.resblocks:
        attention = block.attn
        heads, size = attention.num_heads, width // attention.num_heads
        query, key, value = attention.in_proj_weight.chunk(3)
        for head in range(heads):
            rows = slice(head * size, (head + 1) * size)
            wanted = 0.7 * torch.randn(width, width) / width**0.5 + 0.7 * torch.eye(width)
            left, strength, right = torch.linalg.svd(wanted)
            query[rows] = (left[:, :size] * strength[:size].sqrt()).T
            key[rows] = right[:size] * strength[:size].sqrt()[:, None]
        left, strength, right = torch.linalg.svd(0.4 * torch.randn(width, width) / width**0.5 - 0.4 * torch.eye(width))
        value.copy_(right * strength.sqrt()[:, None])
        attention.out_proj.weight.copy_(left * strength.sqrt())
    side = model.visual.grid_size[0]
    model.visual.positional_embedding[1:].copy_(0.3 * _sine_positions(side, width))


def _sine_positions(side: int, width: int) -> torch.Tensor:
    """Two-dimensional sine and cosine positions, `[side², width]`."""
    frequencies = 1.0 / 100 ** (torch.arange(width // 4) / (width // 4))
    angles = torch.arange(side)[:, None] * frequencies
    row = torch.cat([angles.sin(), angles.cos()], dim=1)
    return torch.cat([row.repeat_interleave(side, dim=0), row.repeat(side, 1)], dim=1)


@torch.no_grad()
def whiten_patches(model: CLIP, pixels_BCHW: torch.Tensor) -> None:
    """Sets the patch embedding to the whitened principal components of these pictures' patches.

    Neighbouring pixels are nearly equal, so a random embedding passes on little but each patch's mean colour, and the
    first epochs go into learning to see edges. Whitened, every detail has equal strength from the first step
    (the fixed first layer of Keller Jordan's "94% on CIFAR-10 in 3.29 Seconds", 2024, here free to learn on).

    Args:
        pixels_BCHW: pictures as the model gets them, normalised.
    """
    filters = model.visual.conv1.weight
    patches_NP = F.unfold(pixels_BCHW.float(), filters.shape[2], stride=filters.shape[2]).mT.flatten(0, 1)
    variances, directions = torch.linalg.eigh(patches_NP.T.cov())  # in ascending order
    whitened = (directions / (variances.clamp(min=0) + 0.01).sqrt()).T.flip(0)[: len(filters)]
    filters[: len(whitened)] = 0.4 * whitened.view(-1, *filters.shape[1:])


@torch.no_grad()
def adopt(model: TrainingModel, folder: Path, names: Sequence[str]) -> None:
    """Starts with an exported model's weights; each emoji's prototype is what that model makes of its name.

    Args:
        folder: an exported model of the same shape.
        names: one prompt for each class.

    Raises:
        InputError: the weights are of another shape.
    """
    path = folder / "open_clip_model.safetensors"
    try:
        model.clip.load_state_dict({name: tensor.float() for name, tensor in load_file(path).items()})
    except RuntimeError as error:
        raise InputError(
            "The model to start from has another shape than the one to train.",
            where=str(path),
            next_step="leave --start_from out",
        ) from error
    model.prototypes.copy_(F.normalize(encode_trimmed(model.clip, tokenizer()(names)), dim=-1))


class Outputs(NamedTuple):
    """Image features `[B, D]` and text features `[K, D]`, not normalised; logit scale; class logits of the pictures
    `[B, N]` and of the texts `[K, N]`; the angles of the heads `[H, 3]` in units of 45°."""

    images: torch.Tensor
    texts: torch.Tensor
    scale: torch.Tensor
    class_logits: torch.Tensor
    text_class_logits: torch.Tensor
    angles: torch.Tensor


class TrainingModel(torch.nn.Module):
    """The CLIP and what only its training needs: a prototype of each emoji, and a readout of a head's angles.

    A batch holds few of the names. The prototypes stand for all of them: pictures and names are both told apart against
    every prototype, whatever the batch holds, and so meet. Neither part is exported.
    """

    def __init__(self, config: dict[str, Any], class_count: int) -> None:
        super().__init__()
        self.clip = build(config)
        self.prototypes = torch.nn.Parameter(torch.randn(class_count, config["embed_dim"]) / config["embed_dim"] ** 0.5)
        self.log_sharpness = torch.nn.Parameter(torch.tensor(3.0))
        self.read_angles = torch.nn.Linear(config["embed_dim"], 3)

    def forward(
        self,
        pixels_BCHW: torch.Tensor,
        tokens_KL: torch.Tensor,
        head_count: int,
        patch_dropout: float,
        head_patch_dropout: float,
    ) -> Outputs:
        """All that the loss needs of one batch.

        Heads, the last `head_count` pictures, keep more of their patches: an angle is read from small shifts.
        """
        dropout = self.clip.visual.patch_dropout
        others = len(pixels_BCHW) - head_count
        dropout.prob = patch_dropout
        plain = self.clip.encode_image(pixels_BCHW[:others])
        dropout.prob = head_patch_dropout
        heads = self.clip.encode_image(pixels_BCHW[others:])
        images = torch.cat([plain, heads])
        texts = encode_trimmed(self.clip, tokens_KL)
        prototypes = self.log_sharpness.exp() * F.normalize(self.prototypes, dim=-1)
        return Outputs(
            images,
            texts,
            self.clip.logit_scale.exp(),
            F.normalize(images, dim=-1) @ prototypes.T,
            F.normalize(texts, dim=-1) @ prototypes.T,
            self.read_angles(heads),
        )


def encode_trimmed(model: CLIP, tokens_KL: torch.Tensor) -> torch.Tensor:
    """Text features `[K, D]` from tokens `[K, L]`, in a few groups of captions of like length.

    Each group is cut to its longest caption: attention is causal and the end token is read, so the padding behind it
    has no part in the result. On a GPU, which would rather have one large group, there is one.
    """
    ends_K = tokens_KL.argmax(dim=1)  # the end token has the highest number
    order = ends_K.argsort()
    parts = []
    for rows in order.tensor_split(4) if len(order) > 16 and not order.is_cuda else (order,):
        length = int(ends_K[rows].max()) + 1
        tokens = tokens_KL[rows, :length]
        x = model.token_embedding(tokens) + model.positional_embedding[:length]
        x = model.transformer(x, attn_mask=model.attn_mask[:length, :length])
        x = model.ln_final(x)[torch.arange(len(tokens), device=x.device), ends_K[rows]]
        parts.append(x @ model.text_projection)
    return torch.cat(parts)[order.argsort()]


def contrastive_loss(
    image_features_BD: torch.Tensor,
    text_features_KD: torch.Tensor,
    logit_scale: torch.Tensor,
    positive_BK: torch.Tensor,
    ignored_BK: torch.Tensor,
) -> torch.Tensor:
    """CLIP's symmetric loss where a picture may have several captions and a caption several pictures, or none.

    With one caption for each picture it is `open_clip.ClipLoss` to the last digit. A picture's probability mass is
    shared evenly by its captions and the reverse; pairs in `ignored_BK` are in neither numerator nor denominator.

    Args:
        image_features_BD, text_features_KD: normalised here.
    """
    images, texts = F.normalize(image_features_BD, dim=-1), F.normalize(text_features_KD, dim=-1)
    logits_BK = (logit_scale * images @ texts.T).masked_fill(ignored_BK, -1e4)
    wanted = positive_BK.to(logits_BK.dtype)
    to_text = -(F.log_softmax(logits_BK, dim=1) * wanted).sum(1) / wanted.sum(1).clamp(min=1)
    to_image = -(F.log_softmax(logits_BK, dim=0) * wanted).sum(0) / wanted.sum(0).clamp(min=1)
    has_text, has_image = positive_BK.any(1), positive_BK.any(0)
    return (to_text[has_text].mean() + to_image[has_image].mean()) / 2


class MatrixOptimizer(torch.optim.Optimizer):
    """Muon for the transformers' matrices, AdamW for everything else, in one optimiser with one state.

    Muon (Jordan et al., 2024) replaces a matrix's momentum by the nearest orthogonal matrix, found by a few
    Newton–Schulz steps; scaled as in Liu et al. (2025) it shares AdamW's learning rate. Small transformers learn in
    about half the steps, which on two CPU cores is the difference that matters. torch's own Muon orthogonalises in
    bfloat16, which such CPUs emulate slowly.

    The patch embedding, which starts from whitened pictures, moves at a fifth of the rate so as to stay near.
    """

    def __init__(self, model: torch.nn.Module, lr: float, weight_decay: float) -> None:
        matrices, patches, others, undecayed = [], [], [], []
        for name, parameter in model.named_parameters():
            if name.endswith("visual.conv1.weight"):
                patches.append(parameter)
            elif ".resblocks." in name and parameter.ndim == 2:
                matrices.append(parameter)
            elif parameter.ndim >= 2 and "embedding" not in name:
                others.append(parameter)
            else:
                undecayed.append(parameter)
        groups = [
            {"params": matrices, "muon": True, "weight_decay": weight_decay},
            {"params": patches, "muon": False, "weight_decay": 0.0, "rate": 0.2},
            {"params": others, "muon": False, "weight_decay": weight_decay},
            {"params": undecayed, "muon": False, "weight_decay": 0.0},
        ]
        super().__init__(groups, {"lr": lr, "rate": 1.0, "momentum": 0.95, "betas": (0.9, 0.98)})

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> None:  # type: ignore[override]
        """One update of all parameters that have a gradient."""
        assert closure is None, "no line search here"
        for group in self.param_groups:
            if group["muon"]:
                self._step_matrices(group)
            else:
                self._step_adam(group)

    def _step_matrices(self, group: dict[str, Any]) -> None:
        by_shape: dict[tuple[int, int], list[tuple[torch.Tensor, torch.Tensor]]] = {}
        for parameter in group["params"]:
            if parameter.grad is None:
                continue
            state = self.state[parameter]
            if not state:
                state["momentum"] = torch.zeros_like(parameter)
            state["momentum"].lerp_(parameter.grad, 1 - group["momentum"])
            update = parameter.grad.lerp(state["momentum"], group["momentum"])
            # attention's query, key and value are three matrices stacked
            pieces = len(parameter) // parameter.shape[1] if len(parameter) == 3 * parameter.shape[1] else 1
            for target, piece in zip(parameter.chunk(pieces), update.chunk(pieces), strict=True):
                by_shape.setdefault((len(piece), piece.shape[1]), []).append((target, piece))
        for (rows, columns), members in by_shape.items():
            directions = orthogonalised(torch.stack([update for _, update in members]))
            strength = 0.2 * max(rows, columns) ** 0.5
            for (target, _), direction in zip(members, directions, strict=True):
                target.mul_(1 - group["lr"] * group["weight_decay"]).add_(direction, alpha=-group["lr"] * strength)

    def _step_adam(self, group: dict[str, Any]) -> None:
        for parameter in group["params"]:
            if parameter.grad is None:
                continue
            state = self.state[parameter]
            if not state:
                state.update(step=0, mean=torch.zeros_like(parameter), square=torch.zeros_like(parameter))
            state["step"] += 1
            if parameter.ndim == 2 and len(parameter) > 10_000:  # the token table: most words never occur
                self._step_adam_rows(parameter, state, group)
            else:
                _adam(parameter, parameter.grad, state["mean"], state["square"], state["step"], group)

    def _step_adam_rows(self, parameter: torch.Tensor, state: dict[str, Any], group: dict[str, Any]) -> None:
        """The same numbers, only for rows that have had a gradient: the others would not move."""
        assert parameter.grad is not None
        if "known" not in state:
            state["known"] = torch.zeros(len(parameter), dtype=torch.bool, device=parameter.device)
        state["known"] = state["known"].bool() | parameter.grad.any(dim=1)  # a checkpoint gives it back as numbers
        rows = state["known"].nonzero()[:, 0]
        values, mean, square = parameter[rows], state["mean"][rows], state["square"][rows]
        _adam(values, parameter.grad[rows], mean, square, state["step"], group)
        parameter[rows], state["mean"][rows], state["square"][rows] = values, mean, square


def _adam(
    parameter: torch.Tensor,
    gradient: torch.Tensor,
    mean: torch.Tensor,
    square: torch.Tensor,
    step: int,
    group: dict[str, Any],
) -> None:
    """One AdamW update in place."""
    first, second = group["betas"]
    mean.lerp_(gradient, 1 - first)
    square.mul_(second).addcmul_(gradient, gradient, value=1 - second)
    denominator = (square / (1 - second**step)).sqrt_().add_(1e-8)
    lr = group["lr"] * group["rate"]
    parameter.mul_(1 - lr * group["weight_decay"]).addcdiv_(mean, denominator, value=-lr / (1 - first**step))


def orthogonalised(matrices_NRC: torch.Tensor, iterations: int = 5) -> torch.Tensor:
    """Each matrix with its singular values brought near 1 (0.7 to 1.2), by quintic Newton–Schulz steps.

    A step is x ← (a + b·g + c·g²)·x with g = x·xᵀ. Long matrices are multiplied only at the end: until then the steps
    are gathered in one small square matrix, and g follows from itself, since all these polynomials of g commute.
    """
    tall = matrices_NRC.shape[1] > matrices_NRC.shape[2]
    x = matrices_NRC.mT if tall else matrices_NRC
    x = x / (x.flatten(1).norm(dim=1)[:, None, None] + 1e-7)
    a, b, c = 3.4445, -4.7750, 2.0315
    if x.shape[2] < 2 * x.shape[1]:
        for _ in range(iterations):
            gram = x @ x.mT
            x = torch.baddbmm(x, torch.baddbmm(gram, gram, gram, beta=b, alpha=c), x, beta=a)
        return x.mT if tall else x
    gram = x @ x.mT
    one = torch.eye(x.shape[1], dtype=x.dtype, device=x.device)
    steps: torch.Tensor | None = None
    for _ in range(iterations):
        polynomial = torch.baddbmm(gram, gram, gram, beta=b, alpha=c) + a * one
        steps = polynomial if steps is None else polynomial @ steps
        gram = polynomial @ gram @ polynomial
    x = x if steps is None else steps @ x
    return x.mT if tall else x


def export(
    state: dict[str, torch.Tensor], config: dict[str, Any], folder: Path, training: dict[str, Any] | None = None
) -> Path:
    """Writes `open_clip_config.json` and fp16 `open_clip_model.safetensors`, as `open_clip` loads with `local-dir:`.

    Args:
        training: how the weights came to be; kept in the file, where `training_record` finds it.

    Returns:
        The weight file's path.
    """
    folder.mkdir(parents=True, exist_ok=True)
    preprocess = {"mean": list(MEAN), "std": list(STD), "interpolation": "bicubic", "resize_mode": "shortest"}
    text = json.dumps({"model_cfg": config, "preprocess_cfg": preprocess}, indent=2) + "\n"
    (folder / "open_clip_config.json").write_text(text, encoding="utf-8")
    path = folder / "open_clip_model.safetensors"
    half = {name: tensor.detach().to("cpu", torch.float16).contiguous() for name, tensor in state.items()}
    metadata = {"format": "pt"} | ({"training": json.dumps(training)} if training else {})
    with replacing(path) as (draft,):
        save_file(half, draft, metadata=metadata)
    return path


def training_record(folder: Path) -> dict[str, Any] | None:
    """What `export` was told of the training of the weights in this folder; None if nothing."""
    with safe_open(folder / "open_clip_model.safetensors", "pt") as file:
        text = (file.metadata() or {}).get("training")
    record: dict[str, Any] | None = json.loads(text) if text else None
    return record


class Average:
    """Exponential moving average of the CLIP's weights: what is evaluated and exported."""

    def __init__(self, model: CLIP, decay: float) -> None:
        self.decay = decay
        self.weights = {name: tensor.detach().clone() for name, tensor in model.state_dict().items()}

    @torch.no_grad()
    def update(self, model: CLIP, step: int) -> None:
        """Takes in the weights after `step`; early on it forgets faster, as there is little worth keeping."""
        keep = min(self.decay, (1 + step) / (10 + step))
        current = model.state_dict()
        torch._foreach_lerp_([self.weights[name] for name in current], list(current.values()), 1 - keep)


def tokenizer() -> Callable[[Iterable[str]], torch.Tensor]:
    """open_clip's own tokenizer at our context length: texts → int64 `[K, 32]`, each text tokenised once."""
    plain = open_clip.SimpleTokenizer(context_length=model_config()["text_cfg"]["context_length"])
    known: dict[str, torch.Tensor] = {}

    def tokenize(texts: Iterable[str]) -> torch.Tensor:
        rows = []
        for text in texts:
            if text not in known:
                known[text] = plain([text])[0]
            rows.append(known[text])
        return torch.stack(rows)

    return tokenize
