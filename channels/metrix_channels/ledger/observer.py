"""Observes every attempt: logs it, counts it in metrics, and stores failed ones for Metrix's support."""

from __future__ import annotations

import logging
import secrets
from datetime import UTC, datetime

from .. import telemetry
from ..api import Reply
from ..delivery import Attempt
from ..logs import is_heard, recent_lines, say
from ..redact import Redactor
from .evidence import Evidence, EvidenceBook


class Observer:
    """Logs, measures and stores attempts.

    Args:
        book: stores the failed ones.
    """

    def __init__(self, book: EvidenceBook) -> None:
        self._book = book

    @property
    def sees_accepted(self) -> bool:
        """See `AttemptObserver`: only if logs or metrics need them."""
        return telemetry.is_active() or is_heard(logging.DEBUG)

    def observe(self, attempt: Attempt, redactor: Redactor) -> None:
        """See `AttemptObserver`."""
        request, verdict = attempt.request, attempt.verdict
        accepted = verdict.is_accepted
        name = secrets.token_hex(6)
        say(
            _level(attempt),
            verdict.explanation,
            attempt=name,
            channel=request.channel,
            campaign=request.campaign,
            batch=request.batch,
            recipients=request.recipients,
            code=verdict.code,
            status=verdict.status,
            duration=attempt.seconds,
        )
        if telemetry.is_active():
            error = None if accepted else verdict.code
            facts = _attributes(attempt)
            telemetry.attempt_ended(request.path, attempt.began, attempt.seconds, request.recipients, facts, error)
        if not accepted:
            body = request.body.decode("utf-8", "replace")
            evidence = Evidence(
                id=name,
                began_at=datetime.fromtimestamp(attempt.began, UTC),
                seconds=attempt.seconds,
                reference=request.reference,
                path=request.path,
                request=redactor.clean_json(body, "request"),
                code=verdict.code,
                explanation=verdict.explanation,
                status=verdict.status,
                answer=attempt.exchange.body if isinstance(attempt.exchange, Reply) else None,
                lines=tuple(recent_lines()),
            )
            self._book.keep(evidence)


def _attributes(attempt: Attempt) -> telemetry.Attributes:
    request, verdict = attempt.request, attempt.verdict
    known = {"channel": request.channel, "campaign": request.campaign, "disposition": verdict.disposition.value}
    attributes: dict[str, str | int] = {f"metrix.{name}": value for name, value in known.items() if value}
    if verdict.status is not None:
        attributes["http.response.status_code"] = verdict.status
    return attributes


def _level(attempt: Attempt) -> int:
    if not attempt.verdict.is_accepted:
        return logging.WARNING
    return logging.DEBUG if attempt.request.campaign else logging.INFO
