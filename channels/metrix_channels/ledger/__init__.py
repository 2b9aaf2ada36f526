"""The books: every send, every attempt and every outcome, durable before anything depends on them."""

from __future__ import annotations

from .database import Database
from .event_times import EventTimes, Wanted
from .evidence import Evidence, EvidenceBook
from .journal import SendJournal
from .marks import APPROVED, DOUBT, REPEATED, Batch, BatchState, Parcel
from .parcels import every_parcel, interrupted_parcels, open_parcels
from .purge import Purged, purge
from .records import Busy, Claim, Claimed, Entry, Finished
from .run_records import (
    OVER,
    Changes,
    Committed,
    Draft,
    RunRecord,
    RunState,
    Skip,
    SkipReason,
    Tally,
    Trouble,
    Wish,
)
from .runs import RunBook
from .sends import SendBook
from .takeover import Takeover, take_up
from .witness import Attempt, Witness

__all__ = [
    "APPROVED",
    "DOUBT",
    "OVER",
    "REPEATED",
    "Attempt",
    "Batch",
    "BatchState",
    "Busy",
    "Changes",
    "Claim",
    "Claimed",
    "Committed",
    "Database",
    "Draft",
    "Entry",
    "EventTimes",
    "Evidence",
    "EvidenceBook",
    "Finished",
    "Parcel",
    "Purged",
    "RunBook",
    "RunRecord",
    "RunState",
    "SendBook",
    "SendJournal",
    "Skip",
    "SkipReason",
    "Takeover",
    "Tally",
    "Trouble",
    "Wanted",
    "Wish",
    "Witness",
    "every_parcel",
    "interrupted_parcels",
    "open_parcels",
    "purge",
    "take_up",
]
