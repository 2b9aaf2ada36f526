"""Ids by the thousand: which look alike and which are damaged."""

from unicodedata import normalize

import pytest
from hypothesis import given
from hypothesis import strategies as st

from metrix_channels.campaign.audience.ids import damaged, fold


def positions(*recipients):
    folded = fold("\n".join(recipients))
    return damaged(recipients, folded.split("\n"), folded)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("u1", "U1"),
        ("u۱۲", "u12"),
        ("u١٢", "u12"),
        ("علي", "علی"),
        ("كتاب", "کتاب"),
        ("caf\u00e9", "cafe\u0301"),
        ("نرم\u200cافزار", "نرمافزار"),
        ("straße", "STRASSE"),
        ("ｕ１", "u1"),
        ("ﻋﻠﻲ", "علی"),
        ("a\u00a0b", "a b"),
        ("u\u20101", "u-1"),
        ("u\u20111", "u-1"),
        ("u\u20131", "u-1"),
        ("u\u22121", "u-1"),
        ("عل\u0640ی", "علی"),
    ],
)
def test_ids_that_look_alike_fold_to_the_same(one, other):
    """Letter case, digits of three scripts, two keyboard layouts, stretched words, dashes, and the forms of Unicode."""
    assert fold(one) == fold(other)


@pytest.mark.parametrize(("one", "other"), [("u1", "u2"), ("ali", "alı"), ("سارا", "ساره"), ("u-1", "u1")])
def test_other_ids_do_not(one, other):
    """Their difference can be seen."""
    assert fold(one) != fold(other)


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\n"), max_size=6)))
def test_many_are_folded_as_one_by_one(recipients):
    """With line feeds between them, as the plan does it."""
    assert fold("\n".join(recipients)) == "\n".join(map(fold, recipients))


@given(st.text(max_size=6))
def test_the_forms_of_unicode_fold_to_the_same(text):
    """Whichever an export chose."""
    assert fold(normalize("NFC", text)) == fold(normalize("NFD", text))


DAMAGED = [
    "9.12346E+09",
    "9,12E+09",
    "9.12e9",
    "1.0E5",
    "9E+09",
    "1E+10",
    "-1.5E+05",
    "۹٫۱۲E+۰۹",
    "101.0",
    "101.00",
    "101,0",
    "۱۰۱٫۰",
    "١٠١٫٠٠",
    "9,123,456,789",
    "#N/A",
    "#REF!",
    "#VALUE!",
    "#NAME?",
    "#DIV/0!",
    "#NUM!",
    "#NULL!",
    "#SPILL!",
    "#CALC!",
    "#NV",
    "########",
    "##",
    "NULL",
    "null",
    "Null",
    "None",
    "none",
    "NaN",
    "nan",
    "<NA>",
    "N/A",
    "n/a",
    "NA",
    "nil",
    "undefined",
    "(null)",
    "\\N",
    "inf",
    "-inf",
    "Infinity",
    "NaT",
    "Err:502",
    "3-Mar",
    "1-Jan",
    "Jan-01",
    '="0912"',
    '="101"',
    "u\ufffd1",
    "unknown",
    "<NULL>",
    "[NULL]",
    "{null}",
    "'null'",
    "(not set)",
    "n.a.",
    "TRUE",
    "-",
    "—",
    "<User: 7>",
    "{{ user_id }}",
    "${id}",
    "%ID%",
    "00000000-0000-0000-0000-000000000000",
    "نامشخص",
    "«نامشخص»",
    "#¡VALOR!",
    "#¿NOMBRE?",
    "#VALEUR!",
    "#NOM?",
    "#WERT!",
    "#BEZUG!",
    "#N/D",
    "#Н/Д",
    "#ЗНАЧ!",
    "#YOK",
    "#DEĞER!",
    "#I/T",
    "1-Mar-26",
    "01-Mar-2026",
    "01. Mrz",
    "1-mars",
    "01-janv",
    "10-اسفند",
    "۱-مارس",
    "3/1/2026",
    "01.03.2026",
    "2026-03-01 00:00:00",
    "12:30:00 PM",
    "30:00.0",
    "customUserId",
    "1.#QNAN",
    "Array",
]


@pytest.mark.parametrize("recipient", DAMAGED)
def test_a_damaged_id_is_found_among_many(recipient):
    """What spreadsheets, pandas, databases and JavaScript make of an id, or write where there is none."""
    assert positions("u1", recipient, "u2") == [1]


@pytest.mark.parametrize(
    "recipient",
    [
        "user-1",
        "101",
        "09121234567",
        "+989121234567",
        "u101.0",
        "101.5",
        "1e5",
        "12e4",
        "1.2.3",
        "192.168.10.100",
        "a.b@example.com",
        "nano",
        "nullah",
        "nonexistent",
        "Marjan",
        "mar",
        "jan-1990",
        "may",
        "1-2",
        "2026-03-01",
        "#1",
        "#sara",
        "e+1",
        "E05",
        "550e8400-e29b-41d4-a716-446655440000",
        "سارا",
        "۰۹۱۲",
        "a,b",
        "x=y",
        "=a",
        "\u0640",
        "set-12",
        "gen-01",
        "1-day",
        "32-mar",
        "1403/12/05",
        "{3F2504E0-4F89-11D3-9A0C-0305E82C3301}",
        "auth0:7",
        "12:30",
        "50%",
        "unknown1",
        "a/b",
    ],
)
def test_an_id_that_only_reminds_of_it_is_none(recipient):
    """A false alarm would cost a campaign."""
    assert positions("u1", recipient, "u2", "a.b") == []
