"""Campaigns, channels and templates in the browser."""

from __future__ import annotations

from ..errors.extras import missing_extra

try:
    import starlette  # noqa: F401
    import uvicorn  # noqa: F401
except ModuleNotFoundError as _error:
    raise missing_extra(
        f"The dashboard needs the package {_error.name!r}, which is not installed.", "sandbox"
    ) from _error

from .serving import serve

__all__ = ["serve"]
