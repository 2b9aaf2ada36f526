"""`preflight`: every check that can be made before sending."""

from __future__ import annotations

import asyncio
from typing import Annotated

import typer
from rich.table import Table
from rich.text import Text

from ..config import ConfigFile
from ..notifier import AsyncNotifier
from ..preflight import Check, Preflight, Status
from .app import app, example, state_of
from .output import Output, nearby, visible

_STYLES = {Status.PASS: "green", Status.WARN: "yellow", Status.FAIL: "bold red", Status.SKIP: "dim"}
_LONGEST_LIST = 70


@app.command(
    epilog=example(
        "metrix-channels preflight",
        "metrix-channels preflight sms push --offline",
        "metrix-channels preflight campaigns/welcome.yaml",
    )
)
def preflight(
    context: typer.Context,
    names: Annotated[
        list[str] | None,
        typer.Argument(metavar="CHANNEL|CAMPAIGN.yaml", help="None: all channels.", show_default=False),
    ] = None,
    offline: Annotated[bool, typer.Option("--offline", help="Leave out the connection to Metrix.")] = False,
) -> None:
    """Check all that can be checked before sending.

    Nothing is sent and nobody is reached: configuration, secrets, each channel's verification, every template with
    its sample, the ledger, and a connection to Metrix without a request; of a campaign also its file, and its audience
    planned whole. Exit status 3 when a check fails; with --json every single check is listed.
    """
    state = state_of(context)
    found = asyncio.run(_checked(state.config_file(), names or [], offline=offline))
    state.status = 0 if found.ok else 3
    if state.output.as_json:
        state.output.document(found.as_dict())
    else:
        show(state.output, found)


async def _checked(file: ConfigFile, names: list[str], *, offline: bool) -> Preflight:
    async with AsyncNotifier(file) as notifier:
        return await notifier.preflight(*names, offline=offline)


def show(output: Output, found: Preflight) -> None:
    """Print a preflight: in a line each what failed, warns or was left out; what passed together; what to do."""
    table = Table(box=None, pad_edge=False, show_header=False)
    for _ in range(3):
        table.add_column(overflow="fold")
    for check in found.checks:
        alike = [other for other in found.checks if other.id == check.id and other.status is Status.PASS]
        if check.status is not Status.PASS or len(alike) == 1:
            table.add_row(*_row(check.status, check.id, f"{nearby(check.subject)}: {nearby(check.message)}"))
        elif check is alike[0]:
            table.add_row(*_row(check.status, check.id, _together(alike)))
    output.show(table)
    remedies = dict.fromkeys(check.remedy for check in found.checks if check.remedy and check.status is not Status.PASS)
    for remedy in remedies:
        output.say(f"→ {remedy}")
    output.say(_verdict(found), "bold green" if found.ok else "bold red")


def _row(status: Status, what: str, text: str) -> tuple[Text, Text, Text]:
    return Text(status.value, style=_STYLES[status]), Text(what), Text(visible(text))


def _together(checks: list[Check]) -> str:
    subjects = ", ".join(nearby(check.subject) for check in checks)
    return subjects if len(subjects) <= _LONGEST_LIST else f"{len(checks)} checks passed."


def _verdict(found: Preflight) -> str:
    failures = len(found.failures)
    warnings = sum(check.status is Status.WARN for check in found.checks)
    if failures:
        return f"Not ready: {failures} check{'s' if failures > 1 else ''} failed."
    if warnings:
        return f"Ready to send, with {warnings} warning{'s' if warnings > 1 else ''}."
    return "Ready to send."
