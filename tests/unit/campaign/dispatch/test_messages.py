"""Messages that are rendered ahead are those that each batch gets, in whatever order the batches come."""

import random
from datetime import UTC, datetime
from itertools import islice

import pytest

from metrix_channels.campaign.dispatch.messages import Messages
from metrix_channels.campaign.renderer import MessageRenderer
from metrix_channels.errors import TemplateError
from metrix_channels.ledger import Shard
from metrix_channels.ledger.runs.batches import new_statuses
from metrix_channels.models import ChannelType
from metrix_channels.templating import Templates

NOW = datetime(2026, 3, 20, 6, 30, tzinfo=UTC)


class CountingRenderer(MessageRenderer):
    """Counts what it renders."""

    rendered = 0

    def render_body(self, values):
        self.rendered += 1
        return super().render_body(values)


@pytest.fixture
def renderer(tmp_path):
    (tmp_path / "offer").mkdir()
    (tmp_path / "offer" / "sms.txt.j2").write_text("کد {{ code }}", encoding="utf-8")
    templates = Templates(tmp_path)
    yield CountingRenderer({"": templates.find("offer", "sms", ChannelType.SMS, None)}, ChannelType.SMS, {}, NOW)
    templates.close()


def batches(codes):
    contents = [({} if code is None else {"code": code}, [f"u{at}"]) for at, code in enumerate(codes)]
    return Shard.opened(1, False, contents, new_statuses(len(contents))).taken()


def message(code):
    return f',"channel":"SMS","message":{{"body":"کد {code}"}}}}'.encode()


@pytest.mark.parametrize("seed", range(10))
def test_each_batch_gets_its_own_message(renderer, seed):
    """Also when batches are repeated, or come in another order than they were announced."""
    rng = random.Random(seed)
    codes = [str(rng.randrange(20)) for _ in range(100)]
    waiting = batches(codes)
    messages = Messages(renderer, lambda count: list(islice(waiting, count)))
    for _ in range(150):
        batch = rng.choice(waiting[:3])
        assert messages.render(batch) == message(batch.values["code"])
        if len(waiting) > 3 and rng.random() < 0.8:
            waiting.remove(batch)


def test_each_message_is_rendered_once_and_equal_ones_in_a_row_together(renderer):
    """Nothing is rendered twice only because it was rendered ahead."""
    waiting = batches(["1", "1", "2", "3", "3", "3", *map(str, range(4, 60))])
    messages = Messages(renderer, lambda count: list(islice(waiting, count)))
    while waiting:
        batch = waiting.pop(0)
        assert messages.render(batch) == message(batch.values["code"])
    assert renderer.rendered == 59


def test_a_message_that_cannot_be_rendered_is_an_error_when_its_batch_is_sent(renderer):
    """Those before it are still sent."""
    waiting = batches(["1", "2", None, "4"])
    messages = Messages(renderer, lambda count: list(islice(waiting, count)))
    assert [messages.render(waiting.pop(0)) for _ in range(2)] == [message(1), message(2)]
    failing = waiting.pop(0)
    for _ in range(2):
        with pytest.raises(TemplateError, match="code"):
            messages.render(failing)
    assert messages.render(waiting.pop(0)) == message(4)
