"""Finds values that leave a gap in the text if they are empty.

The syntax tree shows which values can do so. It is read twice, for empty values and for values that contain only
blanks, because the latter pass `{% if name %}`. Whether a value is really printed depends on other values. So the
places where it may be printed are marked, and a rendering records which marks it passed.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from itertools import count
from typing import Any, Final

from jinja2 import nodes

from ..printable import BLANKS
from .printed_values import MARK, Path, PrintedValues

_OUTERMOST: Final = ("default", "d", "format")
"""Filters that print other values than the one they are given."""


def mark_places(trees: Iterable[nodes.Template]) -> None:
    """Mark the places in trees where other values decide whether a value is printed."""
    numbers = count()

    def mark(node: nodes.Expr) -> nodes.Expr:
        if isinstance(node, nodes.Filter) and node.node is not None and node.name not in _OUTERMOST:
            node.node = mark(node.node)  # what a filter is given, since the filter may refuse it
            return node
        number = nodes.Const(next(numbers), lineno=node.lineno, environment=node.environment)
        return nodes.Filter(node, MARK, [number], [], None, None, lineno=node.lineno, environment=node.environment)

    for tree in trees:
        for output in list(tree.find_all(nodes.Output)):
            output.nodes = [each if isinstance(each, nodes.TemplateData) else mark(each) for each in output.nodes]
        for node in list(tree.find_all((nodes.CondExpr, nodes.Or, nodes.And))):
            if isinstance(node, nodes.CondExpr):
                node.expr1 = mark(node.expr1)
                node.expr2 = node.expr2 and mark(node.expr2)
            elif isinstance(node, nodes.Or | nodes.And):
                node.right = mark(node.right)


class Gaps:
    """The values of a template that may leave a gap.

    Args:
        files: the trees of all files by name.
        main: the template's own file.
        texts: the trees of the front matter.
    """

    def __init__(self, files: Mapping[str, nodes.Template], main: str, texts: Sequence[nodes.Template]) -> None:
        self._by_name: dict[str, list[tuple[Path, frozenset[int], bool]]] = {}
        for for_blanks in (False, True):
            reader = PrintedValues(files, for_blanks)
            reader.read_file(main)
            for text in texts:
                reader.read_field(text)
            for path, marks in sorted(reader.found, key=repr):
                self._by_name.setdefault(str(path[0]), []).append((path, marks, for_blanks))

    @property
    def names(self) -> tuple[str, ...]:
        """The names of values that may leave a gap if they, or the values in them, are empty."""
        return tuple(self._by_name)

    def of(self, values: Mapping[str, Any], passed: Collection[int] | None) -> tuple[str, ...]:
        """Return the values that are empty and leave a gap, such as `first_name` or `items.title`.

        Args:
            values: the values by name; a missing value is an error of the rendering, not a gap.
            passed: the marks that the rendering passed; None means all.
        """
        found: dict[str, None] = {}
        for name, paths in self._by_name.items():
            value = values.get(name, 0)
            for path, marks, for_blanks in paths:
                is_printed = passed is None or marks <= set(passed)
                if is_printed and any(_is_empty(each, for_blanks) for each in _items(value, path[1:])):
                    found[".".join(str(part) for part in path if part is not None)] = None
        return tuple(found)


def _is_empty(value: Any, for_blanks: bool) -> bool:
    if for_blanks:
        return isinstance(value, str) and value != "" and not value.strip(BLANKS)
    return value is None or (isinstance(value, str | list | tuple | dict) and not value)


def _items(value: Any, path: Path) -> Iterator[Any]:
    if not path:
        yield value
        return
    key, rest = path[0], path[1:]
    inner: Iterable[Any] = ()
    if key is None:
        inner = value if isinstance(value, list | tuple) else value.values() if isinstance(value, dict) else ()
    else:
        with suppress(LookupError, TypeError):  # a missing value is an error, not a gap
            inner = [value[key]]
    for each in inner:
        yield from _items(each, rest)
