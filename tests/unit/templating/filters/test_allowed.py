"""The filters, above all those for Persian."""

from __future__ import annotations

import sys
from collections.abc import Callable
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest

from metrix_channels.errors import ConfigError, TemplateError
from metrix_channels.errors.extras import extra_remedy
from metrix_channels.templating import fa_digits
from metrix_channels.templating.filters.persian import DIRECTIVES

Render = Callable[..., dict[str, Any]]


def test_fa_digits() -> None:
    """European and Arabic digits become Persian; all else stays."""
    assert fa_digits("a 0123456789 ٠١٢٣٤٥٦٧٨٩ ۴") == "a ۰۱۲۳۴۵۶۷۸۹ ۰۱۲۳۴۵۶۷۸۹ ۴"
    assert fa_digits(14.5) == "۱۴.۵"


@pytest.mark.parametrize(
    ("value", "arguments", "text"),
    [
        ("2026-11-20", "", "1405/08/29"),
        (date(2026, 11, 20), "", "1405/08/29"),
        ("2026-11-20T22:00:00Z", "", "1405/08/30"),
        (datetime(2026, 11, 20, 22, tzinfo=UTC), "", "1405/08/30"),
        (datetime(2026, 11, 20, 22, tzinfo=UTC), "('%H:%M')", "01:30"),
        (datetime(2026, 11, 20, 22, tzinfo=UTC), "('%d %H', timezone='UTC')", "29 22"),
        ("2026-11-20T22:00:00", "('%d %H')", "29 22"),
        ("2026-03-21", "('%A %d %B %Y')", "شنبه 01 فروردین 1405"),
    ],
)
def test_jalali(value: Any, arguments: str, text: str, render: Render) -> None:
    """Dates are written in the Solar Hijri calendar, in Tehran unless said otherwise, with Persian names."""
    assert render("{{ v|jalali" + arguments + " }}", {"v": value})["body"] == text


def test_jalali_of_now(render: Render) -> None:
    """`now` is the run's start."""
    assert render("{{ now|jalali('%Y/%m/%d %H:%M')|fa_digits }}")["body"] == "۱۴۰۵/۰۸/۲۹ ۱۳:۰۰"


@pytest.mark.parametrize(
    "text",
    ["{{ 'tomorrow'|jalali }}", "{{ 5|jalali }}", "{{ '0001-01-01'|jalali }}", "{{ now|jalali('%d', 'Mars/X') }}"],
)
def test_jalali_refuses_what_is_no_date(text: str, render: Render) -> None:
    """No date, no calendar, no zone: an error with its place."""
    with pytest.raises(TemplateError) as caught:
        render(text)
    assert caught.value.code == "template_value_refused"
    assert ":1:" in (caught.value.location or "")


@pytest.mark.parametrize("format", ["%e %B", "%-e", "%Ey", "%Q", "%", "100%", "%-", "%5d", "% d", "%Z", "%٪", "%%%"])
def test_jalali_refuses_a_directive_that_it_does_not_know(format: str, render: Render) -> None:  # noqa: A002
    """It would stand in the message as it is; the error lists what can be written."""
    with pytest.raises(TemplateError, match="it supports %a") as caught:
        render("{{ now|jalali(f) }}", {"f": format})
    assert caught.value.code == "template_value_refused"


@pytest.mark.parametrize("directive", DIRECTIVES)
def test_jalali_knows_each_directive_that_it_lists(directive: str, render: Render) -> None:
    """None of them comes out as itself."""
    assert render("{{ now|jalali(f) }}", {"f": directive})["body"] not in ("", directive)


@pytest.mark.parametrize(
    "value", ["1405-01-01", "1405-02-31", "1405-01-01T10:00:00+03:30", date(1405, 1, 1), "1699-12-31"]
)
def test_jalali_refuses_a_jalali_date(value: object, render: Render) -> None:
    """It would be moved by 621 years once more."""
    with pytest.raises(TemplateError, match="Gregorian") as caught:
        render("{{ v|jalali }}", {"v": value})
    assert caught.value.code == "template_value_refused"


def test_jalali_without_jdatetime_names_the_command(render: Render, monkeypatch: pytest.MonkeyPatch) -> None:
    """The extra is installed on demand; the error says how."""
    monkeypatch.setitem(sys.modules, "jdatetime", None)
    with pytest.raises(ConfigError) as caught:
        render("{{ '2026-01-01'|jalali }}")
    assert caught.value.code == "extra_missing"
    assert caught.value.remedy == extra_remedy("fa")
    assert ":1:" in (caught.value.location or "")


@pytest.mark.parametrize(
    ("text", "result"),
    [
        ("{{ ' a '|trim|upper }}", "A"),
        ("{{ xs|sum }} {{ xs|max }} {{ xs|sort(reverse=true)|join(', ') }}", "6 3 3, 2, 1"),
        ("{{ rows|map(attribute='n')|join }}", "ab"),
        ("{{ rows|selectattr('ok')|map(attribute='n')|first }}", "a"),
        ("{% for k, v in m|dictsort %}{{ k }}={{ v }};{% endfor %}", "a=1;b=2;"),
        ("{{ 'a-b'|replace('-', '') }} {{ 'x'|replace('x', 'xyz') }}", "ab xyz"),
        ("{{ 2.345|round(1) }} {{ '3'|int + 1 }} {{ '1.5'|float }}", "2.3 4 1.5"),
        ("{{ 'long text here'|truncate(7, leeway=0) }}", "long..."),
        ("{{ 'x'|center(5) }}|{{ 'a\nb'|indent(2) }}", "  x  |a\n  b"),
        ("{{ d }} {{ missing|default('-') }}", "1.50 -"),
        ("{{ 'a b&c'|urlencode }}", "a%20b%26c"),
    ],
)
def test_general_filters(text: str, result: str, render: Render) -> None:
    """A small set of Jinja's filters works as in Jinja."""
    values = {
        "xs": [1, 3, 2],
        "rows": [{"n": "a", "ok": 1}, {"n": "b", "ok": 0}],
        "m": {"b": 2, "a": 1},
        "d": Decimal("1.50"),
    }
    assert render(text, values)["body"] == result


@pytest.mark.parametrize("text", ["{{ 'x'|int }}", "{{ 'inf'|float }}", "{{ 'x'|abs }}", "{{ 1|round(-100000000) }}"])
def test_numbers_are_never_guessed(text: str, render: Render) -> None:
    """A text that is no number is an error, not a zero."""
    with pytest.raises(TemplateError) as caught:
        render(text)
    assert caught.value.code == "template_value_refused"


@pytest.mark.parametrize("test", ["even", "odd", "divisibleby(3)", "divisibleby('3')"])
def test_only_numbers_are_divided(test: str, render: Render) -> None:
    """Of a text, `%` would make a format, as wide as its author likes."""
    with pytest.raises(TemplateError) as caught:
        render("{{ 1 if v is " + test + " else 2 }}", {"v": "%999999999d" if "'" not in test else 6})
    assert caught.value.code == "template_value_refused"


def test_numbers_are_divided(render: Render) -> None:
    """As in Jinja."""
    assert (
        render("{{ 'a' if 6 is even }}{{ 'b' if 6 is divisibleby 3 }}{{ 'c' if 6 is odd else 'd' }}")["body"] == "abd"
    )


def test_int_reads_no_more_digits_than_python_does(render: Render) -> None:
    """Whatever the process is set to: reading digits takes the square of the time."""
    before = sys.get_int_max_str_digits()
    sys.set_int_max_str_digits(0)
    try:
        with pytest.raises(TemplateError) as caught:
            render("{{ v|int }}", {"v": "1" * 500_000})
    finally:
        sys.set_int_max_str_digits(before)
    assert caught.value.code == "template_value_refused"
