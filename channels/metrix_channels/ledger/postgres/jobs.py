"""Defers jobs for workers: rows of Procrastinate's queue, in the same transactions as the ledger.

This module calls only SQL functions of a fixed version of Procrastinate. The package `worker` runs the jobs.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Final

from ...outcomes import iso_utc
from ..database import Connection

QUEUE: Final = "metrix_channels"
"""The queue for shards; a message has the queue `queue_of` its application and channel."""
SHARD_TASK: Final = "metrix_channels.shard"
"""The task that sends a shard of a run."""
MESSAGE_TASK: Final = "metrix_channels.post"
"""The task that sends a message of the outbox."""
JOBS_AT_ONCE: Final = 5_000
"""Maximum jobs per transaction, because other commits wait while listening workers are notified."""
_STALLED: Final = "60 seconds"
_LONGEST_WAIT: Final = "1 hour"
"""The longest wait between two tries of a message."""
_KEPT: Final = "1 day"
_AHEAD_SECONDS: Final = 60.0
"""How long before its due time a message gets its job; the SQL function `post` defers none earlier."""


def defer_jobs(connection: Connection, run: int, count: int) -> None:
    """Defer `count` jobs for a run."""
    connection.execute(
        "SELECT count(procrastinate_defer_jobs_v1(ARRAY("
        " SELECT ROW(?, ?, 0, NULL, NULL, jsonb_build_object('run', ?::bigint), NULL)::procrastinate_job_to_defer_v1"
        " FROM generate_series(1, ?))))",
        (QUEUE, SHARD_TASK, run, count),
    )


def waiting_jobs(connection: Connection, run: int) -> int:
    """Count the jobs of a run that no worker has started."""
    [(found,)] = connection.execute(
        "SELECT count(*) FROM procrastinate_jobs WHERE status = 'todo' AND args->>'run' = ?", (str(run),)
    ).fetchall()
    return int(found)


def has_jobs(connection: Connection, run: int) -> bool:
    """Tell whether a run has a job that no worker has started."""
    rows = connection.execute(
        "SELECT 1 FROM procrastinate_jobs WHERE status = 'todo' AND args->>'run' = ? LIMIT 1", (str(run),)
    )
    return bool(rows.fetchall())


def defer_post(connection: Connection, send: str, seconds: float, tries: int) -> None:
    """Defer a job for a message after the given seconds, unless one is already waiting."""
    connection.execute("SELECT post(?, ?, ?)", (send, seconds, tries))


def defer_missing_posts(connection: Connection) -> None:
    """Defer jobs for due messages that have no claim and no waiting job.

    If a worker has fetched the job but not yet claimed the message, the extra job finds nothing to do.
    """
    # If the database's clock was set back, the job would wait by that much longer.
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
    """Fail the jobs of dead workers; the sweep of the ledger defers the rest of their work.

    Retrying them would duplicate the work of a worker that is slow but alive.
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
