"""Checks that this library runs on the operating system."""

from __future__ import annotations

from importlib.util import find_spec

from ..errors import ConfigError


def require_posix() -> None:
    """Refuse an operating system that lacks what the ledger and the renderer need.

    Raises:
        ConfigError: platform_unsupported.
    """
    try:
        missing = [name for name in ("fcntl", "resource") if find_spec(name) is None]
    except ValueError:  # a module with that name but without a specification
        missing = ["fcntl"]
    if missing:
        raise ConfigError(
            f"This system has no {missing[0]!r}, which metrix-channels needs.", code="platform_unsupported"
        )
