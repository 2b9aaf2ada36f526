"""The health of a worker: `/health` for an orchestrator, `/metrics` for Prometheus."""

from __future__ import annotations

import socket

from attrs import frozen
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from ..campaign.execution.shard_runner import ShardRunner
from ..ledger.database import WorkerDatabase
from ..notifier.outbox.outbox import Outbox
from ..outcomes import Outcome
from ..pages.serving import Server
from .jobs import JobQueue
from .readiness import Readiness

_HELP = {
    "shards": "Campaign shards that were sent.",
    "requests": "Requests to Metrix for campaigns and the outbox.",
    "accepted": "Recipients for whom Metrix answered 2xx.",
    "rejected": "Recipients that Metrix rejected.",
    "unknown": "Recipients who may have been reached.",
    "possible_duplicates": "Recipients who may have received a message twice.",
}


@frozen
class Worker:
    """The parts of a worker that its health is read from.

    Attributes:
        runner: sends shards of campaigns.
        outbox: sends messages.
        readiness: knows what the worker cannot send.
        queue: fetches its jobs.
        database: the ledger; its lease tells whether other workers consider this one alive.
    """

    runner: ShardRunner
    outbox: Outbox
    readiness: Readiness
    queue: JobQueue
    database: WorkerDatabase


async def serve_health(listener: socket.socket, worker: Worker) -> None:
    """Answer requests until this is cancelled.

    Args:
        listener: the listening socket.
        worker: the worker to report on.
    """

    async def health(_: Request) -> Response:
        trouble = worker.database.trouble or worker.queue.trouble
        problems = [*([trouble.problem] if trouble else []), *worker.readiness.problems]
        is_well = worker.database.lease_holds and not problems
        said = {
            "ok": is_well,
            "shards_under_way": worker.runner.busy,
            "problems": [each.as_dict() for each in problems],
        }
        return JSONResponse(said, 200 if is_well else 503)

    async def metrics(_: Request) -> Response:
        return PlainTextResponse(exposition(worker), media_type="text/plain; version=0.0.4")

    app = Starlette(routes=[Route("/health", health), Route("/metrics", metrics)])
    await Server(app).serve(sockets=[listener])


def exposition(worker: Worker) -> str:
    """Return the counts in the text format of Prometheus."""
    runner = worker.runner
    counts = runner.counts + worker.outbox.counts
    counts["requests"] += worker.outbox.requests
    lines = []
    for name, words in _HELP.items():
        metric = f"metrix_channels_{name}_total"
        lines += [f"# HELP {metric} {words}", f"# TYPE {metric} counter", f"{metric} {counts[name]}"]
    metric = "metrix_channels_outbox_recipients_total"
    lines += [
        f"# HELP {metric} Recipients of outbox messages, by outcome.",
        f"# TYPE {metric} counter",
    ]
    lines += [f'{metric}{{outcome="{each.value}"}} {worker.outbox.counts[each.value]}' for each in Outcome]
    gauges = {
        "shards_under_way": runner.busy,
        "lease_held": int(worker.database.lease_holds),
        "problems": len(worker.readiness.problems),
    }
    for name, value in gauges.items():
        lines += [f"# TYPE metrix_channels_{name} gauge", f"metrix_channels_{name} {value}"]
    return "\n".join(lines) + "\n"
