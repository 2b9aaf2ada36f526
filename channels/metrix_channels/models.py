"""What travels between the floors: types of channels, and the message that one request carries."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import StrEnum

from attrs import field, frozen

JsonScalar = str | int | float | bool | None
JsonValue = JsonScalar | Sequence["JsonValue"] | Mapping[str, "JsonValue"]


class ChannelType(StrEnum):
    """The types of channels that Metrix documents, in this library's words."""

    SMS = "sms"
    APP_PUSH = "app_push"
    WEB_PUSH = "web_push"
    EMAIL = "email"
    IN_APP = "in_app"
    ON_SITE = "on_site"
    WEBHOOK = "webhook"


class OnAmbiguous(StrEnum):
    """What to do when a request may have been taken and may not."""

    RETRY = "retry"
    """Send again, and mark the receipt as a possible duplicate."""
    HOLD = "hold"
    """Call it unknown and never send it again by itself."""


@frozen
class Caution:
    """Something that a message's author should know, and that does not forbid sending it.

    Attributes:
        code: stable, for scripts.
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
        cautions: what its author should know.
    """

    metrix_channel: str
    fields: Mapping[str, JsonValue]
    cautions: tuple[Caution, ...] = field(default=(), eq=False)
