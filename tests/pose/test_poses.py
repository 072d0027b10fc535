"""CSVs of poses: every row accounted for, bad cells named by their line, the three formats agree, long files stream."""

from __future__ import annotations

import csv
import io
import tracemalloc

import numpy as np
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.errors import InputError, Unsupported
from core.pose.angles import wrap_deg
from core.pose.embedding import Wording, embed_poses
from core.pose.poses import PosesResult, convert, open_poses, read_blocks, reading, writing
from core.pose.text import describe
from core.types import Progress

POSES = 'image,roll,yaw,note,pitch\na.jpg,-5,45,x,10\nb.jpg,0,-190,,30\n\'c,0.5,1e1,"two\nlines",-20\n'


def write(folder, text, name="poses.csv"):
    path = folder / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def run(path, output, *arguments, **options):
    items = list(convert(path, output, *arguments, **options))
    assert all(isinstance(item, Progress) for item in items[:-1]) and isinstance(items[-1], PosesResult)
    return items[-1]


def rows_of(output):
    with output.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_captions_and_vectors_stand_beside_the_files_own_columns(tmp_path, fakes):
    result = run(write(tmp_path, POSES), tmp_path / "o.csv", manager=fakes, model="fake")
    poses = [[45, 10, -5], [170, 30, 0], [10, -20, 0.5]]
    direct = embed_poses(poses, fakes, "fake")
    rows = rows_of(tmp_path / "o.csv")
    assert [row["image"] for row in rows] == ["a.jpg", "b.jpg", "'c"] and rows[2]["note"] == "two\nlines"
    assert [row["caption"] for row in rows] == describe(poses) and {row["problem"] for row in rows} == {""}
    assert [row["yaw"] for row in rows] == ["45", "-190", "1e1"], "as they were"
    assert [float(row["yaw_deg"]) for row in rows] == [45, 170, 10]
    vectors = [[float(row[f"v{number}"]) for number in range(16)] for row in rows]
    np.testing.assert_allclose(vectors, direct.units_ND, atol=1e-7)
    assert (result.rows, result.usable, result.captions, result.dim) == (3, 3, 3, 16)
    assert [(notice.code, notice.text) for notice in result.notices] == [
        ("wrapped", "1 row(s) had angles beyond ±180, wrapped: line 3.")
    ]
    assert result.preview[1] == (3, (170.0, 30.0, 0.0), describe([170, 30, 0])[0], "")


BAD = {
    ",1,2": "yaw is empty",
    "1,  ,2": "pitch is empty",
    "1,2": "roll is empty",
    "nan,1,2": "yaw is NaN",
    "1,-inf,2": "pitch is infinite",
    "1,Infinity,2": "pitch is infinite",
    "1,1e999,2": "pitch is infinite",
    "1,2,left": "roll is not a number: 'left'",
    "1_0,2,3": "yaw is not a number: '1_0'",
    "0x10,2,3": "yaw is not a number: '0x10'",
    "1,2,3,4": "4 cells under 3 column names",
    "=1+1,2,3": "yaw is not a number: '=1+1'",
}


@pytest.mark.parametrize("suffix", writing.SUFFIXES)
def test_each_bad_row_is_named_by_its_line_and_keeps_its_place(tmp_path, fakes, suffix):
    lines = ["yaw,pitch,roll", "0,0,0", *BAD, "", "50,0,0"]
    output = tmp_path / f"o{suffix}"
    result = run(write(tmp_path, "\n".join(lines)), output, manager=fakes, model="fake")
    expected = [(f"line {number}", reason) for number, reason in enumerate(BAD.values(), start=3)]
    assert [(reject.id, reject.reason) for reject in result.rejects] == expected
    assert (result.rows, result.usable) == (len(BAD) + 2, 2)
    captions = ["frontal view, level gaze, upright", "right profile view, level gaze, upright"]
    if suffix == ".csv":
        rows = rows_of(output)
        assert [row["problem"] for row in rows] == ["", *BAD.values(), ""]
        assert [rows[0]["caption"], rows[-1]["caption"]] == captions
        assert {row["caption"] + row["yaw_deg"] + row["v0"] for row in rows[1:-1]} == {""}
    elif suffix == ".parquet":
        table = pq.read_table(output)
        assert table["problem"].to_pylist() == [None, *BAD.values(), None]
        assert table["caption"].to_pylist() == [captions[0], *[None] * len(BAD), captions[1]]
        assert [vector is None for vector in table["vector"].to_pylist()] == [False, *[True] * len(BAD), False]
    else:
        arrays = np.load(output, allow_pickle=False)
        assert arrays["caption_row"].tolist() == [0, *[-1] * len(BAD), 1] and arrays["captions"].tolist() == captions
        assert arrays["problems"].tolist() == [f"{line}: {reason}" for line, reason in expected]
        assert np.isnan(arrays["angles_deg"][1:-1]).all() and arrays["angles_deg"][-1].tolist() == [50, 0, 0]


def test_the_three_formats_agree(tmp_path, fakes, monkeypatch):
    """Blocks of seven rows: captions come back in later blocks."""
    monkeypatch.setattr(reading, "BLOCK_ROWS", 7)
    monkeypatch.setattr(writing, "TEXTS_KEPT", 5)
    angles = np.random.default_rng(0).uniform(-200, 200, (100, 3)).round(2)
    path = write(tmp_path, "yaw,pitch,roll\n" + "\n".join(",".join(map(str, row)) for row in angles.tolist()))
    results = {s: run(path, tmp_path / f"o{s}", manager=fakes, model="fake") for s in writing.SUFFIXES}
    direct = embed_poses(angles, fakes, "fake")
    rows = rows_of(tmp_path / "o.csv")
    as_csv = np.array([[float(row[f"v{number}"]) for number in range(16)] for row in rows])
    table = pq.read_table(tmp_path / "o.parquet")
    as_parquet = np.array(table["vector"].to_pylist())
    arrays = np.load(tmp_path / "o.npz", allow_pickle=False)
    as_npz = arrays["vectors"][arrays["caption_row"]]
    for made in (as_csv, as_parquet, as_npz):
        np.testing.assert_allclose(made, direct.units_ND, atol=1e-6)
    for captions in ([row["caption"] for row in rows], table["caption"].to_pylist()):
        assert captions == list(direct.captions)
    assert arrays["captions"][arrays["caption_row"]].tolist() == list(direct.captions)
    np.testing.assert_array_equal(arrays["angles_deg"], wrap_deg(angles))
    assert table["yaw_deg"].to_pylist() == arrays["angles_deg"][:, 0].tolist()
    assert len({(result.rows, result.captions, result.dim) for result in results.values()}) == 1


def test_without_a_model_there_are_captions_alone(tmp_path):
    result = run(write(tmp_path, POSES), tmp_path / "o.parquet", Wording(continuous=True, light="dim light"))
    table = pq.read_table(tmp_path / "o.parquet")
    assert "vector" not in table.column_names and result.dim == 0 and result.model == {}
    assert table["caption"][0].as_py() == "yaw 45.0, pitch 10.0, roll -5.0 degrees, dim light"
    run(write(tmp_path, POSES), tmp_path / "o.npz")
    assert np.load(tmp_path / "o.npz")["vectors"].shape == (3, 0)


@pytest.mark.parametrize(
    ("text", "columns", "has_header"),
    [
        ("yaw,pitch,roll\n1,2,3", (0, 1, 2), True),
        ("\ufeffYaw (deg); Roll_deg;PITCH [°]\n1;2;3", (0, 2, 1), True),
        ("\n\nid\tyaw\tpitch\troll\na\t1\t2\t3", (1, 2, 3), True),
        ('"yaw","pitch","roll, in degrees?",roll\n1,2,x,3', (0, 1, 3), True),
        ("1,-2.5,3e1,extra\n", (0, 1, 2), False),
    ],
)
def test_columns_are_found(tmp_path, text, columns, has_header):
    found = open_poses(write(tmp_path, text))
    assert found.angle_columns == columns and found.has_header == has_header
    (block,) = read_blocks(found)
    assert len(block.cells) == 1 and block.problems == [""]


def test_a_file_without_a_header_says_what_was_taken(tmp_path):
    result = run(write(tmp_path, "1,2,3\n4,5,6"), tmp_path / "o.csv")
    assert "no_header" in {notice.code for notice in result.notices} and result.rows == 2
    assert list(rows_of(tmp_path / "o.csv")[0]) == [
        *("column 1", "column 2", "column 3", "yaw_deg", "pitch_deg", "roll_deg", "caption", "problem")
    ]


def test_own_columns_named_like_ours_are_kept(tmp_path, fakes):
    text = "yaw_deg,pitch,roll,caption,v0,x,x\n1,2,3,mine,seven,p,q"
    run(write(tmp_path, text), tmp_path / "o.csv", Wording(template="={}"), manager=fakes, model="fake")
    (row,) = rows_of(tmp_path / "o.csv")
    assert row["caption_given"] == "mine" and row["v0_given"] == "seven" and row["yaw_deg_given"] == "1"
    assert (row["x"], row["x_7"]) == ("p", "q") and float(row["yaw_deg"]) == 1.0
    assert row["caption"].startswith("'="), "no spreadsheet runs it"


def test_a_cell_of_a_visitor_s_own_is_not_run_by_the_spreadsheet_that_opens_the_result(tmp_path):
    """Saw `=cmd|…` of an uploaded CSV come back as it was, for the next person's spreadsheet to run."""
    notes = [
        "=1+1",
        "+cmd|' /C calc'!A0",
        "@SUM(A1)",
        "\t=1",
        "-2+3",
        "-2",
        "+1.5e3",
        "-1.2E-05",
        "-3.",
        "plain",
        "'quoted",
    ]
    text = io.StringIO()
    csv.writer(text).writerows([["=name", "yaw", "pitch", "roll"], *([note, "-5", "+1", "-0.5"] for note in notes)])
    text.write("fine,=2+2,0,0\n")
    run(write(tmp_path, text.getvalue()), tmp_path / "o.csv")
    rows = rows_of(tmp_path / "o.csv")
    run_ones = ["'=1+1", "'+cmd|' /C calc'!A0", "'@SUM(A1)", "'\t=1", "'-2+3"]
    shown = [*run_ones, *notes[len(run_ones) :]]
    assert [row["'=name"] for row in rows] == [*shown, "fine"], "text cells only, never numbers"
    assert {(row["yaw"], row["pitch"], row["roll"]) for row in rows[:-1]} == {("-5", "+1", "-0.5")}
    assert rows[-1]["yaw"] == "'=2+2" and rows[-1]["problem"] == "yaw is not a number: '=2+2'"


def test_what_is_wrong_with_a_row_is_said_in_chinese_too(tmp_path):
    """Saw "yaw 为空" only where the sentence's English was parsed back."""
    lines = ["yaw,pitch,roll", "0,0,0", ",0,0", "0,nan,0", "0,0,1e999", '"1,5",0,0', "0,0,left"]
    result = run(write(tmp_path, "\n".join(lines)), tmp_path / "o.npz")
    assert [reject.reason.said("zh") for reject in result.rejects] == [
        "偏航为空",
        "俯仰为 NaN",
        "翻滚为无穷大",
        "偏航不是数字：'1,5'；小数点请写成“.”",
        "翻滚不是数字：'left'",
    ]
    assert result.rejects[3].reason == "yaw is not a number: '1,5'; write the decimal point as a point"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (b"", "empty"),
        (b" \n\n", "empty"),
        (b"\xef\xbb\xbf\r\n", "empty"),
        ("\u3000\n".encode(), "empty"),
        (b"yaw,pitch,roll\n", "no rows"),
        (b"yaw,pitch\n1,2", "no column for roll"),
        (b"a,b,c\n1,2,3", "no column for yaw, pitch, roll"),
        (b"yaw,pitch,roll,yaw\n1,2,3,4", "yaw twice"),
        (b"\x89PNG\0\0\0", "not a text file"),
        (b"yaw,pitch,roll\n1,2,\xff\xfe", "not UTF-8"),
        (b"yaw,pitch,roll\n" + b"1,2,3\n" * 20_000 + b"\xff,2,3\n", "not UTF-8"),
        (b"yaw,pitch,roll\n1,2," + b"3" * 200_000, "field larger"),
        (b"yaw,pitch,roll\nx,2,3\n,,\n", "No row can be used (2 read). The first: yaw is not a number: 'x'"),
    ],
)
def test_what_is_no_file_of_poses_is_said_and_nothing_is_left(tmp_path, text, words):
    path = write(tmp_path, text)
    with pytest.raises(InputError) as caught:
        run(path, tmp_path / "o.csv")
    assert words in str(caught.value)
    assert [file.name for file in tmp_path.iterdir()] == ["poses.csv"]


def test_outputs_and_models_that_cannot_be_used(tmp_path, fakes):
    path = write(tmp_path, POSES)
    for output, words in ((tmp_path / "o.txt", ".parquet"), (tmp_path / "no" / "o.csv", "does not exist")):
        with pytest.raises(InputError, match=words):
            run(path, output)
    with pytest.raises(Unsupported, match="no text tower"):
        run(path, tmp_path / "o.csv", manager=fakes, model="mute")
    with pytest.raises(InputError, match="cannot be read"):
        run(tmp_path / "gone.csv", tmp_path / "o.csv")
    with pytest.raises(InputError, match=r"exactly one \{\}"):
        run(path, tmp_path / "o.csv", Wording(template="x"))
    assert [file.name for file in tmp_path.iterdir()] == ["poses.csv"]


def test_bounds_stop_the_work(tmp_path, fakes):
    path = write(tmp_path, "yaw,pitch,roll\n" + "".join(f"{yaw},0,0\n" for yaw in range(90)))
    with pytest.raises(InputError, match="More than 10 different captions"):
        run(path, tmp_path / "o.npz", Wording(continuous=True), manager=fakes, model="fake", max_captions=10)
    with pytest.raises(InputError, match="more than 1,000 numbers"):
        run(path, tmp_path / "o.csv", manager=fakes, model="fake", max_values=1000)
    run(path, tmp_path / "o.npz", manager=fakes, model="fake", max_values=1000)


def test_an_old_output_stays_until_the_new_one_is_whole(tmp_path):
    output = tmp_path / "o.csv"
    output.write_text("old")
    items = convert(write(tmp_path, POSES), output)
    next(items)
    items.close()
    assert output.read_text() == "old" and sorted(file.name for file in tmp_path.iterdir()) == ["o.csv", "poses.csv"]


def test_a_long_file_streams(tmp_path, fakes):
    """Its rows never lie in memory together: forty times as many rows, no more memory than some blocks."""
    path = tmp_path / "poses.csv"
    with path.open("w") as file:
        file.write("name,yaw,pitch,roll\n")
        for number in range(80_000):
            file.write(f"a rather long name of a picture {number:07d}.jpg,{number % 360},{number % 90},1\n")
    tracemalloc.start()
    shown = []
    for item in convert(path, tmp_path / "o.parquet", manager=fakes, model="fake"):
        shown.append(item)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    progress = [item for item in shown[1:-1] if isinstance(item, Progress)]
    assert len(progress) == -(-80_000 // reading.BLOCK_ROWS) and progress[-1].done == 80_000
    assert [step.done for step in progress] == sorted(step.done for step in progress)
    assert all(abs(step.total - 80_000) < 4_000 for step in progress[2:]), "the estimate is near"
    assert peak < 30e6


@settings(max_examples=40, deadline=None)
@given(
    st.lists(
        st.tuples(*[st.text(max_size=12) | st.floats().map(str) | st.integers(-999, 999).map(str)] * 3), max_size=20
    )
)
def test_whatever_stands_in_the_cells_every_row_is_accounted_for(tmp_path_factory, rows):
    folder = tmp_path_factory.mktemp("any")
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(["yaw", "pitch", "roll"])
    writer.writerows(rows)
    path = write(folder, text.getvalue().encode("utf-8", "replace"))
    try:
        result = run(path, folder / "o.csv")
    except InputError:
        return
    assert result.rows == result.usable + len(result.rejects) == len(rows_of(folder / "o.csv"))
    for row in rows_of(folder / "o.csv"):
        assert bool(row["caption"]) != bool(row["problem"])
