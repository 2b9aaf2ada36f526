"""Numbers and money as their readers write them."""

from decimal import Decimal

import pytest

from metrix_channels.templating.filters.numbers import NumberRefused, fa_number, money


@pytest.mark.parametrize(
    ("value", "decimals", "text"),
    [
        (1248000, None, "۱٬۲۴۸٬۰۰۰"),
        ("1248000", None, "۱٬۲۴۸٬۰۰۰"),
        ("1,248,000", None, "۱٬۲۴۸٬۰۰۰"),
        ("۱٬۲۴۸٬۰۰۰٫۵", None, "۱٬۲۴۸٬۰۰۰٫۵"),
        (" ١٢٣٤ ", None, "۱٬۲۳۴"),
        (-1500.25, None, "-۱٬۵۰۰٫۲۵"),
        (2.5, 0, "۳"),
        ("12.345", 2, "۱۲٫۳۵"),
        (Decimal(3), 2, "۳٫۰۰"),
        (0, None, "۰"),
        ("1e3", None, "۱٬۰۰۰"),
        (999, None, "۹۹۹"),
    ],
)
def test_a_number_in_persian(value, decimals, text):
    """Grouped, and rounded half up where decimals are asked for."""
    assert fa_number(value, decimals) == text


@pytest.mark.parametrize(
    ("value", "currency", "decimals", "text"),
    [
        (1248000, "تومان", None, "۱٬۲۴۸٬۰۰۰ تومان"),
        ("1248000", "ریال", 0, "۱٬۲۴۸٬۰۰۰ ریال"),
        (1248000, "IRR", None, "1,248,000 IRR"),
        ("۱۲٫۵", "EUR", 2, "12.50 EUR"),
    ],
)
def test_an_amount_in_the_writing_of_its_currency(value, currency, decimals, text):
    """Persian digits for a currency in Persian letters."""
    assert money(value, currency, decimals) == text


@pytest.mark.parametrize(
    "value", ["", "  ", "abc", "12,34", "1,2345", "nan", "inf", True, None, [1], "9" * 41, 10**31, "1e40", "1.2.3"]
)
def test_what_is_no_number_is_refused(value):
    """Empty text too: a gap would be no amount."""
    with pytest.raises(NumberRefused):
        fa_number(value)


@pytest.mark.parametrize("decimals", [-1, 11, "2", 1.0, True])
def test_decimals_are_a_small_whole_number(decimals):
    """Nothing can make a text of a million digits."""
    with pytest.raises(NumberRefused):
        money(1, "IRR", decimals)
