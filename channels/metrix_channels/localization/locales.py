"""Normalises the spelling of locales, and suggests a locale for text that is not one."""

from __future__ import annotations

import re
from collections.abc import Iterator
from difflib import get_close_matches
from typing import Final

from ..printable import quoted

EXPECTED: Final = "a locale such as fa, en or fa-IR"

# ISO 639-1: https://www.loc.gov/standards/iso639-2/php/code_list.php
_LANGUAGES: Final = frozenset(
    re.findall(
        r"\w+",
        """
        aa ab ae af ak am an ar as av ay az ba be bg bh bi bm bn bo br bs ca ce ch co cr cs cu cv cy da de dv
        dz ee el en eo es et eu fa ff fi fj fo fr fy ga gd gl gn gu gv ha he hi ho hr ht hu hy hz ia id ie ig
        ii ik io is it iu ja jv ka kg ki kj kk kl km kn ko kr ks ku kv kw ky la lb lg li ln lo lt lu lv mg mh
        mi mk ml mn mr ms mt my na nb nd ne ng nl nn no nr nv ny oc oj om or os pa pi pl ps pt qu rm rn ro ru
        rw sa sc sd se sg si sk sl sm sn so sq sr ss st su sv sw ta te tg th ti tk tl tn to tr ts tt tw ty ug
        uk ur uz ve vi vo wa wo xh yi yo za zh zu
        """,
    )
)
# The scripts of ISO 15924 that languages with several scripts need.
_SCRIPTS: Final = frozenset(
    ["arab", "aran", "armn", "cyrl", "deva", "grek", "hans", "hant", "hebr", "latn", "mong", "syrc", "tfng"]
)

_MEANT: Final = {
    **dict.fromkeys(("english", "eng", "انگلیسی", "usa", "us", "gb"), "en"),
    **dict.fromkeys(("persian", "farsi", "parsi", "fas", "per", "pes", "فارسی", "پارسی", "ir", "iran"), "fa"),
    **dict.fromkeys(("arabic", "ara", "عربی"), "ar"),
    **dict.fromkeys(("kurdish", "kur", "کردی"), "ku"),
    **dict.fromkeys(("turkish", "tur", "ترکی"), "tr"),
    **dict.fromkeys(("azerbaijani", "azeri", "aze"), "az"),
    **dict.fromkeys(("armenian", "hye", "arm"), "hy"),
    **dict.fromkeys(("pashto", "pus"), "ps"),
    **dict.fromkeys(("tajik", "tgk"), "tg"),
    **dict.fromkeys(("turkmen", "tuk"), "tk"),
    **dict.fromkeys(("uzbek", "uzb"), "uz"),
    **dict.fromkeys(("urdu", "urd"), "ur"),
    **dict.fromkeys(("hebrew", "heb"), "he"),
    **dict.fromkeys(("german", "deu", "ger", "deutsch"), "de"),
    **dict.fromkeys(("french", "fra", "fre"), "fr"),
    **dict.fromkeys(("spanish", "spa"), "es"),
    **dict.fromkeys(("italian", "ita"), "it"),
    **dict.fromkeys(("portuguese", "por"), "pt"),
    **dict.fromkeys(("russian", "rus"), "ru"),
    **dict.fromkeys(("chinese", "zho", "chi"), "zh"),
    **dict.fromkeys(("japanese", "jpn", "jp"), "ja"),
    **dict.fromkeys(("korean", "kor"), "ko"),
    **dict.fromkeys(("hindi", "hin"), "hi"),
}
_COUNTRIES: Final = {
    **dict.fromkeys(("iran", "irn", "ir"), "IR"),
    **dict.fromkeys(("usa", "us"), "US"),
    **dict.fromkeys(("gbr", "gb", "uk"), "GB"),
}
_PARTS: Final = re.compile(
    r"(?P<language>[a-z]{2,3})(?:-(?P<script>[a-z]{4}))?(?:-(?P<region>[a-z]{2}|[0-9]{3}))?"
    r"(?P<variants>(?:-(?:[a-z0-9]{5,8}|[0-9][a-z0-9]{3}))*)"
)


def standard_locale(text: str) -> str | None:
    """Return a locale in its usual spelling, such as `fa-IR` for `fa_ir`; None if `text` is not a locale.

    A locale is a language of ISO 639, optionally followed by a script, a region and variants, as in BCP 47.
    """
    found = _PARTS.fullmatch(text.lower().replace("_", "-"))
    if found is None or not text.isascii():
        return None
    language, script, region = found["language"], found["script"], found["region"]
    if language not in _LANGUAGES and (len(language) == len("fa") or language in _MEANT):
        return None
    if script is not None and script not in _SCRIPTS:
        return None
    return "-".join(filter(None, (language, script and script.title(), region and region.upper()))) + found["variants"]


def with_parents(locale: str | None) -> Iterator[str]:
    """Yield a locale in its usual spelling and its parents, such as `fa-IR`, `fa`; nothing for None."""
    while locale:
        yield locale
        locale = locale.rpartition("-")[0]


def meant_locale(text: str) -> str | None:
    """Return the locale that an invalid `text` probably means, such as `en` for `english`; None if unclear."""
    words = re.findall(r"[^\W_]+", re.split(r"[.@]", text.lower())[0])
    if not words:
        return None
    first, *others = words
    language = first if first in _LANGUAGES else _MEANT.get(first)
    if language is None and (near := get_close_matches(first, _MEANT, 1, 0.8)):
        language = _MEANT[near[0]]
    if language is None:
        return None
    region = _COUNTRIES.get(others[0], others[0]) if others else _COUNTRIES.get(first)
    return (region and standard_locale(f"{language}-{region}")) or language


def locale_fault(text: str) -> str:
    """Return a message that `text` is not a locale, with a suggestion."""
    meant = meant_locale(text)
    return f"{quoted(text, 40)} is not {EXPECTED}" + (f"; did you mean {meant}?" if meant else "")
