"""Campaigns, channels and templates in the browser."""

from __future__ import annotations

from ..errors import ConfigError

try:
    import starlette  # noqa: F401
    import uvicorn  # noqa: F401
except ModuleNotFoundError as error:
    raise ConfigError(
        f"The dashboard needs the package {error.name!r}, which is not installed.",
        code="extra_missing",
        remedy="Run `pip install 'metrix-channels[sandbox]'`.",
    ) from error

from .serving import serve

__all__ = ["serve"]
