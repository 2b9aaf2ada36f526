"""What a campaign costs is shown before it is sent, and a limit of it holds."""

import pytest

from helpers.accounting_server import AccountingServer, Taken, always
from helpers.campaigns import people
from metrix_channels import CampaignError, ConfigError

LONG = "سلام {{ first_name }}، " + "تخفیف " * 12


def configure(project, server, **channel):
    """Give the channel a price."""
    project.configure(server.url)
    text = project.config.read_text()
    more = "".join(f', "{name}": {value if isinstance(value, int | float) else chr(34) + value + chr(34)}'
                   for name, value in channel.items())  # fmt: skip
    project.config.write_text(text.replace('"type": "sms"', f'"type": "sms"{more}'))


@pytest.fixture
def server():
    """Takes everything."""
    with AccountingServer() as server:
        yield server


def test_the_plan_shows_the_cost_by_encoding(project, server):
    """As exact as the price; report and preflight show it too."""
    configure(project, server, price_per_part=12.5, currency="IRR")
    project.template("{{ first_name }} 10%")
    project.audience([*people(3), ("x", "Sara"), ("y", "a" * 200)])
    project.campaign()
    plan = project.run("run", "offer.yaml", "--dry-run").document["plan"]
    cost = {
        "currency": "IRR",
        "price_per_part": 12.5,
        "total": 75,
        "by_encoding": {"UCS-2": {"parts": 3, "cost": 37.5}, "GSM-7": {"parts": 3, "cost": 37.5}},
    }
    assert (plan["cost"], plan["sms_parts"], plan["sms_encodings"]) == (cost, 6, {"UCS-2": 3, "GSM-7": 3})
    with project.notifier() as notifier:
        [check] = [
            each for each in notifier.preflight(str(project.folder / "offer.yaml"), offline=True).checks
            if each.id == "campaign.plan"
        ]  # fmt: skip
        assert "Cost: 75 IRR at 12.5 IRR a part (UCS-2: 3 parts, 37.5 IRR; GSM-7: 3 parts, 37.5 IRR)" in check.message
        notifier.campaigns.run(project.folder / "offer.yaml")
    assert project.run("report", "offer").document["plan"]["cost"] == cost


def test_without_a_price_nothing_is_said_of_a_cost(project, server):
    """Parts are counted as ever."""
    project.configure(server.url)
    project.audience(people(3))
    project.campaign()
    plan = project.run("run", "offer.yaml", "--dry-run").document["plan"]
    assert "cost" not in plan
    assert plan["sms_encodings"] == {"UCS-2": 3}


@pytest.mark.parametrize("arguments", [("run", "offer.yaml", "--yes"), ("run", "offer.yaml", "--dry-run")])
def test_a_plan_that_costs_too_much_is_refused(project, server, arguments):
    """With exit status 3; no request was made, and no run is left."""
    configure(project, server, price_per_part=100, currency="IRR")
    project.template(LONG)
    project.audience(people(5))
    project.campaign(limits={"max_cost": 999})
    result = project.run(*arguments)
    error = result.document["error"]
    assert (result.status, error["code"], server.requests) == (3, "cost_exceeded", [])
    assert "max_cost is 999 IRR, and the plan costs more" in error["message"]
    assert "Cost: 1,000 IRR" in error["message"]
    assert "offer.yaml:1:" in error["location"]
    assert project.run("list").document["campaigns"] == []
    project.campaign(limits={"max_cost": 1000})
    assert project.run("run", "offer.yaml", "--yes").status == 0


def test_the_limit_is_read_again_when_a_run_goes_on(project):
    """It may be lowered, and raised."""
    with AccountingServer(always(Taken(403, taken=False))) as server:
        configure(project, server, price_per_part=100, currency="IRR")
        project.audience(people(5))
        project.campaign()
        assert project.run("run", "offer.yaml", "--yes").status == 4
        server.script = always(Taken())
        project.campaign(limits={"max_cost": 499})
        assert project.run("resume", "offer").document["error"]["code"] == "cost_exceeded"
        project.campaign(limits={"max_cost": 500})
        assert project.run("resume", "offer").status == 0


def test_a_limit_needs_a_price(project, server):
    """The line to write is the remedy."""
    project.configure(server.url)
    project.audience(people(5))
    path = project.campaign(limits={"max_cost": 999})
    with project.notifier() as notifier, pytest.raises(CampaignError) as caught:
        notifier.campaigns.run(path)
    assert (caught.value.code, caught.value.exit_status) == ("price_missing", 2)
    assert "price_per_part: 120, currency: IRR" in caught.value.remedy


@pytest.mark.parametrize(
    ("channel", "code", "words"),
    [
        ({"price_per_part": 12.5}, "config_key_missing", "price_per_part requires currency"),
        ({"currency": "IRR"}, "config_key_missing", "currency requires price_per_part"),
        ({"price_per_part": 0, "currency": "IRR"}, "config_value_invalid", "above 0"),
        ({"price_per_part": -1, "currency": "IRR"}, "config_value_invalid", "above 0"),
        ({"price_per_part": "12", "currency": "IRR"}, "config_value_invalid", "above 0"),
        ({"price_per_part": 1, "currency": "I R"}, "config_value_invalid", "currency"),
    ],
)
def test_half_a_price_is_an_error_with_its_place(project, server, channel, code, words):
    """Both keys, or none."""
    configure(project, server, **channel)
    with pytest.raises(ConfigError) as caught:
        project.notifier()
    assert caught.value.code == code
    assert words in caught.value.message
    assert caught.value.location.split(":")[-2] == "1"


def test_only_what_is_billed_by_parts_has_a_price(project, server):
    """The key is shown, not the channel."""
    project.configure(server.url)
    lines = ["version: 1", "metrix: {app_id: a, api_key_file: key}", "channels:", "  mail:", "    type: email"]
    text = "\n".join([*lines, "    price_per_part: 5", "    currency: IRR"])
    project.config.write_text(text)
    with pytest.raises(ConfigError) as caught:
        project.notifier()
    assert "only sms is billed per part; email is not" in caught.value.message
    assert caught.value.location.endswith(":6:5")
