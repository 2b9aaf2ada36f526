"""APP_ID and the API key, read from the environment or a file when they are needed."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Final

from attrs import frozen

from ..errors import ConfigError
from ..files import FileTooLarge, read_regular, remedy_for
from ..printable import printable
from ..redact import Secret
from .environment import VariableMissing, substitute
from .kinds import HEADER_TEXT

SANDBOX_APP_ID: Final = "sandbox-app"
"""The application of `metrix-channels sandbox`, the only one that may use plain http to another machine."""
_API_KEY: Final = "the API key"
_LONGEST_KEY: Final = 8192  # bytes; servers accept no longer header


@frozen
class Credentials:
    """The credentials of requests to Metrix.

    Attributes:
        app_id: the value of the header `X-Application-Id`.
        api_key: the value of the header `X-API-Key`.
    """

    app_id: str
    api_key: Secret


def resolve_app_id(raw: str, environ: Mapping[str, str], location: str | None) -> str:
    """Fill in the variables of `app_id`.

    Raises:
        ConfigError: `secret_missing`, `secret_invalid`.
    """
    return _check(_substitute_variables(raw, environ, location), f"app_id ({raw})", location)


def resolve_api_key(raw: str, environ: Mapping[str, str], location: str | None) -> Secret:
    """Read the key from the variable that `raw` names.

    Raises:
        ConfigError: `secret_missing`, `secret_invalid`.
    """
    return Secret(_check(_substitute_variables(raw, environ, location), f"api_key ({raw})", location), _API_KEY)


def read_api_key(path: Path, location: str | None) -> Secret:
    """Read the key from a file, which may end with one line break.

    Raises:
        ConfigError: `secret_missing`, `secret_invalid`, `file_unreadable`.
    """
    # The path is not shown, because it may be the key itself, written in the wrong place.
    try:
        raw = read_regular(path, _LONGEST_KEY + len(b"\r\n"))
    except FileNotFoundError:
        message = "the file that api_key_file names does not exist"
        remedy = "Correct the path, or create the file with only the API key in it."
        raise ConfigError(message, code="secret_missing", remedy=remedy, location=location) from None
    except FileTooLarge:
        message = "the key in api_key_file is too long for an HTTP header"
        raise ConfigError(message, code="secret_invalid", location=location) from None
    except OSError as error:
        message = f"the file in api_key_file cannot be read: {error.strerror}"
        raise ConfigError(message, code="file_unreadable", remedy=remedy_for(error), location=location) from None
    text = raw.decode("utf-8", errors="replace")
    text = text.removesuffix("\r\n") if text.endswith("\r\n") else text.removesuffix("\n")
    return Secret(_check(text, "the key in api_key_file", location), _API_KEY)


def _substitute_variables(raw: str, environ: Mapping[str, str], location: str | None) -> str:
    try:
        return substitute(raw, environ)
    except VariableMissing as missing:
        message = f"the environment variable {missing.name} is not set or is empty"
        remedy = f"Copy the value from Metrix's dashboard, Application Settings, and run `export {missing.name}=…`."
        raise ConfigError(message, code="secret_missing", remedy=remedy, location=location) from None


def _check(value: str, described: str, location: str | None) -> str:
    if not value.strip():
        raise ConfigError(f"{printable(described)} is blank", code="secret_missing", location=location)
    if not HEADER_TEXT.fullmatch(value) or len(value) > _LONGEST_KEY:
        fault = (
            "contains a line break"
            if "\n" in value or "\r" in value
            else "contains a space or another character that is not allowed in an HTTP header, or is too long"
        )
        raise ConfigError(f"{printable(described)} {fault}", code="secret_invalid", location=location)
    return value
