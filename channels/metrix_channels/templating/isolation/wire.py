"""Converts values and errors to JSON and back, for the child process.

Every mapping is wrapped, so that it cannot be confused with the encoding of another type.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from ...errors import ConfigError, MetrixChannelsError, TemplateError

_ERRORS = {kind.__name__: kind for kind in (ConfigError, TemplateError)}


def line_of(message: Mapping[str, Any]) -> bytes:
    """Write one message as a line."""
    return json.dumps(message).encode() + b"\n"


def pack(value: Any) -> Any:
    """Return a plain value of a context in a form for JSON."""
    if isinstance(value, dict):
        return {"mapping": {key: pack(item) for key, item in value.items()}}
    if isinstance(value, list):
        return [pack(item) for item in value]
    if isinstance(value, datetime):
        return {"datetime": value.isoformat(), "fold": value.fold}
    if isinstance(value, date):
        return {"date": value.isoformat()}
    if isinstance(value, Decimal):
        return {"decimal": str(value)}
    return value


def unpack(packed: Any) -> Any:
    """Return the value that was packed."""
    if isinstance(packed, list):
        return [unpack(item) for item in packed]
    if not isinstance(packed, dict):
        return packed
    if "mapping" in packed:
        return {key: unpack(item) for key, item in packed["mapping"].items()}
    if "datetime" in packed:
        return datetime.fromisoformat(packed["datetime"]).replace(fold=packed["fold"])
    if "date" in packed:
        return date.fromisoformat(packed["date"])
    return Decimal(packed["decimal"])


def pack_error(error: MetrixChannelsError) -> dict[str, Any]:
    """Return an error in a form for JSON."""
    return {"class": type(error).__name__, **error.problem.as_dict()}


def unpack_error(packed: Mapping[str, Any]) -> MetrixChannelsError:
    """Return the error that was packed."""
    return _ERRORS[packed["class"]](
        packed["message"], code=packed["code"], remedy=packed["remedy"], location=packed["location"]
    )
