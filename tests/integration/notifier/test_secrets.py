"""The key and sensitive values are shown nowhere, in no encoding, whatever the server says back."""

import asyncio
import json
import logging
import sqlite3
import traceback
import zlib
from contextlib import closing
from urllib.parse import quote

import pytest
from attrs import evolve

from helpers.encodings import encodings, shown
from helpers.fault_server import Answer, FaultServer, Raw, Reset, Truncated
from helpers.project import API_KEY, make_project
from metrix_channels.api.transports.httpx_transport import HttpxTransport
from metrix_channels.errors import MetrixChannelsError, Rejected
from metrix_channels.notifier import clients

BY_CHANCE = {"created", "msecs", "relativeCreated", "process", "thread"}
"""Numbers of a log record that may hold any digits."""


class Everything(logging.Handler):
    """Collects all that is logged, with its arguments."""

    def __init__(self):
        super().__init__(logging.DEBUG)
        self.texts = []

    def emit(self, record):
        told = {name: value for name, value in vars(record).items() if name not in BY_CHANCE}
        self.texts.append(f"{record.getMessage()} {told!r}")


@pytest.fixture
def logged():
    handler = Everything()
    root = logging.getLogger()
    level = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    yield handler.texts
    root.removeHandler(handler)
    root.setLevel(level)


def everything_about(error):
    """All texts of an exception and of those behind it."""
    seen = []
    waiting = [error]
    while waiting:
        one = waiting.pop()
        if one is None or one in seen:
            continue
        seen.append(one)
        waiting += [one.__cause__, one.__context__]
    texts = ["".join(traceback.format_exception(error)), repr(getattr(error, "receipts", ""))]
    return "\n".join(texts + [f"{one!s} {one!r} {one.args!r} {vars(one)!r}" for one in seen])


def all_bytes(folder):
    """The ledger's files, and what is compressed in them."""
    raw = b"\n".join(path.read_bytes() for path in folder.glob("ledger.db*") if path.is_file()).decode("latin-1")
    with closing(sqlite3.connect(folder / "ledger.db")) as connection:
        kept = connection.execute("SELECT request, lines FROM evidence").fetchall()
    return raw + "\n".join(zlib.decompress(cell).decode() for row in kept for cell in row)


ECHO = [Answer(400), Answer(403), Answer(500), Answer(200), Answer(302), Truncated(status=400), Truncated(status=500)]
WITHHELD = "answer withheld: it contains the API key in an encoded form"


@pytest.mark.parametrize("behaviour", ECHO, ids=lambda each: f"{type(each).__name__} {each.status}")
@pytest.mark.parametrize("verb", ["send", "track", "identify"])
def test_a_key_that_the_server_echoes_is_shown_nowhere(tmp_path, logged, behaviour, verb):
    """Not in errors, receipts, logs or the ledger; and instead of the answer stands why it is not there."""
    body = f"You sent {encodings(API_KEY)['JSON of .NET']} to us.".encode()
    with FaultServer([evolve(behaviour, body=body)]) as server:
        project = make_project(tmp_path, server.url, max_attempts=1)
        found = outcome(project, verb)
    assert server.requests[0].headers["x-api-key"] == API_KEY
    found += "".join(logged) + all_bytes(tmp_path)
    assert shown(found, API_KEY) == []
    kept = WITHHELD in found
    assert kept or (verb != "send" and behaviour.status == 200), "of accepted events nothing is kept"


def outcome(project, verb):
    """Return all that a call says in the end."""

    async def run():
        async with project.notifier() as notifier:
            if verb == "send":
                return await notifier.send("sms", "u1", "hello", {"name": "سارا"})
            if verb == "track":
                return await notifier.track("u1", name="order_paid")
            return await notifier.identify("u1", first_name="سارا")

    try:
        return repr(asyncio.run(run()))
    except MetrixChannelsError as error:
        return everything_about(error)


def test_a_key_is_shown_in_no_encoding(tmp_path, logged):
    """Whatever a server makes of it."""
    forms = encodings(API_KEY)
    with FaultServer([Answer(403, f"You sent {form} to us.".encode()) for form in forms.values()]) as server:
        project = make_project(tmp_path, server.url)
        errors = {name: project.error() for name in forms}
    assert [name for name, error in errors.items() if f"[{WITHHELD}]" not in error.message] == []
    found = "".join(map(everything_about, errors.values())) + "".join(logged) + all_bytes(tmp_path)
    assert shown(found, API_KEY) == []


def test_what_stands_as_it_is_is_masked_and_the_rest_of_the_answer_is_there(tmp_path, logged):
    """It tells what is wrong, as a rule."""
    with FaultServer([Answer(403, f"The key {API_KEY} is of the type Client.".encode())]) as server:
        error = make_project(tmp_path, server.url).error()
    assert "The key *** is of the type Client." in error.message
    assert shown(everything_about(error) + "".join(logged) + all_bytes(tmp_path), API_KEY) == []


@pytest.mark.parametrize("padding", range(0, len(API_KEY), 3))
def test_a_key_that_is_cut_off_is_shown_nowhere_either(tmp_path, padding):
    """Not even most of it: reading ends somewhere, perhaps in the middle of the key."""
    body = b"x" * (65_536 - padding) + API_KEY.encode()
    with FaultServer([Answer(400, body)]) as server:
        project = make_project(tmp_path, server.url)
        project.error()
    [(answer,)] = project.query("SELECT answer FROM attempts")
    assert set(answer[:65_000]) == {"x"}
    assert not any(API_KEY[:length] in answer for length in range(4, len(API_KEY)))


def test_a_key_in_the_headers_of_an_answer_is_shown_nowhere(tmp_path, logged):
    """An HTTP client's own log would print them."""
    headers = {"Location": f"/?key={quote(API_KEY)}", "Retry-After": API_KEY, "X-Echo": API_KEY}
    with FaultServer([Answer(503, b"", headers), Answer(302, b"", headers)]) as server:
        error = make_project(tmp_path, server.url).error()
    assert error.code == "redirected"
    found = everything_about(error) + "".join(logged) + all_bytes(tmp_path)
    assert shown(found, API_KEY) == []


@pytest.mark.parametrize("said", ["p@ss-w4081", "p%40ss-w4081", "c2FyYTpwQHNzLXc0MDgx"])
def test_a_proxys_password_is_shown_nowhere(tmp_path, logged, said):
    """It is told that password with each request, and may say it back."""
    with FaultServer([Answer(407, f"Who is {said}?".encode())]) as server:
        proxy = server.url.replace("//", "//sara:p%40ss-w4081@")
        error = make_project(tmp_path, "http://127.0.0.1:9", proxy=proxy).error()
    assert "Who is ***?" in error.message or "it contains the proxy's password" in error.message
    assert said not in everything_about(error) + "".join(logged) + all_bytes(tmp_path)


def test_a_key_is_in_no_error_of_a_connection(tmp_path, logged):
    """Nor in what other libraries say of it."""
    with FaultServer([Reset()]) as server:
        error = make_project(tmp_path, server.url, max_attempts=2).error()
    found = everything_about(error) + "".join(logged) + all_bytes(tmp_path)
    assert shown(found, API_KEY) == []


SECRETS = {"text": "4081", "number": 4081, "list": ["4081"], "mapping": {"inner": "4081"}}


CODE_TEMPLATE = "---\nsensitive: [code]\n---\nکد شما: {{ code | fa_digits }}"


@pytest.mark.parametrize("value", SECRETS.values(), ids=SECRETS)
@pytest.mark.parametrize(
    "echo", ["4081", "۴۰۸۱", "٤٠٨١", r"\u06f4\u06f0\u06f8\u06f1", "%DB%B4%DB%B0%DB%B8%DB%B1", "NDA4MQ=="]
)
def test_sensitive_values_are_shown_nowhere(tmp_path, logged, value, echo):
    """Neither those that were sent nor those that the server says back, in Persian digits either."""
    text = "---\nsensitive: [code]\n---\nکد: {% for x in [code] %}{{ x if x is not iterable else '' }}{% endfor %}."
    if isinstance(value, (str, int)):
        text = CODE_TEMPLATE
    with FaultServer([Answer(400, f"The text {echo} is bad.".encode())]) as server:
        project = make_project(tmp_path, server.url)
        project.template("otp", text)
        error = project.error("otp", {"code": value})
    assert isinstance(error, Rejected)
    assert ("The text *** is bad." if len(echo) == 4 else "it contains a sensitive value") in error.message
    rows = [project.query(f"SELECT * FROM {table}") for table in ("sends", "attempts")]
    visible = [row[:3] + row[4:-1] for row in rows[0]] + [row[2:-1] for row in rows[1]]
    assert echo not in everything_about(error) + "".join(logged) + repr(visible)


def test_a_sensitive_value_is_shown_in_no_encoding(tmp_path, logged):
    """As the key is not."""
    value = "کد-۴۰۸۱"
    forms = encodings(value)
    with FaultServer([Answer(400, f"The text {form} is bad.".encode()) for form in forms.values()]) as server:
        project = make_project(tmp_path, server.url)
        project.template("otp", CODE_TEMPLATE)
        errors = {name: project.error("otp", {"code": value}) for name in forms}
    withheld = "[answer withheld: it contains a sensitive value in an encoded form]"
    assert [name for name, error in errors.items() if withheld not in error.message] == []
    found = "".join(map(everything_about, errors.values())) + "".join(logged) + all_bytes(tmp_path)
    assert shown(found.replace("encodings(value)", ""), value) == []


@pytest.mark.parametrize("said", ["4081-7263", "۴۰۸۱-۷۲۶۳", "4081%2D7263"])
def test_a_failure_that_quotes_a_sensitive_value_does_not_show_it(tmp_path, logged, said, monkeypatch):
    """What is no HTTP is quoted by the library that could not read it: httpx does so."""
    monkeypatch.setattr(clients, "open_transport", HttpxTransport)
    with FaultServer([Raw(f"code {said} is bad\r\n\r\n".encode())]) as server:
        project = make_project(tmp_path, server.url, max_attempts=1)
        project.template("otp", CODE_TEMPLATE)
        error = project.error("otp", {"code": "4081-7263"})
    assert "***" in error.message or "withheld" in error.message
    found = everything_about(error) + "".join(logged) + all_bytes(tmp_path)
    assert not any(form in found for form in (said, "4081", repr(said.encode())[2:-1]))


def test_sensitive_values_are_not_in_the_ledgers_bytes(tmp_path):
    """Long enough that chance cannot put it there."""
    code, persian = "40817263", "۴۰۸۱۷۲۶۳"
    with FaultServer([Answer(200, f"{code} and {persian}".encode())]) as server:
        project = make_project(tmp_path, server.url)
        project.template("otp", "---\nsensitive: [code]\n---\nکد شما: {{ code | fa_digits }}، {{ code }}")
        project.send("otp", {"code": code})
    assert persian in server.requests[0].body.decode()
    found = b"".join(path.read_bytes() for path in tmp_path.glob("ledger.db*") if path.is_file())
    assert "کد شما: ***".encode() in found
    for form in (code, persian, json.dumps(persian)[1:-1], quote(persian)):
        assert form.encode() not in found


def test_a_sensitive_value_is_in_no_error_before_the_send(tmp_path):
    """A link that is refused is quoted without it."""
    project = make_project(tmp_path, "http://127.0.0.1:9")
    project.template("otp", '---\nsensitive: [code]\nextra: {link: "javascript:{{ code }}"}\n---\nسلام')
    error = project.error("otp", {"code": "40817263"})
    assert error.code == "link_refused"
    found = everything_about(error)
    assert "40817263" not in found.replace('{"code": "40817263"}', "the source of this test")
