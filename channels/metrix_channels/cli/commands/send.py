"""`send`: one message now."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from ...errors import MetrixChannelsError
from ...notifier.call import Call
from ...outcomes import Outcome, Receipt
from ..context import State, app, example, state_of
from ..ui.output import Output
from ..values import read_context, read_duration


@app.command(
    epilog=example(
        "metrix-channels send sms --to user-42 --template otp --set code=4821 --dry-run",
        "metrix-channels send sms --to user-42 --template otp --set code=4821 --key login-42-1",
    )
)
def send(
    context: typer.Context,
    channel: Annotated[str, typer.Argument(metavar="CHANNEL", help="A channel of the configuration.")],
    to: Annotated[list[str], typer.Option("--to", metavar="ID", help="A customUserId; may be repeated.")],
    template: Annotated[str, typer.Option("--template", metavar="NAME", help="A template's name.")],
    values: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="K=V", help="A value for the template, as text.", show_default=False),
    ] = None,
    file: Annotated[
        Path | None, typer.Option("--context", metavar="FILE", help="Values, a JSON object.", show_default=False)
    ] = None,
    locale: Annotated[
        str | None, typer.Option("--locale", metavar="LOCALE", help="Such as fa or fa-IR.", show_default=False)
    ] = None,
    key: Annotated[
        str | None,
        typer.Option("--key", metavar="KEY", help="Names this message: repeated, it goes once.", show_default=False),
    ] = None,
    deadline: Annotated[
        str | None,
        typer.Option("--deadline", metavar="TIME", help="For all of it, such as 3s.", show_default=False),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show the requests and send nothing.")] = False,
) -> None:
    """Send one message now.

    Exit status: 0 accepted; 1 rejected or unknown; 2 wrong input; 3 refused, nobody tested the channel; 4 not sent
    for now.
    """
    state = state_of(context)
    given = read_context(file, values or [])
    seconds = read_duration("--deadline", deadline).total_seconds() if deadline is not None else None
    call = Call(channel, tuple(to), template, given, locale, key, seconds)
    if dry_run:
        _show_dry_run(state, call)
    else:
        _send(state, call)


# Each way imports on demand what it alone needs: a dry run neither an event loop nor a ledger.


def _show_dry_run(state: State, call: Call) -> None:
    from ...notifier.dry_run import requests_of

    show_requests(state.output, requests_of(state.config_file(), call))


def _send(state: State, call: Call) -> None:
    from ...notifier import Notifier
    from ..signals import stopped_by_signals

    with Notifier.from_config(state.config_file().path) as notifier:
        with stopped_by_signals(notifier) as interrupted:
            try:
                receipts = notifier.send(
                    call.channel,
                    tuple(call.to),
                    call.template,
                    call.context,
                    locale=call.locale,
                    key=call.key,
                    deadline=call.deadline,
                )
            except MetrixChannelsError as error:
                if not error.receipts:
                    raise
                _show_error(state, error, is_interrupted=interrupted.is_set())
                return
        if state.output.as_json:
            state.output.document(_document(receipts))
        else:
            show_receipts(state.output, receipts)


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
    from ..ui.tables import receipt_table  # on demand: what is not drawn needs no rich

    output.show(receipt_table(receipts))
    if receipts and all(receipt.repeated for receipt in receipts):
        output.say("This is what an earlier call under this key came to. Nothing was sent now.")


def show_requests(output: Output, requests: list[dict[str, Any]]) -> None:
    """Print requests as they would go."""
    if output.as_json:
        output.document({"requests": requests})
        return
    for request in requests:
        output.say(f"{request['method']} {request['url']}", "bold")
        for name, value in request["headers"].items():
            output.say(f"{name}: {value}", "dim")
        output.say(json.dumps(request["body"], ensure_ascii=False, indent=2))
    output.say("Nothing was sent.", "bold")
