"""The public and the secret parts of a PostgreSQL URL."""

from __future__ import annotations

import psycopg
from psycopg.conninfo import conninfo_to_dict

from ...config.urls import is_readable
from ...redact import Secret


def label_of(url: str) -> str:
    """Return the public part of a database URL: host and name."""
    if is_ambiguous(url):
        return "postgresql"
    known = conninfo_to_dict(url)
    return f"postgresql://{known.get('host') or ''}/{known.get('dbname') or ''}"


def secrets_of(url: str) -> list[Secret]:
    """Return the secret parts of a database URL."""
    known = conninfo_to_dict(url)
    return [
        Secret(str(known[name]), "the database's password") for name in ("password", "sslpassword") if name in known
    ]


def is_ambiguous(url: str) -> bool:
    """Tell whether libpq may read a part of the password as a host or a name.

    Messages of libpq cannot be shown then.
    """
    try:
        conninfo_to_dict(url)
    except (psycopg.Error, UnicodeError):
        return True
    return not is_readable(url)
