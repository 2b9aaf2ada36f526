"""All that is worth seeing of a run: its counts, how it went, what went wrong and what to do about that."""

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
        code: of the situation; `metrix-channels explain` knows it.
        situation: what it means and what to do.
        attempts: how many.
        example: what one of them came to.
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
        pins: what it may not change: channel, template, audience, application; the context, in which there may be
            sensitive values, is left out.
        timeline: None before the first outcome.
        failed_attempts: attempts that were not accepted, the most frequent first.
        steps: what people and processes did with it: time, what, details.
    """

    status: CampaignStatus
    pins: Mapping[str, Any]
    timeline: Timeline | None
    failed_attempts: tuple[FailureGroup, ...]
    steps: tuple[tuple[str, str, str], ...]


async def overview(book: RunBook, name: str) -> Overview:
    """Gather it.

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
    """Bring attempts together that mean the same, the most frequent first.

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
"""What an attempt without an answer most likely met, by what it came to."""
