"""The only HTTP client: makes requests as Metrix documents them, and returns what came back."""

from __future__ import annotations

from .client import EVENTS, PUSH, MetrixClient, encode, message_json, push_body, request_headers, shown_request
from .exchange import Exchange, Failure, Reply, Stage
from .transports import Endpoint, Transport, open_transport

__all__ = [
    "EVENTS",
    "PUSH",
    "Endpoint",
    "Exchange",
    "Failure",
    "MetrixClient",
    "Reply",
    "Stage",
    "Transport",
    "encode",
    "message_json",
    "open_transport",
    "push_body",
    "request_headers",
    "shown_request",
]
