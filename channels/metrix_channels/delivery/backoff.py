"""How long to wait before the next attempt."""

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

    Full jitter spreads the clients of an outage over the whole interval, so that they do not come back together.
    """
    return rng.uniform(0, min(LONGEST_WAIT_SECONDS, FIRST_WAIT_SECONDS * 2.0 ** min(failures, 30)))


def asked_to_wait(reply: Reply, now: datetime) -> float | None:
    """Return the seconds that an answer asks to wait; None when it asks for nothing.

    A date counts from the answer's own `Date`: so neither this machine's clock nor the server's needs to be right.

    Args:
        reply: a 429 or 503.
        now: counts where the answer has no `Date`.
    """
    return retry_after(reply.retry_after, _moment(reply.date) or now)


def retry_after(value: str | None, now: datetime) -> float | None:
    """Read a Retry-After header (RFC 9110, section 10.2.3): seconds or an HTTP date.

    Returns:
        Seconds from 0 to 300, whatever the header asks; None when it is missing or means nothing.
    """
    if value is None:
        return None
    text = value.strip()
    if text.isascii() and text.isdigit():
        seconds = float(text)  # infinity at the worst, whatever their number
    else:
        moment = _moment(text)
        if moment is None:
            return None
        seconds = moment.timestamp() - now.timestamp()
    return min(max(seconds, 0.0), LONGEST_RETRY_AFTER_SECONDS)


def _moment(text: str | None) -> datetime | None:
    """Read an HTTP date; None when it is missing or means nothing."""
    if text is None:
        return None
    try:
        moment = parsedate_to_datetime(text)
    except (ValueError, TypeError, OverflowError, IndexError):
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
