"""Starting the app: options, what is imported when, and what is said. The whole start is in tests/browser."""

from __future__ import annotations

import socket
import subprocess
import sys
from pathlib import Path

import pytest

from core.errors import InputError
from webapp import __main__ as launch
from webapp.shell.door import PORTS_TRIED, Door, free_port
from webapp.shell.sign_in import Credentials

REPO_DIR = Path(__file__).resolve().parents[3]


def parse(*arguments: str) -> object:
    return launch._parser().parse_args(arguments)


def test_underscored_and_hyphenated_flags_are_the_same() -> None:
    values = ["a", "b", "lab.example.org"]
    hyphens, underscores = (
        parse(*(part for flag, value in zip(flags, values, strict=True) for part in (flag, value)))
        for flags in (
            ("--runs-dir", "--weights-dir", "--allowed-host"),
            ("--runs_dir", "--weights_dir", "--allowed_host"),
        )
    )
    assert hyphens == underscores


def test_allowed_host_may_be_repeated() -> None:
    assert parse("--allowed_host", "a", "--allowed_host", "b").allowed_host == ["a", "b"]  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--auth", "ada"], "USER:PASSWORD"),
        (["--allowed_host", "*"], "not a host name"),
        (["--host", "::1"], "IPv6"),
        (["--host", "203.0.113.77"], "Cannot listen there"),
        (["--port", "99999"], "0 to 65535"),
    ],
)
def test_options_that_cannot_be_used_are_explained_without_a_traceback(
    arguments: list[str], words: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("TMPDIR", "GRADIO_TEMP_DIR", "no_proxy", "NO_PROXY"):
        monkeypatch.setenv(name, "")  # the start sets them; put back afterwards
    assert launch.main(arguments) == 2
    said = capsys.readouterr().err
    assert said.startswith("webapp: ") and words in said and "Traceback" not in said


def test_a_taken_port_is_named_with_the_way_out() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(InputError, match=rf"{port}.*--port"):
            free_port("127.0.0.1", port, 7860)
    assert free_port("127.0.0.1", port, 7860) == port


def test_without_a_port_the_next_free_one_is_taken() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        first = taken.getsockname()[1]
        assert first < free_port("127.0.0.1", None, first) <= first + PORTS_TRIED


def test_the_page_is_built_without_torch() -> None:
    """The page answers within seconds because torch (seconds, 700 MB) comes later, in a thread."""
    script = """
import sys
from pathlib import Path
from core.settings import Settings
from webapp import app
from webapp.kit.services import open_services
from webapp.shell import access, theme
app.build(open_services(Settings(), Path("."))).get_config_file()
theme.theme(); theme.head()
heavy = ("torch", "torchvision", "open_clip", "sklearn", "plotly.graph_objects")
print([name for name in heavy if name in sys.modules])
"""
    done = subprocess.run([sys.executable, "-c", script], cwd=REPO_DIR, capture_output=True, text=True, timeout=120)
    assert done.stdout.strip() == "[]", done.stdout + done.stderr


def test_a_generated_password_is_shown_once_and_a_given_one_never(capsys: pytest.CaptureFixture[str]) -> None:
    door = Door("http://127.0.0.1:7860", 7860, (), Credentials("workbench", "made-up", generated=True))
    launch._greet(door, "https://x.gradio.live")
    said = capsys.readouterr().out
    assert said.count("made-up") == 1 and "https://x.gradio.live" in said
    launch._greet(Door(door.url, 7860, (), Credentials("ada", "given", generated=False)), None)
    assert "given" not in capsys.readouterr().out


def test_without_a_tunnel_the_app_stays_and_says_so(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    import gradio.networking

    def unreachable(*_: object) -> str:
        raise OSError("no route..\nto the tunnel")

    monkeypatch.setattr(gradio.networking, "setup_tunnel", unreachable)
    assert launch._open_tunnel("127.0.0.1", 7860) is None
    assert "No public link: no route. The" in capsys.readouterr().err


# ---- a quick import ----


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
