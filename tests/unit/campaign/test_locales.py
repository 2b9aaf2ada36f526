"""Which template a row gets: that of its own locale, else the one that the campaign says."""

import json

import pytest

from metrix_channels.campaign import load_campaign
from metrix_channels.campaign.locales import CampaignTemplates, Fallback, RowLocale
from metrix_channels.config import Channel
from metrix_channels.errors import TemplateError
from metrix_channels.models import ChannelType
from metrix_channels.templating import Templates

SMS = Channel(name="sms", type=ChannelType.SMS)


@pytest.fixture
def made(tmp_path):
    """Make the templates of a campaign from the names of files and a rule."""

    def make(files, locale):
        folder = tmp_path / "templates" / "offer"
        folder.mkdir(parents=True)
        for name in files:
            (folder / name).write_text(f"{{{{ name }}}} {name}", encoding="utf-8")
        campaign = {"version": 1, "name": "offer", "channel": "sms", "template": "offer", "audience": {"file": "a.csv"}}
        path = tmp_path / "offer.yaml"
        path.write_text(json.dumps({**campaign, **({"locale": locale} if locale else {})}))
        return CampaignTemplates(Templates(tmp_path / "templates"), load_campaign(path), SMS)

    return make


BY_ROW = {"column": "lang", "default": "fa"}
SHIPPED = ("sms.txt.j2", "sms.en.txt.j2")


@pytest.mark.parametrize("value", ["fa", "FA", " fa ", "fa-IR", "fa_ir"])
def test_the_file_without_a_locale_is_that_of_the_default(made, value):
    """As the samples are laid out; nothing is to be said of it."""
    assert made(SHIPPED, BY_ROW).locale_of(value) == RowLocale("fa", None)


@pytest.mark.parametrize(("locale", "missing"), [("de", "de"), ("fa_ir", "fa-IR"), ("en-GB", None), (None, None)])
def test_a_locale_of_all_rows_without_a_file_is_known(made, locale, missing):
    """The plan tells that the file without a locale is used instead."""
    assert made(SHIPPED, locale).missing == missing


@pytest.mark.parametrize("value", ["en", "EN", "en-US", "en_GB"])
def test_a_locale_is_served_by_its_own_file_or_its_language(made, value):
    """However it is spelled."""
    assert made(SHIPPED, BY_ROW).locale_of(value) == RowLocale("en", None)


@pytest.mark.parametrize(
    ("value", "why"),
    [
        ("", Fallback.EMPTY),
        ("  ", Fallback.EMPTY),
        (None, Fallback.EMPTY),
        ("english", Fallback.UNKNOWN),
        ("xx", Fallback.UNKNOWN),
        ("فارسی", Fallback.UNKNOWN),
        (7, Fallback.UNKNOWN),
        (["fa"], Fallback.UNKNOWN),
        ("de", Fallback.NO_TEMPLATE),
    ],
)
def test_what_no_file_is_for_falls_back(made, value, why):
    """And is told why."""
    assert made(SHIPPED, BY_ROW).locale_of(value) == RowLocale("fa", why)


def test_a_file_without_a_locale_serves_every_other_one(made):
    """As in `send`: it comes before the default, which is for rows that name nothing."""
    templates = made(SHIPPED, {"column": "lang", "default": "en"})
    assert templates.locale_of("de") == RowLocale("", Fallback.NO_TEMPLATE)
    assert templates.locale_of("") == RowLocale("en", Fallback.EMPTY)
    assert templates.by_locale[""].path.name == "sms.txt.j2"


def test_without_a_file_that_serves_every_locale_the_default_does(made):
    """A known locale without a file gets it too."""
    templates = made(("sms.fa.txt.j2", "sms.en.txt.j2"), BY_ROW)
    assert templates.locale_of("de") == RowLocale("fa", Fallback.NO_TEMPLATE)


def test_without_a_default_a_row_that_no_file_serves_is_an_error(made):
    """Its remedy is the line to write."""
    templates = made(("sms.fa.txt.j2", "sms.en.txt.j2"), {"column": "lang"})
    assert templates.locale_of("fa") == RowLocale("fa", None)
    with pytest.raises(TemplateError) as caught:
        templates.locale_of("")
    assert caught.value.code == "template_missing"
    assert "locale: {column: lang, default: fa}" in caught.value.remedy


@pytest.mark.parametrize("files", [("sms.en.txt.j2",), ("push.txt.j2",)])
def test_a_default_without_a_template_is_an_error_at_once(made, files):
    """Whether or not a row needs it."""
    with pytest.raises(TemplateError) as caught:
        made(files, BY_ROW)
    assert caught.value.code == "template_missing"


def test_a_file_of_no_locale_is_an_error(made):
    """It would never be used."""
    with pytest.raises(TemplateError, match=r"sms\.english\.txt\.j2.*never used"):
        made((*SHIPPED, "sms.english.txt.j2"), BY_ROW)


def test_a_message_is_made_of_what_its_own_template_uses(made, tmp_path):
    """And of its locale, so that equal values of other locales stay apart."""
    templates = made(SHIPPED, BY_ROW)
    (tmp_path / "templates" / "offer" / "sms.en.txt.j2").write_text("Hi {{ nick }}")
    assert templates.values_of("en", {"name": "سارا", "lang": "en"}) == {"name": "سارا", "": "en"}
    assert templates.values_of("fa", {"name": "سارا", "lang": "fa"}) == {"name": "سارا", "": "fa"}


@pytest.mark.parametrize(("rule", "file"), [(None, "sms.txt.j2"), ("en", "sms.en.txt.j2"), ("en_US", "sms.en.txt.j2")])
def test_a_campaign_in_one_locale_has_one_template(made, rule, file):
    """No column is looked at."""
    templates = made(SHIPPED, rule)
    assert (templates.column, {name: each.path.name for name, each in templates.by_locale.items()}) == (
        None,
        {"": file},
    )
