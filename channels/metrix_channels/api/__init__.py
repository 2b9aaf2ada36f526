"""The Metrix API: requests, what their answers mean, and when to try again."""

from __future__ import annotations

from .client import MetrixClient, encode
from .delivery import Delivery, Journal, Part, Policy, Result
from .exchange import Exchange, Failure, Reply, Stage
from .reach import Reach, reach
from .transport import Endpoint, Transport, open_transport
from .verdict import Disposition, Verdict, judge

__all__ = [
    "Delivery",
    "Disposition",
    "Endpoint",
    "Exchange",
    "Failure",
    "Journal",
    "MetrixClient",
    "Part",
    "Policy",
    "Reach",
    "Reply",
    "Result",
    "Stage",
    "Transport",
    "Verdict",
    "encode",
    "judge",
    "open_transport",
    "reach",
]
