"""The ledger: records every send, attempt and outcome on disk before anything depends on it."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .backends import open_database
    from .database import Connection, Database
    from .event_times import EventTimes, Wanted
    from .evidence import Evidence, EvidenceBook
    from .observer import Observer
    from .rate_limits import RateLimits
    from .runs.batches import APPROVED, DOUBT, PENDING, REPEATED, Batch, BatchState, Shard
    from .runs.book import RunBook
    from .runs.local import LocalRunBook
    from .runs.records import (
        CANARY_WAITS,
        FORGOTTEN,
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
        count_request,
        doubt,
        exclude,
        interrupted,
        settle,
        split,
        withdraw,
    )
    from .sends.book import SendBook
    from .sends.journal import SendJournal
    from .sends.records import Busy, Claim, Claimed, Entry, Finished, KeyUsed
    from .sqlite.database import SqliteDatabase

_HOMES = {
    "backends": ("open_database",),
    "database": ("Connection", "Database"),
    "event_times": ("EventTimes", "Wanted"),
    "evidence": ("Evidence", "EvidenceBook"),
    "observer": ("Observer",),
    "rate_limits": ("RateLimits",),
    "runs.batches": ("APPROVED", "DOUBT", "PENDING", "REPEATED", "Batch", "BatchState", "Shard"),
    "runs.book": ("RunBook",),
    "runs.local": ("LocalRunBook",),
    "runs.records": (
        "OVER",
        "CANARY_WAITS",
        "FORGOTTEN",
        "SENSITIVE",
        "Changes",
        "Committed",
        "ControlRequest",
        "Counts",
        "Draft",
        "FailedAttempt",
        "FailureCount",
        "RunRecord",
        "RunState",
        "Skip",
        "SkipReason",
    ),
    "runs.recount": ("LedgerCheck", "RunCheck", "check_ledger"),
    "runs.run_claim": ("RunClaim",),
    "runs.shards": ("every_shard", "interrupted_shards", "open_shards"),
    "runs.transitions": (
        "RetryRequest",
        "Transition",
        "approved",
        "begin",
        "cancelled",
        "count_request",
        "doubt",
        "exclude",
        "interrupted",
        "settle",
        "split",
        "withdraw",
    ),
    "sends.book": ("SendBook",),
    "sends.journal": ("SendJournal",),
    "sends.records": ("Busy", "Claim", "Claimed", "Entry", "Finished", "KeyUsed"),
    "sqlite.database": ("SqliteDatabase",),
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}

__all__ = [
    "APPROVED",
    "CANARY_WAITS",
    "DOUBT",
    "FORGOTTEN",
    "OVER",
    "PENDING",
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
    "KeyUsed",
    "LedgerCheck",
    "LocalRunBook",
    "Observer",
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
    "count_request",
    "doubt",
    "every_shard",
    "exclude",
    "interrupted",
    "interrupted_shards",
    "open_database",
    "open_shards",
    "settle",
    "split",
    "withdraw",
]


if not TYPE_CHECKING:

    def __getattr__(name):
        # On demand: a single send needs only a third of these modules.
        if name not in _HOME_OF:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        return getattr(importlib.import_module(f".{_HOME_OF[name]}", __name__), name)
