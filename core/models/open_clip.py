"""open_clip's models as encoders: ViT, ResNet and timm towers, built-in or described by an `open_clip_config.json`.

OpenAI's releases are served by the same class (`core.models.openai_clip` reads their archives): the `-quickgelu`
architectures compute what OpenAI's own package does (`clip.model.build_model`, the reference in the tests) and share
loading, text and patch tokens with all others.

Text is tokenised by open_clip's own tokenizer. Where attention is causal a token sees nothing behind it, so the padding
after the longest caption of a batch is not computed: the same numbers at a fraction of the time.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Sequence
from copy import deepcopy
from functools import lru_cache
from pathlib import Path
from typing import Any

import open_clip
import torch
from open_clip.model import convert_to_custom_text_state_dict
from open_clip.tokenizer import default_bpe
from open_clip.transform import PreprocessCfg, image_transform_v2
from open_clip.transformer import text_global_pool
from torchvision.transforms import Compose

from ..errors import WeightsInvalid
from ..messages import reason_of
from ..types import Notice
from .checkpoint import fitted, materialise, read_state_dict
from .module_encoder import ModuleEncoder
from .openai_clip import ARCHIVE_NUMBERS
from .spec import OPEN_CLIP_CONFIG, ModelSpec, Preprocessing
from .words import Says

MAX_LOGIT_SCALE = 100.0  # CLIP's training clamps it there
CAPTIONS_AT_ONCE = 256  # bounds the text tower's memory

_TEXT_PREFIX = "text."
_SCALARS = ("logit_scale", "logit_bias")
_TRAINING_ONLY = ("logit_bias",)  # a bias on the loss; no vector depends on it, and older files lack it


def load(spec: ModelSpec, path: Path, device: torch.device, dtype: torch.dtype, weights_sha256: str) -> OpenClipEncoder:
    """Strict; raises `WeightsInvalid`. Reads nothing but `path` and the configuration beside it."""
    state = read_state_dict(path)
    config = model_config(spec, path)
    module = materialise(
        lambda: build(config), _in_layout_of(config, state), device=device, dtype=dtype, **_lenience(spec, path)
    )
    # from the file, not from the module: sixteen bits would make 99 of 100
    scale = min(math.exp(float(state["logit_scale"])), MAX_LOGIT_SCALE)
    return OpenClipEncoder(spec, module, device, dtype, weights_sha256, config, scale)


def check(spec: ModelSpec, path: Path) -> None:
    """Raises what `load` would, without reading the weights themselves."""
    config = model_config(spec, path)
    fitted(lambda: build(config), _in_layout_of(config, read_state_dict(path)), **_lenience(spec, path))


def _lenience(spec: ModelSpec, path: Path) -> dict[str, Any]:
    """What a file may have too much or too little, and its name for errors."""
    ignored = ARCHIVE_NUMBERS if spec.tag == "openai" else ()
    return {"where": str(path), "ignored": ignored, "optional": _TRAINING_ONLY}


def model_config(spec: ModelSpec, weights_path: Path | None) -> dict[str, Any]:
    """open_clip's description of the architecture: a built-in one by name, or the file beside the weights."""
    if spec.architecture == OPEN_CLIP_CONFIG:
        assert weights_path is not None, "a configuration file lies beside its weights"
        text = (weights_path.parent / OPEN_CLIP_CONFIG).read_text(encoding="utf-8")
        return deepcopy(json.loads(text)["model_cfg"])
    config = open_clip.get_model_config(spec.architecture)
    assert config is not None, f"open_clip does not know {spec.architecture}"
    return config


def build(config: dict[str, Any]) -> torch.nn.Module:
    """The architecture without weights, for any default device; downloads nothing."""
    config = deepcopy(config)
    config["vision_cfg"].pop("timm_model_pretrained", None)
    custom_text = config.pop("custom_text", False)
    try:
        return (open_clip.CustomTextCLIP if custom_text else open_clip.CLIP)(**config)
    except Exception as error:  # whatever a configuration makes open_clip and timm stumble over
        raise WeightsInvalid(Says.open_clip_cannot_build(error=reason_of(error)), where=OPEN_CLIP_CONFIG) from error


def reference_transform(preprocessing: Preprocessing) -> Compose:
    """open_clip's own evaluation transform."""
    return image_transform_v2(
        PreprocessCfg(
            size=preprocessing.crop_px,
            mean=preprocessing.mean,
            std=preprocessing.std,
            interpolation=preprocessing.interpolation,
            resize_mode=preprocessing.resize_mode,
        ),
        is_train=False,
    )


class OpenClipEncoder(ModuleEncoder):
    """Images, and texts where the tokenizer is open_clip's own."""

    def __init__(
        self,
        spec: ModelSpec,
        module: torch.nn.Module,
        device: torch.device,
        dtype: torch.dtype,
        weights_sha256: str,
        config: dict[str, Any],
        logit_scale: float,
    ) -> None:
        super().__init__(spec, module, device, dtype, weights_sha256, reference_transform(spec.preprocessing))
        self._config = config
        self._text_config: dict[str, Any] = config["text_cfg"]
        self._logit_scale = logit_scale

    @property
    def switches(self) -> dict[str, Any]:
        return self._config

    @property
    def tokenizer(self) -> dict[str, Any] | None:
        if not self.spec.has_text:
            return None
        settings = self._text_config.get("tokenizer_kwargs") or {}
        return {"vocabulary_sha256": _vocabulary_sha256(), "context_length": self.context_length, **settings}

    @property
    def logit_scale(self) -> float:
        return self._logit_scale if self.spec.has_text else super().logit_scale

    @property
    def context_length(self) -> int:
        """Tokens of the longest caption, begin and end included."""
        return int(self._text_config.get("context_length", 77))

    @property
    def _tokenizer(self) -> open_clip.SimpleTokenizer:
        return _tokenizer(json.dumps(self._text_config.get("tokenizer_kwargs") or {}, sort_keys=True))

    def encode_texts(self, texts: Sequence[str]) -> tuple[torch.Tensor, list[Notice]]:
        if not self.spec.has_text:
            return super().encode_texts(texts)
        if not texts:
            return torch.zeros(0, self.dim, device=self.device), []
        tokens_KT = self.tokenize(texts)
        # in order of length, so that a batch of short captions is cut short though a long one is among the texts
        lengths_K = _lengths(tokens_KT)
        order_K = torch.argsort(lengths_K, stable=True)
        features_KD = torch.empty(len(texts), self.dim, device=self.device)
        with torch.inference_mode():
            for rows_B in order_K.split(CAPTIONS_AT_ONCE):
                longest = int(lengths_K[rows_B].max())
                features_KD[rows_B.to(self.device)] = self.encode_tokens(
                    tokens_KT[rows_B].to(self.device), longest
                ).float()
        return features_KD, self.cut_notices(texts, tokens_KT)

    @property
    def _tower(self) -> torch.nn.Module:
        return self.module.visual

    def _features(self, input_BCHW: torch.Tensor) -> torch.Tensor:
        features = self.module.encode_image(input_BCHW)
        return features[0] if isinstance(features, tuple) else features  # `output_tokens` in a configuration

    def _module_dim(self) -> int:
        visual = self.module.visual
        if hasattr(visual, "output_dim"):
            return int(visual.output_dim)
        with torch.inference_mode():  # timm towers do not say; one blank image does
            side_px = self.spec.input_px
            return int(
                self._features(torch.zeros(1, 3, side_px, side_px, device=self.device, dtype=self.dtype)).shape[1]
            )

    def tokenize(self, texts: Sequence[str]) -> torch.Tensor:
        """int64 `tokens_KT` on the CPU, padded with zeros to the context length; longer texts are cut."""
        return self._tokenizer(list(texts), self.context_length)

    def encode_tokens(self, tokens_BT: torch.Tensor, longest: int | None = None) -> torch.Tensor:
        """Text features `[B, D]` in the module's dtype, with gradients where the caller has them on.

        Computes only the first `longest` tokens, by default those of the longest text, where that changes nothing.
        """
        longest = int(_lengths(tokens_BT).max()) if longest is None else longest
        tower = self.module if isinstance(self.module, open_clip.CLIP) else self.module.text
        pool = tower.text_pool_type if isinstance(self.module, open_clip.CLIP) else tower.pool_type
        causal = getattr(tower, "attn_mask", None) is not None
        if not causal or pool not in ("argmax", "eos", "first") or getattr(tower, "cls_emb", None) is not None:
            features = self.module.encode_text(tokens_BT)
            return features[0] if isinstance(features, tuple) else features
        tokens_BT = tokens_BT[:, :longest]
        # the steps of open_clip's `encode_text`, with positions and mask cut to the same length
        hidden_BTW = tower.token_embedding(tokens_BT) + tower.positional_embedding[:longest]
        hidden_BTW = tower.transformer(hidden_BTW, attn_mask=tower.attn_mask[:longest, :longest])
        end = getattr(tower, "text_eos_id", None) if isinstance(tower, open_clip.CLIP) else tower.eos_id
        pooled_BW = text_global_pool(tower.ln_final(hidden_BTW), tokens_BT, pool, eos_token_id=end)
        projection = tower.text_projection
        if projection is None:
            return pooled_BW
        return projection(pooled_BW) if isinstance(projection, torch.nn.Linear) else pooled_BW @ projection

    def cut_notices(self, texts: Sequence[str], tokens_KT: torch.Tensor) -> list[Notice]:
        """What `tokenize` lost of these texts: a notice for each that was too long."""
        notices = []
        full_K = (tokens_KT[:, -1] != 0).tolist()
        for text, full in zip(texts, full_K, strict=True):
            needed = len(self._tokenizer.encode(text)) + 2 if full else 0  # begin and end
            if needed > self.context_length:
                shown = text if len(text) <= 80 else text[:79] + "…"
                notices.append(
                    Notice(
                        "text_cut",
                        Says.caption_cut(tokens=needed, limit=self.context_length, model=self.spec.id, caption=shown),
                        text,
                    )
                )
        return notices


@lru_cache(maxsize=4)
def _tokenizer(settings: str) -> open_clip.SimpleTokenizer:
    """open_clip's tokenizer, made once for all models: its vocabulary takes a fifth of a second to unpack."""
    return open_clip.SimpleTokenizer(**json.loads(settings))


@lru_cache(maxsize=1)
def _vocabulary_sha256() -> str:
    return hashlib.sha256(Path(default_bpe()).read_bytes()).hexdigest()


def _lengths(tokens_KT: torch.Tensor) -> torch.Tensor:
    """Tokens up to and with the last that is not padding (0)."""
    positions_T = torch.arange(1, tokens_KT.shape[1] + 1, device=tokens_KT.device)
    return ((tokens_KT != 0) * positions_T).amax(dim=1)


def _in_layout_of(config: dict[str, Any], state: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """The tensors under the names the architecture uses: the text tower's lie bare, or under `text.`."""
    custom_text = bool(config.get("custom_text", False))
    if custom_text and "text_projection" in state:
        state = convert_to_custom_text_state_dict(state)
    elif not custom_text and any(name.startswith(_TEXT_PREFIX) for name in state):
        state = {name.removeprefix(_TEXT_PREFIX): tensor for name, tensor in state.items()}
    # a scalar in some files, one value in a row in others
    nonscalar = bool(config.get("nonscalar_logit_scale", False))
    return {
        name: tensor.reshape([1] if nonscalar else []) if name in _SCALARS and tensor.numel() == 1 else tensor
        for name, tensor in state.items()
    }
