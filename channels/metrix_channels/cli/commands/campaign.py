"""`campaign`: run, test, list, status, pause, resume, cancel, retry, report."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from shlex import quote
from typing import Annotated

import typer
from attrs import asdict, evolve

from ...campaign import CampaignPreview, CampaignStatus, FailureCount, load_campaign, report_page
from ...errors import MetrixChannelsError, UsageError, problem
from ...notifier import Notifier
from ...notifier.campaigns.asynchronous import FailedOutcome
from ...notifier.conclusion import raise_unless_accepted
from ...outcomes import Problem
from ..context import State, app, example, state_of
from ..languages import Language, language
from ..new_files import new_file
from ..signals import stopped_by_signals
from ..ui.campaign_progress import Live, live
from ..ui.output import counted
from ..ui.report_csv import write_csv
from .send import show_receipts

campaign: typer.Typer = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode=None,
    help="Send a campaign; safe to resume after a crash.",
)
app.add_typer(campaign, name="campaign")

File = Annotated[Path, typer.Argument(metavar="FILE", help="A campaign file.")]
Detach = Annotated[bool, typer.Option("--detach", help="Return at once; workers send it. Needs a PostgreSQL ledger.")]
Name = Annotated[str, typer.Argument(metavar="NAME", help="A campaign's name.")]
_EXITS = {"finished": 0, "finished_with_errors": 1, "cancelled": 1}
_LIVE = ("waiting", "running")
_RESUME = "`metrix-channels campaign resume {name}` continues it."
_WATCH = (
    "`metrix-channels campaign status {name}` shows its progress; `metrix-channels campaign pause {name}` pauses it."
)
_DETACHED = ("interrupted", "This command was interrupted; the workers continue the campaign.", _WATCH)
_UNFINISHED = {
    "interrupted": ("interrupted", "The campaign was interrupted.", "{again}" + _RESUME),
    "paused": ("run_paused", "The campaign was paused.", _RESUME),
    **dict.fromkeys(_LIVE, _DETACHED),
}
"""Code, message and remedy by the state of a run that is not finished."""


@campaign.command(
    epilog=example(
        "metrix-channels campaign run campaigns/nowruz.yaml --dry-run",
        "metrix-channels campaign run campaigns/nowruz.yaml",
        "metrix-channels campaign run campaigns/nowruz.yaml --yes",
    )
)
def run(
    context: typer.Context,
    file: File,
    name: Annotated[
        str | None, typer.Option("--name", metavar="NAME", help="Overrides the file's `name`.", show_default=False)
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Plan the campaign and show the first requests; send nothing.")
    ] = False,
    canary: Annotated[
        int | None,
        typer.Option("--canary", metavar="N", min=1, help="Send to N recipients first.", show_default=False),
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Send without asking for confirmation.")] = False,
    detach: Detach = False,
) -> None:
    """Plan and send a campaign, or continue its halted or interrupted run.

    Asks for confirmation before sending. Without a terminal, --yes is required.

    Exit status: 0 finished; 1 cancelled, or finished with rejected or unknown recipients; 2 invalid input, nothing
    was sent; 3 refused; 4 halted, paused, interrupted or busy: run the command again to continue.
    """
    state = state_of(context)
    with Notifier.from_config(state.config_file().path) as notifier:
        if dry_run:
            with stopped_by_signals(notifier) as interrupted, live(state.output, interrupted) as shown:
                found = notifier.campaigns.preview(file, name=name, canary=canary, watch=shown.watch)
            _show_preview(state, found)
            return
        if not yes:
            load_campaign(file)  # errors in the file come first
            _require_terminal(state)
        renamed = "" if name is None else f" --name {quote(name)}"
        _dispatch(
            state,
            notifier,
            lambda shown: notifier.campaigns.run(
                file,
                name=name,
                canary=canary,
                watch=shown.watch,
                confirm=None if yes else shown.confirm,
                detach=detach,
            ),
            detach=detach,
            again=f"`metrix-channels campaign run {quote(str(file))}{renamed}` or ",
        )


@campaign.command("test", epilog=example("metrix-channels campaign test campaigns/nowruz.yaml --to sara --row 3"))
def try_out(
    context: typer.Context,
    file: File,
    to: Annotated[
        list[str], typer.Option("--to", metavar="ID", help="The customUserId of a colleague; may be repeated.")
    ],
    row: Annotated[
        int | None,
        typer.Option(
            "--row",
            metavar="N",
            min=1,
            help="The number of the audience row, from 1.  [default: the first row that gets a message]",
            show_default=False,
        ),
    ] = None,
) -> None:
    """Send the message of one audience row to a colleague; the campaign is not started."""
    state = state_of(context)
    with Notifier.from_config(state.config_file().path) as notifier, stopped_by_signals(notifier):
        receipts = notifier.campaigns.test(file, to, row=row)
    document = {"receipts": [receipt.as_dict() for receipt in receipts]}
    try:
        raise_unless_accepted(receipts)
    except MetrixChannelsError as error:
        state.status = error.exit_status
        state.output.error(error, document)
    else:
        if state.output.as_json:
            state.output.document(document)
    if not state.output.as_json:
        show_receipts(state.output, receipts)


@campaign.command("list", epilog=example("metrix-channels campaign list"))
def list_(context: typer.Context) -> None:
    """List all campaigns in the ledger."""
    state = state_of(context)
    with Notifier.from_config(state.config_file().path) as notifier:
        found = notifier.campaigns.all()
    if state.output.as_json:
        state.output.document({"campaigns": [each.as_dict() for each in found]})
    else:
        from ..ui.campaigns import show_list  # on demand: JSON output does not need rich

        show_list(state.output, found)


@campaign.command(epilog=example("metrix-channels campaign status nowruz-sale"))
def status(context: typer.Context, name: Name) -> None:
    """Show the state and counts of a campaign."""
    state = state_of(context)
    with Notifier.from_config(state.config_file().path) as notifier:
        _show(state, notifier.campaigns.status(name))


@campaign.command(epilog=example("metrix-channels campaign pause nowruz-sale"))
def pause(context: typer.Context, name: Name) -> None:
    """Pause a campaign. Its requests in flight finish; `campaign resume` continues it."""
    state = state_of(context)
    with Notifier.from_config(state.config_file().path) as notifier:
        _show(state, notifier.campaigns.pause(name))


@campaign.command(epilog=example("metrix-channels campaign resume nowruz-sale"))
def resume(context: typer.Context, name: Name, detach: Detach = False) -> None:
    """Continue a paused, halted or interrupted campaign."""
    state = state_of(context)
    with Notifier.from_config(state.config_file().path) as notifier:
        _dispatch(
            state,
            notifier,
            lambda shown: notifier.campaigns.resume(name, watch=shown.watch, detach=detach),
            detach=detach,
        )


@campaign.command(epilog=example("metrix-channels campaign cancel nowruz-sale"))
def cancel(context: typer.Context, name: Name) -> None:
    """Cancel a campaign permanently; pending recipients get no message."""
    state = state_of(context)
    with Notifier.from_config(state.config_file().path) as notifier:
        _show(state, notifier.campaigns.cancel(name))


@campaign.command(
    epilog=example(
        "metrix-channels campaign retry nowruz-sale --rejected", "metrix-channels campaign retry nowruz-sale --unknown"
    )
)
def retry(
    context: typer.Context,
    name: Name,
    rejected: Annotated[bool, typer.Option("--rejected", help="Send to the recipients that Metrix rejected.")] = False,
    unknown: Annotated[
        bool, typer.Option("--unknown", help="Send to the recipients whose outcome is unknown; they may get it twice.")
    ] = False,
) -> None:
    """Send again to rejected recipients, or to those whose outcome is unknown. The ledger records the decision."""
    if rejected == unknown:
        remedy = f"Run `metrix-channels campaign retry {quote(name)} --rejected`, or the same with --unknown."
        raise UsageError("Choose --rejected or --unknown.", code="usage", remedy=remedy)
    state = state_of(context)
    with Notifier.from_config(state.config_file().path) as notifier:
        which: FailedOutcome = "rejected" if rejected else "unknown"
        _dispatch(state, notifier, lambda shown: notifier.campaigns.retry(name, which, watch=shown.watch))


@campaign.command(
    epilog=example(
        "metrix-channels campaign report nowruz-sale",
        "metrix-channels campaign report nowruz-sale --csv rows.csv --html report.html --lang fa",
    )
)
def report(
    context: typer.Context,
    name: Name,
    csv: Annotated[
        Path | None,
        typer.Option(
            "--csv", metavar="FILE", help="Write a CSV file with one row per audience row.", show_default=False
        ),
    ] = None,
    html: Annotated[
        Path | None,
        typer.Option(
            "--html", metavar="FILE", help="Write the report as one HTML file that you can share.", show_default=False
        ),
    ] = None,
    lang: Language = "en",
) -> None:
    """Show a campaign's counts, its errors, and what to do about unknown outcomes."""
    state = state_of(context)
    with Notifier.from_config(state.config_file().path) as notifier:
        found = notifier.campaigns.status(name)
        failed_attempts = notifier.campaigns.failed_attempts(name)
        written = write_csv(csv, notifier.campaigns.rows(name)) if csv is not None else None
        if html is not None:
            page = report_page(notifier.campaigns.overview(name), language(lang))
            with new_file(html) as file:
                file.write(page)
    if state.output.as_json:
        named = [asdict(each) for each in failed_attempts]
        extra: dict[str, object] = {} if written is None else {"csv": str(csv), "rows": written}
        extra |= {} if html is None else {"html": str(html)}
        state.output.document({**found.as_dict(), "plan": found.facts, "failed_attempts": named, **extra})
        return
    _print(state, found, failed_attempts)
    if written is not None:
        state.output.say(f"{counted(written, 'row')} written to {csv}.", "bold")
    if html is not None:
        state.output.say(f"Report written to {html}.", "bold")


def _dispatch(
    state: State, notifier: Notifier, work: Callable[[Live], CampaignStatus], *, detach: bool = False, again: str = ""
) -> None:
    """Send, show the progress and the result; `again` names another command that continues the run."""
    with stopped_by_signals(notifier) as interrupted, live(state.output, interrupted) as shown:
        found = work(shown)
    why = found.halted_by
    if why is None and found.state in _UNFINISHED and not detach:
        code, message, remedy = _UNFINISHED[found.state]
        why = evolve(problem(code, message), remedy=remedy.format(again=again, name=quote(found.campaign)))
    state.status = 0 if detach and found.state in _LIVE else _EXITS.get(found.state, 4)
    if found.halted_by is not None and found.halted_by.code == "schedule_missed":
        state.status = _as_error(found.halted_by).exit_status  # nothing was sent
    if why is not None:
        state.output.error(_as_error(why), found.as_dict())
    elif state.output.as_json:
        state.output.document(found.as_dict())
    if not state.output.as_json:
        from ..ui.campaigns import show_status  # as above

        show_status(state.output, found, [])


def _require_terminal(state: State) -> None:
    """Refuse to send without confirmation: the question needs a terminal on both stderr and stdin."""
    if not (sys.stdin.isatty() and state.output.has_terminal):
        raise UsageError(
            "Sending needs a confirmation, but the command runs without a terminal. Nothing was sent.",
            code="confirmation_missing",
        )


def _show(state: State, found: CampaignStatus) -> None:
    if state.output.as_json:
        state.output.document(found.as_dict())
    else:
        _print(state, found, [])


def _print(state: State, found: CampaignStatus, failed_attempts: Sequence[FailureCount]) -> None:
    from ..ui.campaigns import show_halt, show_status  # as above

    show_status(state.output, found, failed_attempts)
    show_halt(state.output, found)


def _as_error(why: Problem) -> MetrixChannelsError:
    return MetrixChannelsError(why.message, code=why.code, remedy=why.remedy, location=why.location)


def _show_preview(state: State, found: CampaignPreview) -> None:
    if state.output.as_json:
        state.output.document({"requests": found.requests, "plan": found.plan()})
        return
    from ..ui.campaigns import show_preview  # as above

    show_preview(state.output, found)
