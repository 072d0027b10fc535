"""How fast each model is on this machine: images/s, seconds to load, memory. `python -m core models bench`."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..errors import Cancelled, WeightsMissing, WorkbenchError
from ..messages import NOTHING, Message, english
from ..types import Notice
from .batching import BatchRunner
from .device import dtype_name, pick_device, pick_dtype
from .manager import ModelManager

if TYPE_CHECKING:
    import torch

    from .spec import ModelSpec


@dataclass(frozen=True)
class BenchRow:
    """One model in one dtype.

    Attributes:
        state: `measured`; `absent` (weights not here; `hint` is the command that brings them); `failed` (`hint` says
            why).
        device, dtype: what was used, which is another than asked for if memory ran out; the names asked for if nothing
            was measured.
        batch_size: images in one pass; smaller than asked for if memory ran out.
        images: how many were encoded in the time measured.
        images_per_s: of the model alone; decoding and preprocessing are not in it.
        load_s: from the weight file to a model that is ready; libraries are imported and the file was read before.
        memory_bytes: parameters and buffers on the device.
        peak_bytes: most memory taken on a CUDA device during the run; None elsewhere.
    """

    model_id: str
    state: str
    device: str
    dtype: str
    batch_size: int
    images: int = 0
    images_per_s: float = 0.0
    load_s: float = 0.0
    memory_bytes: int = 0
    peak_bytes: int | None = None
    notices: tuple[Notice, ...] = ()
    hint: Message = NOTHING


def bench(
    model_ids: Sequence[str],
    manager: ModelManager,
    dtypes: Sequence[str] = ("auto",),
    batch_size: int = 32,
    seconds: float = 5.0,
    *,
    device: str = "auto",
    cancel: threading.Event | None = None,
) -> list[BenchRow]:
    """All rows of `bench_rows`."""
    return list(bench_rows(model_ids, manager, dtypes, batch_size, seconds, device=device, cancel=cancel))


def bench_rows(
    model_ids: Sequence[str],
    manager: ModelManager,
    dtypes: Sequence[str] = ("auto",),
    batch_size: int = 32,
    seconds: float = 5.0,
    *,
    device: str = "auto",
    cancel: threading.Event | None = None,
) -> Iterator[BenchRow]:
    """Measure each model in each dtype, one row after the other, every one of them reported.

    A model is loaded, unloaded and loaded again, and the second load is measured; one that somebody else uses at the
    moment stays (`load_s` is 0.0 then). Random uint8 pixels of the model's size are encoded: one batch to warm up, then
    more until `seconds` have passed. A first batch that alone takes longer than that is the measurement, so that slow
    models stay bearable.

    Raises:
        UnknownModel, DeviceUnavailable, InputError: for names that mean nothing here, before anything is measured.
        Cancelled: `cancel` was set.
    """
    specs = [manager.find(model_id) for model_id in model_ids]
    first_device = pick_device(manager.settings.device if device == "auto" else device)
    for dtype in dtypes:
        pick_dtype(dtype, first_device)
    for spec in specs:
        for dtype in dtypes:
            try:
                yield _measure(spec, manager, device, dtype, batch_size, seconds, cancel)
            except Cancelled:
                raise
            except WeightsMissing as error:
                yield BenchRow(spec.id, "absent", device, dtype, batch_size, hint=error.next_step)
                break  # absent in the other dtypes too
            except WorkbenchError as error:
                yield BenchRow(spec.id, "failed", device, dtype, batch_size, hint=english(error))


def _measure(
    spec: ModelSpec,
    manager: ModelManager,
    device: str,
    dtype: str,
    batch_size: int,
    seconds: float,
    cancel: threading.Event | None,
) -> BenchRow:
    import torch

    manager.unload(spec.id)
    with manager.lease(spec.id, device, dtype, cancel):
        pass
    manager.unload(spec.id)
    with BatchRunner(manager, spec.id, device=device, dtype=dtype, batch_size=batch_size, cancel=cancel) as runner:
        shape = (batch_size, 3, spec.input_px, spec.input_px)
        pixels_BCHW = torch.randint(0, 256, shape, dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
        _reset_peak(runner.encoder.device)
        begin_s = time.perf_counter()
        images = len(runner.encode(pixels_BCHW))
        spent_s = time.perf_counter() - begin_s
        if spent_s < seconds:
            images, begin_s = 0, time.perf_counter()
            while images == 0 or time.perf_counter() - begin_s < seconds:
                images += len(runner.encode(pixels_BCHW))
            spent_s = time.perf_counter() - begin_s
        encoder = runner.encoder
        return BenchRow(
            model_id=spec.id,
            state="measured",
            device=str(encoder.device),
            dtype=dtype_name(encoder.dtype),
            batch_size=min(runner.batch_size, batch_size),
            images=images,
            images_per_s=images / spent_s,
            load_s=runner.load_s,
            memory_bytes=encoder.size_bytes,
            peak_bytes=_peak_bytes(encoder.device),
            notices=tuple(runner.notices),
        )


def _reset_peak(device: torch.device) -> None:
    import torch

    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)


def _peak_bytes(device: torch.device) -> int | None:
    import torch

    return torch.cuda.max_memory_allocated(device) if device.type == "cuda" else None
