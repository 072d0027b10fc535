"""The page's Gradio writes no type stubs, and is otherwise Gradio."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

REPO_DIR = Path(__file__).resolve().parents[3]

PROGRAM = """
import sys
from webapp.shell import quick_import
assert "gradio" not in sys.modules, "importing the page's package alone costs no Gradio"
import gradio as gr
from gradio import component_meta
assert component_meta.create_or_modify_pyi is quick_import._write_nothing
assert component_meta.__spec__.loader is not None and component_meta.__file__.endswith("component_meta.py")

class Loud(gr.Button):
    pass

assert callable(Loud("press").click) and gr.HTML.EVENTS
quick_import.install()
assert sum(type(finder).__name__ == "_Finder" for finder in sys.meta_path) == 1, "asked twice, it stands once"
"""


def test_no_stub_is_written_and_components_are_whole(tmp_path: Path) -> None:
    """A class of ours in a file of its own: Gradio would put a `.pyi` beside it."""
    program = tmp_path / "loud.py"
    program.write_text(PROGRAM, encoding="utf-8")
    ended = subprocess.run(
        [sys.executable, str(program)],
        env={"PYTHONPATH": str(REPO_DIR), "PATH": "", "HOME": str(tmp_path), "GRADIO_ANALYTICS_ENABLED": "False"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    assert list(tmp_path.glob("*.pyi")) == []
