"""`core.vectorize.store`: what is written is read back whole, by us and by the formats' own libraries, or refused."""

from __future__ import annotations

import csv
import json
import os
import pickle
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from core.errors import InputError, StoreError
from core.types import Member, Notice, Reject, VectorTable
from core.vectorize import formats, store

IDS = ("a.jpg", "sub/ü 猫.png", "=1+1.png", "line\nbreak.png", "-2.png", 'comma,"quote".png', "'@x.png")


def table_of(ids: tuple[str, ...] = IDS, dim: int = 5, seed: int = 0) -> VectorTable:
    vectors = np.random.default_rng(seed).normal(size=(len(ids), dim)).astype(np.float32)
    if vectors.size:
        vectors[0, 0], vectors[-1, -1] = 1e-42, -3.4e38  # a denormal, and nearly the largest there is
    return VectorTable(
        ids=ids,
        vectors_ND=vectors,
        members=(
            Member("one", 0, 2, 1.5, "cpu", "fp32", 4.4, 0.25),
            Member("two", 2, dim, 0.0, "cpu", "fp32", 1.1),
        ),
        passport={"format": 1, "normalize": False, "members": [{"model_id": "one", "说明": "é"}], "canaries": []},
        rejects=(Reject("bad.jpg", "truncated", "The JPEG file ends before its image does."),),
        ms_N=np.arange(len(ids), dtype=np.float32) / 4,
        seconds=1.25,
        notices=(Notice("left_out", "2 files left out.", "x"),),
    )


def same(first: VectorTable, second: VectorTable) -> bool:
    rest = [replace(t, vectors_ND=np.zeros((len(t.ids), 1)), ms_N=None) for t in (first, second)]
    assert [t.__dict__.pop("vectors_ND").shape for t in rest]
    np.testing.assert_array_equal(first.vectors_ND, second.vectors_ND)
    np.testing.assert_allclose(first.ms_N, second.ms_N)
    assert first.vectors_ND.dtype == second.vectors_ND.dtype == np.float32
    return rest[0].__dict__ == rest[1].__dict__


@pytest.mark.parametrize("suffix", store.SUFFIXES)
def test_every_format_gives_back_all_of_the_table(tmp_path, suffix):
    path = tmp_path / ("my_vectors-1.lance" if suffix == ".lance" else f"my 向量 (1){suffix}")
    written = store.write(table_of(), path)
    assert written[0] == path and all(part.exists() for part in written)
    assert sorted(tmp_path.iterdir()) == sorted(written)  # no temporary files
    assert same(store.read(path), table_of())


@pytest.mark.parametrize("suffix", store.SUFFIXES)
def test_a_table_without_rows_and_one_without_times(tmp_path, suffix):
    path = tmp_path / f"v{suffix}"
    for table in (table_of(()), replace(table_of(), ms_N=None)):
        store.write(table, path)
        again = store.read(path)
        assert again.ids == table.ids and again.vectors_ND.shape == table.vectors_ND.shape
        assert (again.ms_N is None) == (table.ms_N is None) and again.rejects == table.rejects


printable = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=12)


@given(
    ids=st.lists(printable, unique=True, max_size=6),
    suffix=st.sampled_from([s for s in store.SUFFIXES if s != ".lance"]),
)
@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_names_survive(tmp_path, ids, suffix):
    path = tmp_path / f"v{suffix}"
    store.write(table_of(tuple(ids)), path)
    assert store.read(path).ids == tuple(ids)


def test_each_format_is_what_its_own_library_reads(tmp_path):
    table = table_of()
    for suffix in store.SUFFIXES:
        store.write(table, tmp_path / f"v{suffix}")

    with np.load(tmp_path / "v.npz") as arrays:  # allow_pickle is off by default
        assert arrays["ids"].tolist() == list(table.ids) and arrays["ids"].dtype.kind == "U"
        np.testing.assert_array_equal(arrays["vectors"], table.vectors_ND)
        assert json.loads(str(arrays["passport"])) == table.passport
        assert json.loads(str(arrays["rejects"]))[0]["id"] == "bad.jpg"

    import pandas as pd
    import pyarrow.parquet as pq

    frame = pd.read_parquet(tmp_path / "v.parquet")
    assert frame["id"].tolist() == list(table.ids)
    np.testing.assert_array_equal(np.stack(frame["vector"]), table.vectors_ND)
    assert json.loads(pq.read_schema(tmp_path / "v.parquet").metadata[b"passport"]) == table.passport

    from safetensors import safe_open

    with safe_open(tmp_path / "v.safetensors", "numpy") as file:
        np.testing.assert_array_equal(file.get_tensor("vectors"), table.vectors_ND)
        assert file.get_tensor("ids").tobytes().decode().split("\0") == list(table.ids)
        assert json.loads(file.metadata()["passport"]) == table.passport

    import lancedb

    lance = lancedb.connect(tmp_path).open_table("v")
    assert lance.to_arrow().column("id").to_pylist() == list(table.ids)
    hit = lance.search(table.vectors_ND[2].tolist()).limit(1).to_list()[0]
    assert hit["id"] == table.ids[2]

    np.testing.assert_array_equal(np.load(tmp_path / "v.npy"), table.vectors_ND)
    beside = json.loads((tmp_path / "v.npy.json").read_text())
    assert beside["ids"] == list(table.ids) and beside["passport"] == table.passport


@pytest.mark.parametrize("suffix", [s for s in store.SUFFIXES if s != ".lance"])
def test_a_colleague_in_the_same_group_can_read_what_was_written(tmp_path, suffix):
    """A `.safetensors` on a shared disk could be read by its writer alone."""
    ordinary = tmp_path / "ordinary"
    ordinary.touch()
    for path in store.write(table_of(), tmp_path / f"v{suffix}"):
        assert path.stat().st_mode == ordinary.stat().st_mode


def test_a_csv_is_safe_to_open_in_a_spreadsheet_and_exact(tmp_path):
    table = table_of()
    store.write(table, tmp_path / "v.csv")
    with (tmp_path / "v.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.reader(file))
    assert rows[0] == ["id", "v0", "v1", "v2", "v3", "v4"]
    shown = [row[0] for row in rows[1:]]
    assert not any(cell.startswith(("=", "+", "-", "@")) for cell in shown)
    assert shown[2] == "'=1+1.png" and shown[0] == "a.jpg"
    values = np.array([[np.float32(cell) for cell in row[1:]] for row in rows[1:]])
    np.testing.assert_array_equal(values, table.vectors_ND)
    assert store.read(tmp_path / "v.csv").ids == table.ids  # the .json has the true names


@pytest.mark.parametrize("suffix", store.SUFFIXES)
def test_writing_again_replaces_what_was_there(tmp_path, suffix):
    path = tmp_path / f"v{suffix}"
    store.write(table_of(), path)
    store.write(table_of(("only.png",), seed=1), path)
    assert store.read(path).ids == ("only.png",)
    assert len(list(tmp_path.iterdir())) == (2 if suffix in (".npy", ".csv") else 1)


@pytest.mark.parametrize("suffix", store.SUFFIXES)
def test_a_failed_write_leaves_the_old_file_and_no_litter(tmp_path, suffix, monkeypatch):
    path = tmp_path / f"v{suffix}"
    store.write(table_of(), path)

    def fail(table, place):
        if suffix == ".lance":
            place.mkdir()
        else:
            place.write_bytes(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setitem(formats.FORMATS, suffix, formats.FORMATS[suffix]._replace(write=fail))
    before = sorted(tmp_path.iterdir())
    with pytest.raises(StoreError, match="No space left"):
        store.write(table_of(("new.png",)), path)
    assert sorted(tmp_path.iterdir()) == before and same(store.read(path), table_of())


@pytest.mark.parametrize("suffix", [s for s in store.SUFFIXES if s != ".lance"])
@pytest.mark.parametrize("part", [0.0, 0.3, 0.9])
def test_a_cut_file_is_a_store_error(tmp_path, suffix, part):
    path = tmp_path / f"v{suffix}"
    store.write(table_of(), path)
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * part)])
    with pytest.raises(StoreError, match=r"damaged|no passport"):
        store.read(path)


@given(data=st.data(), suffix=st.sampled_from([s for s in store.SUFFIXES if s != ".lance"]))
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_changed_bytes_are_noticed_or_change_nothing(tmp_path, data, suffix):
    """Never other ids or vectors than were written, and never another exception."""
    path = tmp_path / f"v{suffix}"
    store.write(table_of(), path, overwrite=True)  # the one before was damaged
    broken = bytearray(path.read_bytes())
    at = data.draw(st.integers(0, len(broken) - 1))
    broken[at] ^= data.draw(st.integers(1, 255))
    path.write_bytes(bytes(broken))
    try:
        table = store.read(path)
    except StoreError:
        return
    assert table.ids == table_of().ids
    np.testing.assert_array_equal(table.vectors_ND, table_of().vectors_ND)


def test_a_damaged_lance_folder_is_a_store_error(tmp_path):
    path = tmp_path / "v.lance"
    store.write(table_of(), path)
    for file in (path / "data").iterdir():
        file.write_bytes(file.read_bytes()[:-40])
    with pytest.raises(StoreError, match="damaged"):
        store.read(path)
    (tmp_path / "empty.lance").mkdir()
    with pytest.raises(StoreError, match="damaged"):
        store.read(tmp_path / "empty.lance")


def test_vectors_and_json_that_do_not_belong_together_are_refused(tmp_path):
    store.write(table_of(), tmp_path / "a.npy")
    store.write(table_of(seed=1), tmp_path / "b.npy")
    (tmp_path / "b.npy.json").replace(tmp_path / "a.npy.json")
    with pytest.raises(StoreError, match="not those that were written"):
        store.read(tmp_path / "a.npy")


def test_files_of_other_tools_say_that_they_have_no_passport(tmp_path):
    import pyarrow as pa
    import pyarrow.parquet as pq
    from safetensors.numpy import save_file

    np.savez(tmp_path / "a.npz", vectors=np.zeros((2, 3)))
    np.save(tmp_path / "a.npy", np.zeros((2, 3)))
    (tmp_path / "a.csv").write_text("id,v0\nx,1\n")
    pq.write_table(pa.table({"id": ["x"]}), tmp_path / "a.parquet")
    save_file({"vectors": np.zeros((2, 3))}, tmp_path / "a.safetensors")
    import lancedb

    lancedb.connect(tmp_path).create_table("a", pa.table({"id": ["x"]}))
    for suffix in store.SUFFIXES:
        with pytest.raises(StoreError, match="no passport"):
            store.read(tmp_path / f"a{suffix}")


def test_nothing_in_a_file_is_ever_unpickled(tmp_path):
    class Evil:
        def __reduce__(self):
            return (os.mkdir, (str(tmp_path / "pwned"),))

    evil = np.array([Evil()], dtype=object)
    np.savez(tmp_path / "a.npz", vectors=evil, ids=evil, passport=evil, rejects=evil, details=evil, allow_pickle=True)
    np.save(tmp_path / "a.npy", evil, allow_pickle=True)
    (tmp_path / "b.npy").write_bytes(pickle.dumps(Evil()))
    for name in ("a.npz", "a.npy", "b.npy"):
        with pytest.raises(StoreError):
            store.read(tmp_path / name)
    assert not (tmp_path / "pwned").exists()


def test_outputs_that_cannot_be_are_refused_before_any_work(tmp_path):
    for name in ("v.txt", "v", "v.jsonl", "v.npz.gz"):
        with pytest.raises(InputError, match="names no format") as caught:
            store.check_output(tmp_path / name)
        assert ".parquet" in str(caught.value)
    store.check_output(tmp_path / "new" / "folder" / "V.NPZ")
    assert (tmp_path / "new" / "folder").is_dir()
    (tmp_path / "v.npz").mkdir()
    (tmp_path / "v.lance").write_bytes(b"")
    for name in ("v.npz", "v.lance"):
        with pytest.raises(InputError, match="already"):
            store.check_output(tmp_path / name)
    with pytest.raises(InputError, match="LanceDB"):
        store.check_output(tmp_path / "my vectors.lance")
    with pytest.raises(InputError, match="no such file"):
        store.read(tmp_path / "missing.npz")
    with pytest.raises(InputError, match="names no format"):
        store.read(tmp_path / "v.txt")


def test_a_file_of_a_later_version_says_so(tmp_path, monkeypatch):
    monkeypatch.setattr(formats, "VERSION", 99)
    store.write(table_of(), tmp_path / "v.npz")
    monkeypatch.undo()
    with pytest.raises(StoreError, match="later version"):
        store.read(tmp_path / "v.npz")


def test_reading_and_searching_import_no_torch(tmp_path):
    for suffix in store.SUFFIXES:
        store.write(table_of(), tmp_path / f"v{suffix}")
    script = (
        "import sys; from pathlib import Path; import core.vectorize.search, core.vectorize.report\n"
        "from core.vectorize import store\n"
        "for suffix in store.SUFFIXES: store.read(Path(sys.argv[1]) / f'v{suffix}')\n"
        "print([name for name in ('torch', 'gradio', 'plotly') if name in sys.modules])\n"
    )
    run = subprocess.run([sys.executable, "-c", script, str(tmp_path)], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"


# ---- nothing of the user's is overwritten ----


def put_foreign(path):
    """Something of the user's own at `path`, in the suffix's own format where it has one."""
    if path.suffix == ".lance":
        import lancedb

        lancedb.connect(path.parent).create_table(path.stem, [{"id": "mine", "vector": [1.0, 2.0]}])
    elif path.suffix == ".npz":
        np.savez(path, mine=np.ones(3))
    elif path.suffix == ".npy":
        np.save(path, np.ones(3))
    elif path.suffix == ".parquet":
        import pyarrow as pa
        import pyarrow.parquet as pq

        pq.write_table(pa.table({"mine": [1]}), path)
    elif path.suffix == ".safetensors":
        from safetensors.numpy import save_file

        save_file({"mine": np.ones(3)}, path)
    else:
        path.write_text("mine\n1\n")


def content(folder):
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("suffix", store.SUFFIXES)
def test_what_this_project_did_not_write_is_left_as_it_is(tmp_path, suffix):
    """`--output db/photos.lance` replaced somebody's own LanceDB table."""
    path = tmp_path / f"photos{suffix}"
    put_foreign(path)
    before = content(tmp_path)
    for attempt in (lambda: store.check_output(path), lambda: store.write(table_of(), path)):
        with pytest.raises(InputError, match="did not write") as refusal:
            attempt()
        assert str(path) in str(refusal.value) and "--overwrite" in str(refusal.value)
    assert content(tmp_path) == before
    store.write(table_of(), path, overwrite=True)
    assert same(store.read(path), table_of())


@pytest.mark.parametrize("suffix", [".csv", ".npy"])
def test_a_json_that_lies_where_the_second_file_would_is_left_as_it_is(tmp_path, suffix):
    """`--output notes.csv` replaced an existing `notes.csv.json`."""
    mine = tmp_path / f"notes{suffix}.json"
    mine.write_text('{"mine": 1}')
    with pytest.raises(InputError, match="did not write") as refusal:
        store.write(table_of(), tmp_path / f"notes{suffix}")
    assert str(mine) in str(refusal.value)
    assert mine.read_text() == '{"mine": 1}' and list(tmp_path.iterdir()) == [mine]


def test_files_put_into_the_folder_of_our_own_table_are_not_deleted(tmp_path):
    path = tmp_path / "v.lance"
    store.write(table_of(), path)
    store.write(table_of(seed=1), path)  # its own files alone: replaced
    (path / "notes.txt").write_text("mine")
    with pytest.raises(InputError, match=r"no part of the table \(notes.txt\)"):
        store.write(table_of(), path)
    assert (path / "notes.txt").read_text() == "mine" and same(store.read(path), table_of(seed=1))


def test_one_long_name_does_not_make_every_name_long(tmp_path):
    """A name of 240 characters among 50,000 made an .npz of 50 MB."""
    ids = (*(f"{number}.jpg" for number in range(5000)), "x" * 240)
    store.write(replace(table_of(ids), ms_N=None), tmp_path / "v.npz")
    assert store.read(tmp_path / "v.npz").ids == ids
    vectors_bytes = table_of(ids).vectors_ND.nbytes
    assert (tmp_path / "v.npz").stat().st_size < vectors_bytes + 100_000  # 4.8 MB of names before
