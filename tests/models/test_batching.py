"""Batches under memory that runs out: smaller, then alone on the device, then on the CPU, and every row right."""

from __future__ import annotations

import functools
import threading
import weakref
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from core.errors import Cancelled, OutOfMemory
from core.models import manager as manager_module
from core.models.batching import BatchRunner
from core.models.manager import ModelManager
from core.models.spec import ModelSpec
from core.settings import Settings
from tests.fakes import FakeEncoder, fake_spec

GPU = "cuda:0"  # not here: the fake computes on the CPU and only bears the name


class Memory:
    """Room enough, except where a test says otherwise."""

    def __init__(self) -> None:
        self.budgets: dict[str, int] = {}
        self.released: list[str] = []
        self.on_release: Callable[[], None] = lambda: None

    def budget_bytes(self, device: torch.device) -> int:
        return self.budgets.get(str(device), 10**9)

    def free_bytes(self, device: torch.device) -> int | None:
        return None

    def release(self, device: torch.device) -> None:
        self.released.append(str(device))
        self.on_release()


class NamedGpuEncoder(FakeEncoder):
    """Computes on the CPU and says it were elsewhere."""

    def __init__(self, spec: ModelSpec, device: torch.device, dtype: torch.dtype) -> None:
        super().__init__(spec, "cpu", dtype)
        self.named_device = device
        self.device = device

    def encode_images(self, pixels_BCHW: torch.Tensor) -> torch.Tensor:
        self.device = torch.device("cpu")
        try:
            return super().encode_images(pixels_BCHW)
        finally:
            self.device = self.named_device


class House:
    """A manager of fakes on a CPU and one GPU, each of which takes so many images in a pass."""

    def __init__(self) -> None:
        self.memory = Memory()
        self.max_batch: dict[str, int | None] = {}
        self.encoders: dict[tuple[str, str], NamedGpuEncoder] = {}
        self.before_encode: Callable[[torch.Tensor], None] | None = None
        self.manager = ModelManager(
            Settings(idle_unload_s=0.0),
            load=self._load,
            memory=self.memory,
            find=lambda model_id: replace(fake_spec(model_id), params_m=1.0),
        )

    def _load(self, spec: ModelSpec, device: torch.device, dtype: torch.dtype) -> FakeEncoder:
        encoder = NamedGpuEncoder(spec, device, dtype)
        encoder.max_batch = self.max_batch.get(str(device))
        encoder.before_encode = self.before_encode
        self.encoders[spec.id, str(device)] = encoder
        return encoder

    def runner(self, batch_size: int, *, device: str = GPU, dtype: str = "fp32", **more: object) -> BatchRunner:
        return BatchRunner(self.manager, "a", device=device, dtype=dtype, batch_size=batch_size, **more)  # type: ignore[arg-type]


@pytest.fixture(autouse=True)
def _a_gpu_that_is_not_here(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(manager_module, "pick_device", torch.device)


PIXELS_BCHW = torch.randint(0, 256, (20, 3, 32, 32), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))


def pixels(count: int) -> torch.Tensor:
    return PIXELS_BCHW[:count]


@functools.cache
def _reference_rows() -> np.ndarray:
    """Image by image, without runner or manager."""
    encoder = FakeEncoder(fake_spec("a"))
    return np.concatenate([encoder.encode_images(one[None]).numpy() for one in PIXELS_BCHW])


def reference(pixels_BCHW: torch.Tensor) -> np.ndarray:
    return _reference_rows()[: len(pixels_BCHW)]


@settings(max_examples=50, deadline=None)
@given(count=st.integers(0, 13), batch_size=st.integers(1, 9), gpu_takes=st.integers(0, 9), cpu_takes=st.integers(1, 9))
def test_every_row_is_there_once_and_in_place_whatever_fits(
    count: int, batch_size: int, gpu_takes: int, cpu_takes: int
) -> None:
    manager_module.pick_device, kept = torch.device, manager_module.pick_device
    try:
        house = House()
        house.max_batch = {GPU: gpu_takes, "cpu": cpu_takes}
        images_BCHW = pixels(count)
        with house.runner(batch_size) as runner:
            first_BD = runner.encode(images_BCHW)
            second_BD = runner.encode(images_BCHW)
    finally:
        manager_module.pick_device = kept
    for features_BD in (first_BD, second_BD):
        assert features_BD.dtype == np.float32
        np.testing.assert_allclose(features_BD, reference(images_BCHW), rtol=1e-5, atol=1e-5)
    moved = any(notice.code == "oom_cpu" for notice in runner.notices)
    assert moved == (gpu_takes == 0 and count > 0)


def test_the_batch_is_halved_until_it_fits_and_stays_there():
    house = House()
    house.max_batch = {GPU: 5}
    with house.runner(16) as runner:
        runner.encode(pixels(20))
        assert house.encoders["a", GPU].batch_sizes == [16, 8, 4, 4, 4, 4, 4]
        runner.encode(pixels(6))
        assert house.encoders["a", GPU].batch_sizes[-2:] == [4, 2]
        assert runner.batch_size == 4
        assert [(n.code, n.subject) for n in runner.notices] == [("oom_batch", "a")] * 2
        assert [n.text for n in runner.notices] == [
            "a: out of memory on cuda:0, now 8 images at a time.",
            "a: out of memory on cuda:0, now 4 images at a time.",
        ]
    assert house.memory.released == [GPU, GPU]


def test_a_short_last_batch_that_fails_is_halved_by_its_own_length():
    house = House()
    house.max_batch = {GPU: 3}
    with house.runner(32) as runner:
        runner.encode(pixels(5))
    assert house.encoders["a", GPU].batch_sizes == [5, 2, 2, 1]


def test_when_one_image_is_too_much_unused_models_leave_the_device():
    house = House()
    for model_id, device in (("idle", GPU), ("busy", GPU), ("elsewhere", "cpu")):
        with house.manager.lease(model_id, device, "fp32"):
            pass
    house.max_batch = {GPU: 0}

    def room_at_last() -> None:
        if ("idle", GPU) not in {(m.model_id, m.device) for m in house.manager.status()}:
            house.encoders["a", GPU].max_batch = 1

    house.memory.on_release = room_at_last
    with house.manager.lease("busy", GPU, "fp32"), house.runner(2) as runner:
        features_BD = runner.encode(pixels(3))
        assert {m.model_id for m in house.manager.status()} == {"a", "busy", "elsewhere"}
        assert [notice.code for notice in runner.notices] == ["oom_batch", "oom_unload"]
        assert runner.notices[1].text == "a: out of memory on cuda:0, unloaded 1 unused model(s)."
        assert str(runner.encoder.device) == GPU
    np.testing.assert_allclose(features_BD, reference(pixels(3)), rtol=1e-5, atol=1e-5)


def test_then_the_cpu_takes_over_in_the_batch_size_asked_for():
    house = House()
    house.max_batch = {GPU: 0}
    with house.runner(8, dtype="bf16") as runner:
        runner.encode(pixels(10))
        assert str(runner.encoder.device) == "cpu"
        assert runner.encoder.dtype == torch.bfloat16, "vectors of one table stay comparable"
        assert [m.leases for m in house.manager.status() if m.device == GPU] == [0], "the GPU's lease was given back"
        codes = [notice.code for notice in runner.notices if notice.code != "slow_dtype"]
        assert codes == ["oom_batch"] * 3 + ["oom_cpu"]
    assert house.encoders["a", "cpu"].batch_sizes == [8, 2]
    assert all(m.leases == 0 for m in house.manager.status())


def test_half_precision_becomes_fp32_on_the_cpu():
    house = House()
    house.max_batch = {GPU: 0}
    with house.runner(1, dtype="fp16") as runner:
        runner.encode(pixels(1))
        assert runner.encoder.dtype == torch.float32


def test_a_model_that_does_not_fit_the_gpu_starts_on_the_cpu():
    house = House()
    house.memory.budgets = {GPU: 1000}
    with house.runner(4) as runner:
        assert str(runner.encoder.device) == "cpu"
        assert [notice.code for notice in runner.notices] == ["oom_cpu"]
        assert runner.encode(pixels(4)).shape == (4, 16)


def test_not_even_one_image_on_the_cpu_is_an_error_that_names_the_model():
    house = House()
    house.max_batch = {GPU: 0, "cpu": 0}
    with house.runner(2) as runner, pytest.raises(OutOfMemory, match="single image") as caught:
        runner.encode(pixels(2))
    assert caught.value.where == "a"
    assert [n.code for n in runner.notices] == ["oom_batch", "oom_cpu", "oom_batch"]
    assert all(m.leases == 0 for m in house.manager.status())


def test_cpu_allocation_failures_walk_down_too():
    house = House()

    def fail_above_two(pixels_BCHW: torch.Tensor) -> None:
        if len(pixels_BCHW) > 2:
            raise RuntimeError(
                "[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes"
            )

    house.before_encode = fail_above_two
    with house.runner(8, device="cpu") as runner:
        runner.encode(pixels(8))
        assert runner.batch_size == 2


def test_the_failed_pass_is_let_go_before_memory_is_given_back():
    """Emptying the cache while the error still holds the tensors frees nothing."""
    house = House()
    taken: list[weakref.ref[torch.Tensor]] = []
    alive: list[bool] = []

    def take_and_fail(pixels_BCHW: torch.Tensor) -> None:
        if len(pixels_BCHW) > 1:
            activations = torch.zeros(1000)
            taken.append(weakref.ref(activations))
            raise torch.OutOfMemoryError("fake")

    house.before_encode = take_and_fail
    house.memory.on_release = lambda: alive.append(any(ref() is not None for ref in taken))
    with house.runner(4) as runner:
        runner.encode(pixels(4))
    assert len(taken) == 2
    assert alive == [False, False]


def test_other_errors_pass_through_and_give_the_model_back():
    house = House()

    def fail(pixels_BCHW: torch.Tensor) -> None:
        raise ValueError("a bug")

    house.before_encode = fail
    with pytest.raises(ValueError, match="a bug"), house.runner(4) as runner:
        runner.encode(pixels(4))
    assert [m.leases for m in house.manager.status()] == [0]


def test_cancel_stops_between_two_batches():
    house = House()
    cancel = threading.Event()
    house.before_encode = lambda pixels_BCHW: cancel.set()
    with house.runner(2, cancel=cancel) as runner, pytest.raises(Cancelled):
        runner.encode(pixels(6))
    assert house.encoders["a", GPU].batch_sizes == [2]
    assert [m.leases for m in house.manager.status()] == [0]


def test_the_runner_tells_load_time_and_ends_with_its_block():
    house = House()
    with house.runner(2) as runner:
        assert runner.load_s > 0.0
        with house.runner(2) as again:
            assert again.load_s == 0.0
    with pytest.raises(AssertionError, match="inside its `with` block"):
        _ = runner.encoder
