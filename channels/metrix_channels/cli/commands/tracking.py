"""`identify` and `track`: send users and events to Metrix, one at a time or from a file."""

from __future__ import annotations

import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer
from attrs import frozen
from rich.table import Table
from rich.text import Text

from ...errors import MetrixChannelsError, UsageError
from ...events import EventFields, MetrixUser, ProfileFields, parsed_birthday, parsed_time
from ...notifier import Notifier
from ...notifier.events.report import EventsReport, WatchEvents
from ...outcomes import EventReceipt, Outcome, iso_utc
from ...process.temporary import temporary_files
from ..context import State, app, example, state_of
from ..signals import stopped_by_signals
from ..ui.output import visible
from ..ui.progress import Move, progress_bar
from ..values import typed_value

_User = Annotated[
    str | None,
    typer.Argument(metavar="USER", help="The customUserId of the user; omit with --file.", show_default=False),
]
_IsMetrixUser = Annotated[bool, typer.Option("--metrix-user", help="USER is a metrixUserId, not a customUserId.")]
_Attributes = Annotated[
    list[str] | None,
    typer.Option(
        "--attribute",
        metavar="K=V",
        help="An attribute: k=v for text, k:=v for JSON, such as total:=12.5; may be repeated.",
        show_default=False,
    ),
]
_Time = Annotated[
    str | None,
    typer.Option("--time", metavar="TIME", help="ISO 8601 or Unix milliseconds.  [default: now]", show_default=False),
]
_File = Annotated[
    Path | None,
    typer.Option(
        "--file",
        metavar="FILE.jsonl",
        help="A file with one JSON object per line; - reads standard input.",
        show_default=False,
    ),
]


def _line_of_file(line: str) -> str:
    return f"\n\n\b\nExample line of the file:\n  {line}"


def _text(name: str, help_: str) -> Any:
    return typer.Option(name, metavar="TEXT", help=help_, show_default=False)


@app.command(
    epilog=example(
        "metrix-channels identify user-42 --email sara@example.com --first-name سارا --attribute level:=3",
        "metrix-channels identify --file users.jsonl",
    )
    + _line_of_file('{"user": "user-42", "first_name": "سارا", "birthday": "1990-05-01"}')
)
def identify(
    context: typer.Context,
    user: _User = None,
    metrix_user: _IsMetrixUser = False,
    email: Annotated[str | None, _text("--email", "The email address.")] = None,
    phone: Annotated[str | None, _text("--phone", "The phone number.")] = None,
    first_name: Annotated[str | None, _text("--first-name", "The first name.")] = None,
    last_name: Annotated[str | None, _text("--last-name", "The last name.")] = None,
    hashed_email: Annotated[str | None, _text("--hashed-email", "The hashed email address; replaces --email.")] = None,
    hashed_phone: Annotated[str | None, _text("--hashed-phone", "The hashed phone number; replaces --phone.")] = None,
    country: Annotated[str | None, _text("--country", "The country.")] = None,
    city: Annotated[str | None, _text("--city", "The city.")] = None,
    region: Annotated[str | None, _text("--region", "The region.")] = None,
    locality: Annotated[str | None, _text("--locality", "The locality.")] = None,
    gender: Annotated[str | None, _text("--gender", "Male, Female or Other.")] = None,
    birthday: Annotated[str | None, _text("--birthday", "A date, such as 1990-05-01.")] = None,
    attributes: _Attributes = None,
    time: _Time = None,
    file: _File = None,
) -> None:
    """Send user profiles to Metrix, one or many.

    Each line of the file is a JSON object with `user` (or `metrix_user`) and fields named like the options below,
    with underscores.

    Exit status: 0 accepted; 1 rejected or unknown; 2 invalid input, nothing was sent; 4 not sent, try again later.
    """
    fields: dict[str, Any] = {
        "email": email,
        "phone": phone,
        "first_name": first_name,
        "last_name": last_name,
        "hashed_email": hashed_email,
        "hashed_phone": hashed_phone,
        "country": country,
        "city": city,
        "region": region,
        "locality": locality,
        "gender": gender,
        "birthday": parsed_birthday(birthday) if birthday is not None else None,
        "attributes": _attributes(attributes),
        "time": parsed_time(time) if time is not None else None,
    }
    _send(
        state_of(context),
        _Arguments(user, metrix_user, fields, file),
        lambda notifier, whom, given: notifier.identify(whom, **ProfileFields(**given)),  # type: ignore[typeddict-item]
        Notifier.identify_many,
    )


@app.command(
    epilog=example(
        "metrix-channels track user-42 --name order_paid --attribute total:=12.5 --attribute city=تهران",
        "metrix-channels track user-42 --name order_paid --revenue 12.5 --time 2026-11-20T10:00:00+03:30",
        "metrix-channels track --file events.jsonl",
    )
    + _line_of_file('{"user": "user-42", "name": "order_paid", "time": 1795516841758, "attributes": {"total": 12.5}}')
)
def track(
    context: typer.Context,
    user: _User = None,
    metrix_user: _IsMetrixUser = False,
    name: Annotated[str | None, _text("--name", "The event's name, as defined in the application.")] = None,
    slug: Annotated[
        str | None, _text("--slug", "The event's five-letter slug from the dashboard; replaces --name.")
    ] = None,
    attributes: _Attributes = None,
    revenue: Annotated[
        float | None, typer.Option("--revenue", metavar="NUMBER", help="The revenue of the event.", show_default=False)
    ] = None,
    time: _Time = None,
    file: _File = None,
) -> None:
    """Send events to Metrix, one or many.

    Each line of the file is a JSON object with `user` (or `metrix_user`) and fields named like the options below.
    Give each event a time. You can then send the file again after a crash: events that Metrix already has are not
    sent twice.

    Exit status: 0 accepted; 1 rejected, unknown, or (in a file) already sent; 2 invalid input, nothing was sent;
    4 not sent, try again later.
    """
    fields: dict[str, Any] = {
        "name": name,
        "slug": slug,
        "attributes": _attributes(attributes),
        "revenue": revenue,
        "time": parsed_time(time) if time is not None else None,
    }
    _send(
        state_of(context),
        _Arguments(user, metrix_user, fields, file),
        lambda notifier, whom, given: notifier.track(whom, **EventFields(**given)),  # type: ignore[typeddict-item]
        Notifier.track_many,
    )


@frozen
class _Arguments:
    """The arguments: a user and its fields, or a file of many users."""

    user: str | None
    is_metrix_user: bool
    fields: dict[str, Any]
    file: Path | None


def _send(
    state: State,
    told: _Arguments,
    one: Callable[[Notifier, str | MetrixUser, dict[str, Any]], EventReceipt],
    many: Callable[..., EventsReport],
) -> None:
    given = {name: value for name, value in told.fields.items() if value is not None}
    if told.file is not None:
        if told.user is not None or given:
            remedy = "Remove --file, or remove USER and the other options."
            raise UsageError("--file cannot be combined with USER or other fields.", code="usage", remedy=remedy)
        _send_many(state, told.file, many)
        return
    if told.user is None:
        remedy = "Give the user's customUserId, or a file with --file FILE."
        raise UsageError("USER or --file is missing.", code="usage", remedy=remedy)
    whom = MetrixUser(told.user) if told.is_metrix_user else told.user
    _send_one(state, lambda notifier: one(notifier, whom, given))


def _attributes(pairs: Sequence[str] | None) -> dict[str, Any] | None:
    return dict(typed_value("--attribute", pair) for pair in pairs) if pairs else None


def _send_one(state: State, send: Callable[[Notifier], EventReceipt]) -> None:
    with Notifier.from_config(state.config_file().path) as notifier, stopped_by_signals(notifier):
        try:
            receipt = send(notifier)
        except MetrixChannelsError as error:
            if error.event is None:
                raise
            state.status = error.exit_status
            state.output.error(error, _document(error.event))
            receipt = error.event
            if state.output.as_json:
                return
    if state.output.as_json:
        state.output.document(_document(receipt))
        return
    text = Text(receipt.outcome.value, style="green" if receipt.outcome is Outcome.ACCEPTED else "yellow")
    text.append(f"  {visible(receipt.user)}  {receipt.type} at {iso_utc(receipt.time)}  {receipt.id}", style="dim")
    state.output.say(text)


def _document(receipt: EventReceipt) -> dict[str, Any]:
    return {"events": [receipt.as_dict()]}


def _send_many(state: State, file: Path, send: Callable[..., EventsReport]) -> None:
    with (
        Notifier.from_config(state.config_file().path) as notifier,
        _as_file(file) as path,
        stopped_by_signals(notifier),
        progress_bar(state.output) as move,
    ):
        report = send(notifier, path, watch=_watcher(move))
    if report.halted_by is not None:
        state.status = 4
    elif report.accepted < report.events:
        state.status = 1
    if state.output.as_json:
        error = {"error": report.halted_by.as_dict()} if report.halted_by else {}
        state.output.document({**report.as_dict(), **error})
    else:
        _show(state, report)


@contextmanager
def _as_file(file: Path) -> Iterator[Path]:
    """Copy standard input to a file, because the source is read twice."""
    if str(file) != "-":
        yield file
        return
    with ExitStack() as until_read:
        with temporary_files():
            kept = Path(until_read.enter_context(tempfile.TemporaryDirectory())) / "stdin"
            with kept.open("wb") as written:
                shutil.copyfileobj(sys.stdin.buffer, written)
        yield kept


def _watcher(move: Move | None) -> WatchEvents | None:
    return None if move is None else lambda report: move(report.events - report.pending, report.events)


def _show(state: State, report: EventsReport) -> None:
    output = state.output
    table = Table("outcome", "events", box=None, pad_edge=False)
    for outcome, count in report.counts().items():
        if count or outcome == "accepted":
            table.add_row(outcome.replace("_", " "), f"{count:,}")
    output.show(table)
    for failure in report.failures[:10]:
        output.say(f"{failure.record}: {failure.user}: {failure.error.message} [{failure.error.code}]", "yellow")
    if len(report.failures) > 10:
        output.say("… --json lists the first hundred.", "dim")
    if report.halted_by is not None:
        output.hint(f"Halted: {report.halted_by.message} [{report.halted_by.code}]\n{report.halted_by.remedy}")
