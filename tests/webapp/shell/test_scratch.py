"""The private temporary folder."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import pytest

from webapp.shell.scratch import folder_bytes, private_temp_dir, sweep


def test_the_folder_is_private_used_by_everybody_and_gone_afterwards(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TMPDIR", os.environ.get("TMPDIR", "/tmp"))  # both are put back afterwards
    monkeypatch.setenv("GRADIO_TEMP_DIR", "before")
    with private_temp_dir() as folder:
        assert folder.stat().st_mode & 0o777 == 0o700
        with tempfile.NamedTemporaryFile(delete=False) as file:
            assert Path(file.name).parent == folder
        assert Path(os.environ["GRADIO_TEMP_DIR"]).parent == folder
    assert not folder.exists()
    assert Path(tempfile.gettempdir()) != folder


def test_the_sweep_takes_what_is_old_and_leaves_the_rest(tmp_path: Path) -> None:
    old, new = tmp_path / "upload" / "a" / "old.png", tmp_path / "upload" / "new.png"
    old.parent.mkdir(parents=True)
    for file in (old, new):
        file.write_bytes(b"12345")
    assert folder_bytes(tmp_path) == 10
    born_s = old.stat().st_ctime
    assert sweep(tmp_path, older_than_s=60, now_s=born_s + 30) == 0
    os.utime(new, (born_s + 100, born_s + 100))
    assert sweep(tmp_path, older_than_s=60, now_s=born_s + 120, keep=frozenset([old])) == 0
    assert sweep(tmp_path, older_than_s=60, now_s=born_s + 120) == 1
    assert new.exists() and not old.exists()
    assert folder_bytes(tmp_path) == 5


def test_a_link_in_the_folder_is_removed_not_followed(tmp_path: Path) -> None:
    outside, inside = tmp_path / "outside", tmp_path / "inside"
    outside.mkdir()
    inside.mkdir()
    (outside / "kept").write_bytes(b"x" * 100)
    (inside / "link").symlink_to(outside)
    (inside / "file-link").symlink_to(outside / "kept")
    assert folder_bytes(inside) < 100 + len(str(outside)) * 2
    sweep(inside, older_than_s=-10)
    assert (outside / "kept").exists()
