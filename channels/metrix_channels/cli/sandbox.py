"""`sandbox`: a local Metrix."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

import typer
from rich.text import Text

from .app import app, state_of

if TYPE_CHECKING:
    from ..sandbox import Sandbox


@app.command()
def sandbox(
    context: typer.Context,
    port: Annotated[int, typer.Option("--port", help="0 takes a free one.", min=0, max=65535)] = 8025,
    host: Annotated[str, typer.Option("--host", help="The address to listen on.")] = "127.0.0.1",
) -> None:
    """Run a local Metrix with an inbox in the browser, until Ctrl-C.

    Its URL is the first line of the output. It is strict where Metrix is; channels deliver once they were tested
    in it, by the button in the inbox or by POST /_sandbox/channels/SMS/test.

    Example: metrix-channels sandbox --port 8025
    """
    from ..sandbox import serve

    state = state_of(context)

    def ready(server: Sandbox) -> None:
        if state.output.as_json:
            state.output.document({"url": server.url, "app_id": server.app_id, "api_key": server.api_key})
            return
        sys.stdout.write(f"{server.url}\n")
        sys.stdout.flush()
        state.output.err.print(
            Text("The inbox is there, in a browser. To send to it, write in channels.yaml under metrix:")
        )
        state.output.err.print(Text(f"  base_url: {server.url}"))
        state.output.err.print(Text(f"  METRIX_APP_ID={server.app_id} METRIX_API_KEY={server.api_key}"))

    serve(port, host, ready)
