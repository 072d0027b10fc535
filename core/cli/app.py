"""The root of `python -m core`: mounts the commands, reads flags with `_` or `-`, and turns errors into words.

A command is a module of this package with an `app` of typer. It is imported when it is called or listed, not before,
so that one command does not wait for the imports of the others.
"""

from __future__ import annotations

import importlib
import os
import sys
import warnings
from collections.abc import Sequence
from typing import Any, NoReturn

import typer
from typer.core import TyperGroup

from ..errors import InputError, WorkbenchError
from ..settings import COMMAND

_COMMANDS = ("vectorize", "models", "foreground", "pose", "runs")  # each a module here; the order of the help text
EXIT_USER_ERROR = 2  # something the user gave
EXIT_ERROR = 1
EXIT_INTERRUPTED = 130  # as shells expect after Ctrl-C


class _LazyGroup(TyperGroup):
    """Imports a command's module when the command is needed."""

    def list_commands(self, ctx: Any) -> list[str]:
        return list(_COMMANDS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        if cmd_name not in _COMMANDS:
            return None
        command = typer.main.get_command(importlib.import_module(f".{cmd_name}", __package__).app)
        command.name = cmd_name
        return command


app = typer.Typer(
    cls=_LazyGroup,
    help="CLIP Workbench on the command line.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    # `--image_path` and `--image-path` are the same flag, for every command
    context_settings={"token_normalize_func": lambda token: token.replace("_", "-")},
)


@app.callback()
def _root() -> None:
    """CLIP Workbench on the command line."""


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Runs the command line and exits: 0 done, 1 failed, 2 something given was wrong, 130 interrupted.

    Errors are one sentence on stderr, never a traceback, unless `CLIP_WORKBENCH_DEBUG` is set.
    """
    warnings.filterwarnings("ignore", module="PIL")  # what a damaged image means is told by its reject
    sys.exit(run(arguments))


def run(arguments: Sequence[str] | None = None) -> int:
    """As `main`, but returns the exit status."""
    try:
        result = app(list(arguments) if arguments is not None else None, prog_name=COMMAND, standalone_mode=True)
        return result if isinstance(result, int) else 0
    except SystemExit as ended:
        return ended.code if isinstance(ended.code, int) else EXIT_ERROR
    except KeyboardInterrupt:
        print("Interrupted.", file=sys.stderr)
        return EXIT_INTERRUPTED
    except BrokenPipeError:  # `… | head` has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return EXIT_ERROR
    except WorkbenchError as error:
        if os.environ.get("CLIP_WORKBENCH_DEBUG"):
            raise
        print(f"Error: {error}", file=sys.stderr)
        return EXIT_USER_ERROR if isinstance(error, InputError) else EXIT_ERROR
    except Exception as error:
        if os.environ.get("CLIP_WORKBENCH_DEBUG"):
            raise
        kind = type(error).__name__
        text = f"Error: Something unforeseen happened ({kind}: {error}). Next: set CLIP_WORKBENCH_DEBUG=1 for details."
        print(text, file=sys.stderr)
        return EXIT_ERROR
