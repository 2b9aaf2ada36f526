"""Faults that the sandbox simulates, such as `status:503`, `hang`, `drop`, `slow:2`, `truncate` or `html`."""

from __future__ import annotations

import re
from typing import Final, Literal

from attrs import frozen

_STATUS: Final = re.compile(r"status:([345]\d\d)(?:;retry-after=([\x21-\x7e](?:[\x20-\x7e]*[\x21-\x7e])?))?")
_SLOW: Final = re.compile(r"slow:(\d{1,4}(?:\.\d{1,3})?)")
MAX_TIMES: Final = 1_000_000


@frozen
class Fault:
    """One fault.

    Attributes:
        text: the fault as text.
        kind: `status` answers with a status, `html` with 200 and a web page; neither takes the message. All others
            take it: `hang` never answers, `drop` closes the connection instead of an answer, `truncate` closes it in
            the middle of the answer, `slow` answers late.
        status: the status of `status`.
        retry_after: the header `Retry-After` of `status`, unchanged.
        seconds: the delay of `slow`.
    """

    text: str
    kind: Literal["status", "hang", "drop", "slow", "truncate", "html"]
    status: int = 0
    retry_after: str | None = None
    seconds: float = 0.0

    @property
    def takes(self) -> bool:
        """Whether a valid message is still taken."""
        return self.kind not in ("status", "html")


_PLAIN: Final = {
    fault.text: fault
    for fault in (
        Fault("hang", "hang"),
        Fault("drop", "drop"),
        Fault("truncate", "truncate"),
        Fault("html", "html"),
    )
}


def parse_fault(text: str) -> Fault:
    """Read a fault.

    Raises:
        ValueError: there is no such fault; the error lists all faults.
    """
    if text in _PLAIN:
        return _PLAIN[text]
    if match := _STATUS.fullmatch(text):
        return Fault(text, "status", status=int(match[1]), retry_after=match[2])
    if match := _SLOW.fullmatch(text):
        return Fault(text, "slow", seconds=float(match[1]))
    raise ValueError(
        f"There is no fault {text!r}. Choose status:CODE with a code from 300 to 599,"
        " status:CODE;retry-after=VALUE, hang, drop, slow:SECONDS, truncate or html."
    )
