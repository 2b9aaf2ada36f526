"""Returns the requests that a send would make, without a network and without a ledger."""

from __future__ import annotations

from attrs import frozen

from ..adapters import adapter_for
from ..api import message_json, push_body, request_headers, shown_request
from ..config import Channel, ConfigFile, Metrix
from ..models import Caution
from ..templating import Templates, locale_cautions
from .call import Call, PlainText
from .clients import USER_AGENT
from .prepared import prepare


@frozen
class DryRun:
    """What a send would do.

    Attributes:
        requests: as they would be sent, with the API key masked.
        cautions: hints for the message's author.
        sms_parts: total number of billed parts for all recipients; None if the channel does not bill parts.
    """

    requests: list[dict[str, object]]
    cautions: tuple[Caution, ...]
    sms_parts: int | None


def dry_run_of(file: ConfigFile, call: Call) -> DryRun:
    """Return what one call would do, without a notifier and an event loop, for a program that makes only one call."""
    config = file.current()
    templates = Templates(config.templates)
    try:
        return dry_run(call, config.channel(call.channel), config.metrix, templates)
    finally:
        templates.close()


def dry_run(call: Call, channel: Channel, settings: Metrix, templates: Templates) -> DryRun:
    """Return what a call would do.

    Raises:
        ChannelUnverified, ConfigError, TemplateError, MessageInvalid: the call would make no request.
    """
    app_id = settings.resolve_app_id()
    prepared = prepare(call, channel, app_id, templates)
    headers = request_headers(app_id, USER_AGENT)
    message = message_json(prepared.message.metrix_channel, prepared.message.fields)
    starts = range(0, len(prepared.recipients), settings.batch_size)
    batches = [prepared.recipients[start : start + settings.batch_size] for start in starts]
    requests = [shown_request(settings.base_url, headers, push_body(batch, message)) for batch in batches]
    measure = adapter_for(channel.type).measure
    parts = measure(str(prepared.message.fields["body"])).parts * len(prepared.recipients) if measure else None
    return DryRun(requests, (*prepared.message.cautions, *_locale_cautions(call, channel, templates)), parts)


def _locale_cautions(call: Call, channel: Channel, templates: Templates) -> tuple[Caution, ...]:
    said = call.content
    if isinstance(said, PlainText):
        return ()
    return locale_cautions(templates, said.template, channel.name, channel.type, said.locale)
