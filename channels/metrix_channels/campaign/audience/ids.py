"""Finds ids that look alike or that a spreadsheet damaged, for many rows at once."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache
from itertools import product
from typing import Final
from unicodedata import normalize

# NFKC and case folding keep these apart: digits of two scripts, letters that differ between two keyboards, and the
# dashes that word processors write instead of a hyphen.
_PERSIAN_DIGITS: Final = "".join(map(chr, range(0x6F0, 0x6FA)))
_ARABIC_DIGITS: Final = "".join(map(chr, range(0x660, 0x66A)))
_ALIKE: Final = (
    *zip(_PERSIAN_DIGITS, "0123456789", strict=True),
    *zip(_ARABIC_DIGITS, "0123456789", strict=True),
    ("\u064a", "\u06cc"),  # yeh
    ("\u0649", "\u06cc"),
    ("\u0643", "\u06a9"),  # kaf
    ("\u200c", ""),
    ("\u200d", ""),
    ("\u0640", ""),  # tatweel, which only stretches a word
    *((dash, "-") for dash in "\u2010\u2012\u2013\u2014\u2212"),  # NFKC replaces U+2011
)

_ERRORS: Final = """
#DIV/0! #N/A #NAME? #NULL! #NUM! #REF! #VALUE! #SPILL! #CALC! #FIELD! #BLOCKED! #CONNECT! #BUSY! #UNKNOWN! #ERROR!
#GETTING_DATA #NV #BEZUG! #WERT! #ZAHL! #ÜBERLAUF! #KALK! #NOM? #NUL! #NOMBRE! #VALEUR! #PROPAGATION! #EPARS! #N/D
#¡DIV/0! #¿NOMBRE? #¡NULO! #¡NUM! #¡REF! #¡VALOR! #¡DESBORDAMIENTO! #¡CALC! #NOME? #NULLO! #RIF! #VALORE! #NULO!
#NÚM! #VALOR! #DESPEJAR! #N/DISP #DEEL/0! #N/B #NAAM? #LEEG! #GETAL! #VERW! #WAARDE! #ДЕЛ/0! #Н/Д #ИМЯ? #ПУСТО!
#ЧИСЛО! #ССЫЛКА! #ЗНАЧ! #DZIEL/0! #N/D! #NAZWA? #ZERO! #LICZBA! #ADR! #ARG! #SAYI/0! #YOK #AD? #BOŞ! #SAYI! #BAŞV!
#DEĞER! #I/T #NAVN? #VERDI! #VÆRDI! #REFERENCE! #SAKNAS! #NAMN? #VÄRDEFEL! #REFERENS! #DIVISION/0! #OGILTIGT!
#PUUTTUU! #NIMI? #JAKO/0! #LUKU! #ARVO! #VIITTAUS! #NÁZEV? #HODNOTA! #ODKAZ! #HIÁNYZIK #NÉV? #SZÁM! #HIV! #ÉRTÉK!
"""
SPREADSHEET_ERRORS: Final = frozenset(_ERRORS.split())
"""Errors that Excel, Google Sheets and LibreOffice show instead of a value, in English and other languages."""

_SEPARATOR: Final = r"[.,\u066b]"
_THOUSANDS: Final = r"[,\u066c]"
_TIME: Final = r"\d{1,2}:\d\d(?::\d\d(?:[.,]\d+)?)?(?:\ ?[ap]m)?"
_DAMAGED: Final = re.compile(
    rf"""[+-]?\d+{_SEPARATOR}\d+[eE][+-]?\d+  # 9.12346E+09, 1.0E5
    |[+-]?\d+[eE]\+\d+                        # 9E+09
    |[+-]?\d+{_SEPARATOR}[0\u06f0\u0660]+     # 101.0
    |[+-]?\d{{1,3}}(?:{_THOUSANDS}\d{{3}})+   # 9,123,456
    |\#+                                      # ######
    |\#N/?[ADV](?:\ N/A)?                     # #N/A, in German #NV
    |\#[¡¿]?[^\W\d_][\w/.]*[!?]               # #REF!, #NAME?, #DIV/0!
    |="[^"]*"                                 # ="0912"
    |<[^<>]*>                                 # <null>, <User: 7>
    |[{{%$]{{1,2}}\s*[^\W\d][\w.]*\s*[}}%]{{1,2}}  # {{{{ user_id }}}}, ${{id}}, %ID%: a template that was not filled in
    |\d{{1,2}}[/.]\d{{1,2}}[/.](?:19|20)\d\d(?:\ {_TIME})?           # 3/1/2026
    |\d{{4}}[-/.]\d{{1,2}}[-/.]\d{{1,2}}[ T]{_TIME}(?:Z|[+-]00:00)?  # 2026-03-01 00:00:00
    |\d{{1,2}}:\d\d:\d\d(?:[.,]\d+)?(?:\ ?[ap]m)?|\d\d:\d\d[.,]\d    # 12:30:00, 30:00.0
    """,
    re.VERBOSE | re.IGNORECASE,
)
_MARKS: Final = ".,\u066b\u066c#+=<{%/:"
"""`_DAMAGED` matches only text that contains one of these characters."""
_HEADS: Final = "0123456789+-#=<{%$"
"""Folded text that `_DAMAGED` matches starts with one of these characters."""
_LOST: Final = "\ufffd"
"""A letter that was lost through a wrong encoding."""
_MISSING: Final = (
    "null", "nul", "none", "nil", "nan", "nat", "na", "n/a", "n.a", "n.a.", "undefined", "unknown", "missing", "blank",
    "empty", "unset", "not set", "not available", "not applicable", "not provided", "no value", "no data", "no id",
    "tbd", "dbnull", "system.dbnull", "true", "false", "inf", "infinity", "unbekannt", "inconnu", "desconocido",
    "неизвестно", "غير معروف",
    "نامشخص", "نامعلوم", "ناشناس", "تعریف نشده", "ثبت نشده", "موجود نیست", "ندارد", "خالی", "تهی", "هیچ",
)  # fmt: skip
"""How databases, pandas, R, JavaScript and people write a missing value."""
_EMPTY: Final = (
    *_MISSING, *(f"#{word}" for word in _MISSING), "#value", "#ref",
    *(f"{marks[0]}{word}{marks[1]}" for word in _MISSING for marks in ("()", "[]", "{}", "«»", "“”", "\"\"", "''")),
    "\\n", "-nan", "-inf", "+inf", "-infinity", "-", "--", "---", "?", "[object object]", "[object undefined]",
    "[object null]", "00000000-0000-0000-0000-000000000000", "loading...",
    "''", '""', "array", "1.#qnan", "-1.#ind", "1.#inf", "customuserid", "custom_user_id", "user_id", "userid",
)  # fmt: skip
_MOST_DAYS: Final = 31
_MONTHS: Final = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_MONTHS_ELSEWHERE: Final = """
sept janv févr mars avr mai juin juil août déc jän mrz mär okt dez ene abr ago dic gen mag giu lug set ott
fev out mrt mei oca şub nis haz tem ağu eyl eki kas ara янв фев мар апр май июн июл авг сен окт ноя дек
ژانویه فوریه مارس آوریل مه می ژوئن ژوئیه اوت سپتامبر اکتبر نوامبر دسامبر
فروردین اردیبهشت خرداد تیر مرداد شهریور مهر آبان آذر دی بهمن اسفند
"""
_DATE: Final = re.compile(r"\n(\d\d?)(?:-|\. ?| )([^\W\d_]{2,11})\.?(?:[-./ ]{1,2}(?:\d\d){1,2})?(?=\n)")
"""A line with the date that a spreadsheet made of an id such as 1-3: 1-Mar, 1-Mar-26, 01. Mrz 2026."""


def fold(joined: str) -> str:
    """Return the text in a form in which ids that look alike are equal; line feeds are kept."""
    if joined.isascii():
        return joined.lower()
    text = normalize("NFKC", normalize("NFKC", joined).casefold())
    for old, new in _ALIKE:
        text = text.replace(old, new)
    return text


def damaged(recipients: Sequence[str], folds: Sequence[str], joined: str) -> list[int]:
    """Return the positions of ids that a spreadsheet or an export damaged.

    Args:
        recipients: the ids.
        folds: the same, folded.
        joined: the folded ids, joined with line feeds.
    """
    words = _words()
    found: set[int] = set()
    if not words.isdisjoint(folds):
        found.update(at for at, each in enumerate(folds) if each in words)
    lines = f"\n{joined}\n"
    found.update(
        lines.count("\n", 0, date.start())
        for date in _DATE.finditer(lines)
        if 0 < int(date[1]) <= _MOST_DAYS and date[2] in _months()
    )
    if any(mark in joined for mark in _MARKS):
        found.update(at for at, each in enumerate(folds) if each[:1] in _HEADS and _DAMAGED.fullmatch(recipients[at]))
    if _LOST in joined:
        found.update(at for at, each in enumerate(recipients) if _LOST in each)
    return sorted(found)


@cache
def _words() -> frozenset[str]:
    """Return folded words that replace an id: a missing value, the date that a spreadsheet made of 1-26, an error."""
    years = [f"{month}-{year:02}" for month, year in product(_MONTHS, range(100))]
    errors = [*(f"err:{number}" for number in range(500, 600)), *SPREADSHEET_ERRORS]
    return frozenset(fold("\n".join([*_EMPTY, *years, *errors])).split("\n"))


@cache
def _months() -> frozenset[str]:
    """Return the folded names of months, as spreadsheets shorten them."""
    return frozenset([*_MONTHS, *fold(_MONTHS_ELSEWHERE).split()])
