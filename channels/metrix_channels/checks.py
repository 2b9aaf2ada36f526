"""Lists of checks, as `preflight` and `doctor` make them, each with a remedy."""

from __future__ import annotations

import re
from collections.abc import Iterable
from enum import StrEnum
from typing import TypedDict

from attrs import frozen

from .errors import MetrixChannelsError
from .errors.catalogue import CATALOGUE


class CheckStatus(StrEnum):
    """The result of a check."""

    PASS = "pass"  # noqa: S105 - no password
    """Everything is right."""
    WARN = "warn"
    """Something deserves attention, but does not prevent sending."""
    FAIL = "fail"
    """Nothing can be sent until this is fixed."""
    SKIP = "skip"
    """It was not checked; the message says why."""


class CheckDict(TypedDict):
    """A `Check` as JSON."""

    id: str
    subject: str
    status: str
    message: str
    remedy: str | None


class FindingsDict(TypedDict):
    """`Findings` as JSON."""

    ok: bool
    checks: list[CheckDict]


@frozen
class Check:
    """One check.

    Attributes:
        id: what was checked, such as `channel.verified`.
        subject: the channel, template or file that was checked.
        status: the result.
        message: what was found.
        remedy: what to do about a warning or a failure; None if there is nothing to do.
    """

    id: str
    subject: str
    status: CheckStatus
    message: str
    remedy: str | None = None

    @classmethod
    def failed(cls, id: str, subject: str, error: MetrixChannelsError) -> Check:  # noqa: A002 - the JSON's own word
        """Make a failed check from an error."""
        where = f"{error.location}: " if error.location else ""
        return cls(id, subject, CheckStatus.FAIL, where + error.message, error.remedy)

    @classmethod
    def failed_as(cls, id: str, subject: str, code: str, message: str) -> Check:  # noqa: A002
        """Make a failed check from a situation in the catalogue."""
        return cls(id, subject, CheckStatus.FAIL, message, CATALOGUE[code].remedy)

    def as_dict(self) -> CheckDict:
        """Return the JSON form."""
        return {
            "id": self.id,
            "subject": self.subject,
            "status": self.status.value,
            "message": self.message,
            "remedy": self.remedy,
        }


@frozen
class Findings:
    """The results of all checks, in order."""

    checks: tuple[Check, ...]

    @property
    def ok(self) -> bool:
        """Whether no check failed; warnings do not count as failures."""
        return not self.failures

    @property
    def failures(self) -> tuple[Check, ...]:
        """The checks that failed."""
        return tuple(check for check in self.checks if check.status is CheckStatus.FAIL)

    def as_dict(self) -> FindingsDict:
        """Return the JSON form."""
        return {"ok": self.ok, "checks": [check.as_dict() for check in self.checks]}


def remedies_of(checks: Iterable[Check]) -> list[str]:
    """Return the remedies of checks, each once; those that differ only in the check's subject become one."""
    alike: dict[str, dict[str, str]] = {}
    for check in checks:
        if check.remedy:
            kind = re.sub(rf"(?<!\w){re.escape(check.subject)}(?!\w)", "\0", check.remedy)
            alike.setdefault(kind, {}).setdefault(check.remedy, check.subject)
    return [_together(list(by_remedy), list(by_remedy.values())) for by_remedy in alike.values()]


def _together(remedies: list[str], subjects: list[str]) -> str:
    first, others = remedies[0], subjects[1:]
    if not others:
        return first
    names = f"{', '.join(others[:-1])} and {others[-1]}" if others[1:] else others[0]
    separator = "\n" if "\n" in first else " "
    return f"{first}{separator}Do the same for {names}."
