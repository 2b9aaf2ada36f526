"""How a worker is, for those who look after it: `/health` for an orchestrator, `/metrics` for a Prometheus."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Iterator

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from ..campaign.crew import Crew
from ..ledger.postgres import PostgresDatabase
from ..pages.serving import server_config
from .jobs import JobQueue

_HELP = {
    "shares": "Shares of campaigns that were sent.",
    "requests": "Requests of campaigns to Metrix.",
    "accepted": "Recipients for whom Metrix answered 2xx.",
    "rejected": "Recipients whom Metrix refused for good.",
    "unknown": "Recipients who may have been reached.",
    "possible_duplicates": "Recipients who may have a message twice.",
}


async def serve_health(listener: socket.socket, crew: Crew, database: PostgresDatabase, queue: JobQueue) -> None:
    """Answer until this is cancelled.

    Args:
        listener: where.
        crew: whose work is told of.
        database: whose lease says whether others take this worker for alive.
        queue: of the jobs.
    """

    async def health(_: Request) -> Response:
        trouble = database.trouble or queue.trouble
        is_well = database.lease_holds and trouble is None
        said = {"ok": is_well, "shares_under_way": crew.busy, "error": trouble and trouble.problem.as_dict()}
        return JSONResponse(said, 200 if is_well else 503)

    async def metrics(_: Request) -> Response:
        return PlainTextResponse(exposition(crew, database), media_type="text/plain; version=0.0.4")

    app = Starlette(routes=[Route("/health", health), Route("/metrics", metrics)])
    await _Server(server_config(app)).serve(sockets=[listener])


def exposition(crew: Crew, database: PostgresDatabase) -> str:
    """Return the counts in the text format of Prometheus."""
    lines = []
    for name, words in _HELP.items():
        metric = f"metrix_channels_{name}_total"
        lines += [f"# HELP {metric} {words}", f"# TYPE {metric} counter", f"{metric} {crew.counts[name]}"]
    gauges = {"shares_under_way": crew.busy, "lease_held": int(database.lease_holds)}
    for name, value in gauges.items():
        lines += [f"# TYPE metrix_channels_{name} gauge", f"metrix_channels_{name} {value}"]
    return "\n".join(lines) + "\n"


class _Server(uvicorn.Server):
    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave the signals to the worker."""
        yield
