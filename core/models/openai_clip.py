"""OpenAI's own CLIP files: TorchScript archives (`ViT-B-32.pt`) that hold float16 weights beside compiled code.

Only the tensors are kept; `core.models.open_clip` builds the network. The archive is opened by torch's own reader, the
only one for this format; fetching checks the sha256 that OpenAI put into the address.
"""

from __future__ import annotations

import warnings
import zipfile
from pathlib import Path

import torch

# Three numbers that the archives carry among the tensors; the architecture says them already.
ARCHIVE_NUMBERS = ("input_resolution", "context_length", "vocab_size")


def is_archive(path: Path) -> bool:
    """Whether a file is a TorchScript archive rather than a pickled state dict."""
    if not zipfile.is_zipfile(path):
        return False
    with zipfile.ZipFile(path) as archive:
        return any(name.endswith("/constants.pkl") for name in archive.namelist())


def read_archive(path: Path) -> dict[str, torch.Tensor]:
    """The tensors of an archive on the CPU. Raises `RuntimeError` for a damaged file."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch calls TorchScript deprecated; OpenAI's files are what they are
        return dict(torch.jit.load(str(path), map_location="cpu").state_dict())
