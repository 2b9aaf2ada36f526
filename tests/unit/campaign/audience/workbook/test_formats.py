"""What a number format of Excel makes of a number."""

import pytest

from metrix_channels.campaign.audience.workbook.formats import GENERAL, Show, format_of, shown


@pytest.mark.parametrize(
    ("code", "show"),
    [
        ("yyyy-mm-dd", Show.DATE),
        ("[$-fa-IR]dddd, d mmmm yyyy", Show.DATE),
        ('d "de" mmmm', Show.DATE),
        ("mmm-yy", Show.DATE),
        ("h:mm AM/PM", Show.TIME),
        ("mm:ss", Show.TIME),
        ("[h]:mm", Show.ELAPSED),
        ("[mm]:ss", Show.ELAPSED),
        ("dd/mm/yyyy hh:mm", Show.MOMENT),
        ("0.0%", Show.PERCENT),
        ("#,##0", Show.NUMBER),
        ('#,##0 "days"', Show.NUMBER),
        ("[Red]0;[Blue]-0", Show.NUMBER),
        ("General", Show.NUMBER),
        ("@", Show.NUMBER),
    ],
)
def test_a_code_says_what_a_number_stands_for(code, show):
    """Text, colours and conditions in it say nothing."""
    assert format_of(164, code).show is show


@pytest.mark.parametrize(
    ("code", "number", "text"),
    [
        ("00000", "912", "00912"),
        ("0000000000", "9121234567", "9121234567"),
        ("0### ### ####", "9121234567", "09121234567"),
        ("(0##) ###-####", "212345678", "0212345678"),
        ("000-00-0000", "12345678", "012345678"),
        ('"0"#', "9121234567", "09121234567"),
        (r"\0#", "9121234567", "09121234567"),
        ('"00"0', "98", "0098"),
        ('"0"0', "-7", "-7"),
        ("0,000", "912", "0912"),
        ("#,##0", "9123456", "9123456"),
        ("0.00", "7.5", "7.5"),
        ("# ?/?", "0.5", "0.5"),
        ('"No. "0', "7", "7"),
    ],
)
def test_leading_zeros_are_kept_and_separators_are_not(code, number, text):
    """An id is its digits, as the cell shows them."""
    assert shown(number, format_of(164, code)) == text


@pytest.mark.parametrize(
    ("number", "text"),
    [
        ("101", "101"),
        ("101.0", "101"),
        ("1E3", "1000"),
        ("0.30000000000000004", "0.3"),
        ("1E-7", "0.0000001"),
        ("123456789012345", "123456789012345"),
        ("1234567890123456", "1.23457E+15"),
        ("x", "x"),
    ],
)
def test_a_number_without_a_format(number, text):
    """As Excel shows it; more than 15 digits it has lost."""
    assert shown(number, GENERAL) == text


@pytest.mark.parametrize(("is_1904", "day"), [(False, "2026-03-20"), (True, "2030-03-21")])
def test_days_count_from_one_of_two_years(is_1904, day):
    """As the workbook says."""
    assert shown("46101", format_of(14, None), is_1904=is_1904) == day


def test_dates_before_march_1900():
    """Excel has a leap day there that no calendar has."""
    assert [shown(day, format_of(14, None)) for day in ("1", "59", "61")] == ["1900-01-01", "1900-02-28", "1900-03-01"]
