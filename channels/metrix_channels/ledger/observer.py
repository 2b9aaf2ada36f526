"""Who sees every attempt: it is logged, measured, and, when it failed, kept for Metrix's support."""

from __future__ import annotations

import logging
import secrets
import time
from datetime import UTC, datetime

from attrs import field, frozen

from .. import telemetry
from ..api import Disposition, Exchange, Reply, Verdict
from ..logs import is_heard, recent_lines, say
from ..redact import Redactor
from .evidence import Evidence, EvidenceBook


@frozen(kw_only=True)
class Attempt:
    """One HTTP request, as it is made.

    Attributes:
        path: of the URL.
        body: as it is sent.
        recipients: how many it names.
        reference: the send's id, the campaign's name, or the user whose events it carries.
        channel: its name in the configuration; None for events.
        campaign: its name; None for anything else.
        batch: of a campaign, as its report names it.
        began: in seconds since 1970.
        clock: the same on a clock that only goes forward.
    """

    path: str
    body: bytes
    recipients: int
    reference: str
    channel: str | None = None
    campaign: str | None = None
    batch: str | None = None
    began: float = field(factory=time.time)
    clock: float = field(factory=time.monotonic)


class Witness:
    """Writes down what attempts came to.

    Args:
        book: keeps the failed ones.
    """

    def __init__(self, book: EvidenceBook) -> None:
        self._book = book

    @property
    def is_curious(self) -> bool:
        """Whether attempts that were accepted are worth telling about too; where many are made, most are not."""
        return telemetry.is_active() or is_heard(logging.DEBUG)

    def saw(self, attempt: Attempt, exchange: Exchange, verdict: Verdict, redactor: Redactor) -> None:
        """Take note of an attempt at its end.

        Args:
            attempt: as it was begun.
            exchange: what came back, without secrets.
            verdict: what that means.
            redactor: knows what may not be shown of the request.
        """
        accepted = verdict.disposition is Disposition.ACCEPTED
        seconds = time.monotonic() - attempt.clock
        name = secrets.token_hex(6)
        say(
            _level(attempt, verdict),
            verdict.explanation,
            attempt=name,
            channel=attempt.channel,
            campaign=attempt.campaign,
            batch=attempt.batch,
            recipients=attempt.recipients,
            code=verdict.code,
            status=verdict.status,
            duration=seconds,
        )
        if telemetry.is_active():
            error = None if accepted else verdict.code
            facts = _attributes(attempt, verdict)
            telemetry.attempt_ended(attempt.path, attempt.began, seconds, attempt.recipients, facts, error)
        if not accepted:
            request = attempt.body.decode("utf-8", "replace")
            evidence = Evidence(
                id=name,
                began_at=datetime.fromtimestamp(attempt.began, UTC),
                seconds=seconds,
                reference=attempt.reference,
                path=attempt.path,
                request=redactor.clean_json(request, "request"),
                code=verdict.code,
                explanation=verdict.explanation,
                status=verdict.status,
                answer=exchange.body if isinstance(exchange, Reply) else None,
                lines=tuple(recent_lines()),
            )
            self._book.keep(evidence)


def _attributes(attempt: Attempt, verdict: Verdict) -> telemetry.Attributes:
    known = {"channel": attempt.channel, "campaign": attempt.campaign, "disposition": verdict.disposition.value}
    attributes: dict[str, str | int] = {f"metrix.{name}": value for name, value in known.items() if value}
    if verdict.status is not None:
        attributes["http.response.status_code"] = verdict.status
    return attributes


def _level(attempt: Attempt, verdict: Verdict) -> int:
    if verdict.disposition is not Disposition.ACCEPTED:
        return logging.WARNING
    return logging.DEBUG if attempt.campaign else logging.INFO
