"""Renders the messages of a run: a pure function of a row's values, used by plan and dispatch."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import TypeVar

from attrs import define

from ..adapters import SmsLength, adapter_for
from ..api import message_json, push_body
from ..errors import MetrixChannelsError, TemplateError
from ..models import Caution, ChannelType, JsonValue
from ..redact import Redactor, Secret, sensitive_values
from ..templating import Template
from .definition import OnEmpty
from .locales import LOCALE, NO_LOCALE

T = TypeVar("T")


@define
class RenderedMessage:
    """A message that was validated for its channel.

    Attributes:
        digest: equal for equal messages.
        length: the SMS parts per recipient; None for other channels.
        cautions: warnings for its author.
        empty: names of empty values that the text shows.
    """

    digest: bytes
    length: SmsLength | None
    cautions: tuple[Caution, ...]
    empty: tuple[str, ...] = ()


class RowEmpty(Exception):
    """A value that the text shows is empty, and the campaign skips such rows."""


class MessageRenderer:
    """Renders the messages of one run.

    Args:
        templates: compiled, by locale; the values of a message have it under `LOCALE`.
        type: of the channel.
        context: values for every recipient; values of the row take precedence.
        now: the run's start, so that a row always renders the same message.
        on_empty: what happens to a row with an empty value that the text shows.
    """

    def __init__(
        self,
        templates: Mapping[str, Template],
        type: ChannelType,  # noqa: A002
        context: Mapping[str, JsonValue],
        now: datetime,
        on_empty: OnEmpty = OnEmpty.WARN,
    ) -> None:
        self._templates = templates
        self._adapter = adapter_for(type)
        self._context = {
            locale: {name: value for name, value in context.items() if name in template.variables}
            for locale, template in templates.items()
        }
        self._has_secrets = any(template.sensitive for template in templates.values())
        self._now = now
        self._on_empty = on_empty

    def render(self, values: Mapping[str, JsonValue]) -> RenderedMessage:
        """Render and validate the message for a row.

        Raises:
            TemplateError, MessageInvalid: this row cannot be sent.
            RowEmpty: this row is skipped.
        """
        return self._guarded(self._render_checked, values)

    def render_body(self, values: Mapping[str, JsonValue]) -> bytes:
        """Render a message that was validated before; return the request's JSON after the recipients.

        Raises:
            TemplateError, MessageInvalid: it can no longer be rendered.
        """
        return self._guarded(self._render_body, values)

    def render_shown(self, values: Mapping[str, JsonValue]) -> str:
        """Return the JSON of a message for display, with sensitive values masked.

        Raises:
            TemplateError, MessageInvalid: as `render_body`.
        """
        return Redactor(*self.secrets(values)).clean_json(push_body([], self.render_body(values)).decode(), "message")

    def secrets(self, values: Mapping[str, JsonValue]) -> tuple[Secret, ...]:
        """Return the sensitive values of a message."""
        if not self._has_secrets or not self._template_of(values).sensitive:
            return ()
        template, known = self._fill(values)
        return tuple(sensitive_values(known[name] for name in template.sensitive if name in known))

    def _guarded(self, make: Callable[[Mapping[str, JsonValue]], T], values: Mapping[str, JsonValue]) -> T:
        secrets = self.secrets(values)
        return Redactor(*secrets).guard(lambda: make(values)) if secrets else make(values)

    def _render_checked(self, values: Mapping[str, JsonValue]) -> RenderedMessage:
        template, known = self._fill(values)
        empty = template.empty_values(known, self._now)
        if empty and self._on_empty is not OnEmpty.WARN:
            raise RowEmpty if self._on_empty is OnEmpty.SKIP else _refusal(empty, template)
        rendered = template.render(known, self._now)
        try:
            fields = self._adapter.assemble(rendered)
            cautions = self._adapter.limits(fields)
        except MetrixChannelsError as error:
            error.location = error.location or str(template.path)
            raise
        measure = self._adapter.measure
        length = measure(str(fields["body"])) if measure else None
        digest = hashlib.blake2b(self._rest(fields), digest_size=16).digest()
        return RenderedMessage(digest, length, cautions, empty)

    def _render_body(self, values: Mapping[str, JsonValue]) -> bytes:
        template, known = self._fill(values)
        return self._rest(self._adapter.assemble(template.render(known, self._now)))

    def _template_of(self, values: Mapping[str, JsonValue]) -> Template:
        return self._templates[str(values.get(LOCALE, NO_LOCALE))]

    def _fill(self, values: Mapping[str, JsonValue]) -> tuple[Template, dict[str, JsonValue]]:
        """Return the template of a message and its full context."""
        if LOCALE not in values:
            return self._templates[NO_LOCALE], {**self._context[NO_LOCALE], **values}
        locale = str(values[LOCALE])
        known = {**self._context[locale], **values}
        del known[LOCALE]
        return self._templates[locale], known

    def _rest(self, fields: Mapping[str, JsonValue]) -> bytes:
        return message_json(self._adapter.metrix_name, fields)


def _refusal(empty: tuple[str, ...], template: Template) -> TemplateError:
    names = " and ".join(repr(name) for name in empty)
    values, verb = ("value", "is") if len(empty) == 1 else ("values", "are")
    return TemplateError(
        f"the {values} {names} {verb} empty, and the text shows {'it' if len(empty) == 1 else 'them'}",
        code="value_empty",
        location=str(template.path),
    )
