"""The tests of a project: they need not a line of set-up, no credentials and no verification."""

import pytest

COMMON = """
import pytest
from metrix_channels import OutcomeUnknown, TemplateError
from metrix_channels.django import get_notifier, send_on_commit
from metrix_channels.django.testing import get_sandbox, outbox
"""
WITH_PYTEST = (
    COMMON
    + """
pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("way", ["", "enqueue"])
def test_a_message_on_commit(client, django_capture_on_commit_callbacks, way):
    with django_capture_on_commit_callbacks(execute=True):
        client.post("/order/", {"order": "7"} | ({way: ""} if way else {}))
        assert len(outbox) == 0
    [message] = outbox
    assert list(message["recipients"]) == ["u1"]
    assert message["delivered"]
    assert message["message"]["body"] == "سلام سارا"


def test_a_key_of_another_test_is_free_again(client, django_capture_on_commit_callbacks):
    assert list(outbox) == []
    with django_capture_on_commit_callbacks(execute=True):
        client.post("/order/", {"order": "7"})
    assert len(outbox) == 1


def test_nothing_goes_when_it_is_rolled_back(client, django_capture_on_commit_callbacks):
    with django_capture_on_commit_callbacks(execute=True):
        client.post("/order/", {"order": "7", "vanish": ""})
    assert list(outbox) == []


def test_a_mistake_is_an_error_within_the_transaction(client):
    with pytest.raises(TemplateError):
        client.post("/order/", {"order": "7", "template": "none"})


@pytest.mark.parametrize("wrong", [{"key": "two\\nlines"}, {"deadline": 0}, {"template": "hello"}])
def test_a_wrong_call_is_refused_at_once(wrong):
    with pytest.raises(Exception, match="usage"):
        send_on_commit("sms", "u1", **({"text": "سلام"} | wrong))


def test_faults(client):
    get_sandbox().inject("html")
    with pytest.raises(OutcomeUnknown):
        get_notifier().send("sms", "u1", text="سلام")
    assert len(get_sandbox().requests()) == 1


def test_the_plugins_sandbox_is_the_projects(client, django_capture_on_commit_callbacks, metrix_sandbox, metrix_clock):
    with django_capture_on_commit_callbacks(execute=True):
        client.post("/order/", {"order": "7"})
    metrix_sandbox.sms.to("u1").contains("سلام سارا")
    assert get_sandbox() is metrix_sandbox
    assert metrix_sandbox.sms.last.at.timestamp() == pytest.approx(metrix_clock.now.timestamp(), abs=0.001)
    assert len(outbox) == 1


def test_so_it_is_again_and_empty(metrix_sandbox):
    assert list(outbox) == []
    get_notifier().send("sms", "u1", text="سلام")
    metrix_sandbox.sms.count(1)


def test_so_it_is_where_the_fixture_is_asked_for_later(request):
    get_notifier().send("sms", "u1", text="سلام")
    assert request.getfixturevalue("metrix_sandbox").sms.last.body == "سلام"


def test_a_command_of_the_project(tmp_path):
    from django.core.management import call_command
    (tmp_path / "people.csv").write_text("customUserId,name\\nu1,Sara\\nu2,Ali\\n")
    (tmp_path / "sale.yaml").write_text(
        "version: 1\\nname: sale\\nchannel: sms\\ntemplate: hello\\naudience: {file: people.csv, id: customUserId}\\n")
    call_command("metrix", "campaign", "run", str(tmp_path / "sale.yaml"), "--yes")
    assert sorted(m["recipients"][0] for m in outbox) == ["u1", "u2"]
    call_command("metrix", "campaign", "status", "sale")


def test_the_check_looks_at_the_project_itself():
    from django.core.management import call_command
    from django.core.management.base import SystemCheckError
    with pytest.raises(SystemCheckError, match="NOT_SET"):
        call_command("check")


def test_mail_of_the_test_may_be_emptied(client):
    from django.core import mail
    get_notifier().send("sms", "u1", text="سلام")
    mail.outbox = []
    assert len(outbox) == 1
    assert outbox[0]["message"]["body"] == outbox[-1]["message"]["body"] == outbox[:1][0]["message"]["body"]
"""
)
WITH_DJANGO = """
import os
from django.contrib.auth.models import Group
from django.test import TestCase, TransactionTestCase
from metrix_channels.django import get_notifier
from metrix_channels.django.testing import get_sandbox, outbox


class OrderTests(TestCase):
    def test_a_message_on_commit(self):
        with self.captureOnCommitCallbacks(execute=True):
            self.client.post("/order/", {"order": "7"})
        [message] = outbox
        self.assertEqual(message["message"]["body"], "سلام سارا")
        get_sandbox().sms.to("u1").contains("سلام سارا")
        get_sandbox().sms.count(1)
        with self.assertRaisesRegex(AssertionError, "Expected an SMS to 'u2', but none arrived"):
            get_sandbox().sms.to("u2")

    def test_the_same_order_once_more(self):
        self.assertEqual(len(outbox), 0)
        with self.captureOnCommitCallbacks(execute=True):
            self.client.post("/order/", {"order": "7"})
        self.assertEqual(len(outbox), 1)


class CommittedTests(TransactionTestCase):
    def test_a_message_on_commit(self):
        self.client.post("/order/", {"order": "7"})
        self.assertEqual(len(outbox), 1)

    def test_a_child_has_an_outbox_of_its_own(self):
        get_notifier().send("sms", "u1", text="parent")
        if not (child := os.fork()):
            get_notifier().send("sms", "u1", text="child")
            os._exit(0 if [m["message"]["body"] for m in outbox] == ["child"] else 1)
        self.assertEqual(os.waitpid(child, 0)[1], 0)
        self.assertEqual([m["message"]["body"] for m in outbox], ["parent"])
"""


@pytest.fixture
def unready(project):
    """The project as its colleagues have it: nobody tested the channel, Metrix and the ledger are elsewhere."""
    metrix = "{app_id: '${METRIX_APP_ID}', api_key: '${METRIX_API_KEY}', rate_limit: 1/h, max_attempts: 1}"
    project.configure(channels="{sms: {type: sms}}", metrix=metrix, ledger="'postgresql://shop:${NOT_SET}@db/shop'")
    return project


def test_pytest_django(unready):
    """With no line of configuration."""
    found = unready.pytest(WITH_PYTEST)
    assert found.status == 0, found.out
    assert not (unready.folder / "ledger.db").exists()


@pytest.mark.parametrize("options", [[], ["--parallel", "2"]], ids=" ".join)
def test_djangos_own_runner(unready, options):
    """With no line of configuration, in one process or in several, where pytest is not installed."""
    unready.write("test_project.py", WITH_DJANGO)
    settings = unready.folder / "settings.py"
    settings.write_text("import sys\nsys.modules['pytest'] = None\n" + settings.read_text())
    found = unready.manage("test", *options, env={})
    assert found.status == 0, found.err
    assert "Ran 4 tests" in found.err


def test_a_broken_configuration_is_an_error_that_names_its_line(unready):
    """The project's own line, though a test sends by another file."""
    unready.config.write_text(unready.config.read_text().replace("type: sms", "type: smms"))
    found = unready.pytest("from metrix_channels.django import get_notifier\ndef test_it():\n    get_notifier()\n")
    assert found.status == 1
    assert f"{unready.config}:4:22" in found.out or "channels.yaml:4:" in found.out
