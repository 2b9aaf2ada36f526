"""`worker`: sends from a ledger in PostgreSQL until it is stopped."""

from __future__ import annotations

import logging
from typing import Annotated

import typer

from ...errors import UsageError
from ...outcomes import Problem
from ..context import app, example, state_of
from ..logs import shown
from ..ui.output import Output
from ..values import read_duration


@app.command(epilog=example("metrix-channels worker", "metrix-channels worker --concurrency 16 --health 8027"))
def worker(
    context: typer.Context,
    concurrency: Annotated[
        int, typer.Option("--concurrency", metavar="N", min=1, max=256, help="Campaign shards sent in parallel.")
    ] = 8,
    lease: Annotated[
        str,
        typer.Option("--lease", metavar="TIME", help="If a worker is silent this long, others take over its work."),
    ] = "30s",
    health: Annotated[
        int | None,
        typer.Option(
            "--health", metavar="PORT", min=0, max=65535, help="The port of /health and /metrics.", show_default=False
        ),
    ] = None,
    host: Annotated[str, typer.Option("--host", metavar="ADDRESS", help="The address for --health.")] = "127.0.0.1",
) -> None:
    """Send campaigns and queued messages (PostgreSQL).

    Runs until it is stopped and sends from a ledger in PostgreSQL. Run any number of workers, on any machines. On
    SIGTERM, the worker finishes the requests in flight, releases its remaining work and exits with status 0. If a
    worker is killed or hangs, other workers take over when its lease expires. The outcome of its requests in flight
    is then unknown: `on_ambiguous` decides whether they are sent again or held.
    """
    from ...worker import work

    state = state_of(context)
    seconds = read_duration("--lease", lease).total_seconds()
    if seconds < 1:
        raise UsageError("--lease must be at least 1 second.", code="usage")
    listener = None
    if health is not None:
        from ...pages.serving import listen, url_of

        listener = listen(host, health, "health endpoint")
        state.output.hint(f"{url_of(host, listener.getsockname()[1])}/health")

    output = state.output
    with shown(logging.WARNING):  # a worker runs for months, so it shows warnings even without -v
        orderly = work(
            state.config_file(),
            concurrency=concurrency,
            lease=seconds,
            health=listener,
            on_ready=lambda name: _say_ready(output, name),
            on_problem=lambda problem: _say_problem(output, problem),
        )
    state.status = 0 if orderly else 4


def _say_ready(output: Output, name: str) -> None:
    if output.as_json:
        output.document({"worker": name})
    else:
        output.say(f"Worker {name[:8]} is running. Press Ctrl-C to stop it.")


def _say_problem(output: Output, problem: Problem) -> None:
    where = f"{problem.location}: " if problem.location else ""
    output.hint(f"{where}{problem.message} [{problem.code}]\n{problem.remedy}")
