"""Checks the body of `POST /push`."""

from __future__ import annotations

from typing import Any

from attrs import frozen

from .bodies import CHANNELS, BodyRefused, check_objects, check_text, required


@frozen
class Push:
    """A body that Metrix would accept."""

    channel: str
    recipients: list[str]
    message: dict[str, Any]


def check_push(body: dict[str, Any]) -> Push:
    """Check a body against Metrix's documentation. Undocumented fields pass, because Metrix may accept them.

    Raises:
        BodyRefused: Metrix would answer 400.
    """
    recipients = _check_recipients(required(body, "recipients"))
    channel = required(body, "channel")
    if channel not in CHANNELS:
        raise BodyRefused(f"It must be one of {', '.join(CHANNELS)}.", "channel")
    message = required(body, "message")
    if not isinstance(message, dict):
        raise BodyRefused("It must be an object.", "message")
    check_text(required(message, "body", "message."), "message.body")
    _check_optional_text(message, "title", "message.")
    if channel == "WEB_PUSH":
        _check_web_push(message)
    return Push(channel, recipients, message)


def _check_recipients(recipients: object) -> list[str]:
    if not isinstance(recipients, list) or not recipients:
        raise BodyRefused("It must be a list of at least one customUserId.", "recipients")
    for index, recipient in enumerate(recipients):
        if not isinstance(recipient, str) or not recipient.strip():
            raise BodyRefused("It must be a customUserId: text, not empty.", f"recipients[{index}]")
    return recipients


def _check_web_push(message: dict[str, Any]) -> None:
    for name in ("url", "icon"):
        _check_optional_text(message, name, "message.")
    for name, parts in (("images", ("url",)), ("buttons", ("label", "link"))):
        if name not in message:
            continue
        field = f"message.{name}"
        for index, item in enumerate(check_objects(message[name], field)):
            where = f"{field}[{index}]."
            for part in parts:
                check_text(required(item, part, where), where + part)


def _check_optional_text(owner: dict[str, Any], name: str, where: str) -> None:
    if name in owner:
        check_text(owner[name], where + name, empty=True)
