"""`preflight`: all checks before sending."""

from __future__ import annotations

from typing import Annotated

import typer

from ...checks import CheckStatus
from ...config import ConfigFile
from ...notifier import AsyncNotifier
from ...notifier.services import ServicesOfProcess
from ...preflight import Preflight
from ..context import app, example, state_of
from ..signals import run_interruptibly
from ..ui.checks import show_checks
from ..ui.output import Output
from ..ui.progress import Move, progress_bar


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
        typer.Argument(
            metavar="CHANNEL|CAMPAIGN.yaml",
            help="Channels or campaign files. Without any, check all channels.",
            show_default=False,
        ),
    ] = None,
    offline: Annotated[bool, typer.Option("--offline", help="Skip the connection to Metrix.")] = False,
) -> None:
    """Run all checks before sending.

    Checks the configuration, the credentials, each channel's verification, every template with its sample values,
    the ledger, and the connection to Metrix. For a campaign, checks the campaign file, its channel's verification,
    and its template with every row of the audience. No message and no API request is sent. Exit status 3 if a check
    fails. With --json, the output lists every check.
    """
    state = state_of(context)
    with progress_bar(state.output) as move:
        found = run_interruptibly(_checked(state.config_file(), names or [], offline=offline, watch=move))
    state.status = 0 if found.ok else 3
    if state.output.as_json:
        state.output.document(found.as_dict())
    else:
        show(state.output, found)


async def _checked(file: ConfigFile, names: list[str], *, offline: bool, watch: Move | None) -> Preflight:
    async with AsyncNotifier(ServicesOfProcess(file)) as notifier:
        return await notifier.preflight(*names, offline=offline, watch=watch)


def show(output: Output, found: Preflight) -> None:
    """Print the checks, and whether they allow sending."""
    show_checks(output, found)
    output.say(_verdict(found), "bold green" if found.ok else "bold red")


def _verdict(found: Preflight) -> str:
    failures = len(found.failures)
    warnings = sum(check.status is CheckStatus.WARN for check in found.checks)
    if failures:
        return f"Not ready: {failures} check{'s' if failures > 1 else ''} failed."
    if warnings:
        return f"Ready to send, with {warnings} warning{'s' if warnings > 1 else ''}."
    return "Ready to send."
