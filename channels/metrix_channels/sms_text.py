"""Counts the parts of an SMS: GSM 03.38 (3GPP TS 23.038) and concatenation (3GPP TS 23.040).

If all characters are in the GSM 7-bit alphabet, a single SMS holds 160 septets, a multipart SMS 153 per part. Any other
character, such as a Persian letter or the zero-width non-joiner, switches the whole text to UCS-2: a single SMS holds
70 UTF-16 units, a multipart SMS 67 per part.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from enum import StrEnum
from functools import lru_cache

from attrs import frozen

_BASIC = (
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
_EXTENDED = "^{}\\[~]|€\f"
_ONLY_BASIC = re.compile(f"[{re.escape(_BASIC)}]*")
_OUTSIDE = re.compile(f"[^{re.escape(_BASIC + _EXTENDED)}]")
_TWO_SEPTETS = re.compile(f"[{re.escape(_EXTENDED)}]")
_TWO_UTF16_UNITS = re.compile("[\U00010000-\U0010ffff]")


class SmsEncoding(StrEnum):
    """The encoding of an SMS."""

    GSM7 = "GSM-7"
    UCS2 = "UCS-2"


@frozen
class SmsLength:
    """The length of a text as an SMS.

    Attributes:
        encoding: the encoding of the whole text.
        units: the number of septets (GSM-7) or UTF-16 units (UCS-2).
        parts: the number of parts that are billed, at least 1.
    """

    encoding: SmsEncoding
    units: int
    parts: int


@lru_cache(maxsize=8)  # the limits and the plan both count the same text
def sms_length(text: str) -> SmsLength:
    """Count the parts of `text` as a phone network does: a character of two units is never split between parts."""
    if _ONLY_BASIC.fullmatch(text):
        return _length_of_single_units(SmsEncoding.GSM7, len(text), 160, 153)
    if _OUTSIDE.search(text):
        if not _TWO_UTF16_UNITS.search(text):
            return _length_of_single_units(SmsEncoding.UCS2, len(text), 70, 67)
        widths = [2 if ord(character) > 0xFFFF else 1 for character in text]
        return SmsLength(SmsEncoding.UCS2, sum(widths), _parts(widths, 70, 67))
    widths = [2 if _TWO_SEPTETS.match(character) else 1 for character in text]
    return SmsLength(SmsEncoding.GSM7, sum(widths), _parts(widths, 160, 153))


def first_outside_gsm7(text: str) -> str | None:
    """Return the first character that forces UCS-2, in a third of the time of `outside_gsm7`; None if there is none."""
    found = _OUTSIDE.search(text)
    return found[0] if found else None


def outside_gsm7(text: str) -> Iterator[str]:
    """Yield the characters that force UCS-2, in order of appearance."""
    return (found[0] for found in _OUTSIDE.finditer(text))


@lru_cache(maxsize=1_000)  # the texts of a campaign have few different lengths
def _length_of_single_units(encoding: SmsEncoding, units: int, alone: int, joined: int) -> SmsLength:
    return SmsLength(encoding, units, _parts_of_single_units(units, alone, joined))


def _parts_of_single_units(units: int, alone: int, joined: int) -> int:
    return 1 if units <= alone else -(-units // joined)


def _parts(widths: list[int], alone: int, joined: int) -> int:
    units = sum(widths)
    if units <= alone or units == len(widths):
        return _parts_of_single_units(units, alone, joined)
    parts, used = 1, 0
    for width in widths:
        if used + width > joined:
            parts, used = parts + 1, 0
        used += width
    return parts
