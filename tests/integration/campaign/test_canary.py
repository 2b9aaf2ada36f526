"""A canary that waits for people: the run pauses after those who go first, until somebody resumes it."""

import pytest

from helpers.accounting_server import AccountingServer, Taken, always
from helpers.campaigns import balance, people
from metrix_channels import CampaignError

FIRST = {f"u{number}" for number in range(5)}
WAITS = {"first": 5, "then": "pause"}


@pytest.fixture
def server(project):
    """Takes everything."""
    project.audience(people(40))
    with AccountingServer() as server:
        project.configure(server.url, batch_size=2)
        yield server


def status(project):
    with project.notifier() as notifier:
        found = notifier.campaigns.status("offer")
    assert balance(found.as_dict()) == 0
    return found


def test_it_pauses_after_them_and_names_them(project, server):
    """Exit status 4, and what goes on with it; `run` does not."""
    project.campaign(canary=WAITS)
    result = project.run("run", "offer.yaml", "--yes")
    document = result.document
    assert (result.status, document["state"], document["accepted"], document["pending"]) == (4, "paused", 5, 35)
    assert document["error"] == document["halted_by"]
    assert document["error"]["code"] == "canary_waits"
    assert document["error"]["message"] == "The canary of 'offer' was sent to 5 recipients: u0, u1, u2, u3, u4."
    assert "`metrix-channels campaign resume offer` sends to the others" in document["error"]["remedy"]
    assert set(server.account) == FIRST
    assert project.run("run", "offer.yaml", "--yes").document["error"]["code"] == "run_paused"
    result = project.run("resume", "offer")
    assert (result.status, result.document["state"], result.document["halted_by"]) == (0, "finished", None)
    assert set(server.account.values()) == {1}


def test_a_plain_number_goes_on_by_itself(project, server):
    """As ever; so does `then: go`."""
    project.campaign(canary=5)
    assert project.run("run", "offer.yaml", "--yes").status == 0
    project.campaign("again", canary={"first": 5, "then": "go"})
    assert project.run("run", "again.yaml", "--yes").status == 0


def test_the_option_keeps_what_the_file_says_of_what_follows(project, server):
    """It changes the number alone."""
    project.campaign(canary=WAITS)
    result = project.run("run", "offer.yaml", "--yes", "--canary", "1")
    assert (result.document["state"], result.document["accepted"]) == ("paused", 1)
    assert "The canary of 'offer' was sent to 1 recipient" in result.document["error"]["message"]


def test_when_nobody_else_is_left_there_is_nothing_to_wait_for(project, server):
    """The run is finished."""
    project.campaign(canary={"first": 40, "then": "pause"})
    assert project.run("run", "offer.yaml", "--yes").document["state"] == "finished"


def test_too_many_failures_halt_it_all_the_same(project, server):
    """A halt says more than a pause."""
    server.script = lambda recipients, _message, _body: Taken(400, taken=False) if "u3" in recipients else Taken()
    project.campaign(canary=WAITS)
    result = project.run("run", "offer.yaml", "--yes")
    assert (result.document["state"], result.document["error"]["code"]) == ("halted", "canary_failed")
    assert set(server.account) == FIRST - {"u3"}


def test_a_run_that_ended_before_it_could_pause_pauses_when_it_is_taken_up(project, server):
    """Nobody was asked to look yet, however the others became pending."""
    project.campaign(canary=WAITS, limits={"max_failures": 1})
    server.script = lambda recipients, _message, _body: Taken(403, taken=False) if "u4" in recipients else Taken()
    assert project.run("run", "offer.yaml", "--yes").document["state"] == "halted"
    server.script = always(Taken())
    result = project.run("run", "offer.yaml", "--yes")
    assert (result.document["state"], result.document["error"]["code"]) == ("paused", "canary_waits")
    assert set(server.account) == FIRST
    assert project.run("resume", "offer").document["state"] == "finished"


def test_a_retry_of_those_who_go_first_waits_again(project, server):
    """Only `resume` lets the others go."""
    server.script = lambda recipients, _message, _body: Taken(400, taken=False) if "u3" in recipients else Taken()
    project.campaign(canary=WAITS, limits={"max_failures": 3})
    assert project.run("run", "offer.yaml", "--yes").document["state"] == "paused"
    server.script = always(Taken())
    result = project.run("retry", "offer", "--rejected")
    assert (result.document["state"], result.document["accepted"]) == ("paused", 5)
    assert project.run("resume", "offer").document["accepted"] == 40


def test_it_may_be_cancelled_instead(project, server):
    """The others are sent nothing, and nothing is said of waiting any more."""
    project.campaign(canary=WAITS)
    project.run("run", "offer.yaml", "--yes")
    document = project.run("cancel", "offer").document
    assert (document["state"], document["cancelled"], document["halted_by"]) == ("cancelled", 35, None)


def test_whoever_is_asked_sees_messages_and_who_goes_first(project, server):
    """One of each locale, with what is sensitive masked; a no leaves nothing."""
    project.template("---\nsensitive: [code]\n---\nسلام {{ first_name }}: {{ code }}")
    english = project.folder / "templates" / "offer" / "sms.en.txt.j2"
    english.write_text("---\nsensitive: [code]\n---\nHi {{ first_name }}: {{ code }}")
    rows = [f"u{number},Sara,{('fa', 'en')[number == 30]},code-{number}57" for number in range(40)]
    (project.folder / "audience.csv").write_text("\n".join(["customUserId,first_name,lang,code", *rows]))
    project.campaign(canary=WAITS, locale={"column": "lang", "default": "fa"})
    seen = []
    with project.notifier() as notifier, pytest.raises(CampaignError, match="Not confirmed"):
        notifier.campaigns.run(project.folder / "offer.yaml", confirm=lambda planned: seen.append(planned))
    [planned] = seen
    found = planned.outlook
    assert (set(found.first), found.first_count, found.waits) == (FIRST, 5, True)
    assert {(each.locale, each.recipient): each.fields["body"] for each in found.messages} == {
        ("fa", "u0"): "سلام Sara: ***",
        ("en", "u30"): "Hi Sara: ***",
    }
    assert server.requests == []
    assert project.run("list").document["campaigns"] == []
