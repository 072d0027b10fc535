"""Text embeddings, remembered: a caption costs the text tower once per model and dtype."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..types import Notice
from .encoder import Encoder
from .identity import identity_key


@dataclass(frozen=True)
class _Entry:
    vector_D: np.ndarray
    notices: tuple[Notice, ...]


_Key = tuple[str, str, str, str]


class TextCache:
    """Embeddings by (the model's identity, dtype, device type, text), the least recently used forgotten first.

    Safe to share between threads. Two threads that miss the same caption at once both encode it; the results agree.

    Args:
        max_bytes: of the embeddings kept together; 45 captions of 512 values are 92 kB.
    """

    def __init__(self, max_bytes: int = 128 * 2**20) -> None:
        self._max_bytes = max_bytes
        self._bytes = 0
        self._entries: OrderedDict[_Key, _Entry] = OrderedDict()
        self._lock = threading.Lock()

    def encode(self, encoder: Encoder, texts: Sequence[str]) -> tuple[np.ndarray, list[Notice]]:
        """K captions → (`features_KD` float32, not normalised; the notices of captions that were cut, in order).

        Only captions not seen before reach the encoder, each once. Raises what `encoder.encode_texts` raises.
        """
        found: dict[str, _Entry] = {}
        model = (identity_key(encoder), str(encoder.dtype), encoder.device.type)
        with self._lock:
            for text in texts:
                key = (*model, text)
                if key in self._entries:
                    self._entries.move_to_end(key)
                    found[text] = self._entries[key]
        missing = [text for text in dict.fromkeys(texts) if text not in found]
        if missing or not texts:
            features_KD, notices = encoder.encode_texts(missing)
            rows_KD = features_KD.detach().cpu().numpy().astype(np.float32)
            if not texts:
                return rows_KD, []
            for text, row_D in zip(missing, rows_KD, strict=True):
                vector_D = row_D.copy()  # a row of its own, so that forgetting it frees it
                vector_D.setflags(write=False)
                found[text] = _Entry(vector_D, tuple(notice for notice in notices if notice.subject == text))
            self._remember({(*model, text): found[text] for text in missing})
        ordered = [notice for text in dict.fromkeys(texts) for notice in found[text].notices]
        return np.stack([found[text].vector_D for text in texts]), ordered

    def clear(self) -> None:
        """Forgets everything."""
        with self._lock:
            self._entries.clear()
            self._bytes = 0

    def __len__(self) -> int:
        return len(self._entries)

    @property
    def size_bytes(self) -> int:
        """Bytes of the embeddings kept; never above `max_bytes`."""
        return self._bytes

    def _remember(self, entries: dict[_Key, _Entry]) -> None:
        with self._lock:
            for key, entry in entries.items():
                if key not in self._entries:
                    self._entries[key] = entry
                    self._bytes += entry.vector_D.nbytes
            while self._bytes > self._max_bytes:
                _, forgotten = self._entries.popitem(last=False)
                self._bytes -= forgotten.vector_D.nbytes
