"""`POST /push` demands what Metrix documents."""

from typing import Any

import pytest

from metrix_channels.sandbox.bodies import CHANNELS, BodyRefused
from metrix_channels.sandbox.push import check_push


def _body(**changes: Any) -> dict[str, Any]:
    return {"recipients": ["u1"], "channel": "SMS", "message": {"body": "سلام"}, **changes}


def _web_push(**fields: Any) -> dict[str, Any]:
    return _body(channel="WEB_PUSH", message={"body": "سلام", **fields})


@pytest.mark.parametrize("channel", CHANNELS)
def test_every_channel_takes_title_and_body(channel: str) -> None:
    """The seven documented channels pass, fields that are documented nowhere too."""
    message = {"title": "", "body": "سلام", "somethingNew": [1]}
    push = check_push(_body(channel=channel, message=message, recipients=["u1", "u2"]))
    assert (push.channel, push.recipients, push.message) == (channel, ["u1", "u2"], message)


def test_web_push_takes_its_documented_fields() -> None:
    """Link, icon, images and buttons pass."""
    check_push(
        _web_push(
            url="https://example.com",
            icon="https://example.com/i.png",
            images=[{"url": "https://example.com/1.png"}],
            buttons=[{"label": "مشاهده", "link": "https://example.com"}],
        )
    )


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"channel": "SMS", "message": {"body": "x"}}, "recipients"),
        (_body(recipients=[]), "recipients"),
        (_body(recipients="u1"), "recipients"),
        (_body(recipients=["u1", ""]), "recipients[1]"),
        (_body(recipients=[" "]), "recipients[0]"),
        (_body(recipients=[7]), "recipients[0]"),
        (_body(recipients=[None]), "recipients[0]"),
        ({"recipients": ["u1"], "message": {"body": "x"}}, "channel"),
        (_body(channel="sms"), "channel"),
        (_body(channel=["SMS"]), "channel"),
        (_body(channel=None), "channel"),
        ({"recipients": ["u1"], "channel": "SMS"}, "message"),
        (_body(message="x"), "message"),
        (_body(message={}), "message.body"),
        (_body(message={"body": ""}), "message.body"),
        (_body(message={"body": "\n "}), "message.body"),
        (_body(message={"body": 1}), "message.body"),
        (_body(message={"body": "x", "title": 1}), "message.title"),
        (_body(message={"body": "x", "title": None}), "message.title"),
        (_web_push(url=1), "message.url"),
        (_web_push(icon=[]), "message.icon"),
        (_web_push(images={"url": "x"}), "message.images"),
        (_web_push(images=["x"]), "message.images[0]"),
        (_web_push(images=[{"url": "x"}, {}]), "message.images[1].url"),
        (_web_push(buttons=[{"label": "x"}]), "message.buttons[0].link"),
        (_web_push(buttons=[{"label": 1, "link": "x"}]), "message.buttons[0].label"),
    ],
)
def test_everything_else_is_refused_with_its_place(body: dict[str, Any], field: str) -> None:
    """A refusal names the field at fault."""
    with pytest.raises(BodyRefused) as caught:
        check_push(body)
    assert caught.value.field == field
