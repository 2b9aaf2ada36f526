"""The task that sends one message, run against a sandbox."""

from functools import partial

import pytest
from celery import Celery

from metrix_channels import OutcomeUnknown, TemplateError, Unreachable
from metrix_channels.notifier.shared import close_notifiers

app = Celery("of-a-test", broker="memory://", backend="cache+memory://")
app.conf.include = ["metrix_channels.celery"]


@pytest.fixture
def send(metrix_sandbox, metrix_config, tmp_path, monkeypatch):
    """Runs the task to its end, with its retries at once."""
    template = tmp_path / "templates" / "hello" / "sms.txt.j2"
    template.parent.mkdir(parents=True)
    template.write_text("سلام {{ name }}")
    config = metrix_config(templates=tmp_path / "templates", metrix={"max_attempts": 1}, on_ambiguous="hold")
    monkeypatch.setenv("METRIX_CHANNELS_CONFIG", str(config))
    metrix_sandbox.test_channel("SMS")
    app.loader.import_default_modules()
    yield partial(run, app.tasks["metrix_channels.send_message"])
    close_notifiers()


def run(task, *arguments, task_id=None, **keywords):
    return task.apply(arguments, keywords, task_id=task_id).get()


def test_a_task_sends_and_returns_the_receipts(send, metrix_sandbox):
    """As JSON, which every result backend takes."""
    [receipt] = send("sms", "u1", "hello", {"name": "سارا"}, key="order-7")
    assert receipt["outcome"] == "accepted"
    [message] = metrix_sandbox.messages()
    assert message["message"]["body"] == "سلام سارا"


def test_a_task_that_runs_twice_sends_once(send, metrix_sandbox):
    """Celery may run it again after a crash: without a key of its own, its id is the key."""
    send("sms", ["u1", "u2"], text="سلام", task_id="task-1")
    receipts = send("sms", ["u1", "u2"], text="سلام", task_id="task-1")
    assert [receipt["repeated"] for receipt in receipts] == [True]
    assert len(metrix_sandbox.messages()) == 1


def test_an_outage_is_retried(send, metrix_sandbox):
    """Nothing was taken, so nothing can go twice."""
    metrix_sandbox.inject("status:503;retry-after=0", times=3)
    [receipt] = send("sms", "u1", text="سلام")
    assert receipt["outcome"] == "accepted"
    assert len(metrix_sandbox.messages()) == 1
    assert len(metrix_sandbox.requests()) == 4


def test_what_may_have_been_taken_is_not_sent_again(send, metrix_sandbox):
    """The task fails, and says so."""
    metrix_sandbox.inject("drop")
    with pytest.raises(OutcomeUnknown):
        send("sms", "u1", text="سلام")
    assert len(metrix_sandbox.requests()) == 1


def test_a_mistake_is_not_retried(send, metrix_sandbox):
    """It stays one."""
    with pytest.raises(TemplateError):
        send("sms", "u1", "none")
    assert metrix_sandbox.requests() == []


def test_the_last_retry_ends_with_the_error_itself(send, metrix_sandbox, monkeypatch):
    """So that the log of the worker says what was wrong."""
    monkeypatch.setattr(app.tasks["metrix_channels.send_message"], "max_retries", 2)
    metrix_sandbox.inject("status:503;retry-after=0", times=10)
    with pytest.raises(Unreachable):
        send("sms", "u1", text="سلام")
    assert len(metrix_sandbox.requests()) == 3
