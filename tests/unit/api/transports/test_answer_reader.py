"""Whatever arrives, and in whatever pieces: the answer is the one that h11, and so httpx, reads."""

from __future__ import annotations

import random

import pytest

from metrix_channels.api.transports.answer_reader import AnswerReader, read_ordinary

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
    return damage(said, rng)


def ordinary_answer(rng):
    """Make up an answer with the right length, of which a few bytes are not as they should be."""
    body = rng.choice(BODIES)
    headers = [b"Content-Length: %d" % len(body), *rng.choices(HEADERS, k=rng.randrange(3))]
    rng.shuffle(headers)
    return damage(bytearray(b"\r\n".join([rng.choice(LINES), *headers, b"", body])), rng)


def damage(said, rng):
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


def check_at_once(seed, times):
    """Return how many made-up answers were read at once; each means what the reader and h11 take it for."""
    rng, count = random.Random(seed), 0
    for _ in range(times):
        said = ordinary_answer(rng)
        if (found := read_ordinary(said)) is None:
            continue
        count += 1
        reader = AnswerReader()
        reader.feed(said)
        assert reader.is_over, said
        assert meaning(found) == meaning(reader.answer), said
        assert meaning(found)[:3] == read(said, [], by_h11=True)[:3], said
    return count


def meaning(found):
    return found.status, found.is_whole, bytes(found.body), found.fields, found.may_be_followed, found.trouble


def test_what_is_read_at_once_is_what_the_reader_reads():
    """Whether the connection may be used again, too."""
    assert check_at_once(seed=1, times=10_000) > 300


@pytest.mark.long
@pytest.mark.parametrize("seed", range(2, 22))
def test_what_is_read_at_once_is_what_the_reader_reads_for_long(seed):
    """Of millions."""
    check_at_once(seed, times=200_000)


@pytest.mark.parametrize(
    ("headers", "body", "is_ordinary"),
    [
        (["Content-Type: application/json", "Content-Length: 2", "Date: Fri, 20 Mar 2026 10:00:07 GMT"], "{}", True),
        (["content-length: 0"], "", True),
        (["Content-Length: 1000"], "x" * 1000, True),
        (["Content-Length: 2"], "{", False),
        (["Content-Length: 2"], "{}H", False),
        (["Content-Length: 2", "Content-Length: 2"], "{}", False),
        (["Content-Length: +2"], "{}", False),
        (["Content-Length: 2", "Connection: close"], "{}", False),
        (["Content-Length: 2", "Transfer-Encoding: chunked"], "{}", False),
        (["Content-Length: 2", "X: a", " folded"], "{}", False),
        (["Content-Type: text/html"], "", False),
    ],
)
def test_only_a_whole_ordinary_answer_is_read_at_once(headers, body, is_ordinary):
    """Nothing of the others is guessed."""
    said = "\r\n".join(["HTTP/1.1 200 OK", *headers, "", body]).encode()
    assert (read_ordinary(said) is not None) == is_ordinary


def test_httptools_and_h11_read_alike():
    """Of a few thousand made-up answers each."""
    check(seed=1, times=3_000)


@pytest.mark.long
@pytest.mark.parametrize("seed", range(2, 22))
def test_httptools_and_h11_read_alike_for_long(seed):
    """Of a million."""
    check(seed, times=50_000)
