"""The kinds of values that settings have: how each is written, parsed, checked and described to an editor."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Mapping
from datetime import date, timedelta
from decimal import Decimal
from enum import StrEnum
from functools import lru_cache
from pathlib import Path
from typing import Any, Final, Generic, TypeVar
from urllib.parse import SplitResult, urlsplit

from attrs import evolve, field, frozen
from cattrs import IterableValidationError
from cattrs.errors import IterableValidationNote

from ..localization.jalali import jalali_hint
from ..models import JsonValue
from ..printable import is_text
from .urls import is_readable

T = TypeVar("T")
E = TypeVar("E", bound=StrEnum)
Schema = Mapping[str, Any]

REFERENCE: Final = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")
"""`${NAME}`, filled in from the environment."""
HEADER_TEXT: Final = re.compile(r"[\x21-\x7e]+")
"""Characters that an HTTP header can contain without quoting or loss."""

UNREADABLE: Final = (
    "the URL cannot be parsed; in user, password, database and parameters, write @ / : % # ? as %40 %2F %3A %25 %23"
    " %3F, or take only the password from the environment: postgresql://ROLE:${LEDGER_PASSWORD}@HOST/NAME"
)

CHANNEL_NAME: Final = re.compile(r"[a-z0-9][a-z0-9_-]*")

_DURATION: Final = re.compile(r"([0-9]{1,9})(ms|s|m|h|d)")
_SECONDS: Final = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_RATE: Final = re.compile(r"([0-9]{1,9})/([smh])")
_SIZE: Final = re.compile(r"([0-9]{1,9})(kB|MB|GB)")
_BYTES: Final = {"kB": 10**3, "MB": 10**6, "GB": 10**9}
_CURRENCY: Final = re.compile(r"[^\W\d_]{1,20}")
_DATE: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_HOST_NAME: Final = re.compile(r"(?!-)[a-z0-9-]+(\.[a-z0-9-]+)*")


class Refusal(ValueError):
    """A setting does not accept a value.

    Args:
        message: what the setting accepts, without the value itself.
        code: a code of the error catalogue.
        choices: the accepted words, for a suggestion.
        confidential: the value must not be shown.
        at_key: the location of the error is the key, not the value.
        remedy: what to do now; None for the remedy of the error catalogue.
    """

    def __init__(
        self,
        message: str,
        *,
        code: str = "config_value_invalid",
        choices: tuple[str, ...] = (),
        confidential: bool = False,
        at_key: bool = False,
        remedy: str | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.code = code
        self.choices = choices
        self.confidential = confidential
        self.at_key = at_key
        self.remedy = remedy


@frozen
class Kind(Generic[T]):
    """One kind of value.

    Attributes:
        parse: converts plain data to the value, or raises `Refusal`.
        schema: the JSON Schema of the plain data.
        holds_references: the schema itself allows `${NAME}`.
    """

    parse: Callable[[JsonValue], T]
    schema: Schema = field(repr=False)
    holds_references: bool = False


def _text_kind(
    expected: str, read: Callable[[str], T | None], schema: Schema, *, confidential: bool = False
) -> Kind[T]:
    """Make a kind that is written as text; `read` returns None for text that it does not accept."""

    def parse(value: JsonValue) -> T:
        if isinstance(value, str) and (result := read(value)) is not None:
            return result
        raise Refusal(f"expected {expected}", confidential=confidential)

    return Kind(parse, {"type": "string", **schema})


def whole(least: int, most: int) -> Kind[int]:
    """Make a kind for whole numbers from `least` to `most`, both included."""

    def parse(value: JsonValue) -> int:
        if isinstance(value, int) and not isinstance(value, bool) and least <= value <= most:
            return value
        raise Refusal(f"expected a whole number from {least:,} to {most:,}")

    return Kind(parse, {"type": "integer", "minimum": least, "maximum": most})


def amount(most: int) -> Kind[Decimal]:
    """Make a kind for exact numbers above zero, such as prices."""

    def parse(value: JsonValue) -> Decimal:
        if isinstance(value, int | float) and not isinstance(value, bool) and 0 < value <= most:
            return Decimal(str(value))
        raise Refusal(f"expected a number above 0 and at most {most:,}")

    return Kind(parse, {"type": "number", "exclusiveMinimum": 0, "maximum": most})


def duration(most: str) -> Kind[float]:
    """Make a kind for durations above zero, in seconds, up to and including `most`."""
    limit = _seconds(most) or 0.0

    def read(text: str) -> float | None:
        seconds = _seconds(text)
        return seconds if seconds is not None and 0 < seconds <= limit else None

    expected = f"a duration such as 500ms, 10s, 5m, 24h or 90d, above zero and at most {most}"
    return _text_kind(expected, read, {"pattern": f"^{_DURATION.pattern}$"})


def span(most: str) -> Kind[timedelta]:
    """Make a kind for durations as `timedelta`, up to and including `most`."""
    inner = duration(most)
    return Kind(lambda value: timedelta(seconds=inner.parse(value)), inner.schema)


def choice(words: type[E]) -> Kind[E]:
    """Make a kind for the values of an enumeration."""
    names = tuple(word.value for word in words)

    def parse(value: JsonValue) -> E:
        if isinstance(value, str) and value in names:
            return words(value)
        raise Refusal("expected " + " or ".join((", ".join(names[:-1]), names[-1])), choices=names)

    return Kind(parse, {"enum": list(names)})


def list_of(item: Kind[T]) -> Kind[tuple[T, ...]]:
    """Make a kind for lists."""

    def parse(value: JsonValue) -> tuple[T, ...]:
        if not isinstance(value, list):
            raise Refusal("expected a list")
        results, problems = [], []
        for index, element in enumerate(value):
            try:
                results.append(item.parse(element))
            except Refusal as refusal:
                refusal.add_note(IterableValidationNote("in a list", index, item))
                problems.append(refusal)
        if problems:
            raise IterableValidationError("in a list", problems, tuple)
        return tuple(results)

    return Kind(parse, {"type": "array", "items": item.schema})


def write_span(value: timedelta) -> str:
    """Write a duration as in a configuration file, in the largest unit that needs no fraction."""
    milliseconds = value // timedelta(milliseconds=1)
    for unit in ("d", "h", "m", "s"):
        size = round(_SECONDS[unit] * 1000)
        if milliseconds % size == 0:
            return f"{milliseconds // size}{unit}"
    return f"{milliseconds}ms"


def text_kind(expected: str, read: Callable[[str], T | None], pattern: str) -> Kind[T]:
    """Make a kind that is written as text; `read` returns None for text that it does not accept.

    Args:
        expected: what the kind accepts, for the error message.
        read: converts the text.
        pattern: a regular expression of the text, for the JSON Schema.
    """
    return _text_kind(expected, read, {"pattern": pattern})


def _seconds(text: str) -> float | None:
    match = _DURATION.fullmatch(text)
    return int(match[1]) * _SECONDS[match[2]] if match else None


def _rate(text: str) -> float | None:
    match = _RATE.fullmatch(text)
    return int(match[1]) / _SECONDS[match[2]] if match and int(match[1]) else None


def _size(text: str) -> int | None:
    match = _SIZE.fullmatch(text)
    return int(match[1]) * _BYTES[match[2]] if match and int(match[1]) else None


def refuse_jalali(text: str) -> None:
    """Refuse a date or time of the Jalali calendar."""
    if hint := jalali_hint(text):
        raise Refusal(f"expected a date of the Gregorian calendar; {hint}", confidential=True)


def _date(text: str) -> date | None:
    refuse_jalali(text)
    try:
        return date.fromisoformat(text) if _DATE.fullmatch(text) else None
    except ValueError:
        return None


def _text(text: str) -> str | None:
    return text if text.strip() else None


def _currency(text: str) -> str | None:
    return text if _CURRENCY.fullmatch(text) else None


def _path(text: str) -> Path | None:
    return Path(text) if text.strip() and is_text(text) else None


def _truth(value: JsonValue) -> bool:
    if isinstance(value, bool):
        return value
    raise Refusal("expected true or false, without quotes")


def _version(value: JsonValue) -> int:
    if value == 1 and isinstance(value, int) and not isinstance(value, bool):
        return value
    raise Refusal("expected 1, the only version that this release supports")


def _ledger(text: str) -> str | None:
    if text.startswith(("postgresql://", "postgres://")):
        if not is_text(text) or " " in text:
            return None
        if not is_readable(text):
            raise Refusal(UNREADABLE, confidential=True)
        return text
    path = text.removeprefix("sqlite:///")
    whole_url = path != text and path.strip("/") and is_text(text) and not path.endswith("/")
    return text if whole_url and path != ":memory:" else None


def _app_id(text: str) -> str | None:
    return text if HEADER_TEXT.fullmatch(REFERENCE.sub("x", text)) and "${" not in REFERENCE.sub("", text) else None


def _api_key(value: JsonValue) -> str:
    if value is None or (isinstance(value, str) and not value.strip()):
        raise Refusal("api_key is blank", code="secret_missing", confidential=True)
    if isinstance(value, str) and REFERENCE.fullmatch(value):
        return value
    message = "the file contains the key itself; write only the name of a variable, as in ${METRIX_API_KEY}"
    raise Refusal(message, code="secret_literal", confidential=True)


def _base_url(text: str) -> str | None:
    url = _split(text)
    if url is None or "@" in text or "?" in text or "#" in text:
        return None
    return text.rstrip("/") if url.scheme in ("http", "https") else None


@lru_cache(maxsize=64)
def is_plain_http_elsewhere(base_url: str) -> bool:
    """Tell whether a URL uses plain http to another machine, so that others could read the requests."""
    url = urlsplit(base_url)
    return url.scheme == "http" and not _is_loopback(url.hostname or "")


def _proxy(text: str) -> str | None:
    url = _split(text)
    if url is None or url.scheme not in ("http", "https") or url.path not in ("", "/"):
        return None
    # Part of a password that is not percent-encoded would be read as the host.
    return None if url.netloc.count("@") > 1 or "?" in text or "#" in text else text


def _split(text: str) -> SplitResult | None:
    """Split a URL, or return None if it is not valid; `urlsplit` alone accepts too much."""
    if not HEADER_TEXT.fullmatch(text) or "\\" in text:
        return None
    try:
        url = urlsplit(text)
        host, _ = url.hostname or "", url.port
        if "[" in url.netloc:
            ipaddress.IPv6Address(host)
    except ValueError:
        return None
    return url if "[" in url.netloc or _HOST_NAME.fullmatch(host) else None


def _is_loopback(host: str) -> bool:
    if host in ("localhost", "::1"):
        return True
    try:
        return ipaddress.IPv4Address(host) in ipaddress.IPv4Network("127.0.0.0/8")
    except ValueError:
        return False


_PRINTABLE: Final = {"pattern": r"\S", "not": {"pattern": r"\$\{"}}

TEXT: Final = _text_kind("text; put it in quotes if it looks like something else", _text, _PRINTABLE)
CURRENCY: Final = _text_kind("the name of a currency, such as IRR", _currency, {"pattern": r"^\S{1,20}$"})
PATH: Final = _text_kind("a path, as text", _path, _PRINTABLE)
SECRET_PATH: Final = _text_kind("the path of a file that holds the key", _path, _PRINTABLE, confidential=True)
RATE: Final = _text_kind("a rate such as 50/s, 3000/m or 10000/h", _rate, {"pattern": f"^{_RATE.pattern}$"})
SIZE: Final = _text_kind("a size such as 500kB, 200MB or 1GB", _size, {"pattern": f"^{_SIZE.pattern}$"})
DATE: Final = _text_kind("a date such as 2026-11-20", _date, {"pattern": f"^{_DATE.pattern}$", "format": "date"})
TRUTH: Final = Kind(_truth, {"type": "boolean"}, holds_references=True)
VERSION: Final = Kind(_version, {"const": 1})
LEDGER: Final = _text_kind(
    "sqlite:/// and the path of a file, such as sqlite:///./metrix-channels.db, or postgresql:// and a database",
    _ledger,
    {"pattern": r"^(sqlite:///(?!:memory:$).*[^/]|postgres(ql)?://\S+)$"},
    confidential=True,
)
APP_ID: Final = evolve(
    _text_kind(
        "the APP_ID as text without spaces, or ${METRIX_APP_ID}",
        _app_id,
        {"pattern": r"^([!-#%-~]|\$(?!\{)|\$\{[A-Za-z_][A-Za-z0-9_]*\})+$"},
    ),
    holds_references=True,
)
API_KEY: Final = Kind(_api_key, {"type": "string", "pattern": f"^{REFERENCE.pattern}$"}, holds_references=True)
BASE_URL: Final = _text_kind(
    "an https:// address without user, query and fragment",
    _base_url,
    {"pattern": r"^[Hh][Tt][Tt][Pp][Ss]?://[^@?#\s]+$"},
    confidential=True,
)
PLAIN_HTTP_ELSEWHERE: Final = r"^[Hh][Tt][Tt][Pp]://(?!(127\.[0-9.]+|\[::1\]|[Ll]ocalhost)([:/]|$))"
"""The rule of `is_plain_http_elsewhere` as a pattern, for the JSON Schema."""
PROXY: Final = _text_kind(
    "http:// or https://, a host and a port", _proxy, {"pattern": r"^https?://\S+$"}, confidential=True
)
