"""Honest fakes: quick stand-ins whose answers follow what they are given.

`FakeEncoder` follows pixels and words: another image, another crop, a flipped image or another caption gives another
vector, and a colour's name lies near a picture of that colour. A shuffled batch, a dropped row or a swapped caption
therefore turns a test red. Its numbers are no claim about any real model.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Sequence

import numpy as np
import torch
from PIL import Image

from core.errors import Unsupported
from core.models.encoder import Encoder, PatchTokens
from core.models.spec import CLIP_MEAN, CLIP_STD, ModelSpec, Preprocessing
from core.types import Notice

GRID = 4  # an image is seen as GRID × GRID cells
MAX_WORDS = 12  # longer captions are cut, and a notice says so

COLOURS = {
    "red": (220, 30, 30),
    "green": (30, 180, 60),
    "blue": (40, 60, 220),
    "yellow": (230, 220, 40),
    "black": (5, 5, 5),
    "white": (250, 250, 250),
    "grey": (128, 128, 128),
}


def fake_spec(
    model_id: str = "fake", *, dim: int = 16, input_px: int = 32, has_text: bool = True, gmacs: float = 1.0
) -> ModelSpec:
    """A catalogue entry for a model that exists in tests only."""
    return ModelSpec(
        id=model_id,
        family="open_clip",
        architecture="fake",
        tag="fake",
        dim=dim,
        preprocessing=Preprocessing(input_px, input_px, "bicubic", CLIP_MEAN, CLIP_STD),
        activation="gelu",
        params_m=0.001,
        gmacs=gmacs,
        file_bytes=0,
        licence="",
        folder="fake",
        files=("fake.safetensors",),
        has_text=has_text,
        advice="A fake for tests.",
    )


def solid(colour: str | tuple[int, int, int], height_px: int = 40, width_px: int = 48) -> np.ndarray:
    """A one-coloured `rgb_HWC`."""
    rgb = COLOURS[colour] if isinstance(colour, str) else colour
    return np.broadcast_to(np.array(rgb, dtype=np.uint8), (height_px, width_px, 3)).copy()


def _matrix(name: str, rows: int, columns: int) -> torch.Tensor:
    """A fixed matrix that depends on nothing but its name."""
    seed = int.from_bytes(hashlib.sha256(name.encode()).digest()[:4], "big")
    return torch.from_numpy(np.random.default_rng(seed).normal(size=(rows, columns)).astype(np.float32))


class FakeEncoder(Encoder):
    """A tiny linear model over a 4×4 grid of mean colours.

    Args:
        spec: dim, input size, id and whether there is a text tower are taken from it; two ids are two models.
        device, dtype: as of a real encoder; `preprocess` gives float32 in fp32 and uint8 otherwise.
        max_batch: larger batches raise `torch.OutOfMemoryError`, as a GPU would.
        before_encode: called with the batch first; may raise or wait.
        size_bytes: what the manager is told; default: the true size of the matrices.

    Attributes:
        batch_sizes: length of every batch encoded, in order.
        texts_seen: every caption encoded, in order.
    """

    def __init__(
        self,
        spec: ModelSpec | None = None,
        device: torch.device | str = "cpu",
        dtype: torch.dtype = torch.float32,
        *,
        max_batch: int | None = None,
        before_encode: Callable[[torch.Tensor], None] | None = None,
        size_bytes: int | None = None,
    ) -> None:
        self.spec = spec or fake_spec()
        self.device = torch.device(device)
        self.dtype = dtype
        self.max_batch = max_batch
        self.before_encode = before_encode
        self.batch_sizes: list[int] = []
        self.texts_seen: list[str] = []
        self._lock = threading.Lock()
        self.module = torch.nn.Module().requires_grad_(False).eval()
        self.module.register_buffer("colour", _matrix(f"{self.spec.id}/colour", 9, self.spec.dim).to(self.device))
        self.module.register_buffer("place", _matrix(f"{self.spec.id}/place", GRID * GRID, 3).to(self.device))
        self.weights_sha256 = hashlib.sha256(f"fake weights of {self.spec.id}".encode()).hexdigest()
        true_size = sum(buffer.numel() * buffer.element_size() for buffer in self.module.buffers())
        self.size_bytes = true_size if size_bytes is None else size_bytes

    @property
    def dim(self) -> int:
        return self.spec.dim

    @property
    def logit_scale(self) -> float:
        if not self.spec.has_text:
            return super().logit_scale
        return 100.0

    def preprocess(self, rgb_HWC: np.ndarray) -> torch.Tensor:
        """Shorter side to the input size (PIL bicubic), centre crop; uint8, in fp32 normalised float32."""
        assert rgb_HWC.dtype == np.uint8 and rgb_HWC.ndim == 3 and rgb_HWC.shape[2] == 3, "an upright uint8 RGB image"
        size_px = self.spec.input_px
        height_px, width_px = rgb_HWC.shape[:2]
        scale = size_px / min(height_px, width_px)
        new_size = (max(size_px, round(width_px * scale)), max(size_px, round(height_px * scale)))
        image = Image.fromarray(rgb_HWC).resize(new_size, Image.Resampling.BICUBIC)
        left, top = (new_size[0] - size_px) // 2, (new_size[1] - size_px) // 2
        pixels = torch.from_numpy(np.array(image.crop((left, top, left + size_px, top + size_px)))).permute(2, 0, 1)
        return self._normalised(pixels[None])[0].cpu() if self.dtype == torch.float32 else pixels.contiguous()

    def encode_images(self, pixels_BCHW: torch.Tensor) -> torch.Tensor:
        return self.patch_tokens(pixels_BCHW).cls_BD

    def patch_tokens(self, pixels_BCHW: torch.Tensor) -> PatchTokens:
        with self._lock:
            self.batch_sizes.append(len(pixels_BCHW))
        if self.before_encode is not None:
            self.before_encode(pixels_BCHW)
        if self.max_batch is not None and len(pixels_BCHW) > self.max_batch:
            raise torch.OutOfMemoryError(f"fake: out of memory for a batch of {len(pixels_BCHW)}")
        pixels = pixels_BCHW.to(self.device)
        pixels = self._normalised(pixels) if pixels.dtype == torch.uint8 else pixels.float()
        cells_BPC = torch.nn.functional.adaptive_avg_pool2d(pixels, GRID).flatten(2).transpose(1, 2)
        patches_BPD = self._colour_features(cells_BPC)
        placed_BPC = cells_BPC + 0.25 * self.module.place * cells_BPC  # so that a flipped image is another image
        return PatchTokens(self._colour_features(placed_BPC).mean(dim=1), patches_BPD, (GRID, GRID))

    def encode_texts(self, texts: Sequence[str]) -> tuple[torch.Tensor, list[Notice]]:
        """A caption's vector: the pictures of its colour words, and a little of every other word."""
        if not self.spec.has_text:
            raise Unsupported("This model has no text tower.", where=self.spec.id, next_step="Choose a CLIP model.")
        with self._lock:
            self.texts_seen.extend(texts)
        notices = []
        rows = []
        for text in texts:
            words = text.lower().replace(",", " ").replace(".", " ").split()
            if len(words) > MAX_WORDS:
                notices.append(Notice("text_cut", f"Caption cut to {MAX_WORDS} words: {text!r}", text))
                words = words[:MAX_WORDS]
            row = _matrix(f"{self.spec.id}/no words", 1, self.spec.dim)[0].to(self.device) * 0.01
            for word in words:
                if word in COLOURS:
                    pixel = torch.tensor(COLOURS[word], dtype=torch.uint8, device=self.device).view(1, 3, 1, 1)
                    row = row + self._colour_features(self._normalised(pixel).view(1, 1, 3))[0, 0]
                else:
                    row = row + 0.05 * _matrix(f"{self.spec.id}/{word}", 1, self.spec.dim)[0].to(self.device)
            rows.append(row)
        return torch.stack(rows) if rows else torch.zeros(0, self.spec.dim, device=self.device), notices

    def _normalised(self, pixels_uint8: torch.Tensor) -> torch.Tensor:
        mean = torch.tensor(self.spec.preprocessing.mean, device=pixels_uint8.device).view(1, 3, 1, 1)
        std = torch.tensor(self.spec.preprocessing.std, device=pixels_uint8.device).view(1, 3, 1, 1)
        return (pixels_uint8.float() / 255 - mean) / std

    def _colour_features(self, cells_BPC: torch.Tensor) -> torch.Tensor:
        """Colours, their squares and their products, through one matrix: near colours lie near."""
        red, green, blue = cells_BPC.unbind(-1)
        products = torch.stack([red * green, green * blue, blue * red], dim=-1)
        return torch.cat([cells_BPC, 0.5 * cells_BPC**2, 0.5 * products], dim=-1) @ self.module.colour


def fake_load(spec: ModelSpec, device: torch.device, dtype: torch.dtype) -> FakeEncoder:
    """For `ModelManager(settings, load=fake_load)`: any catalogue id gives its fake, of the catalogue's width."""
    return FakeEncoder(spec, device, dtype)
