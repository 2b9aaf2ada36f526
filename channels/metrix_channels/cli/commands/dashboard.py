"""`dashboard`: campaigns, channels and templates in the browser."""

from __future__ import annotations

from typing import Annotated

import typer

from ..context import app, example, state_of


@app.command(epilog=example("metrix-channels dashboard", "metrix-channels dashboard --port 0"))
def dashboard(
    context: typer.Context,
    port: Annotated[
        int, typer.Option("--port", metavar="N", help="The port to listen on; 0 picks a free one.", min=0, max=65535)
    ] = 8026,
    host: Annotated[str, typer.Option("--host", metavar="ADDRESS", help="The address to listen on.")] = "127.0.0.1",
) -> None:
    """Monitor and control campaigns in the browser.

    Also shows channels and templates. The printed link contains an access token; the pages require it. Press Ctrl-C
    to stop the dashboard. This interrupts a campaign that was resumed from the dashboard; you can resume it again.
    """
    from ...dashboard import serve

    state = state_of(context)

    def ready(link: str) -> None:
        if state.output.as_json:
            state.output.document({"url": link})
            return
        state.output.say(link)
        state.output.hint("Open this link. Anyone who has it can pause and cancel campaigns. Press Ctrl-C to stop.")

    serve(state.config_file(), host, port, ready)
