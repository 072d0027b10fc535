"""Half of what `import gradio` costs, saved.

For every component class Gradio writes a type stub beside the source, each time it is imported: it parses the file,
finds the class, renders a template. For its own seventy components and ours that takes 2 of the 5 s of processor time
(Gradio 6.31, `python -m bench.bench_start`), and an app needs none of it.

`install()` must run before Gradio is imported; `webapp/__init__.py` calls it. Should a later Gradio no longer have the
function, nothing is changed.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from types import ModuleType
from typing import Any

_MODULE, _FUNCTION = "gradio.component_meta", "create_or_modify_pyi"


def install() -> None:
    """From here on Gradio writes no stubs, if it is not imported yet."""
    if _MODULE not in sys.modules and not any(isinstance(finder, _Finder) for finder in sys.meta_path):
        sys.meta_path.insert(0, _Finder())


class _Finder(MetaPathFinder):
    """Finds one module as usual, and loads it with the function left out."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        spec = PathFinder.find_spec(fullname, path, target) if fullname == _MODULE else None
        if spec is not None and spec.loader is not None:
            spec.loader = _Loader(spec.loader)
        return spec


class _Loader(Loader):
    def __init__(self, usual: Loader) -> None:
        self._usual = usual

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        return self._usual.create_module(spec)

    def exec_module(self, module: ModuleType) -> None:
        self._usual.exec_module(module)
        if hasattr(module, _FUNCTION):
            setattr(module, _FUNCTION, _write_nothing)


def _write_nothing(*_class_and_events: Any) -> None:
    """In place of `create_or_modify_pyi`."""
