"""Lists of recipients who are never sent to."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final

from ...errors import CampaignError
from ...printable import printable
from ..audience.reader import Audience, Invalid

_COMMON: Final = "customUserId"


def listed(path: Path, id_column: str) -> Iterator[str]:
    """Give everybody on a list.

    Args:
        path: a file such as an audience's.
        id_column: the column or key of the customUserId; a list that has no such column has one named customUserId.

    Raises:
        CampaignError: audience_invalid, file_unreadable.
    """
    with Audience(path, id_column if _has(path, id_column) else _COMMON) as audience:
        for chunk in audience.chunks((), may_be_empty=True):
            yield from chunk.recipients
            for invalid in chunk.invalid:
                # Cautious: whom a bad export has given a space must not be sent to either.
                if not invalid.is_exact:
                    raise _refusal(path, invalid)
                yield invalid.recipient.strip()


def _refusal(path: Path, invalid: Invalid) -> CampaignError:
    return CampaignError(
        f"row {invalid.row} of the list {printable(str(path))} {invalid.why}: who must not be sent to is not clear",
        code="audience_invalid",
        remedy="Correct or remove the row.",
    )


def _has(path: Path, column: str) -> bool:
    try:
        with Audience(path, column) as audience:
            return audience.columns is None or column in audience.columns
    except CampaignError:  # whatever it is, the list's own reader meets it again
        return False
