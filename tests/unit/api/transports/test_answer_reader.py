"""Whatever arrives, and in whatever pieces: the answer is the one that h11, and so httpx, reads."""

from __future__ import annotations

import random

import pytest

from metrix_channels.api.transports.answer_reader import AnswerReader

LINES = (b"HTTP/1.1 200 OK", b"HTTP/1.1 400 Bad", b"HTTP/1.0 200 OK", b"HTTP/1.1 204 No", b"HTTP/1.1 304 Not",
         b"HTTP/1.1 100 Go on", b"HTTP/1.1 101 Switch", b"HTTP/1.1 503", b"HTTP/1.1 429 ")  # fmt: skip
HEADERS = (b"Content-Length: 2", b"Content-Length: 0", b"Content-Length: 5", b"content-length:2", b"X: y", b" folded",
           b"Transfer-Encoding: chunked", b"Transfer-Encoding: gzip", b"Connection: close", b"Connection: keep-alive",
           b"Connection: upgrade", b"Upgrade: h2c", b"Content-Type: text/html", b"Retry-After: 5", b"Trailer: X",
           b"Keep-Alive: timeout=5", b"Proxy-Connection: keep-alive")  # fmt: skip
BODIES = (b"{}", b"", b"hello", b"2\r\n{}\r\n0\r\n\r\n", b"2;a=b\r\n{}\r\n0\r\nX: y\r\n\r\n", b"0\r\n\r\n")
PIECES = (b"\r", b"\n", b"\r\n", b" ", b"\t", b":", b"\0", b"\x01", b"\x7f", b"\xd8\xa8", b",", b";", b"2", b"0", b"x",
          b"H", b'"', b"=", b"-", b"+", b"_", b"(", b"\x0b", b"\x0c", b"\x85")  # fmt: skip


def answer(rng):
    """Make up an answer or two, of which a few bytes are not as they should be."""
    said = bytearray()
    for _ in range(rng.choice((1, 1, 1, 2))):
        end = rng.choice((b"\r\n",) * 9 + (b"\n",))
        said += rng.choice(LINES) + end
        said += b"".join(rng.choice(HEADERS) + end for _ in range(rng.randrange(4))) + end + rng.choice(BODIES)
    for _ in range(rng.choice((0, 0, 1, 1, 1, 2, 3))):
        place = rng.randrange(len(said) + 1)
        match rng.randrange(4):
            case 0:
                said[place:place] = rng.choice(PIECES)
            case 1:
                said[place : place + 1] = rng.choice(PIECES)
            case 2:
                del said[place : place + rng.randrange(1, 4)]
            case _:
                said[place:place] = said[rng.randrange(len(said) + 1) :][: rng.randrange(20)]
    return bytes(said)


def read(said, sizes, *, by_h11=False):
    """Read an answer in pieces of these sizes."""
    reader, rest = AnswerReader(), said
    if by_h11:
        reader._received += said
        reader._read_again()
        rest = b""
    for size in sizes:
        if rest and not reader.is_over:
            reader.feed(rest[:size])
            rest = rest[size:]
    if rest and not reader.is_over:
        reader.feed(rest)
    reader.end()
    found = reader.answer
    fields = sorted((name.lower(), value.strip().lower()) for name, value in found.fields)
    return (found.status, found.is_whole, bytes(found.body), fields) if found.status else "no answer"


def check(seed, times):
    rng = random.Random(seed)
    for _ in range(times):
        said = answer(rng)
        if not said:
            continue
        expected = read(said, [], by_h11=True)
        for sizes in ([len(said)], [1] * len(said), [rng.randrange(1, 30) for _ in range(10)]):
            assert read(said, sizes) == expected, (said, sizes)


def test_httptools_and_h11_read_alike():
    """Of a few thousand made-up answers each."""
    check(seed=1, times=3_000)


@pytest.mark.long
@pytest.mark.parametrize("seed", range(2, 22))
def test_httptools_and_h11_read_alike_for_long(seed):
    """Of a million."""
    check(seed, times=50_000)
