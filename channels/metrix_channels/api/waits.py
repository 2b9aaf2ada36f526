"""How long to wait before the next attempt."""

from __future__ import annotations

import random
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

FIRST_WAIT = 0.5
LONGEST_WAIT = 30.0
LONGEST_RETRY_AFTER = 300.0


def backoff(failures: int, rng: random.Random) -> float:
    """Return seconds to wait after `failures` failed attempts: exponential, with full jitter.

    Full jitter spreads the clients of an outage over the whole interval, so that they do not come back together.
    """
    return rng.uniform(0, min(LONGEST_WAIT, FIRST_WAIT * 2.0 ** min(failures, 30)))


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
        try:
            moment = parsedate_to_datetime(text)
        except (ValueError, TypeError, OverflowError, IndexError):
            return None
        seconds = (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() - now.timestamp()
    return min(max(seconds, 0.0), LONGEST_RETRY_AFTER)
