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
    port: Annotated[int, typer.Option("--port", metavar="N", help="0 takes a free one.", min=0, max=65535)] = 8025,
    host: Annotated[str, typer.Option("--host", metavar="ADDRESS", help="The address to listen on.")] = "127.0.0.1",
    allowed_hosts: Annotated[
        list[str] | None,
        typer.Option(
            "--allowed-host",
            metavar="NAME",
            help="Another name that clients reach it by, such as a service's; may be repeated.",
            show_default=False,
        ),
    ] = None,
) -> None:
    """Run a local Metrix with an inbox in the browser.

    Its URL is the first line of the output; Ctrl-C ends it. It is strict where Metrix is; channels deliver once
    they were tested in it, by the button in the inbox or by POST /_sandbox/channels/SMS/test.
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
    """Return what to do next, to be copied line by line."""
    return f"""Open it in a browser to see the inbox. Ctrl-C ends it.

To send to it, write under `metrix` in channels.yaml:
  app_id: ${{METRIX_APP_ID}}
  api_key: ${{METRIX_API_KEY}}
  base_url: {base_url}
and set in the shell:
  export METRIX_APP_ID={server.app_id} METRIX_API_KEY={server.api_key}

A channel sends after two steps. The test in the dashboard (here the button in the inbox, or this line):
  curl -X POST {base_url}/_sandbox/channels/SMS/test
and its record in channels.yaml, with the channel's name there:
  metrix-channels channels verify sms --by YOUR-NAME"""
