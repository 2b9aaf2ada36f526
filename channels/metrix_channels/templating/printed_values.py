"""Finds the values that a template prints without checking whether they are empty, from its syntax tree.

Values are followed through filters, assigned names, macros, includes and blocks. `{% if name %}…{% endif %}`,
`name or "…"` and `default("…", true)` check whether a value is empty.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

from attrs import define, evolve, field, frozen
from jinja2 import nodes

MARK: Final = "gap__"
"""An internal filter that records that a rendering passed a place; templates cannot use it."""

Path = tuple[str | int | None, ...]
"""A name of the context, followed by keys and positions; None means any item."""
Trace = tuple[Path, frozenset[int]]
"""A value, and the marks of all places through which it is printed."""
Traces = frozenset[Trace]
_NONE: Final[Traces] = frozenset()
_NOTHING: Final[frozenset[Path]] = frozenset()

_COUNTS: Final = frozenset(("length", "count"))
"""Filters that print a number even for an empty value."""
_OF_ITEMS: Final = frozenset(
    ("join", "first", "last", "min", "max", "map", "list", "sort", "unique", "reverse", "items")
)
_MOST_DEPTH: Final = 100
_MOST_STEPS: Final = 20_000
"""The maximum number of steps, because macros that call each other may never end. No real template needs as many."""


@frozen
class _Scope:
    """The state of the reader at one place of the template.

    Attributes:
        names: the assigned names, and the values that they print.
        guarded: values that are certainly not empty here.
        blocks: the definitions of each block, the nearest first.
        super: the definitions that `super()` refers to.
    """

    names: dict[str, Traces] = field(factory=dict)
    guarded: frozenset[Path] = frozenset()
    blocks: Mapping[str, Sequence[nodes.Block]] = field(factory=dict)
    super: Sequence[nodes.Block] = ()

    def within(self, guarded: frozenset[Path] = frozenset(), names: Mapping[str, Traces] | None = None) -> _Scope:
        """Return a scope inside this one, which keeps its assignments to itself."""
        return evolve(self, names={**self.names, **(names or {})}, guarded=self.guarded | guarded)

    def unguarded(self, traces: Traces) -> Traces:
        """Return the traces of values that may be empty here."""
        return frozenset(trace for trace in traces if trace[0] not in self.guarded) if self.guarded else traces


@define
class PrintedValues:
    """Reads a template once.

    Attributes:
        files: the trees by name.
        for_blanks: look for values that contain only blanks; otherwise for empty ones.
        found: the values that leave a gap.
        macros: the macros that can be called here, by name.
        depth: the nesting of files, blocks and macros.
        steps: the number of steps so far.
    """

    files: Mapping[str, nodes.Template]
    for_blanks: bool
    found: set[Trace] = field(factory=set)
    macros: dict[str, nodes.Macro] = field(factory=dict)
    depth: int = 0
    steps: int = 0

    # -- statements

    def read_field(self, tree: nodes.Template) -> None:
        """Read a text of the front matter, which has no file of its own."""
        self.read(tree.body, _Scope())

    def read_file(self, name: str, scope: _Scope | None = None) -> None:
        """Read a file, starting with the layout that it extends."""
        tree = self.files.get(name)
        if tree is None:
            return
        scope = scope or _Scope()
        blocks = {
            block: [*scope.blocks.get(block, ()), each] for each in tree.find_all(nodes.Block) for block in [each.name]
        }
        scope = evolve(scope, blocks={**scope.blocks, **blocks})
        layout = next((node for node in tree.body if isinstance(node, nodes.Extends)), None)
        if layout is None:
            self.read(tree.body, scope)
            return
        self.read(
            [node for node in tree.body if not isinstance(node, nodes.Output | nodes.Block | nodes.Extends)], scope
        )
        self.read_file(_name_of(layout), scope)

    def read(self, body: Iterable[nodes.Node], scope: _Scope) -> None:
        """Read statements."""
        self.depth += 1
        if self.depth < _MOST_DEPTH and self.steps < _MOST_STEPS:
            for node in body:
                self.steps += 1
                rule = getattr(self, f"_read_{type(node).__name__.lower()}", None)
                if rule is not None:
                    rule(node, scope)
        self.depth -= 1

    def _read_output(self, node: nodes.Output, scope: _Scope) -> None:
        for part in node.nodes:
            self.found |= self._printed(part, scope)

    def _read_if(self, node: nodes.If, scope: _Scope) -> None:
        ends: list[_Scope] = []
        guarded: frozenset[Path] = frozenset()
        for branch in (node, *node.elif_):
            if_true, if_false = self._test(branch.test, scope)
            ends.append(scope.within(guarded | if_true))
            self.read(branch.body, ends[-1])
            guarded |= if_false
        ends.append(scope.within(guarded))
        self.read(node.else_, ends[-1])
        for name in {name for end in ends for name in end.names}:
            scope.names[name] = frozenset().union(*(end.unguarded(end.names.get(name, _named(name))) for end in ends))

    def _read_for(self, node: nodes.For, scope: _Scope) -> None:
        items = _below(self._traces(node.iter, scope), None)
        inner = scope.within(names={**_assigned(node.target, items), "loop": _NONE})
        if node.test is not None:
            inner = inner.within(self._test(node.test, inner)[0])
        self.read(node.body, inner)
        self.read(node.else_, scope.within())

    def _read_assign(self, node: nodes.Assign, scope: _Scope) -> None:
        scope.names.update(_assigned(node.target, self._printed(node.node, scope)))

    def _read_assignblock(self, node: nodes.AssignBlock, scope: _Scope) -> None:
        scope.names.update(_assigned(node.target, self._apart(node.body, scope.within())))

    def _read_with(self, node: nodes.With, scope: _Scope) -> None:
        inner = scope.within()
        for target, value in zip(node.targets, node.values, strict=True):
            inner.names.update(_assigned(target, self._printed(value, scope)))
        self.read(node.body, inner)

    def _read_filterblock(self, node: nodes.FilterBlock, scope: _Scope) -> None:
        self.read(node.body, scope.within())

    def _read_callblock(self, node: nodes.CallBlock, scope: _Scope) -> None:
        self.found |= self._printed(node.call, scope)
        self.read(node.body, scope.within())

    def _read_block(self, node: nodes.Block, scope: _Scope) -> None:
        definitions = scope.blocks.get(node.name, [node])
        self.read(definitions[0].body, evolve(scope.within(), super=definitions[1:]))

    def _read_include(self, node: nodes.Include, scope: _Scope) -> None:
        self.depth += 1
        if self.depth < _MOST_DEPTH:
            self.read_file(_name_of(node), scope.within())
        self.depth -= 1

    def _read_macro(self, node: nodes.Macro, _scope: _Scope) -> None:
        self.macros[node.name] = node

    def _read_import(self, node: nodes.Import, _scope: _Scope) -> None:
        for macro in self._macros_of(_name_of(node)):
            self.macros[f"{node.target}.{macro.name}"] = macro

    def _read_fromimport(self, node: nodes.FromImport, _scope: _Scope) -> None:
        names = dict((each, each) if isinstance(each, str) else each for each in node.names)
        for macro in self._macros_of(_name_of(node)):
            if macro.name in names:
                self.macros[names[macro.name]] = macro

    def _macros_of(self, file: str) -> Iterator[nodes.Macro]:
        tree = self.files.get(file)
        return iter(()) if tree is None else tree.find_all(nodes.Macro)

    def _apart(self, body: Iterable[nodes.Node], scope: _Scope) -> Traces:
        """Return the values that statements print, without adding them to `found`."""
        before, self.found = self.found, set()
        self.read(body, scope)
        apart, self.found = frozenset(self.found), before
        return apart

    # -- expressions

    def _printed(self, node: nodes.Node | None, scope: _Scope) -> Traces:
        """Return the values that leave a gap if an expression is printed."""
        self.steps += 1
        rule = getattr(self, f"_printed_{type(node).__name__.lower()}", None)
        found: Traces = _NONE if rule is None or self.steps > _MOST_STEPS else rule(node, scope)
        return scope.unguarded(found)

    def _traces(self, node: nodes.Node, scope: _Scope) -> Traces:
        """Return the values of an expression, whether or not they may be empty."""
        return self._printed(node, evolve(scope, guarded=frozenset()))

    def _each(self, parts: Iterable[nodes.Node], scope: _Scope) -> Traces:
        return frozenset().union(*(self._printed(part, scope) for part in parts))

    def _printed_name(self, node: nodes.Name, scope: _Scope) -> Traces:
        return scope.names.get(node.name, _named(node.name))

    def _printed_getattr(self, node: nodes.Getattr, scope: _Scope) -> Traces:
        return _below(self._traces(node.node, scope), node.attr)

    def _printed_getitem(self, node: nodes.Getitem, scope: _Scope) -> Traces:
        key = node.arg.value if isinstance(node.arg, nodes.Const) else None
        key = key if isinstance(key, str | int) else None
        return _below(self._traces(node.node, scope), key)

    def _printed_concat(self, node: nodes.Concat, scope: _Scope) -> Traces:
        return self._each(node.nodes, scope)

    def _printed_add(self, node: nodes.BinExpr, scope: _Scope) -> Traces:
        return self._each((node.left, node.right), scope)

    _printed_sub = _printed_mul = _printed_div = _printed_floordiv = _printed_mod = _printed_add

    def _printed_condexpr(self, node: nodes.CondExpr, scope: _Scope) -> Traces:
        if_true, if_false = self._test(node.test, scope)
        return self._printed(node.expr1, scope.within(if_true)) | self._printed(node.expr2, scope.within(if_false))

    def _printed_or(self, node: nodes.Or, scope: _Scope) -> Traces:
        if_true, if_false = self._test(node.left, scope)
        return self._printed(node.left, scope.within(if_true)) | self._printed(node.right, scope.within(if_false))

    def _printed_and(self, node: nodes.And, scope: _Scope) -> Traces:
        return self._printed(node.right, scope.within(self._test(node.left, scope)[0]))

    def _printed_filter(self, node: nodes.Filter, scope: _Scope) -> Traces:
        if node.name in _COUNTS or node.node is None:
            return _NONE
        if node.name == MARK:
            number = getattr(node.args[0], "value", 0)
            return frozenset((path, marks | {number}) for path, marks in self._printed(node.node, scope))
        if node.name in ("default", "d"):
            return self._printed_default(node, scope)
        found = self._printed(node.node, scope) | (self._each(node.args, scope) if node.name == "format" else _NONE)
        if node.name not in _OF_ITEMS:
            return found
        key = next((each.value for each in _keywords(node) if each.key == "attribute"), None)
        return found | _below(found, None, *([key.value] if isinstance(key, nodes.Const) else []))

    def _printed_default(self, node: nodes.Filter, scope: _Scope) -> Traces:
        """Return the values for `default`: with `true` it replaces empty values, otherwise only missing ones."""
        given = dict(zip(("default_value", "boolean"), node.args, strict=False))
        given |= {each.key: each.value for each in _keywords(node)}
        if not getattr(given.get("boolean"), "value", False):
            return self._printed(node.node, scope)
        passes = self._printed(node.node, scope.within(self._test(node.node, scope)[0]))
        return passes | self._printed(given.get("default_value"), scope)

    def _printed_call(self, node: nodes.Call, scope: _Scope) -> Traces:
        called = node.node
        name = called.name if isinstance(called, nodes.Name) else ""
        if isinstance(called, nodes.Getattr) and isinstance(called.node, nodes.Name):
            name = f"{called.node.name}.{called.attr}"
        if name == "super" and scope.super:
            return self._apart(scope.super[0].body, evolve(scope.within(), super=scope.super[1:]))
        macro = self.macros.get(name)
        if macro is None:
            return self._each([*node.args, *(each.value for each in _keywords(node))], scope)
        names = [each.name for each in macro.args]
        pairs = [
            *zip(reversed(names), reversed(macro.defaults), strict=False),
            *zip(names, node.args, strict=False),
            *((each.key, each.value) for each in _keywords(node)),
        ]
        bound = {name: self._printed(value, scope) for name, value in pairs}
        return self._apart(macro.body, scope.within(names=bound))

    # -- conditions

    def _test(self, node: nodes.Node | None, scope: _Scope) -> tuple[frozenset[Path], frozenset[Path]]:
        """Return the values that are certainly not empty if a condition is true, and if it is false."""
        if isinstance(node, nodes.Not):
            if_true, if_false = self._test(node.node, scope)
            return if_false, if_true
        if isinstance(node, nodes.And | nodes.Or):
            left, right = self._test(node.left, scope), self._test(node.right, scope)
            if isinstance(node, nodes.And):
                return left[0] | right[0], left[1] & right[1]
            return left[0] & right[0], left[1] | right[1]
        if isinstance(node, nodes.Compare) and len(node.ops) == 1:
            return self._compared(node, scope)
        return self._looked_at(node, scope), _NOTHING

    def _compared(self, node: nodes.Compare, scope: _Scope) -> tuple[frozenset[Path], frozenset[Path]]:
        operator, other = node.ops[0].op, node.ops[0].expr
        if isinstance(other, nodes.List | nodes.Tuple) and operator in ("in", "notin"):
            constants = [each.value if isinstance(each, nodes.Const) else "" for each in other.items]
        else:
            constants = [other.value] if isinstance(other, nodes.Const) else [""]
        if operator in ("ne", "notin", "lt", "lteq"):
            if_false, if_true = self._equal(node.expr, constants, scope)
        else:
            if_true, if_false = self._equal(node.expr, constants, scope)
        return if_true, if_false

    def _equal(
        self, node: nodes.Node, constants: Sequence[Any], scope: _Scope
    ) -> tuple[frozenset[Path], frozenset[Path]]:
        """Return the values that are certainly not empty if a value is one of some constants, and if it is not."""
        if isinstance(node, nodes.Filter) and node.name in _COUNTS:
            return self._looked_at(node, scope), _NOTHING
        if all(not isinstance(each, str) or each.strip() for each in constants) and None not in constants:
            return self._single(_unfiltered(node)[0], scope), _NOTHING
        if constants == [""]:
            return _NOTHING, self._looked_at(node, scope)
        return _NOTHING, _NOTHING

    def _looked_at(self, node: nodes.Node | None, scope: _Scope) -> frozenset[Path]:
        """Return the value that is not empty if an expression is true."""
        inner, is_trimmed = _unfiltered(node)
        return _NOTHING if self.for_blanks and not is_trimmed else self._single(inner, scope)

    def _single(self, node: nodes.Node | None, scope: _Scope) -> frozenset[Path]:
        if not isinstance(node, nodes.Name | nodes.Getattr | nodes.Getitem):
            return _NOTHING
        found = frozenset(path for path, _ in self._traces(node, scope))
        return found if len(found) == 1 else _NOTHING


def _unfiltered(node: nodes.Node | None) -> tuple[nodes.Node | None, bool]:
    """Return the expression without its filters, and whether one of them removes blanks."""
    is_trimmed = False
    while isinstance(node, nodes.Filter) and node.name not in ("default", "d"):  # a mark is one too
        is_trimmed = is_trimmed or node.name == "trim"
        node = node.node
    return node, is_trimmed


def _named(name: str) -> Traces:
    return frozenset({((name,), frozenset[int]())})


def _below(traces: Traces, *keys: str | int | None) -> Traces:
    return frozenset(((*path, *keys), marks) for path, marks in traces)


def _keywords(node: nodes.Filter | nodes.Call) -> list[nodes.Keyword]:
    return [each for each in node.kwargs if isinstance(each, nodes.Keyword)]


def _assigned(target: nodes.Node, traces: Traces) -> dict[str, Traces]:
    if isinstance(target, nodes.Name):
        return {target.name: traces}
    inner = _below(traces, None)
    return {name: found for item in getattr(target, "items", ()) for name, found in _assigned(item, inner).items()}


def _name_of(node: nodes.Extends | nodes.Include | nodes.Import | nodes.FromImport) -> str:
    return str(getattr(node.template, "value", ""))
