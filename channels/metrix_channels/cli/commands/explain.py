"""`explain`: explains a code or an answer of Metrix."""

from __future__ import annotations

import re
from difflib import get_close_matches
from typing import Annotated

import typer
from rich.table import Table
from rich.text import Text

from ...errors import UsageError
from ...errors.answers import answer_code
from ...errors.catalogue import SITUATIONS
from ...errors.situation import Situation
from ..context import app, example, state_of
from ..ui.output import Output


@app.command(epilog=example("metrix-channels explain 403", "metrix-channels explain message_not_received"))
def explain(
    context: typer.Context,
    code: Annotated[
        str | None,
        typer.Argument(
            metavar="CODE", help="An error code or HTTP status. Without it, list all codes.", show_default=False
        ),
    ] = None,
) -> None:
    """Explain a code: what happened, why, and what to do.

    CODE is an error code (in brackets after an error message), an HTTP status such as 403 or 5xx, a connection
    failure (timeout, connection, dns or tls), or a question (message_not_received, event_not_displayed, key_leaked).
    """
    output = state_of(context).output
    if code is None:
        _list(output)
        return
    name = _found(code)
    situation = SITUATIONS[name]
    if output.as_json:
        output.document(_as_dict(name, situation))
        return
    output.say(f"{name}: {situation.summary}", "bold")
    if situation.reasons:
        output.say("\nPossible causes, most likely first:")
        for number, reason in enumerate(situation.reasons, start=1):
            output.say(f"{number}. {reason}", indent=2)
    output.say("\nWhat to do:")
    output.say(situation.remedy, indent=2)
    if situation.leads_to:
        output.say(f"\nErrors: {', '.join(situation.leads_to)}", "dim")
    if situation.exit_status is not None:
        output.say(f"\nExit status: {situation.exit_status}", "dim")
    if situation.source:
        output.say(f"Source: {situation.source}", "dim")


def _found(code: str) -> str:
    wanted = code.strip().lower()
    if wanted in SITUATIONS:
        return wanted
    if re.fullmatch(r"[2-5]\d\d", wanted):
        return answer_code(int(wanted))
    close = get_close_matches(wanted, SITUATIONS, n=1)
    hint = f"Did you mean {close[0]!r}? " if close else ""
    raise UsageError(
        f"There is no code {code!r}.", code="usage", remedy=f"{hint}`metrix-channels explain` lists all codes."
    )


def _list(output: Output) -> None:
    if output.as_json:
        output.document({"situations": [_as_dict(name, situation) for name, situation in SITUATIONS.items()]})
        return
    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for name, situation in SITUATIONS.items():
        table.add_row(Text(name, style="bold"), Text(situation.summary))
    output.show(table)


def _as_dict(name: str, situation: Situation) -> dict[str, object]:
    return {
        "code": name,
        "summary": situation.summary,
        "reasons": list(situation.reasons),
        "remedy": situation.remedy,
        "exit_status": situation.exit_status,
        "leads_to": list(situation.leads_to),
        "source": situation.source,
    }
