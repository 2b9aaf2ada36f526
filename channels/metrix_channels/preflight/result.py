"""The result of a preflight, and whether it allows sending."""

from __future__ import annotations

from attrs import frozen

from ..checks import Findings, remedies_of
from ..errors import PreflightFailed


@frozen
class Preflight(Findings):
    """The results of all checks of a preflight, in order. Warnings do not prevent sending."""

    def raise_for_failures(self) -> None:
        """Raise an error if a check failed.

        Raises:
            PreflightFailed: preflight_failed; its message names every failed check.
        """
        if not self.ok:
            found = "; ".join(f"{check.id} ({check.subject}): {check.message}" for check in self.failures)
            remedy = "\n".join(remedies_of(self.failures))
            raise PreflightFailed(f"Not ready to send: {found}", code="preflight_failed", remedy=remedy or None)
