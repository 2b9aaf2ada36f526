"""A canary that waits for people: after the canary was sent, the run pauses until it is resumed."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import islice
from shlex import quote
from typing import Any, Final

from attrs import evolve

from ...errors import problem
from ...outcomes import Problem, iso_utc
from ...process import wall_clock
from ..database import Connection
from .records import CANARY_RELEASED, CANARY_WAITS
from .shards import read_all, read_canary

_NAMED: Final = 5


def is_to_wait(connection: Connection, run: int) -> bool:
    """Tell whether a run must pause now: its canary was sent, others are left, and it was not resumed since."""
    [(text,)] = connection.execute("SELECT facts FROM runs WHERE id = ?", (run,)).fetchall()
    if f'"{CANARY_WAITS}": true' not in text or CANARY_RELEASED in text:
        return False
    first, others = (
        connection.execute(
            "SELECT 1 FROM shard_statuses WHERE run = ? AND open = 1 AND canary = ? LIMIT 1", (run, canary)
        ).fetchall()
        for canary in (1, 0)
    )
    return bool(others) and not first


def waiting(connection: Connection, run: int) -> Problem:
    """Return the problem that explains the pause: who was sent to, and how to continue."""
    [(name,)] = connection.execute("SELECT name FROM runs WHERE id = ?", (run,)).fetchall()
    recipients = [who for shard in read_canary(connection, run) for batch in shard.batches for who in batch.recipients]
    # A split batch appears twice: whole and in parts.
    names = list(dict.fromkeys(recipients))
    shown = ", ".join(islice(names, _NAMED)) + (", …" if len(names) > _NAMED else "")
    people = "1 recipient" if len(names) == 1 else f"{len(names):,} recipients"
    found = problem("canary_waits", f"The canary of {name!r} was sent to {people}: {shown}.")
    command = f"metrix-channels campaign {{}} {quote(name)}"
    remedy = (
        f"Ask them what arrived. Then `{command.format('resume')}` sends to the others, and"
        f" `{command.format('cancel')}` does not."
    )
    return evolve(found, remedy=remedy)


def first_recipients(connection: Connection, run: int, count: int) -> list[str]:
    """Return some of the first recipients, in the order of the plan."""
    shards = [*islice(read_canary(connection, run), 1)] or read_all(connection, run, 0, 1)
    return list(islice((who for shard in shards for batch in shard.batches for who in batch.recipients), count))


def released(facts: Mapping[str, Any]) -> dict[str, Any]:
    """Return the facts of a run that was resumed after its canary."""
    return {**facts, CANARY_RELEASED: iso_utc(wall_clock.now())}
