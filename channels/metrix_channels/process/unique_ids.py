"""Unique ids in the order of time (RFC 9562, UUID version 7).

Rows with such ids lie beside each other in the ledger, so that a commit writes few pages, however large the ledger is.
They are not secret, so that their random part need not come from the system for each id.
"""

from __future__ import annotations

import os
import random
from typing import Final

from . import wall_clock

_VERSION: Final = 7 << 76
_VARIANT: Final = 0b10 << 62
_random: Final = random.Random()
os.register_at_fork(after_in_child=_random.seed)


def new_id() -> str:
    """Return the 32 hexadecimal digits of a UUID."""
    drawn = _random.getrandbits(74)
    high, low = drawn >> 62, drawn & (1 << 62) - 1
    return f"{wall_clock.milliseconds() << 80 | _VERSION | high << 64 | _VARIANT | low:032x}"
