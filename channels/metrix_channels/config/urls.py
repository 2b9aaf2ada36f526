"""URLs with parts from the environment: percent-encodes values for their place, and detects ambiguous URLs."""

from __future__ import annotations

import ipaddress
import re
from typing import Final
from urllib.parse import quote, unquote

_POSTGRESQL: Final = re.compile(r"postgres(?:ql)?://(?P<authority>[^/]*)(?P<rest>.*)", re.DOTALL)
_NOT_OF_NAMES: Final = re.compile("[#;&=]")
"""Characters that no host and no name contains unless they are percent-encoded."""
_BROKEN_ESCAPE: Final = re.compile(r"%(?![0-9A-Fa-f]{2})")


def encode_for_place(value: str, before: str, after: str) -> str:
    """Percent-encode a value for its place in a URL (RFC 3986), so that it does not leave its part.

    Args:
        value: the value, not encoded.
        before: the URL before the value; if it is empty, the value is returned as it is.
        after: the URL after the value. Other values in it are replaced by letters.
    """
    if not before:
        return value
    scheme, separator, rest = before.partition("://")
    if not separator:
        rest = scheme
    if "?" in rest:
        is_value = "=" in re.split(r"[?&]", rest)[-1]
        return _quote(value) if is_value else value  # `?${OPTIONS}` contains names and values
    if "/" in rest:
        return _quote(value, "/")
    if "@" in re.split(r"[/?#]", after)[0]:
        return _quote(value)
    return _encode_host(value, is_bracketed=rest.endswith("["))


def is_readable(url: str) -> bool:
    """Tell whether a PostgreSQL URL has only one reading.

    It has more if the password may contain `@`, `/` or `?` that are not percent-encoded, or stands after `#`, `;` or
    `&`, as in URLs of other programs. libpq then reads a part of the password as a host, a port or a name, looks it up
    and shows it.
    """
    match = _POSTGRESQL.fullmatch(url)
    if match is None:
        return True
    user_and_password, at, host = match["authority"].partition("@")
    shown = (host if at else match["authority"]) + match["rest"].partition("?")[0]
    if _NOT_OF_NAMES.search(shown) or "#" in match["rest"]:
        return False
    if "@" in host + match["rest"] or (at and "?" in user_and_password) or _BROKEN_ESCAPE.search(url):
        return False
    try:
        return "\0" not in unquote(url, errors="strict")
    except UnicodeDecodeError:
        return False


def _encode_host(value: str, *, is_bracketed: bool) -> str:
    try:
        ipaddress.IPv6Address(value)
    except ValueError:
        return _quote(value, ":,[]")  # a host with a port, or several hosts
    return value if is_bracketed else f"[{value}]"


def _quote(value: str, safe: str = "") -> str:
    return quote(value, safe, errors="surrogateescape")
