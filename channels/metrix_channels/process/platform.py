"""On which systems this library runs."""

from __future__ import annotations

from importlib.util import find_spec

from ..errors import ConfigError


def require_posix() -> None:
    """Refuse a system without the calls that the ledger and the renderer need.

    Raises:
        ConfigError: platform_unsupported.
    """
    try:
        is_missing = [name for name in ("fcntl", "resource") if find_spec(name) is None]
    except ValueError:  # a module of that name without a specification
        is_missing = ["fcntl"]
    if is_missing:
        raise ConfigError(
            f"This system has no {is_missing[0]!r}, which metrix-channels needs.", code="platform_unsupported"
        )
