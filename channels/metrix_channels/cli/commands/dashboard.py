"""`dashboard`: campaigns, channels and templates in the browser."""

from __future__ import annotations

from typing import Annotated

import typer

from ..context import app, example, state_of


@app.command(epilog=example("metrix-channels dashboard", "metrix-channels dashboard --port 0"))
def dashboard(
    context: typer.Context,
    port: Annotated[int, typer.Option("--port", metavar="N", help="0 takes a free one.", min=0, max=65535)] = 8026,
    host: Annotated[str, typer.Option("--host", metavar="ADDRESS", help="The address to listen on.")] = "127.0.0.1",
) -> None:
    """Watch and steer campaigns in the browser.

    Channels and templates too. The link that it prints carries a token; without it nothing is shown. Ctrl-C ends it; a
    campaign that was resumed from here is then left as interrupted, and can be resumed again.
    """
    from ...dashboard import serve

    state = state_of(context)

    def ready(link: str) -> None:
        if state.output.as_json:
            state.output.document({"url": link})
            return
        state.output.say(link)
        state.output.hint("Open this link; whoever has it may pause and cancel campaigns. Ctrl-C ends it.")

    serve(state.config_file(), host, port, ready)
