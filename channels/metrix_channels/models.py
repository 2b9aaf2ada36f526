"""Types that all layers share: channel types, `on_ambiguous`, and the message of a request."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import StrEnum

from attrs import field, frozen

JsonScalar = str | int | float | bool | None
JsonValue = JsonScalar | Sequence["JsonValue"] | Mapping[str, "JsonValue"]
"""A value that JSON can hold: text, a number, True, False, None, or a list or mapping of these."""


class ChannelType(StrEnum):
    """The channel types that Metrix documents, by this library's names."""

    SMS = "sms"
    APP_PUSH = "app_push"
    WEB_PUSH = "web_push"
    EMAIL = "email"
    IN_APP = "in_app"
    ON_SITE = "on_site"
    WEBHOOK = "webhook"


class OnAmbiguous(StrEnum):
    """What to do when Metrix may or may not have accepted a request."""

    RETRY = "retry"
    """Send again, and mark the receipt as a possible duplicate."""
    HOLD = "hold"
    """Report the outcome as unknown, and do not send again automatically."""


@frozen
class Caution:
    """A warning about a message that does not prevent sending it.

    Attributes:
        code: a stable code for scripts.
        message: what will happen, and what it costs.
    """

    code: str
    message: str


@frozen
class Message:
    """One message, checked for its channel.

    Attributes:
        metrix_channel: the channel's name in the API, such as `SMS`.
        fields: the JSON object `message` of the request.
        cautions: warnings about the message.
    """

    metrix_channel: str
    fields: Mapping[str, JsonValue]
    cautions: tuple[Caution, ...] = field(default=(), eq=False)
