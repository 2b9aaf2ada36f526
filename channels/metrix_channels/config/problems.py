"""Turns cattrs' exceptions into one error that lists all problems by file, line and column."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping
from typing import NoReturn

import attrs
from attrs import frozen
from cattrs import BaseValidationError, ForbiddenExtraKeysError
from cattrs.errors import AttributeValidationNote, IterableValidationNote

from ..errors import ConfigError
from ..models import JsonValue
from ..printable import printable, quoted
from .environment import FILLED
from .kinds import Refusal
from .models import SETTING, key_of
from .strict_yaml import Document, KeyPath, Position

_LONGEST_SHOWN = 60
_MOST_LISTED = 50


@frozen
class _Problem:
    """One problem and its place in the file.

    Attributes:
        position: line and column.
        path: of the value.
        code: of the error.
        message: what is wrong.
        remedy: what to do; None for the catalogue's remedy.
        absent: the known key that an unknown key is probably meant to be, if the file lacks it. It is no other problem.
    """

    position: Position
    path: KeyPath
    code: str
    message: str
    remedy: str | None = None
    absent: str | None = None


def raise_problems(document: Document, filling: Mapping[KeyPath, Refusal], error: Exception | None) -> NoReturn:
    """Raise the first problem in the file; its message lists the others.

    Args:
        document: the configuration as the file has it.
        filling: problems with environment variables, by path.
        error: what cattrs raised.
    """
    problems = [_refused_value(document, path, refusal) for path, refusal in filling.items()]
    if error is not None:
        problems += [problem for problem in _walk(document, error, ()) if problem.path not in filling]
    respelled = {(*problem.path[:-1], problem.absent) for problem in problems if problem.absent}
    problems = [each for each in problems if each.code != "config_key_missing" or each.path not in respelled]
    problems.sort(key=lambda problem: problem.position)
    first, *others = problems
    message = first.message
    if others:
        lines = [f"{_location(document, problem)}: {problem.message}" for problem in others[:_MOST_LISTED]]
        message += f"\n{len(others)} more problem{'' if len(others) == 1 else 's'}:\n" + "\n".join(lines)
    raise ConfigError(message, code=first.code, remedy=first.remedy, location=_location(document, first)) from None


def _location(document: Document, problem: _Problem) -> str:
    line, column = problem.position
    return f"{document.source}:{line}:{column}"


def _walk(document: Document, error: Exception, path: KeyPath) -> Iterator[_Problem]:
    """Turn one of cattrs' exceptions, and those inside it, into problems."""
    if isinstance(error, BaseValidationError):
        for inner in error.exceptions:
            yield from _walk(document, inner, (*path, *_step(inner)))
    elif isinstance(error, ForbiddenExtraKeysError):
        for key in error.extra_fields:
            yield _unknown_key(document, (*path, key), error.cl)
    elif isinstance(error, KeyError):
        yield _missing_key(document, path)
    elif isinstance(error, Refusal):
        yield _refused_value(document, path, error)
    else:
        raise error


def _step(error: Exception) -> KeyPath:
    """Return the step that an exception adds to the path: a field's name, an index, or nothing."""
    for note in getattr(error, "__notes__", ()):
        if isinstance(note, AttributeValidationNote):
            return (key_of(note.name),)
        if isinstance(note, IterableValidationNote):
            return (note.index,)
    return ()


def _unknown_key(document: Document, path: KeyPath, cls: type) -> _Problem:
    known = [key_of(field.name) for field in attrs.fields(cls) if SETTING in field.metadata]
    key = str(path[-1])
    meant = _nearest(key, known)
    hint = f"; did you mean {meant!r}?" if meant else "; known keys: " + ", ".join(known)
    place = f" under {_write_path(path[:-1])}" if path[1:] else ""
    siblings = _value_at(document.data, path[:-1])
    absent = meant if isinstance(siblings, Mapping) and meant not in siblings else None
    message = f"unknown key {quoted(key, _LONGEST_SHOWN)}{place}{hint}"
    return _Problem(document.position(path, key=True), path, "config_key_unknown", message, absent=absent)


def _missing_key(document: Document, path: KeyPath) -> _Problem:
    place = f"under {_write_path(path[:-1])}" if path[1:] else "at the top level"
    message = f"the key {quoted(str(path[-1]))} is missing {place}"
    return _Problem(document.position(path[:-1], key=True), path, "config_key_missing", message)


def _refused_value(document: Document, path: KeyPath, refusal: Refusal) -> _Problem:
    value = _value_at(document.data, path)
    meant = _suggest(value, refusal.choices) if isinstance(value, str) else ""
    shown = "" if refusal.confidential else f", not {_describe(value, path)}"
    message = f"{_write_path(path)}: {refusal.message}{shown}{meant}"
    return _Problem(document.position(path, key=refusal.at_key), path, refusal.code, message, refusal.remedy)


def _value_at(data: JsonValue, path: KeyPath) -> JsonValue:
    for step in path:
        data = data[step]  # type: ignore[index]
    return data


def _describe(value: JsonValue, path: KeyPath) -> str:
    """Describe a value as the file has it; values from the environment are never shown."""
    if isinstance(value, dict):
        return "a mapping"
    if isinstance(value, list):
        return "a list"
    if isinstance(value, str) and path and path[0] in FILLED and "${" in value:
        return f"the value of {_shorten(printable(value))}"
    if value is None or isinstance(value, bool):
        return {None: "nothing", True: "true", False: "false"}[value]
    return quoted(value, _LONGEST_SHOWN) if isinstance(value, str) else _shorten(repr(value))


def _shorten(text: str) -> str:
    return text if len(text) <= _LONGEST_SHOWN else text[:_LONGEST_SHOWN] + "…"


def _suggest(word: str, choices: tuple[str, ...] | list[str]) -> str:
    meant = _nearest(word, choices)
    return f"; did you mean {meant!r}?" if meant else ""


def _nearest(word: str, choices: tuple[str, ...] | list[str]) -> str | None:
    return next(iter(difflib.get_close_matches(word.lower(), choices, n=1)), None)


def _write_path(path: KeyPath) -> str:
    """Write a path such as `channels.sms.type` or `suppress[0]`."""
    text = ""
    for step in path:
        plain = printable(str(step))
        text += f"[{step}]" if isinstance(step, int) else f".{plain}"
    return _shorten(text.removeprefix(".")) or "the file"
