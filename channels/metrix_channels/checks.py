"""What is found when something is looked over before it fails, or after: a list of checks, each with what to do."""

from __future__ import annotations

from enum import StrEnum
from typing import TypedDict

from attrs import frozen

from .errors import MetrixChannelsError
from .errors.catalogue import CATALOGUE


class CheckStatus(StrEnum):
    """How a check ended."""

    PASS = "pass"  # noqa: S105 - no password
    WARN = "warn"
    FAIL = "fail"
    SKIP = "skip"


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
        subject: of what: a channel, a template, a file.
        status: how it ended.
        message: what was found.
        remedy: what to do about a warning or a failure.
    """

    id: str
    subject: str
    status: CheckStatus
    message: str
    remedy: str | None = None

    @classmethod
    def failed(cls, id: str, subject: str, error: MetrixChannelsError) -> Check:  # noqa: A002 - the JSON's own word
        """Make a failed check of an error."""
        where = f"{error.location}: " if error.location else ""
        return cls(id, subject, CheckStatus.FAIL, where + error.message, error.remedy)

    @classmethod
    def failed_as(cls, id: str, subject: str, code: str, message: str) -> Check:  # noqa: A002
        """Make a failed check of a situation in the catalogue."""
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
    """All checks, in the order in which they were made."""

    checks: tuple[Check, ...]

    @property
    def ok(self) -> bool:
        """No check failed; warnings are no failures."""
        return not self.failures

    @property
    def failures(self) -> tuple[Check, ...]:
        """The checks that failed."""
        return tuple(check for check in self.checks if check.status is CheckStatus.FAIL)

    def as_dict(self) -> FindingsDict:
        """Return the JSON form."""
        return {"ok": self.ok, "checks": [check.as_dict() for check in self.checks]}
