"""The figures of the model card, on artwork, heads and backgrounds held out of training."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
import torch.nn.functional as F
from open_clip.model import CLIP

from core.pose.text import CAPTIONS, bins, caption_numbers
from experiments.demo_clip.data import IMAGE_PX, Composer, name_prompts
from experiments.demo_clip.heads import HeadBank
from experiments.demo_clip.model import MEAN, STD, encode_trimmed, tokenizer

_TOKENIZE = tokenizer()


@torch.no_grad()
def image_vectors(model: CLIP, pixels_BCHW: torch.Tensor, batch_size: int = 128) -> torch.Tensor:
    """Unit vectors `[B, D]` of pictures in 0..1, float32, of the model's input size."""
    device = model.logit_scale.device
    parts = []
    for start in range(0, len(pixels_BCHW), batch_size):
        pixels = (pixels_BCHW[start : start + batch_size].to(device) - MEAN[0]) / STD[0]
        parts.append(F.normalize(model.encode_image(pixels), dim=-1).cpu())
    return torch.cat(parts)


@torch.no_grad()
def text_vectors(model: CLIP, texts: Sequence[str], batch_size: int = 256) -> torch.Tensor:
    """Unit vectors `[K, D]` of texts."""
    device = model.logit_scale.device
    parts = []
    for start in range(0, len(texts), batch_size):
        tokens = _TOKENIZE(texts[start : start + batch_size]).to(device)
        parts.append(F.normalize(encode_trimmed(model, tokens), dim=-1).cpu())
    return torch.cat(parts)


def on_white(drawings_NHW4: np.ndarray) -> torch.Tensor:
    """Premultiplied drawings composited on white and resized to the model's input, `[N, 3, 64, 64]` in 0..1."""
    planes = torch.from_numpy(np.ascontiguousarray(drawings_NHW4)).permute(0, 3, 1, 2).float() / 255
    white = planes[:, :3] + 1 - planes[:, 3:]
    return F.interpolate(white, size=(IMAGE_PX, IMAGE_PX), mode="bicubic", antialias=True).clamp(0, 1)


def name_ranks(model: CLIP, composer: Composer) -> np.ndarray:
    """For each drawing of the composer, how many of all names score above its own (0: right at the first guess)."""
    names = text_vectors(model, name_prompts([emoji.name for emoji in composer.classes]))
    similarity = image_vectors(model, on_white(composer.drawings_N)) @ names.T
    own = similarity[torch.arange(len(similarity)), torch.from_numpy(composer.class_N)]
    ranks: np.ndarray = (similarity > own[:, None]).sum(1).numpy()
    return ranks


def head_pixels(bank: HeadBank, backgrounds_NHW3: np.ndarray) -> torch.Tensor:
    """The bank's heads on backgrounds taken in turn, `[N, 3, 64, 64]` in 0..1."""
    heads = torch.from_numpy(np.ascontiguousarray(bank.pixels)).permute(0, 3, 1, 2).float() / 255
    rows = np.arange(len(heads)) % len(backgrounds_NHW3)
    grounds = torch.from_numpy(backgrounds_NHW3[rows]).permute(0, 3, 1, 2).float() / 255
    return heads[:, :3] + grounds * (1 - heads[:, 3:])


def pose_accuracy(model: CLIP, bank: HeadBank, backgrounds_NHW3: np.ndarray) -> dict[str, float]:
    """Zero-shot pose among the 45 captions: exact caption, and each angle's bin."""
    guesses = (
        (image_vectors(model, head_pixels(bank, backgrounds_NHW3)) @ text_vectors(model, CAPTIONS).T)
        .argmax(dim=1)
        .numpy()
    )
    truth = caption_numbers(bank.angles_deg_N3)
    true_bins = bins(bank.angles_deg_N3)
    guessed_bins = np.stack([guesses // 9, guesses // 3 % 3, guesses % 3], axis=1)
    right = (guessed_bins == true_bins).mean(axis=0)
    return {
        "exact": float((guesses == truth).mean()),
        "yaw": float(right[0]),
        "pitch": float(right[1]),
        "roll": float(right[2]),
    }
