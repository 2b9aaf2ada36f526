"""Whether a secure connection to Metrix can be made, found out without a request."""

from __future__ import annotations

import asyncio
import ssl
from pathlib import Path
from urllib.parse import urlsplit

from attrs import frozen

from ..errors import ConfigError
from .tls import tls_context


@frozen
class Reach:
    """What came of the connection.

    Attributes:
        code: of the error catalogue; None when the connection stood.
        message: what happened.
    """

    code: str | None
    message: str


async def reach(base_url: str, ca_file: Path | None, timeout: float) -> Reach:  # noqa: ASYNC109
    """Look up the host, connect, shake hands, and close again.

    Args:
        base_url: of the API.
        ca_file: certificates to trust instead of the common ones.
        timeout: seconds for all of it.
    """
    parts = urlsplit(base_url)
    secure = parts.scheme == "https"
    port = parts.port or (443 if secure else 80)
    where = f"{parts.hostname}:{port}"
    try:
        async with asyncio.timeout(timeout):
            context = tls_context(ca_file) if secure else None
            _, writer = await asyncio.open_connection(parts.hostname, port, ssl=context)
            writer.close()
    except TimeoutError:
        return Reach("unreachable", f"No connection to {where} within {timeout:g} s.")
    except ConfigError as error:
        return Reach(error.code, error.message)
    except ssl.SSLCertVerificationError as error:
        return Reach("certificate_refused", f"The certificate of {where} was refused: {error.verify_message}.")
    except OSError as error:
        return Reach("unreachable", f"No connection to {where}: {error.strerror or error}.")
    return Reach(None, f"{where} answers{' over TLS' if secure else ''}.")
