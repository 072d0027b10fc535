"""Where a model computes and in what numbers, and how much memory there is.

Importing this module costs no torch; its functions import it when they are called.
"""

from __future__ import annotations

import functools
import os
import platform
import re
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import psutil

from ..errors import DeviceUnavailable, InputError
from ..messages import Message
from ..settings import Settings
from ..types import Notice
from ..words import Common
from .words import Says

if TYPE_CHECKING:
    import torch

DTYPE_NAMES = ("fp32", "bf16", "fp16")
DTYPE_BYTES = {"fp32": 4, "bf16": 2, "fp16": 2}

# Flags of /proc/cpuinfo for bf16 matrix products: AVX-512 and AMX on x86 ("flags"), the extension itself on Arm
# ("Features").
CPU_BF16_FLAGS = frozenset({"avx512_bf16", "amx_bf16", "bf16"})

BF16_SWITCH = "CLIP_WORKBENCH_CPU_BF16"

# What allocators say when they are out of memory without raising a class of their own: CUDA's runtime and MPS, torch on
# the CPU, cuBLAS.
OUT_OF_MEMORY_WORDS = ("out of memory", "can't allocate memory", "alloc_failed")


# ---- devices ----


def pick_device(name: str) -> torch.device:
    """The device that `auto | cpu | gpu | cuda:N | mps` means here and now; a CUDA device always bears its number.

    `auto` is the GPU with the most free memory, else MPS, else the CPU; `gpu` (or `cuda`) is the same without the CPU.

    Raises:
        DeviceUnavailable: the device does not exist here or does not work; the message names those that do.
    """
    import torch

    wanted = name.strip().lower()
    if wanted == "cpu":
        return torch.device("cpu")
    if wanted in ("auto", "gpu", "cuda"):
        free_bytes_of = {index: gpu_free_bytes(index) for index in _working_gpus()}
        if free_bytes_of:
            return torch.device("cuda", max(free_bytes_of, key=lambda index: free_bytes_of[index]))
        if _has_mps():
            return torch.device("mps")
        if wanted == "auto":
            return torch.device("cpu")
    elif wanted == "mps" and _has_mps():
        return torch.device("mps")
    elif (numbered := re.fullmatch(r"cuda:(\d+)", wanted)) and int(numbered[1]) in _working_gpus():
        return torch.device("cuda", int(numbered[1]))
    raise DeviceUnavailable(Says.no_device(name=name), next_step=Common.choose_one(names=", ".join(device_names())))


def device_names() -> list[str]:
    """Every name that `pick_device` accepts on this machine, for menus and messages."""
    gpus = [f"cuda:{index}" for index in _working_gpus()]
    mps = ["mps"] if _has_mps() else []
    return ["auto", "cpu", *(["gpu"] if gpus or mps else []), *gpus, *mps]


def gpu_free_bytes(index: int) -> int:
    """Free memory of a GPU, what torch keeps in its own cache unused included; 0 if it is too full to be asked."""
    import torch

    try:
        free_bytes, _total_bytes = torch.cuda.mem_get_info(index)
    except RuntimeError:
        return 0
    return free_bytes + torch.cuda.memory_reserved(index) - torch.cuda.memory_allocated(index)


def _working_gpus() -> list[int]:
    import torch

    if not torch.cuda.is_available():
        return []
    return [index for index in range(torch.cuda.device_count()) if _gpu_works(index)]


@functools.cache
def _gpu_works(index: int) -> bool:
    """Whether the GPU opens and this torch build has kernels for it (a card may be too old, or another program's)."""
    import torch

    try:
        return float(torch.ones(1, device=f"cuda:{index}").add(1).item()) == 2.0
    except RuntimeError as error:
        return is_out_of_memory(error)  # full at the moment, which passes


def _has_mps() -> bool:
    import torch

    return torch.backends.mps.is_available()


# ---- dtypes ----


def pick_dtype(name: str, device: torch.device) -> torch.dtype:
    """The dtype that `auto | fp32 | bf16 | fp16` means on a device.

    `auto` is bf16 where the CPU or the GPU has instructions for it, else fp32. fp16 is refused on a CPU: without fp16
    instructions it was measured 13 (ViT-B/32) to 65 (ResNet-50) times slower than fp32.

    Raises:
        InputError: an unknown name, or fp16 on a CPU.
    """
    import torch

    wanted = name.strip().lower()
    if wanted == "auto":
        return torch.bfloat16 if has_bf16(device) else torch.float32
    if wanted not in DTYPE_NAMES:
        raise InputError(Common.unknown_dtype(name=name), next_step=Says.choose_dtype(names=", ".join(DTYPE_NAMES)))
    if wanted == "fp16" and device.type == "cpu":
        raise InputError(Says.fp16_on_cpu(), next_step=Says.choose_cpu_dtype())
    return {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}[wanted]


def dtype_name(dtype: torch.dtype) -> str:
    """`fp32`, `bf16` or `fp16`: the inverse of `pick_dtype`."""
    import torch

    return {torch.float32: "fp32", torch.bfloat16: "bf16", torch.float16: "fp16"}[dtype]


def dtype_notices(dtype: torch.dtype, device: torch.device) -> list[Notice]:
    """What the user should know about this choice: bf16 on a CPU that has to emulate it."""
    if device.type == "cpu" and dtype_name(dtype) == "bf16" and not cpu_has_bf16():
        return [Notice("slow_dtype", Says.slow_bf16())]
    return []


def cpu_dtype_name(name: str) -> str:
    """The dtype for work that moves to the CPU: the same, so that numbers stay comparable; fp32 for fp16."""
    return "fp32" if name.strip().lower() == "fp16" else name


def has_bf16(device: torch.device) -> bool:
    """Whether the device has instructions for bf16 (and not only an emulation)."""
    import torch

    if device.type == "cpu":
        return cpu_has_bf16()
    if device.type == "cuda":  # Ampere and later; every GPU that torch's ROCm builds support
        return torch.version.hip is not None or torch.cuda.get_device_capability(device)[0] >= 8
    return False


@functools.cache
def cpu_has_bf16() -> bool:
    """Whether this CPU has bf16 instructions that torch uses: AVX-512 BF16 or AMX on x86, FEAT_BF16 on Arm Linux.

    False on Apple's CPUs: torch multiplies fp32 there through Accelerate and bf16 without it. `BF16_SWITCH` in the
    environment says `0` or `1` in place of the CPU: so the tests run both ways on one machine.
    """
    said = os.environ.get(BF16_SWITCH)
    if said in ("0", "1"):
        return said == "1"
    if platform.system() == "Darwin":
        return False
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        return cpuinfo_has_bf16(cpuinfo.read_text(errors="replace"))
    import torch

    # Where there is no /proc (Windows) torch's own checks are asked: private functions, so with care.
    checks = (getattr(torch.cpu, name, None) for name in ("_is_avx512_bf16_supported", "_is_amx_tile_supported"))
    return any(bool(check()) for check in checks if check is not None)


def cpuinfo_has_bf16(cpuinfo: str) -> bool:
    """Whether the text of `/proc/cpuinfo` (x86 `flags`, Arm `Features`) lists a bf16 extension."""
    for line in cpuinfo.splitlines():
        field, _colon, values = line.partition(":")
        if field.strip() in ("flags", "Features") and not CPU_BF16_FLAGS.isdisjoint(values.split()):
            return True
    return False


# ---- memory ----


class Memory(Protocol):
    """What the manager asks about memory. Tests hand in a fake."""

    def budget_bytes(self, device: torch.device) -> int:
        """What all models together may take on the device."""

    def free_bytes(self, device: torch.device) -> int | None:
        """What is really free on the device now, other programs considered; None where nobody knows."""

    def release(self, device: torch.device) -> None:
        """Give memory that was freed, but is kept for reuse, back to the device."""


class SystemMemory:
    """The machine's memory, within the bounds that the settings set."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    def budget_bytes(self, device: torch.device) -> int:
        import torch

        if device.type == "cpu":
            if self._settings.cpu_budget_bytes is not None:
                return self._settings.cpu_budget_bytes
            return machine_memory_bytes() // 2
        if device.type == "cuda":
            total_bytes = torch.cuda.get_device_properties(device).total_memory
        else:
            total_bytes = torch.mps.recommended_max_memory()
        return int(total_bytes * self._settings.gpu_budget_fraction)

    def free_bytes(self, device: torch.device) -> int | None:
        import torch

        if device.type == "cpu":
            return machine_free_bytes()
        if device.type == "cuda":
            return gpu_free_bytes(device.index or 0)
        return torch.mps.recommended_max_memory() - torch.mps.driver_allocated_memory()

    def release(self, device: torch.device) -> None:
        import torch

        if device.type == "cuda":
            with torch.cuda.device(device):
                torch.cuda.empty_cache()
        elif device.type == "mps":
            torch.mps.empty_cache()


CGROUP_DIR = Path("/sys/fs/cgroup")


@functools.cache
def machine_memory_bytes() -> int:
    """Memory of the machine, or of the container where that is less."""
    total_bytes = psutil.virtual_memory().total
    limit_bytes = container_limit_bytes(CGROUP_DIR)
    return total_bytes if limit_bytes is None else min(total_bytes, limit_bytes)


def machine_free_bytes() -> int:
    """Memory that programs can still get, from the machine or within the container."""
    free_bytes = psutil.virtual_memory().available
    container_bytes = container_free_bytes(CGROUP_DIR)
    return free_bytes if container_bytes is None else min(free_bytes, container_bytes)


def container_limit_bytes(cgroup_dir: Path) -> int | None:
    """The container's memory limit (cgroup 2, else 1); None where there is none."""
    for name in ("memory.max", "memory/memory.limit_in_bytes"):
        limit = _read_number(cgroup_dir / name)
        if limit is not None:
            return limit
    return None


def container_free_bytes(cgroup_dir: Path) -> int | None:
    """The limit less what is used; file pages that the kernel can drop do not count as used (cgroup 2 only)."""
    limit_bytes = _read_number(cgroup_dir / "memory.max")
    used_bytes = _read_number(cgroup_dir / "memory.current")
    if limit_bytes is None or used_bytes is None:
        return None
    try:
        stat = (cgroup_dir / "memory.stat").read_text()
    except OSError:
        stat = ""
    file_pages = re.search(r"^inactive_file (\d+)$", stat, re.MULTILINE)
    return max(0, limit_bytes - used_bytes + (int(file_pages[1]) if file_pages else 0))


def _read_number(path: Path) -> int | None:
    """The number in a file; None where there is no file, or it says `max`."""
    try:
        text = path.read_text().strip()
    except OSError:
        return None
    return int(text) if text.isdigit() else None


# ---- running out ----


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an exception means that memory ran out, whichever allocator raised it."""
    import torch

    if isinstance(error, (MemoryError, torch.OutOfMemoryError)):
        return True
    return isinstance(error, RuntimeError) and any(words in str(error).lower() for words in OUT_OF_MEMORY_WORDS)


def moved_to_cpu(model: str, device: torch.device, reason: Message) -> Notice:
    """The notice of a move to the CPU."""
    return Notice("oom_cpu", Says.moved_to_cpu(model=model, device=device, reason=reason), model)
