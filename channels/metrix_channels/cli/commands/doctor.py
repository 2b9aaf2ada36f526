"""`doctor`: finds the layer of the connection to Metrix that fails."""

from __future__ import annotations

import typer

from ...support.doctor import diagnose
from ..context import app, example, state_of
from ..signals import run_interruptibly
from ..ui.checks import show_checks


@app.command(epilog=example("metrix-channels doctor", "metrix-channels doctor --json"))
def doctor(context: typer.Context) -> None:
    """Find out why Metrix cannot be reached.

    Checks DNS, TCP, TLS, HTTP, the clock and the credentials, in this order, and shows how to fix the first failure.
    doctor makes two requests, which contain no recipient, so no message is sent. Exit status 1 if a check fails.
    """
    state = state_of(context)
    found = run_interruptibly(diagnose(state.config_file().current()))
    state.status = 0 if found.ok else 1
    if state.output.as_json:
        state.output.document(found.as_dict())
        return
    show_checks(state.output, found)
    if found.ok:
        state.output.say("All checks passed: this machine can reach Metrix.", "bold green")
    else:
        state.output.say(f"First failed check: {found.failures[0].id}.", "bold red")
