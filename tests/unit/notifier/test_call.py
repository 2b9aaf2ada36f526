"""The arguments of a send, as callers give them."""

from __future__ import annotations

from typing import Any

import pytest

from metrix_channels import MessageInvalid, Notifier
from metrix_channels.notifier.call import Call, PlainText
from metrix_channels.testing import MetrixConfig, Sandbox


@pytest.mark.parametrize("to", [5, 5.0, None, True, b"user-42"])
def test_a_recipient_that_is_no_text_is_refused(to: Any, metrix_config: MetrixConfig, metrix_sandbox: Sandbox) -> None:
    """The primary key of a model is a number: the error says so, and nothing is sent."""
    with Notifier.from_config(metrix_config()) as notifier, pytest.raises(MessageInvalid, match="not text") as caught:
        notifier.send("sms", to=to, text="x")
    assert caught.value.code == "recipient_invalid"
    assert metrix_sandbox.requests() == []


def test_recipients_are_kept_as_a_tuple() -> None:
    """A list that the caller changes later changes no message."""
    to = ["a", "b"]
    call = Call("sms", to, PlainText("x"), None, None)
    to.clear()
    assert call.to == ("a", "b")
