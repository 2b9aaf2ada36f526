"""What an answer means is no matter of the transport: odd, legal and broken answers, each with one verdict for both."""

import gzip
import zlib

import pytest

from helpers.fault_server import FaultServer, Raw
from helpers.verdicts import judged
from metrix_channels.api import Failure, Stage
from metrix_channels.delivery import Disposition

ACCEPTED, AMBIGUOUS, UNREADABLE = Disposition.ACCEPTED, Disposition.AMBIGUOUS, Disposition.UNREADABLE
REFUSED, NOT_TAKEN = Disposition.REFUSED, Disposition.NOT_TAKEN

OK = b"HTTP/1.1 200 OK\r\n"
BAD = b"HTTP/1.1 400 Bad Request\r\n"
TWO = b"Content-Length: 2\r\n\r\n{}"
CHUNKED = b"Transfer-Encoding: chunked\r\n\r\n"
CHUNKS = b"2\r\n{}\r\n0\r\n\r\n"


def answered_with(line):
    """An ordinary answer but for its first line."""
    return line + b"\r\n" + TWO


def with_header(line):
    """An ordinary answer with a header before the others."""
    return OK + line + b"\r\n" + TWO


READ_AS_USUAL = {
    "nothing odd": OK + TWO,
    "no reason": answered_with(b"HTTP/1.1 200 "),
    "no reason and no space": answered_with(b"HTTP/1.1 200"),
    "a Persian reason": answered_with("HTTP/1.1 200 بله".encode()),
    "HTTP/1.0": answered_with(b"HTTP/1.0 200 OK"),
    "a status nobody knows": answered_with(b"HTTP/1.1 299 Fine"),
    "line feeds alone": (OK + TWO).replace(b"\r\n", b"\n"),
    "100 before it": b"HTTP/1.1 100 Continue\r\n\r\n" + OK + TWO,
    "102 before it": b"HTTP/1.1 102 Processing\r\nX: y\r\n\r\n" + OK + TWO,
    "103 before it, with a length": b"HTTP/1.1 103 Early Hints\r\nContent-Length: 5\r\n\r\n" + OK + TWO,
    "many before it": b"HTTP/1.1 100 Continue\r\n\r\n" * 50 + OK + TWO,
    "a continued line": with_header(b"X: a\r\n b"),
    "a line continued by a tab": with_header(b"X: a\r\n\tb"),
    "a line that begins on the next": with_header(b"X:\r\n b"),
    "an empty header": with_header(b"X:"),
    "header bytes beyond ASCII": with_header("X: سلام".encode()),
    "header bytes of no encoding": with_header(b"X: \xff\xfe"),
    "a control character in a header": with_header(b"X: a\x01b"),
    "40 KB in a header": with_header(b"X: " + b"y" * 40_000),
    "a thousand headers": with_header(b"\r\n".join(b"X-%d: y" % number for number in range(1_000))),
    "headers in any case": OK.replace(b"OK", b"ok") + b"CONTENT-length: 2\r\n\r\n{}",
    "an upgrade on offer": with_header(b"Connection: upgrade\r\nUpgrade: h2c"),
    "two equal lengths": OK + b"Content-Length: 2\r\n" + TWO,
    "two equal lengths in one header": OK + b"Content-Length: 2, 2\r\n\r\n{}",
    "a length with a zero before": OK + b"Content-Length: 02\r\n\r\n{}",
    "less length than body": OK + b"Content-Length: 1\r\n\r\n{}",
    "no length, closed": OK + b"Connection: close\r\n\r\n{}",
    "no length, closed unannounced": OK + b"\r\n{}",
    "no length, HTTP/1.0": b"HTTP/1.0 200 OK\r\n\r\n{}",
    "nothing at all in it": OK + b"Content-Length: 0\r\n\r\n",
    "204": b"HTTP/1.1 204 No Content\r\n\r\n",
    "204 that announces a body": b"HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\n",
    "204 with a body": b"HTTP/1.1 204 No Content\r\n\r\n{}",
    "205": b"HTTP/1.1 205 Reset Content\r\nContent-Length: 0\r\n\r\n",
    "chunks": OK + CHUNKED + CHUNKS,
    "chunks, spelled otherwise": OK + CHUNKED.replace(b"chunked", b"CHUNKED") + CHUNKS,
    "chunks and a length": OK + b"Content-Length: 2\r\n" + CHUNKED + CHUNKS,
    "chunks and a length after it": OK + b"Transfer-Encoding: chunked\r\nContent-Length: 12\r\n\r\n" + CHUNKS,
    "chunk extensions": OK + CHUNKED + b'2;a="b";c\r\n{}\r\n0;last\r\n\r\n',
    "chunk extensions with spaces": OK + CHUNKED + b"2; a = b\r\n{}\r\n0\r\n\r\n",
    "a space after a chunk's size": OK + CHUNKED + b"2 \r\n{}\r\n0\r\n\r\n",
    "trailers": OK + CHUNKED + b"2\r\n{}\r\n0\r\nX: y\r\nContent-Type: text/html\r\n\r\n",
    "a length among the trailers": OK + CHUNKED + b"2\r\n{}\r\n0\r\nContent-Length: 9\r\n\r\n",
    "chunks of one byte, 70,000 of them": OK + CHUNKED + b"1\r\n{\r\n" * 70_000 + b"0\r\n\r\n",
}

NOT_WHOLE = {
    "cut off in its body": b"Content-Length: 5\r\n\r\n{}",
    "of an absurd length": b"Content-Length: " + b"9" * 20 + b"\r\n\r\n{}",
    "chunks without an end": CHUNKED + b"2\r\n{}\r\n",
    "chunks cut in the middle": CHUNKED + b"2\r\n{",
    "chunks without their last line": CHUNKED + b"2\r\n{}\r\n0\r\n",
    "no size of a chunk": CHUNKED + b"g\r\n{}\r\n0\r\n\r\n",
    "a negative size of a chunk": CHUNKED + b"-2\r\n{}\r\n0\r\n\r\n",
    "more chunk than announced": CHUNKED + b"1\r\n{}\r\n0\r\n\r\n",
    "an absurd size of a chunk": CHUNKED + b"F" * 17 + b"\r\n{}",
    "a trailer that is none": CHUNKED + b"2\r\n{}\r\n0\r\nnone\r\n\r\n",
    "200 KB of chunk extensions": CHUNKED + b"2;" + b"x" * 200_000 + b"\r\n{}\r\n0\r\n\r\n",
    "200 KB of trailers": CHUNKED + b"2\r\n{}\r\n0\r\nX: " + b"y" * 200_000 + b"\r\n\r\n",
}

NO_ANSWER = {
    "nothing": b"",
    "a cut first line": b"HTTP/1.1 20",
    "cut headers": OK + b"Content-Le",
    "headers without an end": OK + b"Content-Length: 2\r\n",
    "HTTP/2": answered_with(b"HTTP/2 200"),
    "ICY": answered_with(b"ICY 200 OK"),
    "a status of two digits": answered_with(b"HTTP/1.1 20 OK"),
    "a status of four digits": answered_with(b"HTTP/1.1 2000 OK"),
    "spaces before the status": answered_with(b"HTTP/1.1  200 OK"),
    "an empty line before it": b"\r\n" + OK + TWO,
    "NUL in its reason": answered_with(b"HTTP/1.1 200 O\0K"),
    "a vertical tab in its reason": answered_with(b"HTTP/1.1 200 O\x0bK"),
    "carriage returns alone": (OK + TWO).replace(b"\r\n", b"\r"),
    "a header without a colon": with_header(b"X"),
    "a header without a name": with_header(b": a"),
    "a space before a colon": with_header(b"X : a"),
    "NUL in a header": with_header(b"X: a\0b"),
    "a name beyond ASCII": with_header("نام: a".encode()),
    "200 KB in a header": with_header(b"X: " + b"y" * 200_000),
    "a head of 20,000 lines": with_header(b"\r\n".join(b"X-%d: yyyyy" % number for number in range(20_000))),
    "two unequal lengths": OK + b"Content-Length: 3\r\n" + TWO,
    "two unequal lengths in one header": OK + b"Content-Length: 2, 3\r\n\r\n{}",
    "no number as its length": OK + b"Content-Length: x\r\n\r\n{}",
    "a negative length": OK + b"Content-Length: -2\r\n\r\n{}",
    "a coding nobody knows": OK + b"Transfer-Encoding: gzip, chunked\r\n\r\n" + CHUNKS,
    "chunks in chunks": OK + b"Transfer-Encoding: chunked\r\n" + CHUNKED + CHUNKS,
    "identity": OK + b"Transfer-Encoding: identity\r\n\r\n{}",
    "100 alone": b"HTTP/1.1 100 Continue\r\n\r\n",
    "a coding nobody knows, before it": b"HTTP/1.1 100 C\r\nTransfer-Encoding: gzip\r\n\r\n" + OK + TWO,
    "a switch of protocols": answered_with(b"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: x"),
    "a switch of protocols without a word": answered_with(b"HTTP/1.1 101 Switching Protocols"),
}


def rows(table):
    return pytest.mark.parametrize("said", table.values(), ids=table.keys())


def ask(post, said):
    with FaultServer([Raw(said)]) as server:
        return post(server.url)


@rows(READ_AS_USUAL)
def test_an_odd_answer_that_can_be_read_counts(post, said):
    """Whoever sends it means it; a request that was taken is not made again."""
    reply = ask(post, said)
    assert (reply.status // 100, reply.whole, judged(reply).disposition) == (2, True, ACCEPTED)


@pytest.mark.parametrize(("line", "verdict"), [(OK, UNREADABLE), (BAD, REFUSED)], ids=["200", "400"])
@rows(NOT_WHOLE)
def test_an_answer_without_its_end_keeps_its_status(post, said, line, verdict):
    """A refusal stays one; only a success needs its end to be believed."""
    reply = ask(post, line + said)
    assert (reply.whole, judged(reply).disposition) == (False, verdict)


@rows(NO_ANSWER)
def test_what_is_no_answer_leaves_a_doubt(post, said):
    """The request was there before it."""
    failure = ask(post, said)
    assert (type(failure), failure.stage, judged(failure).disposition) == (Failure, Stage.BEGUN, AMBIGUOUS)


@pytest.mark.parametrize(
    ("encoding", "body"),
    [
        (b"gzip", gzip.compress(b"no such field")),
        (b"X-GZIP", gzip.compress(b"no such field")),
        (b"deflate", zlib.compress(b"no such field")),
        (b"deflate", zlib.compress(b"no such field", wbits=-15)),
        (b"identity", b"no such field"),
        (b"utf-8", b"no such field"),
    ],
    ids=["gzip", "x-gzip", "deflate", "deflate without its header", "identity", "none at all"],
)
def test_a_compressed_answer_is_read(post, encoding, body):
    """A server may send what was not asked for."""
    reply = ask(post, BAD + b"Content-Encoding: %b\r\nContent-Length: %d\r\n\r\n%b" % (encoding, len(body), body))
    assert (reply.body, judged(reply).disposition) == ("no such field", REFUSED)


@pytest.mark.parametrize("encoding", [b"br", b"zstd", b"gzip, gzip", b"gzip\r\nContent-Encoding: gzip"])
def test_a_compression_nobody_knows_leaves_the_status(post, encoding):
    """Its text is lost, and nothing else."""
    body = b"\x0b\x02\x80hello\x03"
    for line, verdict in ((OK, ACCEPTED), (BAD, REFUSED)):
        head = line + b"Content-Encoding: %b\r\nContent-Length: %d\r\n\r\n" % (encoding, len(body))
        assert judged(ask(post, head + body)).disposition is verdict


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        (b"Retry-After: 5", 5.0),
        (b"retry-after:5", 5.0),
        (b"Retry-After: 3\r\nRetry-After: 5", 5.0),
        (b"Retry-After: Thu, 26 Nov 2026\r\n 00:00:07 GMT\r\nDate: Thu, 26 Nov 2026 00:00:00 GMT", 7.0),
        ("Retry-After: ۵".encode(), None),
        (b"Retry-After: \xff", None),
        (b"Retry-After:", None),
    ],
)
def test_the_same_wait_is_read(post, headers, seconds):
    """Of two the last; a continued line as one."""
    verdict = judged(ask(post, b"HTTP/1.1 429 Too Many\r\n" + headers + b"\r\n" + TWO))
    assert (verdict.disposition, verdict.retry_after_seconds) == (NOT_TAKEN, seconds)


def test_a_page_is_one_whichever_of_two_types_says_so(post):
    """No API answers with a page."""
    for first, second in ((b"text/html", b"application/json"), (b"application/json", b"TEXT/HTML")):
        said = with_header(b"Content-Type: " + first + b"\r\nContent-Type: " + second)
        assert judged(ask(post, said)).disposition is UNREADABLE
