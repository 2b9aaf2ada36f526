"""`sandbox`: a local Metrix."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from ..context import app, example, state_of

if TYPE_CHECKING:
    from ...sandbox import Sandbox


@app.command(
    epilog=example(
        "metrix-channels sandbox",
        "metrix-channels sandbox --port 0",
        "metrix-channels sandbox --host 0.0.0.0 --allowed-host metrix   # as the service 'metrix' of a compose file",
    )
)
def sandbox(
    context: typer.Context,
    port: Annotated[
        int, typer.Option("--port", metavar="N", help="The port to listen on; 0 picks a free one.", min=0, max=65535)
    ] = 8025,
    host: Annotated[str, typer.Option("--host", metavar="ADDRESS", help="The address to listen on.")] = "127.0.0.1",
    allowed_hosts: Annotated[
        list[str] | None,
        typer.Option(
            "--allowed-host",
            metavar="NAME",
            help="Another host name that clients use, such as a service name; may be repeated.",
            show_default=False,
        ),
    ] = None,
) -> None:
    """Run a local Metrix with an inbox in the browser.

    The first line of the output is its URL. Press Ctrl-C to stop it. The sandbox refuses requests that Metrix's
    documentation does not allow. A channel delivers only after you test it: click the button in the inbox, or call
    POST /_sandbox/channels/SMS/test.
    """
    from ...sandbox import serve

    names = allowed_hosts or []
    state = state_of(context)

    def ready(server: Sandbox) -> None:
        if state.output.as_json:
            state.output.document({"url": server.url, "app_id": server.app_id, "api_key": server.api_key})
            return
        state.output.say(server.url)
        state.output.hint(_guide(server, f"http://{names[0]}:{server.port}" if names else server.url))

    serve(port, host, ready, names)


def _guide(server: Sandbox, base_url: str) -> str:
    """Return the next steps, with lines to copy."""
    return f"""Open the URL in a browser to see the inbox. Press Ctrl-C to stop the sandbox.

To send to the sandbox, write under `metrix` in channels.yaml:
  app_id: ${{METRIX_APP_ID}}
  api_key: ${{METRIX_API_KEY}}
  base_url: {base_url}
and set in the shell:
  export METRIX_APP_ID={server.app_id} METRIX_API_KEY={server.api_key}

A channel needs two steps before it can send. First test it: click the button in the inbox, or run
  curl -X POST {base_url}/_sandbox/channels/SMS/test
Then record the test in channels.yaml, with your channel's name:
  metrix-channels channels verify sms --by YOUR-NAME"""
