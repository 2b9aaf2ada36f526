"""Compiles one template from the texts of its files, and renders the fields of a message. It reads no file itself."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from functools import partial
from itertools import count
from typing import Any, Final

from jinja2 import Template, nodes

from ..errors import TemplateError
from ..models import JsonValue
from .context import MAX_SIZE
from .cost.bound import Cost
from .diagnosis import Place, explain, template_of
from .environment import Loader, PlainText, Sandbox, run
from .folder import shown
from .front_matter import FieldPath, FrontMatter, split, title_of_subject
from .lines import Lines
from .near_front_matter import refuse_near_front_matter
from .syntax import (
    Reference,
    TokenBudget,
    compile_tree,
    compiling,
    parse,
    references,
    strict_text,
    variables,
    walk,
)

MAX_FILES: Final = 30
MAX_TEXTS: Final = 500
BODY_LIMIT: Final = 4_000_000
FIELD_LIMIT: Final = 65_536

Values = Mapping[str, Any]
_Field = Callable[[Values], JsonValue]

_NOT_IN_FIELDS: Final = (
    *(nodes.Extends, nodes.Include, nodes.Import, nodes.FromImport),
    *(nodes.Block, nodes.Macro, nodes.CallBlock),
)
_keys = count()


class Program:
    """A compiled template.

    Args:
        main: the template's own file, relative to the root, with `/`.
        read: returns the text of a file by such a name, or raises FileNotFoundError.
        root: the folder in front of file names in errors.
        email: whether `subject` means `title`.

    Attributes:
        key: a number that is unique in this process.
        texts: the texts of all its files, its own first; None for an optional file that is absent.
        variables: the names that it uses from the context.
        sensitive: names of values that must not appear in logs.
        cost: an upper bound of its cost.

    Raises:
        TemplateError: it cannot be read or compiled.
    """

    def __init__(self, main: str, read: Callable[[str], str], root: str, *, email: bool) -> None:
        self.key: int = next(_keys)
        self.main: str = main
        self.root: str = root
        self.email: bool = email
        self.texts: dict[str, str | None] = {main: read(main)}
        self._read = read
        self._html = main.endswith(".html.j2")
        self._sandbox = self._new_sandbox(html=self._html)
        self._trees: dict[str, tuple[nodes.Template, list[Reference]]] = {}
        self._budget = TokenBudget()
        head, body, first_line = split(str(self.texts[main]), self._source(main))
        self._load(main, body, self._lines(main, first_line), (main,))
        self.sensitive: frozenset[str] = head.sensitive
        texts = self._parse_fields(head)
        fields = [tree for tree, _ in texts.values()]
        self.variables: frozenset[str] = self._variables(fields)
        files = {name: tree for name, (tree, _) in self._trees.items()}
        self._look_at(files, fields)
        self._body = self._compile_files()
        self._plain_body = None if self._html else PlainText.of(files[main])
        self._fields = self._compile_fields(head, texts)
        self.cost: Cost = Cost(files, fields, html=self._html)

    def render(self, values: Values) -> dict[str, JsonValue]:
        """Return the fields of the message for `values`, which must be plain data.

        Raises:
            TemplateError: with file, line and column, and with the variable at fault, if there is one.
        """
        try:
            fields: dict[str, JsonValue] = {}
            for name, field in self._fields.items():
                fields[name] = field(values)
            fields["body"] = run(self._body, self._plain_body, values, BODY_LIMIT)
        except Exception as error:  # noqa: BLE001  whatever a template raises is the template's error
            name, line = template_of(error.__traceback__) or (self.main, 1)
            raise explain(error, Place(self._lines(name), line), values) from None
        if fields["body"] is None:
            raise self.too_costly(f"the text is longer than {BODY_LIMIT:,} characters")
        return fields

    def too_costly(self, why: str) -> TemplateError:
        """Return the error for a rendering that was stopped; its location is the most costly part."""
        risk = self.cost.heaviest(MAX_SIZE)
        because = f"; its cost is hard to predict because of {risk.reason}" if risk else ""
        place = Place(self._lines(risk.file if risk else self.main), risk.line if risk else 1)
        return TemplateError(f"rendering was stopped: {why}{because}", code="template_too_costly", location=place.at())

    def _source(self, name: str) -> str:
        return f"{self.root}/{name}"

    def _lines(self, name: str, first: int = 1) -> Lines:
        return Lines(self._source(name), self.texts.get(name) or "", first)

    def _new_sandbox(self, *, html: bool) -> Sandbox:
        return Sandbox(html=html)

    def _look_at(self, files: Mapping[str, nodes.Template], texts: Sequence[nodes.Template]) -> None:
        """Inspect the whole template before it is compiled; for subclasses."""

    # -- reading

    def _load(self, name: str, text: str, lines: Lines, chain: tuple[str, ...]) -> None:
        """Parse a file and all files that it refers to, which come first in `_trees`."""
        tree = parse(self._sandbox, text, lines, self._budget)
        refuse_near_front_matter(text, lines, own=name == self.main)
        found = references(tree, lines)
        for reference in found:
            place = lines.of_file(reference.line)
            if reference.name in chain:
                raise TemplateError(
                    f"{shown(reference.name)} includes or extends itself", code="template_syntax", location=place
                )
            if reference.name not in self.texts and self._fetch(reference, place):
                inner = str(self.texts[reference.name])
                self._load(reference.name, inner, self._lines(reference.name), (*chain, reference.name))
        self._trees[name] = tree, found

    def _fetch(self, reference: Reference, place: str) -> bool:
        """Read a file that another one refers to; return whether it exists."""
        if len(self.texts) >= MAX_FILES:
            raise TemplateError(
                f"the template consists of more than {MAX_FILES} files", code="template_too_costly", location=place
            )
        try:
            self.texts[reference.name] = self._read(reference.name)
        except FileNotFoundError:
            if not reference.optional:
                raise TemplateError(
                    f"there is no file {shown(reference.name)} in {self.root}",
                    code="template_missing",
                    remedy="Create it, or correct the name, which is relative to the templates folder.",
                    location=place,
                ) from None
            self.texts[reference.name] = None
            return False
        except TemplateError as error:
            raise TemplateError(
                error.message, code=error.code, remedy=error.remedy, location=error.location or place
            ) from None
        return True

    def _parse_fields(self, head: FrontMatter) -> dict[FieldPath, tuple[nodes.Template, Lines]]:
        """Parse each text of the front matter as a template of its own."""
        if len(head.lines) > MAX_TEXTS:
            raise TemplateError(
                f"the front matter has more than {MAX_TEXTS} texts",
                code="template_front_matter",
                location=f"{self._source(self.main)}:1:1",
            )
        text_only = self._new_sandbox(html=False)
        found = {}
        for path, (first, own) in head.lines.items():
            lines = Lines(self._source(self.main), str(self.texts[self.main]), first, own)
            tree = parse(text_only, _text_at(head.fields, path), lines, self._budget)
            if (tag := next((n for n, _ in walk(tree) if isinstance(n, _NOT_IN_FIELDS)), None)) is not None:
                raise TemplateError(
                    f"`{type(tag).__name__.lower()}` is not allowed in the front matter",
                    code="template_front_matter",
                    remedy="Use it in the text below the front matter.",
                    location=lines.of_file(tag.lineno),
                )
            found[path] = tree, lines
        return found

    def _variables(self, fields: list[nodes.Template]) -> frozenset[str]:
        used: dict[str, frozenset[str]] = {}
        for name, (tree, found) in self._trees.items():
            with self._compiling(name):
                used[name] = variables(tree, frozenset().union(*(used.get(ref.name, ()) for ref in found)))
        with self._compiling(self.main):
            return used[self.main].union(*map(variables, fields)) - {"now"}

    # -- compiling

    def _compile_files(self) -> Template:
        loader = self._sandbox.loader
        assert isinstance(loader, Loader)  # noqa: S101  the sandbox made it
        for name, (tree, _) in self._trees.items():
            loader.compiled[name] = self._compile(self._sandbox, tree, name)
        return loader.compiled[self.main]

    def _compile(self, sandbox: Sandbox, tree: nodes.Template, name: str) -> Template:
        with self._compiling(name):
            strict_text(tree)
            return compile_tree(sandbox, tree, name)

    def _compiling(self, name: str) -> AbstractContextManager[None]:
        """Turn exceptions for a tree that has the line numbers of its file into `TemplateError`."""
        return compiling(self._lines(name).of_file)

    def _compile_fields(
        self, head: FrontMatter, texts: Mapping[FieldPath, tuple[nodes.Template, Lines]]
    ) -> dict[str, _Field]:
        fields = title_of_subject(head.fields, self._source(self.main)) if self.email else dict(head.fields)
        original = {"title": "subject"} if self.email and "subject" in head.fields else {}
        sandbox = self._new_sandbox(html=False)

        def build(value: JsonValue, path: FieldPath) -> _Field:
            if isinstance(value, str):
                return self._compile_text(sandbox, texts[path][0])
            if isinstance(value, Mapping):
                parts = {key: build(item, (*path, key)) for key, item in value.items()}
                return lambda values: {key: part(values) for key, part in parts.items()}
            if isinstance(value, list):
                items = [build(item, (*path, index)) for index, item in enumerate(value)]
                return lambda values: [item(values) for item in items]
            return lambda _values: value

        return {name: build(value, (original.get(name, name),)) for name, value in fields.items()}

    def _compile_text(self, sandbox: Sandbox, tree: nodes.Template) -> _Field:
        if (constant := _constant(tree)) is not None:
            return lambda _values: constant
        return partial(self._render_text, self._compile(sandbox, tree, self.main), PlainText.of(tree), tree.lineno)

    def _render_text(self, template: Template, plain: PlainText | None, line: int, values: Values) -> str:
        text = run(template, plain, values, FIELD_LIMIT)
        if text is None:
            raise TemplateError(
                f"a field is longer than {FIELD_LIMIT:,} characters",
                code="template_too_costly",
                location=self._lines(self.main).of_file(line),
            )
        return text


def _text_at(fields: Mapping[str, JsonValue], path: FieldPath) -> str:
    value: Any = fields
    for part in path:
        value = value[part]
    return str(value)


def _constant(tree: nodes.Template) -> str | None:
    """Return the text of a template that has no code; None if it has."""
    parts = [part for output in tree.body if isinstance(output, nodes.Output) for part in output.nodes]
    plain = [part.data for part in parts if isinstance(part, nodes.TemplateData)]
    only_output = all(isinstance(node, nodes.Output) for node in tree.body)
    return "".join(plain) if only_output and len(plain) == len(parts) else None
