"""Decodes text in all usual ways: escapes, base64, hexadecimal, lists of bytes."""

from __future__ import annotations

import base64
import html
import re
from collections.abc import Callable, Iterator
from itertools import combinations
from typing import Final

from .folding import HOLE

_PASSES: Final = 6
"""How many times an escape may be escaped itself."""
STRETCH: Final = 4
"""The minimum length of a printable stretch that is searched, if other decoded bytes around it are not printable."""

_BACKSLASH: Final = re.compile(
    r"\\(?:(?P<bytes>x[0-9a-f]{2}(?:\\x[0-9a-f]{2})*)|[uU]\{(?P<braced>[0-9a-f]{1,6})\}"
    r"|(?P<long>(?-i:U)00(?:0[0-9a-f]|10)[0-9a-f]{4})|u(?P<short>[0-9a-f]{4})|(?P<octal>[0-7]{1,3})|(?P<line>\r?\n)|(?P<other>.))",
    re.IGNORECASE,
)
_SPACES: Final = dict.fromkeys("abefnrtv", " ")
_PERCENT: Final = re.compile(r"%u(?P<unit>[0-9a-f]{4})|(?P<bytes>(?:%[0-9a-f]{2})+)", re.IGNORECASE)
_QUOTED_PRINTABLE: Final = re.compile(r"=[ \t]*\r?\n|(?P<bytes>(?:=[0-9a-f]{2})+)", re.IGNORECASE)
_RARE: Final = re.compile(r"\\(?P<css>[0-9a-f]{1,6})\s?|_x(?P<xml>[0-9a-f]{4})_", re.IGNORECASE)
_TAG: Final = re.compile(r"<[^<>]{1,500}>")
_CUT_ESCAPE: Final = re.compile(
    r"(?:%u?[0-9a-f]{0,3}|\\(?:[ux]\{?[0-9a-f]{0,7})?|&#?\w{0,8}|=[0-9a-f]?)\Z", re.IGNORECASE
)

_BASE64: Final = str.maketrans("-_", "+/")
_NOT_HEX: Final = re.compile(rf"0x|[^0-9a-z{HOLE}]+", re.IGNORECASE)
_NUMBER: Final = re.compile(r"-?\d+")
_UNPRINTABLE: Final = re.compile("[\x01-\x08\x0e-\x1f\x7f-\x9f\ufffd]+")
_LARGEST: Final = 0x10FFFF


class TooDeepError(Exception):
    """A text has more layers of encoding than are decoded."""


# -- escapes


def _without_entities(text: str) -> str:
    return html.unescape(text) if "&" in text else text


def _without_backslashes(text: str) -> str:
    return _BACKSLASH.sub(_decode_backslash, text) if "\\" in text else text


def _decode_backslash(match: re.Match[str]) -> str:
    if match["bytes"]:
        return _decode_bytes(bytes.fromhex(match["bytes"].replace("\\", "").replace("x", "").replace("X", "")))
    if match["octal"]:
        return chr(int(match["octal"], 8))
    if number := match["braced"] or match["short"] or (match["long"] or "")[1:]:
        return _char(int(number, 16))
    other = match["other"] or ""
    return _SPACES.get(other, other)


def _without_percents(text: str) -> str:
    return _PERCENT.sub(_decode_percents, text) if "%" in text else text


def _decode_percents(match: re.Match[str]) -> str:
    return (
        chr(int(match["unit"], 16)) if match["unit"] else _decode_bytes(bytes.fromhex(match["bytes"].replace("%", "")))
    )


def _without_quoted_printable(text: str) -> str:
    return _QUOTED_PRINTABLE.sub(_decode_equals_signs, text) if "=" in text else text


def _decode_equals_signs(match: re.Match[str]) -> str:
    return _decode_bytes(bytes.fromhex(match["bytes"].replace("=", ""))) if match["bytes"] else ""


def _without_rare_escapes(text: str) -> str:
    """Decode escapes of CSS and LDAP (a backslash and `2b`, which others read as octal) and XML names (`_x002B_`)."""
    return _RARE.sub(lambda match: _char(int(match["css"] or match["xml"], 16)), text)


def _without_tags(text: str) -> str:
    return _TAG.sub("", text) if "<" in text else text


_SURE: Final = (_without_entities, _without_backslashes, _without_percents)
"""Decoders whose escapes hardly ever mean anything else."""
_ALL: Final = (*_SURE, _without_quoted_printable, _without_tags)
_CHAINS: Final[tuple[tuple[Callable[[str], str], ...], ...]] = (
    # Each decoder also runs alone: what one of them reads as an escape may be plain text before a secret.
    *(chain for length in (1, 2, 3) for chain in combinations(_SURE, length)),
    (_without_quoted_printable,),
    (_without_rare_escapes,),
    (_without_tags,),
    _ALL,
)


def readings(text: str) -> Iterator[str]:
    """Yield the distinct texts that `text` becomes while its escapes are decoded, without `text` itself.

    Raises:
        TooDeepError: escapes remain after six passes.
    """
    seen = {text}
    for chain in _CHAINS:
        current = text
        for _ in range(_PASSES):
            before = current
            for decode in chain:
                current = decode(current)
                if current not in seen:
                    seen.add(current)
                    yield current
            if current == before:
                break
        else:
            raise TooDeepError


def fully_decoded(text: str) -> set[str]:
    """Return the text with every escape decoded: once by the decoders that are hardly ever wrong, and once by all."""
    return {_decode_fully(text, _SURE), _decode_fully(text, _ALL)}


def _decode_fully(text: str, chain: tuple[Callable[[str], str], ...]) -> str:
    for _ in range(_PASSES):
        before = text
        for decode in chain:
            text = decode(text)
        if text == before:
            break
    return text


def without_cut_escape(text: str) -> str:
    """Remove an incomplete escape from the end of a truncated text."""
    return _CUT_ESCAPE.sub("", text)


# -- encodings of bytes


def decoded_bytes(text: str, least: int) -> Iterator[str]:
    """Yield the texts that are encoded in base64, in hexadecimal or as lists of numbers within a text.

    Args:
        text: the text, with or without its white space; search both.
        least: the minimum length of a secret; shorter pieces are skipped, unless they are a whole run.
    """
    yield from _from_base64(text, least)
    yield from _from_hexadecimal(text, least)
    yield from _from_numbers(text, least)


def _from_base64(text: str, least: int) -> Iterator[str]:
    runs = [run.translate(_BASE64) for run in re.findall(rf"[A-Za-z0-9+/_-]{{{_base64_length(least)},}}", text)]
    for offset in range(4):
        yield _join((_base64_bytes(run[offset:]) for run in runs), least)


def _base64_length(least: int) -> int:
    return max(2, least * 4 // 3)


def _base64_bytes(run: str) -> bytes:
    if len(run) % 4 == 1:
        run = run[:-1]
    return base64.b64decode(run + "=" * (-len(run) % 4))


def _from_hexadecimal(text: str, least: int) -> Iterator[str]:
    pattern = re.compile(rf"[0-9a-f]{{{2 * least},}}", re.IGNORECASE)
    for plain in {text, _NOT_HEX.sub("", text)}:
        runs = pattern.findall(plain)
        for offset in range(2):
            pieces = (run[offset : len(run) - (len(run) - offset) % 2] for run in runs)
            yield _join(map(bytes.fromhex, pieces), least)


def _from_numbers(text: str, least: int) -> Iterator[str]:
    several = rf"-?\d{{1,6}}(?:[^\w{HOLE}]{{1,4}}\d{{1,6}}){{{max(least, STRETCH) - 1},}}"
    lists = [[int(number) for number in _NUMBER.findall(run)] for run in re.findall(several, text)]
    yield _join((bytes(number % 256 for number in numbers) for numbers in lists), least)
    yield HOLE.join("".join(map(_char, numbers)) for numbers in lists)


def _join(pieces: Iterator[bytes], least: int) -> str:
    return HOLE.join(
        stretch for piece in pieces for stretch in _find_stretches(piece.decode("utf-8", "replace"), least)
    )


def _find_stretches(text: str, least: int) -> list[str]:
    """Return the parts of decoded bytes that may be text: all of it, or the longer stretches that are printable."""
    stretches = _UNPRINTABLE.split(text)
    return stretches if len(stretches) == 1 else [each for each in stretches if len(each) >= max(least, STRETCH)]


def _decode_bytes(raw: bytes) -> str:
    """Return the text of escaped bytes; bytes that are not UTF-8 are probably Latin-1."""
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return raw.decode("latin-1")


def _char(number: int) -> str:
    return chr(number) if 0 <= number <= _LARGEST else "\ufffd"
