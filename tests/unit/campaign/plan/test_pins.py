"""What a run is pinned to: every change is named, and nothing else is."""

import copy
from datetime import UTC, datetime

import pytest
from attrs import evolve

from metrix_channels.campaign.plan.pins import require_unchanged, sources_of
from metrix_channels.errors import CampaignError
from metrix_channels.ledger import Counts, RunRecord, RunState

PINS = {
    "app_id": "prod-1",
    "base_url": "https://entry.metrix.ir",
    "channel": {"name": "sms", "type": "sms"},
    "template": {
        "name": "sale",
        "locale": "fa",
        "main": "sale/sms.fa.txt.j2",
        "texts": {"sale/sms.fa.txt.j2": "سلام", "layouts/sms.j2": None},
        "email": False,
    },
    "context": {"discount": 30, "gone": None},
    "audience": {"id": "customUserId", "except": [], "digest": "ab12"},
}


def record():
    return RunRecord(
        id=1,
        name="sale",
        run="r1",
        state=RunState.HALTED,
        live=False,
        file="sale.yaml",
        pins=PINS,
        facts={},
        counts=Counts(),
        started_at=datetime.now(UTC),
        finished_at=None,
        halted_by=None,
    )


def changed(*path, value):
    now = copy.deepcopy(PINS)
    owner = now
    for key in path[:-1]:
        owner = owner[key]
    owner[path[-1]] = value
    return now


def test_what_is_as_it_was_may_go_on():
    """Equal by value."""
    require_unchanged(record(), copy.deepcopy(PINS))


@pytest.mark.parametrize(
    ("now", "named"),
    [
        (changed("app_id", value="staging"), "metrix.app_id (it was prod-1)"),
        (changed("base_url", value="http://127.0.0.1:8025"), "metrix.base_url (it was https://entry.metrix.ir)"),
        (changed("channel", "type", value="email"), "the channel (it was sms, sms)"),
        (changed("template", "name", value="otp"), "template (it was sale)"),
        (changed("template", "locale", value=None), "locale (it was fa)"),
        (changed("template", "texts", "sale/sms.fa.txt.j2", value="!"), "the template's file sale/sms.fa.txt.j2"),
        (changed("template", "texts", "layouts/sms.j2", value=""), "the template's file layouts/sms.j2"),
        (changed("context", "discount", value=31), "context.discount"),
        (changed("context", "new", value=None), "context.new"),
        (changed("context", value={"discount": 30}), "context.gone"),
        (changed("audience", "id", value="user"), "audience.id"),
        (changed("audience", "except", value=["old"]), "audience.except"),
        (changed("audience", "digest", value="cd34"), "the rows of audience.file"),
    ],
)
def test_a_change_is_named(now, named):
    """It alone, with what it was where that helps."""
    with pytest.raises(CampaignError) as raised:
        require_unchanged(record(), now)
    assert raised.value.code == "run_pinned"
    assert raised.value.message.endswith(f"has changed since it was planned: {named}.")


def test_all_changes_are_named_together():
    """Nobody corrects one only to hear of the next."""
    now = changed("app_id", value="staging") | {"channel": {"name": "push", "type": "app_push"}}
    with pytest.raises(CampaignError, match=r"metrix\.app_id .*, the channel "):
        require_unchanged(record(), now)


def test_the_template_is_kept_with_the_run():
    """Its texts are enough to compile it where there are no files."""
    sources = sources_of(PINS)[""]
    assert (sources.main, sources.email) == ("sale/sms.fa.txt.j2", False)
    assert sources.texts["sale/sms.fa.txt.j2"] == "سلام"


def by_row():
    """Return pins of a run whose rows name their locale."""
    pins = copy.deepcopy(PINS)
    texts = {"sale/sms.en.txt.j2": "Hi"}
    pins["template"] = {
        "name": "sale",
        "locale": {"column": "lang", "default": "fa"},
        "locales": {
            "en": {"main": "sale/sms.en.txt.j2", "texts": texts, "email": False},
            "fa": {name: PINS["template"][name] for name in ("main", "texts", "email")},
        },
    }
    return pins


def test_the_template_of_each_locale_is_kept_with_the_run():
    """As many as the run uses."""
    assert {locale: each.main for locale, each in sources_of(by_row()).items()} == {
        "en": "sale/sms.en.txt.j2",
        "fa": "sale/sms.fa.txt.j2",
    }


@pytest.mark.parametrize(
    ("path", "value", "named"),
    [
        (("locale", "column"), "language", "locale (it was the column lang, default fa)"),
        (("locale",), "fa", "locale (it was the column lang, default fa)"),
        (("locales", "en", "texts"), {"sale/sms.en.txt.j2": "Hello"}, "the template's file sale/sms.en.txt.j2"),
    ],
)
def test_a_change_of_locales_is_named(path, value, named):
    """Of the rule, and of the file of any locale."""
    now = by_row()
    owner = now["template"]
    for key in path[:-1]:
        owner = owner[key]
    owner[path[-1]] = value
    planned = evolve(record(), pins=by_row())
    require_unchanged(planned, by_row())
    with pytest.raises(CampaignError) as raised:
        require_unchanged(planned, now)
    assert raised.value.message.endswith(f"has changed since it was planned: {named}.")
