"""Parses a template's text into Jinja's syntax tree and checks it, before anything is evaluated or compiled."""

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
"""The maximum number of tokens of a template, with all its files and the texts of its front matter."""
_SPACE_IN_NAME: Final = re.compile("expected token 'end of print statement', got '(.+)'")
_JOIN_WORDS: Final = (
    "Join the words of a name with `_`, as in `{{ first_name }}`, and give the column or the value this name. Put text"
    " in quotes."
)
MAX_DEPTH: Final = 60
"""The maximum depth of nesting. Python's recursion limits allow about twice as much."""

_LARGEST_NUMBER: Final = 10**300
"""Python refuses to write much larger whole numbers, and has no much larger floats."""


@frozen
class Reference:
    """A file that a template extends, includes or imports."""

    name: str
    line: int
    optional: bool


@define
class TokenBudget:
    """The number of tokens that a template may still have, over all its files."""

    left: int = MAX_TOKENS


@contextmanager
def compiling(locate: Callable[[int], str]) -> Iterator[None]:
    """Turn any exception from parsing or compiling a template into a `TemplateError` with its location.

    Args:
        locate: returns the location of a line, by Jinja's line number.
    """
    try:
        yield
    except MetrixChannelsError:
        raise
    except TemplateSyntaxError as error:
        message = error.message or "it cannot be read"
        if (found := _SPACE_IN_NAME.fullmatch(message)) and found[1].isidentifier():
            message, remedy = f"a name cannot contain a space, as the one before {shown(found[1])} does", _JOIN_WORDS
            raise TemplateError(message, code="template_syntax", remedy=remedy, location=locate(error.lineno)) from None
        raise _syntax(message, locate(error.lineno)) from None
    except SyntaxError as error:  # in the Python code that Jinja generates
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
        sandbox: defines the syntax, filters and tests.
        text: the text of the template.
        lines: the position of the text in its file.
        budget: reduced by the tokens of the text.

    Returns:
        The tree, with the line numbers of the file.

    Raises:
        TemplateError: `template_syntax`, also for an unknown filter or test; `template_too_costly` if it has too many
            tokens.
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
            child.lineno = child.lineno or node.lineno  # Jinja does not set it for some nodes
        node.lineno = lines.number(node.lineno)
    return tree


def walk(node: nodes.Node, depth: int = 0) -> Iterator[tuple[nodes.Node, int]]:
    """Yield the nodes of a tree in order, each with its depth, without recursion."""
    waiting = [(node, depth)]
    while waiting:
        node, depth = waiting.pop()
        yield node, depth
        waiting.extend((child, depth + 1) for child in reversed([*node.iter_child_nodes()]))


def references(tree: nodes.Template, lines: Lines) -> list[Reference]:
    """Return the files that a template extends, includes or imports.

    Raises:
        TemplateError: `template_syntax` if a name is not a string literal, because all files of a template must be
            known before it is rendered.
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
    """Return the names that a template uses from its context.

    Args:
        tree: the tree of the template.
        parents: the names that the files it refers to use.
    """
    used = _find_undeclared(tree)
    if not any(isinstance(node, nodes.Extends) for node in tree.body):
        return used | parents
    # In a template that extends a layout, top-level assignments run before all blocks and the layout.
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
    return _find_undeclared(head) | ((used | parents) - assigned)


class _Tracker(TrackingCodeGenerator):
    def __init__(self, tree: nodes.Template) -> None:
        super().__init__(tree.environment)  # type: ignore[arg-type]
        # The optimizer would evaluate constants such as 'a' * 10**8.
        self.optimizer = None


def _find_undeclared(tree: nodes.Template) -> frozenset[str]:
    tracker = _Tracker(tree)
    tracker.visit(tree)
    return frozenset(tracker.undeclared_identifiers)


def strict_text(tree: nodes.Template) -> None:
    """Make `a ~ b` accept only what a message can contain; Jinja would write None as "None"."""
    for concat in tree.find_all(nodes.Concat):
        concat.nodes = [_as_string(node) for node in concat.nodes]


def compile_tree(sandbox: Sandbox, tree: nodes.Template, name: str) -> Template:
    """Compile a tree that has the line numbers of its file.

    Raises:
        TemplateSyntaxError: Jinja cannot compile it.
        SyntaxError: Python cannot compile it; the line number is the file's too.
    """
    source = sandbox.compile(tree, name, name, raw=True)
    try:
        code = compile(source, name, "exec")
    except SyntaxError as error:
        error.lineno = _line_of_template(source, error.lineno or 1)
        raise
    return Template.from_code(sandbox, code, {})


def _line_of_template(source: str, line: int) -> int:
    """Return the template's line for a line of Jinja's Python code, from the mapping in the code's last line."""
    pairs = [(int(ours), int(pythons)) for ours, pythons in re.findall(r"(\d+)=(\d+)", source.rpartition("\n")[2])]
    return max(((pythons, ours) for ours, pythons in pairs if pythons <= line), default=(1, 1))[1]


def _as_string(node: nodes.Expr) -> nodes.Expr:
    if isinstance(node, nodes.Const) and isinstance(node.value, str):
        return node
    return nodes.Filter(node, "string", [], [], None, None, lineno=node.lineno, environment=node.environment)


def _check(node: nodes.Node, sandbox: Sandbox, lines: Lines) -> None:
    """Refuse errors that Jinja would find later, or not at all."""
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
