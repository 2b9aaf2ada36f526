"""Fills in `${NAME}` in a file, and refuses it where it is not allowed.

It is allowed only under `metrix` and in `ledger` of the configuration, and in `audience.url` of a campaign. It is not
allowed under `verified`, because a verification that followed the environment would verify itself.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Final

from attrs import frozen

from ..models import JsonValue
from .kinds import REFERENCE, Refusal
from .strict_yaml import KeyPath, integer
from .urls import encode_for_place

FILLED: Final = frozenset({"metrix", "ledger"})
"""Keys under which `${NAME}` is filled in."""
LAZY: Final = frozenset({("metrix", "app_id"), ("metrix", "api_key"), ("audience", "url")})
"""Filled in when they are needed, so that commands without credentials work without these variables."""
URLS: Final = frozenset({("ledger",), ("metrix", "base_url"), ("metrix", "proxy")})
"""URLs. A variable that is a part of one is percent-encoded for its place; a whole URL is used as it is."""


class VariableMissing(Exception):
    """An environment variable is not set or is empty."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.name = name


@frozen
class Filling:
    """A configuration's data with its variables filled in, and the problems by path."""

    data: JsonValue
    problems: Mapping[KeyPath, Refusal]


def substitute(text: str, environ: Mapping[str, str], *, is_url: bool = False) -> str:
    """Fill in each `${NAME}` of `text`, or raise `VariableMissing`.

    Args:
        text: text with references.
        environ: their values.
        is_url: percent-encode each value for its place, unless the URL is the path of a SQLite file.
    """

    def value(match: re.Match[str]) -> str:
        if not (found := environ.get(match[1])):
            raise VariableMissing(match[1])
        if not is_url:
            return found
        before, after = (REFERENCE.sub("x", part) for part in (text[: match.start()], text[match.end() :]))
        return encode_for_place(found, before, after)

    if is_url and substitute(text, environ).startswith("sqlite:"):
        is_url = False
    return REFERENCE.sub(value, text)


def fill(data: JsonValue, environ: Mapping[str, str] | None) -> Filling:
    """Fill in the variables of a whole file; with `environ` None, the file must not contain any."""
    problems: dict[KeyPath, Refusal] = {}

    def text(value: str, path: KeyPath) -> JsonValue:
        try:
            return _fill_text(value, path, environ)
        except Refusal as refusal:
            problems[path] = refusal
            return value

    return Filling(_each_text(data, (), text), problems)


def _fill_text(value: str, path: KeyPath, environ: Mapping[str, str] | None) -> JsonValue:
    if "${" not in value:
        return value
    if path in LAZY:
        return value
    if environ is None:
        message = "${NAME} is not allowed here: in this file, only audience.url is filled in from the environment"
        raise Refusal(message, code="environment_refused", confidential=True)
    if not path or path[0] not in FILLED:
        message = "${NAME} is only allowed under `metrix` and in `ledger`"
        raise Refusal(message, code="environment_refused", confidential=True)
    if "${" in REFERENCE.sub("", value):
        raise Refusal("expected ${NAME}, with a name of letters, digits and _", confidential=True)
    try:
        filled = substitute(value, environ, is_url=path in URLS)
    except VariableMissing as missing:
        message = f"the environment variable {missing.name} is not set or is empty"
        remedy = f"Run `export {missing.name}=…`, or set it in the service that runs metrix-channels."
        raise Refusal(message, code="environment_missing", confidential=True, remedy=remedy) from None
    number = integer(filled)
    return filled if number is None else number


def _each_text(value: JsonValue, path: KeyPath, replace: Callable[[str, KeyPath], JsonValue]) -> JsonValue:
    if isinstance(value, str):
        return replace(value, path)
    if isinstance(value, dict):
        return {key: _each_text(inner, (*path, key), replace) for key, inner in value.items()}
    if isinstance(value, list):
        return [_each_text(inner, (*path, index), replace) for index, inner in enumerate(value)]
    return value
