"""What of a PostgreSQL URL may be shown, and what may not."""

from __future__ import annotations

import psycopg
from psycopg.conninfo import conninfo_to_dict

from ...config.urls import is_readable
from ...redact import Secret


def label_of(url: str) -> str:
    """Return what may be shown of a database's URL: host and name."""
    if is_ambiguous(url):
        return "postgresql"
    known = conninfo_to_dict(url)
    return f"postgresql://{known.get('host') or ''}/{known.get('dbname') or ''}"


def secrets_of(url: str) -> list[Secret]:
    """Return what of a database's URL may not be shown."""
    known = conninfo_to_dict(url)
    return [
        Secret(str(known[name]), "the database's password") for name in ("password", "sslpassword") if name in known
    ]


def is_ambiguous(url: str) -> bool:
    """Tell whether libpq may take a piece of the password for a host or a name.

    Then nothing that it says can be shown.
    """
    try:
        conninfo_to_dict(url)
    except (psycopg.Error, UnicodeError):
        return True
    return not is_readable(url)
