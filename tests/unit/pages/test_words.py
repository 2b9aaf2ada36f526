"""The words of the pages: every phrase in both languages, numbers and times as each writes them."""

import ast
import json
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

import metrix_channels
from metrix_channels.pages import Words, language_of

PACKAGE = Path(metrix_channels.__file__).parent
PERSIAN = json.loads((PACKAGE / "pages" / "fa.json").read_text(encoding="utf-8"))


def phrases():
    """Every phrase that a template or a module says: the constant arguments of `_(…)`, `_.count(…)` and `words(…)`."""
    found = set()
    for template in PACKAGE.rglob("*.html.j2"):
        text = template.read_text(encoding="utf-8")
        found |= {match[2] for match in re.finditer(r"\b_\((['\"])(.*?)\1[,)]", text)}
        for forms in re.findall(r'\b_\.count\([^"]*"(.*?)", "(.*?)"\)', text):
            found |= set(forms)
        for table in re.findall(r"\b_\(\{(.*?)\}\[", text):
            found |= set(re.findall(r": \"(.*?)\"", table))
    for module in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(module.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in ("words", "phrase"):
                found |= {each.value for each in node.args[:1] if isinstance(each, ast.Constant)}
    return found


def test_every_phrase_has_its_persian():
    """And none is left of a page that has gone."""
    said = phrases()
    assert len(said) > 40
    assert sorted(said - set(PERSIAN)) == []
    assert sorted(set(PERSIAN) - said) == []


@pytest.mark.parametrize("phrase", PERSIAN)
def test_the_persian_fills_in_the_same_values(phrase):
    """No name is lost or misspelt."""
    names = r"\{\w+\}"
    assert sorted(re.findall(names, phrase)) == sorted(re.findall(names, PERSIAN[phrase]))
    assert re.search("[آ-ی]", PERSIAN[phrase]) or phrase == PERSIAN[phrase]


def test_numbers_are_written_as_the_language_does():
    """Digits, separators and the sign of percent."""
    english, persian = Words("en"), Words("fa")
    assert (english.number(1234567), persian.number(1234567)) == ("1,234,567", "۱٬۲۳۴٬۵۶۷")
    assert (english.percent(0.5), persian.percent(0.125)) == ("50.0%", "۱۲٫۵٪")


@pytest.mark.parametrize(
    ("number", "english", "persian"),
    [(0, "0 parts", "۰ بخش"), (1, "1 part", "۱ بخش"), (2, "2 parts", "۲ بخش"), (1200, "1,200 parts", "۱٬۲۰۰ بخش")],
)
def test_a_counted_noun_has_its_plural(number, english, persian):
    """In English; a Persian noun stays singular after a number."""
    forms = ("{count} part", "{count} parts")
    assert (Words("en").count(number, *forms), Words("fa").count(number, *forms)) == (english, persian)


@pytest.mark.parametrize(("share", "shown"), [(0, "0%"), (0.999999, "99.9%"), (1, "100%"), (0.0004, "0.0%")])
def test_what_is_not_all_is_not_called_all(share, shown):
    """A bar at 100 % with a recipient missing would be a lie."""
    assert Words("en").percent(share) == shown


def test_times_are_in_utc_and_name_another_day():
    """Today's need none; Persian days are of the Jalali calendar."""
    now = datetime.now(UTC).replace(hour=12, minute=5, second=9)
    assert Words("en").moment(now) == "12:05:09"
    assert Words("fa").moment(now.isoformat()) == "۱۲:۰۵:۰۹"
    nowruz = datetime(2026, 3, 21, 1, 0, 0, tzinfo=UTC)
    assert Words("en").moment(nowruz) == "21 Mar 2026 01:00:00"
    assert Words("fa").moment(nowruz + timedelta(0)) == "۱۴۰۵/۰۱/۰۱ ۰۱:۰۰:۰۰"


@pytest.mark.parametrize(
    ("asked", "accepted", "language"),
    [
        (None, None, "en"),
        (None, "fa-IR,fa;q=0.9,en;q=0.8", "fa"),
        (None, "en-US,fa;q=0.5", "en"),
        ("fa", "en", "fa"),
        ("en", "fa", "en"),
        ("de", "fa", "fa"),
        ("<script>", None, "en"),
    ],
)
def test_a_language_is_chosen(asked, accepted, language):
    """As asked, else as the browser says, else English."""
    assert language_of(asked, accepted) == language
