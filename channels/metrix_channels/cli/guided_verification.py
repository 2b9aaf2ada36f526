"""Guides the user through the test of a channel: the dashboard's test message, then one message through the API.

Only this module sends a message on a channel that is not verified yet. It does so after the user confirmed that the
dashboard's test message arrived, and only to one recipient: the user. The verification that allows this message is
kept in memory; nothing is written until both messages have arrived.
"""

from __future__ import annotations

import sys

from attrs import evolve, frozen

from ..adapters import adapter_for
from ..config import Channel, Config, ConfigFile, Verification
from ..config.credentials import SANDBOX_APP_ID
from ..errors import UsageError
from ..process import wall_clock
from ..recipients import checked_recipients
from .ui.output import Output, is_yes


@frozen
class Seen:
    """A confirmed test.

    Attributes:
        by: the person who received the messages.
        note: which messages arrived.
    """

    by: str
    note: str


def lead_through(output: Output, file: ConfigFile, name: str, by: str | None) -> Seen | None:
    """Ask whether the dashboard's test message arrived, send one message through the API, and ask whether it arrived.

    Args:
        output: where to ask; stderr and stdin are the same terminal.
        file: the configuration.
        name: the name of the channel.
        by: the person who received the messages; None to ask.

    Returns:
        The confirmed test; None if one of the messages did not arrive.

    Raises:
        MetrixChannelsError: an answer is invalid, or the message was not accepted.
    """
    config = file.current()
    channel = config.channel(name)
    output.hint(f"1. {_describe_test(config, channel)}")
    if not _says_yes(output, "Did it arrive?"):
        output.hint("Check the channel's settings in the dashboard, then try again. Nothing was sent or recorded.")
        return None
    by = checked_name(by if by is not None else _answer(output, "Who received it (name or email address)?"))
    output.hint(f"2. Next, metrix-channels sends you one message through the API on channel {channel.name!r}.")
    [recipient] = checked_recipients([_answer(output, "Your own customUserId:")])
    receipt = _send(file, name, by, recipient)
    output.hint("Metrix accepted it.")
    if not _says_yes(output, "Did this message arrive too?"):
        output.hint(
            "Metrix confirmed the request, which does not confirm the delivery. Check that Metrix knows the user"
            f" {recipient!r} and their contact data. Nothing was recorded."
        )
        return None
    return Seen(by, f"the dashboard's test message and message {receipt} through the API arrived")


def checked_name(by: str) -> str:
    """Return the name of the person who received the test message, unchanged.

    Raises:
        UsageError: the name has no letter or digit.
    """
    if not any(character.isalnum() for character in by):
        raise UsageError(
            "--by contains no name.",
            code="usage",
            remedy="Write the name or address of the person who received the test message.",
        )
    return by


def _describe_test(config: Config, channel: Channel) -> str:
    app_id, said = config.metrix.resolve_app_id(), adapter_for(channel.type).metrix_name
    if app_id == SANDBOX_APP_ID:
        return (
            f"Open the sandbox's inbox, {config.metrix.base_url}, and click “{said} · Test”. This replaces a test"
            " message from Metrix's dashboard."
        )
    return (
        f"In Metrix's dashboard, open application {app_id} and send yourself a test message on {said}. Metrix's"
        " documentation does not say where; if you cannot find the page, ask Metrix's support."
    )


class _UnderTest(ConfigFile):
    """The configuration for the test message: one channel is verified, in memory only."""

    def __init__(self, file: ConfigFile, channel: str, verification: Verification) -> None:
        super().__init__(file.path)
        self._channel, self._verification = channel, verification

    def load(self) -> Config:
        """Read the configuration, and mark the channel under test as verified."""
        config = super().load()
        tested = evolve(config.channel(self._channel), verified=self._verification)
        return evolve(config, channels={**config.channels, self._channel: tested})


def _send(file: ConfigFile, name: str, by: str, recipient: str) -> str:
    from ..notifier import Notifier  # on demand: `channels list` sends nothing
    from ..notifier.services import ServicesOfProcess

    config = file.current()
    verification = Verification(at=wall_clock.now().date(), by=by, app_id=config.metrix.resolve_app_id())
    text, title = f"This is a test of channel {name!r} through Metrix's API.", f"Test of {name}"
    adapter = adapter_for(config.channel(name).type)
    with_title, without = adapter.compose({"title": title, "body": text}), adapter.compose({"body": text})
    wants_title = len(with_title.cautions) < len(without.cautions)
    with Notifier(ServicesOfProcess(_UnderTest(file, name, verification))) as notifier:
        return notifier.send(name, to=recipient, text=text, title=title if wants_title else None).id


def _says_yes(output: Output, question: str) -> bool:
    return is_yes(_answer(output, f"{question} [y/N]"))


def _answer(output: Output, question: str) -> str:
    from rich.text import Text

    output.err.print(Text(f"{question} "), end="")
    return sys.stdin.readline().strip()
