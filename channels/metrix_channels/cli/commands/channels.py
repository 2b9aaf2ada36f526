"""`channels list` and `channels verify`."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

import typer

from ...config import Verification
from ...config.editing import record_verification
from ...errors import UsageError
from ...support.standings import described
from ..context import app, example, state_of
from ..values import read_duration

group: typer.Typer = typer.Typer(
    help="Show the channels; record that one was tested.",
    no_args_is_help=True,
    epilog=example("metrix-channels channels list", "metrix-channels channels verify sms --by sara@example.com"),
)
app.add_typer(group, name="channels")


@group.command("list", epilog=example("metrix-channels channels list", "metrix-channels channels list --json"))
def list_channels(context: typer.Context) -> None:
    """Show the channels and their verification."""
    state = state_of(context)
    config = state.config_file().current()
    rows = [described(config, channel) for channel in config.channels.values()]
    if state.output.as_json:
        state.output.document({"channels": rows})
        return
    from ..ui.tables import channel_table  # on demand: what is not drawn needs no rich

    state.output.show(channel_table(rows))


@group.command(
    epilog=example('metrix-channels channels verify sms --by sara@example.com --note "reached my phone" --expires 90d')
)
def verify(
    context: typer.Context,
    name: Annotated[str, typer.Argument(metavar="NAME", help="The channel.")],
    by: Annotated[str, typer.Option("--by", metavar="WHO", help="Who saw the test message arrive.")],
    note: Annotated[
        str | None, typer.Option("--note", metavar="TEXT", help="What was seen.", show_default=False)
    ] = None,
    expires: Annotated[
        str | None,
        typer.Option("--expires", metavar="TIME", help="How long it counts, such as 90d.", show_default=False),
    ] = None,
) -> None:
    """Record that a channel's dashboard test arrived.

    Send a test message through the channel from Metrix's dashboard first. Writes date, person and the configured
    application into the YAML file; comments and layout stay.
    """
    state = state_of(context)
    file = state.config_file()
    config = file.current()
    config.channel(name)
    if not any(character.isalnum() for character in by):
        raise UsageError("--by names nobody.", code="usage", remedy="Name who saw the test message arrive.")
    verification = Verification(
        at=datetime.now(UTC).date(),
        by=by,
        app_id=config.metrix.resolve_app_id(),
        expires=read_duration("--expires", expires) if expires is not None else None,
        note=note,
    )
    record_verification(file.path, name, verification)
    if state.output.as_json:
        state.output.document({"channel": described(file.current(), file.current().channel(name))})
    else:
        state.output.say(f"{name} is verified for application {verification.app_id}; see {file.path}.")
