"""The sandbox that templates run in: plain data, items of mappings, an allow-list of filters, nothing else."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from types import MethodType
from typing import Any, Final

from jinja2 import BaseLoader, Environment, StrictUndefined, Template, TemplateNotFound, UndefinedError, pass_context
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
    """A template used a name, or an item, that is not there.

    Attributes:
        name: the name or the item's key.
        owner: the value that has no such item; `jinja2.utils.missing` for a name of the context.
        hint: Jinja's words where it is neither, such as a `super()` without a parent.
    """

    def __init__(self, hint: str | None, name: object, owner: object, message: str | None) -> None:
        super().__init__(message)
        self.hint = hint
        self.name = name
        self.owner = owner


class _Missing(StrictUndefined):
    """Raises `NameMissing`, which knows the name, whatever is done with it."""

    __slots__ = ()

    def __init__(
        self,
        hint: str | None = None,
        obj: Any = missing,
        name: str | None = None,
        exc: type[Exception] = UndefinedError,
    ) -> None:
        # Jinja calls it with the message, as it would call the class of an exception.
        super().__init__(hint, obj, name, partial(NameMissing, hint, name, obj))  # type: ignore[arg-type]


class Loader(BaseLoader):
    """Gives templates that were compiled beforehand; it never touches a file."""

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
    # It takes the context so that nothing is evaluated while a template is compiled.
    return as_text(value)


class Sandbox(ImmutableSandboxedEnvironment):
    """Jinja without any object whose methods could be reached."""

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
        """Return the item, never an attribute: a column called `items` is the column."""
        return self.getitem(obj, attribute)

    def getitem(self, obj: Any, argument: Any) -> Any:
        """Return an item of plain data, or what templates need of Jinja's own objects."""
        kind = type(obj)
        if kind is dict or kind is list or kind is tuple or kind is str or kind is Markup:
            try:
                return obj[argument]
            except (LookupError, TypeError):
                return self.undefined(obj=obj, name=argument)
        return self._of_jinja(obj, kind, argument)

    def _of_jinja(self, obj: Any, kind: type, argument: Any) -> Any:
        if isinstance(obj, Undefined):
            str(obj)  # raises: the class is strict
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


def run(template: Template, values: Mapping[str, Any], limit: int) -> str | None:
    """Render a compiled template.

    Args:
        template: of a `Sandbox`.
        values: the context; it is not copied and not changed.
        limit: characters that the text may have.

    Returns:
        The text, or None when it grew longer than `limit`.
    """
    context = Context(template.environment, values, template.name, template.blocks)  # type: ignore[arg-type]
    pieces: list[str] = []
    keep: Callable[[str], None] = pieces.append
    for piece in template.root_render_func(context):
        keep(piece)
        limit -= len(piece)
        if limit < 0:
            return None
    return "".join(pieces)
