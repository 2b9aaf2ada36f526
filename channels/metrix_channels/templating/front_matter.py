"""Reads the front matter of a template file: the fields of a message as YAML, parsed before Jinja sees any of it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from attrs import frozen

from ..config import parse_yaml
from ..errors import ConfigError, MetrixChannelsError, TemplateError
from ..models import JsonValue
from .near_front_matter import escape_line, is_fence

_FENCE: Final = re.compile(r"---[ \t]*")
_BARE_EXPRESSION: Final = re.compile(r"(?:^|[:\-\[,])[ \t]*\{[{%]")

FieldPath = tuple[str | int, ...]


@frozen
class FrontMatter:
    """The fields as written in the file.

    Attributes:
        fields: the fields by name. Names are not templates; each text in a value is one.
        sensitive: names of values that must not appear in logs.
        lines: for the text at each path, the line where it starts, and whether its lines are lines of the file.
    """

    fields: Mapping[str, JsonValue]
    sensitive: frozenset[str]
    lines: Mapping[FieldPath, tuple[int, bool]]


_NONE: Final = FrontMatter({}, frozenset(), {})


def split(text: str, source: str) -> tuple[FrontMatter, str, int]:
    """Split a template's text into front matter and body.

    Args:
        text: the text of the whole file.
        source: the name of the file in errors.

    Returns:
        The front matter, the body, and the line number of the body's first line.

    Raises:
        TemplateError: `template_front_matter`; `yaml_invalid` and `yaml_refused` for the YAML.
    """
    lines = text.split("\n")
    if not _FENCE.fullmatch(lines[0]):
        return _NONE, text, 1
    end = next((number for number, line in enumerate(lines[1:], 1) if _FENCE.fullmatch(line)), None)
    if end is None:
        _refuse_near_end(lines[1:], source)
        raise _wrong("the front matter that starts here is not closed by a second line `---`", f"{source}:1:1")
    try:
        return _read(lines[: end + 1], source), "\n".join(lines[end + 1 :]), end + 2
    except TemplateError as error:
        _refuse_near_end(lines[1 : _line_of(error)], source)
        raise


def _refuse_near_end(lines: list[str], source: str) -> None:
    """Refuse the first line that was probably meant to close the front matter."""
    near = next((number for number, line in enumerate(lines, 2) if is_fence(line)), None)
    if near is not None:
        raise _wrong(f"front matter ends with a line `---`, not {escape_line(lines[near - 2])}", f"{source}:{near}:1")


def _read(lines: list[str], source: str) -> FrontMatter:
    try:
        document = parse_yaml("\n".join(lines[1:-1]), source, first_line=2)
    except ConfigError as error:
        raise _in_template(error, lines) from None
    data = {} if document.data is None else document.data
    if not isinstance(data, dict):
        remedy = "Write one field per line, such as `title: Your order`."
        raise _wrong("the front matter is not a mapping of fields", document.location(), remedy)
    if "body" in data:
        message = "the front matter cannot have a field `body`: the text below it is the body"
        remedy = "Remove `body`, and write the text below the second line `---`."
        raise _wrong(message, document.location(("body",), key=True), remedy)
    fields = {name: value for name, value in data.items() if name != "sensitive"}
    places: dict[FieldPath, tuple[int, bool]] = {}
    for path in _texts(fields, ()):
        line, column = document.position(path)
        literal = lines[line - 1][column - 1 : column] == "|"
        places[path] = (line + 1 if literal else line, literal)
    sensitive = _names(data.get("sensitive", []), document.location(("sensitive",)))
    return FrontMatter(fields, sensitive, places)


def _names(value: JsonValue, location: str) -> frozenset[str]:
    if isinstance(value, list) and all(isinstance(name, str) and name.isidentifier() for name in value):
        return frozenset(str(name) for name in value)
    remedy = "Write `sensitive: [code]`, with the names of the template's sensitive values."
    raise _wrong("`sensitive` must be a list of names", location, remedy)


def _texts(value: JsonValue, path: FieldPath) -> list[FieldPath]:
    """Return the paths of all texts in a value."""
    if isinstance(value, str):
        return [path]
    if isinstance(value, Mapping):
        return [found for key, item in value.items() for found in _texts(item, (*path, key))]
    if isinstance(value, list):
        return [found for index, item in enumerate(value) for found in _texts(item, (*path, index))]
    return []


def _in_template(error: ConfigError, lines: list[str]) -> TemplateError:
    line = _line_of(error)
    remedy = error.remedy
    if line <= len(lines) and _BARE_EXPRESSION.search(lines[line - 1]):
        remedy = 'Put a value that starts with {{ or {% in quotes: "{{ name }}".'
    return TemplateError(error.message, code=error.code, remedy=remedy, location=error.location)


def _line_of(error: MetrixChannelsError) -> int:
    return int((error.location or "::").split(":")[-2] or 1)


def _wrong(message: str, location: str, remedy: str | None = None) -> TemplateError:
    return TemplateError(message, code="template_front_matter", remedy=remedy, location=location)


def title_of_subject(fields: Mapping[str, JsonValue], source: str) -> dict[str, JsonValue]:
    """Return an email's fields with `subject` renamed to `title`, as Metrix calls it."""
    if "subject" in fields and "title" in fields:
        message = "`subject` and `title` are the same field of an email"
        raise _wrong(message, f"{source}:1:1", "Remove `subject` or `title`.")
    return {"title" if name == "subject" else name: value for name, value in fields.items()}
