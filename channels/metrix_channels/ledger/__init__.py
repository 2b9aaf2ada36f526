"""The books: every send, every attempt and every outcome, durable before anything depends on them."""

from __future__ import annotations

from .backends import open_database
from .database import Connection, Database
from .event_times import EventTimes, Wanted
from .evidence import Evidence, EvidenceBook
from .observer import Observer
from .purge import Purged, purge
from .rate_limits import RateLimits
from .runs.batches import APPROVED, DOUBT, REPEATED, Batch, BatchState, Shard
from .runs.book import RunBook
from .runs.local import LocalRunBook
from .runs.records import (
    OVER,
    SENSITIVE,
    Changes,
    Committed,
    ControlRequest,
    Counts,
    Draft,
    FailedAttempt,
    FailureCount,
    RunRecord,
    RunState,
    Skip,
    SkipReason,
)
from .runs.recount import LedgerCheck, RunCheck, check_ledger
from .runs.run_claim import RunClaim
from .runs.shards import every_shard, interrupted_shards, open_shards
from .runs.transitions import (
    RetryRequest,
    Transition,
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
    "SENSITIVE",
    "Batch",
    "BatchState",
    "Busy",
    "Changes",
    "Claim",
    "Claimed",
    "Committed",
    "Connection",
    "ControlRequest",
    "Counts",
    "Database",
    "Draft",
    "Entry",
    "EventTimes",
    "Evidence",
    "EvidenceBook",
    "FailedAttempt",
    "FailureCount",
    "Finished",
    "LedgerCheck",
    "LocalRunBook",
    "Observer",
    "Purged",
    "RateLimits",
    "RetryRequest",
    "RunBook",
    "RunCheck",
    "RunClaim",
    "RunRecord",
    "RunState",
    "SendBook",
    "SendJournal",
    "Shard",
    "Skip",
    "SkipReason",
    "SqliteDatabase",
    "Transition",
    "Wanted",
    "approved",
    "begin",
    "cancelled",
    "check_ledger",
    "doubt",
    "every_shard",
    "exclude",
    "interrupted",
    "interrupted_shards",
    "open_database",
    "open_shards",
    "purge",
    "settle",
    "split",
    "withdraw",
]
