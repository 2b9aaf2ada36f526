"""`send`: one message now."""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Annotated, Any

import typer
from rich.table import Table
from rich.text import Text

from ..errors import MetrixChannelsError
from ..notifier import Notifier
from ..outcomes import Outcome, Receipt
from .app import app, state_of
from .output import Output, visible
from .values import read_context

_STYLES = {Outcome.ACCEPTED: "green", Outcome.NOT_SENT: "yellow", Outcome.REJECTED: "red", Outcome.UNKNOWN: "magenta"}


@app.command()
def send(
    context: typer.Context,
    channel: Annotated[str, typer.Argument(help="A channel of the configuration.")],
    to: Annotated[list[str], typer.Option("--to", help="A customUserId; may be repeated.")],
    template: Annotated[str, typer.Option("--template", help="A template's name.")],
    values: Annotated[list[str] | None, typer.Option("--set", help="k=v, as text.", show_default=False)] = None,
    file: Annotated[Path | None, typer.Option("--context", help="Values in JSON.", show_default=False)] = None,
    locale: Annotated[str | None, typer.Option("--locale", help="Such as fa or fa-IR.", show_default=False)] = None,
    key: Annotated[
        str | None, typer.Option("--key", help="Makes the command repeatable: never twice.", show_default=False)
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show the requests and send nothing.")] = False,
) -> None:
    """Send one message now.

    Example: metrix-channels send sms --to user-42 --template otp --set code=4821 --locale fa --key login-42-1
    """
    state = state_of(context)
    given = read_context(file, values or [])
    path = state.config_file().path
    with Notifier.from_config(path) as notifier:
        if dry_run:
            _show_requests(state.output, notifier.dry_run(channel, to, template, given, locale=locale))
            return
        with _stopped_by_signals(notifier):
            try:
                receipts = notifier.send(channel, to, template, given, locale=locale, key=key)
            except MetrixChannelsError as error:
                state.status = error.exit_status
                state.output.error(error, _document(error.receipts) if error.receipts else None)
                if error.receipts and not state.output.as_json:
                    _show_receipts(state.output, error.receipts)
                return
        if state.output.as_json:
            state.output.document(_document(receipts))
        else:
            _show_receipts(state.output, receipts)


@contextmanager
def _stopped_by_signals(notifier: Notifier) -> Iterator[None]:
    """Let the first SIGINT or SIGTERM end the send after the attempt in flight, the second one at once."""

    def stop(number: int, frame: FrameType | None) -> None:
        notifier.stop()
        signal.signal(number, signal.SIG_DFL)

    before = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _document(receipts: Sequence[Receipt]) -> dict[str, Any]:
    return {"receipts": [receipt.as_dict() for receipt in receipts]}


def _show_receipts(output: Output, receipts: Sequence[Receipt]) -> None:
    table = Table(box=None, pad_edge=False)
    for column in ("outcome", "recipients", "attempts", "status", "send"):
        table.add_column(column, overflow="fold")
    for receipt in receipts:
        outcome = Text(receipt.outcome.value, style=_STYLES[receipt.outcome])
        if receipt.possible_duplicate:
            outcome.append(" (possible duplicate)", style="yellow")
        shown = ", ".join(receipt.recipients[:5]) + (
            f" … {len(receipt.recipients):,}" if len(receipt.recipients) > 5 else ""
        )
        table.add_row(outcome, Text(visible(shown)), str(receipt.attempts), str(receipt.status_code or "–"), receipt.id)
    output.out.print(table)


def _show_requests(output: Output, requests: list[dict[str, Any]]) -> None:
    if output.as_json:
        output.document({"requests": requests})
        return
    for request in requests:
        output.out.print(Text(f"{request['method']} {request['url']}", style="bold"))
        for name, value in request["headers"].items():
            output.out.print(Text(f"{name}: {value}", style="dim"))
        output.out.print(Text(visible(json.dumps(request["body"], ensure_ascii=False, indent=2))))
    output.out.print(Text("Nothing was sent.", style="bold"))
