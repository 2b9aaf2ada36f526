"""Whom to trust."""

from __future__ import annotations

import ssl
from pathlib import Path

import certifi


def tls_context(ca_file: Path | None) -> ssl.SSLContext:
    """Return a context that trusts `ca_file`, or else the common authorities, and nothing from the environment."""
    context = ssl.create_default_context(cafile=str(ca_file or certifi.where()))
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    # Python sets it from SSLKEYLOGFILE, which would write down what the key travels under.
    context.keylog_filename = None  # type: ignore[assignment]
    return context
