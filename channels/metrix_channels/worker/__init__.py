"""A worker: it takes what the ledger in PostgreSQL has to send, beside any number of others."""

from __future__ import annotations

from ..errors import ConfigError

try:
    import procrastinate  # noqa: F401
    import psycopg  # noqa: F401
except ModuleNotFoundError as error:
    raise ConfigError(
        f"A worker needs the package {error.name!r}, which is not installed.",
        code="extra_missing",
        remedy="Run `pip install 'metrix-channels[postgres]'`.",
    ) from error

from .worker import work

__all__ = ["work"]
