"""A template's text as Jinja's syntax tree, before anything of it is evaluated or compiled."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from difflib import get_close_matches
from itertools import islice
from typing import Final

from attrs import define, frozen
from jinja2 import Template, TemplateSyntaxError, nodes
from jinja2.meta import TrackingCodeGenerator

from ..errors import MetrixChannelsError, TemplateError
from ..printable import printable
from .environment import Sandbox
from .folder import shown
from .lines import Lines

MAX_TOKENS: Final = 10_000
"""Of a template, with all of its files and the texts of its front matter."""
MAX_DEPTH: Final = 60
"""Python's own limits of recursion are reached at about twice that."""

_LARGEST_NUMBER: Final = 10**300
"""Python refuses to write much larger whole numbers, and knows no larger floats."""


@frozen
class Reference:
    """A file that a template extends, includes or imports."""

    name: str
    line: int
    optional: bool


@define
class TokenBudget:
    """How much code a template may still have, over all of its files."""

    left: int = MAX_TOKENS


@contextmanager
def compiling(locate: Callable[[int], str]) -> Iterator[None]:
    """Raise whatever goes wrong while a template is read or compiled as a `TemplateError` with its place.

    Args:
        locate: gives the place of a line, as Jinja counts lines there.
    """
    try:
        yield
    except MetrixChannelsError:
        raise
    except TemplateSyntaxError as error:
        raise _syntax(error.message or "it cannot be read", locate(error.lineno)) from None
    except SyntaxError as error:  # of the Python code that Jinja makes
        words = re.sub(r"\bl_\d+_", "", error.msg)
        raise _syntax(f"it cannot be compiled: {words}", locate(error.lineno or 1)) from None
    except RecursionError:
        raise _syntax("it is nested too deeply", locate(1)) from None
    except ValueError:
        raise _syntax("a number has too many digits", locate(1)) from None
    except MemoryError:
        raise TemplateError("compiling needs too much memory", code="template_too_costly", location=locate(1)) from None
    except Exception as error:  # noqa: BLE001  whatever a template makes Jinja raise is the template's error
        raise _syntax(f"it cannot be compiled ({type(error).__name__})", locate(1)) from None


def parse(sandbox: Sandbox, text: str, lines: Lines, budget: TokenBudget) -> nodes.Template:
    """Parse a template.

    Args:
        sandbox: whose syntax, filters and tests count.
        text: of the template.
        lines: where the text stands in its file.
        budget: is spent.

    Returns:
        The tree, its line numbers those of the file.

    Raises:
        TemplateError: `template_syntax`, also for an unknown filter or test; `template_too_costly` when it is larger
            than any message needs.
    """
    with compiling(lines.location):
        budget.left -= sum(1 for _ in islice(sandbox.lexer.tokeniter(text, None), budget.left + 1))
        if budget.left < 0:
            raise TemplateError(
                f"the template has more than {MAX_TOKENS:,} tokens",
                code="template_too_costly",
                location=lines.location(1),
            )
        tree = sandbox.parse(text)
    for node, depth in walk(tree):
        if depth > MAX_DEPTH:
            raise _syntax("it is nested too deeply", lines.location(node.lineno))
        _check(node, sandbox, lines)
        for child in node.iter_child_nodes():
            child.lineno = child.lineno or node.lineno  # Jinja leaves some without
        node.lineno = lines.number(node.lineno)
    return tree


def walk(node: nodes.Node, depth: int = 0) -> Iterator[tuple[nodes.Node, int]]:
    """Go through a tree in its order, without recursion; with each node comes its depth."""
    waiting = [(node, depth)]
    while waiting:
        node, depth = waiting.pop()
        yield node, depth
        waiting.extend((child, depth + 1) for child in reversed([*node.iter_child_nodes()]))


def references(tree: nodes.Template, lines: Lines) -> list[Reference]:
    """Return the files that a template names.

    Raises:
        TemplateError: `template_syntax` when a name is not a text in quotes: what a message is made of must be known
            before it is rendered.
    """
    found = []
    for node, _ in walk(tree):
        if not isinstance(node, nodes.Extends | nodes.Include | nodes.Import | nodes.FromImport):
            continue
        name = node.template
        if not isinstance(name, nodes.Const) or not isinstance(name.value, str):
            verb = type(node).__name__.lower().removeprefix("from")
            raise _syntax(f"`{verb}` takes the name of one file, in quotes", lines.of_file(node.lineno))
        optional = isinstance(node, nodes.Include) and node.ignore_missing
        found.append(Reference(name.value, node.lineno, optional))
    return found


def variables(tree: nodes.Template, parents: frozenset[str] = frozenset()) -> frozenset[str]:
    """Return the names that a template takes from its context.

    Args:
        tree: of the template.
        parents: the names that the files it refers to take.
    """
    used = _undeclared(tree)
    if not any(isinstance(node, nodes.Extends) for node in tree.body):
        return used | parents
    # Above a layout, what is set at the top is set before any block and before the layout itself.
    top = [node for node in tree.body if not isinstance(node, nodes.Block)]
    assigned = {
        name.name
        for node in top
        if isinstance(node, nodes.Assign)
        for name in node.find_all(nodes.Name)
        if name.ctx == "store"
    }
    head = nodes.Template(top, lineno=1)
    head.set_environment(tree.environment)  # type: ignore[arg-type]
    return _undeclared(head) | ((used | parents) - assigned)


class _Tracker(TrackingCodeGenerator):
    def __init__(self, tree: nodes.Template) -> None:
        super().__init__(tree.environment)  # type: ignore[arg-type]
        # It would evaluate what is constant, such as 'a' * 10**8.
        self.optimizer = None


def _undeclared(tree: nodes.Template) -> frozenset[str]:
    tracker = _Tracker(tree)
    tracker.visit(tree)
    return frozenset(tracker.undeclared_identifiers)


def strict_text(tree: nodes.Template) -> None:
    """Let `a ~ b` take what a message can show, and nothing else: Jinja would write None as "None"."""
    for concat in tree.find_all(nodes.Concat):
        concat.nodes = [_as_string(node) for node in concat.nodes]


def compile_tree(sandbox: Sandbox, tree: nodes.Template, name: str) -> Template:
    """Compile a tree; its line numbers are those of its file.

    Raises:
        TemplateSyntaxError: Jinja cannot compile it.
        SyntaxError: Python cannot; its line is that of the file too.
    """
    source = sandbox.compile(tree, name, name, raw=True)
    try:
        code = compile(source, name, "exec")
    except SyntaxError as error:
        error.lineno = _line_of_template(source, error.lineno or 1)
        raise
    return Template.from_code(sandbox, code, {})


def _line_of_template(source: str, line: int) -> int:
    """Return the template's line for one of the Python code that Jinja made of it: its last line pairs them."""
    pairs = [(int(ours), int(pythons)) for ours, pythons in re.findall(r"(\d+)=(\d+)", source.rpartition("\n")[2])]
    return max(((pythons, ours) for ours, pythons in pairs if pythons <= line), default=(1, 1))[1]


def _as_string(node: nodes.Expr) -> nodes.Expr:
    if isinstance(node, nodes.Const) and isinstance(node.value, str):
        return node
    return nodes.Filter(node, "string", [], [], None, None, lineno=node.lineno, environment=node.environment)


def _check(node: nodes.Node, sandbox: Sandbox, lines: Lines) -> None:
    """Refuse what Jinja would find out later, or not at all."""
    if isinstance(node, nodes.Filter) and node.name not in sandbox.filters:
        raise _unknown("filter", node.name, list(sandbox.filters), lines, node.lineno)
    if isinstance(node, nodes.Test) and node.name not in sandbox.tests:
        raise _unknown("test", node.name, list(sandbox.tests), lines, node.lineno)
    if isinstance(node, nodes.ScopedEvalContextModifier):
        where = lines.location(node.lineno)
        raise _syntax("`autoescape` cannot be changed: HTML is always escaped, text never", where)
    if isinstance(node, nodes.Const) and isinstance(node.value, int | float) and abs(node.value) >= _LARGEST_NUMBER:
        raise _syntax("a number is too large", lines.location(node.lineno))


def _unknown(what: str, name: str, known: list[str], lines: Lines, line: int) -> TemplateError:
    words = [word for word in known if re.fullmatch(r"[a-z_]+", word)]
    near = get_close_matches(name, words, 1)
    hint = f"Did you mean `{near[0]}`? " if near else ""
    if what == "filter" and name == "safe":
        hint = "HTML in a value is always escaped; write tags in the template itself. "
    return TemplateError(
        f"there is no {what} {shown(name)}",
        code="template_syntax",
        remedy=f"{hint}Available {what}s: {', '.join(sorted(words))}.",
        location=lines.location(line, name),
    )


def _syntax(message: str, location: str) -> TemplateError:
    return TemplateError(printable(message), code="template_syntax", location=location)
