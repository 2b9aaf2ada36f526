"""Reads the answer to one request from the bytes of a connection.

A regular expression reads an answer of the most ordinary form in one piece; httptools takes twice as long. httptools
reads all other ordinary answers. It disagrees with h11, which httpx uses, about unusual ones, such as two equal
Content-Length headers, continued lines, or bare line feeds. So h11 reads an answer again from the start if httptools
refuses it or it looks unusual. This way an answer means the same through every transport.
"""

from __future__ import annotations

import re
from typing import Final

import h11
import httptools

from ..answer import READ_AT_MOST

_LONGEST_PART: Final = 100 * 1024
"""The maximum bytes of a head, of the line before a chunk, or of trailers; httpx has the same limit."""
_STEP: Final = 64 * 1024
"""The maximum bytes that are parsed before the limits are checked."""
_SWITCHED: Final = 101
_CONTROL: Final = re.compile(rb"[\x00-\x08\x0a-\x1f\x7f]")
_FRAMING: Final = (b"content-length", b"transfer-encoding")
_ORDINARY_HEAD: Final = re.compile(
    rb"HTTP/1\.1 ([2-5]\d\d) [ -~]*\r\n((?:[A-Za-z][A-Za-z0-9-]*: [!-~](?:[ -~]*[!-~])?\r\n)+)\r\n"
)
_WITHOUT_BODY: Final = (204, 304)
_MAY_CHANGE_FRAMING: Final = (b"transfer-encoding", b"connection", b"proxy-connection", b"upgrade")
_MOST_DIGITS: Final = 5


class Answer:
    """The answer as far as it has arrived.

    Attributes:
        status: the HTTP status; 0 until the head is complete.
        fields: the names and values of the headers.
        body: at most READ_AT_MOST bytes.
        is_whole: the answer arrived completely, or up to READ_AT_MOST.
        trouble: why there is no answer, or no complete one; None without a problem.
        may_be_followed: the connection can be used for another request.
    """

    def __init__(self) -> None:
        self.status = 0
        self.fields: list[tuple[bytes, bytes]] = []
        self.body: bytearray = bytearray()
        self.is_whole: bool = False
        self.trouble: str | None = None
        self.may_be_followed = False


def read_ordinary(data: bytes) -> Answer | None:
    """Read an answer of the most ordinary form, which has arrived in one piece; return None for any other.

    Its head has only visible ASCII, nothing in it affects the end of the answer except one Content-Length, and the body
    has exactly this length. `AnswerReader` reads it alike.
    """
    head = _ORDINARY_HEAD.match(data)
    if head is None or int(head[1]) in _WITHOUT_BODY:
        return None
    answer, lengths = Answer(), []
    for line in head[2].split(b"\r\n")[:-1]:
        name, _, value = line.partition(b": ")
        answer.fields.append((name, value))
        lowered = name.lower()
        if lowered in _MAY_CHANGE_FRAMING:
            return None
        if lowered == b"content-length":
            lengths.append(value)
    body = data[head.end() :]
    if len(lengths) != 1 or not lengths[0].isdigit() or len(lengths[0]) > _MOST_DIGITS or int(lengths[0]) != len(body):
        return None
    answer.status, answer.is_whole, answer.may_be_followed = int(head[1]), True, True
    answer.body += body[:READ_AT_MOST]
    return answer


class AnswerReader:
    """Reads one answer.

    Attributes:
        answer: the answer as far as it has arrived.
        is_over: no more of the answer is read.
    """

    def __init__(self) -> None:
        self.answer: Answer = Answer()
        self.is_over: bool = False
        self._received = bytearray()
        self._part_size = 0
        self._parser = httptools.HttpResponseParser(self)
        self._careful: h11.Connection | None = None

    def feed(self, data: bytes) -> None:
        """Read more bytes, up to the limits."""
        for start in range(0, len(data), _STEP):
            if self.is_over:
                self.answer.may_be_followed = False  # bytes after the answer belong to no request
                return
            step = data[start : start + _STEP]
            self._part_size += len(step)
            if self._careful is None:
                self._feed_httptools(step)
            else:
                self._careful.receive_data(step)
                self._take_events(self._careful)
            if self._part_size > _LONGEST_PART and not self.is_over:
                part = "a part of the answer" if self.answer.status else "the answer's head"
                self._give_up(f"{part} is too long")

    def end(self, error: Exception | None = None) -> None:
        """End the answer because the connection ended; an answer without a length is whole, unless `error` is given."""
        answer = self.answer
        if self.is_over:
            return
        if error is not None:
            self._give_up(f"{type(error).__name__}: {error}")
        elif self._careful is not None:
            self._careful.receive_data(b"")
            self._take_events(self._careful)
        else:
            answer.is_whole = answer.status > 0 and not any(name.lower() in _FRAMING for name, _ in answer.fields)
        self.is_over = True

    def _give_up(self, trouble: str) -> None:
        self.answer.trouble = trouble
        self.answer.may_be_followed = False
        self.is_over = True

    def _add_body(self, data: bytes) -> None:
        answer = self.answer
        self._part_size = 0
        answer.body += data[: READ_AT_MOST - len(answer.body)]
        if len(answer.body) >= READ_AT_MOST:
            answer.is_whole = self.is_over = True

    # -- unusual answers

    def _read_again(self) -> None:
        self.answer = Answer()
        self._careful = careful = h11.Connection(h11.CLIENT, max_incomplete_event_size=_LONGEST_PART)
        # h11 reads an answer only after a request; which request does not matter.
        careful.send(h11.Request(method="POST", target="/", headers=[("Host", "-"), ("Content-Length", "0")]))
        careful.send(h11.EndOfMessage())
        careful.receive_data(bytes(self._received))
        self._received.clear()
        self._take_events(careful)

    def _take_events(self, careful: h11.Connection) -> None:
        answer = self.answer
        try:
            while not self.is_over:
                match careful.next_event():
                    case h11.Response() as response:
                        answer.status, answer.fields = response.status_code, response.headers.raw_items()
                        self._part_size = 0
                    case h11.Data() as data:
                        self._add_body(bytes(data.data))
                    case h11.EndOfMessage():
                        answer.is_whole = self.is_over = True
                    case h11.InformationalResponse():
                        self._part_size = 0
                    case _:
                        return
        except h11.RemoteProtocolError as error:
            self._give_up(f"the answer is not HTTP ({error})")

    # -- httptools, and its callbacks

    def _feed_httptools(self, data: bytes) -> None:
        self._received += data
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade):
            if self.is_over:
                self.answer.may_be_followed = False
            else:
                self._read_again()

    def on_message_begin(self) -> None:
        """Note that an answer begins; a second one belongs to no request."""
        if self.is_over:
            self.answer.may_be_followed = False

    def on_status(self, reason: bytes) -> None:
        """Check the reason phrase, or a part of it.

        Raises:
            ValueError: h11 must read the answer.
        """
        if not self.is_over and _CONTROL.search(reason):
            raise ValueError("an unusual reason")

    def on_header(self, name: bytes, value: bytes) -> None:
        """Store a header, unless it is a trailer."""
        if not self.answer.status and not self.is_over:
            self.answer.fields.append((name, value))

    def on_headers_complete(self) -> None:
        """Store the status.

        Raises:
            ValueError: h11 must read the answer.
        """
        if self.is_over:
            return
        self._part_size = 0
        status = self._parser.get_status_code()
        if status == _SWITCHED:
            # This does not say what happened to the request, and the following bytes are not HTTP.
            self._give_up(f"the server switched to another protocol ({status})")
        elif status < 200 or self._is_unusual():
            raise ValueError("an unusual head")
        else:
            self.answer.status = status

    def on_body(self, body: bytes) -> None:
        """Store the body, up to the limit."""
        if not self.is_over:
            self._add_body(body)

    def on_message_complete(self) -> None:
        """Note that the answer is whole, and whether the connection can be used again."""
        if self.answer.status and not self.is_over:
            self.answer.is_whole = self.is_over = True
            self.answer.may_be_followed = self._parser.should_keep_alive()

    def _is_unusual(self) -> bool:
        """Tell whether httptools accepts what h11 refuses: odd transfer codings, or an empty first line."""
        codings = [value.lower() for name, value in self.answer.fields if name.lower() == b"transfer-encoding"]
        return codings not in ([], [b"chunked"]) or not self._received.startswith(b"HTTP")
