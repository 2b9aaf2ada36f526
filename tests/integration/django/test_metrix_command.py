"""`manage.py metrix …`: every verb, with the configuration of the project."""

import json

import pytest


def test_a_verb_uses_the_configuration_of_the_project(project):
    """Though it is called in another folder, and though the environment names another file."""
    other = project.write("elsewhere/channels.yaml", "version: 1\n")
    env = {"METRIX_APP_ID": "app-1", "METRIX_API_KEY": "k", "METRIX_CHANNELS_CONFIG": str(other)}
    listed = project.manage("metrix", "channels", "list", "--json", env=env)
    assert [channel["name"] for channel in listed.document["channels"]] == ["sms"]


@pytest.mark.parametrize(
    "arguments",
    [
        ["--json", "preflight", "--offline"],
        ["preflight", "--offline", "--json"],
        ["--settings", "settings", "preflight", "--json", "--offline"],
        ["preflight", "--settings=settings", "--pythonpath", ".", "--offline", "--json", "-v"],
    ],
    ids=" ".join,
)
def test_options_stand_before_or_after_the_verb(project, arguments):
    """As in `metrix-channels`; Django's own options beside them."""
    assert project.manage("metrix", *arguments).document["ok"]


def test_a_config_of_the_caller_wins(project):
    """As an option of the command line wins everywhere."""
    other = project.write("other.yaml", project.config.read_text().replace("{sms:", "{second:"))
    listed = project.manage("metrix", "--config", str(other), "channels", "list", "--json")
    assert [channel["name"] for channel in listed.document["channels"]] == ["second"]


def test_the_exit_status_is_that_of_the_verb(project):
    """A script can rely on the same numbers."""
    project.configure(channels="{sms: {type: sms}}")
    assert project.manage("metrix", "preflight", "--offline").status == 3
    assert project.manage("metrix", "send").status == 2
    assert project.manage("metrix", "--help").status == 0
    assert "campaign" in project.manage("metrix", "--help").out


def test_what_follows_two_dashes_is_the_verbs_own(project):
    """A text may look like an option of Django's."""
    sent = project.manage("metrix", "send", "sms", "--to", "u1", "--dry-run", "--json", "--text=--settings")
    assert sent.document["requests"][0]["body"]["message"]["body"] == "--settings"


def test_a_setting_that_is_wrong_is_one_clear_error(project):
    """And no traceback."""
    with (project.folder / "settings.py").open("a") as settings:
        settings.write("METRIX_CHANNELS = {'CONFIG': 7}\n")
    found = project.manage("metrix", "channels", "list")
    assert found.status == 2
    assert "METRIX_CHANNELS['CONFIG'] is not a path" in found.err
    assert "Traceback" not in found.err


CALLED = """
import io, json, os
os.environ["DJANGO_SETTINGS_MODULE"] = "settings"
import django
django.setup()
from django.core.management import CommandError, call_command
out = io.StringIO()
call_command("metrix", "channels", "list", "--json", stdout=out)
try:
    call_command("metrix", "preflight", "--offline", stdout=io.StringIO())
except CommandError as error:
    status = error.returncode
print(json.dumps({"channels": json.loads(out.getvalue()), "status": status}))
"""


def test_it_can_be_called_from_code(project):
    """`call_command` takes the output where Django takes it, and a failure is Django's error."""
    project.configure(channels="{sms: {type: sms}}")
    called = project.run("-c", CALLED)
    assert called.status == 0, called.err
    assert json.loads(called.out)["status"] == 3
    assert json.loads(called.out)["channels"]["channels"][0]["name"] == "sms"
