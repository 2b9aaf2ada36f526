"""Recipients by locale, and what is said of those who get another one than their row names."""

from types import SimpleNamespace

import pytest

from metrix_channels.campaign.locales import Fallback, RowLocale
from metrix_channels.campaign.plan.locale_counts import LocaleCounts, describe_fallbacks
from metrix_channels.errors import CampaignError
from metrix_channels.localization.locales import standard_locale


class Served:
    """Templates in English and, by default, Persian."""

    column = "lang"

    def __init__(self):
        file = SimpleNamespace(sources=SimpleNamespace(main="offer/sms.txt.j2"))
        self.by_locale = {"en": file, "fa": file}

    def is_unknown(self, value):
        return bool(value) and standard_locale(value) is None

    def locale_of(self, value):
        if value in self.by_locale:
            return RowLocale(value, None)
        if not value:
            return RowLocale("fa", Fallback.EMPTY)
        return RowLocale("fa", Fallback.UNKNOWN if self.is_unknown(value) else Fallback.NO_TEMPLATE)


def test_recipients_are_counted_by_the_locale_that_they_get():
    """The file is named, and so is each value that falls back."""
    counts = LocaleCounts(Served())
    counts.add(["fa", "en", "en", "", " ", None, "de", "english"])
    facts = counts.facts({"fa": 9}, 8)
    assert {name: (each["recipients"], each["sms_parts"]) for name, each in facts["locales"].items()} == {
        "en": (2, 0),
        "fa": (6, 9),
    }
    assert counts.used == {"en", "fa"}
    assert describe_fallbacks(facts) == [
        "Locale: no locale is given, so 3 recipients get the template for fa.",
        "Locale: there is no template for de, so 1 recipient gets the template for fa.",
        "Locale: 'english' is not a locale (did you mean en?), so 1 recipient gets the template for fa.",
    ]


def test_who_is_skipped_after_all_is_not_counted():
    """A value of which nobody is left is not spoken of."""
    counts = LocaleCounts(Served())
    counts.add(["fa", "de", "de"])
    counts.remove("de", 2)
    facts = counts.facts({}, 1)
    assert (facts["locales"]["fa"]["recipients"], facts["locale_fallbacks"]) == (1, [])
    assert counts.used == {"fa"}


def test_a_column_that_holds_no_locales_is_refused():
    """Such as the column of names: nobody wants a million people in the default for that."""
    counts = LocaleCounts(Served())
    counts.add(f"name {number}" for number in range(100))
    with pytest.raises(CampaignError) as caught:
        counts.add(["name 100"])
    assert caught.value.code == "audience_invalid"
    assert "'lang' contains more than 100 values that are not locales: name 0, name 1," in caught.value.message


def test_a_locale_of_all_rows_that_has_no_template_is_told():
    """As that of a single row is."""
    templates = Served()
    templates.column, templates.missing = None, "de"
    facts = LocaleCounts(templates).facts({}, 6)
    assert describe_fallbacks(facts) == [
        "Locale: there is no template for de, so 6 recipients get the template without a locale."
    ]


def test_there_is_nothing_to_say_without_a_column():
    """All rows have one locale."""
    templates = Served()
    templates.column, templates.missing = None, None
    counts = LocaleCounts(templates)
    counts.add([])
    assert (counts.facts({}, 1), counts.used) == ({}, {""})
