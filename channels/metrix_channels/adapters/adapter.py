"""The interface that every channel shares: rendered fields in, a checked message out."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from difflib import get_close_matches

from attrs import field, frozen

from ..errors import MessageInvalid
from ..models import Caution, JsonValue, Message
from ..sms_text import SmsLength
from .fields import BODY, TITLE, Field, check_extra

Limits = Callable[[Mapping[str, JsonValue]], tuple[Caution, ...]]
"""Looks at a whole message: raises MessageInvalid beyond a hard limit, returns cautions otherwise."""


def _no_limits(_: Mapping[str, JsonValue]) -> tuple[Caution, ...]:
    return ()


@frozen
class Adapter:
    """One type of channel.

    Attributes:
        metrix_name: the value of `channel` in the API.
        further: documented fields beside `title` and `body`, which every channel has.
        limits: what the channel's carrier limits and what an author should be told of.
        formats: of a template's body, the preferred one first.
        aliases: words beside the channel's name and its type that a template's file may be called by.
        subject_is_title: front matter may call the title `subject`.
        measure: counts what a body costs one recipient, by parts; None where the length costs nothing.
        pictured: fields that a preview draws; it lists the others.
    """

    metrix_name: str
    further: tuple[Field, ...] = ()
    limits: Limits = field(default=_no_limits, eq=False)
    formats: tuple[str, ...] = ("txt", "html")
    aliases: tuple[str, ...] = ()
    subject_is_title: bool = False
    measure: Callable[[str], SmsLength] | None = field(default=None, eq=False)
    pictured: frozenset[str] = frozenset({"title", "body", "images", "buttons"})

    @property
    def bills_by_parts(self) -> bool:
        """A message costs its parts, once for each recipient."""
        return self.measure is not None

    @property
    def fields(self) -> tuple[Field, ...]:
        """Every documented field."""
        return (TITLE, BODY, *self.further)

    def compose(self, rendered: Mapping[str, JsonValue]) -> Message:
        """Check rendered fields and make them a message.

        Args:
            rendered: the fields by their documented names; `extra` holds undocumented ones, passed through as
                they are.

        Raises:
            MessageInvalid: field_unknown, field_invalid, link_refused, message_empty, message_too_large.
        """
        fields = self.assemble(rendered)
        return Message(self.metrix_name, fields, self.limits(fields))

    def assemble(self, rendered: Mapping[str, JsonValue]) -> dict[str, JsonValue]:
        """Return the message's fields, checked one by one, without a look at the carrier's limits.

        Raises:
            MessageInvalid: field_unknown, field_invalid, link_refused, message_empty.
        """
        documented = {each.name: each for each in self.fields}
        fields: dict[str, JsonValue] = {}
        for name, value in rendered.items():
            if name == "extra":
                continue
            if name not in documented:
                raise self._unknown(name, list(documented))
            fields[name] = documented[name].check(name, value)
        if not str(fields.get("body", "")).strip():
            raise MessageInvalid("The message's body is empty.", code="message_empty")
        fields.update(check_extra(rendered.get("extra"), documented))
        return fields

    def _unknown(self, name: str, documented: list[str]) -> MessageInvalid:
        near = get_close_matches(name, documented, n=1)
        hint = f" Did you mean {near[0]!r}?" if near else ""
        return MessageInvalid(
            f"{self.metrix_name} has no documented field {name!r}.{hint} Documented: {', '.join(documented)}.",
            code="field_unknown",
        )
