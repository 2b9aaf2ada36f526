"""The arguments of a send."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime
from decimal import Decimal

from attrs import frozen

from ..models import JsonValue

Context = Mapping[str, JsonValue | date | datetime | Decimal]
Several = list[str] | tuple[str, ...] | set[str] | frozenset[str]
"""Recipients of one text. Not any iterable: a string is one too, and means a single recipient."""


@frozen
class Call:
    """The arguments of one `send`.

    Attributes:
        channel: the channel's name.
        to: one customUserId or several.
        template: the template's name.
        context: plain values for the template.
        locale: such as `fa` or `fa-IR`; None for the templates without one.
        key: makes the call repeatable without sending twice.
        deadline: seconds for all of it; None for the configuration's.
    """

    channel: str
    to: str | Several
    template: str
    context: Context
    locale: str | None = None
    key: str | None = None
    deadline: float | None = None
