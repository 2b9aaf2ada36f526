"""The requests that a send would make: no network, no ledger."""

from __future__ import annotations

from ..api import message_json, push_body, request_headers, shown_request
from ..config import Channel, ConfigFile, Metrix
from ..templating import Templates
from .call import Call
from .clients import USER_AGENT
from .prepared import prepare


def requests_of(file: ConfigFile, call: Call) -> list[dict[str, object]]:
    """Return the requests of one call, for a program that makes no other: it needs no notifier and no event loop."""
    config = file.current()
    templates = Templates(config.templates)
    try:
        return shown_requests(call, config.channel(call.channel), config.metrix, templates)
    finally:
        templates.close()


def shown_requests(call: Call, channel: Channel, settings: Metrix, templates: Templates) -> list[dict[str, object]]:
    """Return the requests of a call, the key masked.

    Raises:
        ChannelUnverified, ConfigError, TemplateError, MessageInvalid: it would make none.
    """
    app_id = settings.resolve_app_id()
    prepared = prepare(call, channel, app_id, templates)
    headers = request_headers(app_id, USER_AGENT)
    message = message_json(prepared.message.metrix_channel, prepared.message.fields)
    starts = range(0, len(prepared.recipients), settings.batch_size)
    batches = [prepared.recipients[start : start + settings.batch_size] for start in starts]
    return [shown_request(settings.base_url, headers, push_body(batch, message)) for batch in batches]
