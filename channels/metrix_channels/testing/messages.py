"""Assertions about messages that arrived in the sandbox; a failed assertion lists what arrived."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any, Final

from attrs import frozen

from ..printable import quoted
from ..redact.folding import with_ascii_digits

_MOST_LISTED: Final = 20
_MOST_CHARACTERS: Final = 200
_MOST_RECIPIENTS: Final = 5


@frozen
class ArrivedMessage:
    """One message in the sandbox.

    Attributes:
        channel: Metrix's name of the channel, such as `SMS`.
        recipients: the customUserIds that it was sent to.
        title: title of a push, or the subject of an email; or None.
        body: its text.
        fields: all fields of `message` in the request, including title and body.
        at: when the sandbox took it, by `metrix_clock` if the test uses it.
        reason: why it was not delivered; None if it was.
    """

    channel: str
    recipients: tuple[str, ...]
    title: str | None
    body: str
    fields: dict[str, Any]
    at: datetime
    reason: str | None

    def __str__(self) -> str:
        named = ", ".join(quoted(recipient) for recipient in self.recipients[:_MOST_RECIPIENTS])
        more = len(self.recipients) - _MOST_RECIPIENTS
        others = f" and {more} more" if more > 0 else ""
        title = "" if self.title is None else f"{quoted(self.title, _MOST_CHARACTERS)}: "
        reason = "" if self.reason is None else f" ({self.reason})"
        return f"{self.channel} to {named}{others}: {title}{quoted(self.body, _MOST_CHARACTERS)}{reason}"


class ArrivedMessages:
    """The messages that have arrived so far, oldest first, such as `metrix_sandbox.sms`.

    You can iterate over them, and they have a length. A message that was taken but not delivered did not arrive.
    """

    def __init__(self, what: str, sent: Sequence[ArrivedMessage], everything: Sequence[ArrivedMessage]) -> None:
        self._what = what
        self._sent = sent
        self._everything = everything
        self._arrived = [message for message in sent if message.reason is None]

    def __iter__(self) -> Iterator[ArrivedMessage]:
        return iter(self._arrived)

    def __len__(self) -> int:
        return len(self._arrived)

    def __repr__(self) -> str:
        return f"<{self._what}: {len(self)}>"

    @property
    def last(self) -> ArrivedMessage:
        """The newest of these messages; raises AssertionError if there is none."""
        __tracebackhide__ = True
        self._require_any()
        return self._arrived[-1]

    def to(self, recipient: str) -> ArrivedMessages:
        """Assert that a message arrived for `recipient`, and return the messages that did.

        Args:
            recipient: a customUserId.

        Raises:
            AssertionError: no message arrived for `recipient`.
        """
        __tracebackhide__ = True
        sent = [message for message in self._sent if recipient in message.recipients]
        found = ArrivedMessages(f"{self._what} to {quoted(recipient)}", sent, self._everything)
        found._require_any()
        return found

    def not_sent_to(self, recipient: str) -> None:
        """Assert that none of these messages was sent to `recipient`, delivered or not.

        Raises:
            AssertionError: a message was sent to `recipient`.
        """
        __tracebackhide__ = True
        if any(recipient in message.recipients for message in self._sent):
            self._fail(f"Expected nothing for {quoted(recipient)}, but {self._what} was sent.")

    def contains(self, text: str, *, fold_digits: bool = False) -> ArrivedMessages:
        """Assert that the title or the body of a message contains `text`, and return these messages.

        Args:
            text: the exact text.
            fold_digits: treat Persian, Arabic and Latin digits as equal: `1234` finds `۱۲۳۴`.

        Raises:
            AssertionError: no message contains it.
        """
        __tracebackhide__ = True
        sent = [message for message in self._sent if _has(message, text, fold_digits)]
        found = ArrivedMessages(f"{self._what} with the text {quoted(text)}", sent, self._everything)
        is_near = not fold_digits and any(_has(message, text, True) for message in self._arrived)
        found._require_any("A message has this text with other digits: use fold_digits=True." if is_near else "")
        return found

    def count(self, expected: int) -> None:
        """Assert how many of these messages arrived. A message to several recipients is one message.

        Raises:
            AssertionError: there are more or fewer.
        """
        __tracebackhide__ = True
        if len(self) != expected:
            self._fail(f"Expected {_plural(expected)} ({self._what}), but {len(self)} arrived.")

    def _require_any(self, hint: str = "") -> None:
        __tracebackhide__ = True
        if not self._arrived:
            self._fail(f"Expected {self._what}, but none arrived.", hint)

    def _fail(self, *lines: str) -> None:
        __tracebackhide__ = True
        arrived = [message for message in self._everything if message.reason is None]
        undelivered = [message for message in self._everything if message.reason is not None]
        listed = [*filter(None, lines), *_listed("Arrived", arrived)]
        if undelivered:
            listed += _listed("Sent, but not delivered", undelivered)
            listed.append(f'Before the send, call metrix_sandbox.test_channel("{undelivered[0].channel}").')
        raise AssertionError("\n".join(listed))


def arrived_messages(what: str, entries: Sequence[dict[str, Any]]) -> ArrivedMessages:
    """Return messages of a sandbox.

    Args:
        what: the name of one such message, such as "an SMS".
        entries: in the form of `Sandbox.messages`.
    """
    messages = [_message(entry) for entry in entries]
    return ArrivedMessages(what, messages, messages)


def _message(entry: dict[str, Any]) -> ArrivedMessage:
    fields = entry["message"]
    return ArrivedMessage(
        channel=entry["channel"],
        recipients=tuple(entry["recipients"]),
        title=fields.get("title"),
        body=fields["body"],
        fields=fields,
        at=datetime.fromisoformat(entry["at"]),
        reason=entry["reason"],
    )


def _has(message: ArrivedMessage, text: str, fold_digits: bool) -> bool:
    parts = [part for part in (message.title, message.body) if part is not None]
    if not fold_digits:
        return any(text in part for part in parts)
    return any(with_ascii_digits(text) in with_ascii_digits(part) for part in parts)


def _listed(heading: str, messages: Sequence[ArrivedMessage]) -> list[str]:
    if not messages:
        return [f"{heading}: no message."]
    newest = f", the newest {_MOST_LISTED} of them" if len(messages) > _MOST_LISTED else ""
    return [f"{heading}: {_plural(len(messages))}{newest}:", *(f"  {message}" for message in messages[-_MOST_LISTED:])]


def _plural(count: int) -> str:
    return f"{count} message" if count == 1 else f"{count} messages"
