"""`channels list` and `channels verify`."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

import typer
from rich.table import Table
from rich.text import Text

from ..adapters import adapter_for
from ..config import Channel, Config, Verification, standing
from ..config.editing import record_verification
from ..config.kinds import span
from ..errors import MetrixChannelsError, UsageError
from .app import app, state_of
from .output import visible

group = typer.Typer(help="Show the channels, and record that one was tested.", no_args_is_help=True)
app.add_typer(group, name="channels")


@group.command("list")
def list_channels(context: typer.Context) -> None:
    """Show the channels of the configuration and their verification.

    Example: metrix-channels channels list
    """
    state = state_of(context)
    config = state.config_file().current()
    rows = [_described(config, channel) for channel in config.channels.values()]
    if state.output.as_json:
        state.output.document({"channels": rows})
        return
    table = Table(box=None, pad_edge=False)
    for column in ("channel", "type", "verified", ""):
        table.add_column(column, overflow="fold")
    for row in rows:
        mark = Text("yes", style="green") if row["verified"] else Text("no", style="bold red")
        table.add_row(row["name"], row["type"], mark, Text(visible(row["message"])))
    state.output.out.print(table)


def _described(config: Config, channel: Channel) -> dict[str, Any]:
    row: dict[str, Any] = {
        "name": channel.name,
        "type": channel.type.value,
        "metrix_channel": adapter_for(channel.type).metrix_name,
    }
    try:
        found = standing(channel, config.metrix.resolve_app_id(), datetime.now(UTC))
    except MetrixChannelsError as error:
        return row | {"verified": False, "code": error.code, "message": error.message, "age_days": None, "cautions": []}
    return row | {
        "verified": found.code is None,
        "code": found.code,
        "message": found.message,
        "age_days": found.age.days if found.age is not None else None,
        "cautions": list(found.cautions),
    }


@group.command()
def verify(
    context: typer.Context,
    name: Annotated[str, typer.Argument(help="The channel.")],
    by: Annotated[str, typer.Option("--by", help="Who saw the test message arrive.")],
    note: Annotated[str | None, typer.Option("--note", help="What was seen.", show_default=False)] = None,
    expires: Annotated[
        str | None, typer.Option("--expires", help="How long it counts, such as 90d.", show_default=False)
    ] = None,
) -> None:
    """Record that a channel's test message, sent from Metrix's dashboard, has arrived.

    Writes date, person and the configured application into the YAML file; comments and layout stay.

    Example: metrix-channels channels verify sms --by sara@example.com --note "reached my phone" --expires 90d
    """
    state = state_of(context)
    file = state.config_file()
    config = file.current()
    config.channel(name)
    if not by.strip():
        raise UsageError("--by names nobody.", code="usage", remedy="Name who saw the test message arrive.")
    verification = Verification(
        at=datetime.now(UTC).date(),
        by=by,
        app_id=config.metrix.resolve_app_id(),
        expires=_duration(expires) if expires is not None else None,
        note=note,
    )
    record_verification(file.path, name, verification)
    if state.output.as_json:
        state.output.document({"channel": _described(file.current(), file.current().channel(name))})
    else:
        state.output.out.print(Text(f"{name} is verified for {verification.app_id}; see {file.path}."))


def _duration(text: str) -> timedelta:
    try:
        return span(most="3660d").parse(text)
    except ValueError as error:
        raise UsageError(f"--expires {text!r} is no duration.", code="usage", remedy="Write 90d or 12h.") from error
