"""Whom to trust."""

from __future__ import annotations

import ssl
from pathlib import Path

import certifi

from ..errors import ConfigError


def tls_context(ca_file: Path | None) -> ssl.SSLContext:
    """Return a context that trusts `ca_file`, or else the common authorities, and nothing from the environment.

    Raises:
        ConfigError: file_unreadable, when `ca_file` holds no certificates or cannot be read.
    """
    # Not ssl.create_default_context: it writes what the key travels under into the file that SSLKEYLOGFILE names.
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if ca_file is None:
        context.load_verify_locations(certifi.where())
        return context
    try:
        context.load_verify_locations(ca_file)
    except ssl.SSLError as error:
        raise ConfigError(f"The ca_file {str(ca_file)!r} holds no certificates.", code="file_unreadable") from error
    except OSError as error:
        reason = f"The ca_file {str(ca_file)!r} cannot be read: {error.strerror}."
        raise ConfigError(reason, code="file_unreadable") from error
    return context
