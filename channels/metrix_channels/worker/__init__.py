"""A worker: sends what waits in a PostgreSQL ledger. Any number of workers can run at the same time."""

from __future__ import annotations

from ..errors.extras import missing_extra

try:
    import procrastinate  # noqa: F401
    import psycopg  # noqa: F401
except ModuleNotFoundError as _error:
    raise missing_extra(f"A worker needs the package {_error.name!r}, which is not installed.", "postgres") from _error

from .worker import work

__all__ = ["work"]
