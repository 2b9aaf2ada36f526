"""Every adapter: documented fields by name, everything else refused or passed through on purpose."""

import pytest

from metrix_channels.adapters import adapter_for
from metrix_channels.errors import MessageInvalid
from metrix_channels.models import ChannelType

NAMES = {
    ChannelType.SMS: "SMS",
    ChannelType.APP_PUSH: "APP_PUSH",
    ChannelType.WEB_PUSH: "WEB_PUSH",
    ChannelType.EMAIL: "EMAIL",
    ChannelType.IN_APP: "IN_APP",
    ChannelType.ON_SITE: "ON_SITE",
    ChannelType.WEBHOOK: "WEB_HOOK",
}
every_type = pytest.mark.parametrize("channel_type", list(ChannelType))


def compose(channel_type, **fields):
    return adapter_for(channel_type).compose(fields)


def refusal(channel_type, **fields):
    with pytest.raises(MessageInvalid) as caught:
        compose(channel_type, **fields)
    return caught.value


@every_type
def test_a_message_has_the_name_and_the_fields_of_the_documentation(channel_type):
    """`POST /push` takes them as `channel` and `message`."""
    message = compose(channel_type, title="سلام", body="متن")
    assert (message.metrix_channel, message.fields) == (NAMES[channel_type], {"title": "سلام", "body": "متن"})


@every_type
def test_an_unknown_field_is_refused_with_a_suggestion(channel_type):
    """A misspelt field would be dropped in silence by the API."""
    error = refusal(channel_type, body="x", tilte="y")
    assert error.code == "field_unknown"
    assert "'title'" in error.message
    assert "extra" in error.remedy


@every_type
@pytest.mark.parametrize("body", [None, "", " \n\t", "\u200b", "\u200f \u200c\ufeff"])
def test_a_message_without_text_is_refused(channel_type, body):
    """The body is mandatory."""
    fields = {} if body is None else {"body": body}
    assert refusal(channel_type, title="t", **fields).code == "message_empty"


@every_type
def test_extra_passes_undocumented_fields_through_as_they_are(channel_type):
    """Of types that only the application knows."""
    extra = {"sound": "bell", "badge": 3, "data": {"deep": [1, None, True]}}
    assert compose(channel_type, body="x", extra=extra).fields == {"body": "x", **extra}


@every_type
@pytest.mark.parametrize(
    ("extra", "code"),
    [
        ({"body": "other"}, "field_invalid"),
        (["sound"], "field_invalid"),
        ({"click": "javascript:alert(1)"}, "link_refused"),
        ({"note": "a\x00b"}, "field_invalid"),
    ],
)
def test_extra_cannot_smuggle(channel_type, extra, code):
    """A documented field past its check, a script, a control character."""
    assert refusal(channel_type, body="x", extra=extra).code == code


@every_type
@pytest.mark.parametrize("title", ["two\nlines", "two\r\nlines", "a\u2028b", "bell\x07", "half\ud83d", 5, None, ["x"]])
def test_a_title_is_one_line_of_text(channel_type, title):
    """Line breaks could become headers; control characters are carried by nobody."""
    assert refusal(channel_type, title=title, body="x").code == "field_invalid"


def test_web_push_takes_all_that_is_documented():
    """url, icon, images and buttons, in the documented shape."""
    fields = {
        "title": "حراج نوروز",
        "body": "تا ۳۰٪ تخفیف",
        "url": "https://example.com/sale?id=7",
        "icon": "https://example.com/icon.png",
        "images": [{"url": "https://example.com/banner.jpg"}],
        "buttons": [{"label": "مشاهده", "link": "myshop://sale/7"}],
    }
    assert compose(ChannelType.WEB_PUSH, **fields).fields == fields


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("images", "https://example.com/a.png"),
        ("images", [{"href": "https://example.com/a.png"}]),
        ("images", ["https://example.com/a.png"]),
        ("buttons", [{"label": "مشاهده"}]),
        ("buttons", [{"label": "x", "link": "https://example.com", "color": "red"}]),
        ("buttons", [{"label": "x\ny", "link": "https://example.com"}]),
    ],
)
def test_images_and_buttons_have_exactly_the_documented_shape(field, value):
    """The error names the place inside the list."""
    error = refusal(ChannelType.WEB_PUSH, body="x", **{field: value})
    assert error.code == "field_invalid"
    assert f"`{field}" in error.message


@pytest.mark.parametrize("channel_type", [ChannelType.APP_PUSH, ChannelType.WEB_PUSH])
def test_a_push_that_no_service_carries_is_refused(channel_type):
    """4,096 bytes of UTF-8, of which a Persian letter takes two."""
    assert refusal(channel_type, title="t", body="س" * 2100).code == "message_too_large"
    assert compose(channel_type, title="t", body="س" * 2000)


@pytest.mark.parametrize(
    ("channel_type", "fields", "codes"),
    [
        (ChannelType.SMS, {"body": "short"}, []),
        (ChannelType.SMS, {"body": "سلام"}, []),
        (ChannelType.SMS, {"body": "س" * 71}, ["sms_parts"]),
        (ChannelType.SMS, {"body": "It’s here"}, ["sms_ucs2"]),
        (ChannelType.SMS, {"body": "x", "title": "t"}, ["sms_title"]),
        (ChannelType.APP_PUSH, {"body": "x"}, ["push_without_title"]),
        (ChannelType.EMAIL, {"body": "x"}, ["email_without_subject"]),
        (ChannelType.EMAIL, {"title": "t", "body": "x" * 110_000}, ["email_clipped"]),
        (
            ChannelType.WEB_PUSH,
            {"title": "t", "body": "x", "buttons": [{"label": "a", "link": "https://example.com"}] * 3},
            ["push_buttons"],
        ),
    ],
)
def test_the_author_is_told_what_it_costs_or_what_will_not_be_seen(channel_type, fields, codes):
    """Cautions do not stop a message."""
    assert [caution.code for caution in compose(channel_type, **fields).cautions] == codes
