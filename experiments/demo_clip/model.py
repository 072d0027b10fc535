"""The built-in CLIP: architecture, loss, optimiser, export. The model is open_clip's own `CLIP` class throughout."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, NamedTuple

import open_clip
import torch
import torch.nn.functional as F
from open_clip.model import CLIP
from safetensors.torch import save_file

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


class Outputs(NamedTuple):
    """Image features `[B, D]` and text features `[K, D]`, not normalised; logit scale; class logits `[B, N]`; the
    angles of the heads `[H, 3]` in units of 45°."""

    images: torch.Tensor
    texts: torch.Tensor
    scale: torch.Tensor
    class_logits: torch.Tensor
    angles: torch.Tensor


class TrainingModel(torch.nn.Module):
    """The CLIP and the two training-only readouts of its image embedding: which emoji, which angles.

    The readouts speed up the image tower's learning; they are not exported.
    """

    def __init__(self, config: dict[str, Any], class_count: int) -> None:
        super().__init__()
        self.clip = build(config)
        self.read_class = torch.nn.Linear(config["embed_dim"], class_count)
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
        return Outputs(
            images,
            encode_trimmed(self.clip, tokens_KL),
            self.clip.logit_scale.exp(),
            self.read_class(images),
            self.read_angles(heads),
        )


def encode_trimmed(model: CLIP, tokens_KL: torch.Tensor) -> torch.Tensor:
    """Text features `[K, D]` from tokens `[K, L]`, the shorter half of them apart from the longer.

    Each half is cut to its longest caption: attention is causal and the end token is read, so the padding behind it has
    no part in the result.
    """
    ends_K = tokens_KL.argmax(dim=1)  # the end token has the highest number
    order = ends_K.argsort()
    parts = []
    for rows in order.tensor_split(2) if len(order) > 8 else (order,):
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
    """

    def __init__(self, model: torch.nn.Module, lr: float, weight_decay: float) -> None:
        matrices, others, undecayed = [], [], []
        for name, parameter in model.named_parameters():
            if ".resblocks." in name and parameter.ndim == 2:
                matrices.append(parameter)
            elif parameter.ndim >= 2 and "embedding" not in name:
                others.append(parameter)
            else:
                undecayed.append(parameter)
        groups = [
            {"params": matrices, "muon": True, "weight_decay": weight_decay},
            {"params": others, "muon": False, "weight_decay": weight_decay},
            {"params": undecayed, "muon": False, "weight_decay": 0.0},
        ]
        super().__init__(groups, {"lr": lr, "momentum": 0.95, "betas": (0.9, 0.98)})

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
        first, second = group["betas"]
        for parameter in group["params"]:
            if parameter.grad is None:
                continue
            state = self.state[parameter]
            if not state:
                state.update(step=0, mean=torch.zeros_like(parameter), square=torch.zeros_like(parameter))
            state["step"] += 1
            state["mean"].lerp_(parameter.grad, 1 - first)
            state["square"].mul_(second).addcmul_(parameter.grad, parameter.grad, value=1 - second)
            size = group["lr"] / (1 - first ** state["step"])
            denominator = (state["square"] / (1 - second ** state["step"])).sqrt_().add_(1e-8)
            parameter.mul_(1 - group["lr"] * group["weight_decay"]).addcdiv_(state["mean"], denominator, value=-size)


def orthogonalised(matrices_NRC: torch.Tensor, iterations: int = 5) -> torch.Tensor:
    """Each matrix with its singular values brought near 1 (0.7 to 1.2), by quintic Newton–Schulz steps."""
    tall = matrices_NRC.shape[1] > matrices_NRC.shape[2]
    x = matrices_NRC.mT if tall else matrices_NRC
    x = x / (x.flatten(1).norm(dim=1)[:, None, None] + 1e-7)
    a, b, c = 3.4445, -4.7750, 2.0315
    for _ in range(iterations):
        gram = x @ x.mT
        x = a * x + (b * gram + c * gram @ gram) @ x
    return x.mT if tall else x


def export(state: dict[str, torch.Tensor], config: dict[str, Any], folder: Path) -> Path:
    """Writes `open_clip_config.json` and fp16 `open_clip_model.safetensors`, as `open_clip` loads with `local-dir:`.

    Returns:
        The weight file's path.
    """
    folder.mkdir(parents=True, exist_ok=True)
    preprocess = {"mean": list(MEAN), "std": list(STD), "interpolation": "bicubic", "resize_mode": "shortest"}
    text = json.dumps({"model_cfg": config, "preprocess_cfg": preprocess}, indent=2) + "\n"
    (folder / "open_clip_config.json").write_text(text, encoding="utf-8")
    path = folder / "open_clip_model.safetensors"
    draft = path.with_suffix(".part")
    half = {name: tensor.detach().to("cpu", torch.float16).contiguous() for name, tensor in state.items()}
    save_file(half, draft, metadata={"format": "pt"})
    draft.chmod(0o644)  # the library writes for its owner alone; what ships is for everyone
    draft.replace(path)
    return path


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
