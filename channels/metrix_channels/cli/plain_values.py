"""Accepts text, numbers and existing files as arguments without loading pydantic.

typer converts every value with pydantic, even text to text and missing options. Loading pydantic takes longer than the
rest of a short verb, and its messages about numbers are for developers. Only other values go to typer. The help of an
argument does not show its Python type either, such as `<str>`.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from attrs import frozen
from typer import BadParameter
from typer.core import TyperGroup

from ..printable import quoted


@frozen
class _PlainFirst:
    """Replaces typer's conversion of one parameter.

    Attributes:
        load: returns typer's conversion.
    """

    load: Callable[[], Any]

    def coerce(self, value: Any, param: Any, ctx: Any) -> Any:
        """Return the value for the verb, converted by typer only if necessary."""
        kind, asked = param.type_descriptor.annotation, param.type_descriptor.parameter_info
        if value is None:
            return () if param.multiple or param.nargs == -1 else None
        if kind == list[str] and isinstance(value, list | tuple) and all(map(_is_text, value)):
            return list(value)
        if kind is str and _is_text(value):
            return value
        if kind is int and isinstance(value, int):  # a default, or the number of -v
            return value
        if kind in (int, float) and isinstance(value, str):
            return _number(kind, value, param, ctx)
        if kind == list[int] and isinstance(value, list | tuple) and all(map(_is_text, value)):
            return [_number(int, each, param, ctx) for each in value]
        if kind is Path and asked.dir_okay and _is_path(str(value)) and os.access(value, os.R_OK):
            return Path(value)
        return self.load().coerce(value, param=param, ctx=ctx)


def take_plain_values(command: Any) -> None:
    """Make a command and its subcommands load typer's conversions only for values that need them."""
    parameters = command.get_params
    command.get_params = lambda context: [_plain_first(parameter) for parameter in parameters(context)]
    if isinstance(command, TyperGroup):
        for inner in command.commands.values():
            take_plain_values(inner)


def _number(kind: type[int | float], text: str, param: Any, ctx: Any) -> int | float:
    least, most = param.type_descriptor.parameter_info.min, param.type_descriptor.parameter_info.max
    try:
        number = kind(text)
    except ValueError:
        what = f"is not a {'whole number' if kind is int else 'number'}"
    else:
        if least is not None and number < least:
            what = f"is less than {least}"
        elif most is not None and number > most:
            what = f"is more than {most}"
        else:
            return number
    raise BadParameter(f"{quoted(text, 80)} {what}.", ctx=ctx, param=param)


def _plain_first(parameter: Any) -> Any:
    if "get_runtime_param" not in vars(parameter):
        conversion = _PlainFirst(parameter.get_runtime_param)
        parameter.get_runtime_param = lambda: conversion
        if parameter.param_type_name == "argument":
            parameter.display_type_rich = lambda ctx: None
    return parameter


def _is_path(text: str) -> bool:
    """Tell whether the text can be a path: it contains no NUL."""
    return _is_text(text) and "\0" not in text


def _is_text(value: object) -> bool:
    """Tell whether a value is valid text: an argument that is not UTF-8 contains surrogates."""
    return isinstance(value, str) and not any("\ud800" <= character <= "\udfff" for character in value)
