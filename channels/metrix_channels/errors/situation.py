"""The form of an entry of the catalogue."""

from __future__ import annotations

from typing import Final

from attrs import frozen

TROUBLESHOOTING: Final = "Metrix documentation, API Troubleshooting"


@frozen
class Situation:
    """One entry.

    Attributes:
        summary: what happened, in general.
        remedy: what to do now; an error may replace it by a more precise one.
        exit_status: of the command line; None for what no error carries.
        source: the page that the rule comes from, where it is not our own.
        reasons: why it happens, the likeliest first; none where the summary says it.
        leads_to: the codes of the errors that come of it.
    """

    summary: str
    remedy: str
    exit_status: int | None = None
    source: str | None = None
    reasons: tuple[str, ...] = ()
    leads_to: tuple[str, ...] = ()
