"""`support-bundle`: what Metrix's support asks for about a failed attempt."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Annotated, TypeVar

import typer
from rich.table import Table
from rich.text import Text

from ...config import Config
from ...errors import UsageError
from ...ledger import Evidence, EvidenceBook, open_database
from ...outcomes import iso_utc
from ...support.bundle import Application, discreet, write_bundle
from ..context import app, example, state_of
from ..signals import run_interruptibly
from ..ui.output import Output, visible

T = TypeVar("T")


@app.command(
    "support-bundle",
    epilog=example(
        "metrix-channels support-bundle --list",
        "metrix-channels support-bundle -o support.zip --attempt 3f9c0a77b1de --without-personal-data",
    ),
)
def support_bundle(
    context: typer.Context,
    output: Annotated[
        Path | None,
        typer.Option("-o", "--output", metavar="FILE.zip", help="The zip file to write.", show_default=False),
    ] = None,
    attempt: Annotated[
        str | None,
        typer.Option(
            metavar="ID",
            help="A failed attempt, or a send or campaign (its last failed attempt).  [default: the latest]",
            show_default=False,
        ),
    ] = None,
    discreetly: Annotated[
        bool, typer.Option("--without-personal-data", help="Leave out recipients, texts and values.")
    ] = False,
    listed: Annotated[bool, typer.Option("--list", help="List the recorded failed attempts.")] = False,
) -> None:
    """Create a zip file for Metrix's support.

    The file contains the APP_ID, the request as a curl command with headers and body, the response, the exact time
    in UTC, log lines, versions, and a draft email. The API key is masked everywhere.
    """
    state = state_of(context)
    config = state.config_file().current()
    if listed:
        _show(state.output, run_interruptibly(_from_book(config, EvidenceBook.recent)))
        return
    if output is None:
        remedy = "Run `metrix-channels support-bundle -o bundle.zip`."
        raise UsageError("-o FILE.zip is missing.", code="usage", remedy=remedy)
    evidence = run_interruptibly(_from_book(config, lambda book: book.find(attempt)))
    write_bundle(output, discreet(evidence) if discreetly else evidence, Application.of(config))
    if state.output.as_json:
        state.output.document({"file": str(output), "attempt": _as_dict(evidence)})
    else:
        state.output.say(f"{output} contains the attempt {evidence.id} of {iso_utc(evidence.began_at)}.", "bold")
        state.output.say("Review the file, then send it to Metrix's support with the text of its README.txt.")


async def _from_book(config: Config, ask: Callable[[EvidenceBook], Awaitable[T]]) -> T:
    database = open_database(config)
    try:
        return await ask(EvidenceBook(database, days=config.keep_attempts.days, size=config.keep_attempts.size))
    finally:
        await database.close()


def _show(output: Output, found: list[Evidence]) -> None:
    if output.as_json:
        output.document({"attempts": [_as_dict(evidence) for evidence in found]})
        return
    if not found:
        output.say("There are no failed attempts.")
        return
    table = Table("attempt", "at", "of", "status", "what happened", box=None, pad_edge=False)
    for evidence in found:
        status = "" if evidence.status is None else str(evidence.status)
        cells = (evidence.id, iso_utc(evidence.began_at), evidence.reference, status, evidence.explanation)
        table.add_row(*(Text(visible(cell), overflow="fold") for cell in cells))
    output.show(table)


def _as_dict(evidence: Evidence) -> dict[str, object]:
    return {
        "id": evidence.id,
        "at": iso_utc(evidence.began_at),
        "reference": evidence.reference,
        "status_code": evidence.status,
        "code": evidence.code,
        "message": evidence.explanation,
    }
