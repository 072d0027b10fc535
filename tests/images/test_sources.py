"""`core.images.sources`: which files of a folder become rows, in what order, and that nothing vanishes uncounted."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.errors import InputError
from core.images.sources import find, with_unique_ids
from core.types import ImageSource


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    folder = tmp_path / "photos"
    for name in (
        "b.jpg", "a.PNG", "B.jpeg", "notes.txt", "no_suffix", ".hidden.jpg", "._b.jpg", "ü.webp",
        "sub/c.tif", "sub/deeper/d.gif", "sub/readme.md", "sub.jpg/e.bmp", ".git/f.png",
    ):  # fmt: skip
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"x")
    return folder


def test_a_folder_is_flat_unless_asked(tree):
    found = find(tree)
    assert [source.id for source in found.sources] == ["B.jpeg", "a.PNG", "b.jpg", "ü.webp"]
    assert found.left_out == ("._b.jpg", ".hidden.jpg", "no_suffix", "notes.txt")
    assert found.not_entered == (".git/", "sub.jpg/", "sub/")
    assert [source.path for source in found.sources] == [tree / source.id for source in found.sources]


def test_recursive_ids_are_posix_paths_relative_to_the_folder(tree):
    found = find(tree, recursive=True)
    assert [source.id for source in found.sources] == [
        "B.jpeg", "a.PNG", "b.jpg", "sub.jpg/e.bmp", "sub/c.tif", "sub/deeper/d.gif", "ü.webp",
    ]  # fmt: skip
    assert found.left_out == ("._b.jpg", ".hidden.jpg", "no_suffix", "notes.txt", "sub/readme.md")
    assert found.not_entered == (".git/",)


def test_what_is_left_out_is_counted_and_named(tree):
    left_out, not_entered = find(tree).notices
    assert left_out.code == "left_out" and "4 files" in left_out.text and "notes.txt" in left_out.text
    assert not_entered.code == "not_entered" and "3 folders" in not_entered.text
    for number in range(20):
        (tree / f"extra{number:02}.txt").write_bytes(b"")
    assert "19 more" in find(tree).notices[0].text


def test_every_file_of_a_tree_is_a_source_or_named(tree):
    found = find(tree, recursive=True)
    everything = {path.relative_to(tree).as_posix() for path in tree.rglob("*") if path.is_file()}
    under_hidden = {name for name in everything if name.startswith(tuple(found.not_entered))}
    assert {source.id for source in found.sources} | set(found.left_out) | under_hidden == everything


def test_a_file_named_directly_is_taken_whatever_it_is_called(tree):
    assert [source.id for source in find(tree / "no_suffix").sources] == ["no_suffix"]


def test_a_path_that_is_not_there_is_an_error_with_a_next_step(tmp_path):
    with pytest.raises(InputError) as caught:
        find(tmp_path / "nowhere")
    assert caught.value.what == "There is no such file or folder.", "said once, not inside another error"
    assert "--image_path" in caught.value.next_step
    with pytest.raises(InputError):
        find(Path("nul\0byte"))


def test_links_circles_and_dangling_links(tree):
    (tree / "sub" / "up").symlink_to(tree)  # a circle
    (tree / "linked.jpg").symlink_to(tree / "b.jpg")
    (tree / "loop.jpg").symlink_to(tree / "loop.jpg")
    (tree / "gone.jpg").symlink_to(tree / "not here")
    found = find(tree, recursive=True)
    ids = [source.id for source in found.sources]
    assert {"linked.jpg", "loop.jpg", "gone.jpg"} <= set(ids)  # read later, rejected then if need be: never dropped
    assert "sub/up/" in found.not_entered and not any(name.startswith("sub/up") for name in ids)


def test_a_folder_that_cannot_be_listed_is_a_reject(tree, monkeypatch):
    listed = os.scandir

    def scandir(path):
        if Path(path).name == "deeper":
            raise PermissionError(13, "Permission denied")
        return listed(path)

    monkeypatch.setattr("core.images.sources.os.scandir", scandir)
    found = find(tree, recursive=True)
    assert [(reject.id, reject.code) for reject in found.rejects] == [("sub/deeper/", "unreadable")]
    assert "sub/c.tif" in {source.id for source in found.sources}


def test_names_that_are_no_utf8_still_have_an_id(tmp_path):
    raw = os.fsencode(tmp_path) + b"/caf\xe9.jpg"
    Path(os.fsdecode(raw)).write_bytes(b"x")
    (source,) = find(tmp_path).sources
    assert source.id == "caf\\xe9.jpg" and source.path.read_bytes() == b"x"
    source.id.encode("utf-8")


names = st.lists(st.sampled_from(["a.jpg", "a (2).jpg", "a (3).jpg", "b", "c/d.png", ".x", "x.y/z"]), max_size=12)


@given(names)
@settings(max_examples=200, deadline=None)
def test_unique_ids_keep_order_count_and_the_first_of_each_name(given_names):
    sources = [ImageSource(name, data=bytes([number])) for number, name in enumerate(given_names)]
    unique, notices = with_unique_ids(sources)
    ids = [source.id for source in unique]
    assert len(set(ids)) == len(ids) == len(given_names)
    assert [source.data for source in unique] == [source.data for source in sources]
    for name in set(given_names):
        assert ids[given_names.index(name)] == name
    assert bool(notices) == (len(set(given_names)) < len(given_names))


def test_the_number_stands_before_the_suffix():
    sources = [ImageSource("a.jpg", data=b"1"), ImageSource("a.jpg", data=b"2"), ImageSource("a.jpg", data=b"3")]
    unique, (notice,) = with_unique_ids(sources)
    assert [source.id for source in unique] == ["a.jpg", "a (2).jpg", "a (3).jpg"]
    assert "a (2).jpg" in notice.text


def test_what_was_passed_over_is_said_in_chinese_too(tree):
    """On the Chinese page these lines stood there in English."""
    left_out, not_entered = find(tree).notices
    assert re.match(r"忽略了 \d+ 个非图片或隐藏的文件（.+）。", left_out.text.said("zh"))
    assert re.match(r"未进入 3 个子文件夹（.+）。", not_entered.text.said("zh"))
