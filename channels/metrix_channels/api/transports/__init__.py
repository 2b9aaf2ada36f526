"""How a request travels: one small interface, over httpx or, with the extra `fast`, over httptools."""

from __future__ import annotations

from importlib.util import find_spec

from ...redact import Redactor
from .base import Endpoint, Transport

__all__ = ["Endpoint", "Transport", "open_transport"]


def open_transport(endpoint: Endpoint, redactor: Redactor, *, fast: bool = False) -> Transport:
    """Return the transport to an endpoint.

    Args:
        endpoint: where to send, and through what.
        redactor: cleans what answers and errors say.
        fast: for many requests: the wire of the extra `fast`, where it is installed and no proxy stands between.
    """
    # When it is needed, not before: an HTTP client is a third of what importing this library costs.
    if fast and endpoint.proxy is None and find_spec("httptools") is not None:
        from .httptools_transport import HttptoolsTransport

        return HttptoolsTransport(endpoint, redactor)
    from .httpx_transport import HttpxTransport

    return HttpxTransport(endpoint, redactor)
