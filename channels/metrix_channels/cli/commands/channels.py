"""`channels list` and `channels verify`."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from ...config import ConfigFile, Verification
from ...config.editing import record_verification
from ...errors import UsageError
from ...process import wall_clock
from ...support.standings import described
from ..context import State, app, example, state_of
from ..guided_verification import checked_name, lead_through
from ..values import read_duration

group: typer.Typer = typer.Typer(
    help="List the channels, or record a test.",
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
    epilog=example(
        "metrix-channels channels verify sms",
        'metrix-channels channels verify sms --by sara@example.com --note "reached my phone" --expires 90d --yes',
    )
)
def verify(
    context: typer.Context,
    name: Annotated[str, typer.Argument(metavar="NAME", help="The channel.")],
    by: Annotated[
        str | None,
        typer.Option("--by", metavar="WHO", help="Who saw the test message arrive.", show_default=False),
    ] = None,
    note: Annotated[
        str | None, typer.Option("--note", metavar="TEXT", help="What was seen.", show_default=False)
    ] = None,
    expires: Annotated[
        str | None,
        typer.Option("--expires", metavar="TIME", help="How long it counts, such as 90d.", show_default=False),
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask: the test message has arrived.")] = False,
) -> None:
    """Record that a channel's dashboard test arrived.

    On a terminal it leads through the test: the message from Metrix's dashboard, then one through the API to an id of
    yours. With --by and --yes, or --by where there is no terminal, it records the test without a question.
    Writes date, person and the configured application into the YAML file; comments and layout stay.
    """
    state = state_of(context)
    file = state.config_file()
    file.current().channel(name)
    lasts = read_duration("--expires", expires) if expires is not None else None
    if not yes and sys.stdin.isatty() and state.output.err.is_terminal:
        seen = lead_through(state.output, file, name, by)
        if seen is None:
            state.status = 1
            _show(state, file, name)
            return
        by, note = seen.by, f"{note}; {seen.note}" if note else seen.note
    elif by is None:
        remedy = f"Run `metrix-channels channels verify {name} --by YOU --yes` when the dashboard's test has arrived."
        raise UsageError("--by is missing, and nobody is asked.", code="usage", remedy=remedy)
    app_id = file.current().metrix.resolve_app_id()
    today = wall_clock.now().date()
    record_verification(
        file.path, name, Verification(at=today, by=checked_name(by), app_id=app_id, expires=lasts, note=note)
    )
    _show(state, file, name)


def _show(state: State, file: ConfigFile, name: str) -> None:
    config = file.current()
    channel = described(config, config.channel(name))
    if state.output.as_json:
        state.output.document({"channel": channel})
    elif state.status:
        state.output.say(f"{name} was not recorded as verified; {file.path} is as it was.")
    else:
        state.output.say(f"{name} is verified for application {config.metrix.resolve_app_id()}; see {file.path}.")
