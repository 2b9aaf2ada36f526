"""The documented fields, limits and warnings of each channel type: one small declarative module per type."""

from __future__ import annotations

from ..models import ChannelType
from ..sms_text import SmsEncoding, SmsLength, sms_length
from . import app_push, email, in_app, on_site, sms, web_push, webhook
from .adapter import Adapter

__all__ = ["Adapter", "SmsEncoding", "SmsLength", "adapter_for", "sms_length"]

_ADAPTERS = {
    ChannelType.SMS: sms.ADAPTER,
    ChannelType.APP_PUSH: app_push.ADAPTER,
    ChannelType.WEB_PUSH: web_push.ADAPTER,
    ChannelType.EMAIL: email.ADAPTER,
    ChannelType.IN_APP: in_app.ADAPTER,
    ChannelType.ON_SITE: on_site.ADAPTER,
    ChannelType.WEBHOOK: webhook.ADAPTER,
}


def adapter_for(channel_type: ChannelType) -> Adapter:
    """Return the adapter of a channel's type."""
    return _ADAPTERS[channel_type]
