"""The arguments of a send, as callers give them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from metrix_channels import AsyncNotifier, MessageInvalid, Notifier
from metrix_channels.errors import UsageError
from metrix_channels.notifier.call import Call, PlainText
from metrix_channels.testing import MetrixConfig, Sandbox


@pytest.mark.parametrize("to", [5, 5.0, None, True, b"user-42"])
def test_a_recipient_that_is_no_text_is_refused(to: Any, metrix_config: MetrixConfig, metrix_sandbox: Sandbox) -> None:
    """The primary key of a model is a number: the error says so, and nothing is sent."""
    with Notifier.from_config(metrix_config()) as notifier, pytest.raises(MessageInvalid, match="not text") as caught:
        notifier.send("sms", to=to, text="x")
    assert caught.value.code == "recipient_invalid"
    assert metrix_sandbox.requests() == []


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        ({"channel": 5}, "The channel is int, not text"),
        ({"channel": None}, "The channel is NoneType, not text"),
        ({"channel": ["sms"]}, "The channel is list, not text"),
        ({"template": b"otp"}, "The template is bytes, not text"),
        ({"template": {"otp"}}, "The template is set, not text"),
        ({"locale": ["fa"]}, "The locale is list, not text"),
        ({"context": [("code", 1)]}, "The context is list, not a mapping"),
        ({"context": 0}, "The context is int, not a mapping"),
        ({"context": "code"}, "The context is str, not a mapping"),
    ],
)
def test_an_argument_of_another_type_is_refused(
    wrong: dict[str, Any], named: str, metrix_config: MetrixConfig, metrix_sandbox: Sandbox
) -> None:
    """The error names the argument and shows a call that works."""
    given: dict[str, Any] = {"channel": "sms", "to": "user-42", "template": "otp"} | wrong
    with Notifier.from_config(metrix_config()) as notifier, pytest.raises(UsageError, match=named) as caught:
        notifier.send(**given)
    assert caught.value.code == "usage"
    assert "send(" in caught.value.remedy
    assert metrix_sandbox.requests() == []


def test_recipients_are_kept_as_a_tuple() -> None:
    """A list that the caller changes later changes no message."""
    to = ["a", "b"]
    call = Call("sms", to, PlainText("x"), None, None)
    to.clear()
    assert call.to == ("a", "b")


@pytest.mark.parametrize("kind", [Notifier, AsyncNotifier])
@pytest.mark.parametrize("given", ["channels.yaml", Path("channels.yaml"), {"version": 1}, None])
def test_a_notifier_is_created_from_a_configuration(kind: Any, given: object) -> None:
    """The class itself takes no path; the error says so at once, and what to write."""
    with pytest.raises(UsageError, match="`from_config`") as caught:
        kind(given)
    assert caught.value.code == "usage"
    assert 'Notifier.from_config("channels.yaml")' in caught.value.remedy
