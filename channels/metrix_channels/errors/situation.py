"""The structure of an entry in the catalogue of errors."""

from __future__ import annotations

from typing import Final

from attrs import frozen

TROUBLESHOOTING: Final = "Metrix documentation, API Troubleshooting"


@frozen
class Situation:
    """One entry of the catalogue: what a code means.

    Attributes:
        summary: what happened, in general.
        remedy: what to do now; an error may replace it with a more specific one.
        exit_status: the exit status of the command line; None for a situation that no error reports.
        source: the document that defines the rule; None for rules of this library.
        reasons: why it happens, the most likely first; empty if the summary says it.
        leads_to: the codes of the errors that it causes.
    """

    summary: str
    remedy: str
    exit_status: int | None = None
    source: str | None = None
    reasons: tuple[str, ...] = ()
    leads_to: tuple[str, ...] = ()
