"""Upper bounds for the expressions in a template: how large their values can be, and how long they take.

Each value of the context counts as large as the whole context, unless more is known about it. The sizes of the operands
determine the size of an operation's result and its work. An operation without a rule here is unbounded.
"""

from __future__ import annotations

from typing import Final

from jinja2 import nodes

from .filter_cost import CALL, COPY, FLOAT_DIGITS, NUMBER, Filtering, Operand, Unbounded, filter_cost, search_cost

MAX_LENGTH: Final = 8_000_000
"""The maximum length of one value, or of the whole text, in this process."""

_MAX_STEPS: Final = 50_000
STEP: Final = 200
"""Nanoseconds for each node, in addition to its own work."""
_ITEM: Final = 8
_LOOP_NUMBERS: Final = frozenset(
    ("index", "index0", "revindex", "revindex0", "first", "last", "length", "depth", "depth0")
)


class Expressions:
    """Bounds of expressions, with one method for each of Jinja's node types."""

    def __init__(self, size: int, escaping: int) -> None:
        self.work: float = 0.0
        self._size = float(size)
        self._escaping = escaping
        self._steps = 0
        self._assigned: dict[str, float] = {}
        self._items: dict[str, Operand] = {}
        self._in_own_loop = False

    def size_of(self, *expressions: nodes.Node | None) -> float:
        """Return the total size of some values, and count the work to compute them."""
        return sum(self.bound(each).size for each in expressions if each is not None)

    def bound(self, node: nodes.Node) -> Operand:
        """Return the bound of one value, and count the work to compute it."""
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
        self.work += STEP
        if self._steps > _MAX_STEPS:
            raise Unbounded("the number of nested or included parts", node.lineno)

    def _super(self, line: int) -> float:
        """Return the size of the result of `super()`."""
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
        if not left.is_number:  # `%` would format a text
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
        """Return the bounds of arguments by position or name."""
        if node.dyn_args is not None or node.dyn_kwargs is not None:
            raise Unbounded("a call with `*` or `**` arguments", node.lineno)
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
