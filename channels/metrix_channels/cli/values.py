"""Reads values from the command line: template values, attributes, durations."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

from ..config.kinds import span
from ..errors import UsageError
from ..files import FileTooLarge, read_regular, remedy_for
from ..printable import quoted

_LONGEST = 4_000_000
_SHORTER = "Give only the values that the template uses."


def read_context(file: Path | None, pairs: Sequence[str]) -> dict[str, Any]:
    """Merge the values of a JSON file with `NAME=VALUE` pairs; the pairs take precedence.

    Raises:
        UsageError: the file cannot be read or is not a JSON object; a pair has no `=` or no name.
    """
    context = _from_file(file) if file is not None else {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not equals or not name.isidentifier():
            remedy = "Write --set first_name=سارا, with a name of letters, digits and _, and no space around the `=`."
            raise UsageError(f"--set {pair!r} is not NAME=VALUE.", code="usage", remedy=remedy)
        context[name] = value
    return context


def typed_value(option: str, pair: str) -> tuple[str, Any]:
    """Read `k=v` with a text value, or `k:=v` with a JSON value.

    Raises:
        UsageError: the pair has another form, or the value is not JSON.
    """
    name, equals, value = pair.partition("=")
    if not equals or not name.removesuffix(":"):
        remedy = f"Write {option} city=تهران, or {option} total:=12.5 for a number."
        raise UsageError(f"{option} {pair!r} is not NAME=VALUE.", code="usage", remedy=remedy)
    if not name.endswith(":"):
        return name, value
    try:
        return name[:-1], json.loads(value, parse_constant=_refuse_constant, object_pairs_hook=_refuse_repetition)
    except (ValueError, RecursionError) as error:
        remedy = "After :=, write JSON: a number, true, false, a list, an object, or text in double quotes."
        raise UsageError(f"{option} {pair!r} is not valid JSON: {error}.", code="usage", remedy=remedy) from error


def read_duration(option: str, text: str) -> timedelta:
    """Read a duration such as 90d.

    Raises:
        UsageError: the text is not a duration.
    """
    try:
        return span(most="3660d").parse(text)
    except ValueError as error:
        raise UsageError(
            f"{option} {text!r} is not a valid duration.",
            code="usage",
            remedy="Write a number and its unit, such as 3s, 12h or 90d.",
        ) from error


def _from_file(file: Path) -> dict[str, Any]:
    try:
        text = read_regular(file, _LONGEST).decode("utf-8-sig")
    except (OSError, UnicodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        remedy = _remedy(error)
        raise UsageError(
            f"{quoted(str(file))} cannot be read: {why}.", code="file_unreadable", remedy=remedy
        ) from error
    try:
        found = json.loads(text, parse_constant=_refuse_constant, object_pairs_hook=_refuse_repetition)
    except RecursionError as error:
        raise UsageError(f"{file}: nested too deeply.", code="usage", remedy="Flatten the values.") from error
    except json.JSONDecodeError as error:
        where = f"{file}:{error.lineno}:{error.colno}"
        raise UsageError(
            f"Invalid JSON: {error.msg}.", code="usage", remedy="Correct the file.", location=where
        ) from error
    except ValueError as error:
        raise UsageError(f"{file}: {error}.", code="usage", remedy="Correct the file.") from error
    if not isinstance(found, dict):
        raise UsageError(f"{file}: the values must be a JSON object.", code="usage", remedy='Write {"name": "value"}.')
    return found


def _remedy(error: OSError | UnicodeError) -> str | None:
    if isinstance(error, FileTooLarge):
        return _SHORTER
    return remedy_for(error) if isinstance(error, OSError) else "Save the file as UTF-8."


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not valid JSON")


def _refuse_repetition(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("an object contains the same name twice")
    return found
