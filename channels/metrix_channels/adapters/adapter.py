"""The interface of all channel types: turns rendered fields into a checked message."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from difflib import get_close_matches

from attrs import field, frozen

from ..errors import MessageInvalid
from ..models import Caution, JsonValue, Message
from ..printable import BLANKS
from ..sms_text import SmsLength
from .fields import BODY, TITLE, Field, check_extra

Limits = Callable[[Mapping[str, JsonValue]], tuple[Caution, ...]]
"""Checks a whole message: raises MessageInvalid if it exceeds a hard limit, otherwise returns warnings."""


def _no_limits(_: Mapping[str, JsonValue]) -> tuple[Caution, ...]:
    return ()


@frozen
class Adapter:
    """One channel type.

    Attributes:
        metrix_name: the value of `channel` in the API.
        further: documented fields in addition to `title` and `body`, which every channel type has.
        limits: checks the carrier's limits and returns warnings for the author.
        formats: the formats of a template's body, the preferred one first.
        aliases: names that a template file may use instead of the channel's name or type.
        subject_is_title: front matter may call the title `subject`.
        measure: counts the parts of a body that are billed per recipient; None if the length does not affect the price.
        pictured: the fields that a preview draws; it lists the others.
    """

    metrix_name: str
    further: tuple[Field, ...] = ()
    limits: Limits = field(default=_no_limits, eq=False)
    formats: tuple[str, ...] = ("txt", "html")
    aliases: tuple[str, ...] = ()
    subject_is_title: bool = False
    measure: Callable[[str], SmsLength] | None = field(default=None, eq=False)
    pictured: frozenset[str] = frozenset({"title", "body", "images", "buttons"})

    _documented: dict[str, Field] = field(init=False, eq=False, repr=False)

    @_documented.default
    def _all_by_name(self) -> dict[str, Field]:
        return {each.name: each for each in self.fields}

    @property
    def bills_by_parts(self) -> bool:
        """Whether a message is billed per part and recipient."""
        return self.measure is not None

    @property
    def fields(self) -> tuple[Field, ...]:
        """Every documented field."""
        return (TITLE, BODY, *self.further)

    def compose(self, rendered: Mapping[str, JsonValue]) -> Message:
        """Check rendered fields and make a message from them.

        Args:
            rendered: the fields by their documented names; `extra` contains undocumented fields, which are sent
                unchanged.

        Raises:
            MessageInvalid: field_unknown, field_invalid, link_refused, message_empty, message_too_large.
        """
        fields = self.assemble(rendered)
        return Message(self.metrix_name, fields, self.limits(fields))

    def assemble(self, rendered: Mapping[str, JsonValue]) -> dict[str, JsonValue]:
        """Check the fields one by one and return them; the carrier's limits are not checked.

        Raises:
            MessageInvalid: field_unknown, field_invalid, link_refused, message_empty.
        """
        documented = self._documented
        fields: dict[str, JsonValue] = {}
        for name, value in rendered.items():
            if name == "extra":
                continue
            if name not in documented:
                raise self._unknown(name, list(documented))
            fields[name] = documented[name].check(name, value)
        if not str(fields.get("body", "")).strip(BLANKS):
            raise MessageInvalid("The message's body is empty.", code="message_empty")
        if (extra := rendered.get("extra")) is not None:
            fields.update(check_extra(extra, documented))
        return fields

    def _unknown(self, name: str, documented: list[str]) -> MessageInvalid:
        near = get_close_matches(name, documented, n=1)
        hint = f" Did you mean {near[0]!r}?" if near else ""
        return MessageInvalid(
            f"{self.metrix_name} has no documented field {name!r}.{hint} Documented: {', '.join(documented)}.",
            code="field_unknown",
        )
