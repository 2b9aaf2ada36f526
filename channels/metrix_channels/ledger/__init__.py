"""The books: every send, every attempt and every outcome, durable before anything depends on them."""

from __future__ import annotations

from .database import Connection, Database
from .event_times import EventTimes, Wanted
from .evidence import Evidence, EvidenceBook
from .holds import Hold
from .journal import SendJournal
from .marks import APPROVED, DOUBT, REPEATED, Batch, BatchState, Parcel
from .opening import open_database
from .parcels import every_parcel, interrupted_parcels, open_parcels
from .purge import Purged, purge
from .records import Busy, Claim, Claimed, Entry, Finished
from .recount import LedgerCheck, RunCheck, check_ledger
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
from .settling import Back, Mark, cancelled, draft_of, interrupted, move
from .sole import SoleRunBook
from .sqlite import SqliteDatabase
from .takeover import Takeover, take_up
from .witness import Attempt, Witness

__all__ = [
    "APPROVED",
    "DOUBT",
    "OVER",
    "REPEATED",
    "Attempt",
    "Back",
    "Batch",
    "BatchState",
    "Busy",
    "Changes",
    "Claim",
    "Claimed",
    "Committed",
    "Connection",
    "Database",
    "Draft",
    "Entry",
    "EventTimes",
    "Evidence",
    "EvidenceBook",
    "Finished",
    "Hold",
    "LedgerCheck",
    "Mark",
    "Parcel",
    "Purged",
    "RunBook",
    "RunCheck",
    "RunRecord",
    "RunState",
    "SendBook",
    "SendJournal",
    "Skip",
    "SkipReason",
    "SoleRunBook",
    "SqliteDatabase",
    "Takeover",
    "Tally",
    "Trouble",
    "Wanted",
    "Wish",
    "Witness",
    "cancelled",
    "check_ledger",
    "draft_of",
    "every_parcel",
    "interrupted",
    "interrupted_parcels",
    "move",
    "open_database",
    "open_parcels",
    "purge",
    "take_up",
]
