"""Devices, dtypes and memory of this machine and of machines that are not here."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import psutil
import pytest
import torch

from core.errors import DeviceUnavailable, InputError
from core.models import device as device_module
from core.models.device import (
    SystemMemory,
    container_free_bytes,
    container_limit_bytes,
    cpu_has_bf16,
    cpuinfo_has_bf16,
    device_names,
    dtype_name,
    dtype_notices,
    is_out_of_memory,
    pick_device,
    pick_dtype,
)
from core.settings import Settings

CPU = torch.device("cpu")
GPU = torch.device("cuda:1")


class FakeCuda:
    """GPUs that are not here: free and kept memory in bytes, compute capability, and whether they open."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *free_bytes: int) -> None:
        self.free_bytes = list(free_bytes)
        self.kept_bytes = [0] * len(free_bytes)
        self.broken: set[int] = set()
        self.capability = (9, 0)
        monkeypatch.setattr(torch.cuda, "is_available", lambda: bool(self.free_bytes))
        monkeypatch.setattr(torch.cuda, "device_count", lambda: len(self.free_bytes))
        monkeypatch.setattr(torch.cuda, "mem_get_info", lambda index: (self.free_bytes[index], 1000))
        monkeypatch.setattr(torch.cuda, "memory_reserved", lambda index: 7 + self.kept_bytes[index])
        monkeypatch.setattr(torch.cuda, "memory_allocated", lambda index: 7)
        monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: self.capability)
        monkeypatch.setattr(torch.cuda, "get_device_properties", lambda device: SimpleNamespace(total_memory=1000))
        monkeypatch.setattr(device_module, "_gpu_works", lambda index: index not in self.broken)


@pytest.fixture
def no_mps(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)


# ---- devices ----


def test_without_a_gpu_auto_is_the_cpu_and_a_gpu_is_refused(monkeypatch: pytest.MonkeyPatch, no_mps: None):
    FakeCuda(monkeypatch)
    assert pick_device("auto") == CPU
    assert pick_device(" CPU ") == CPU
    assert device_names() == ["auto", "cpu"]
    for name in ("gpu", "cuda", "cuda:0", "mps", "tpu", "", "cuda:-1", "cuda:x"):
        with pytest.raises(DeviceUnavailable, match="not available on this machine") as caught:
            pick_device(name)
        assert caught.value.next_step == "Choose one of: auto, cpu."


def test_auto_is_the_freest_gpu(monkeypatch: pytest.MonkeyPatch, no_mps: None):
    cuda = FakeCuda(monkeypatch, 100, 300, 200)
    assert pick_device("auto") == pick_device("gpu") == pick_device("cuda") == torch.device("cuda:1")
    cuda.kept_bytes[2] = 150  # torch holds it for reuse: free for us
    assert pick_device("auto") == torch.device("cuda:2")
    cuda.broken = {2}
    assert pick_device("auto") == torch.device("cuda:1")
    assert device_names() == ["auto", "cpu", "gpu", "cuda:0", "cuda:1"]
    assert pick_device("cuda:0") == torch.device("cuda:0")
    for name in ("cuda:2", "cuda:3"):
        with pytest.raises(DeviceUnavailable, match=name) as caught:
            pick_device(name)
        assert "cuda:1" in caught.value.next_step


def test_gpus_that_do_not_work_leave_the_cpu(monkeypatch: pytest.MonkeyPatch, no_mps: None):
    cuda = FakeCuda(monkeypatch, 100)
    cuda.broken = {0}
    assert pick_device("auto") == CPU
    with pytest.raises(DeviceUnavailable):
        pick_device("gpu")


def test_a_gpu_too_full_to_be_asked_counts_as_full(monkeypatch: pytest.MonkeyPatch, no_mps: None):
    FakeCuda(monkeypatch, 100, 50)

    def mem_get_info(index: int) -> tuple[int, int]:
        if index == 0:
            raise torch.AcceleratorError("CUDA error: out of memory")
        return 50, 1000

    monkeypatch.setattr(torch.cuda, "mem_get_info", mem_get_info)
    assert pick_device("auto") == torch.device("cuda:1")


def test_on_a_mac_auto_and_gpu_are_mps(monkeypatch: pytest.MonkeyPatch):
    FakeCuda(monkeypatch)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: True)
    assert pick_device("auto") == pick_device("gpu") == pick_device("mps") == torch.device("mps")
    assert pick_device("cpu") == CPU
    assert device_names() == ["auto", "cpu", "gpu", "mps"]


def test_a_gpu_without_kernels_for_it_does_not_work(monkeypatch: pytest.MonkeyPatch):
    device_module._gpu_works.cache_clear()

    def raising(message: str) -> Callable[..., torch.Tensor]:
        def ones(*_shape: int, device: str) -> torch.Tensor:
            raise RuntimeError(message)

        return ones

    try:
        monkeypatch.setattr(torch, "ones", raising("CUDA error: no kernel image is available for execution"))
        assert not device_module._gpu_works(0)
        monkeypatch.setattr(torch, "ones", raising("CUDA error: out of memory"))
        assert device_module._gpu_works(1)
    finally:
        device_module._gpu_works.cache_clear()


# ---- dtypes ----


@pytest.mark.parametrize(
    ("name", "dtype"),
    [("fp32", torch.float32), ("bf16", torch.bfloat16), ("fp16", torch.float16), (" FP32 ", torch.float32)],
)
def test_a_dtype_that_was_named_is_taken(name: str, dtype: torch.dtype):
    assert pick_dtype(name, GPU) == dtype
    assert dtype_name(dtype) == name.strip().lower()


def test_an_unknown_dtype_is_refused():
    with pytest.raises(InputError, match="int8") as caught:
        pick_dtype("int8", CPU)
    assert caught.value.next_step == "Choose one of: auto, fp32, bf16, fp16."


def test_fp16_is_not_offered_on_a_cpu():
    with pytest.raises(InputError, match="fp16 on a CPU") as caught:
        pick_dtype("fp16", CPU)
    assert "bf16" in caught.value.next_step


@pytest.mark.parametrize("has_bf16", [True, False])
def test_auto_follows_the_cpu_and_slow_bf16_is_said(monkeypatch: pytest.MonkeyPatch, has_bf16: bool):
    monkeypatch.setattr(device_module, "cpu_has_bf16", lambda: has_bf16)
    assert pick_dtype("auto", CPU) == (torch.bfloat16 if has_bf16 else torch.float32)
    assert pick_dtype("bf16", CPU) == torch.bfloat16
    codes = [notice.code for notice in dtype_notices(torch.bfloat16, CPU)]
    assert codes == ([] if has_bf16 else ["slow_dtype"])
    assert dtype_notices(torch.float32, CPU) == []


@pytest.mark.parametrize(
    ("capability", "hip", "dtype"),
    [
        ((8, 0), None, torch.bfloat16),
        ((9, 0), None, torch.bfloat16),
        ((7, 5), None, torch.float32),
        ((7, 0), "6.4", torch.bfloat16),
    ],
)
def test_auto_follows_the_gpu(
    monkeypatch: pytest.MonkeyPatch, capability: tuple[int, int], hip: str | None, dtype: torch.dtype
):
    cuda = FakeCuda(monkeypatch, 100, 100)
    cuda.capability = capability
    monkeypatch.setattr(torch.version, "hip", hip)
    assert pick_dtype("auto", GPU) == dtype
    assert dtype_notices(torch.bfloat16, GPU) == []
    assert pick_dtype("auto", torch.device("mps")) == torch.float32


@pytest.mark.parametrize(
    ("cpuinfo", "has_bf16"),
    [
        ("flags\t\t: fpu avx512f avx512_vnni avx512_bf16\n", True),
        ("processor\t: 0\nflags\t\t: fpu amx_bf16 amx_tile amx_int8\n", True),
        ("flags\t\t: fpu avx2 avx512f avx512bw avx512_vnni\n", False),
        ("Features\t: fp asimd i8mm bf16 dgh\n", True),
        ("Features\t: fp asimd crc32\n", False),
        ("model name\t: a chip named bf16\nflags: fpu\n", False),
        ("", False),
    ],
)
def test_bf16_instructions_are_read_from_cpuinfo(cpuinfo: str, has_bf16: bool):
    assert cpuinfo_has_bf16(cpuinfo) is has_bf16


@pytest.fixture
def asked_itself(monkeypatch: pytest.MonkeyPatch):
    """The CPU is asked, whichever way the suite runs."""
    monkeypatch.delenv(device_module.BF16_SWITCH, raising=False)
    cpu_has_bf16.cache_clear()
    yield
    cpu_has_bf16.cache_clear()


@pytest.mark.parametrize("said", ["0", "1"])
def test_the_switch_speaks_for_the_cpu(asked_itself, monkeypatch: pytest.MonkeyPatch, said: str):
    monkeypatch.setenv(device_module.BF16_SWITCH, said)
    assert cpu_has_bf16() is (said == "1")


def test_this_cpu_agrees_with_torchs_own_detection(asked_itself):
    check = getattr(torch.cpu, "_is_avx512_bf16_supported", None)
    amx = getattr(torch.cpu, "_is_amx_tile_supported", None)
    if torch.backends.cpu.get_cpu_capability().startswith("AVX") and check is not None and amx is not None:
        assert cpu_has_bf16() == bool(check() or amx())
    else:
        assert cpu_has_bf16() in (True, False)


def test_apple_and_windows(asked_itself, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(device_module.platform, "system", lambda: "Darwin")
    assert cpu_has_bf16() is False
    cpu_has_bf16.cache_clear()
    monkeypatch.setattr(device_module.platform, "system", lambda: "Windows")
    monkeypatch.setattr(device_module, "Path", lambda name: Path("/nowhere") / name.strip("/"))
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: True, raising=False)
    assert cpu_has_bf16() is True
    cpu_has_bf16.cache_clear()
    monkeypatch.delattr(torch.cpu, "_is_avx512_bf16_supported")
    monkeypatch.delattr(torch.cpu, "_is_amx_tile_supported", raising=False)
    assert cpu_has_bf16() is False


# ---- memory ----


def test_the_cpu_budget_is_the_settings_or_half_of_the_machine():
    assert SystemMemory(Settings(cpu_budget_bytes=123)).budget_bytes(CPU) == 123
    half_bytes = SystemMemory(Settings()).budget_bytes(CPU)
    assert 0 < half_bytes <= psutil.virtual_memory().total // 2
    free_bytes = SystemMemory(Settings()).free_bytes(CPU)
    assert free_bytes is not None and 0 < free_bytes <= psutil.virtual_memory().total
    SystemMemory(Settings()).release(CPU)


def test_the_gpu_budget_is_a_fraction_of_the_gpu(monkeypatch: pytest.MonkeyPatch):
    cuda = FakeCuda(monkeypatch, 100, 300)
    cuda.kept_bytes[1] = 20
    memory = SystemMemory(Settings(gpu_budget_fraction=0.5))
    assert memory.budget_bytes(GPU) == 500
    assert memory.free_bytes(GPU) == 320


def test_mps_memory(monkeypatch: pytest.MonkeyPatch):
    emptied = itertools.count()
    monkeypatch.setattr(torch.mps, "recommended_max_memory", lambda: 1000)
    monkeypatch.setattr(torch.mps, "driver_allocated_memory", lambda: 300)
    monkeypatch.setattr(torch.mps, "empty_cache", lambda: next(emptied))
    memory = SystemMemory(Settings(gpu_budget_fraction=0.5))
    mps = torch.device("mps")
    assert (memory.budget_bytes(mps), memory.free_bytes(mps)) == (500, 700)
    memory.release(mps)
    assert next(emptied) == 1


@pytest.mark.parametrize(
    ("files", "limit_bytes", "free_bytes"),
    [
        ({}, None, None),
        ({"memory.max": "max\n", "memory.current": "5\n"}, None, None),
        (
            {"memory.max": "1000\n", "memory.current": "700\n", "memory.stat": "anon 1\ninactive_file 300\nfile 9\n"},
            1000,
            600,
        ),
        ({"memory.max": "1000\n", "memory.current": "1200\n"}, 1000, 0),
        ({"memory/memory.limit_in_bytes": "2000\n"}, 2000, None),
    ],
)
def test_a_containers_limit_is_seen(
    tmp_path: Path, files: dict[str, str], limit_bytes: int | None, free_bytes: int | None
):
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    assert container_limit_bytes(tmp_path) == limit_bytes
    assert container_free_bytes(tmp_path) == free_bytes


# ---- running out ----


@pytest.mark.parametrize(
    ("error", "out_of_memory"),
    [
        (torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB"), True),
        (MemoryError(), True),
        (RuntimeError("CUDA error: out of memory"), True),
        (RuntimeError("MPS backend out of memory (MPS allocated: 1 GB)"), True),
        (RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling cublasCreate"), True),
        (RuntimeError("mat1 and mat2 shapes cannot be multiplied"), False),
        (ValueError("out of memory"), False),
        (KeyboardInterrupt(), False),
    ],
)
def test_out_of_memory_is_recognised(error: BaseException, out_of_memory: bool):
    assert is_out_of_memory(error) is out_of_memory


def test_torchs_own_complaint_on_the_cpu_is_recognised():
    with pytest.raises(RuntimeError) as caught:
        torch.empty(10**15)
    assert is_out_of_memory(caught.value)
