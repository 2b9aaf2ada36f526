"""The books: every send, every attempt and every outcome, durable before anything depends on them."""

from __future__ import annotations

from .backends import open_database
from .database import Connection, Database
from .event_times import EventTimes, Wanted
from .evidence import Evidence, EvidenceBook
from .observer import Observer
from .purge import Purged, purge
from .runs.batches import APPROVED, DOUBT, REPEATED, Batch, BatchState, Parcel
from .runs.book import RunBook
from .runs.local import SoleRunBook
from .runs.records import OVER, Changes, Committed, Draft, RunRecord, RunState, Skip, SkipReason, Tally, Trouble, Wish
from .runs.recount import LedgerCheck, RunCheck, check_ledger
from .runs.run_claim import Hold
from .runs.shards import every_parcel, interrupted_parcels, open_parcels
from .runs.transitions import (
    Back,
    Mark,
    approved,
    begin,
    cancelled,
    doubt,
    exclude,
    interrupted,
    settle,
    split,
    withdraw,
)
from .sends.book import SendBook
from .sends.journal import SendJournal
from .sends.records import Busy, Claim, Claimed, Entry, Finished
from .sqlite.connection import SqliteDatabase

__all__ = [
    "APPROVED",
    "DOUBT",
    "OVER",
    "REPEATED",
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
    "Observer",
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
    "Tally",
    "Trouble",
    "Wanted",
    "Wish",
    "approved",
    "begin",
    "cancelled",
    "check_ledger",
    "doubt",
    "every_parcel",
    "exclude",
    "interrupted",
    "interrupted_parcels",
    "open_database",
    "open_parcels",
    "purge",
    "settle",
    "split",
    "withdraw",
]
