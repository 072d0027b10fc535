"""Leases, budgets and running out of memory with a GPU's own allocator."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from core.errors import BudgetExceeded, DeviceUnavailable
from core.models.batching import BatchRunner
from core.models.bench import bench
from core.models.device import (
    SystemMemory,
    cpu_has_bf16,
    device_names,
    gpu_free_bytes,
    has_bf16,
    pick_device,
    pick_dtype,
)
from core.models.encoder import Encoder
from core.models.manager import ModelManager
from core.models.spec import ModelSpec
from core.settings import Settings
from tests.fakes import fake_spec

MIB = 2**20
MODEL_MIB = 64
IMAGE_MIB = 32  # what one image takes during a pass


class BlockEncoder(Encoder):
    """One block of weights; each image of a pass takes `IMAGE_MIB` more, for as long as the pass lasts.

    Its row for an image is the image's mean colour, so that lost, doubled and swapped rows show.
    """

    def __init__(self, spec: ModelSpec, device: torch.device, dtype: torch.dtype) -> None:
        self.spec, self.device, self.dtype = spec, device, dtype
        self.module = torch.nn.Module()
        self.module.register_buffer("block", torch.zeros(MODEL_MIB * MIB // 4, device=device))
        self.size_bytes = MODEL_MIB * MIB
        self.weights_sha256 = "none"
        self.batch_sizes: list[int] = []

    @property
    def dim(self) -> int:
        return 3

    def preprocess(self, rgb_HWC: np.ndarray) -> torch.Tensor:
        return torch.from_numpy(rgb_HWC).permute(2, 0, 1)

    def encode_images(self, pixels_BCHW: torch.Tensor) -> torch.Tensor:
        self.batch_sizes.append(len(pixels_BCHW))
        activations = torch.empty(len(pixels_BCHW), IMAGE_MIB * MIB, dtype=torch.uint8, device=self.device)
        features_BD = pixels_BCHW.to(self.device).float().mean(dim=(2, 3))
        del activations
        return features_BD


def block_manager(**settings: object) -> ModelManager:
    return ModelManager(
        Settings(**{"idle_unload_s": 0.0, **settings}),  # type: ignore[arg-type]
        load=BlockEncoder,
        find=lambda model_id: replace(fake_spec(model_id), params_m=MODEL_MIB * MIB / 4e6),
    )


@contextmanager
def only(mib: int) -> Iterator[None]:
    """From here on this process may have so much more of the GPU than it has now."""
    torch.cuda.empty_cache()
    allowed_bytes = torch.cuda.memory_reserved(0) + mib * MIB
    torch.cuda.set_per_process_memory_fraction(allowed_bytes / torch.cuda.get_device_properties(0).total_memory, 0)
    try:
        yield
    finally:
        torch.cuda.set_per_process_memory_fraction(1.0, 0)


def pixels(count: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.randint(0, 256, (count, 3, 8, 8), dtype=torch.uint8, generator=generator)


def reference(count: int) -> np.ndarray:
    return pixels(count).float().mean(dim=(2, 3)).numpy()


# ---- devices and dtypes ----


def test_auto_is_the_freest_gpu():
    device = pick_device("auto")
    assert device.type == "cuda"
    free = {index: gpu_free_bytes(index) for index in range(torch.cuda.device_count())}
    assert gpu_free_bytes(device.index) >= 0.95 * max(free.values())
    assert pick_device("gpu").type == "cuda"
    assert pick_device("cuda:0") == torch.device("cuda:0")
    assert device_names()[:4] == ["auto", "cpu", "gpu", "cuda:0"]
    with pytest.raises(DeviceUnavailable, match="cuda:99"):
        pick_device("cuda:99")


def test_auto_is_bf16_where_the_gpu_multiplies_it(gpu: torch.device):
    assert pick_dtype("auto", gpu) == (torch.bfloat16 if has_bf16(gpu) else torch.float32)
    assert pick_dtype("fp16", gpu) == torch.float16
    matrix = torch.eye(64, dtype=pick_dtype("auto", gpu), device=gpu)
    assert torch.equal(matrix @ matrix, matrix)


def test_free_memory_follows_what_is_taken_and_what_torch_keeps_counts_as_free(gpu: torch.device):
    memory = SystemMemory(Settings(gpu_budget_fraction=0.5))
    total_bytes = torch.cuda.get_device_properties(gpu).total_memory
    assert memory.budget_bytes(gpu) == int(total_bytes * 0.5)
    before_bytes = memory.free_bytes(gpu)
    assert before_bytes is not None
    block = torch.zeros(256 * MIB, dtype=torch.uint8, device=gpu)
    assert before_bytes - (memory.free_bytes(gpu) or 0) >= 250 * MIB
    del block
    assert torch.cuda.memory_reserved(gpu) >= 256 * MIB
    assert abs((memory.free_bytes(gpu) or 0) - before_bytes) <= 32 * MIB
    memory.release(gpu)
    assert torch.cuda.memory_reserved(gpu) < 256 * MIB


# ---- the manager ----


def test_an_evicted_model_gives_its_memory_back(gpu: torch.device):
    manager = block_manager()
    before_bytes = torch.cuda.memory_allocated(gpu)
    with manager.lease("a", "cuda:0", "fp32"):
        assert torch.cuda.memory_allocated(gpu) - before_bytes >= MODEL_MIB * MIB
    assert manager.unload() == 1
    assert torch.cuda.memory_allocated(gpu) == before_bytes
    assert torch.cuda.memory_reserved(gpu) <= before_bytes + 4 * MIB


def test_the_budget_is_held_and_a_leased_model_stays(gpu: torch.device):
    total_bytes = torch.cuda.get_device_properties(gpu).total_memory
    manager = block_manager(gpu_budget_fraction=2.5 * MODEL_MIB * MIB / total_bytes)
    begin_bytes = torch.cuda.memory_allocated(gpu)
    with manager.lease("kept", "cuda:0", "fp32"):
        for model_id in "abcd":
            with manager.lease(model_id, "cuda:0", "fp32"):
                assert torch.cuda.memory_allocated(gpu) - begin_bytes <= 2.5 * MODEL_MIB * MIB
        assert {model.model_id for model in manager.status()} == {"kept", "d"}
    with manager.lease_many(["a", "b", "c"], "cuda:0", "fp32") as leases:
        assert {str(lease.encoder.device) for lease in leases} == {"cpu"}, "three never fit; the CPU takes them"
        assert [notice.code for notice in leases[0].notices] == ["oom_cpu"]


def test_a_load_that_runs_out_of_memory_unloads_the_idle_first(gpu: torch.device):
    manager = block_manager()
    with manager.lease("idle", "cuda:0", "fp32"):
        pass
    with only(MODEL_MIB // 2), manager.lease("a", "cuda:0", "fp32") as lease:
        assert str(lease.encoder.device) == "cuda:0"
    assert {model.model_id for model in manager.status()} == {"a"}


def test_a_load_that_can_never_fit_goes_to_the_cpu(gpu: torch.device):
    manager = block_manager()
    with only(MODEL_MIB // 2), manager.lease("a", "cuda:0", "fp32") as lease:
        assert str(lease.encoder.device) == "cpu"
        assert [notice.code for notice in lease.notices] == ["oom_cpu"]
    assert torch.cuda.memory_allocated(gpu) < MODEL_MIB * MIB, "the failed load left nothing behind"


def test_many_threads_share_one_load(gpu: torch.device):
    manager = block_manager()
    encoders: list[int] = []
    together = threading.Barrier(8)

    def work() -> None:
        together.wait(30)
        with manager.lease("a", "cuda:0", "fp32") as lease:
            encoders.append(id(lease.encoder))
            together.wait(30)

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert len(encoders) == 8
    assert len(set(encoders)) == 1


# ---- batches ----


def test_the_batch_is_halved_until_it_fits(gpu: torch.device):
    manager = block_manager()
    with BatchRunner(manager, "a", device="cuda:0", dtype="fp32", batch_size=16) as runner:
        encoder = runner.encoder
        assert isinstance(encoder, BlockEncoder)
        with only(5 * IMAGE_MIB):
            features_BD = runner.encode(pixels(21))
        assert str(runner.encoder.device) == "cuda:0"
        assert runner.batch_size == 4
        assert [notice.code for notice in runner.notices] == ["oom_batch", "oom_batch"]
        assert encoder.batch_sizes == [16, 8, 4, 4, 4, 4, 4, 1]
    np.testing.assert_allclose(features_BD, reference(21), rtol=1e-5)


def test_unused_models_leave_when_one_image_is_too_much(gpu: torch.device):
    manager = block_manager()
    with manager.lease("idle", "cuda:0", "fp32"):
        pass
    with BatchRunner(manager, "a", device="cuda:0", dtype="fp32", batch_size=2) as runner:
        with only(IMAGE_MIB // 2):
            features_BD = runner.encode(pixels(3))
        assert str(runner.encoder.device) == "cuda:0"
        assert [notice.code for notice in runner.notices] == ["oom_batch", "oom_unload"]
    assert {model.model_id for model in manager.status()} == {"a"}
    np.testing.assert_allclose(features_BD, reference(3), rtol=1e-5)


def test_the_cpu_takes_over_and_the_gpu_is_free_again(gpu: torch.device):
    manager = block_manager()
    with BatchRunner(manager, "a", device="cuda:0", dtype="fp32", batch_size=4) as runner:
        with only(IMAGE_MIB // 2):
            features_BD = runner.encode(pixels(6))
        assert str(runner.encoder.device) == "cpu"
        assert [notice.code for notice in runner.notices] == ["oom_batch", "oom_batch", "oom_cpu"]
        assert manager.unload(device=gpu) == 1
    np.testing.assert_allclose(features_BD, reference(6), rtol=1e-5)
    assert torch.cuda.memory_allocated(gpu) < MODEL_MIB * MIB


def test_a_model_too_large_for_the_budget_runs_on_the_cpu(gpu: torch.device):
    manager = block_manager(gpu_budget_fraction=1e-9, cpu_budget_bytes=100)
    with pytest.raises(BudgetExceeded), BatchRunner(manager, "a", device="gpu", dtype="fp32"):
        pass
    manager = block_manager(gpu_budget_fraction=1e-9)
    with BatchRunner(manager, "a", device="gpu", dtype="fp32") as runner:
        assert str(runner.encoder.device) == "cpu"


# ---- real models ----


@pytest.mark.parametrize("model_id", ["efficientnet_lite0", "custom_tiny"])
@pytest.mark.parametrize(("dtype", "least_cosine"), [("fp32", 0.9999), ("bf16", 0.97), ("fp16", 0.995)])
def test_the_gpu_gives_the_cpus_vectors(
    model_id: str, dtype: str, least_cosine: float, tiny_weights: Path, gpu: torch.device
):
    manager = ModelManager(Settings(weights_dir=tiny_weights, idle_unload_s=0.0))
    before_bytes = torch.cuda.memory_allocated(gpu)
    with manager.lease(model_id, "cpu", "fp32") as on_cpu, manager.lease(model_id, "cuda:0", dtype) as on_gpu:
        taken_bytes = torch.cuda.memory_allocated(gpu) - before_bytes
        assert on_gpu.encoder.size_bytes == pytest.approx(taken_bytes, rel=0.25, abs=2 * MIB)
        side_px = on_cpu.encoder.spec.input_px
        generator = torch.Generator().manual_seed(0)
        pixels_BCHW = torch.randint(0, 256, (6, 3, side_px, side_px), dtype=torch.uint8, generator=generator)
        with torch.inference_mode():
            expected = on_cpu.encoder.encode_images(pixels_BCHW)
            given = on_gpu.encoder.encode_images(pixels_BCHW)
        assert given.device == gpu
        assert given.dtype == torch.float32
        cosines = torch.nn.functional.cosine_similarity(expected, given.cpu())
        assert float(cosines.min()) >= least_cosine


def test_the_benchmark_tells_the_peak(gpu: torch.device):
    manager = ModelManager(Settings(idle_unload_s=0.0))
    (row,) = bench(["efficientnet_lite0"], manager, ["auto"], batch_size=8, seconds=0.2, device="gpu")
    assert row.state == "measured"
    assert row.device.startswith("cuda:")
    assert row.peak_bytes is not None
    assert row.peak_bytes > row.memory_bytes > 0
    assert row.images_per_s > 0


def test_auto_dtypes_of_cpu_and_gpu_are_told_apart(gpu: torch.device):
    manager = block_manager()
    with manager.lease("a", "cpu") as on_cpu, manager.lease("a", "cuda:0") as on_gpu:
        assert on_cpu.encoder.dtype == (torch.bfloat16 if cpu_has_bf16() else torch.float32)
        assert on_gpu.encoder.dtype == (torch.bfloat16 if has_bf16(gpu) else torch.float32)
        assert {model.device for model in manager.status()} == {"cpu", "cuda:0"}
