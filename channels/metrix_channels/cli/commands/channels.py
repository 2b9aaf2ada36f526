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
    """List the channels and their verification."""
    state = state_of(context)
    config = state.config_file().current()
    rows = [described(config, channel) for channel in config.channels.values()]
    if state.output.as_json:
        state.output.document({"channels": rows})
        return
    from ..ui.tables import channel_table  # on demand: JSON output does not need rich

    state.output.show(channel_table(rows))


@group.command(
    epilog=example(
        "metrix-channels channels verify sms",
        'metrix-channels channels verify sms --by sara@example.com --note "reached my phone" --expires 90d --yes',
    )
)
def verify(
    context: typer.Context,
    name: Annotated[str, typer.Argument(metavar="NAME", help="The name of the channel.")],
    by: Annotated[
        str | None,
        typer.Option("--by", metavar="WHO", help="The person who received the test message.", show_default=False),
    ] = None,
    note: Annotated[
        str | None, typer.Option("--note", metavar="TEXT", help="A note to store with the record.", show_default=False)
    ] = None,
    expires: Annotated[
        str | None,
        typer.Option(
            "--expires", metavar="TIME", help="How long the verification is valid, such as 90d.", show_default=False
        ),
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Confirm that the test message arrived; ask nothing.")] = False,
) -> None:
    """Record that a channel's test message arrived.

    On a terminal, guides you through the test: first a message from Metrix's dashboard, then a message through the
    API to your own customUserId. With --by and --yes, records the test without questions; without a terminal, --by
    is enough. Writes the date, the person and the application into the configuration file; comments and layout are
    kept.
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
        remedy = f"Run `metrix-channels channels verify {name} --by YOU --yes` when the test message has arrived."
        raise UsageError("--by is missing.", code="usage", remedy=remedy)
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
        state.output.say(f"{name} was not recorded as verified; {file.path} is unchanged.")
    else:
        state.output.say(f"{name} is verified for application {config.metrix.resolve_app_id()}; see {file.path}.")
