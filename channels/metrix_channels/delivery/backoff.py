"""Calculates how long to wait before the next attempt."""

from __future__ import annotations

import random
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from ..api import Reply

FIRST_WAIT_SECONDS = 0.5
LONGEST_WAIT_SECONDS = 30.0
LONGEST_RETRY_AFTER_SECONDS = 300.0


def backoff_seconds(failures: int, rng: random.Random) -> float:
    """Return seconds to wait after `failures` failed attempts: exponential, with full jitter.

    Full jitter spreads the retries of many clients over the whole interval, so that they do not return together.
    """
    return rng.uniform(0, min(LONGEST_WAIT_SECONDS, FIRST_WAIT_SECONDS * 2.0 ** min(failures, 30)))


def asked_to_wait(reply: Reply, now: float) -> float | None:
    """Return the seconds that an answer asks to wait; None if it does not ask.

    A date is compared with the answer's own `Date`, so that neither clock needs to be right.

    Args:
        reply: an answer with status 429 or 503.
        now: the current time in seconds since 1970, for answers without `Date`.
    """
    date = _moment(reply.date)
    return retry_after(reply.retry_after, now if date is None else date.timestamp())


def retry_after(value: str | None, now: float) -> float | None:
    """Read a Retry-After header (RFC 9110, section 10.2.3): seconds or an HTTP date.

    Args:
        value: of the header; None if it is missing.
        now: the current time in seconds since 1970.

    Returns:
        Seconds, limited to 0 to 300; None if the header is missing or invalid.
    """
    if value is None:
        return None
    text = value.strip()
    if text.isascii() and text.isdigit():
        seconds = float(text)  # at most infinity, for any number of digits
    else:
        moment = _moment(text)
        if moment is None:
            return None
        seconds = moment.timestamp() - now
    return min(max(seconds, 0.0), LONGEST_RETRY_AFTER_SECONDS)


def _moment(text: str | None) -> datetime | None:
    """Read an HTTP date; None if it is missing or invalid."""
    if text is None:
        return None
    try:
        moment = parsedate_to_datetime(text)
    except (ValueError, TypeError, OverflowError, IndexError):
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
