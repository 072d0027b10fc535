"""Every sentence that the source can say to a visitor, read from the source: what `test_error_words.py` holds the
Chinese tables against.

`sentences(files)` walks the files with `ast` and collects what is given to the classes of `SINKS` (an error's `what`
and `next_step`, a reject's reason, a notice's text …) as *templates*: text in which `HOLE` stands for a value. It
follows names to their assignments, a function's parameters to its callers and a call to what the function returns, and
takes both ways of an `a if b else c`. What it cannot follow is a `HOLE` too, so that a sentence of nothing but a `HOLE`
says: look here by hand.
"""

from __future__ import annotations

import ast
import itertools
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import core.errors
from core.errors import WorkbenchError

HOLE = "\x00"
_MOST = 600
"""Ways of one expression; more would be a fault of the walk, not of the source."""

_ERRORS = {
    name for name, each in vars(core.errors).items() if isinstance(each, type) and issubclass(each, WorkbenchError)
}
SINKS: dict[str, tuple[tuple[int | None, str], ...]] = {
    **dict.fromkeys(_ERRORS, ((0, "what"), (None, "next_step"))),
    "Reject": ((2, "reason"),),
    "Notice": ((1, "text"),),
    "Problem": ((2, "reason"),),
    "Unreadable": ((1, "reason"),),
    "Excluded": ((4, "reason"),),
    "_BadAnnotationError": ((1, "reason"),),
    "note": ((1, "text"),),
    "replace": ((None, "problem"),),
}
"""Which argument is a sentence: its place (None: by name only) and its name."""

APPENDED = ("notes", "refused")
"""Lists of sentences: what is appended to a name that ends so."""
RETURNED = {"recorded_status": 1, "_read_row": 1, "_refused_by_directory": 1, "_read_member": 1}
"""Functions that return a sentence in a tuple, and its place there (or in a tuple inside it)."""
PLAIN = {"core/foreground/masks.py": "ValueError"}
"""Files whose own exceptions of a built-in kind become a reason: the first argument is the sentence."""


@dataclass(frozen=True)
class Sentence:
    """One template and where it is said: `file:line` of the call that it is given to."""

    place: str
    function: str
    argument: str
    template: str


@dataclass(eq=False)
class _Module:
    """A parsed file, with what is needed to follow a name."""

    path: Path
    tree: ast.Module
    parents: dict[ast.AST, ast.AST] = field(default_factory=dict)
    functions: dict[str, list[ast.FunctionDef]] = field(default_factory=dict)
    calls: dict[str, list[ast.Call]] = field(default_factory=dict)
    imported: dict[str, str] = field(default_factory=dict)
    """Names imported from elsewhere: name → dotted module."""
    inside: dict[ast.AST, list[ast.AST]] = field(default_factory=dict)
    """The nodes of each function (those of functions within it are theirs), and of the module."""

    def scope_of(self, node: ast.AST) -> ast.AST:
        """The function around a node, or the module."""
        while node in self.parents:
            node = self.parents[node]
            if isinstance(node, ast.FunctionDef | ast.Lambda):
                return node
        return self.tree


@cache
def _parsed(path: Path) -> _Module:
    module = _Module(path, ast.parse(path.read_text(encoding="utf-8")))
    for node in ast.walk(module.tree):
        for child in ast.iter_child_nodes(node):
            module.parents[child] = node
        if isinstance(node, ast.FunctionDef):
            module.functions.setdefault(node.name, []).append(node)
        elif isinstance(node, ast.Call):
            module.calls.setdefault(_called(node), []).append(node)
        elif isinstance(node, ast.ImportFrom) and node.module:
            module.imported.update({alias.asname or alias.name: node.module for alias in node.names})
    for node in ast.walk(module.tree):
        module.inside.setdefault(module.scope_of(node), []).append(node)
    return module


def _called(call: ast.Call) -> str:
    function = call.func
    return (
        function.id if isinstance(function, ast.Name) else function.attr if isinstance(function, ast.Attribute) else ""
    )


def sentences(root: Path, files: Iterable[Path]) -> list[Sentence]:
    """All templates of `files` (under `root`), each with the place it is said at."""
    return [each for path in files for each in _of_file(root, path)]


def _of_file(root: Path, path: Path) -> Iterator[Sentence]:
    module = _parsed(path)
    walk = _Walk(root, module)
    name = path.relative_to(root).as_posix()
    for node in ast.walk(module.tree):
        if not isinstance(node, ast.Call | ast.stmt):
            continue
        scope = module.scope_of(node)
        function = scope.name if isinstance(scope, ast.FunctionDef) else ""
        given = _given(node, PLAIN.get(name, "")) if isinstance(node, ast.Call) else _kept(node, function)
        for argument, expression in given:
            for template in sorted(walk.ways(expression)):
                if template.strip():
                    # What counts itself ("{n} lines …") gets its number when it is read.
                    yield Sentence(f"{name}:{node.lineno}", function, argument, template.replace("{n}", HOLE))


def _kept(node: ast.AST, function: str) -> Iterator[tuple[str, ast.expr]]:
    """Sentences that are returned or assigned, and given to a sink somewhere else."""
    match node:
        case ast.Assign(targets=[ast.Name(id="fault")], value=value):
            yield "fault", value
        case ast.Assign(targets=[ast.Subscript(value=ast.Name(id="problems"))], value=value):
            yield "problem", value
        case ast.Assign(targets=[ast.Subscript(value=ast.Subscript(slice=ast.Constant(value="notes")), slice=key)]):
            yield "note", key
        case ast.Return(value=ast.Tuple() as value) if function in RETURNED:
            place = RETURNED[function]
            inner = [each for each in value.elts if isinstance(each, ast.Tuple)]
            for pair in inner or [value]:
                yield "returned", pair.elts[place]


def _given(call: ast.Call, plain: str) -> Iterator[tuple[str, ast.expr]]:
    """The arguments of a call that are sentences. `plain`: an exception of Python's own that counts too."""
    name = _called(call)
    if plain and name == plain and call.args:
        yield "reason", call.args[0]
        return
    if name == "append" and isinstance(call.func, ast.Attribute) and ast.unparse(call.func.value).endswith(APPENDED):
        yield "note", call.args[0]
        return
    starred = any(isinstance(each, ast.Starred) for each in call.args)
    for place, argument in SINKS.get(name, ()):
        by_name = [keyword.value for keyword in call.keywords if keyword.arg == argument]
        if by_name:
            yield argument, by_name[0]
        elif place is not None and place < len(call.args) and not starred:
            yield argument, call.args[place]
        elif place is not None and (starred or any(keyword.arg is None for keyword in call.keywords)):
            yield argument, ast.Name("starred", ast.Load())


class _Walk:
    """Follows one file's expressions to the texts that they can be."""

    def __init__(self, root: Path, module: _Module) -> None:
        self.root, self.module = root, module
        self._at: list[ast.AST] = []

    def ways(self, node: ast.AST | None) -> set[str]:
        """Every text that the expression can be, values as `HOLE`."""
        if node is None or node in self._at or len(self._at) > 30:
            return {HOLE}
        self._at.append(node)
        try:
            found = self._ways(node)
        finally:
            self._at.pop()
        assert len(found) < _MOST, f"{self.module.path}:{getattr(node, 'lineno', 0)} has {len(found)} ways"
        return {_merged(each) for each in found}

    def _ways(self, node: ast.AST) -> set[str]:
        match node:
            case ast.Constant(value=str(text)):
                return {text}
            case ast.Constant(value=None):
                return {""}
            case ast.JoinedStr(values=parts):
                return self._joined(parts)
            case ast.FormattedValue(value=value, conversion=-1, format_spec=None):
                return self.ways(value)
            case ast.BinOp(left=left, op=ast.Add(), right=right):
                return self._joined([left, right])
            case ast.IfExp(body=body, orelse=other):
                return self.ways(body) | self.ways(other)
            case ast.BoolOp(values=values):
                return set().union(*(self.ways(value) for value in values))
            case ast.Name(id=name):
                return self._of_name(name, node)
            case ast.Call():
                return self._of_call(node)
            case ast.Subscript(value=ast.Name(id=name)):
                return self._of_table(name)
            case ast.Starred(value=value):
                return self.ways(value)
        return {HOLE}

    def _joined(self, parts: Sequence[ast.AST]) -> set[str]:
        return {"".join(each) for each in itertools.product(*(sorted(self.ways(part)) for part in parts))}

    def _of_call(self, call: ast.Call) -> set[str]:
        name = _called(call)
        if name == "say":  # the page's own words, in the visitor's language already
            return {""}
        if name == "join" and len(call.args) == 1:
            return self._of_join(call.args[0])
        if (
            name in ("capitalize", "strip", "rstrip", "str", "clean_text")
            and isinstance(call.func, ast.Name)
            and call.args
        ):
            return self.ways(call.args[0])
        here = self.module.functions.get(name)
        if here and isinstance(call.func, ast.Name | ast.Attribute):
            return set().union(*(self._returned(each) for each in here))
        if isinstance(call.func, ast.Name):
            sources = {self.module.imported[name]} if name in self.module.imported else set()
        else:  # a method of something imported: any of that name
            sources = set(self.module.imported.values())
        texts: set[str] = set()
        for path in (self.root / f"{source.replace('.', '/')}.py" for source in sorted(sources)):
            if path.is_file():
                other = _Walk(self.root, _parsed(path))
                texts |= set().union(*(other._returned(each) for each in other.module.functions.get(name, [])))
        return texts or {HOLE}

    def _of_join(self, items: ast.expr) -> set[str]:
        """One item stands for all of them; a list of literals, each on its own."""
        if isinstance(items, ast.GeneratorExp | ast.ListComp):
            return self.ways(items.elt)
        if isinstance(items, ast.List | ast.Tuple):
            return set().union(*(self.ways(each) for each in items.elts))
        return {HOLE}

    def _returned(self, function: ast.FunctionDef) -> set[str]:
        texts: set[str] = set()
        for node in self.module.inside.get(function, []):
            if isinstance(node, ast.Return | ast.Yield):
                texts |= self.ways(node.value)
        return texts or {HOLE}

    def _of_name(self, name: str, node: ast.AST) -> set[str]:
        scope = self.module.scope_of(node)
        loop = self._loop_around(name, node)
        if loop is not None:
            return self._iterated(name, loop.target, loop.iter)
        while True:
            texts = self._assigned(name, scope)
            if texts:
                return texts
            if isinstance(scope, ast.Module):
                return {HOLE}
            if isinstance(scope, ast.FunctionDef) and name in [each.arg for each in _parameters(scope)]:
                return self._handed(name, scope)
            scope = self.module.scope_of(scope)

    def _loop_around(self, name: str, node: ast.AST) -> ast.For | ast.comprehension | None:
        """The innermost loop of the same function that gives the name."""
        while node in self.module.parents and not isinstance(node, ast.FunctionDef):
            node = self.module.parents[node]
            loops = [node] if isinstance(node, ast.For) else getattr(node, "generators", [])
            for loop in loops:
                if name in _names(loop.target):
                    return loop  # type: ignore[no-any-return]
        return None

    def _assigned(self, name: str, scope: ast.AST) -> set[str]:
        texts: set[str] = set()
        more: set[str] = set()
        for node in self.module.inside.get(scope, []):
            match node:
                case ast.Assign(targets=targets, value=value):
                    for target in targets:
                        texts |= self._bound(name, target, value)
                case ast.AnnAssign(target=ast.Name(id=found), value=value) if found == name and value is not None:
                    texts |= self.ways(value)
                case ast.AugAssign(target=ast.Name(id=found), op=ast.Add(), value=value) if found == name:
                    more |= self.ways(value)
                case (
                    ast.For(target=target, iter=ast.Tuple(elts=rows) | ast.List(elts=rows))
                    | ast.comprehension(target=target, iter=ast.Tuple(elts=rows) | ast.List(elts=rows))
                ):
                    for row in rows:
                        texts |= self._bound(name, target, row)
                case ast.For(target=target, iter=items) | ast.comprehension(target=target, iter=items):
                    if name in _names(target):
                        texts |= self._iterated(name, target, items)
                case ast.NamedExpr(target=ast.Name(id=found), value=value) if found == name:
                    texts |= self.ways(value)
                case ast.ExceptHandler(name=found) if found == name:
                    texts.add(HOLE)
        return texts | {text + end for text in texts for end in more}

    def _bound(self, name: str, target: ast.AST, value: ast.AST) -> set[str]:
        """What `target = value` gives to `name`."""
        if isinstance(target, ast.Name):
            return self.ways(value) if target.id == name else set()
        if isinstance(target, ast.Tuple) and isinstance(value, ast.Tuple) and len(target.elts) == len(value.elts):
            return set().union(*(self._bound(name, *pair) for pair in zip(target.elts, value.elts, strict=True)))
        return {HOLE} if name in _names(target) else set()

    def _iterated(self, name: str, target: ast.AST, items: ast.expr) -> set[str]:
        """What `for target in items` gives to `name`: each of some literals, of a constant, of several by `zip`."""
        if isinstance(items, ast.Name):
            items = self._constant(items.id) or items
        if isinstance(items, ast.Tuple | ast.List):
            return set().union(*(self._bound(name, target, row) for row in items.elts))
        if isinstance(items, ast.Call) and _called(items) == "zip" and isinstance(target, ast.Tuple):
            pairs = zip(target.elts, items.args, strict=False)
            return set().union(*(self._iterated(name, *pair) for pair in pairs if name in _names(pair[0])))
        return {HOLE}

    def _constant(self, name: str) -> ast.expr | None:
        """What stands behind a constant's name at the top of this file, or of the project's file it comes from."""
        module = self.module
        if name in module.imported:
            path = self.root / f"{module.imported[name].replace('.', '/')}.py"
            if not path.is_file():
                return None
            module = _parsed(path)
        for node in module.tree.body:
            targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
            if any(isinstance(each, ast.Name) and each.id == name for each in targets):
                value = getattr(node, "value", None)
                return value if isinstance(value, ast.expr) else None
        return None

    def _handed(self, name: str, function: ast.FunctionDef) -> set[str]:
        """What this file's callers give for a parameter."""
        parameters = [each.arg for each in _parameters(function)]
        place = parameters.index(name) - (parameters[0] in ("self", "cls"))
        texts: set[str] = set()
        for call in self.module.calls.get(function.name, []):
            by_name = [keyword.value for keyword in call.keywords if keyword.arg == name]
            if by_name:
                texts |= self.ways(by_name[0])
            elif 0 <= place < len(call.args) and not any(
                isinstance(each, ast.Starred) for each in call.args[: place + 1]
            ):
                texts |= self.ways(call.args[place])
            elif any(isinstance(each, ast.Starred) for each in call.args):
                texts.add(HOLE)
        return texts or {HOLE}

    def _of_table(self, name: str) -> set[str]:
        """Any value of a table of literals."""
        table = self._constant(name)
        return set().union(*(self.ways(each) for each in table.values)) if isinstance(table, ast.Dict) else {HOLE}


def _merged(text: str) -> str:
    while HOLE * 2 in text:
        text = text.replace(HOLE * 2, HOLE)
    return text


def _parameters(function: ast.FunctionDef) -> list[ast.arg]:
    return [*function.args.posonlyargs, *function.args.args, *function.args.kwonlyargs]


def _names(target: ast.AST) -> set[str]:
    return {node.id for node in ast.walk(target) if isinstance(node, ast.Name)}
