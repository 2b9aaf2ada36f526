"""`sandbox`: a local Metrix."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from ..context import app, example, state_of

if TYPE_CHECKING:
    from ...sandbox import Sandbox


@app.command(epilog=example("metrix-channels sandbox", "metrix-channels sandbox --port 0"))
def sandbox(
    context: typer.Context,
    port: Annotated[int, typer.Option("--port", metavar="N", help="0 takes a free one.", min=0, max=65535)] = 8025,
    host: Annotated[str, typer.Option("--host", metavar="ADDRESS", help="The address to listen on.")] = "127.0.0.1",
) -> None:
    """Run a local Metrix with an inbox in the browser.

    Its URL is the first line of the output; Ctrl-C ends it. It is strict where Metrix is; channels deliver once
    they were tested in it, by the button in the inbox or by POST /_sandbox/channels/SMS/test.
    """
    from ...sandbox import serve

    state = state_of(context)

    def ready(server: Sandbox) -> None:
        if state.output.as_json:
            state.output.document({"url": server.url, "app_id": server.app_id, "api_key": server.api_key})
            return
        state.output.say(server.url)
        state.output.hint(
            "Open it in a browser for the inbox; Ctrl-C ends it. To send to it, set in channels.yaml, under metrix:\n"
            f"  base_url: {server.url}\n"
            "and in the environment:\n"
            f"  METRIX_APP_ID={server.app_id} METRIX_API_KEY={server.api_key}"
        )

    serve(port, host, ready)
