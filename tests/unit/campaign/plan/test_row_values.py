"""The values of rows: what groups them, what makes their messages, and how they wait on disk."""

import pytest

from metrix_channels.campaign.audience.reader import ABSENT
from metrix_channels.campaign.locales import RowLocale
from metrix_channels.campaign.plan.row_values import RowValues


class Served:
    """Each locale has a file, which uses the name alone."""

    def __init__(self, column):
        self.column = column

    def locale_of(self, value):
        return RowLocale("fa" if value is ABSENT else value, None)

    def values_of(self, locale, values):
        return {"name": values["name"], "": locale}


def test_rows_of_text_are_their_own_keys():
    """Nothing is built for each row of a CSV, and a single value is found faster than a row with it."""
    values = RowValues(["city", "name"], plain=True, templates=Served(None))
    rows = [("شیراز", "سارا"), ("یزد", "رضا")]
    assert values.keys(rows) is rows
    values = RowValues(["name"], plain=True, templates=Served(None))
    rows = [("سارا",), ("رضا",)]
    assert values.keys(rows) == ["سارا", "رضا"]
    assert values.of_message(rows[0]) == {"name": "سارا"}
    assert values.locales(rows) == []


def test_other_values_are_told_apart_by_type():
    """1 and true, and a key that is not there, are different values."""
    values = RowValues(["n"], plain=False, templates=Served(None))
    assert len(set(values.keys([(1,), (True,), ("1",), (None,), (ABSENT,)]))) == 5
    assert values.of_message((ABSENT,)) == {}


def test_a_row_names_its_locale():
    """It is a part of what makes the message; the column itself is not."""
    values = RowValues(["lang", "name"], plain=True, templates=Served("lang"))
    rows = [("fa", "سارا"), ("en", "Sara")]
    assert values.locales(rows) == ["fa", "en"]
    assert [values.of_message(row) for row in rows] == [{"name": "سارا", "": "fa"}, {"name": "Sara", "": "en"}]


@pytest.mark.parametrize("row", [("سارا", 1), (ABSENT, None), ("", [1, {"a": "b"}])])
def test_what_is_written_is_read(row):
    """Absent stays absent."""
    values = RowValues(["name", "n"], plain=False, templates=Served(None))
    assert values.read(values.write(row)) == row
