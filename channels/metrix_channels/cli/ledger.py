"""`ledger`: the books themselves."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import Annotated

import typer
from attrs import asdict

from ..ledger import Database, Purged, open_database, purge
from ..outcomes import iso_utc
from .app import app, example, state_of
from .values import read_duration

group = typer.Typer(no_args_is_help=True, help="Look after the ledger.")
app.add_typer(group, name="ledger")


@group.command("purge", epilog=example("metrix-channels ledger purge --older-than 90d"))
def purge_ledger(
    context: typer.Context,
    older_than: Annotated[
        str, typer.Option("--older-than", metavar="TIME", help="Since when it is over, such as 90d.")
    ],
) -> None:
    """Forget recipients and values of what was over by then; the counts are kept.

    Single messages keep their keys, so that nothing is sent twice; campaigns keep their counts, and lose their rows:
    `report --csv`, `retry` and `except` refuse them then, and caps on what a recipient gets no longer count them.
    What is deleted is overwritten in the file. What is not over is left alone.
    """
    state = state_of(context)
    before = datetime.now(UTC) - read_duration("--older-than", older_than)
    purged = asyncio.run(_purge(open_database(state.config_file().current()), before))
    if state.output.as_json:
        state.output.document({"before": iso_utc(before), **asdict(purged)})
        return
    state.output.say(
        f"Forgotten: {purged.sends:,} messages, {purged.campaigns:,} campaigns, {purged.attempts:,} failed attempts,"
        f" {purged.event_times:,} times of events."
    )
    if purged.unfinished:
        state.output.say(f"Left alone, since they are not over: {purged.unfinished:,}.", "yellow")


async def _purge(database: Database, before: datetime) -> Purged:
    try:
        return await purge(database, before)
    finally:
        await database.close()
