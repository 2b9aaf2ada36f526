"""Prepares a message before anything is sent: checks the channel, renders the template, validates the fields."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Final

from attrs import field, frozen

from ..adapters import adapter_for
from ..config import Channel, require_verified
from ..errors import MetrixChannelsError
from ..ledger import Entry
from ..models import Message
from ..process import wall_clock
from ..process.unique_ids import new_id
from ..recipients import checked_recipients
from ..redact import MASK, Redactor, Secret, sensitive_values
from ..templating import Template, Templates
from .call import Call, Context, FromTemplate, PlainText, checked_key

_JSON: Final = json.JSONEncoder(ensure_ascii=False)


@frozen
class Prepared:
    """What a call would send.

    Attributes:
        recipients: customUserIds without repetition.
        message: validated for the channel.
        shown_message: the message with masked sensitive values, for the ledger; None if it cannot be masked.
        hidden: the sensitive values, which must not be shown anywhere.
        at: the `now` of the template, rounded to milliseconds as in the ledger.
        message_at: renders the message for another `now`; returns None if that fails.
    """

    recipients: tuple[str, ...]
    message: Message
    shown_message: str | None
    hidden: tuple[Secret, ...] = ()
    at: datetime = field(factory=wall_clock.now, eq=False)
    message_at: Callable[[datetime], Message | None] = field(default=lambda at: None, eq=False)


def prepare(call: Call, channel: Channel, app_id: str, templates: Templates) -> Prepared:
    """Check the channel, render the template and validate the message.

    Raises:
        ChannelUnverified: the channel is not verified; this is checked first.
        UsageError: the key is not one line of text.
        TemplateError, MessageInvalid: the template, its values, the message or a recipient is invalid.
    """
    now = wall_clock.now()
    now = now.replace(microsecond=now.microsecond // 1000 * 1000)
    require_verified(channel, app_id, now)
    if call.key is not None:
        checked_key(call.key)
    recipients = checked_recipients(call.to)
    if isinstance(call.content, PlainText):
        message = _compose_text(call.content, channel)
        return Prepared(recipients, message, _dump(message), at=now)
    return _prepare_template(call.content, recipients, channel, templates, now)


def _compose_text(content: PlainText, channel: Channel) -> Message:
    title = {} if content.title is None else {"title": content.title}
    return adapter_for(channel.type).compose({**title, "body": content.text})


def _prepare_template(
    content: FromTemplate, recipients: tuple[str, ...], channel: Channel, templates: Templates, now: datetime
) -> Prepared:
    context = content.context
    template = templates.find(content.template, channel.name, channel.type, content.locale)
    sensitive = {name: context[name] for name in template.sensitive if name in context}
    hidden = tuple(sensitive_values(sensitive.values()))
    message = Redactor(*hidden).guard(lambda: _compose(template, channel, context, now))
    shown = _dump_masked(template, channel, context, now, message, sensitive)

    def message_at(at: datetime) -> Message | None:
        try:
            return _compose(template, channel, context, at)
        except MetrixChannelsError:
            return None

    return Prepared(recipients, message, shown, hidden, now, message_at)


def entry(call: Call, prepared: Prepared, app_id: str) -> Entry:
    """Return the call as an entry of the ledger."""
    said = call.content

    def contents_at(at: datetime) -> Iterator[bytes]:
        if isinstance(said, PlainText):
            return
        if (message := prepared.message_at(at)) is not None:
            yield _content(message, prepared.recipients)
        yield _former_content(call.channel, said, prepared.recipients)

    return Entry(
        id=new_id(),
        app_id=app_id,
        key=call.key,
        content=b"" if call.key is None else _content(prepared.message, prepared.recipients),
        channel=call.channel,
        template=None if isinstance(said, PlainText) else said.template,
        recipients=prepared.recipients,
        message=prepared.shown_message,
        at=prepared.at,
        contents_at=contents_at,
    )


def _content(message: Message, recipients: tuple[str, ...]) -> bytes:
    """Return the content that a key belongs to: the message as it is sent, and the set of recipients."""
    content = {"channel": message.metrix_channel, "message": message.fields, "recipients": sorted(recipients)}
    return json.dumps(content, sort_keys=True).encode()


def _former_content(channel: str, said: FromTemplate, recipients: tuple[str, ...]) -> bytes:
    """Return the content of a key in ledgers of earlier versions: the arguments of the call."""
    content = [channel, recipients, said.template, said.locale, said.context]
    return json.dumps(content, sort_keys=True, default=repr).encode("utf-8", "backslashreplace")


def _compose(template: Template, channel: Channel, context: Context, now: datetime) -> Message:
    fields = template.render(context, now)
    try:
        return adapter_for(channel.type).compose(fields)
    except MetrixChannelsError as error:
        error.location = error.location or str(template.path)
        raise


def _dump_masked(
    template: Template, channel: Channel, context: Context, now: datetime, message: Message, sensitive: Context
) -> str | None:
    if sensitive:
        try:
            message = _compose(template, channel, {**context, **dict.fromkeys(sensitive, MASK)}, now)
        except MetrixChannelsError:
            return None  # for example, a filter needs a number: then the ledger keeps no text at all
    return _dump(message)


def _dump(message: Message) -> str:
    return _JSON.encode({"channel": message.metrix_channel, "message": message.fields})
