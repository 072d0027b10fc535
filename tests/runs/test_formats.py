"""The registry of log formats: a new one is one file, and everything that reads runs then knows it."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from core.messages import Message
from core.runs import RunReader, pack_runs, read_runs, stage_upload
from core.runs.formats import FORMATS, LogFormat, format_of
from core.runs.parsing import Memory, note, notes_of
from core.runs.words import Says

TOY = '''
"""Numbers, one a line, after a word that names the metric."""
import numpy as np
from core.runs.formats import LogFormat, register
from core.runs.series import LogRows

def parse(block, at_end, memory, builder, max_metrics):
    used = block.rfind(b"\\n") + 1
    values = [float(line.split()[1]) for line in block[:used].splitlines()]
    step = np.arange(len(values)) + memory.get("rows", 0)
    memory["rows"] = memory.get("rows", 0) + len(values)
    memory["facts"] = {"toy": "yes"}
    builder.add(LogRows(step, {"loss": (None, np.array(values))}))
    return used

register(LogFormat("toy", parse, suffixes=(".toy",)))
'''


@pytest.fixture
def toy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[LogFormat]:
    monkeypatch.setattr("core.runs.formats.FORMATS", FORMATS)
    (tmp_path / "toy_format.py").write_text(TOY)
    spec = importlib.util.spec_from_file_location("toy_format", tmp_path / "toy_format.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, "toy_format", module)
    spec.loader.exec_module(module)
    found = FORMATS["toy"]
    assert isinstance(found, LogFormat)
    yield found
    del FORMATS["toy"]


def test_a_format_in_one_file_is_read_grows_is_packed_and_uploaded(tmp_path: Path, toy: LogFormat) -> None:
    root = tmp_path / "runs"
    root.mkdir()
    (root / "a.toy").write_text("loss 3\nloss 2\n")
    reader = RunReader(root)
    (run,) = reader.read()
    assert (run.name, run.formats, dict(run.config)) == ("a", ("toy",), {"toy": "yes"})
    with (root / "a.toy").open("a") as file:
        file.write("loss 1\n")
    (run,) = reader.read()
    assert run.metrics["loss"].value.tolist() == [3, 2, 1]
    assert run.metrics["loss"].step.tolist() == [0, 1, 2]

    pack_runs(root, tmp_path / "packed" / "mine.runs.zip")
    assert [one.metrics["loss"].value.tolist() for one in read_runs(tmp_path / "packed")] == [[3, 2, 1]]
    assert stage_upload([root / "a.toy"], tmp_path / "staged") == ()
    assert [one.name for one in read_runs(tmp_path / "staged")] == ["a"]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("metrics.jsonl", "jsonl"),
        ("x.NDJSON", "jsonl"),
        ("x.csv", "csv"),
        ("events.out.tfevents.17.host", "events"),
        ("events.out.tfevents.17.host.csv", "events"),
        ("trackio.sqlite3", "trackio"),
        ("mine.runs.zip", None),  # holds logs, and is none: `pack.py`
        ("mine.zip", None),
        ("README.md", None),
        ("csv", None),
    ],
)
def test_formats_are_told_from_names(name: str, expected: str | None) -> None:
    found = format_of(name)
    assert (found and found.name) == expected


def test_notes_are_counted_by_what_they_are_about_and_keep_their_values() -> None:
    memory: Memory = {}
    for name in ("a", "b", "a"):
        note(memory, Says.lists_passed_over, name=name)
    note(memory, Says.latin1)
    notes = notes_of(memory)
    assert all(isinstance(one, Message) for one in notes)
    assert [str(one) for one in notes] == [
        "a: 2 lists were passed over",
        "b: 1 lists were passed over",
        "not UTF-8; read as Latin-1",
    ]
    assert notes[0].said("zh") == "a：跳过了 2 个列表"
    assert notes[0].code == "runs.lists_passed_over"
