"""`core.vectorize.resume`: a killed run goes on where it stopped; no row lost, none twice, none stale."""

from __future__ import annotations

import itertools
import json
import os
import random
import signal
import struct
import subprocess
import sys
import time
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from core.errors import StoreError
from core.images.sources import find
from core.models.manager import ModelManager
from core.settings import Settings
from core.types import ImageSource, VectorizeRequest
from core.vectorize import store
from core.vectorize.pipeline import vectorize, vectorize_all
from core.vectorize.resume import Identity, Journal, alone_at, discard, identity, journal_folder
from tests.vectorize.conftest import Fakes, photo

# The command line, made slow enough that a kill hits it at work.
SCRIPT = """
import sys, time
import core.models.efficientnet_lite as family
from core.cli.app import main
features = family.EfficientNetLiteEncoder._features
def slowly(self, pixels):
    time.sleep(0.1)
    return features(self, pixels)
family.EfficientNetLiteEncoder._features = slowly
main(sys.argv[1:])
"""


def command(photos: Path, output: Path, weights: Path) -> list[str]:
    flags = {"--image_path": photos, "--output": output, "--weights_dir": weights, "--models": "efficientnet_lite0"}
    flags |= {"--batch_size": 2, "--device": "cpu", "--dtype": "fp32"}
    words = [str(word) for flag in flags.items() for word in flag]
    return [sys.executable, "-c", SCRIPT, "vectorize", *words, "--json"]


@pytest.mark.timeout(900)  # three processes, each of which imports torch
def test_a_run_killed_at_random_points_ends_as_if_it_had_not_been(photos, tmp_path, tiny_weights):
    (photos / "broken.jpg").write_bytes(b"\xff\xd8\xff\xe0 nothing more")
    (photos / "readme.txt").write_text("not an image")
    output = tmp_path / "out.npz"
    chance = random.Random(20261121)
    log = journal_folder(output) / "rows.log"
    rows_before = 0
    for _kill in range(2):
        process = subprocess.Popen(
            command(photos, output, tiny_weights), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        wanted = rows_before + chance.randrange(1, 8)
        while rows_in(log) < wanted and process.poll() is None:
            time.sleep(0.005)
        time.sleep(chance.random() * 0.1)
        process.send_signal(signal.SIGKILL)
        assert process.wait() == -signal.SIGKILL, "the run was over before the kill"
        assert rows_in(log) >= wanted  # nothing that was on the disk is lost
        rows_before = rows_in(log)

    end = subprocess.run(command(photos, output, tiny_weights), capture_output=True, text=True, check=True)
    facts = json.loads(end.stdout[end.stdout.index("{") :])
    resumed = next(notice["text"] for notice in facts["notices"] if notice["code"] == "resumed")
    assert f"{rows_before} rows" in resumed
    assert not journal_folder(output).exists()

    table = store.read(output)
    whole = vectorize_all(
        find(photos).sources,
        VectorizeRequest(("efficientnet_lite0",), 2, "cpu", "fp32"),
        ModelManager(Settings(weights_dir=tiny_weights)),
    )
    assert table.ids == whole.ids and len(table.ids) == 24
    np.testing.assert_array_equal(table.vectors_ND, whole.vectors_ND)
    assert table.rejects == whole.rejects and table.passport == whole.passport


def rows_in(log: Path) -> int:
    """Rows in whole frames, counted here from the format's description."""
    try:
        data = log.read_bytes()
    except OSError:
        return 0
    rows = at = 0
    while at + 16 <= len(data):
        length = struct.unpack_from("<I", data, at + 4)[0]
        if at + 12 + length > len(data):
            break
        head_bytes = struct.unpack_from("<I", data, at + 12)[0]
        rows += len(json.loads(data[at + 16 : at + 16 + head_bytes])["files"])
        at += 12 + length
    return rows


# --- without processes ------------------------------------------------------------------------------------------------

REQUEST = VectorizeRequest(("fake", "wide"), 2, "cpu", "fp32")


def stopped_run(fakes: Fakes, folder: Path, photos: Path, rows: int, request: VectorizeRequest = REQUEST) -> int:
    """Runs until so many rows are done, closes, and returns how many rows the journal has.

    After these rows the encoder dawdles, so that the close comes long before the end on a busy machine too.
    """
    passes = itertools.count()
    fakes.encoder_options["before_encode"] = lambda batch: time.sleep(0.02 if next(passes) < rows + 4 else 0.5)
    running = vectorize(find(photos).sources, request, fakes.manager(), journal_folder=folder)
    for item in running:
        if item.done >= rows:
            break
    running.close()
    return rows_in(folder / "rows.log")


def images_encoded(fakes: Fakes, model_id: str) -> int:
    """Canaries not counted."""
    return sum(sum(e.batch_sizes) - 3 for e in fakes.encoders if e.spec.id == model_id)


def test_only_what_is_missing_is_computed(photos, tmp_path):
    folder = tmp_path / "out.npz.partial"
    kept = stopped_run(Fakes(), folder, photos, 6)
    assert 6 <= kept < 24
    fakes = Fakes()
    table = vectorize_all(find(photos).sources, REQUEST, fakes.manager(), journal_folder=folder)
    assert images_encoded(fakes, "fake") == images_encoded(fakes, "wide") == 24 - kept
    whole = vectorize_all(find(photos).sources, REQUEST, Fakes().manager())
    np.testing.assert_array_equal(table.vectors_ND, whole.vectors_ND)
    assert table.ids == whole.ids and (table.ms_N > 0).all()
    assert any(f"{kept} rows" in notice.text for notice in table.notices if notice.code == "resumed")
    discard(folder)
    assert not folder.exists()
    discard(folder)


def test_a_file_that_changed_is_computed_anew_and_new_files_join(photos, tmp_path):
    folder = tmp_path / "journal"
    vectorize_all(find(photos).sources, REQUEST, Fakes().manager(), journal_folder=folder)  # whole, but not stored
    Image.fromarray(photo(900)).save(photos / "03.jpg")
    Image.fromarray(photo(901)).save(photos / "a new one.png")
    (photos / "05.jpg").unlink()
    fakes = Fakes()
    table = vectorize_all(find(photos).sources, REQUEST, fakes.manager(), journal_folder=folder)
    assert images_encoded(fakes, "fake") == 2
    whole = vectorize_all(find(photos).sources, REQUEST, Fakes().manager())
    assert table.ids == whole.ids and "a new one.png" in table.ids and "05.jpg" not in table.ids
    np.testing.assert_allclose(table.vectors_ND, whole.vectors_ND, atol=1e-5)
    assert {notice.code for notice in table.notices} == {"resumed", "not_resumed"}


def test_other_weights_or_another_dtype_take_nothing_over(photos, tmp_path):
    folder = tmp_path / "journal"
    vectorize_all(find(photos).sources, REQUEST, Fakes().manager(), journal_folder=folder)
    fakes = Fakes()
    load = fakes.load

    def load_other_weights(spec, device, dtype):
        encoder = load(spec, device, dtype)
        encoder.weights_sha256 = "f" * 64
        return encoder

    fakes.load = load_other_weights
    table = vectorize_all(find(photos).sources, REQUEST, fakes.manager(), journal_folder=folder)
    assert images_encoded(fakes, "fake") == 24 and [notice.code for notice in table.notices] == ["not_resumed"]
    fakes = Fakes()
    vectorize_all(
        find(photos).sources, VectorizeRequest(("fake",), 2, "cpu", "bf16"), fakes.manager(), journal_folder=folder
    )
    assert images_encoded(fakes, "fake") == 24


def test_another_ensemble_takes_over_the_members_it_shares(photos, tmp_path):
    folder = tmp_path / "journal"
    vectorize_all(find(photos).sources, VectorizeRequest(("fake",), 2), Fakes().manager(), journal_folder=folder)
    fakes = Fakes()
    request = VectorizeRequest(("wide", "fake"), 2, normalize=True)
    table = vectorize_all(find(photos).sources, request, fakes.manager(), journal_folder=folder)
    whole = vectorize_all(find(photos).sources, request, Fakes().manager())
    np.testing.assert_allclose(table.vectors_ND, whole.vectors_ND, atol=1e-6)


def test_a_journal_cut_anywhere_gives_the_same_table(photos, tmp_path):
    """A kill may tear the log at any byte."""
    whole_folder, folder = tmp_path / "whole", tmp_path / "cut"
    whole = vectorize_all(find(photos).sources, REQUEST, Fakes().manager(), journal_folder=whole_folder)
    written = (whole_folder / "rows.log").read_bytes()
    folder.mkdir()
    log = folder / "rows.log"
    chance = random.Random(7)
    cuts = [0, 1, 11, 12, 13, len(written) - 1, len(written)] + [chance.randrange(len(written)) for _ in range(8)]
    for cut in cuts:
        log.write_bytes(written[:cut])
        kept = rows_in(log)
        fakes = Fakes()
        table = vectorize_all(find(photos).sources, REQUEST, fakes.manager(), journal_folder=folder)
        assert images_encoded(fakes, "fake") == 24 - kept
        assert table.ids == whole.ids and rows_in(log) == 24
        np.testing.assert_array_equal(table.vectors_ND, whole.vectors_ND)


def test_a_flipped_bit_costs_its_block_and_those_behind_it(photos, tmp_path):
    folder = tmp_path / "journal"
    table = vectorize_all(find(photos).sources, REQUEST, Fakes().manager(), journal_folder=folder)
    log = folder / "rows.log"
    broken = bytearray(log.read_bytes())
    broken[len(broken) // 2] ^= 0xFF
    log.write_bytes(bytes(broken))
    fakes = Fakes()
    again = vectorize_all(find(photos).sources, REQUEST, fakes.manager(), journal_folder=folder)
    np.testing.assert_array_equal(again.vectors_ND, table.vectors_ND)
    assert 0 < images_encoded(fakes, "fake") < 24


def test_a_file_that_is_no_journal_is_begun_anew(photos, tmp_path):
    folder = tmp_path / "journal"
    folder.mkdir()
    (folder / "rows.log").write_bytes(b"something else entirely " * 50)
    table = vectorize_all(find(photos).sources, REQUEST, Fakes().manager(), journal_folder=folder)
    assert len(table.ids) == 24 and rows_in(folder / "rows.log") == 24


def test_two_runs_into_one_output_are_told_apart(tmp_path):
    with Journal(tmp_path / "journal"), pytest.raises(StoreError, match="Another run"):
        Journal(tmp_path / "journal")
    Journal(tmp_path / "journal").close()
    assert not (tmp_path / "journal").exists()  # nothing was written, nothing stays


def test_a_journal_that_cannot_be_made_says_so(tmp_path):
    (tmp_path / "journal").write_bytes(b"a file")
    with pytest.raises(StoreError, match="journal"):
        Journal(tmp_path / "journal")


def test_blocks_come_back_as_they_were_written(tmp_path):
    files = [Identity(f"/photos/{number} é\n.png", number, 2**62 + number) for number in range(3)]
    one, two = np.arange(12, dtype=np.float32).reshape(3, 4), np.full((3, 2), np.pi, dtype=np.float32)
    with Journal(tmp_path / "journal") as journal:
        journal.append({"b": "key b", "a": "key a"}, files, np.ones(3, np.float32), {"a": one, "b": two})
        journal.append({"a": "other"}, files[:1], np.zeros(1, np.float32), {"a": one[:1]})
    with Journal(tmp_path / "journal") as journal:
        first, second = journal.blocks()
    assert first.files == files and first.keys == {"b": "key b", "a": "key a"} and second.keys == {"a": "other"}
    np.testing.assert_array_equal(first.features["a"], one)
    np.testing.assert_array_equal(first.features["b"], two)
    np.testing.assert_array_equal(second.features["a"], one[:1])


def test_identity_follows_path_size_and_time_of_change(tmp_path):
    path = tmp_path / "a.png"
    path.write_bytes(b"1234")
    first = identity(ImageSource("a", path=path))
    assert first.size_bytes == 4 and first.path == str(path)
    os.utime(path, ns=(1, 1))
    assert identity(ImageSource("a", path=path)) != first
    assert identity(ImageSource("a", data=b"1234")) is None
    assert identity(ImageSource("a", path=tmp_path / "missing")) is None


def test_a_damaged_journal_is_set_aside_with_a_notice(photos, tmp_path):
    folder = tmp_path / "out.npz.partial"
    table = vectorize_all(find(photos).sources, REQUEST, Fakes().manager(), journal_folder=folder)
    assert not [notice for notice in table.notices if notice.code == "journal_damaged"]
    log = folder / "rows.log"
    broken = bytearray(log.read_bytes())
    broken[4] ^= 0x80  # of the first frame's length: it would swallow all others
    log.write_bytes(bytes(broken))
    again = vectorize_all(find(photos).sources, REQUEST, Fakes().manager(), journal_folder=folder)
    aside = tmp_path / "out.npz.partial.damaged"
    assert aside.read_bytes() == broken
    told = [notice.text for notice in again.notices if notice.code == "journal_damaged"]
    assert len(told) == 1 and str(aside) in told[0]
    np.testing.assert_array_equal(again.vectors_ND, table.vectors_ND)


def test_a_frame_that_says_nothing_is_set_aside_too(tmp_path):
    """Whole by its checksum, but not what this version writes: it ended in an error nobody had foreseen."""
    folder = tmp_path / "journal"
    folder.mkdir()
    body = b"\x02\0\0\0[]"
    (folder / "rows.log").write_bytes(struct.pack("<4sII", b"ROWS", len(body), zlib.crc32(body)) + body)
    with Journal(folder) as journal:
        assert journal.set_aside == tmp_path / "journal.damaged" and list(journal.blocks()) == []


def test_the_end_that_a_kill_tore_is_no_damage(tmp_path):
    with Journal(tmp_path / "journal") as journal:
        for number in range(2):
            journal.append(
                {"a": "key"}, [Identity("/a.png", 1, number)], np.ones(1, np.float32), {"a": np.ones((1, 4))}
            )
    log = tmp_path / "journal" / "rows.log"
    log.write_bytes(log.read_bytes()[:-3])
    with Journal(tmp_path / "journal") as journal:
        assert journal.set_aside is None and len(list(journal.blocks())) == 1


def test_a_run_that_ends_does_not_take_the_journal_of_one_that_goes_on(tmp_path):
    """Two runs into one output: the first removed what the second had computed."""
    output = tmp_path / "out.npz"
    with alone_at(output) as folder:
        (folder / "rows.log").write_bytes(b"")
        with pytest.raises(StoreError, match="Another run"), alone_at(output):
            pass
        assert (folder / "rows.log").exists()
        discard(folder)
        with pytest.raises(StoreError, match="Another run"), alone_at(output):  # until it is really over
            pass
    assert list(tmp_path.iterdir()) == []


def test_a_kill_while_writing_leaves_nothing_beside_the_output(tmp_path):
    output = tmp_path / "out.parquet"
    script = (
        "import os, signal, sys\nfrom pathlib import Path\nfrom core import files\n"
        "from core.vectorize.resume import alone_at\n"
        "output = Path(sys.argv[1])\n"
        "with alone_at(output) as folder, files.replacing(output, drafts_in=folder) as (draft,):\n"
        "    draft.write_bytes(b'half')\n    os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    subprocess.run([sys.executable, "-c", script, str(output)], check=False)
    assert [path.name for path in tmp_path.iterdir()] == ["out.parquet.partial"]
    with alone_at(output) as folder:
        assert not list(folder.glob(".tmp-*"))
    assert list(tmp_path.iterdir()) == []
