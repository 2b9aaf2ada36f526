"""`send`: one message now."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from attrs import asdict

from ...errors import MetrixChannelsError
from ...notifier.call import Call, PlainText, content_of
from ...outcomes import Outcome, Receipt
from ..context import State, app, example, state_of
from ..ui.output import Output
from ..values import read_context, read_duration

if TYPE_CHECKING:
    from ...notifier import Notifier


@app.command(
    epilog=example(
        "metrix-channels send sms --to user-42 --template otp --set code=4821 --dry-run",
        "metrix-channels send sms --to user-42 --template otp --set code=4821 --key login-42-1",
        'metrix-channels send push --to user-42 --title "Table 7" --text "Your table is ready."',
    )
)
def send(
    context: typer.Context,
    channel: Annotated[str, typer.Argument(metavar="CHANNEL", help="A channel from the configuration.")],
    to: Annotated[list[str], typer.Option("--to", metavar="ID", help="A recipient's customUserId; may be repeated.")],
    template: Annotated[
        str | None, typer.Option("--template", metavar="NAME", help="The name of a template.", show_default=False)
    ] = None,
    values: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="K=V", help="A template value; may be repeated.", show_default=False),
    ] = None,
    file: Annotated[
        Path | None, typer.Option("--context", metavar="FILE", help="A JSON file with values.", show_default=False)
    ] = None,
    locale: Annotated[
        str | None,
        typer.Option("--locale", metavar="LOCALE", help="A locale, such as fa or fa-IR.", show_default=False),
    ] = None,
    text: Annotated[
        str | None,
        typer.Option("--text", metavar="TEXT", help="The message text, without a template.", show_default=False),
    ] = None,
    title: Annotated[
        str | None,
        typer.Option("--title", metavar="TEXT", help="The title of a push or email.", show_default=False),
    ] = None,
    key: Annotated[
        str | None,
        typer.Option("--key", metavar="KEY", help="A second send with the key sends nothing.", show_default=False),
    ] = None,
    deadline: Annotated[
        str | None,
        typer.Option("--deadline", metavar="TIME", help="Total time limit, such as 3s.", show_default=False),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show the requests; send nothing.")] = False,
) -> None:
    """Send one message now.

    The message comes from --template or --text. Exit status: 0 accepted; 1 rejected or unknown;
    2 invalid input; 3 refused, the channel is not verified; 4 not sent, try again later.
    """
    state = state_of(context)
    given = read_context(file, values or []) if file is not None or values else None
    seconds = read_duration("--deadline", deadline).total_seconds() if deadline is not None else None
    call = Call(channel, tuple(to), content_of(template, given, locale, text, title), key, seconds)
    if dry_run:
        _show_dry_run(state, call)
    else:
        _send(state, call)


# Both functions import on demand: a dry run needs neither an event loop nor a ledger.


def _show_dry_run(state: State, call: Call) -> None:
    from ...notifier.dry_run import dry_run_of

    found = dry_run_of(state.config_file(), call)
    more = {"sms_parts": found.sms_parts, "cautions": [asdict(caution) for caution in found.cautions]}
    show_requests(state.output, found.requests, more)
    if not state.output.as_json:
        for caution in found.cautions:
            state.output.hint(caution.message)


def _send(state: State, call: Call) -> None:
    from ...notifier import Notifier
    from ..signals import stopped_by_signals

    with Notifier.from_config(state.config_file().path) as notifier:
        with stopped_by_signals(notifier) as interrupted:
            try:
                receipts = _receipts(notifier, call)
            except MetrixChannelsError as error:
                if not error.receipts:
                    raise
                _show_error(state, error, is_interrupted=interrupted.is_set())
                return
        if state.output.as_json:
            state.output.document(_document(receipts))
        else:
            show_receipts(state.output, receipts)


def _receipts(notifier: Notifier, call: Call) -> tuple[Receipt, ...]:
    to, said, key, deadline = tuple(call.to), call.content, call.key, call.deadline
    if isinstance(said, PlainText):
        return notifier.send(call.channel, to, text=said.text, title=said.title, key=key, deadline=deadline)
    return notifier.send(call.channel, to, said.template, said.context, locale=said.locale, key=key, deadline=deadline)


def _show_error(state: State, error: MetrixChannelsError, *, is_interrupted: bool) -> None:
    settled = all(receipt.outcome in (Outcome.ACCEPTED, Outcome.REJECTED) for receipt in error.receipts)
    state.status = 4 if is_interrupted and not settled else error.exit_status
    state.output.error(error, _document(error.receipts))
    if not state.output.as_json:
        show_receipts(state.output, error.receipts)


def _document(receipts: Sequence[Receipt]) -> dict[str, Any]:
    return {"receipts": [receipt.as_dict() for receipt in receipts]}


def show_receipts(output: Output, receipts: Sequence[Receipt]) -> None:
    """Print receipts as a table."""
    from ..ui.tables import receipt_table  # on demand: JSON output does not need rich

    output.show(receipt_table(receipts))
    if receipts and all(receipt.repeated for receipt in receipts):
        output.say("This key was already sent: this is the outcome of the earlier call. Nothing was sent now.")


def show_requests(output: Output, requests: list[dict[str, Any]], more: Mapping[str, Any] | None = None) -> None:
    """Print requests as they would be sent; with --json, also the facts in `more`."""
    if output.as_json:
        output.document({"requests": requests, **(more or {})})
        return
    for request in requests:
        output.say(f"{request['method']} {request['url']}", "bold")
        for name, value in request["headers"].items():
            output.say(f"{name}: {value}", "dim")
        output.say(json.dumps(request["body"], ensure_ascii=False, indent=2))
    output.say("Nothing was sent.", "bold")
