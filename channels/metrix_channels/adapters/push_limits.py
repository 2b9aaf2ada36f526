"""The limits that app push and web push share."""

from __future__ import annotations

import json
from collections.abc import Mapping

from ..errors import MessageInvalid
from ..models import Caution, JsonValue

PAYLOAD_BYTES = 4096
"""The limit of web push (RFC 8030, section 7.2), Firebase Cloud Messaging and Apple's push service."""

SHOWN_BUTTONS = 2
"""The number of buttons that desktop and Android browsers show (`Notification.maxActions` of Chromium)."""


def push_limits(fields: Mapping[str, JsonValue]) -> tuple[Caution, ...]:
    """Refuse a message that is too large for push services; warn about what phones would not show."""
    size = len(json.dumps(fields, ensure_ascii=False, separators=(",", ":")).encode())
    if size > PAYLOAD_BYTES:
        raise MessageInvalid(
            f"The push has {size:,} bytes; push services drop messages of more than {PAYLOAD_BYTES:,} bytes.",
            code="message_too_large",
        )
    cautions = []
    if not str(fields.get("title", "")).strip():
        cautions.append(
            Caution("push_without_title", "Without a title, phones show only the app's or the site's name.")
        )
    buttons = fields.get("buttons")
    if isinstance(buttons, list | tuple) and len(buttons) > SHOWN_BUTTONS:
        cautions.append(
            Caution("push_buttons", f"Browsers show {SHOWN_BUTTONS} buttons; the message has {len(buttons)}.")
        )
    return tuple(cautions)
