"""The sandbox for templates: only plain data, items of mappings, and an allow-list of filters."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from types import MethodType
from typing import Any, Final

from jinja2 import (
    BaseLoader,
    Environment,
    StrictUndefined,
    Template,
    TemplateNotFound,
    UndefinedError,
    nodes,
    pass_context,
)
from jinja2.environment import TemplateModule
from jinja2.runtime import BlockReference, Context, LoopContext, Macro, TemplateReference, Undefined
from jinja2.sandbox import ImmutableSandboxedEnvironment
from jinja2.utils import missing
from markupsafe import Markup

from .filters.allowed import FILTERS, TESTS, as_text

_OF_LOOP: Final = frozenset(
    (
        *("index", "index0", "revindex", "revindex0", "first", "last", "length", "depth", "depth0"),
        *("previtem", "nextitem", "cycle", "changed"),
    )
)


class NameMissing(UndefinedError):
    """A template used a name or an item that does not exist.

    Attributes:
        name: the name or the item's key.
        owner: the value that has no such item; `jinja2.utils.missing` for a name of the context.
        hint: Jinja's message for other cases, such as a `super()` without a parent.
    """

    def __init__(self, hint: str | None, name: object, owner: object, message: str | None) -> None:
        super().__init__(message)
        self.hint = hint
        self.name = name
        self.owner = owner


class _Missing(StrictUndefined):
    """Raises `NameMissing`, which contains the name, at any use."""

    __slots__ = ()

    def __init__(
        self,
        hint: str | None = None,
        obj: Any = missing,
        name: str | None = None,
        exc: type[Exception] = UndefinedError,
    ) -> None:
        # Jinja calls this like an exception class, with the message.
        super().__init__(hint, obj, name, partial(NameMissing, hint, name, obj))  # type: ignore[arg-type]


class Loader(BaseLoader):
    """Returns templates that were compiled before; it never reads a file."""

    def __init__(self) -> None:
        self.compiled: dict[str, Template] = {}

    def load(
        self,
        environment: Environment,
        name: str,
        globals: Any = None,  # noqa: A002
    ) -> Template:
        """Return the compiled template `name`."""
        try:
            return self.compiled[name]
        except KeyError:
            raise TemplateNotFound(name) from None


@pass_context
def _finalize(_context: Context, value: Any) -> Any:
    # `pass_context` keeps Jinja from evaluating constants while it compiles a template.
    return as_text(value)


class Sandbox(ImmutableSandboxedEnvironment):
    """A Jinja environment in which templates cannot reach the methods of objects."""

    def __init__(self, *, html: bool) -> None:
        super().__init__(
            autoescape=html, undefined=_Missing, finalize=_finalize, optimized=False, loader=Loader(), cache_size=-1
        )
        self.auto_reload = False
        self.globals.clear()
        self.filters.clear()
        self.filters.update(FILTERS)
        self.tests.clear()
        self.tests.update(TESTS)

    def getattr(self, obj: Any, attribute: str) -> Any:
        """Return the item, never an attribute, so that `items` means the column with this name."""
        return self.getitem(obj, attribute)

    def getitem(self, obj: Any, argument: Any) -> Any:
        """Return an item of plain data, or an allowed attribute of Jinja's own objects."""
        kind = type(obj)
        if kind is dict or kind is list or kind is tuple or kind is str or kind is Markup:
            try:
                return obj[argument]
            except (LookupError, TypeError):
                return self.undefined(obj=obj, name=argument)
        return self._get_jinja_item(obj, kind, argument)

    def _get_jinja_item(self, obj: Any, kind: type, argument: Any) -> Any:
        if isinstance(obj, Undefined):
            str(obj)  # raises, because the class is strict
        if kind is LoopContext and argument in _OF_LOOP:
            return getattr(obj, argument)
        if kind is BlockReference and argument == "super":
            return obj.super
        if kind is TemplateReference and isinstance(argument, str):
            try:
                return obj[argument]
            except LookupError:
                pass
        if kind is TemplateModule and isinstance(argument, str) and not argument.startswith("_"):
            return vars(obj).get(argument) or self.undefined(obj=obj, name=argument)
        return self.undefined(obj=obj, name=argument)

    def is_safe_callable(self, obj: Any) -> bool:
        """Allow `super()`, `self.block()`, macros and the methods of `loop`."""
        if isinstance(obj, MethodType):
            return type(obj.__self__) is LoopContext and obj.__name__ in ("cycle", "changed")
        return isinstance(obj, BlockReference | Macro | LoopContext | Undefined)


class PlainText:
    """A template that contains only text and names, such as `سلام {{ first_name }}`; Jinja takes four times as long.

    Args:
        pattern: the text, with `%s` for each name.
        names: the names, in order.
    """

    def __init__(self, pattern: str, names: tuple[str, ...]) -> None:
        self._pattern = pattern
        self._names = names

    @classmethod
    def of(cls, tree: nodes.Template) -> PlainText | None:
        """Return the form of a template without autoescaping; None if it contains anything else than text and names."""
        pattern, names = "", []
        for output in tree.body:
            if not isinstance(output, nodes.Output):
                return None
            for part in output.nodes:
                if isinstance(part, nodes.TemplateData):
                    pattern += part.data.replace("%", "%%")
                elif isinstance(part, nodes.Name) and part.name != "self":  # a name of Jinja
                    pattern += "%s"
                    names.append(part.name)
                else:
                    return None
        return cls(pattern, tuple(names))

    def render(self, values: Mapping[str, Any], limit: int) -> str | None:
        """Return the text; None if Jinja must render it, because a value is neither text nor a whole number.

        Args:
            values: the context.
            limit: the maximum length of the text; Jinja must render a longer one.
        """
        found, left = tuple(map(values.get, self._names)), limit
        for value in found:
            if type(value) is str:
                left -= len(value)
            elif type(value) is not int:
                return None
        if left < 0:
            return None
        text = self._pattern % found
        return text if len(text) <= limit else None


def run(template: Template, plain: PlainText | None, values: Mapping[str, Any], limit: int) -> str | None:
    """Render a compiled template.

    Args:
        template: a template that was compiled in a `Sandbox`.
        plain: the same template, if it contains only text and names.
        values: the context; it is neither copied nor changed.
        limit: the maximum length of the text.

    Returns:
        The text, or None if it is longer than `limit`.
    """
    if plain is not None and (text := plain.render(values, limit)) is not None:
        return text
    context = Context(template.environment, values, template.name, template.blocks)  # type: ignore[arg-type]
    pieces: list[str] = []
    keep: Callable[[str], None] = pieces.append
    for piece in template.root_render_func(context):
        keep(piece)
        limit -= len(piece)
        if limit < 0:
            return None
    return "".join(pieces)
