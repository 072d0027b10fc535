"""Where experiments compute; that two processes train is tested beside each experiment."""

from __future__ import annotations

import pytest

from core.errors import InputError
from experiments.devices import launched_fabric


def test_one_process_on_the_cpu_is_the_least() -> None:
    fabric = launched_fabric("cpu", exactly=True)
    assert fabric.device.type == "cpu" and (fabric.world_size, fabric.is_global_zero) == (1, True)


def test_torchrun_that_started_another_number_of_processes_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """A plan that counts on two would otherwise be trained by three that do not know of each other."""
    for name, value in (("TORCHELASTIC_RUN_ID", "test"), ("LOCAL_WORLD_SIZE", "3"), ("WORLD_SIZE", "3")):
        monkeypatch.setenv(name, value)
    with pytest.raises(InputError, match=r"torchrun has started 3 processes, not 2\..*Next: --devices 3"):
        launched_fabric("cpu", 2, exactly=True)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"device": "abacus"}, "auto, cpu, gpu"),
        ({"device": "cpu", "devices": 0}, "devices cannot be used"),
        ({"device": "cpu", "precision": "16-mixed"}, "16-mixed needs a GPU"),
        ({"device": "cpu", "threads": 0}, "at least one thread"),
    ],
)
def test_what_is_not_here_is_said(options: dict, says: str) -> None:
    with pytest.raises(InputError, match=says) as caught:
        launched_fabric(**options)
    assert caught.value.next_step
