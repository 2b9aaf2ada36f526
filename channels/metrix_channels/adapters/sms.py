"""SMS: billed per part; the characters of the text decide the encoding."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping

from ..models import Caution, JsonValue
from ..sms_text import SmsEncoding, SmsLength, first_outside_gsm7, outside_gsm7, sms_length
from .adapter import Adapter


def _limits(fields: Mapping[str, JsonValue]) -> tuple[Caution, ...]:
    body = str(fields["body"])
    length = sms_length(body)
    cautions = []
    if length.parts > 1:
        cautions.append(
            Caution(
                "sms_parts",
                f"The text is billed as {length.parts} parts for each recipient: {length.units} {length.encoding}"
                f" characters. {_capacity(length)}.",
            )
        )
    if length.encoding is SmsEncoding.UCS2 and not _has_letter_beyond_gsm(body):
        avoidable = list(dict.fromkeys(outside_gsm7(body)))[:5]
        shown = " ".join(f"{character!r} (U+{ord(character):04X})" for character in avoidable)
        cautions.append(
            Caution(
                "sms_ucs2",
                f"These characters force UCS-2, which holds less than half as many characters: {shown}.",
            )
        )
    if "title" in fields:
        cautions.append(
            Caution(
                "sms_title",
                "Metrix does not document how it uses a title in an SMS; only the body is counted.",
            )
        )
    return tuple(cautions)


def _capacity(length: SmsLength) -> str:
    single, part = (160, 153) if length.encoding is SmsEncoding.GSM7 else (70, 67)
    return f"A single SMS holds {single}, a multipart SMS {part} per part"


def _has_letter_beyond_gsm(body: str) -> bool:
    first = first_outside_gsm7(body)  # in almost all messages, it is a letter
    return first is not None and (_is_letter_beyond_gsm(first) or any(map(_is_letter_beyond_gsm, outside_gsm7(body))))


def _is_letter_beyond_gsm(character: str) -> bool:
    """Tell whether a character is a letter of a language, which cannot be avoided, unlike curly quotes."""
    return unicodedata.category(character) in ("Lo", "Lm") or "CYRILLIC" in unicodedata.name(character, "")


ADAPTER = Adapter("SMS", limits=_limits, measure=sms_length)
