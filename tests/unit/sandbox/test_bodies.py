"""Bodies are read as strictly as RFC 8259 demands."""

import pytest

from metrix_channels.sandbox.bodies import BodyRefused, parse_object


def test_an_object_is_read() -> None:
    """Text in UTF-8 and in escapes is the same text."""
    assert parse_object('{"a": "سلام", "b": "\\u0633"}'.encode()) == {"a": "سلام", "b": "س"}


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b'"text"',
        b'{"a": NaN}',
        b'{"a": -Infinity}',
        b'{"a": 1e999}',
        b'{"a": "\\ud800"}',
        b'{"a": "\xff"}',
        b'\xef\xbb\xbf{"a": 1}',
        "{}".encode("utf-16"),
        b'{"a": ' + b"[" * 100_000,
        b'{"a": ' + b"9" * 10_000 + b"}",
    ],
    ids=str,
)
def test_anything_else_is_refused(body: bytes) -> None:
    """What is no JSON object in UTF-8 is refused with a sentence, whatever it does to the parser."""
    with pytest.raises(BodyRefused, match=r"^The body .*\.$"):
        parse_object(body)
