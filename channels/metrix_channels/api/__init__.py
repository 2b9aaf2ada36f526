"""The Metrix API: requests, what their answers mean, and when to try again."""

from __future__ import annotations

from ..delivery.backoff import asked_to_wait, backoff
from ..delivery.single import Delivery, Journal, Part, Policy, Post, Result, Step, conclude, next_step
from ..delivery.verdict import Disposition, Verdict, judge
from .client import EVENTS, PUSH, MetrixClient, encode, request_headers
from .connectivity import Layer, ReachFault, reach
from .exchange import Exchange, Failure, Reply, Stage
from .transports import Endpoint, Transport, open_transport

__all__ = [
    "EVENTS",
    "PUSH",
    "Delivery",
    "Disposition",
    "Endpoint",
    "Exchange",
    "Failure",
    "Journal",
    "Layer",
    "MetrixClient",
    "Part",
    "Policy",
    "Post",
    "ReachFault",
    "Reply",
    "Result",
    "Stage",
    "Step",
    "Transport",
    "Verdict",
    "asked_to_wait",
    "backoff",
    "conclude",
    "encode",
    "judge",
    "next_step",
    "open_transport",
    "reach",
    "request_headers",
]
