"""Decides what an attempt means: a pure function from what came back to one of six dispositions."""

from __future__ import annotations

from enum import StrEnum
from functools import cache

from attrs import field, frozen

from ..api import Exchange, Failure, Reply, Stage
from .backoff import asked_to_wait


class Disposition(StrEnum):
    """What an attempt means for its batch."""

    ACCEPTED = "accepted"
    NOT_TAKEN = "not_taken"
    """Metrix has certainly not accepted it; it is worth a retry."""
    AMBIGUOUS = "ambiguous"
    """Metrix may have accepted it; `on_ambiguous` decides about a retry."""
    UNREADABLE = "unreadable"
    """A 2xx answer that cannot be trusted. Metrix may have accepted the request, and a retry would not help."""
    REFUSED = "refused"
    """The request is at fault: a recipient, the message, or its size."""
    HALT = "halt"
    """No request of this application or from this address can succeed now."""


@frozen
class Verdict:
    """What an attempt means, and how to explain it.

    Attributes:
        disposition: what the attempt means for its batch.
        code: the code of the error catalogue, if no further attempt is made.
        explanation: what happened, in one sentence.
        status: the HTTP status of the answer; None without one.
        too_large: the request should be made smaller (413).
        retry_after_seconds: how long Metrix asks to wait before the next request (429, 503); None if it does not ask.
        is_accepted: whether Metrix accepted the request.
    """

    disposition: Disposition
    code: str
    explanation: str
    status: int | None = None
    too_large: bool = False
    retry_after_seconds: float | None = None
    is_accepted: bool = field(init=False, eq=False, repr=False)

    @is_accepted.default
    def _is_accepted(self) -> bool:
        return self.disposition is Disposition.ACCEPTED


_HALTING = {401: "credentials_refused", 403: "credentials_refused", 404: "endpoint_refused", 405: "endpoint_refused"}


def judge(exchange: Exchange, now: float) -> Verdict:
    """Decide what an attempt means.

    Args:
        exchange: what came back.
        now: the current time in seconds since 1970. A date in `Retry-After` is compared with it if the answer has no
            `Date`.

    The rules for 400, 403, 5xx and timeouts follow Metrix's troubleshooting page; those for answers that it does
    not mention follow RFC 9110.
    """
    return _judge_failure(exchange) if isinstance(exchange, Failure) else _judge_reply(exchange, now)


def _judge_failure(failure: Failure) -> Verdict:
    match failure.stage:
        case Stage.NOT_BEGUN:
            return Verdict(Disposition.NOT_TAKEN, "unreachable", f"No connection to Metrix: {failure.reason}.")
        case Stage.CERTIFICATE:
            why = f"The server's certificate was refused: {failure.reason}."
            return Verdict(Disposition.HALT, "certificate_refused", why)
        case Stage.BEGUN:
            why = f"The request failed after sending had begun: {failure.reason}."
            return Verdict(Disposition.AMBIGUOUS, "outcome_unknown", why)


def _judge_reply(reply: Reply, now: float) -> Verdict:
    status = reply.status
    if 200 <= status < 300:
        return _judge_success(reply)
    if 300 <= status < 400:
        return Verdict(Disposition.HALT, "redirected", f"The answer was a redirect ({status}).", status)
    answered = f"Metrix answered {status}{_quote_body(reply.body)}."
    if status in _HALTING:
        return Verdict(Disposition.HALT, _HALTING[status], answered, status)
    if status in (429, 503):
        asked = asked_to_wait(reply, now)
        return Verdict(Disposition.NOT_TAKEN, "unavailable", answered, status, retry_after_seconds=asked)
    if status == 408 or status >= 500:
        return Verdict(Disposition.AMBIGUOUS, "outcome_unknown", answered, status)
    return Verdict(Disposition.REFUSED, "rejected", answered, status, too_large=status == 413)


def _judge_success(reply: Reply) -> Verdict:
    status = reply.status
    if not reply.whole:
        why = f"Metrix answered {status}, but the answer was cut off."
        return Verdict(Disposition.UNREADABLE, "outcome_unknown", why, status)
    if reply.is_page:
        why = f"The answer was {status} with a web page: something between this machine and Metrix may have sent it."
        return Verdict(Disposition.UNREADABLE, "outcome_unknown", why, status)
    return _accept(status)


@cache
def _accept(status: int) -> Verdict:
    return Verdict(Disposition.ACCEPTED, "accepted", f"Metrix answered {status}.", status)


def _quote_body(body: str, limit: int = 200) -> str:
    text = " ".join(body.split())
    return f": {text[:limit]!r}{'…' if len(text) > limit else ''}" if text else ""
