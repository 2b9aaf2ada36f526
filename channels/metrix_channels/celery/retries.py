"""Decides, with pure functions, whether and when a failed Celery task is retried."""

from __future__ import annotations

import random
from typing import Final

from ..errors import MetrixChannelsError
from ..errors.catalogue import CATALOGUE
from ..outcomes import Outcome

FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 15.0, 900.0
MOST_RETRIES: Final = 100
"""With these pauses, the retries last about a day, like those of the outbox."""

_NOT_FOR_NOW: Final = 4


def is_safe_to_repeat(error: MetrixChannelsError) -> bool:
    """Return whether another try may send the message, and cannot send it twice.

    This is true if nothing was sent to some recipients for now (an outage, a rate limit, refused credentials), or if
    another process is sending with the same key. It is false if the message was rejected, if its outcome is unknown,
    or if the message or the configuration is wrong.
    """
    if not error.receipts:
        return error.exit_status == _NOT_FOR_NOW
    left = (receipt.error for receipt in error.receipts if receipt.outcome is Outcome.NOT_SENT)
    return any(problem is not None and CATALOGUE[problem.code].exit_status == _NOT_FOR_NOW for problem in left)


def pause_seconds(retries: int, rng: random.Random) -> float:
    """Return the seconds before the next try. They double each time, with jitter, up to 15 minutes.

    Args:
        retries: number of retries so far.
        rng: the source of the jitter, between half and all of the pause.
    """
    most = min(FIRST_PAUSE_SECONDS * 2.0 ** min(retries, 10), LONGEST_PAUSE_SECONDS)
    return rng.uniform(most / 2, most)
