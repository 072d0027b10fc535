"""How much of a job may be in memory at once, and what a network takes for one image."""

from __future__ import annotations

import threading
import weakref
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import ImageRejected
from .words import Says

if TYPE_CHECKING:
    import torch

    from ..models.encoder import Encoder
    from ..models.manager import Lease, ModelManager

AHEAD_CHUNKS = 3
_AHEAD_BYTES = 512 * 2**20
_CPU_TENSOR_BYTES = 28 * 2**20  # glibc keeps blocks below 32 MiB for reuse
_MOST_RESIZED_PIXELS = 25_000_000  # a shape of 1 : 500 at 224 px; a line of 1 × 60,000 px would become gigabytes


def images_per_pass(encoder: Encoder, batch_size: int, asked: Probe) -> int:
    """The batch size asked for; less where one batch of pixels, or on the CPU one tensor, would get large."""
    if encoder.device.type != "cpu":
        return max(1, min(batch_size, _AHEAD_BYTES // _pixel_bytes(encoder)))
    return max(1, min(batch_size, _CPU_TENSOR_BYTES // max(1, asked.largest_tensor_bytes)))


def chunks_ahead(leases: Sequence[Lease], chunk_images: int) -> int:
    """How many chunks may wait: three, or as many as fit half a GiB, at least one."""
    image_bytes = sum(_pixel_bytes(lease.encoder) for lease in leases)
    return max(1, min(AHEAD_CHUNKS, _AHEAD_BYTES // (image_bytes * chunk_images)))


def _pixel_bytes(encoder: Encoder) -> int:
    """One preprocessed image: float32 in fp32, else uint8."""
    return 3 * encoder.spec.input_px**2 * (4 if str(encoder.dtype) == "torch.float32" else 1)


def check_shape(image_id: str, rgb_HWC: np.ndarray, leases: Sequence[Lease]) -> None:
    """Rejects an image so narrow that it would get huge when its shorter side is brought to a member's size."""
    from ..models.preprocess import resized_size

    height_px, width_px = rgb_HWC.shape[:2]
    for lease in leases:
        resized_height_px, resized_width_px = resized_size(height_px, width_px, lease.encoder.spec.preprocessing)
        if resized_height_px * resized_width_px > _MOST_RESIZED_PIXELS:
            raise ImageRejected(
                Says.too_narrow(
                    width=width_px,
                    height=height_px,
                    model=lease.encoder.spec.id,
                    new_width=resized_width_px,
                    new_height=resized_height_px,
                ),
                where=image_id,
                code_detail="too_large",
            )


@dataclass(frozen=True)
class Probe:
    """What is asked of a model once, as long as it stays loaded.

    Attributes:
        canaries: the canary images' features, for the passport.
        largest_tensor_bytes: of one image, among the outputs of the network's modules.
    """

    canaries: list[list[float]]
    largest_tensor_bytes: int


_probes: weakref.WeakKeyDictionary[Encoder, Probe] = weakref.WeakKeyDictionary()


def probe_of(encoder: Encoder, manager: ModelManager, job: threading.Event) -> Probe:
    known = _probes.get(encoder)
    if known is None:
        known = _probes[encoder] = _new_probe(encoder, manager, job)
    return known


def _new_probe(encoder: Encoder, manager: ModelManager, job: threading.Event) -> Probe:
    """Encodes the canary images, in as small batches as it takes, and watches how large the modules' outputs get.

    `job`: the event under which the caller holds the model, so that asking for it again does not wait in line.
    """
    import torch

    from ..models.batching import BatchRunner
    from ..models.device import dtype_name
    from ..models.passport import canary_images, canary_vectors

    here = threading.get_ident()  # others may be using the module
    largest_bytes = 0

    def watch(_module: torch.nn.Module, _inputs: Any, output: Any) -> None:
        nonlocal largest_bytes
        if isinstance(output, torch.Tensor) and threading.get_ident() == here:
            largest_bytes = max(largest_bytes, output.numel() * output.element_size())

    hooks = [module.register_forward_hook(watch) for module in encoder.module.modules()]
    device, dtype = str(encoder.device), dtype_name(encoder.dtype)
    try:
        with BatchRunner(manager, encoder.spec.id, device=device, dtype=dtype, cancel=job) as runner:
            canaries = canary_vectors(encoder, runner.encode)
    finally:
        for hook in hooks:
            hook.remove()
    return Probe(canaries, largest_bytes // len(canary_images()))
