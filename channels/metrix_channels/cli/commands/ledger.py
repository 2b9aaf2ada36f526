"""`ledger`: purge, check and adopt."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Final

import typer
from attrs import asdict

from ...ledger import Counts, Database, LedgerCheck, RunCheck, check_ledger, open_database
from ...ledger.purge import Purged, purge
from ...ledger.runs.recount import COUNTS
from ...outcomes import iso_utc
from ...process import wall_clock
from ..context import app, example, state_of
from ..signals import run_interruptibly
from ..ui.output import counted
from ..values import read_duration

_SHOWN: Final = {"rows": "audience"}
"""Names of counts in `campaign status`, if they differ."""

_NO_LEDGER: Final = "There is no ledger yet; the first message or campaign creates it"

group: typer.Typer = typer.Typer(no_args_is_help=True, help="Check, purge or adopt the ledger.")
app.add_typer(group, name="ledger")


@group.command("purge", epilog=example("metrix-channels ledger purge --older-than 90d"))
def purge_ledger(
    context: typer.Context,
    older_than: Annotated[
        str, typer.Option("--older-than", metavar="TIME", help="Purge what ended longer ago than this, such as 90d.")
    ],
) -> None:
    """Delete the recipients and values of old messages and campaigns; counts are kept.

    Single messages keep their keys, so that no key is sent twice. Campaigns keep their counts and lose their rows:
    `report --csv`, `retry` and `except` then do not work for them, and frequency caps no longer count them. In a file,
    deleted data is overwritten; PostgreSQL keeps old versions of rows until VACUUM. Unfinished messages and campaigns
    are not purged: to purge a halted or paused campaign, cancel it first.

    Values that a template marks as sensitive need no purge. Single messages never store them in clear text; a
    campaign stores them until it ends, and the outbox until the outcome of the message is known.
    """
    state = state_of(context)
    before = wall_clock.now() - read_duration("--older-than", older_than)
    purged = run_interruptibly(_purge(open_database(state.config_file().current()), before))
    if state.output.as_json:
        state.output.document({"before": iso_utc(before), **asdict(purged)})
        return
    state.output.say(
        f"Purged: {counted(purged.sends, 'message')}, {counted(purged.campaigns, 'campaign')},"
        f" {counted(purged.attempts, 'failed attempt')}, {counted(purged.event_times, 'event time')}."
    )
    if purged.unfinished:
        state.output.say(f"Not purged, because they are unfinished: {purged.unfinished:,}.", "yellow")


@group.command("check", epilog=example("metrix-channels ledger check"))
def check(context: typer.Context) -> None:
    """Recount every campaign and verify all checksums.

    Shows each difference and changes nothing; campaigns can run meanwhile. `requests` and `possible_duplicates` cannot
    be recounted. Exit status 1 if a count differs or data is damaged.
    """
    state = state_of(context)
    database = open_database(state.config_file().current())
    exists = run_interruptibly(database.exists())
    found = run_interruptibly(_check(database)) if exists else LedgerCheck([], [])
    if state.output.as_json:
        state.output.document({**_as_dict(found, database.label), "exists": exists})
    elif not exists:
        state.output.say(f"{_NO_LEDGER}: {database.label}")
    elif found.is_ok and not found.runs:
        state.output.say(f"The ledger has no campaigns and no damage: {database.label}")
    else:
        for run in found.runs:
            for line in _lines(run):
                state.output.say(line, "red")
        for line in found.damaged:
            state.output.say(line, "red")
        right = sum(run.is_ok for run in found.runs)
        state.output.say(f"Correct campaigns: {right:,} of {len(found.runs):,}; {database.label}")
    if not found.is_ok:
        raise typer.Exit(1)


@group.command("adopt", epilog=example("metrix-channels ledger adopt"))
def adopt(context: typer.Context) -> None:
    """Let a copied ledger replace its original.

    metrix-channels detects that a ledger file is a copy. It sends nothing from a copy, because the original could
    send the same messages. Run this command if the copy replaces the original permanently: after restoring a backup,
    or after moving to another disk or machine. First cancel the campaigns that continued in the original since the
    copy was made.
    """
    state = state_of(context)
    database = open_database(state.config_file().current())
    exists = database.file is not None and run_interruptibly(database.exists())
    was_copy = exists and run_interruptibly(_adopt(database))
    reason = None if was_copy else _not_adopted(database, exists=exists)
    if state.output.as_json:
        state.output.document({"ledger": database.label, "adopted": was_copy, "reason": reason})
    else:
        state.output.say(reason or "Adopted: this ledger can now send messages.")


def _not_adopted(database: Database, *, exists: bool) -> str:
    if database.file is None:
        return "Nothing to do: only a SQLite ledger must be adopted after it is restored."
    return "Nothing to do: the ledger is not a copy." if exists else f"{_NO_LEDGER}. Nothing to do."


def _as_dict(found: LedgerCheck, ledger: str) -> dict[str, Any]:
    runs = [
        {
            "campaign": run.campaign,
            "run": run.run,
            "ok": run.is_ok,
            "counts": _counts(run.counts),
            "recounted": _counts(run.recounted),
            "differs": [_SHOWN.get(name, name) for name in run.differs],
            "adds_up": run.adds_up,
            "damaged": run.damaged,
        }
        for run in found.runs
    ]
    return {"ok": found.is_ok, "ledger": ledger, "runs": runs, "damaged": found.damaged}


def _counts(counts: Counts | None) -> dict[str, Any] | None:
    if counts is None:
        return None
    return {_SHOWN.get(name, name): getattr(counts, name) for name in COUNTS} | {"skipped": counts.skipped}


def _lines(run: RunCheck) -> list[str]:
    """Return one line per problem of a run."""
    lines = [f"{run.campaign}: {text}" for text in run.damaged]
    counts, recounted = _counts(run.counts), _counts(run.recounted)
    if counts is not None and recounted is not None:
        for name in run.differs:
            shown, _, reason = _SHOWN.get(name, name).partition(".")
            written, real = counts[shown], recounted[shown]
            if reason:
                written, real = written.get(reason, 0), real.get(reason, 0)
            lines.append(
                f"{run.campaign}: {_SHOWN.get(name, name)} is {written:,} in the counts, but {real:,} after recounting."
            )
    if run.counts is not None and not run.adds_up:
        lines.append(f"{run.campaign}: the counts do not add up to the audience of {run.counts.rows:,}.")
    return lines


async def _check(database: Database) -> LedgerCheck:
    try:
        return await check_ledger(database)
    finally:
        await database.close()


async def _adopt(database: Database) -> bool:
    try:
        return await database.adopt()
    finally:
        await database.close()


async def _purge(database: Database, before: datetime) -> Purged:
    try:
        return await purge(database, before)
    finally:
        await database.close()
