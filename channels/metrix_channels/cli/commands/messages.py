"""`messages`: what was sent to whom."""

from __future__ import annotations

from itertools import islice
from typing import Annotated, Final

import typer

from ...notifier.messages import MessageQuery
from ..context import State, app, example, state_of
from ..values import read_duration

_AT_ONCE: Final = 1000
"""Rows per table; a progress bar is shown until the first table is complete."""


@app.command(
    epilog=example(
        "metrix-channels messages --recipient user-42 --since 24h",
        "metrix-channels messages --campaign nowruz-sale --outcome unknown --json",
    )
)
def messages(
    context: typer.Context,
    recipient: Annotated[
        str | None,
        typer.Option("--recipient", metavar="ID", help="Only messages to this customUserId.", show_default=False),
    ] = None,
    key: Annotated[
        str | None, typer.Option("--key", metavar="KEY", help="Only messages sent with this key.", show_default=False)
    ] = None,
    channel: Annotated[
        str | None, typer.Option("--channel", metavar="NAME", help="Only messages on this channel.", show_default=False)
    ] = None,
    campaign: Annotated[
        str | None,
        typer.Option("--campaign", metavar="NAME", help="Only messages of this campaign.", show_default=False),
    ] = None,
    outcome: Annotated[
        str | None,
        typer.Option(
            "--outcome",
            metavar="OUTCOME",
            help="Only this outcome: accepted, rejected, unknown, not_sent, pending or cancelled.",
            show_default=False,
        ),
    ] = None,
    since: Annotated[
        str | None,
        typer.Option("--since", metavar="TIME", help="Only messages newer than this, such as 24h.", show_default=False),
    ] = None,
) -> None:
    """Search the messages that were sent.

    Searches single messages, the outbox and campaigns. Shows the newest messages first. Does not show rows that a
    campaign skipped (see `campaign report`) or messages that `ledger purge` deleted.
    """
    state = state_of(context)
    age = read_duration("--since", since) if since is not None else None
    query = MessageQuery(recipient=recipient, key=key, channel=channel, campaign=campaign, outcome=outcome, since=age)
    _show(state, query)


def _show(state: State, query: MessageQuery) -> None:
    from ...notifier import Notifier  # on demand: `--help` does not need it
    from ..ui.progress import progress_bar
    from ..ui.tables import message_table

    with Notifier.from_config(state.config_file().path) as notifier:
        with progress_bar(state.output) as move:
            found = notifier.messages(**query, watch=move)
            if state.output.as_json:
                state.output.document_of_many("messages", (message.as_dict() for message in found))
                return
            rows = list(islice(found, _AT_ONCE))
        if not rows:
            state.output.say("No message was found.")
        while rows:
            state.output.show(message_table(rows))
            rows = list(islice(found, _AT_ONCE))
