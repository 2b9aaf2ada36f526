"""Estimates an upper bound of the cost of rendering a template, from its syntax tree, for values of a given size.

The bound counts nanoseconds of work and characters of text:

- The cost of expressions is defined in `expression_cost`. A statement without a rule here is unbounded.
- An assigned name is as large as the largest value that is assigned to it. If the sizes still change after a few passes
  over the template, values grow with each assignment, and there is no bound.
- In a loop, all items together are as large as the collection. The work of a loop's body is a polynomial in the size of
  its item, without negative terms. So n rounds cost at most n times the work for an empty item, plus the work for one
  item that is as large as the collection.
- A file counts each time it is included, a block each time it is used, and `super()` each time it is called.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Final

from attrs import frozen
from jinja2 import nodes

from .expression_cost import MAX_LENGTH, STEP, Expressions
from .filter_cost import CALL, COPY, Operand, Unbounded

MAX_WORK: Final = 500_000_000
"""The maximum nanoseconds: a quarter of the two seconds that are promised, to allow for slower machines."""

_MAX_PASSES: Final = 6
_REASONS: Final[Mapping[type[nodes.Node], str]] = {
    nodes.For: "the loop over its values",
    nodes.Output: "the work on its values",
    nodes.Assign: "the work on its values",
}


@frozen
class Risk:
    """The part that makes a template costly or unbounded, and its place."""

    reason: str
    file: str
    line: int


class Estimate(Expressions):
    """One run of the model.

    Args:
        files: the trees of a template by file; its own is the last.
        size: the size of the values.
        escaping: the factor by which escaping lengthens a text.

    Attributes:
        file: the current file.
    """

    def __init__(self, files: Mapping[str, nodes.Template], size: int, *, escaping: int) -> None:
        super().__init__(size, escaping)
        self._main = list(files)[-1]
        self.file: str = self._main
        self._files = files
        self._blocks = _blocks_of(files)
        self._rendering: list[tuple[str, int]] = []
        self._unsettled = 0
        self._text = 0.0
        self._heaviest = (-1.0, Risk("", "", 1))

    def run(self, texts: Sequence[nodes.Template]) -> Risk | None:
        """Return the part of the template or its front matter that costs too much; None if all of it is cheap.

        Raises:
            Unbounded: a part has no bound.
        """
        for _ in range(_MAX_PASSES):
            self._unsettled = self._steps = 0
            self._text = 0.0
            self.work: float = 0.0
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
            self.work += STEP + COPY * length
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
        self.work += rounds * (empty_work + STEP)
        self._text += rounds * empty_text
        self._bodies(node.else_)

    def _round(self, node: nodes.For, size: float) -> None:
        """Count one round of a loop, for an item of some size."""
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
        if name in self._files:  # otherwise it is optional and absent
            with self._inside(name):
                self._children(self._files[name])

    _on_extends = _on_include

    def _on_block(self, node: nodes.Block) -> None:
        self._definitions(node.name, 0, node.lineno)

    def _definitions(self, name: str, level: int, line: int) -> None:
        """Count all definitions of a block from some level on, because it is not known which one is used."""
        for above, (file, block) in enumerate(self._blocks[name][level:], level):
            if (name, above) in self._rendering:
                raise Unbounded("a block inside itself", line)
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
        """Enter another file or a block, where a loop's names may mean values of the context."""
        before = self.file, self._items, self._in_own_loop
        self.file, self._in_own_loop = file, False
        self._items = {name: Operand(max(item.size, self._size)) for name, item in self._items.items()}
        yield
        self.file, self._items, self._in_own_loop = before


def _names(target: nodes.Node) -> list[str]:
    """Return the names to which an assignment or a loop assigns values."""
    if isinstance(target, nodes.Name):
        return [target.name]
    if not isinstance(target, nodes.Tuple):
        raise Unbounded("an assignment to something that is not a name", target.lineno)
    return [name for item in target.items for name in _names(item)]


def _blocks_of(files: Mapping[str, nodes.Template]) -> dict[str, list[tuple[str, nodes.Block]]]:
    """Return the definitions of each block by name, those of the template's own file first."""
    found: dict[str, list[tuple[str, nodes.Block]]] = {}
    for file, tree in reversed(list(files.items())):
        for block in tree.find_all(nodes.Block):
            found.setdefault(block.name, []).append((file, block))
    return found
