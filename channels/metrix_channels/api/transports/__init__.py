"""HTTP transports behind one small interface: httptools, or httpx through a proxy."""

from __future__ import annotations

from ...redact import Redactor
from .base import Endpoint, Transport

__all__ = ["Endpoint", "Transport", "open_transport"]


def open_transport(endpoint: Endpoint, redactor: Redactor) -> Transport:
    """Return the transport to an endpoint.

    Args:
        endpoint: where to send, and through which proxy.
        redactor: removes secrets from answers and errors.
    """
    # Imported on demand: an HTTP client is a third of the import time of this library.
    if endpoint.proxy is None:
        from .httptools_transport import HttptoolsTransport

        return HttptoolsTransport(endpoint, redactor)
    from .httpx_transport import HttpxTransport

    return HttpxTransport(endpoint, redactor)
