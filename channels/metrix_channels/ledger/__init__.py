"""The books: every send, every attempt and every outcome, durable before anything depends on them."""

from __future__ import annotations

from .database import Database
from .journal import SendJournal
from .records import Busy, Claim, Claimed, Entry, Finished
from .sends import SendBook
from .takeover import Takeover, take_up

__all__ = [
    "Busy",
    "Claim",
    "Claimed",
    "Database",
    "Entry",
    "Finished",
    "SendBook",
    "SendJournal",
    "Takeover",
    "take_up",
]
