"""How many parts an SMS costs: GSM 03.38 (3GPP TS 23.038) and concatenation (3GPP TS 23.040).

A text whose characters are all in the GSM 7-bit alphabet has 160 septets in one part and 153 in each of several.
One character outside it, any Persian letter or the zero-width non-joiner among them, turns the whole text into
UCS-2: 70 UTF-16 units in one part, 67 in each of several.
"""

from __future__ import annotations

import re
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


class SmsEncoding(StrEnum):
    """How the text travels."""

    GSM7 = "GSM-7"
    UCS2 = "UCS-2"


@frozen
class SmsLength:
    """What a text costs.

    Attributes:
        encoding: of the whole text.
        units: septets (GSM-7) or UTF-16 units (UCS-2).
        parts: messages that are billed; at least 1.
        outside: the distinct characters that force UCS-2, in order of appearance.
    """

    encoding: SmsEncoding
    units: int
    parts: int
    outside: str = ""


@lru_cache(maxsize=8)  # the limits and the plan ask one after the other
def sms_length(text: str) -> SmsLength:
    """Count the parts of `text` as a phone network does, a pair of units never divided between parts."""
    if _ONLY_BASIC.fullmatch(text):
        return SmsLength(SmsEncoding.GSM7, len(text), _parts_of_single_units(len(text), 160, 153))
    outside = "".join(dict.fromkeys(_OUTSIDE.findall(text)))
    if outside:
        if max(text) <= "\uffff":
            return SmsLength(SmsEncoding.UCS2, len(text), _parts_of_single_units(len(text), 70, 67), outside)
        widths = [2 if ord(character) > 0xFFFF else 1 for character in text]
        return SmsLength(SmsEncoding.UCS2, sum(widths), _parts(widths, 70, 67), outside)
    widths = [2 if _TWO_SEPTETS.match(character) else 1 for character in text]
    return SmsLength(SmsEncoding.GSM7, sum(widths), _parts(widths, 160, 153))


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
