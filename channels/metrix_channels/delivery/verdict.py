"""The meaning of an attempt: a pure function from the facts to one of six dispositions."""

from __future__ import annotations

from enum import StrEnum

from attrs import frozen

from ..api.exchange import Exchange, Failure, Reply, Stage


class Disposition(StrEnum):
    """What an attempt means for its batch."""

    ACCEPTED = "accepted"
    NOT_TAKEN = "not_taken"
    """Certainly not taken, and worth another attempt."""
    AMBIGUOUS = "ambiguous"
    """Perhaps taken; `on_ambiguous` decides about another attempt."""
    UNREADABLE = "unreadable"
    """A success that cannot be believed; perhaps taken, and another attempt would be answered no better."""
    REFUSED = "refused"
    """This request is at fault: a recipient, the message, or its size."""
    HALT = "halt"
    """No request of this application or address can succeed now."""


@frozen
class Verdict:
    """What to do about an attempt, and how to explain it.

    Attributes:
        disposition: see there.
        code: of the error catalogue, should this be the last word.
        explanation: what happened, in one sentence.
        status: of the answer, if one came.
        too_large: the request should be made smaller (413).
    """

    disposition: Disposition
    code: str
    explanation: str
    status: int | None = None
    too_large: bool = False


_HALTING = {401: "credentials_refused", 403: "credentials_refused", 404: "endpoint_refused", 405: "endpoint_refused"}


def judge(exchange: Exchange) -> Verdict:
    """Decide what an attempt means.

    The rules for 400, 403, 5xx and timeouts follow Metrix's troubleshooting page; those for answers that it does
    not mention follow RFC 9110.
    """
    return _judge_failure(exchange) if isinstance(exchange, Failure) else _judge_reply(exchange)


def _judge_failure(failure: Failure) -> Verdict:
    match failure.stage:
        case Stage.NOT_BEGUN:
            return Verdict(Disposition.NOT_TAKEN, "unreachable", f"No connection to Metrix: {failure.reason}.")
        case Stage.CERTIFICATE:
            why = f"The server's certificate was refused: {failure.reason}."
            return Verdict(Disposition.HALT, "certificate_refused", why)
        case Stage.BEGUN:
            why = f"The request had begun to leave when it failed: {failure.reason}."
            return Verdict(Disposition.AMBIGUOUS, "outcome_unknown", why)


def _judge_reply(reply: Reply) -> Verdict:
    status = reply.status
    if 200 <= status < 300:
        return _judge_success(reply)
    if 300 <= status < 400:
        return Verdict(Disposition.HALT, "redirected", f"The answer was a redirect ({status}).", status)
    answered = f"Metrix answered {status}{_quoted(reply.body)}."
    if status in _HALTING:
        return Verdict(Disposition.HALT, _HALTING[status], answered, status)
    if status in (429, 503):
        return Verdict(Disposition.NOT_TAKEN, "unavailable", answered, status)
    if status == 408 or status >= 500:
        return Verdict(Disposition.AMBIGUOUS, "outcome_unknown", answered, status)
    return Verdict(Disposition.REFUSED, "rejected", answered, status, too_large=status == 413)


def _judge_success(reply: Reply) -> Verdict:
    status = reply.status
    if not reply.whole:
        why = f"Metrix answered {status}, but the answer was cut off."
        return Verdict(Disposition.UNREADABLE, "outcome_unknown", why, status)
    if reply.is_page:
        why = f"The answer was {status} with a web page: something between here and Metrix may have given it."
        return Verdict(Disposition.UNREADABLE, "outcome_unknown", why, status)
    return Verdict(Disposition.ACCEPTED, "accepted", f"Metrix answered {status}.", status)


def _quoted(body: str, limit: int = 200) -> str:
    text = " ".join(body.split())
    return f": {text[:limit]!r}{'…' if len(text) > limit else ''}" if text else ""
