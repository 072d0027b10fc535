"""The model manager, scene by scene. `test_manager_properties.py` drives it through random traces."""

from __future__ import annotations

import gc
import os
import random
import subprocess
import sys
import threading
import time
import weakref
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from core.errors import BudgetExceeded, Cancelled, InputError, OutOfMemory, UnknownModel, WeightsInvalid, WorkbenchError
from core.models import manager as manager_module
from core.models.manager import Lease, ModelManager
from core.models.spec import ModelSpec
from core.settings import REPO_DIR, Settings
from tests.fakes import FakeEncoder, fake_load, fake_spec

UNIT_BYTES = 4_000_000  # a fp32 model of one million parameters
PATIENCE_S = 20.0


class Budget:
    """A memory of so many units on every device."""

    def __init__(self, units: float, free_units: float | None = None) -> None:
        self.units, self.free_units = units, free_units
        self.released: list[str] = []

    def budget_bytes(self, device: torch.device) -> int:
        return int(self.units * UNIT_BYTES)

    def free_bytes(self, device: torch.device) -> int | None:
        return None if self.free_units is None else int(self.free_units * UNIT_BYTES)

    def release(self, device: torch.device) -> None:
        self.released.append(str(device))


class House:
    """A manager over fakes of one unit each, with books of every load."""

    def __init__(self, units: float = 100.0, **settings: object) -> None:
        self.now_s = 0.0
        self.memory = Budget(units)
        self.loads: list[str] = []
        self.alive: weakref.WeakSet[FakeEncoder] = weakref.WeakSet()
        self.size_units: dict[str, float] = {}
        self.before_load: Callable[[str], None] = lambda model_id: None
        self.manager = ModelManager(
            Settings(**{"idle_unload_s": 0.0, **settings}),  # type: ignore[arg-type]
            load=self.load,
            memory=self.memory,
            clock=lambda: self.now_s,
            find=lambda model_id: replace(fake_spec(model_id), params_m=1.0),
        )

    def load(self, spec: ModelSpec, device: torch.device, dtype: torch.dtype) -> FakeEncoder:
        self.before_load(spec.id)
        self.loads.append(spec.id)
        encoder = FakeEncoder(
            spec, "cpu", dtype, size_bytes=int(self.size_units.get(spec.id, 1.0) * dtype.itemsize / 4 * UNIT_BYTES)
        )
        encoder.device = device
        self.alive.add(encoder)
        return encoder

    def touch(self, *model_ids: str) -> None:
        for model_id in model_ids:
            with self.manager.lease(model_id, "cpu", "fp32"):
                pass

    def loaded(self) -> set[str]:
        return {model.model_id for model in self.manager.status()}

    def waiting(self) -> int:
        return len(self.manager._ledger.queue)


class Job:
    """A thread that leases, says so, and holds until told to end."""

    def __init__(
        self, manager: ModelManager, *models: str, device: str = "cpu", cancel: threading.Event | None = None
    ) -> None:
        self.got, self.end = threading.Event(), threading.Event()
        self.error: BaseException | None = None
        self._arguments = (list(models), device, "fp32", cancel)
        self._manager = manager
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        try:
            with self._manager.lease_many(*self._arguments):
                self.got.set()
                assert self.end.wait(PATIENCE_S)
        except BaseException as error:
            self.error = error

    def join(self) -> BaseException | None:
        self._thread.join(PATIENCE_S)
        assert not self._thread.is_alive(), "the job hangs"
        return self.error


def eventually(what: Callable[[], bool]) -> bool:
    """Whether it becomes true within the patience of this file."""
    deadline = time.monotonic() + PATIENCE_S
    while not what():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.005)
    return True


# ---- one load ----


def test_many_who_ask_at_once_share_one_load():
    house = House()
    gate = threading.Event()
    house.before_load = lambda model_id: (gate.wait(PATIENCE_S), None)[1]
    jobs = [Job(house.manager, "a") for _ in range(8)]
    assert eventually(lambda: [m.leases for m in house.manager.status()] == [8])
    assert house.manager.status()[0].state == "loading"
    gate.set()
    assert all(job.got.wait(PATIENCE_S) for job in jobs)
    assert house.loads == ["a"]
    assert house.manager.status()[0].state == "ready"
    for job in jobs:
        job.end.set()
        assert job.join() is None


def test_a_failed_load_reaches_everyone_who_waits_for_it_and_the_next_one_tries_again():
    house = House()
    gate = threading.Event()

    def fail(model_id: str) -> None:
        gate.wait(PATIENCE_S)
        raise WeightsInvalid("The file is damaged.", where=model_id, next_step="Fetch it again.")

    house.before_load = fail
    jobs = [Job(house.manager, "a") for _ in range(5)]
    assert eventually(lambda: [m.leases for m in house.manager.status()] == [5])
    gate.set()
    errors = [job.join() for job in jobs]
    assert [str(error) for error in errors] == ["The file is damaged. [a] Next: Fetch it again."] * 5
    assert all(isinstance(error, WeightsInvalid) for error in errors)
    assert len({id(error) for error in errors}) == 5, "a raised exception changes, so each thread needs its own"
    assert house.manager.status() == []
    house.before_load = lambda model_id: None
    house.touch("a")
    assert house.loads == ["a"]


def test_an_error_that_cannot_be_copied_still_reaches_the_user():
    class Odd(Exception):
        def __init__(self, first: str, second: str) -> None:
            super().__init__(first)

    house = House()

    def fail(model_id: str) -> None:
        raise Odd("one", "two")

    house.before_load = fail
    with pytest.raises(Odd, match="one"):
        house.touch("a")


def test_loads_run_one_at_a_time_and_the_status_answers_meanwhile():
    house = House()
    gates = {"a": threading.Event(), "b": threading.Event()}
    started: list[str] = []

    def wait(model_id: str) -> None:
        started.append(model_id)
        gates[model_id].wait(PATIENCE_S)

    house.before_load = wait
    first = Job(house.manager, "a")
    assert eventually(lambda: started == ["a"])
    second = Job(house.manager, "b")
    assert eventually(lambda: {m.model_id: m.state for m in house.manager.status()} == {"a": "loading", "b": "loading"})
    gates["b"].set()
    assert started == ["a"]
    gates["a"].set()
    for job in (first, second):
        assert job.got.wait(PATIENCE_S)
        job.end.set()
        assert job.join() is None
    assert started == ["a", "b"]


def test_an_interrupted_load_is_taken_over_by_another_waiter():
    house = House()
    tries: list[str] = []
    gate = threading.Event()

    def interrupt_the_first(model_id: str) -> None:
        tries.append(model_id)
        if len(tries) == 1:
            gate.wait(PATIENCE_S)
            raise KeyboardInterrupt

    house.before_load = interrupt_the_first
    first = Job(house.manager, "a")
    assert eventually(lambda: len(tries) == 1)
    second = Job(house.manager, "a")
    assert eventually(lambda: house.manager.status()[0].leases == 2)
    gate.set()
    assert isinstance(first.join(), KeyboardInterrupt)
    assert second.got.wait(PATIENCE_S)
    second.end.set()
    assert second.join() is None


def test_load_time_is_told_to_those_who_waited_for_it_and_only_to_them():
    house = House()

    def take_three_seconds(model_id: str) -> None:
        house.now_s += 3.0

    house.before_load = take_three_seconds
    with house.manager.lease("a", "cpu") as lease:
        assert lease.load_s == 3.0
    with house.manager.lease("a", "cpu") as lease:
        assert lease.load_s == 0.0


# ---- leases ----


def test_a_leased_model_is_neither_unloaded_nor_evicted():
    house = House(units=2)
    with house.manager.lease("a", "cpu", "fp32") as lease:
        assert house.manager.unload() == 0
        assert house.manager.unload("a") == 0
        house.touch("b", "c", "d")
        assert house.loaded() == {"a", "d"}
        assert lease.encoder in house.alive
    assert house.manager.unload("a") == 1
    assert house.loaded() == {"d"}


def test_an_exception_in_the_block_gives_the_model_back():
    house = House()
    with pytest.raises(RuntimeError, match="boom"), house.manager.lease("a", "cpu"):
        raise RuntimeError("boom")
    assert [m.leases for m in house.manager.status()] == [0]


def test_an_evicted_model_is_freed_at_once_even_if_its_lease_was_kept():
    house = House()
    with house.manager.lease("a", "cpu", "fp32") as lease:
        pass
    assert len(house.alive) == 1
    gc.disable()
    try:
        house.manager.unload()
        assert len(house.alive) == 0
    finally:
        gc.enable()
    with pytest.raises(AssertionError, match="lease has ended"):
        _ = lease.encoder


def test_the_same_model_twice_in_an_ensemble_is_one_model():
    house = House()
    with house.manager.lease_many(["a", "b", "a"], "cpu") as leases:
        assert [lease.encoder.spec.id for lease in leases] == ["a", "b", "a"]
        assert leases[0].encoder is leases[2].encoder
    assert house.loads == ["a", "b"]


def test_no_model_named():
    with pytest.raises(InputError, match="No model was named"), House().manager.lease_many([]):
        pass


def test_an_unknown_model_is_refused_by_the_catalogue():
    manager = ModelManager(Settings(), load=fake_load)
    with pytest.raises(UnknownModel, match="resnet51"), manager.lease("resnet51", "cpu"):
        pass


def test_dtype_and_device_make_different_models_and_the_settings_name_the_defaults():
    house = House(device="cpu", dtype="bf16")
    with house.manager.lease("a") as lease, house.manager.lease("a", "cpu", "fp32") as other:
        assert (lease.encoder.device.type, lease.encoder.dtype) == ("cpu", torch.bfloat16)
        assert other.encoder.dtype == torch.float32
        sizes = {m.dtype: m.size_bytes for m in house.manager.status()}
    assert sizes == {"bf16": UNIT_BYTES // 2, "fp32": UNIT_BYTES}


def test_a_slow_dtype_is_said(monkeypatch: pytest.MonkeyPatch):
    house = House()
    monkeypatch.setattr("core.models.device.cpu_has_bf16", lambda: False)
    with house.manager.lease("a", "cpu", "bf16") as lease:
        assert [notice.code for notice in lease.notices] == ["slow_dtype"]
    monkeypatch.setattr("core.models.device.cpu_has_bf16", lambda: True)
    with house.manager.lease("a", "cpu", "bf16") as lease:
        assert lease.notices == []


# ---- budget and eviction ----


def test_the_least_recently_used_leaves_first():
    house = House(units=3)
    house.touch("a", "b", "c", "a")
    house.touch("d")
    assert house.loaded() == {"c", "a", "d"}
    house.touch("e")
    assert house.loaded() == {"a", "d", "e"}


def test_only_as_much_as_needed_is_evicted():
    house = House(units=3)
    house.size_units = {"a": 1.0, "b": 1.0, "c": 1.0}
    house.touch("a", "b", "c")
    house.touch("d")
    assert house.loaded() == {"b", "c", "d"}
    assert "cpu" in house.memory.released


def test_what_a_model_really_takes_replaces_the_estimate():
    house = House(units=3)
    house.size_units = {"a": 0.25, "b": 2.5}
    house.touch("a")
    assert [m.size_bytes for m in house.manager.status()] == [UNIT_BYTES // 4]
    house.touch("b")
    assert house.loaded() == {"a", "b"}
    house.touch("c")
    assert house.loaded() == {"c"} | {"a"} or house.loaded() == {"c"}
    assert sum(m.size_bytes for m in house.manager.status()) <= 3 * UNIT_BYTES


def test_a_model_larger_than_thought_pushes_idle_ones_out():
    house = House(units=3)
    house.size_units = {"big": 2.5}
    house.touch("a", "b")
    house.touch("big")
    assert house.loaded() == {"big"}
    assert house.loads == ["a", "b", "big"]


def test_a_model_larger_than_thought_beside_leased_ones_waits_for_them():
    house = House(units=3)
    house.size_units = {"big": 2.5}
    first = Job(house.manager, "a")
    assert first.got.wait(PATIENCE_S)
    second = Job(house.manager, "big")
    assert eventually(lambda: house.loads == ["a", "big"] and house.waiting() == 1)
    assert house.loaded() == {"a"}
    assert not second.got.is_set()
    first.end.set()
    assert second.got.wait(PATIENCE_S)
    assert house.loaded() == {"big"}
    second.end.set()
    assert [job.join() for job in (first, second)] == [None, None]


def test_a_model_larger_than_the_whole_budget_in_truth_is_refused_and_gone():
    house = House(units=3)
    house.size_units = {"big": 3.5}
    with pytest.raises(BudgetExceeded, match="do not fit") as caught:
        house.touch("big")
    assert caught.value.where == "big"
    assert caught.value.next_step
    assert house.manager.status() == []
    assert len(house.alive) == 0
    with pytest.raises(BudgetExceeded):
        house.touch("big")
    assert house.loads == ["big"], "the true size is remembered, so it is not loaded again to be thrown away"


def test_models_that_can_never_fit_together_are_refused_at_once():
    house = House(units=3)
    with (
        pytest.raises(BudgetExceeded, match=r"0\.01 GiB of models do not fit the 0\.01 GiB") as caught,
        house.manager.lease_many(["a", "b", "c", "d"], "cpu", "fp32"),
    ):
        pass
    assert caught.value.where == "a, b, c, d"
    assert house.loads == []
    with house.manager.lease_many(["a", "b", "c"], "cpu", "fp32"):
        assert house.loaded() == {"a", "b", "c"}


def test_when_other_programs_take_the_memory_idle_models_leave():
    house = House(units=10)
    house.touch("a", "b")
    house.memory.free_units = 0.5
    house.touch("c")
    assert house.loaded() == {"c"}


def test_room_that_a_load_under_way_is_about_to_take_does_not_count_as_free():
    house = House(units=10)
    house.touch("idle")
    house.memory.free_units = 1.5
    gate = threading.Event()
    house.before_load = lambda model_id: (gate.wait(PATIENCE_S), None)[1]
    first = Job(house.manager, "a")
    assert eventually(lambda: house.loaded() == {"idle", "a"})
    second = Job(house.manager, "b")
    assert eventually(lambda: house.loaded() == {"a", "b"}), "1.5 units are free, and a is about to take one of them"
    gate.set()
    for job in (first, second):
        assert job.got.wait(PATIENCE_S)
        job.end.set()
        assert job.join() is None


def test_loading_that_runs_out_of_memory_unloads_the_idle_and_tries_again():
    house = House(units=10)
    house.touch("a", "b")
    tries: list[str] = []

    def out_of_memory_once(model_id: str) -> None:
        tries.append(model_id)
        if len(tries) == 1:
            raise torch.OutOfMemoryError("CUDA out of memory.")

    house.before_load = out_of_memory_once
    house.touch("c")
    assert tries == ["c", "c"]
    assert house.loaded() == {"c"}


def test_loading_that_always_runs_out_of_memory_says_so():
    house = House(units=10)

    def out_of_memory(model_id: str) -> None:
        raise MemoryError

    house.before_load = out_of_memory
    with pytest.raises(OutOfMemory, match="Memory ran out on cpu while the model was loading") as caught:
        house.touch("a")
    assert caught.value.where == "a"
    assert house.manager.status() == []


def test_a_failed_load_keeps_no_tensor_alive():
    house = House()
    remembered: list[weakref.ref[torch.Tensor]] = []

    def fail(model_id: str) -> None:
        half_loaded = torch.zeros(1000)
        remembered.append(weakref.ref(half_loaded))
        raise WeightsInvalid("The file is damaged.")

    house.before_load = fail
    gc.disable()
    try:
        try:
            house.touch("a")
        except WeightsInvalid:
            assert remembered[0]() is None
    finally:
        gc.enable()
    assert len(remembered) == 1


# ---- waiting ----


def test_two_ensembles_in_opposite_order_do_not_block_each_other():
    house = House(units=2)
    rounds = 30

    def work(models: list[str]) -> None:
        for _ in range(rounds):
            with house.manager.lease_many(models, "cpu", "fp32") as leases:
                assert [lease.encoder.spec.id for lease in leases] == models

    threads = [threading.Thread(target=work, args=(m,), daemon=True) for m in (["a", "b"], ["b", "c"], ["c", "a"])]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE_S)
    assert not any(thread.is_alive() for thread in threads)


def test_a_large_request_is_not_kept_out_by_a_stream_of_small_ones():
    house = House(units=3)
    small = Job(house.manager, "a")
    assert small.got.wait(PATIENCE_S)
    large = Job(house.manager, "x", "y", "z")
    assert eventually(lambda: house.waiting() == 1)
    followers = [Job(house.manager, "a") for _ in range(3)]  # loaded, and small: but they came later
    assert eventually(lambda: house.waiting() == 4)
    assert not any(job.got.is_set() for job in followers)
    small.end.set()
    assert large.got.wait(PATIENCE_S)
    assert not any(job.got.is_set() for job in followers)
    large.end.set()
    for job in followers:
        assert job.got.wait(PATIENCE_S)
        job.end.set()
    assert [job.join() for job in (small, large, *followers)] == [None] * 5


def test_a_model_that_somebody_holds_takes_its_room_once():
    house = House(units=3)
    first = Job(house.manager, "a")
    assert first.got.wait(PATIENCE_S)
    with house.manager.lease_many(["a", "b", "c"], "cpu", "fp32"):
        assert {m.model_id: m.leases for m in house.manager.status()} == {"a": 2, "b": 1, "c": 1}
    first.end.set()
    assert first.join() is None


def test_a_request_whose_model_was_larger_than_thought_keeps_its_place_in_the_queue():
    house = House(units=3)
    house.size_units = {"big": 2.5}
    gate = threading.Event()
    house.before_load = lambda model_id: (model_id == "big" and gate.wait(PATIENCE_S), None)[1]
    holder = Job(house.manager, "a")
    assert holder.got.wait(PATIENCE_S)
    first = Job(house.manager, "big")
    assert eventually(lambda: house.loaded() == {"a", "big"})
    second = Job(house.manager, "x", "y")
    assert eventually(lambda: house.waiting() == 1)
    gate.set()
    assert eventually(lambda: house.waiting() == 2), "big does not fit beside a, and waits again"
    holder.end.set()
    assert first.got.wait(PATIENCE_S)
    assert not second.got.is_set()
    first.end.set()
    assert second.got.wait(PATIENCE_S)
    second.end.set()
    assert [job.join() for job in (holder, first, second)] == [None] * 3


def test_waiting_for_one_device_does_not_hold_up_another(two_gpus: dict[str, str]):
    house = House(units=1)
    with house.manager.lease("a", "cuda:0", "fp32", threading.Event()):
        waiter = Job(house.manager, "b", device="cuda:0")
        assert eventually(lambda: house.waiting() == 1)
        other = Job(house.manager, "b", device="cuda:1")
        assert other.got.wait(PATIENCE_S)
        assert not waiter.got.is_set()
    for job in (waiter, other):
        assert job.got.wait(PATIENCE_S)
        job.end.set()
        assert job.join() is None


def test_who_holds_a_model_gets_it_again_while_others_wait():
    """Otherwise the holder would wait for the newcomer, and the newcomer for the holder."""
    house = House(units=3)
    with house.manager.lease("a", "cpu", "fp32") as outer:
        large = Job(house.manager, "x", "y", "z")
        assert eventually(lambda: house.waiting() == 1)
        with house.manager.lease("a", "cpu", "fp32") as inner, house.manager.lease("b", "cpu", "fp32"):
            assert inner.encoder is outer.encoder
        assert not large.got.is_set()
    assert large.got.wait(PATIENCE_S)
    large.end.set()
    assert large.join() is None


def test_a_job_that_goes_on_in_another_thread_is_known_by_its_cancel_event():
    """A generator served by a pool of threads leases in one and asks again in another."""
    house = House(units=3)
    cancel = threading.Event()
    with house.manager.lease("a", "cpu", "fp32", cancel):
        large = Job(house.manager, "x", "y", "z")
        assert eventually(lambda: house.waiting() == 1)
        again = Job(house.manager, "a", cancel=cancel)
        assert again.got.wait(PATIENCE_S)
        again.end.set()
        assert again.join() is None
    assert large.got.wait(PATIENCE_S)
    large.end.set()
    assert large.join() is None


def test_asking_for_more_than_fits_beside_what_one_holds_is_refused_rather_than_waited_for():
    house = House(units=3)
    with house.manager.lease_many(["a", "b"], "cpu", "fp32"):
        with (
            pytest.raises(BudgetExceeded, match="no room on cpu beside"),
            house.manager.lease_many(["c", "d"], "cpu", "fp32"),
        ):
            pass
        with house.manager.lease("c", "cpu", "fp32"):
            assert house.loaded() == {"a", "b", "c"}


def test_of_two_jobs_that_wait_for_each_others_models_the_younger_request_is_refused():
    house = House(units=3)
    elder, younger = threading.Event(), threading.Event()
    with house.manager.lease("a", "cpu", "fp32", elder), house.manager.lease("b", "cpu", "fp32", younger):
        first = Job(house.manager, "c", "d", cancel=elder)
        assert eventually(lambda: house.waiting() == 1)
        second = Job(house.manager, "e", "f", cancel=younger)
        assert isinstance(second.join(), BudgetExceeded)
        assert not first.got.is_set()
    assert first.got.wait(PATIENCE_S)
    first.end.set()
    assert first.join() is None


def test_cancel_ends_the_waiting_for_room():
    house = House(units=1)
    cancel = threading.Event()
    with house.manager.lease("a", "cpu", "fp32"):
        waiter = Job(house.manager, "b", cancel=cancel)
        assert eventually(lambda: house.waiting() == 1)
        cancel.set()
        assert isinstance(waiter.join(), Cancelled)
        assert house.waiting() == 0
    house.touch("b")


def test_cancel_ends_the_waiting_for_somebody_elses_load():
    house = House()
    gate = threading.Event()
    house.before_load = lambda model_id: (gate.wait(PATIENCE_S), None)[1]
    loader = Job(house.manager, "a")
    assert eventually(lambda: len(house.manager.status()) == 1)
    cancel = threading.Event()
    waiter = Job(house.manager, "a", cancel=cancel)
    assert eventually(lambda: house.manager.status()[0].leases == 2)
    cancel.set()
    assert isinstance(waiter.join(), Cancelled)
    gate.set()
    assert loader.got.wait(PATIENCE_S)
    loader.end.set()
    assert loader.join() is None


def test_close_releases_every_waiter_and_unloads_what_comes_back():
    house = House(units=1)
    holder = Job(house.manager, "a")
    assert holder.got.wait(PATIENCE_S)
    waiters = [Job(house.manager, "b"), Job(house.manager, "c", cancel=threading.Event())]
    assert eventually(lambda: house.waiting() == 2)
    house.manager.close()
    assert all(isinstance(waiter.join(), Cancelled) for waiter in waiters)
    assert house.loaded() == {"a"}
    holder.end.set()
    assert holder.join() is None
    assert house.loaded() == set()
    with pytest.raises(Cancelled, match="closed"):
        house.touch("a")


# ---- idle models ----


def test_a_model_unused_for_long_vanishes_from_the_status():
    house = House(idle_unload_s=60.0)
    house.manager._start_janitor = lambda: None  # type: ignore[method-assign]  # it would be quicker than this test
    house.touch("a")
    house.now_s = 30.0
    house.touch("b")
    house.now_s = 59.0
    assert [(m.model_id, m.last_used_s_ago) for m in house.manager.status()] == [("b", 29.0), ("a", 59.0)]
    house.now_s = 60.0
    assert house.loaded() == {"b"}
    with house.manager.lease("b", "cpu", "fp32"):
        house.now_s = 1000.0
        assert house.loaded() == {"b"}
    assert house.loaded() == {"b"}, "its time counts from when it was given back"
    house.now_s = 1060.0
    assert house.loaded() == set()


def test_a_model_unused_for_long_is_unloaded_though_nobody_calls():
    memory = Budget(100)
    manager = ModelManager(Settings(idle_unload_s=0.05), load=fake_load, memory=memory)
    for _ in range(2):  # the janitor leaves with the last model, and another comes with the next
        with manager.lease("resnet50", "cpu", "fp32"):
            assert len(manager._ledger.entries) == 1
        assert eventually(lambda: not manager._ledger.entries)
        assert eventually(lambda: manager._janitor is None)
    assert memory.released == ["cpu", "cpu"]


# ---- devices ----


@pytest.fixture
def two_gpus(monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """Two GPUs that are not here; the freest is in the dict."""
    freest = {"now": "cuda:1"}
    monkeypatch.setattr(
        manager_module,
        "pick_device",
        lambda name: torch.device(freest["now"] if name in ("auto", "gpu") else name),
    )
    return freest


def test_auto_takes_the_freest_gpu_but_stays_where_the_model_is(two_gpus: dict[str, str]):
    house = House()
    with house.manager.lease("a", "auto", "fp32") as lease:
        assert str(lease.encoder.device) == "cuda:1"
    two_gpus["now"] = "cuda:0"
    with house.manager.lease("a", "auto", "fp32") as lease, house.manager.lease("b", "gpu", "fp32") as other:
        assert str(lease.encoder.device) == "cuda:1"
        assert str(other.encoder.device) == "cuda:0"
    with house.manager.lease("a", "cuda:0", "fp32") as lease:
        assert str(lease.encoder.device) == "cuda:0"
    assert house.loads == ["a", "b", "a"]


def test_each_device_has_its_own_budget(two_gpus: dict[str, str]):
    house = House(units=1)
    for device in ("cuda:0", "cuda:1", "cpu"):
        with house.manager.lease("a", device, "fp32"):
            pass
    assert {m.device for m in house.manager.status()} == {"cuda:0", "cuda:1", "cpu"}
    assert house.manager.unload(device=torch.device("cuda:1")) == 1
    assert {m.device for m in house.manager.status()} == {"cuda:0", "cpu"}


def test_a_model_that_a_gpu_cannot_take_goes_to_the_cpu_and_says_so(two_gpus: dict[str, str]):
    house = House()

    def budget_bytes(device: torch.device) -> int:
        return UNIT_BYTES // 2 if device.type == "cuda" else 100 * UNIT_BYTES

    house.memory.budget_bytes = budget_bytes  # type: ignore[method-assign]
    with house.manager.lease_many(["a", "b"], "gpu", "fp16") as leases:
        assert [str(lease.encoder.device) for lease in leases] == ["cpu", "cpu"]
        assert leases[0].encoder.dtype == torch.float32, "fp16 is not offered on a CPU"
        assert [notice.code for notice in leases[1].notices] == ["oom_cpu"]
        assert "a, b: moved from cuda:1 to the CPU" in leases[0].notices[0].text
    with house.manager.lease("a", "gpu", "fp16") as lease:
        assert str(lease.encoder.device) == "cuda:1"
        assert lease.notices == []


def test_bad_weights_do_not_send_a_model_to_the_cpu(two_gpus: dict[str, str]):
    house = House()

    def fail(model_id: str) -> None:
        raise WeightsInvalid("The file is damaged.")

    house.before_load = fail
    with pytest.raises(WeightsInvalid), house.manager.lease("a", "gpu", "fp32"):
        pass
    assert house.manager.status() == []


# ---- weight files ----


def test_a_weight_file_that_was_replaced_is_loaded_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Trained again and saved over the old checkpoint: the next lease must be of the new one."""
    file = tmp_path / "model.safetensors"
    file.write_bytes(b"first")
    loads: list[bytes] = []

    def load_encoder(spec: ModelSpec, weights_dir: Path, device: torch.device, dtype: torch.dtype) -> FakeEncoder:
        loads.append(file.read_bytes())
        return FakeEncoder(spec, device, dtype)

    monkeypatch.setattr(manager_module.weights, "load_encoder", load_encoder)
    monkeypatch.setattr(manager_module.weights, "locate", lambda spec, weights_dir: file if file.exists() else None)
    manager = ModelManager(Settings(weights_dir=tmp_path, idle_unload_s=0.0))
    for _ in range(2):
        with manager.lease("resnet50", "cpu", "fp32"):
            pass
    file.write_bytes(b"second")
    os.utime(file, ns=(1, 1))
    with manager.lease("resnet50", "cpu", "fp32"):
        pass
    assert loads == [b"first", b"second"]


@pytest.mark.parametrize("model_id", ["efficientnet_lite0", "custom_tiny"])
def test_a_real_model_encodes_and_is_freed_without_the_garbage_collector(model_id: str, tiny_weights: Path):
    manager = ModelManager(Settings(weights_dir=tiny_weights, idle_unload_s=0.0))
    with manager.lease(model_id, "cpu", "fp32") as lease:
        pixels_BCHW = torch.zeros(1, 3, lease.encoder.spec.input_px, lease.encoder.spec.input_px)
        with torch.inference_mode():
            features_BD = lease.encoder.encode_images(pixels_BCHW)
        assert tuple(features_BD.shape) == (1, lease.encoder.dim)
        assert manager.status()[0].size_bytes == lease.encoder.size_bytes
        module = weakref.ref(lease.encoder.module)
    gc.collect()
    gc.disable()
    try:
        assert manager.unload(model_id) == 1
        assert module() is None, "a cycle keeps the model in memory after it was evicted"
    finally:
        gc.enable()


def test_importing_the_manager_costs_no_torch():
    code = "import sys, core.models.manager, core.models.bench; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=REPO_DIR, check=False).returncode == 0


# ---- everything at once ----


@contextmanager
def _lease(manager: ModelManager, models: list[str], cancel: threading.Event | None) -> Iterator[list[Lease]]:
    with manager.lease_many(models, "cpu", "fp32", cancel) as leases:
        yield leases


class Crowd:
    """Threads that lease, stumble, cancel and unload as the dice fall, until the time is over."""

    def __init__(self, house: House, seconds: float) -> None:
        self.house = house
        self.dice = random.Random(0)
        self.stop_s = time.monotonic() + seconds
        self.outcomes: Counter[str] = Counter()
        self.problems: list[str] = []

    def stumble(self, model_id: str) -> None:
        if self.dice.random() < 0.1:
            raise WeightsInvalid("The file is damaged.", where=model_id)
        if self.dice.random() < 0.05:
            raise MemoryError

    def use(self, choose: random.Random, models: list[str], cancel: threading.Event | None) -> None:
        with _lease(self.house.manager, models, cancel) as leases:
            if [lease.encoder.spec.id for lease in leases] != models:
                self.problems.append("the wrong models")
            if choose.random() < 0.1:
                raise RuntimeError
            time.sleep(choose.random() * 0.002)
            if any(lease.encoder not in self.house.alive for lease in leases):
                self.problems.append("a leased model is gone")

    def work(self, seed: int) -> None:
        choose = random.Random(seed)
        while time.monotonic() < self.stop_s:
            models = choose.sample("abcde", k=choose.choice((1, 1, 2, 3)))
            cancel = threading.Event() if choose.random() < 0.5 else None
            if cancel is not None and choose.random() < 0.3:
                threading.Timer(choose.random() * 0.02, cancel.set).start()
            try:
                self.use(choose, models, cancel)
                self.outcomes["served"] += 1
            except (WorkbenchError, RuntimeError) as error:
                self.outcomes[type(error).__name__] += 1
            if sum(m.size_bytes for m in self.house.manager.status()) > 4 * UNIT_BYTES:
                self.problems.append("over budget")
            if choose.random() < 0.05:
                self.house.manager.unload()


def test_a_crowd_of_real_threads():
    """Three seconds of real concurrency: loads that fail, sizes that surprise, cancels, exceptions, unloads."""
    house = House(units=4, idle_unload_s=0.002)
    house.manager._clock = house.manager._ledger._clock = time.monotonic
    house.size_units = {"b": 1.5, "c": 0.5, "d": 2.0}
    crowd = Crowd(house, 3.0)
    house.before_load = crowd.stumble
    threads = [threading.Thread(target=crowd.work, args=(seed,), daemon=True) for seed in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(3.0 + PATIENCE_S)
    assert not any(thread.is_alive() for thread in threads), "a thread hangs"
    assert crowd.problems == []
    assert set(crowd.outcomes) >= {"served", "WeightsInvalid", "RuntimeError", "Cancelled"}, crowd.outcomes
    assert crowd.outcomes["served"] > 50
    assert eventually(lambda: not house.manager.status())
