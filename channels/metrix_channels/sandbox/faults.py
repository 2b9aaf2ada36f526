"""Faults that the sandbox plays on demand, written as `status:503`, `hang`, `drop`, `slow:2`, `truncate` or `html`."""

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
        text: as it was written.
        kind: `status` answers so, `html` answers 200 with a web page: neither takes the message. All others take
            it: `hang` never answers, `drop` cuts the connection in place of the answer, `truncate` in the middle of
            it, `slow` answers late.
        status: of `status`.
        retry_after: the header of that name, as it was written, for `status`.
        seconds: of `slow`.
    """

    text: str
    kind: Literal["status", "hang", "drop", "slow", "truncate", "html"]
    status: int = 0
    retry_after: str | None = None
    seconds: float = 0.0

    @property
    def takes(self) -> bool:
        """Whether a good message is taken all the same."""
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
        ValueError: there is no such fault; the text says which there are.
    """
    if text in _PLAIN:
        return _PLAIN[text]
    if match := _STATUS.fullmatch(text):
        return Fault(text, "status", status=int(match[1]), retry_after=match[2])
    if match := _SLOW.fullmatch(text):
        return Fault(text, "slow", seconds=float(match[1]))
    raise ValueError(
        f"There is no fault {text!r}. There are status:CODE with a code of 300 to 599,"
        " status:CODE;retry-after=VALUE, hang, drop, slow:SECONDS, truncate and html."
    )
