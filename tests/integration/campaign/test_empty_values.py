"""Rows of which a value is empty that the text shows: warned of, left out, or the reason why nothing is sent."""

import pytest

from helpers.accounting_server import AccountingServer
from helpers.campaigns import balance
from metrix_channels.errors import CampaignError, TemplateError

ROWS = [("u1", "سارا"), ("u2", ""), ("u3", "رضا"), ("u4", "  "), ("u5", "لیلا")]


def run(project, **options):
    with project.notifier() as notifier:
        found = notifier.campaigns.run(project.folder / "offer.yaml", **options).as_dict()
    assert balance(found) == 0
    return found


@pytest.fixture
def server(project):
    """Takes everything."""
    project.audience(ROWS)
    with AccountingServer() as server:
        project.configure(server.url)
        yield server


def test_they_are_counted_and_sent_unless_the_campaign_says_otherwise(project, server):
    """In the plan, by the name of the value."""
    project.campaign()
    plan = project.run("run", "offer.yaml", "--dry-run").document["plan"]
    assert plan["empty"] == {"first_name": 2}
    assert run(project)["accepted"] == 5


def test_what_the_template_has_a_substitute_for_is_not_empty(project, server):
    """Then nobody is left out."""
    project.template("سلام {{ first_name | trim or 'دوست من' }}")
    project.campaign(on_empty="refuse")
    assert project.run("run", "offer.yaml", "--dry-run").document["plan"]["empty"] == {}
    assert run(project)["accepted"] == 5
    assert server.texts["u4"]["body"] == "سلام دوست من"


def test_they_are_left_out_with_a_reason(project, server):
    """It stands in the counts and in the rows of the report; the books add up."""
    project.campaign(on_empty="skip")
    assert run(project)["skipped"] == {"empty": 2}
    assert set(server.account) == {"u1", "u3", "u5"}
    with project.notifier() as notifier:
        rows = {row.recipient: (row.outcome, row.reason) for row in notifier.campaigns.rows("offer")}
    assert rows["u2"] == rows["u4"] == ("skipped", "empty")
    assert project.run("report", "offer").document["plan"]["empty"] == {}


@pytest.mark.parametrize("empty", ["", "  ", "\u200c", "\u00a0", "\u200b", "#N/A"])
def test_a_value_that_shows_nothing_is_empty(project, server, empty):
    """Nobody sees a joiner; the error of a spreadsheet is no value."""
    project.audience([("u1", "سارا"), ("u2", empty), ("u3", "می\u200cترا")])
    project.campaign(on_empty="skip")
    assert run(project)["skipped"] == {"empty": 1}
    assert set(server.account) == {"u1", "u3"}


def test_a_filter_that_refuses_an_empty_value_is_not_asked(project, server):
    """A row without an amount is left out like one without a name, and is no mistake of the template."""
    project.template("سلام {{ first_name }}، {{ amount | money('تومان') }}")
    rows = ["customUserId,first_name,amount", "u1,سارا,1200", "u2,رضا,", "u3,,7", "u4,لیلا,  "]
    (project.folder / "audience.csv").write_text("\n".join(rows) + "\n", encoding="utf-8")
    project.campaign(on_empty="skip")
    assert run(project)["skipped"] == {"empty": 3}
    assert set(server.account) == {"u1"}


def test_those_who_go_first_are_as_many_as_were_asked_for(project, server):
    """Rows that are left out do not count among them."""
    project.configure(server.url, batch_size=1)
    project.campaign(on_empty="skip", canary=2)
    assert run(project)["accepted"] == 3
    assert {who for several in server.requests[:2] for who in several} == {"u1", "u3"}


def test_they_stop_everything_where_the_campaign_says_so(project, server):
    """Their lines are named; nobody is sent anything."""
    project.campaign(on_empty="refuse")
    result = project.run("run", "offer.yaml", "--yes")
    error = result.document["error"]
    assert (result.status, error["code"], server.requests) == (2, "plan_failed", [])
    assert "2 rows (lines 3, 5)" in error["message"]
    assert "The value 'first_name' is empty, and the text shows it." in error["message"]
    assert "on_empty: skip" in error["remedy"]


@pytest.mark.parametrize("text", ["{{ brand }}، سلام", "سلام {{ brand }}"])
def test_a_value_of_the_context_counts_too(project, server, text):
    """It is empty for every row."""
    project.template(text)
    project.campaign(on_empty="skip", context={"brand": ""})
    error = project.run("run", "offer.yaml", "--yes").document["error"]
    assert error["code"] == "audience_empty"
    assert "empty 5" in error["message"]


def test_a_value_that_cannot_be_written_is_left_out_too(project, server):
    """A filter that takes no empty text is not reached."""
    project.template("{{ first_name }}: {{ first_name | float | round }}")
    project.audience([("u1", "1.6"), ("u2", "")])
    project.campaign(on_empty="skip")
    found = run(project)
    assert (found["accepted"], found["skipped"]) == (1, {"empty": 1})


def test_a_test_takes_the_first_row_that_would_be_sent_to(project, server):
    """A run leaves the others out, and so does its test."""
    project.audience([("u1", ""), ("u2", "رضا")])
    path = project.campaign(on_empty="skip")
    with project.notifier() as notifier:
        notifier.campaigns.test(path, ["colleague"])
        assert server.texts["colleague"]["body"] == "سلام رضا"
        with pytest.raises(CampaignError, match="row_missing") as caught:
            notifier.campaigns.test(path, ["colleague"], row=1)
    assert "Row 1 " in caught.value.message
    assert server.account == {"colleague": 1}


def test_a_test_of_a_row_that_would_be_refused_is_refused(project, server):
    """With the name of the value."""
    path = project.campaign(on_empty="refuse")
    with project.notifier() as notifier:
        notifier.campaigns.test(path, ["colleague"])
        with pytest.raises(TemplateError, match="value_empty") as caught:
            notifier.campaigns.test(path, ["colleague"], row=2)
    assert "'first_name'" in caught.value.message
    assert server.account == {"colleague": 1}


def test_a_test_of_a_row_that_would_be_sent_is_sent(project, server):
    """By default, a run only counts such rows."""
    with project.notifier() as notifier:
        notifier.campaigns.test(project.campaign(), ["colleague"], row=2)
    assert server.texts["colleague"]["body"] == "سلام "
