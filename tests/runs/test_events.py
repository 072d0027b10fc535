"""TensorBoard event files: written by torch, read as TensorBoard itself reads them."""

from __future__ import annotations

import math
import struct
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.compat.proto import event_pb2
from tensorboard.compat.tensorflow_stub.pywrap_tensorflow import masked_crc32c as tensorboards_crc
from tensorboard.summary.writer.event_file_writer import EventFileWriter
from torch.utils.tensorboard import SummaryWriter

from core.runs import ReadLimits, Run, RunReader, read_runs
from core.runs.formats import tfrecord
from core.runs.formats.tfrecord import masked_crc32c


def _record(payload: bytes) -> bytes:
    length = struct.pack("<Q", len(payload))
    return length + struct.pack("<I", tensorboards_crc(length)) + payload + struct.pack("<I", tensorboards_crc(payload))


def _file(folder: Path) -> Path:
    (file,) = folder.glob("*tfevents*")
    return file


def _assert_as_tensorboard_reads_it(run: Run, folder: Path) -> None:
    reference = EventAccumulator(str(folder), size_guidance={"scalars": 0, "tensors": 0})
    reference.Reload()
    start = None
    for tag in reference.Tags()["scalars"]:
        events = reference.Scalars(tag)
        series = run.metrics[tag]
        assert series.step.tolist() == [event.step for event in events], tag
        assert np.array_equal(series.value, [event.value for event in events], equal_nan=True), tag
        start = start or run.started_unix_s
        assert series.time_s == pytest.approx([event.wall_time - start for event in events]), tag
    for tag in reference.Tags()["tensors"]:
        events = reference.Tensors(tag)
        series = run.metrics[tag]
        assert series.step.tolist() == [event.step for event in events], tag
        expected = [(event.tensor_proto.float_val or event.tensor_proto.double_val)[0] for event in events]
        assert np.array_equal(series.value, expected, equal_nan=True), tag


def test_scalars_of_both_styles_are_what_tensorboard_reads(tmp_path: Path) -> None:
    writer = SummaryWriter(str(tmp_path / "a"))
    for step in range(0, 40_000, 37):  # steps of one to three bytes
        writer.add_scalar("train/loss", math.exp(-step / 9_000), step)
        writer.add_scalar("train/lmse", math.nan if step % 5 else math.inf, step)
        writer.add_scalar("val/nme", step * 0.1, step, new_style=True)
        writer.add_scalar("val/nme64", step * 0.1, step, new_style=True, double_precision=True)
    writer.close()
    found = read_runs(tmp_path)
    assert [(run.name, run.formats) for run in found] == [("a", ("events",))]
    assert set(found.runs[0].metrics) == {"train/loss", "train/lmse", "val/nme", "val/nme64"}
    _assert_as_tensorboard_reads_it(found.runs[0], tmp_path / "a")
    assert found.runs[0].metrics["val/nme64"].value[1] == 37 * 0.1, "float64 is not narrowed"


def test_what_is_no_scalar_is_named_and_hyperparameters_become_configuration(tmp_path: Path) -> None:
    writer = SummaryWriter(str(tmp_path / "a"))
    for step in range(5):
        writer.add_histogram("weights", np.random.default_rng(step).normal(size=50), step)
        writer.add_text("words", f"step {step}", step)
        writer.add_image("picture", np.zeros((3, 8, 8), dtype=np.uint8), step)
        writer.add_scalar("loss", 1.0, step)
    writer.add_hparams(
        {"lr": 0.5, "arm": "mlp", "seed": 3}, {"hparam/best": 1.5}
    )  # in a subfolder named after the time
    writer.close()
    found = read_runs(tmp_path)
    assert len(found) == 1
    run = found.runs[0]
    assert dict(run.config) == {"lr": 0.5, "arm": "mlp", "seed": 3}
    assert {name: len(run.metrics[name]) for name in run.metrics} == {"loss": 5, "hparam/best": 1}
    assert {note.split(":")[0] for note in run.notes} == {"picture", "weights", "words/text_summary"}


def test_several_files_of_one_run_follow_each_other(tmp_path: Path) -> None:
    folder = tmp_path / "a"
    for suffix, steps in ((".first", range(10)), (".second", range(8, 20))):
        writer = SummaryWriter(str(folder), filename_suffix=suffix)
        for step in steps:
            writer.add_scalar("loss", step + (100 if suffix == ".second" else 0), step)
        writer.close()
    run = read_runs(tmp_path).runs[0]
    assert run.metrics["loss"].step.tolist() == list(range(20))
    assert run.metrics["loss"].value.tolist() == [*range(8), *range(108, 120)]


def test_a_restart_that_the_writer_announces_supersedes_what_came_after(tmp_path: Path) -> None:
    writer = SummaryWriter(str(tmp_path / "a"))
    for step in range(10):
        writer.add_scalar("loss", float(step), step)
        writer.add_scalar("other", float(step), step)
    writer.close()
    again = SummaryWriter(str(tmp_path / "a"), purge_step=5, filename_suffix=".z")
    again.add_scalar("loss", 50.0, 5)
    again.close()
    one_file = tmp_path / "b"
    one_file.mkdir()
    first, second = sorted((tmp_path / "a").glob("*tfevents*"), key=lambda file: file.name.endswith(".z"))
    (one_file / first.name).write_bytes(first.read_bytes() + second.read_bytes())
    run = next(run for run in read_runs(tmp_path) if run.name == "b")
    assert run.metrics["loss"].value.tolist() == [0, 1, 2, 3, 4, 50]
    assert run.metrics["other"].value.tolist() == [0, 1, 2, 3, 4]
    assert "10 values of an attempt that was resumed before them were replaced" in run.notes


def test_lightnings_epoch_tag_becomes_the_axis(tmp_path: Path) -> None:
    from lightning.pytorch.loggers import TensorBoardLogger

    logger = TensorBoardLogger(tmp_path, name="lightning_logs")
    logger.log_hyperparams({"seed": 2, "arm": "clip"})
    for step in range(6):
        logger.log_metrics({"loss": 1.0 / (step + 1), "epoch": step // 2}, step)
    logger.save()
    logger.experiment.close()
    run = read_runs(tmp_path).runs[0]
    assert (run.name, run.config["arm"], run.config["seed"]) == ("version_0", "clip", 2)
    assert "epoch" not in run.metrics
    epoch = run.metrics["loss"].epoch
    assert epoch is not None
    assert epoch.tolist() == [0, 0, 1, 1, 2, 2]


def _written(folder: Path, steps: range) -> Path:
    writer = SummaryWriter(str(folder))
    for step in steps:
        writer.add_scalar("loss", float(step), step)
    writer.close()
    return _file(folder)


def test_a_file_that_grows_in_the_middle_of_a_record_is_read_whole_in_the_end(tmp_path: Path) -> None:
    data = _written(tmp_path / "source", range(300)).read_bytes()
    root = tmp_path / "root"
    root.mkdir()
    path = root / "events.out.tfevents.1"
    reader = RunReader(root, limits=ReadLimits(block_bytes=700))
    for stop in (1_001, 1_010, 5_000, 5_003, len(data)):
        with path.open("ab") as file:
            file.write(data[path.stat().st_size : stop])
        reader.read()
    assert reader.read().runs[0].metrics["loss"].value.tolist() == list(range(300))


@pytest.mark.parametrize("where", ["payload", "length"])
def test_a_damaged_record_ends_the_reading_there_and_is_said(tmp_path: Path, where: str) -> None:
    path = _written(tmp_path / "a", range(100))
    data = bytearray(path.read_bytes())
    record = data.rindex(b"loss") - 60  # within the last but one record or so
    position, starts = 0, []
    while position < len(data):
        starts.append(position)
        position += 16 + struct.unpack_from("<Q", data, position)[0]
    target = max(start for start in starts if start < record)
    data[target + (20 if where == "payload" else 3)] ^= 0x40
    path.write_bytes(bytes(data))
    (tmp_path / "good.csv").write_text("step,loss\n1,2\n")
    found = read_runs(tmp_path)
    run = next(run for run in found if run.name == "a")
    intact = starts.index(target) - 1  # the first record is the file's version
    assert run.metrics["loss"].value.tolist() == list(range(intact))
    assert any(f"the record at byte {target:,} is damaged" in note for note in run.notes)
    assert len(found) == 2


@settings(max_examples=60, deadline=None)
@given(position=st.floats(0, 1), flip=st.integers(1, 255), cut=st.floats(0, 1))
def test_whatever_byte_is_damaged_nothing_wrong_is_shown(
    tmp_path_factory: pytest.TempPathFactory, position: float, flip: int, cut: float
) -> None:
    global _INTACT
    if not _INTACT:
        _INTACT = _written(tmp_path_factory.mktemp("intact"), range(40)).read_bytes()
    data = bytearray(_INTACT[: max(1, int(len(_INTACT) * cut))])
    data[int(position * (len(data) - 1))] ^= flip
    root = tmp_path_factory.mktemp("damaged")
    (root / "events.out.tfevents.1").write_bytes(bytes(data))
    found = read_runs(root)
    for run in found:
        values = run.metrics["loss"].value.tolist() if "loss" in run.metrics else []
        assert values == list(range(len(values)))
    assert len(found) + len(found.problems) >= 1


_INTACT = b""


@pytest.mark.parametrize("data", [b"", b"nonsense that is longer than one header", b"\x00" * 64, b"short"])
def test_an_event_file_that_is_none_is_a_problem_and_hides_no_other(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "bad").mkdir()
    (tmp_path / "bad" / "events.out.tfevents.1").write_bytes(data)
    _written(tmp_path / "good", range(3))
    found = read_runs(tmp_path)
    assert [run.name for run in found] == ["good"]
    assert len(found.problems) == 1
    assert found.problems[0].path.startswith("bad")


def test_records_in_unusual_shapes_are_read_by_tensorboards_own_classes(tmp_path: Path) -> None:
    folder = tmp_path / "a"
    folder.mkdir()
    events = [event_pb2.Event(wall_time=5.0, step=-1), event_pb2.Event(wall_time=6.0, step=2), event_pb2.Event()]
    events[0].summary.value.add(tag="negative", simple_value=1.5)
    both = events[1].summary.value
    both.add(tag="first", simple_value=2.5)
    both.add(tag="second", simple_value=3.5)
    integer = both.add(tag="integer")
    integer.tensor.dtype = 3  # DT_INT32
    integer.tensor.int_val.append(7)
    content = both.add(tag="content")
    content.tensor.dtype = 1
    content.tensor.tensor_content = struct.pack("<f", 4.5)
    vector = both.add(tag="vector")
    vector.tensor.dtype = 1
    vector.tensor.tensor_shape.dim.add(size=2)
    vector.tensor.float_val.extend([1.0, 2.0])
    writer = EventFileWriter(str(folder))
    for event in events:
        writer.add_event(event)
    writer.close()
    run = read_runs(tmp_path).runs[0]
    values = {name: (run.metrics[name].step.tolist(), run.metrics[name].value.tolist()) for name in run.metrics}
    assert values == {
        "negative": ([-1], [1.5]),
        "first": ([2], [2.5]),
        "second": ([2], [3.5]),
        "integer": ([2], [7.0]),
        "content": ([2], [4.5]),
    }
    assert run.notes == ("vector: tensor, not shown",)


def test_many_tags_of_one_length_are_told_apart(tmp_path: Path) -> None:
    writer = SummaryWriter(str(tmp_path / "a"))
    tags = [f"layer{number:03}/norm" for number in range(60)]
    for step in range(20):
        for number, tag in enumerate(tags):
            writer.add_scalar(tag, number * 1_000 + step, step)
    writer.close()
    run = read_runs(tmp_path).runs[0]
    for number, tag in enumerate(tags):
        assert run.metrics[tag].value.tolist() == [number * 1_000 + step for step in range(20)]


def test_checksums_are_tensorboards() -> None:
    rng = np.random.default_rng(0)
    strings = [
        rng.integers(0, 256, length, dtype=np.uint8).tobytes() for length in (4, 5, 8, 9, 44, 45, 255, 300, 1_500)
    ]
    data = np.frombuffer(b"".join(strings), dtype=np.uint8)
    lengths = np.array([len(string) for string in strings])
    starts = np.concatenate([[0], np.cumsum(lengths)[:-1]])
    assert masked_crc32c(data, starts, lengths).tolist() == [tensorboards_crc(string) for string in strings]


def test_reading_needs_neither_torch_nor_tensorflow_nor_pandas(tmp_path: Path) -> None:
    import subprocess
    import sys

    writer = SummaryWriter(str(tmp_path / "a"))
    writer.add_scalar("loss", 1.0, 1)
    writer.add_text("words", "hello", 1)  # goes through TensorBoard's classes
    writer.close()
    (tmp_path / "b.csv").write_text("step,loss\n" + "".join(f"{step},0.5\n" for step in range(50_000)))  # is cached
    (tmp_path / "c.jsonl").write_text('{"step": 1, "loss": 0.25, "arm": "mlp"}\n{"step": 2}\n')
    program = (
        "import sys; from pathlib import Path; from core.runs import read_runs, compare; "
        f"found = read_runs({str(tmp_path)!r}, cache_dir=Path({str(tmp_path)!r}) / '.cache'); "
        "print([float(run.metrics['loss'].value[0]) for run in found]); "
        "print(sorted({'torch', 'tensorflow', 'gradio', 'plotly', 'pandas', 'scipy'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.split("\n")[:2] == ["[1.0, 0.5, 0.25]", "[]"]
    assert len(list((tmp_path / ".cache").iterdir())) == 1


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.integers(1, 60), st.integers(1, 12)), min_size=1, max_size=8), st.integers(0, 40))
def test_rows_of_records_of_one_length_are_framed_as_one_by_one(rows: list[tuple[int, int]], cut: int) -> None:
    """(How many records, how many bytes each), then a torn end."""
    payloads = [bytes(size) for count, size in rows for _ in range(count)]
    data = b"".join(_record(payload) for payload in payloads)
    block = data[: max(0, len(data) - cut)]
    starts, lengths, used, damaged = tfrecord.find_records(block)
    expected, position = [], 0
    for payload in payloads:
        if position + 16 + len(payload) > len(block):
            break
        expected.append((position + 12, len(payload)))
        position += 16 + len(payload)
    assert list(zip(starts.tolist(), lengths.tolist(), strict=True)) == expected
    assert (used, damaged) == (position, False)


def test_a_damaged_header_in_a_row_of_alike_records_ends_the_reading_there() -> None:
    data = bytearray(_record(bytes(20)) * 200)
    data[150 * 36] ^= 1
    starts, _, used, damaged = tfrecord.find_records(bytes(data))
    assert (len(starts), used, damaged) == (150, 150 * 36, True)
