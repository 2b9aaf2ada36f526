"""Dates of the Jalali calendar that stand where a Gregorian one is expected."""

import sys

import pytest

from metrix_channels.localization.jalali import jalali_hint


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("1405-01-01", "2026-03-21"),
        ("1405-01-01T10:00:00+03:30", "2026-03-21T10:00:00+03:30"),
        ("1405-02-31T10:00Z", "2026-05-21T10:00Z"),
        ("1403/12/30", "2025-03-20"),
        ("1370-5-1", "1991-07-23"),
        ("۱۴۰۵-۰۱-۰۱T۱۰:۰۰Z", "2026-03-21T10:00Z"),
    ],
)
def test_a_jalali_date_is_worked_out(text, written):
    """The hint ends with what to write."""
    assert jalali_hint(text).startswith("did you mean a Jalali year?")
    assert jalali_hint(text).endswith(f"write {written}")


@pytest.mark.parametrize("text", ["1405-13-01", "1404-12-30", "1405-01-32"])
def test_a_date_that_no_calendar_has_is_only_asked_about(text):
    """Nothing is worked out for it."""
    assert jalali_hint(text) == "did you mean a Jalali year? Write the Gregorian date"


def test_without_jdatetime_the_question_remains(monkeypatch):
    """The extra `fa` is not needed to notice it."""
    monkeypatch.setitem(sys.modules, "jdatetime", None)
    assert jalali_hint("1405-01-01") == "did you mean a Jalali year? Write the Gregorian date"


@pytest.mark.parametrize(
    "text", ["2026-03-21", "1999-01-01", "0001-01-01", "14050101", "1405", "14-05-01", "x1405-01-01", ""]
)
def test_other_dates_are_not_asked_about(text):
    """Nor what is no date."""
    assert jalali_hint(text) is None
