"""Files that are whole or not there, work that only one does at a time, CSV that no spreadsheet runs."""

from __future__ import annotations

import multiprocessing
import threading
import time
from pathlib import Path

import pytest

from core.files import BOM, csv_cell, csv_text, only_one, replacing, write


def _adds_one(counter: Path) -> None:
    with only_one(counter):
        value = int(counter.read_text())
        time.sleep(0.002)  # whoever works beside this one reads the same value
        counter.write_text(str(value + 1))


def _adds_ten(counter: Path) -> None:
    for _ in range(10):
        _adds_one(counter)


def test_threads_and_processes_work_one_at_a_time(tmp_path: Path) -> None:
    """A lock that goes with its holder must not let in two: one on the old file without a name, one on a new file."""
    counter = tmp_path / "counter"
    counter.write_text("0")
    context = multiprocessing.get_context("fork")
    workers = [threading.Thread(target=_adds_ten, args=(counter,)) for _ in range(4)]
    workers += [context.Process(target=_adds_ten, args=(counter,)) for _ in range(2)]  # type: ignore[list-item]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(60)
    assert counter.read_text() == "60"
    assert [path.name for path in tmp_path.iterdir()] == ["counter"], "the lock is gone"


def test_who_does_not_wait_is_told_at_once(tmp_path: Path) -> None:
    with only_one(tmp_path / "work") as first, only_one(tmp_path / "work", wait=False) as second:
        assert first and not second
    with only_one(tmp_path / "work", wait=False) as again:
        assert again


# ---- whole or not there ----


def test_a_block_that_fails_leaves_the_old_files_and_no_drafts(tmp_path: Path) -> None:
    file, folder = tmp_path / "a.txt", tmp_path / "b"
    folder.mkdir()
    (folder / "old").touch()
    write(file, "old")
    with pytest.raises(OSError, match="full"), replacing(file, folder) as (draft, draft_folder):
        draft.write_text("half")
        draft_folder.mkdir()
        raise OSError("full")
    assert file.read_text() == "old" and (folder / "old").exists()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.txt", "b"]


def test_files_and_folders_take_the_place_of_what_was_there(tmp_path: Path) -> None:
    file, folder = tmp_path / "a.txt", tmp_path / "b"
    folder.mkdir()
    (folder / "old").touch()
    with replacing(file, folder) as (draft, draft_folder):
        draft.write_text("new")
        draft_folder.mkdir()
        (draft_folder / "new").touch()
        assert not file.exists() and (folder / "old").exists(), "nobody sees half of it"
    assert file.read_text() == "new" and [path.name for path in folder.iterdir()] == ["new"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.txt", "b"]


def test_a_name_as_long_as_the_disk_allows_is_written(tmp_path: Path) -> None:
    """Saw "File name too long" for a name of 80 Chinese characters that version 0.1 wrote."""
    file = tmp_path / ("姿" * 83 + ".npz")
    with replacing(file) as (draft,):
        assert draft.suffix == ".npz", "some writers go by it"
        draft.write_text("new")
    assert file.read_text() == "new"


def test_line_ends_of_a_small_file_stay_as_they_are(tmp_path: Path) -> None:
    write(tmp_path / "a.csv", "a\r\nü\n")
    assert (tmp_path / "a.csv").read_bytes() == "a\r\nü\n".encode()


# ---- tables ----


@pytest.mark.parametrize("text", ["=1+1", "+a", "-2.png", "-1+2", "@x", "\tx", "\r=1", "\n=1"])
def test_what_a_spreadsheet_would_run_becomes_text(text: str) -> None:
    assert csv_cell(text) == "'" + text


@pytest.mark.parametrize(
    "value", ["-5", "-5.", "+1,234.5", "-1e-5", "-1E5", "-3.2 %", "-2 ms", "a=b", "", -5, 0.5, None]
)
def test_numbers_and_plain_words_stay(value: object) -> None:
    assert csv_cell(value) == value


def test_a_table_for_people_is_utf_8_to_their_spreadsheet() -> None:
    assert csv_text(["a", "=b"], [[1, "x,y"]], bom=True, line_end="\r\n") == BOM + 'a,\'=b\r\n1,"x,y"\r\n'
