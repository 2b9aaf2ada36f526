"""The overview of a run: its counts, its timeline, what failed, and what to do about it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from attrs import frozen

from ...errors.answers import answer_code
from ...errors.catalogue import SITUATIONS
from ...errors.situation import Situation
from ...ledger import FailureCount, RunBook
from .status import CampaignStatus
from .timeline import Timeline, timeline


@frozen
class FailureGroup:
    """Attempts that were not accepted, for one reason.

    Attributes:
        code: the code that `metrix-channels explain` takes.
        situation: the meaning of the code, and what to do.
        attempts: the number of attempts.
        example: the explanation of one of them.
    """

    code: str
    situation: Situation
    attempts: int
    example: str


@frozen
class Overview:
    """A run as a whole.

    Attributes:
        status: its counts.
        pins: channel, template, audience and application, without the context, which may contain sensitive values.
        timeline: None before the first outcome.
        failed_attempts: attempts that were not accepted, the most frequent first.
        steps: the run journal: time, action, details.
    """

    status: CampaignStatus
    pins: Mapping[str, Any]
    timeline: Timeline | None
    failed_attempts: tuple[FailureGroup, ...]
    steps: tuple[tuple[str, str, str], ...]


async def overview(book: RunBook, name: str) -> Overview:
    """Return the overview of a run.

    Raises:
        CampaignError: run_missing.
    """
    record = await book.get(name)
    return Overview(
        status=CampaignStatus.of(record),
        pins={name: pinned for name, pinned in record.pins.items() if name != "context"},
        timeline=timeline(await book.settlements(record.id)),
        failed_attempts=tuple(grouped(await book.failed_attempts(record.id))),
        steps=tuple(await book.events(record.id)),
    )


def grouped(failed_attempts: Iterable[FailureCount]) -> list[FailureGroup]:
    """Group attempts with the same meaning, the most frequent first.

    Args:
        failed_attempts: of one run.
    """
    found: dict[str, FailureGroup] = {}
    for failure in failed_attempts:
        status, example = failure.status_code, failure.example
        code = answer_code(status) if status is not None else _OF_SILENCE.get(failure.disposition, "connection")
        earlier = found.get(code)
        attempts = failure.attempts + (earlier.attempts if earlier else 0)
        found[code] = FailureGroup(code, SITUATIONS[code], attempts, earlier.example if earlier else example)
    return sorted(found.values(), key=lambda trouble: -trouble.attempts)


_OF_SILENCE = {"ambiguous": "timeout", "halt": "tls"}
"""The most likely cause of an attempt without an answer, by disposition."""
