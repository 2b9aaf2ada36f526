"""TLS settings: which certificates to trust."""

from __future__ import annotations

import ssl
from pathlib import Path
from typing import Final

import certifi

from ..errors import ConfigError
from ..files import read_regular, remedy_for

_MOST: Final = 16_000_000
"""The maximum bytes of certificates; all usual authorities together have 300,000."""


def tls_context(ca_file: Path | None) -> ssl.SSLContext:
    """Return a context that trusts `ca_file`, or else the usual authorities, and nothing from the environment.

    Raises:
        ConfigError: file_unreadable, if `ca_file` contains no certificates or cannot be read.
    """
    # Not ssl.create_default_context, which would write the TLS session keys to the file in SSLKEYLOGFILE.
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if ca_file is None:
        context.load_verify_locations(certifi.where())
        return context
    try:
        # Passed as text, because OpenSSL would block on a named pipe. Text between certificates is ignored.
        context.load_verify_locations(cadata=read_regular(ca_file, _MOST).decode("ascii", "ignore"))
    except (ssl.SSLError, ValueError) as error:
        raise ConfigError(f"The ca_file {str(ca_file)!r} contains no certificates.", code="file_unreadable") from error
    except OSError as error:
        reason = f"The ca_file {str(ca_file)!r} cannot be read: {error.strerror}."
        raise ConfigError(reason, code="file_unreadable", remedy=remedy_for(error)) from error
    return context
