"""`core.images.archive`: honest archives come out whole; hostile ones cost little and say why."""

from __future__ import annotations

import io
import struct
import tracemalloc
import zipfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from core.errors import InputError
from core.images.archive import ArchiveLimits, from_zip
from core.images.decode import decode
from core.settings import ImageLimits


def png(value: int, side: int = 8) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(np.full((side, side, 3), value, dtype=np.uint8)).save(buffer, "PNG")
    return buffer.getvalue()


def zipped(path: Path, members: dict[str, bytes] | list[tuple[str, bytes]], method: int = zipfile.ZIP_DEFLATED) -> Path:
    pairs = members.items() if isinstance(members, dict) else members
    with zipfile.ZipFile(path, "w", method) as archive:
        for name, data in pairs:
            info = zipfile.ZipInfo(name)
            info.filename = name  # ZipInfo cleans names; an attacker would not
            info.compress_type = method
            archive.writestr(info, data)
    return path


@pytest.mark.parametrize("in_memory", [True, False])
def test_images_come_out_in_order_with_their_names(tmp_path, in_memory):
    path = zipped(tmp_path / "a.zip", {"z.png": png(1), "dir/": b"", "dir/a.png": png(2), "dir/deep/b.PNG": png(3)})
    into = None if in_memory else tmp_path / "private"
    if into:
        into.mkdir()
    sources, rejects = from_zip(path, into=into)
    assert [source.id for source in sources] == ["z.png", "dir/a.png", "dir/deep/b.PNG"]
    assert [int(decode(source)[0, 0, 0]) for source in sources] == [1, 2, 3]
    assert rejects == []


def test_members_that_are_no_images_are_named(tmp_path):
    members = {
        "a.png": png(1), "notes.txt": b"hi", "inner.zip": b"PK", "x.tar.gz": b"", "__MACOSX/._a.png": b"m",
        "dir/.DS_Store": b"m", "._b.png": b"m", ".hidden.png": png(2), "empty.png": b"",
    }  # fmt: skip
    sources, rejects = from_zip(zipped(tmp_path / "a.zip", members))
    assert [source.id for source in sources] == ["a.png"]
    assert {reject.id: reject.code for reject in rejects} == {
        "notes.txt": "not_an_image", "inner.zip": "unsupported", "x.tar.gz": "unsupported",
        ".hidden.png": "not_an_image", "empty.png": "empty", "__MACOSX": "not_an_image",
    }  # fmt: skip
    assert "3 files" in next(reject.reason for reject in rejects if reject.id == "__MACOSX")


HOSTILE = [
    "../../etc/passwd.png", "/etc/cron.d/x.png", "C:\\Windows\\evil.png", "..\\..\\up.png", "a/../../b.png",
    "./././c.png", "\x1b[31mred.png", "user\u202egnp.exe.png", "//server/share.png", "~/x.png", "x" * 5000 + ".png",
]  # fmt: skip


def test_member_names_are_shown_and_never_become_paths(tmp_path):
    inside = tmp_path / "jail" / "private"
    inside.mkdir(parents=True)
    path = zipped(tmp_path / "a.zip", [(name, png(number)) for number, name in enumerate(HOSTILE)])
    before = set(tmp_path.rglob("*"))
    sources, rejects = from_zip(path, into=inside)
    assert rejects == [] and len(sources) == len(HOSTILE)
    for source in sources:
        assert source.path.parent == inside and source.path.name.startswith("member-")
        assert ".." not in source.id.split("/") and not source.id.startswith("/") and ":" not in source.id
        assert "\\" not in source.id and source.id.isprintable() and len(source.id) <= 200
    written = set(tmp_path.rglob("*")) - before
    assert written == {source.path for source in sources}


def test_members_of_one_name_are_all_kept(tmp_path):
    with pytest.warns(UserWarning, match="Duplicate"):
        path = zipped(tmp_path / "a.zip", [("a.png", png(1)), ("a.png", png(2)), ("./a.png", png(3))])
    sources, _ = from_zip(path)
    assert [source.id for source in sources] == ["a.png", "a (2).png", "a (3).png"]
    assert [int(decode(source)[0, 0, 0]) for source in sources] == [1, 2, 3]


def test_names_written_by_macos_are_read_as_utf8(tmp_path):
    path = zipped(tmp_path / "a.zip", {"gr\u00fc\u00dfe.png": png(1)})
    data = path.read_bytes()
    for flag_at in (
        data.index(b"PK\x03\x04") + 6,
        data.index(b"PK\x01\x02") + 8,
    ):  # drop the UTF-8 mark, keep the bytes
        data = data[:flag_at] + b"\0\0" + data[flag_at + 2 :]
    path.write_bytes(data)
    (source,), _ = from_zip(path)
    assert source.id == "gr\u00fc\u00dfe.png"


def test_a_member_that_is_a_bomb_is_rejected_after_little(tmp_path):
    path = zipped(tmp_path / "a.zip", {"bomb.bmp": b"\0" * (100 * 2**20), "a.png": png(1)})
    assert path.stat().st_size < 2**20
    tracemalloc.start()
    sources, rejects = from_zip(path, ArchiveLimits(max_ratio=50))
    peak_bytes = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert [source.id for source in sources] == ["a.png"]
    assert [(reject.id, reject.code) for reject in rejects] == [("bomb.bmp", "too_large")]
    assert peak_bytes < 30 * 2**20


def test_a_large_member_is_rejected_by_the_image_limit(tmp_path):
    noise = np.random.default_rng(0).bytes(3 * 2**20)
    path = zipped(tmp_path / "a.zip", {"large.jpg": noise, "a.png": png(1)})
    sources, rejects = from_zip(path, image_limits=ImageLimits(max_file_bytes=2**20))
    assert [source.id for source in sources] == ["a.png"]
    assert [(reject.id, reject.code) for reject in rejects] == [("large.jpg", "too_large")]


def test_an_archive_beyond_its_limits_is_refused_as_a_whole(tmp_path):
    many = zipped(tmp_path / "many.zip", {f"{number}.png": b"x" for number in range(11)})
    with pytest.raises(InputError, match="more than 10 files"):
        from_zip(many, ArchiveLimits(max_members=10))
    noise = np.random.default_rng(0).bytes(2**20)
    large = zipped(tmp_path / "large.zip", {f"{number}.png": noise for number in range(4)})
    with pytest.raises(InputError, match="more than 3 MiB"):
        from_zip(large, ArchiveLimits(max_unpacked_bytes=3 * 2**20))
    flat = zipped(tmp_path / "flat.zip", {f"{number}.bmp": b"\0" * 2**19 for number in range(8)})
    with pytest.raises(InputError, match="times its size"):
        from_zip(flat, ArchiveLimits(max_ratio=50))


def test_stated_sizes_are_not_believed(tmp_path):
    path = zipped(tmp_path / "liar.zip", {"bomb.bmp": b"\0" * (64 * 2**20)})
    data = bytearray(path.read_bytes())
    for signature, offset in ((b"PK\x03\x04", 22), (b"PK\x01\x02", 24)):
        at = data.index(signature) + offset
        data[at : at + 4] = struct.pack("<I", 100)  # "it unpacks to 100 bytes"
    path.write_bytes(bytes(data))
    sources, rejects = from_zip(path)
    assert sources == [] and rejects[0].id == "bomb.bmp" and rejects[0].code in {"too_large", "unreadable"}


def test_a_directory_of_a_million_entries_costs_little(tmp_path):
    entry = struct.pack("<4s4B4HL2L5H2L", b"PK\x01\x02", 20, 3, 20, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0) + b"a"
    directory = entry * 1_000_000
    end = struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, 3, 3, len(directory), 0, 0)  # claims three files
    path = tmp_path / "directory.zip"
    path.write_bytes(directory + end)
    tracemalloc.start()
    with pytest.raises(InputError, match="more than 2000 files"):
        from_zip(path)
    peak_bytes = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak_bytes < 8 * 2**20


def test_encrypted_damaged_and_rarely_compressed_members_are_rejects(tmp_path):
    path = zipped(tmp_path / "a.zip", [("locked.png", png(1)), ("a.png", png(2))])
    data = bytearray(path.read_bytes())
    data[data.index(b"PK\x01\x02") + 8] |= 1
    path.write_bytes(bytes(data))
    sources, rejects = from_zip(path)
    assert [source.id for source in sources] == ["a.png"] and rejects[0].code == "unsupported"
    assert "encrypted" in rejects[0].reason

    noise = np.random.default_rng(0).bytes(10_000)
    path = zipped(tmp_path / "b.zip", [("bad.png", noise), ("a.png", png(2))], zipfile.ZIP_STORED)
    data = bytearray(path.read_bytes())
    data[5000] ^= 0xFF
    path.write_bytes(bytes(data))
    sources, rejects = from_zip(path)
    assert [source.id for source in sources] == ["a.png"]
    assert (rejects[0].id, rejects[0].code) == ("bad.png", "unreadable")

    for method in (zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA):
        _, rejects = from_zip(zipped(tmp_path / "c.zip", {"a.png": png(1)}, method))
        assert rejects[0].code == "unsupported"


@pytest.mark.parametrize("data", [b"", b"not a zip", b"PK\x05\x06", b"PK\x03\x04" + b"\0" * 100])
def test_what_is_no_archive_says_so(tmp_path, data):
    path = tmp_path / "a.zip"
    path.write_bytes(data)
    with pytest.raises(InputError, match=r"not a ZIP|damaged|missing"):
        from_zip(path)
    with pytest.raises(InputError, match="cannot be read"):
        from_zip(tmp_path / "missing.zip")


def test_a_member_without_a_name_stops_nothing(tmp_path):
    """Python's own `ZipInfo.is_dir` fails on it."""
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("cat.png", png(0))
    whole = path.read_bytes()
    path.write_bytes(whole.replace(b"cat.png", b"\0at.png"))  # zipfile cuts names at a zero byte
    assert zipfile.ZipFile(path).infolist()[0].filename == ""
    sources, rejects = from_zip(path)
    assert len(sources) + len(rejects) == 1


@given(st.data())
@settings(max_examples=300, deadline=None)
def test_archives_changed_at_random_give_members_rejects_or_one_error(data):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for number in range(3):
            archive.writestr(f"{number}.png", png(number))
    broken = bytearray(buffer.getvalue())
    for _ in range(data.draw(st.integers(1, 6))):
        broken[data.draw(st.integers(0, len(broken) - 1))] = data.draw(st.integers(0, 255))
    path = FUZZ_FOLDER / "fuzz.zip"
    path.write_bytes(bytes(broken))
    try:
        sources, rejects = from_zip(path)
    except InputError:
        return
    ids = [source.id for source in sources]
    assert len(set(ids)) == len(ids) and len(ids) + len(rejects) <= 3


@pytest.fixture(autouse=True)
def _fuzz_folder(tmp_path_factory):
    global FUZZ_FOLDER
    FUZZ_FOLDER = tmp_path_factory.mktemp("fuzz")
