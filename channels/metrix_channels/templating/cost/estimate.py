"""An upper bound of what rendering a template costs, told from its syntax tree for values of a given size.

The bound counts nanoseconds of work and characters of text:

- Each value is as large as the whole context, unless more is known of it. From the sizes of its operands follow the
  size of an operation's result and its work. An operation that has no rule has no bound.
- A name that a template assigns is as large as the largest value that any of its assignments gives. When the sizes
  do not come to rest after a few passes over the template, one value feeds the next, and there is no bound.
- In a loop, all items together are as large as the collection. The work of a body is a polynomial in the size of its
  item, without negative terms; so n bodies cost at most n times that of an empty item, and once that of an item as
  large as the collection.
- A file counts wherever it is included, a block wherever it stands, and what `super()` gives wherever it is called.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Final

from attrs import frozen
from jinja2 import nodes

from .filter_cost import CALL, COPY, FLOAT_DIGITS, NUMBER, Filtering, Operand, Unbounded, filter_cost, search_cost

MAX_WORK: Final = 500_000_000
"""Nanoseconds: a quarter of the two seconds that are promised, for slower machines."""
MAX_LENGTH: Final = 8_000_000
"""Characters that one value, or the whole text, may have in this process."""

_MAX_STEPS: Final = 50_000
_MAX_PASSES: Final = 6
_STEP: Final = 200
"""Nanoseconds of each node by itself."""
_ITEM: Final = 8
_LOOP_NUMBERS: Final = frozenset(
    ("index", "index0", "revindex", "revindex0", "first", "last", "length", "depth", "depth0")
)
_REASONS: Final[Mapping[type[nodes.Node], str]] = {
    nodes.For: "the loop over its values",
    nodes.Output: "the work on its values",
    nodes.Assign: "the work on its values",
}


@frozen
class Risk:
    """What makes a template costly or hard to bound, and where it stands."""

    reason: str
    file: str
    line: int


class _Expressions:
    """Bounds of expressions; a method for each kind of node, as Jinja calls it."""

    def __init__(self, size: int, escaping: int) -> None:
        self.work = 0.0
        self._size = float(size)
        self._escaping = escaping
        self._steps = 0
        self._assigned: dict[str, float] = {}
        self._items: dict[str, Operand] = {}
        self._in_own_loop = False

    def size_of(self, *expressions: nodes.Node | None) -> float:
        """Return the size of some values together, and count the work of computing them."""
        return sum(self.bound(each).size for each in expressions if each is not None)

    def bound(self, node: nodes.Node) -> Operand:
        """Return the bound of one value, and count the work of computing it."""
        self.step(node)
        kind = type(node).__name__
        rule = getattr(self, f"_{kind.lower()}", None)
        if rule is None or not isinstance(node, nodes.Expr):
            raise Unbounded(f"`{getattr(node, 'operator', kind.lower())}`", node.lineno)
        value: Operand = rule(node)
        if value.size > MAX_LENGTH:
            raise Unbounded("a value that grows", node.lineno)
        return value

    def step(self, node: nodes.Node) -> None:
        """Count a node."""
        self._steps += 1
        self.work += _STEP
        if self._steps > _MAX_STEPS:
            raise Unbounded("what is included or nested there", node.lineno)

    def _super(self, line: int) -> float:
        """Return the size of what `super()` gives."""
        raise NotImplementedError

    def _name(self, node: nodes.Name) -> Operand:
        if node.name == "self" or (node.name == "loop" and "loop" in self._items):
            raise Unbounded(f"`{node.name}` as a value", node.lineno)
        item = self._items.get(node.name)
        if item is not None and node.name not in self._assigned:
            return item
        return Operand(max(self._size, self._assigned.get(node.name, 0.0), item.size if item else 0.0))

    def _const(self, node: nodes.Const) -> Operand:
        value = node.value
        is_number = isinstance(value, int | float)
        return Operand(len(str(value)) + 1.0, is_number, value if is_number or isinstance(value, str) else None)

    def _of_loop(self, node: nodes.Node) -> bool:
        return isinstance(node, nodes.Name) and node.name == "loop" and self._in_own_loop

    def _getattr(self, node: nodes.Getattr) -> Operand:
        if self._of_loop(node.node):
            if node.attr in _LOOP_NUMBERS:
                return NUMBER
            if node.attr in ("previtem", "nextitem"):
                return self._items["loop"]
        return Operand(self.size_of(node.node))

    def _getitem(self, node: nodes.Getitem) -> Operand:
        size = self.size_of(node.node)
        self.work += COPY * (self.size_of(node.arg) + (size if isinstance(node.arg, nodes.Slice) else 0))
        return Operand(size)

    def _slice(self, node: nodes.Slice) -> Operand:
        return Operand(self.size_of(node.start, node.stop, node.step))

    def _list(self, node: nodes.List | nodes.Tuple) -> Operand:
        return Operand(self.size_of(*node.items) + _ITEM * (len(node.items) + 1))

    _tuple = _list

    def _dict(self, node: nodes.Dict) -> Operand:
        keys, values = [pair.key for pair in node.items], [pair.value for pair in node.items]
        return Operand(self.size_of(*keys, *values) + _ITEM * (len(keys) + 1))

    def _concat(self, node: nodes.Concat) -> Operand:
        size = self.size_of(*node.nodes) * self._escaping
        self.work += COPY * size
        return Operand(size)

    def _and(self, node: nodes.And | nodes.Or) -> Operand:
        return Operand(max(self.size_of(node.left), self.size_of(node.right)))

    _or = _and

    def _condexpr(self, node: nodes.CondExpr) -> Operand:
        self.size_of(node.test)
        return Operand(max(self.size_of(node.expr1), self.size_of(node.expr2)))

    def _not(self, node: nodes.Not) -> Operand:
        self.size_of(node.node)
        return NUMBER

    def _neg(self, node: nodes.Neg | nodes.Pos) -> Operand:
        return self.bound(node.node)

    _pos = _neg

    def _compare(self, node: nodes.Compare) -> Operand:
        left = self.size_of(node.expr)
        for operand in node.ops:
            right = self.size_of(operand.expr)
            self.work += search_cost(left, right) if operand.op in ("in", "notin") else COPY * (left + right)
            left = right
        return NUMBER

    def _add(self, node: nodes.BinExpr) -> Operand:
        left, right = self.bound(node.left), self.bound(node.right)
        are_numbers = left.is_number and right.is_number
        size = (left.size + right.size) * (1 if are_numbers else self._escaping)
        self.work += COPY * size + left.size * right.size
        return Operand(size + (FLOAT_DIGITS if are_numbers else 0), are_numbers)

    _sub = _div = _floordiv = _add

    def _mul(self, node: nodes.Mul) -> Operand:
        left, right = self.bound(node.left), self.bound(node.right)
        self.work += COPY * left.size * right.size
        if left.is_number and right.is_number:
            return Operand(left.size + right.size + FLOAT_DIGITS, is_number=True)
        # The other side may be a text, or a list.
        factor, value = (left, right) if left.is_number else (right, left)
        if not isinstance(factor.literal, int | float):
            raise Unbounded("`*` on a value", node.lineno)
        size = value.size * max(1.0, abs(factor.literal)) + factor.size
        self.work += COPY * size
        return Operand(size)

    def _mod(self, node: nodes.Mod) -> Operand:
        left, right = self.bound(node.left), self.bound(node.right)
        if not left.is_number:  # a text would be a format
            raise Unbounded("`%` on a value", node.lineno)
        self.work += COPY * left.size * right.size
        return Operand(left.size + right.size + FLOAT_DIGITS, is_number=True)

    def _test(self, node: nodes.Test) -> Operand:
        value, arguments = self.size_of(node.node), self._arguments(node)
        self.work += CALL + search_cost(value, sum(each.size for each in arguments.values()))
        return NUMBER

    def _filter(self, node: nodes.Filter) -> Operand:
        if node.node is None:
            raise Unbounded(f"`{node.name}` of a block", node.lineno)
        value, arguments = self.bound(node.node), self._arguments(node)
        positional = [each for key, each in arguments.items() if isinstance(key, int)]
        named = {key: each for key, each in arguments.items() if isinstance(key, str)}
        try:
            result, work = filter_cost(Filtering(node.name, value, positional, named, self._escaping))
        except Unbounded as found:
            raise Unbounded(found.reason, node.lineno) from None
        self.work += work
        return result

    def _arguments(self, node: nodes.Filter | nodes.Test | nodes.Call) -> dict[int | str, Operand]:
        """Return the bounds of arguments by position and name."""
        if node.dyn_args is not None or node.dyn_kwargs is not None:
            raise Unbounded("a call with arguments that are not written out", node.lineno)
        found: dict[int | str, Operand] = {position: self.bound(each) for position, each in enumerate(node.args)}
        for pair in node.kwargs:
            assert isinstance(pair, nodes.Keyword)  # noqa: S101  whatever Jinja's types say
            found[pair.key] = self.bound(pair.value)
        return found

    def _call(self, node: nodes.Call) -> Operand:
        arguments = self._arguments(node)
        self.work += CALL
        called = node.node
        if isinstance(called, nodes.Name) and called.name == "super" and not arguments:
            return Operand(self._super(node.lineno))
        if isinstance(called, nodes.Getattr) and self._of_loop(called.node) and called.attr in ("cycle", "changed"):
            size = sum(each.size for each in arguments.values())
            self.work += COPY * size
            return Operand(size)
        raise Unbounded("a call", node.lineno)


class Estimate(_Expressions):
    """One run of the model.

    Args:
        files: the trees of a template by file; its own is the last.
        size: of the values.
        escaping: how much longer a text becomes when it is escaped.

    Attributes:
        file: where the model stands.
    """

    def __init__(self, files: Mapping[str, nodes.Template], size: int, *, escaping: int) -> None:
        super().__init__(size, escaping)
        self.file = self._main = list(files)[-1]
        self._files = files
        self._blocks = _blocks_of(files)
        self._rendering: list[tuple[str, int]] = []
        self._unsettled = 0
        self._text = 0.0
        self._heaviest = (-1.0, Risk("", "", 1))

    def run(self, texts: Sequence[nodes.Template]) -> Risk | None:
        """Return what costs too much in the template and the texts of its front matter; None when all is cheap.

        Raises:
            Unbounded: something has no bound.
        """
        for _ in range(_MAX_PASSES):
            self._unsettled = self._steps = 0
            self.work = self._text = 0.0
            for tree in (self._files[self._main], *texts):
                self._children(tree)
            if not self._unsettled:
                is_long = self._text + sum(self._assigned.values()) > 2 * MAX_LENGTH
                return self._heaviest[1] if is_long or self.work > MAX_WORK else None
        raise Unbounded("a value that grows with each assignment", self._unsettled)

    def _visit(self, node: nodes.Node) -> None:
        self.step(node)
        kind = type(node).__name__.lower()
        rule = getattr(self, f"_on_{kind}", None)
        if rule is None:
            raise Unbounded(f"`{kind}`", node.lineno)
        before = self.work
        rule(node)
        if type(node) in _REASONS and self.work - before >= self._heaviest[0]:
            self._heaviest = self.work - before, Risk(_REASONS[type(node)], self.file, node.lineno)

    def _children(self, node: nodes.Node) -> None:
        for child in node.iter_child_nodes():
            if isinstance(child, nodes.Expr):
                self.bound(child)
            else:
                self._visit(child)

    _on_if = _children

    def _bodies(self, body: Sequence[nodes.Node]) -> None:
        for node in body:
            self._visit(node)

    def _on_output(self, node: nodes.Output) -> None:
        for part in node.nodes:
            if isinstance(part, nodes.TemplateData):
                length = float(len(part.data))
            else:
                length = self.size_of(part) * self._escaping
            self.work += _STEP + COPY * length
            self._text += length

    def _on_for(self, node: nodes.For) -> None:
        if node.recursive:
            raise Unbounded("a recursive loop", node.lineno)
        size = self.size_of(node.iter)
        rounds = float(len(node.iter.items)) if isinstance(node.iter, nodes.List | nodes.Tuple) else size
        work, text = self.work, self._text
        self._round(node, 0.0)
        empty_work, empty_text = self.work - work, self._text - text
        self._round(node, size)
        self.work += rounds * (empty_work + _STEP)
        self._text += rounds * empty_text
        self._bodies(node.else_)

    def _round(self, node: nodes.For, size: float) -> None:
        """Go once through a loop, with an item of some size."""
        before = self._items, self._in_own_loop
        self._items = {**self._items, **dict.fromkeys((*_names(node.target), "loop"), Operand(size))}
        self._in_own_loop = True
        self.size_of(node.test)
        self._bodies(node.body)
        self._items, self._in_own_loop = before

    def _on_assign(self, node: nodes.Assign) -> None:
        self._store(node.target, self.size_of(node.node))

    def _on_assignblock(self, node: nodes.AssignBlock) -> None:
        if node.filter is not None:
            raise Unbounded("`set` with a filter", node.lineno)
        before = self._text
        self._bodies(node.body)
        self._store(node.target, self._text - before)

    def _on_with(self, node: nodes.With) -> None:
        for target, value in zip(node.targets, node.values, strict=True):
            self._store(target, self.size_of(value))
        self._bodies(node.body)

    def _store(self, target: nodes.Node, size: float) -> None:
        for name in _names(target):
            if name not in self._assigned or size > self._assigned[name]:
                self._assigned[name] = size
                self._unsettled = target.lineno

    def _on_include(self, node: nodes.Include | nodes.Extends) -> None:
        self.work += CALL
        name = str(getattr(node.template, "value", ""))
        if name in self._files:  # else it is absent, and may be
            with self._inside(name):
                self._children(self._files[name])

    _on_extends = _on_include

    def _on_block(self, node: nodes.Block) -> None:
        self._definitions(node.name, 0, node.lineno)

    def _definitions(self, name: str, level: int, line: int) -> None:
        """Go through all definitions of a block from some level on: which of them counts is not asked."""
        for above, (file, block) in enumerate(self._blocks[name][level:], level):
            if (name, above) in self._rendering:
                raise Unbounded("a block in itself", line)
            self._rendering.append((name, above))
            with self._inside(file):
                self._bodies(block.body)
            self._rendering.pop()

    def _super(self, line: int) -> float:
        if not self._rendering:
            raise Unbounded("`super()` outside of a block", line)
        name, level = self._rendering[-1]
        before = self._text
        self._definitions(name, level + 1, line)
        size, self._text = self._text - before, before
        return size

    @contextmanager
    def _inside(self, file: str) -> Iterator[None]:
        """Enter another file or a block: there the names of a loop may mean values of the context."""
        before = self.file, self._items, self._in_own_loop
        self.file, self._in_own_loop = file, False
        self._items = {name: Operand(max(item.size, self._size)) for name, item in self._items.items()}
        yield
        self.file, self._items, self._in_own_loop = before


def _names(target: nodes.Node) -> list[str]:
    """Return the names that an assignment or a loop gives values to."""
    if isinstance(target, nodes.Name):
        return [target.name]
    if not isinstance(target, nodes.Tuple):
        raise Unbounded("an assignment to something that is no name", target.lineno)
    return [name for item in target.items for name in _names(item)]


def _blocks_of(files: Mapping[str, nodes.Template]) -> dict[str, list[tuple[str, nodes.Block]]]:
    """Return the definitions of each block by its name, those of the template's own file first."""
    found: dict[str, list[tuple[str, nodes.Block]]] = {}
    for file, tree in reversed(list(files.items())):
        for block in tree.find_all(nodes.Block):
            found.setdefault(block.name, []).append((file, block))
    return found
