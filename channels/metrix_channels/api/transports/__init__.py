"""How a request travels: one small interface, over httptools or, through a proxy, over httpx."""

from __future__ import annotations

from ...redact import Redactor
from .base import Endpoint, Transport

__all__ = ["Endpoint", "Transport", "open_transport"]


def open_transport(endpoint: Endpoint, redactor: Redactor) -> Transport:
    """Return the transport to an endpoint.

    Args:
        endpoint: where to send, and through what.
        redactor: cleans what answers and errors say.
    """
    # When it is needed, not before: an HTTP client is a third of what importing this library costs.
    if endpoint.proxy is None:
        from .httptools_transport import HttptoolsTransport

        return HttptoolsTransport(endpoint, redactor)
    from .httpx_transport import HttpxTransport

    return HttpxTransport(endpoint, redactor)
