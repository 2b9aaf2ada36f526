"""What one HTTP attempt came to, as facts; what they mean is decided in `verdict`."""

from __future__ import annotations

from enum import StrEnum

from attrs import frozen


class Stage(StrEnum):
    """How far an attempt got before it failed."""

    NOT_BEGUN = "not_begun"
    """No byte of the request left: no address, no connection, no TLS."""
    CERTIFICATE = "certificate"
    """The server's certificate was refused; no byte of the request left."""
    BEGUN = "begun"
    """The request began to leave; the server may have all of it."""


@frozen
class Reply:
    """A status line arrived.

    Attributes:
        status: the HTTP status code.
        body: what was read of the answer, decoded, without any secret; 64 KiB at most.
        whole: the answer arrived to its end, or to the 64 KiB that are read.
        content_type: the header's value in lower case, or "".
        retry_after: the header's value, or None.
        date: the header's value, or None.
    """

    status: int
    body: str = ""
    whole: bool = True
    content_type: str = ""
    retry_after: str | None = None
    date: str | None = None


@frozen
class Failure:
    """No status line arrived.

    Attributes:
        stage: how far the attempt got.
        reason: the cause in words, without any secret.
    """

    stage: Stage
    reason: str


Exchange = Reply | Failure
