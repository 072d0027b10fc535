"""The figures of the model card, on artwork, heads and backgrounds held out of training. Read `evaluate` first."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import open_clip
import torch
import torch.nn.functional as F
from open_clip.model import CLIP
from PIL import Image
from sklearn.metrics import roc_auc_score

from core.articles import with_article
from core.foreground.prompt_lists import COCO_80, NOTE_NEGATIVE, NOTE_POSITIVE
from core.pose.text import CAPTIONS, bins, caption_numbers
from experiments.demo_clip.artwork import Artwork
from experiments.demo_clip.composites import EACH, foreground_pictures
from experiments.demo_clip.data import IMAGE_PX, Composer, name_prompts, templated
from experiments.demo_clip.head_bank import HeadBank
from experiments.demo_clip.model import MEAN, STD, encode_trimmed, tokenizer

COMPOSITES = 1_000
SEED = 99


@dataclass(frozen=True)
class CardFigure:
    """One figure of the model card, 0..1, over `count` held-out items; `floor` is what was to be reached."""

    key: str
    title: str
    value: float
    count: int
    floor: float | None = None


def evaluate(weights_dir: Path, work_dir: Path, device: str = "cpu") -> list[CardFigure]:
    """All figures of an exported model, loaded as anyone would load it: `open_clip`, `local-dir:`.

    Args:
        weights_dir: the folder with `open_clip_config.json` and the weights.
        work_dir: the prepared data.

    Raises:
        InputError: the data are not prepared.
    """
    model, _, preprocess = open_clip.create_model_and_transforms(f"local-dir:{weights_dir}", device=device)
    model.eval()
    near = Composer(work_dir, role="near", backgrounds="held_out", heads="held_out")
    far = Artwork(work_dir, ("far",))
    names = name_vectors(model, [emoji.name for emoji in near.classes])
    twemoji = preprocessed(preprocess, near.drawings_N)
    openmoji = preprocessed(preprocess, far.pixels["openmoji"])
    figures = [
        *_naming("twemoji", "Twemoji", model, names, twemoji, near.class_N, (0.45, 0.70)),
        _coco(model, twemoji, near.class_N, Artwork(work_dir, ("near",)).coco_numbers()),
        *_naming("openmoji", "OpenMoji", model, names, openmoji, far.class_ids["openmoji"], (None, None)),
        _foreground(model, near),
    ]
    pose = pose_accuracy(model, HeadBank.open(work_dir, "held_out"), near.backgrounds)
    heads = len(near.heads.pixels)
    figures += [
        CardFigure(
            "pose_exact", "Heads of unseen shape and light: exact caption among the 45", pose["exact"], heads, 0.85
        ),
        CardFigure("pose_yaw", "Heads: yaw's bin", pose["yaw"], heads, 0.93),
        CardFigure("pose_pitch", "Heads: pitch's bin", pose["pitch"], heads, 0.93),
        CardFigure("pose_roll", "Heads: roll's bin", pose["roll"], heads, 0.93),
        _retrieval(model, near),
    ]
    return figures


def _naming(
    key: str,
    title: str,
    model: CLIP,
    names_KD: torch.Tensor,
    pixels_BCHW: torch.Tensor,
    truth_B: np.ndarray,
    floors: tuple[float | None, float | None],
) -> list[CardFigure]:
    """Zero-shot over all base names."""
    ranks = _ranks(image_vectors(model, pixels_BCHW) @ names_KD.T, truth_B)
    over = f"{title}, zero-shot over {len(names_KD):,} names"
    return [
        CardFigure(f"{key}_top1", f"{over}: top-1", float((ranks < 1).mean()), len(ranks), floors[0]),
        CardFigure(f"{key}_top5", f"{over}: top-5", float((ranks < 5).mean()), len(ranks), floors[1]),
    ]


def _coco(model: CLIP, pixels_BCHW: torch.Tensor, class_B: np.ndarray, numbers: dict[str, list[int]]) -> CardFigure:
    """Zero-shot over COCO's classes that have an emoji; every emoji of a class counts once."""
    row_of = {int(number): row for row, number in enumerate(class_B)}
    names = [name for name, members in numbers.items() if any(number in row_of for number in members)]
    pairs = [
        (label, row_of[number]) for label, name in enumerate(names) for number in numbers[name] if number in row_of
    ]
    vectors = image_vectors(model, pixels_BCHW[[row for _, row in pairs]])
    ranks = _ranks(vectors @ name_vectors(model, names).T, np.array([label for label, _ in pairs]))
    title = f"Twemoji, zero-shot over the {len(names)} COCO classes that have an emoji: top-1"
    return CardFigure("coco_top1", title, float((ranks < 1).mean()), len(pairs), 0.75)


def _foreground(model: CLIP, composer: Composer) -> CardFigure:
    """AUROC of `p_pos_sum`: whole objects on backgrounds against fragments and bare backgrounds."""
    pixels, truth = foreground_pictures(composer, EACH)
    positive = list(dict.fromkeys([*NOTE_POSITIVE, *(with_article(name) for name in COCO_80)]))
    prompts = text_vectors(model, [*positive, *NOTE_NEGATIVE])
    vectors = image_vectors(model, pixels)
    logits = model.logit_scale.exp().item() * vectors @ prompts.T
    p_pos_sum = logits.softmax(dim=1)[:, : len(positive)].sum(dim=1).numpy()
    title = "Whole objects against fragments and backgrounds (`p_pos_sum` of the note's prompts): AUROC"
    return CardFigure("foreground_auroc", title, float(roc_auc_score(truth, p_pos_sum)), len(truth), 0.95)


def _retrieval(model: CLIP, composer: Composer) -> CardFigure:
    """Text to image over composites of two or three Twemoji drawings."""
    rng = np.random.default_rng(SEED + 1)
    pixels, pictures = composer.composites(rng, rng.choice(composer.known_classes, 3 * COMPOSITES), COMPOSITES)
    texts = text_vectors(model, [picture.caption for picture in pictures])
    ranks = _ranks(texts @ image_vectors(model, pixels).T, np.arange(COMPOSITES))
    title = f"Text to image over {COMPOSITES:,} Twemoji composites: recall@1"
    return CardFigure("retrieval_r1", title, float((ranks < 1).mean()), COMPOSITES, 0.40)


def _ranks(similarity_NK: torch.Tensor, truth_N: np.ndarray) -> np.ndarray:
    """How many others score no lower than the truth: a tie, or a value that is no number, is no hit."""
    own = similarity_NK[torch.arange(len(similarity_NK)), torch.as_tensor(truth_N)]
    ranks: np.ndarray = (~(similarity_NK < own[:, None])).sum(1).numpy() - 1
    return ranks


def preprocessed(preprocess: object, drawings_NHW4: np.ndarray) -> torch.Tensor:
    """Premultiplied drawings on white through the model's own transform, undone to 0..1 for `image_vectors`."""
    assert callable(preprocess)
    rgb = drawings_NHW4[..., :3] + (255 - drawings_NHW4[..., 3:])
    return torch.stack([preprocess(Image.fromarray(picture)) for picture in rgb]) * STD[0] + MEAN[0]


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


def name_vectors(model: CLIP, names: Sequence[str]) -> torch.Tensor:
    """Unit vectors `[K, D]` of names, each the mean over the training's templates, as is usual for zero-shot CLIP."""
    texts = [text for name in names for text in templated(name)]
    vectors = text_vectors(model, texts).view(len(names), -1, model.text_projection.shape[1])
    return F.normalize(vectors.mean(dim=1), dim=-1)


def on_white(drawings_NHW4: np.ndarray) -> torch.Tensor:
    """Premultiplied drawings composited on white and resized to the model's input, `[N, 3, 64, 64]` in 0..1."""
    planes = torch.from_numpy(np.ascontiguousarray(drawings_NHW4)).permute(0, 3, 1, 2).float() / 255
    white = planes[:, :3] + 1 - planes[:, 3:]
    return F.interpolate(white, size=(IMAGE_PX, IMAGE_PX), mode="bicubic", antialias=True).clamp(0, 1)


def name_ranks(model: CLIP, composer: Composer) -> np.ndarray:
    """For each drawing of the composer, the rank of its own name among all (0: right at the first guess)."""
    names = text_vectors(model, name_prompts([emoji.name for emoji in composer.classes]))
    return _ranks(image_vectors(model, on_white(composer.drawings_N)) @ names.T, composer.class_N)


def head_pixels(bank: HeadBank, backgrounds_NHW3: np.ndarray) -> torch.Tensor:
    """The bank's heads on backgrounds taken in turn, `[N, 3, 64, 64]` in 0..1."""
    heads = torch.from_numpy(np.array(bank.pixels)).permute(0, 3, 1, 2).float() / 255
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
