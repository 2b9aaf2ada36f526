"""Explains an exception from rendering a template, with file, line, column and variable."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from itertools import islice
from pathlib import Path
from types import TracebackType
from typing import Any, Final

from attrs import frozen
from jinja2 import TemplateNotFound, TemplateRuntimeError, UndefinedError
from jinja2.defaults import DEFAULT_NAMESPACE
from jinja2.exceptions import FilterArgumentError, SecurityError
from jinja2.utils import missing

from ..errors import MetrixChannelsError, TemplateError
from ..errors.catalogue import CATALOGUE
from ..printable import printable
from .environment import NameMissing
from .filters.allowed import ValueRefused, name_of
from .filters.numbers import NumberRefused
from .filters.persian import DateRefused
from .folder import SAMPLE, shown
from .lines import Lines, code_of

_REMEDIES: Final[Mapping[type, str]] = {
    DateRefused: "Pass a Gregorian date, such as 2026-03-20, as in `{{ date | jalali }}`.",
    NumberRefused: "Pass a number, such as 1248000 or 12.5.",
}
_GIVE_A_VALUE: Final = (
    'Give it a value: `context={"NAME": …}` in Python, `--set NAME=…` on the command line. Or give it a default in the'
    ' template, as in `{{ NAME | default("…") }}`.'
)
_CONVERT: Final = "Convert the value in the template with `int`, `float` or `string`, as in `{{ total | int + 1 }}`."
_NAME: Final = re.compile(r"(?<![\w.'\"])[^\W\d]\w*(?:\.\w+)*")
_NOT_THERE: Final = object()
_LONGEST_NAME: Final = 50
_MOST_NAMES: Final = 500


@frozen
class Place:
    """A line of one file of a template."""

    lines: Lines
    line: int

    def at(self, word: str | None = None) -> str:
        """Return `file:line:column`, at `word` where it is found."""
        return self.lines.of_file(self.line, word)


def explain(error: Exception, place: Place, values: Mapping[str, Any]) -> MetrixChannelsError:
    """Return the error to raise for an exception of a template; it never shows a value."""
    if isinstance(error, MetrixChannelsError):
        return type(error)(error.message, code=error.code, remedy=error.remedy, location=error.location or place.at())
    if isinstance(error, FilterArgumentError) and isinstance(error.__cause__, TypeError):
        error = error.__cause__  # the filter is used correctly, but does not accept the value
    if isinstance(error, NameMissing):
        return _explain_undefined(error, place, values)
    if isinstance(error, UndefinedError):
        return TemplateError(str(error), code="template_undefined", location=place.at())
    if isinstance(error, ValueRefused | DateRefused | NumberRefused):
        return _explain_refused(str(error), place, values, _REMEDIES.get(type(error)))
    if isinstance(error, MemoryError | RecursionError | OverflowError):
        return TemplateError("rendering needs too much memory", code="template_too_costly", location=place.at())
    if isinstance(error, SecurityError):
        return TemplateError("a template cannot call this", code="template_syntax", location=place.at())
    if isinstance(error, TemplateNotFound):
        return TemplateError("a file of the template is missing", code="template_missing", location=place.at())
    if isinstance(error, TemplateRuntimeError):
        return TemplateError("a tag or filter is used incorrectly", code="template_syntax", location=place.at())
    # Only the message of a TypeError is known to contain types and never values.
    detail = f": {error}" if isinstance(error, TypeError) else ""
    message = f"an operation does not accept its values ({type(error).__name__}{detail})"
    return _explain_refused(message, place, values, _CONVERT)


def point_to_sample(error: MetrixChannelsError, folder: Path, locale: str | None) -> MetrixChannelsError:
    """Return the error of a template that was rendered with its sample; a missing value belongs into the sample.

    Args:
        error: from rendering.
        folder: of the template.
        locale: None for the file without a locale.
    """
    if error.code != "template_undefined":
        return error
    files = printable(str(folder / SAMPLE)) + (f" or sample.{locale}.yaml beside it" if locale else "")
    remedy = f"Add the value to {files}, or give it a default in the template with `default`."
    return type(error)(error.message, code=error.code, remedy=remedy, location=error.location)


def template_of(trace: TracebackType | None) -> tuple[str, int] | None:
    """Return the name and line of the innermost template in a traceback."""
    found = None
    while trace is not None:
        template = trace.tb_frame.f_globals.get("__jinja_template__")
        if template is not None and template.name is not None:
            found = template.name, template.get_corresponding_lineno(trace.tb_lineno)
        trace = trace.tb_next
    return found


def _explain_undefined(error: NameMissing, place: Place, values: Mapping[str, Any]) -> TemplateError:
    name = str(error.name)
    if error.owner is missing:
        # The hint is Jinja's message for errors other than a name that is missing in the context.
        message = f"{shown(name)} is not defined" if error.hint is None else error.hint
        known = [key for key in values if key != "now"]
    else:
        message = f"{name_of(error.owner)} has no item {shown(name)}"
        known = list(error.owner) if isinstance(error.owner, dict) else []
    near = _near(name, known)
    hint = f"Did you mean {shown(near)}? " if near else ""
    if error.owner is missing and name in DEFAULT_NAMESPACE:
        hint = f"Jinja's function {shown(name)} is not available in templates. "
    is_short = len(name) <= _LONGEST_NAME and error.owner is missing
    remedy = _GIVE_A_VALUE.replace("NAME", name) if is_short else CATALOGUE["template_undefined"].remedy
    return TemplateError(
        message,
        code="template_undefined",
        remedy=f"{hint}{remedy}",
        location=place.at(name),
    )


def _near(name: str, known: Iterable[str]) -> str | None:
    """Return the known name that is most similar to `name`; long names and long lists are skipped for speed."""
    if len(name) > _LONGEST_NAME:
        return None
    return next(iter(get_close_matches(name, islice(known, _MOST_NAMES), 1)), None)


def _explain_refused(message: str, place: Place, values: Mapping[str, Any], remedy: str | None) -> TemplateError:
    name = _find_culprit(code_of(place.lines.text, place.line), values)
    about = f" (see {shown(name)})" if name else ""
    return TemplateError(
        message + about,
        code="template_value_refused",
        remedy=remedy,
        location=place.at(name.rpartition(".")[2] if name else None),
    )


def _find_culprit(code: str, values: Mapping[str, Any]) -> str | None:
    """Return the name in a line of code whose value is neither text nor a number, or the only known name."""
    names: list[str] = _NAME.findall(code)
    found = {name: value for name in names if (value := _resolve(name, values)) is not _NOT_THERE}
    for name, value in found.items():
        if name_of(value) not in ("text", "a number"):
            return name
    return next(iter(found)) if len(found) == 1 else None


def _resolve(name: str, values: Mapping[str, Any]) -> Any:
    value: Any = values
    for part in name.split("."):
        if not isinstance(value, Mapping) or part not in value:
            return _NOT_THERE
        value = value[part]
    return value
