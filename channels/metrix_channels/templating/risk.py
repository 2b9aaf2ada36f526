"""Which templates may render in this process: those whose work and output provably grow only with their input.

An allow-list of the syntax tree. What it does not know, or cannot bound, renders in a child process that can be
ended: a running operation of this process cannot. The argument, for what it allows:

- Without a loop, each node is evaluated once, and each operation allowed is linear in its operands. What makes text
  longer may be assigned to a name only when it is made of the context alone, so that no step feeds the next: the size
  of any value is bounded by the template's size times the context's.
- A loop runs at most as often as there are items in the context and literals. One loop deep, nodes × size² bounds
  the work, and beyond `LOOP_BUDGET` it renders apart too.
- A file that is included often counts as often. A block is rendered where it stands, and `super()` once in it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from attrs import frozen
from jinja2 import nodes

from .syntax import walk

LOOP_BUDGET: Final = 500_000_000
MAX_NODES: Final = 20_000

_PLAIN: Final = (
    *(nodes.Template, nodes.Output, nodes.TemplateData, nodes.Const, nodes.If, nodes.CondExpr, nodes.Test),
    *(nodes.Getattr, nodes.Getitem, nodes.Slice, nodes.Compare, nodes.Operand, nodes.And, nodes.Or, nodes.Not),
    *(nodes.Neg, nodes.Pos, nodes.Sub, nodes.Div, nodes.FloorDiv, nodes.Keyword, nodes.Pair, nodes.Extends),
)
_NOT_IN_ASSIGNMENTS: Final = {
    nodes.Concat: "`~` of assigned values",
    nodes.Add: "`+` of assigned values",
    nodes.List: "a list of assigned values",
    nodes.Tuple: "a list of assigned values",
    nodes.Dict: "a mapping of assigned values",
}
_NOT_IN_LOOPS: Final = {
    nodes.For: "a loop in a loop",
    nodes.Block: "a block in a loop",
    nodes.Include: "`include` in a loop",
}
_LINEAR: Final = frozenset(
    (
        *("upper", "lower", "capitalize", "title", "trim", "striptags", "truncate", "string", "fa_digits", "jalali"),
        *("int", "float", "round", "abs", "length", "count", "first", "last", "sort", "reverse", "unique", "sum"),
        *("min", "max", "list", "items", "dictsort", "select", "reject", "selectattr", "rejectattr"),
    )
)
_LENGTHENING: Final = frozenset(("escape", "e", "urlencode", "join"))


@frozen
class Risk:
    """A reason to render apart, and where it stands."""

    reason: str
    file: str
    line: int


@frozen
class Verdict:
    """What is known of a template's costs before it runs.

    Attributes:
        risk: why it renders apart; None when its costs are bounded.
        loops: whether it has a loop.
        nodes: pieces of code, those of included files as often as they are included.
        text: characters in its literals.
    """

    risk: Risk | None
    loops: bool
    nodes: int
    text: int

    def allows(self, values: Mapping[str, Any]) -> bool:
        """Tell whether it may render with these values in this process."""
        if self.risk is not None:
            return False
        return not self.loops or self.nodes * (self.text + len(repr(values))) ** 2 <= LOOP_BUDGET


@frozen
class _Unit:
    """One file of a template, or one text of its front matter."""

    file: str
    tree: nodes.Template
    includes: tuple[str, ...]


def unit(file: str, tree: nodes.Template, includes: Iterable[str] = ()) -> _Unit:
    """Describe one tree of a template; `includes` are the files that it refers to, each as often as it does."""
    return _Unit(file, tree, tuple(includes))


def judge(units: Iterable[_Unit]) -> Verdict:
    """Judge a template by all of its trees; files come before those that refer to them."""
    units = list(units)
    finding = _Finding(frozenset(name for one in units for name in _assigned(one.tree)))
    sizes: dict[str, int] = {}
    total = 0
    for one in units:
        finding.file = one.file
        finding.visit(one.tree, in_loop=False, in_assignment=False)
        own = sum(not isinstance(node, nodes.TemplateData) for node, _ in walk(one.tree))
        total = own + sum(sizes.get(name, 0) for name in one.includes)
        sizes[one.file] = sizes.get(one.file, 0) + total
        finding.text += sum(len(repr(node.value)) for node, _ in walk(one.tree) if isinstance(node, nodes.Const))
        if sizes[one.file] > MAX_NODES:
            finding.risky("its size, with all that it includes", 1)
    if finding.supers and finding.nested:
        finding.risky("`super()` beside blocks in blocks", finding.supers)
    return Verdict(finding.risk, finding.loops, max(sizes.values(), default=0), finding.text)


class _Finding:
    """Walks trees and keeps the first risk."""

    def __init__(self, assigned: frozenset[str]) -> None:
        self._assigned = assigned | {"super"}  # the text of a block below, which it could double at each level
        self.file = ""
        self.risk: Risk | None = None
        self.loops = False
        self.text = 0
        self.supers = 0  # the line of one
        self.nested = False

    def risky(self, reason: str, line: int) -> None:
        self.risk = self.risk or Risk(reason, self.file, line)

    def visit(self, node: nodes.Node, *, in_loop: bool, in_assignment: bool) -> None:
        kind = type(node)
        if in_loop and kind in _NOT_IN_LOOPS:
            self.risky(_NOT_IN_LOOPS[kind], node.lineno)
        elif in_assignment and kind in _NOT_IN_ASSIGNMENTS and getattr(node, "ctx", "load") == "load":
            self.risky(_NOT_IN_ASSIGNMENTS[kind], node.lineno)
        elif reason := self._reason(node, in_assignment=in_assignment):
            self.risky(reason, node.lineno)
        elif isinstance(node, nodes.Call) and isinstance(node.node, nodes.Name):
            if in_loop or in_assignment:
                self.risky("`super()` in a loop or an assignment", node.lineno)
            self.supers = node.lineno
        if isinstance(node, nodes.Block):
            self._block(node)
        self.loops = self.loops or isinstance(node, nodes.For)
        in_loop = in_loop or isinstance(node, nodes.For)
        feeding = {id(value) for value in _values(node) if self._feeds(value)}
        for child in node.iter_child_nodes():
            self.visit(child, in_loop=in_loop, in_assignment=in_assignment or id(child) in feeding)

    def _feeds(self, value: nodes.Node) -> bool:
        """Tell whether an assigned value is made of what was assigned before."""
        return any(isinstance(node, nodes.Name) and node.name in self._assigned for node, _ in walk(value))

    def _block(self, block: nodes.Block) -> None:
        supers = sum(_is_super(node) for node, _ in walk(block))
        if supers > 1:
            self.risky("more than one `super()` in a block", block.lineno)
        self.nested = self.nested or block.find(nodes.Block) is not None

    def _reason(self, node: nodes.Node, *, in_assignment: bool) -> str | None:
        """Return why a node is risky by itself."""
        kind = type(node)
        if isinstance(node, nodes.Name):
            return "`self`" if node.name == "self" else None
        if isinstance(node, nodes.For):
            return "a recursive loop" if node.recursive else None
        if isinstance(node, nodes.Mul | nodes.Mod):
            return None if _is_number(node.left) and _is_number(node.right) else f"`{node.operator}` on a value"
        if isinstance(node, nodes.Filter):
            return _of_filter(node, in_assignment=in_assignment)
        if isinstance(node, nodes.Call):
            return None if _is_super(node) or _is_of_loop(node) else "a call"
        if isinstance(node, nodes.BinExpr) and kind is nodes.Pow:
            return "`**`"
        known = kind in _PLAIN or kind in _NOT_IN_ASSIGNMENTS or kind in _NOT_IN_LOOPS
        return None if known or kind in (nodes.Assign, nodes.With) else f"`{kind.__name__.lower()}`"


def _values(node: nodes.Node) -> list[nodes.Node]:
    if isinstance(node, nodes.With):
        return list(node.values)
    return [node.node] if isinstance(node, nodes.Assign) else []


def _assigned(tree: nodes.Template) -> list[str]:
    """Return the names that a template gives values to; not those of loops, which end with each round."""
    targets = []
    for node, _ in walk(tree):
        if isinstance(node, nodes.With):
            targets += node.targets
        elif isinstance(node, nodes.Assign):
            targets.append(node.target)
    return [name.name for target in targets for name, _ in walk(target) if isinstance(name, nodes.Name)]


def _of_filter(node: nodes.Filter, *, in_assignment: bool) -> str | None:
    name = node.name
    arguments = [*node.args, *(pair.value for pair in node.kwargs)]
    literal = all(isinstance(argument, nodes.Const) for argument in arguments)
    if node.dyn_args is not None or node.dyn_kwargs is not None:
        return f"`{name}` with arguments that are not written out"
    if name in ("default", "d"):
        return None
    if not literal:
        return f"`{name}` with an argument that is not a literal"
    if name in _LENGTHENING:
        return f"`{name}` of assigned values" if in_assignment else None
    if name == "replace":
        return None if _shortens(node.args) and not node.kwargs else "`replace` that may make its text longer"
    if name == "map":
        only_attribute = not node.args and [pair.key for pair in node.kwargs] == ["attribute"]
        return None if only_attribute else "`map` with a filter"
    return None if name in _LINEAR else f"`{name}`"


def _shortens(arguments: list[nodes.Expr]) -> bool:
    """Tell whether a `replace` of these literals never makes its text longer."""
    texts = [node.value for node in arguments if isinstance(node, nodes.Const) and isinstance(node.value, str)]
    return len(texts) == len(arguments) == 2 and 0 < len(texts[0]) >= len(texts[1])


def _is_number(node: nodes.Expr) -> bool:
    return isinstance(node, nodes.Const) and type(node.value) in (int, float)


def _is_super(node: nodes.Node) -> bool:
    return (
        isinstance(node, nodes.Call)
        and isinstance(node.node, nodes.Name)
        and node.node.name == "super"
        and not (node.args or node.kwargs or node.dyn_args or node.dyn_kwargs)
    )


def _is_of_loop(node: nodes.Call) -> bool:
    return (
        isinstance(node.node, nodes.Getattr)
        and isinstance(node.node.node, nodes.Name)
        and node.node.node.name == "loop"
        and node.node.attr in ("cycle", "changed")
    )
