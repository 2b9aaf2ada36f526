"""The jobs that carry work to the workers: rows of Procrastinate's queue, in the same transactions as the books.

Only its functions of a fixed version are called here; what fetches the jobs and runs them is the package `worker`.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Final

from ...outcomes import iso_utc
from ..database import Connection

QUEUE: Final = "metrix_channels"
"""The queue of the shards; that of a message is `queue_of` its application and channel."""
SHARD_TASK: Final = "metrix_channels.shard"
"""The task that sends a shard of a run."""
MESSAGE_TASK: Final = "metrix_channels.post"
"""The task that sends a message that somebody put into the ledger."""
JOBS_AT_ONCE: Final = 5_000
"""Jobs a transaction: all other commits wait while the listening workers are told of them."""
_STALLED: Final = "60 seconds"
_LONGEST_WAIT: Final = "1 hour"
"""No message waits for longer between two tries."""
_KEPT: Final = "1 day"
_AHEAD_SECONDS: Final = 60.0
"""How long before its time a message gets its job; the function `post` gives none earlier."""


def defer_jobs(connection: Connection, run: int, count: int) -> None:
    """Let workers look after a run so many times."""
    connection.execute(
        "SELECT count(procrastinate_defer_jobs_v1(ARRAY("
        " SELECT ROW(?, ?, 0, NULL, NULL, jsonb_build_object('run', ?::bigint), NULL)::procrastinate_job_to_defer_v1"
        " FROM generate_series(1, ?))))",
        (QUEUE, SHARD_TASK, run, count),
    )


def waiting_jobs(connection: Connection, run: int) -> int:
    """Count the jobs of a run that nobody has begun."""
    [(found,)] = connection.execute(
        "SELECT count(*) FROM procrastinate_jobs WHERE status = 'todo' AND args->>'run' = ?", (str(run),)
    ).fetchall()
    return int(found)


def has_jobs(connection: Connection, run: int) -> bool:
    """Tell whether a run has a job that nobody has begun."""
    rows = connection.execute(
        "SELECT 1 FROM procrastinate_jobs WHERE status = 'todo' AND args->>'run' = ? LIMIT 1", (str(run),)
    )
    return bool(rows.fetchall())


def defer_post(connection: Connection, send: str, seconds: float, tries: int) -> None:
    """Let a worker look after a message once more, after so many seconds; nothing, if a job for it waits already."""
    connection.execute("SELECT post(?, ?, ?)", (send, seconds, tries))


def defer_missing_posts(connection: Connection) -> None:
    """Let workers look after the messages that are due, that no worker has claimed and that no job waits for.

    One whose worker has fetched the job and not yet claimed the message gets a job too many, which finds nothing to do.
    """
    # The database's clock was set back: the job would wait for as long as it was ahead.
    connection.execute(
        "UPDATE procrastinate_jobs SET scheduled_at = now()"
        " WHERE status = 'todo' AND task_name = ? AND scheduled_at > now() + ?::interval",
        (MESSAGE_TASK, _LONGEST_WAIT),
    )
    soon = iso_utc(datetime.fromtimestamp(connection.time() + _AHEAD_SECONDS, UTC))
    connection.execute(
        "SELECT count(post(id)) FROM ("
        " SELECT s.id FROM sends s WHERE s.state = 'open' AND s.outgoing IS NOT NULL AND s.owner IS NULL"
        "  AND (s.due_at IS NULL OR s.due_at <= ?) AND NOT EXISTS"
        "  (SELECT 1 FROM procrastinate_jobs j WHERE j.status = 'todo' AND j.queueing_lock = s.id) LIMIT ?) missing",
        (soon, JOBS_AT_ONCE),
    )


def queues_of(connection: Connection, app_id: str, channels: Iterable[str]) -> list[str]:
    """Return the queues of the messages of an application's channels."""
    rows = connection.execute("SELECT queue_of(?, name) FROM unnest(?::text[]) name", (app_id, list(channels)))
    return [queue for (queue,) in rows]


def fail_stalled_jobs(connection: Connection) -> None:
    """End the jobs of workers that are gone: the ledger's own sweep defers what is left of their work.

    Retried as they are, a worker that is slow and not dead would do the same once more.
    """
    connection.execute(
        "SELECT procrastinate_finish_job_v1(job.id, 'failed', false) FROM procrastinate_jobs job"
        " LEFT JOIN procrastinate_workers worker ON worker.id = job.worker_id"
        " WHERE job.status = 'doing'"
        " AND (worker.id IS NULL OR worker.last_heartbeat < now() - ?::interval)",
        (_STALLED,),
    )
    connection.execute(
        "DELETE FROM procrastinate_jobs job WHERE status IN ('failed', 'aborted', 'cancelled') AND NOT EXISTS"
        " (SELECT 1 FROM procrastinate_events WHERE job_id = job.id AND at > now() - ?::interval)",
        (_KEPT,),
    )
