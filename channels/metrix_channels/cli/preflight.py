"""`preflight`: every check that can be made before sending."""

from __future__ import annotations

import asyncio
from typing import Annotated

import typer
from rich.table import Table
from rich.text import Text

from ..preflight import Preflight, Status, run_preflight
from .app import app, state_of
from .output import Output, visible

_STYLES = {Status.PASS: "green", Status.WARN: "yellow", Status.FAIL: "bold red", Status.SKIP: "dim"}


@app.command()
def preflight(
    context: typer.Context,
    channels: Annotated[list[str] | None, typer.Argument(help="Channels; none for all.", show_default=False)] = None,
    offline: Annotated[bool, typer.Option("--offline", help="Leave out the connection to Metrix.")] = False,
) -> None:
    """Make every check that can be made before sending; exit status 3 when one fails.

    Nothing is sent and nobody is reached: configuration, secrets, each channel's verification, every template with
    its sample, the ledger, and a connection to Metrix without a request.

    Example: metrix-channels preflight sms --offline
    """
    state = state_of(context)
    found = asyncio.run(run_preflight(state.config_file(), channels or [], offline=offline))
    if state.output.as_json:
        state.output.document(found.as_dict())
    else:
        show(state.output, found)
    state.status = 0 if found.ok else 3


def show(output: Output, found: Preflight) -> None:
    """Print a preflight as a table, and what to do below it."""
    table = Table(box=None, pad_edge=False)
    for column in ("", "check", "of", "found"):
        table.add_column(column, overflow="fold")
    for check in found.checks:
        table.add_row(
            Text(check.status.value, style=_STYLES[check.status]),
            check.id,
            Text(visible(check.subject)),
            Text(visible(check.message)),
        )
    output.out.print(table)
    remedies = dict.fromkeys(check.remedy for check in found.checks if check.remedy and check.status is not Status.PASS)
    for remedy in remedies:
        output.out.print(Text(f"→ {remedy}"))
    verdict = "Ready to send." if found.ok else f"Not ready: {len(found.failures)} checks failed."
    output.out.print(Text(verdict, style="bold green" if found.ok else "bold red"))
