"""One model over many images, in batches that fit: when memory runs out the batch shrinks, then others make room, then
the CPU takes over, and each step is reported.
"""

from __future__ import annotations

import threading
from contextlib import ExitStack
from types import TracebackType
from typing import TYPE_CHECKING

import numpy as np

from ..errors import OutOfMemory, stop_if_set
from ..messages import Message
from ..types import Notice
from .device import cpu_dtype_name, dtype_name, is_out_of_memory, moved_to_cpu
from .encoder import Encoder
from .manager import Lease, ModelManager
from .words import Says

if TYPE_CHECKING:
    import torch


class BatchRunner:
    """Encodes images with one leased model. A context manager, for one thread at a time.

    When memory runs out the same images are tried again, so that no row is lost, doubled or moved:

    1. in half the batch, down to one image; the size found is kept for all that follows;
    2. after unloading the device's models that nobody uses;
    3. on the CPU, in the same dtype (fp32 for fp16), from the batch size asked for.

    Args:
        manager: lends the model.
        model_id, device, dtype, cancel: as for `ModelManager.lease`.
        batch_size: images in one forward pass at most, 1 or more.

    Attributes:
        batch_size: the size in use now.
        notices: every step above that was taken, and the notices of the lease; grows during the run.
    """

    def __init__(
        self,
        manager: ModelManager,
        model_id: str,
        *,
        device: str = "auto",
        dtype: str = "auto",
        batch_size: int = 32,
        cancel: threading.Event | None = None,
    ) -> None:
        assert batch_size >= 1, "a batch has at least one image"
        self._manager = manager
        self._model_id = model_id
        self._device, self._dtype = device, dtype
        self._asked_batch_size = batch_size
        self._cancel = cancel
        self._lease: Lease | None = None
        self._stack = ExitStack()
        self._made_room = False
        self.batch_size = batch_size
        self.notices: list[Notice] = []

    def __enter__(self) -> BatchRunner:
        self._borrow(self._device, self._dtype)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._lease = None
        self._stack.close()

    @property
    def encoder(self) -> Encoder:
        """The model in use; another object after a move to the CPU."""
        assert self._lease is not None, "use the runner inside its `with` block"
        return self._lease.encoder

    @property
    def load_s(self) -> float:
        """Seconds that loading the model in use took; 0.0 if it was loaded already."""
        assert self._lease is not None, "use the runner inside its `with` block"
        return self._lease.load_s

    def encode(self, pixels_BCHW: torch.Tensor) -> np.ndarray:
        """Any number of images, uint8 or float32 → `features_BD` float32, row for row.

        Raises:
            OutOfMemory: not even one image fits on the CPU.
            Cancelled: `cancel` was set between two batches.
        """
        parts_BD: list[np.ndarray] = [np.empty((0, self.encoder.dim), dtype=np.float32)]
        begin = 0
        while begin < len(pixels_BCHW):
            stop_if_set(self._cancel)
            batch_BCHW = pixels_BCHW[begin : begin + self.batch_size]
            features_BD = self._try(batch_BCHW)
            if features_BD is None:
                self._step_down(len(batch_BCHW))
                continue
            assert len(features_BD) == len(batch_BCHW), "an encoder gives one row for each image"
            parts_BD.append(features_BD)
            begin += len(batch_BCHW)
        return np.concatenate(parts_BD)

    def _try(self, batch_BCHW: torch.Tensor) -> np.ndarray | None:
        """One forward pass; None when memory ran out, with everything given back."""
        import torch

        try:
            with torch.inference_mode():
                return self.encoder.encode_images(batch_BCHW).float().cpu().numpy()
        except Exception as error:
            if not is_out_of_memory(error):
                raise
        # Only here, outside of the except block, has the error let go of the tensors of the failed pass.
        self._manager.release_memory(self.encoder.device)
        return None

    def _step_down(self, failed_batch_size: int) -> None:
        """Make the next try smaller or move it; raise when there is nothing left to do."""
        device = self.encoder.device
        if failed_batch_size > 1:
            self.batch_size = failed_batch_size // 2
            self._note("oom_batch", Says.batch_shrunk(model=self._model_id, device=device, count=self.batch_size))
            return
        if not self._made_room:
            self._made_room = True
            unloaded = self._manager.unload(device=device)
            if unloaded:
                self._note("oom_unload", Says.others_unloaded(model=self._model_id, device=device, count=unloaded))
                return
        if device.type == "cpu":
            raise OutOfMemory(Says.memory_ran_out_cpu(), where=self._model_id, next_step=Says.choose_smaller())
        dtype = cpu_dtype_name(dtype_name(self.encoder.dtype))
        self._lease = None
        self._stack.close()
        self.notices.append(moved_to_cpu(self._model_id, device, Says.single_image_too_much()))
        self.batch_size, self._made_room = self._asked_batch_size, False
        self._borrow("cpu", dtype)

    def _borrow(self, device: str, dtype: str) -> None:
        lease = self._manager.lease(self._model_id, device, dtype, self._cancel)
        self._lease = self._stack.enter_context(lease)
        self.notices.extend(self._lease.notices)

    def _note(self, code: str, text: Message) -> None:
        self.notices.append(Notice(code, text, self._model_id))
