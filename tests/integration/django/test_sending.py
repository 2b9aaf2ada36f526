"""A project sends on commit, with one notifier a process, and opens nothing before it sends."""

import json

import pytest

from metrix_channels.sandbox import Sandbox

BEGIN = """
import os
os.environ["DJANGO_SETTINGS_MODULE"] = "settings"
import django
django.setup()
import json, threading
from django.core.management import call_command
from django.test import Client
call_command("migrate", verbosity=0)
"""


@pytest.fixture
def metrix(project):
    """A sandbox that the project sends to, as in production: by its own configuration and ledger."""
    with Sandbox(app_id="app-1", api_key="key-of-nobody") as sandbox:
        sandbox.test_channel("SMS")
        metrix = {"app_id": "app-1", "api_key": "${METRIX_API_KEY}", "base_url": sandbox.url}
        project.configure(metrix=json.dumps(metrix | {"max_attempts": 1}))
        yield sandbox


def test_a_project_that_does_not_send_opens_no_ledger_and_starts_no_thread(project):
    """It costs nothing to have the app installed; not even the modules that send are loaded."""
    idle = BEGIN + "import sys\n"
    idle += "from django.contrib.auth.models import Group\nassert Group.objects.count() == 0\n"
    idle += "assert threading.enumerate() == [threading.main_thread()]\n"
    idle += "print(*(n for n in ('httpx', 'metrix_channels.ledger.sends', 'metrix_channels.sandbox')"
    idle += " if n in sys.modules))"
    found = project.run("-c", idle)
    assert (found.status, found.out.strip()) == (0, ""), found.err
    assert not project.ledger.exists()


def test_a_message_goes_when_its_transaction_is_committed_and_not_before(project, metrix):
    """And never when it is rolled back."""
    code = BEGIN + "client = Client()\nclient.post('/order/', {'order': '7'})\n"
    code += "client.post('/order/', {'order': '8', 'vanish': ''})\nprint('done')"
    found = project.run("-c", code)
    assert found.out == "done\n", found.err
    [message] = metrix.messages()
    assert message["message"]["body"] == "سلام سارا"


def test_a_failure_after_the_commit_is_logged_and_the_request_goes_on(project, metrix):
    """The order is committed: an error page would be untrue."""
    with (project.folder / "settings.py").open("a") as settings:
        handlers = {"console": {"class": "logging.StreamHandler"}}
        settings.write(f"LOGGING = {{'version': 1, 'handlers': {handlers}, 'root': {{'handlers': ['console']}}}}\n")
    metrix.inject("status:503", times=50)
    code = BEGIN + "print(Client().post('/order/', {'order': '7'}).content.decode())"
    found = project.run("-c", code)
    assert found.out == "1 orders\n", found.err
    assert "Error calling send_on_commit.<locals>.send_message in on_commit()" in found.err
    assert "Unreachable" in found.err


def test_processes_forked_from_one_that_has_sent_send_too(project, metrix):
    """As under gunicorn with preload, or in a pool of Celery's; and many threads share one notifier."""
    code = BEGIN + (
        "from concurrent.futures import ThreadPoolExecutor\n"
        "from metrix_channels.django import get_notifier\n"
        "def send(name):\n"
        "    return get_notifier().send('sms', name, 'hello', {'name': name}).outcome\n"
        "with ThreadPoolExecutor(8) as pool:\n"
        "    found = set(pool.map(lambda n: get_notifier(), range(50)))\n"
        "    assert len(found) == 1\n"
        "    list(pool.map(send, [f'thread-{n}' for n in range(8)]))\n"
        "children = []\n"
        "for n in range(3):\n"
        "    if not (child := os.fork()):\n"
        "        send(f'child-{n}')\n"
        "        os._exit(0)\n"
        "    children.append(child)\n"
        "assert all(os.waitpid(child, 0)[1] == 0 for child in children)\n"
        "send('parent')\n"
    )
    found = project.run("-c", code)
    assert found.status == 0, found.err
    recipients = {recipient for message in metrix.messages() for recipient in message["recipients"]}
    assert recipients == {f"thread-{n}" for n in range(8)} | {f"child-{n}" for n in range(3)} | {"parent"}


def test_a_message_of_the_outbox_commits_with_its_transaction(project, metrix, postgres_url):
    """In the database that holds the ledger; `manage.py metrix worker` would send it."""
    metrix_keys = {"app_id": "app-1", "api_key": "${METRIX_API_KEY}"}
    project.configure(ledger=f"'{postgres_url}'", metrix=json.dumps(metrix_keys))
    with (project.folder / "settings.py").open("a") as settings:
        settings.write(
            f"from psycopg.conninfo import conninfo_to_dict\nparts = conninfo_to_dict({postgres_url!r})\n"
            "DATABASES['default'] = {'ENGINE': 'django.db.backends.postgresql', 'NAME': parts['dbname'],"
            " 'USER': parts.get('user', ''), 'HOST': parts['host'], 'PORT': parts.get('port', '')}\n"
        )
    code = BEGIN + (
        "from django.db import connection\n"
        "client = Client()\n"
        "def waiting():\n"
        "    with connection.cursor() as cursor:\n"
        "        cursor.execute('SELECT count(*) FROM metrix_channels.sends')\n"
        "        return cursor.fetchone()[0]\n"
        "client.post('/order/', {'order': '7', 'enqueue': ''})\n"
        "assert waiting() == 1\n"
        "client.post('/order/', {'order': '8', 'enqueue': '', 'vanish': ''})\n"
        "assert waiting() == 1\n"
    )
    found = project.run("-c", code)
    assert found.status == 0, found.err
    assert metrix.messages() == []
