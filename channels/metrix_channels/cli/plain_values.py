"""Takes arguments that need no conversion as they are.

typer converts every value with pydantic, also text to text and the value of an option that was not given; loading
pydantic costs more than all the rest of a short verb. What a verb is given is nearly always text, the path of a file
that is there, or nothing: only other values are left to typer, with its conditions and messages.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from attrs import frozen
from typer.core import TyperGroup


@frozen
class _PlainFirst:
    """Stands in for typer's conversion of one parameter.

    Attributes:
        load: returns that conversion.
    """

    load: Callable[[], Any]

    def coerce(self, value: Any, param: Any, ctx: Any) -> Any:
        """Return the value as the verb takes it, converted where it is not that yet."""
        kind, asked = param.type_descriptor.annotation, param.type_descriptor.parameter_info
        if value is None:
            return () if param.multiple or param.nargs == -1 else None
        if kind == list[str] and isinstance(value, list | tuple) and all(map(_is_text, value)):
            return list(value)
        if kind is str and _is_text(value):
            return value
        if kind is int and isinstance(value, int):  # a default, or how often -v was given
            return value
        if kind is Path and asked.dir_okay and _is_path(str(value)) and os.access(value, os.R_OK):
            return Path(value)
        return self.load().coerce(value, param=param, ctx=ctx)


def take_plain_values(command: Any) -> None:
    """Let a command, and those below it, load typer's conversions for nothing but values that need one."""
    parameters = command.get_params
    command.get_params = lambda context: [_plain_first(parameter) for parameter in parameters(context)]
    if isinstance(command, TyperGroup):
        for inner in command.commands.values():
            take_plain_values(inner)


def _plain_first(parameter: Any) -> Any:
    if "get_runtime_param" not in vars(parameter):
        conversion = _PlainFirst(parameter.get_runtime_param)
        parameter.get_runtime_param = lambda: conversion
    return parameter


def _is_path(text: str) -> bool:
    """Tell whether the system can be asked about it: a path holds no NUL."""
    return _is_text(text) and "\0" not in text


def _is_text(value: object) -> bool:
    """Tell whether it is text that is whole: an argument that is no UTF-8 holds halves of characters."""
    return isinstance(value, str) and not any("\ud800" <= character <= "\udfff" for character in value)
