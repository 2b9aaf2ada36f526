"""Leads through the test of a channel on a terminal: the dashboard's test, then one message through the API.

This is the only place where a message goes through a channel that is not verified yet. It is the test itself: somebody
has just said that the dashboard's test arrived, and it goes to one id, that person's own. The verification that lets it
pass is in memory alone; nothing is written before both messages have arrived.
"""

from __future__ import annotations

import sys

from attrs import evolve, frozen

from ..adapters import adapter_for
from ..config import Config, ConfigFile, Verification
from ..errors import UsageError
from ..process import wall_clock
from ..recipients import checked_recipients
from .ui.output import Output


@frozen
class Seen:
    """What somebody saw.

    Attributes:
        by: who.
        note: which messages arrived.
    """

    by: str
    note: str


def lead_through(output: Output, file: ConfigFile, name: str, by: str | None) -> Seen | None:
    """Ask for the dashboard's test, send one message through the API, and ask for that.

    Args:
        output: whose stderr somebody reads; stdin is the same terminal.
        file: the configuration.
        name: of the channel.
        by: who looks; None to ask.

    Returns:
        What was seen; None when one of the messages did not arrive.

    Raises:
        MetrixChannelsError: an answer is not as it must be, or the message was not accepted.
    """
    config = file.current()
    channel, app_id = config.channel(name), config.metrix.resolve_app_id()
    said = adapter_for(channel.type).metrix_name
    output.hint(
        f"1. In Metrix's dashboard, in application {app_id}, send a test message through {said} to yourself. Metrix's"
        " documentation names no page for it; ask Metrix's support if you do not find it."
    )
    if not _says_yes(output, "Did it arrive?"):
        output.hint("Then the channel's settings in the dashboard are not right yet. Nothing was sent or recorded.")
        return None
    by = checked_name(by if by is not None else _answer(output, "Who saw it arrive (name or address)?"))
    output.hint(f"2. Now one message goes through the API and {channel.name!r}, to you.")
    [recipient] = checked_recipients([_answer(output, "Your own customUserId:")])
    receipt = _send(file, name, by, recipient)
    output.hint("Metrix accepted it.")
    if not _says_yes(output, "Did that arrive too?"):
        output.hint(
            "Metrix's answer says that it received the request, not that anybody gets the message. Check that Metrix"
            f" knows the user {recipient!r} and how to reach them. Nothing was recorded."
        )
        return None
    return Seen(by, f"the dashboard's test and message {receipt} through the API arrived")


def checked_name(by: str) -> str:
    """Return who saw the test, as it was given.

    Raises:
        UsageError: it names nobody.
    """
    if not any(character.isalnum() for character in by):
        raise UsageError("--by names nobody.", code="usage", remedy="Name who saw the test message arrive.")
    return by


class _UnderTest(ConfigFile):
    """The configuration for the one message of a test: one channel is verified, in memory alone."""

    def __init__(self, file: ConfigFile, channel: str, verification: Verification) -> None:
        super().__init__(file.path)
        self._channel, self._verification = channel, verification

    def current(self) -> Config:
        """Return the configuration as the file is now, with the channel under test verified."""
        config = super().current()
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
    return _answer(output, f"{question} [y/N]").lower() in ("y", "yes")


def _answer(output: Output, question: str) -> str:
    from rich.text import Text

    output.err.print(Text(f"{question} "), end="")
    return sys.stdin.readline().strip()
