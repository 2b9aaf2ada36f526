"""What a run says: the plan and the dispatch say the same."""

import json
from datetime import UTC, datetime
from hashlib import blake2b

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from metrix_channels.adapters import sms_length
from metrix_channels.api import push_body
from metrix_channels.campaign.renderer import MessageRenderer
from metrix_channels.errors import MetrixChannelsError
from metrix_channels.models import ChannelType
from metrix_channels.templating import Templates

NOW = datetime(2026, 3, 20, 6, 30, tzinfo=UTC)


@pytest.fixture(scope="module")
def renderer(tmp_path_factory):
    folder = tmp_path_factory.mktemp("templates")
    (folder / "offer").mkdir()
    (folder / "offer" / "sms.txt.j2").write_text("سلام {{ name }}، {{ discount }} درصد", encoding="utf-8")
    templates = Templates(folder)
    template = templates.find("offer", "sms", ChannelType.SMS, None)
    yield MessageRenderer({"": template}, ChannelType.SMS, {"discount": 30, "unused": "x"}, NOW)
    templates.close()


@settings(max_examples=200)
@given(name=st.text(), discount=st.one_of(st.integers(), st.text()))
def test_what_is_checked_in_the_plan_is_what_is_sent(renderer, name, discount):
    """Byte for byte, for any values; what is refused, is refused in the plan."""
    values = {"name": name, "discount": discount}
    try:
        rendered_message = renderer.render(values)
    except MetrixChannelsError:
        return
    body = renderer.render_body(values)
    assert blake2b(body, digest_size=16).digest() == rendered_message.digest
    message = json.loads(push_body(["u1", "u2"], body))
    assert message == {"recipients": ["u1", "u2"], "channel": "SMS", "message": {"body": message["message"]["body"]}}


def test_equal_messages_have_equal_digests(renderer):
    """However they come about; a row's own value wins over the campaign's."""
    one = renderer.render({"name": "سارا"})
    assert renderer.render({"name": "سارا", "discount": "30"}).digest == one.digest
    assert renderer.render({"name": "سارا", "discount": 40}).digest != one.digest
    assert one.length == sms_length("سلام سارا، 30 درصد")


def test_a_name_that_is_not_given_is_an_error(renderer):
    """It names the template's line."""
    with pytest.raises(MetrixChannelsError) as caught:
        renderer.render({})
    assert caught.value.code == "template_undefined"
