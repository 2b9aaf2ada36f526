"""When a task of Celery that failed to send a message is tried again: pure decisions."""

from __future__ import annotations

import random
from typing import Final

from ..errors import MetrixChannelsError
from ..errors.catalogue import CATALOGUE
from ..outcomes import Outcome

FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 15.0, 900.0
MOST_RETRIES: Final = 100
"""With these pauses, about a day: as long as workers of the outbox try a message."""

_NOT_FOR_NOW: Final = 4


def is_safe_to_repeat(error: MetrixChannelsError) -> bool:
    """Tell whether another try may send the message, and cannot send it twice.

    So it is where recipients were not sent to for now (an outage, a rate limit, refused credentials), and where another
    process is just sending under the same key. What is rejected stays rejected; what is unknown may have been taken;
    what is wrong in the message or the configuration stays wrong.
    """
    if not error.receipts:
        return error.exit_status == _NOT_FOR_NOW
    left = (receipt.error for receipt in error.receipts if receipt.outcome is Outcome.NOT_SENT)
    return any(problem is not None and CATALOGUE[problem.code].exit_status == _NOT_FOR_NOW for problem in left)


def pause_seconds(retries: int, rng: random.Random) -> float:
    """Return the seconds before the next try: twice as many each time, with jitter, at most a quarter of an hour.

    Args:
        retries: made so far.
        rng: decides how much of the second half is waited.
    """
    most = min(FIRST_PAUSE_SECONDS * 2.0 ** min(retries, 10), LONGEST_PAUSE_SECONDS)
    return rng.uniform(most / 2, most)
