"""Where an experiment computes: Lightning Fabric on a CPU, a GPU or several, under torchrun too."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from core.errors import InputError

if TYPE_CHECKING:
    from lightning.fabric import Fabric


def launched_fabric(
    device: str = "auto",
    devices: int = 1,
    *,
    precision: str = "32-true",
    threads: int | None = None,
    exactly: bool = False,
) -> Fabric:
    """Launched: with several devices this very command runs once for each. Under torchrun, its processes are taken.

    Args:
        device: `auto | cpu | gpu`.
        devices: GPUs, or processes on a CPU.
        precision: Fabric's name.
        threads: of a CPU; None: as many as torch chooses.
        exactly: refuse to run in another number of processes than `devices`.

    Raises:
        InputError: another device, one that is not here, a precision that it does not have, no thread, or (`exactly`)
            another number of processes under torchrun.
    """
    import torch
    from lightning.fabric import Fabric
    from lightning.fabric.utilities.exceptions import MisconfigurationException

    if device not in ("auto", "cpu", "gpu"):
        raise InputError("The device is one of auto, cpu, gpu.", where=device, next_step="--device auto")
    if device == "gpu" and not torch.cuda.is_available() and not torch.backends.mps.is_available():
        raise InputError("This machine has no GPU that torch can use.", where="--device gpu", next_step="--device cpu")
    if precision == "16-mixed" and (device == "cpu" or not torch.cuda.is_available()):
        # Fabric would compute in bfloat16, and the run's record would say float16
        raise InputError("16-mixed needs a GPU.", where="the precision", next_step="Give bf16-mixed, or 32-true.")
    if threads is not None and threads < 1:
        raise InputError(
            "There must be at least one thread.", where=f"--threads {threads}", next_step="Give 1 or more."
        )
    if threads:
        torch.set_num_threads(threads)
    machines = 1
    if "TORCHELASTIC_RUN_ID" in os.environ:
        each, processes = int(os.environ["LOCAL_WORLD_SIZE"]), int(os.environ["WORLD_SIZE"])
        if exactly and processes != devices:
            raise InputError(
                f"torchrun has started {processes} processes, not {devices}.",
                where=f"--devices {devices}",
                next_step=f"--devices {processes}",
            )
        devices, machines = each, processes // each
    try:
        fabric = Fabric(
            accelerator=device,
            devices=devices,
            num_nodes=machines,
            strategy="ddp" if devices * machines > 1 else "auto",
            precision=precision,  # type: ignore[arg-type]
        )
    except (MisconfigurationException, ValueError, RuntimeError) as error:
        raise InputError(
            f"These devices cannot be used: {error}",
            where=f"--device {device} --devices {devices}",
            next_step="--devices 1",
        ) from error
    fabric.launch()
    return fabric
