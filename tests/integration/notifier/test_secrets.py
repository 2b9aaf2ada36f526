"""The key and sensitive values are shown nowhere, in no encoding, whatever the server says back."""

import base64
import html
import json
import logging
import traceback
from urllib.parse import quote, quote_plus

import pytest
from attrs import evolve

from metrix_channels.errors import MetrixChannelsError, Rejected
from support.fault_server import Answer, FaultServer, Reset, Truncated
from support.project import API_KEY, make_project


def forms(secret):
    """A secret in each encoding that a server, a log or a tool may put it in."""
    raw = secret.encode()
    return {
        "plain": secret,
        "base64": base64.b64encode(raw).decode(),
        "base64, behind a name": base64.b64encode(b"app-1:" + raw).decode(),
        "base64 for URLs": base64.urlsafe_b64encode(raw).decode(),
        "URL": quote(secret, safe=""),
        "URL in lower case": quote(secret, safe="").lower(),
        "form": quote_plus(secret),
        "JSON": json.dumps(secret)[1:-1],
        "HTML": html.escape(secret),
        "repr": repr(secret)[1:-1],
        "hex": raw.hex(),
    }


class Everything(logging.Handler):
    """Collects all that is logged, with its arguments."""

    def __init__(self):
        super().__init__(logging.DEBUG)
        self.texts = []

    def emit(self, record):
        self.texts.append(f"{record.getMessage()} {record.__dict__!r}")


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
    return b"\n".join(path.read_bytes() for path in folder.glob("ledger.db*") if path.is_file()).decode("latin-1")


ECHO = [Answer(400), Answer(403), Answer(500), Answer(200), Answer(302), Truncated(status=400), Truncated(status=500)]


@pytest.mark.parametrize("behaviour", ECHO, ids=lambda each: f"{type(each).__name__} {each.status}")
def test_a_key_that_the_server_echoes_is_shown_nowhere(tmp_path, logged, behaviour):
    """Not in errors, receipts, logs or the ledger; and the rest of the answer is still there."""
    body = f"You sent {' | '.join(forms(API_KEY).values())} to us.".encode()
    with FaultServer([evolve(behaviour, body=body)]) as server:
        project = make_project(tmp_path, server.url, max_attempts=1)
        try:
            found = repr(project.send())
        except MetrixChannelsError as error:
            found = everything_about(error)
    assert server.requests[0].headers["x-api-key"] == API_KEY
    found += "".join(logged) + all_bytes(tmp_path)
    assert "You sent" in found
    for name, text in forms(API_KEY).items():
        assert text not in found, name


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
    assert not any(text in found for text in forms(API_KEY).values())


def test_a_key_is_in_no_error_of_a_connection(tmp_path, logged):
    """Nor in what other libraries say of it."""
    with FaultServer([Reset()]) as server:
        error = make_project(tmp_path, server.url, max_attempts=2).error()
    found = everything_about(error) + "".join(logged) + all_bytes(tmp_path)
    assert not any(text in found for text in forms(API_KEY).values())


SECRETS = {"text": "4081", "number": 4081, "list": ["4081"], "mapping": {"inner": "4081"}}


@pytest.mark.parametrize("value", SECRETS.values(), ids=SECRETS)
@pytest.mark.parametrize("echo", ["4081", "۴۰۸۱", r"\u06f4\u06f0\u06f8\u06f1", "%DB%B4%DB%B0%DB%B8%DB%B1"])
def test_sensitive_values_are_shown_nowhere(tmp_path, logged, value, echo):
    """Neither those that were sent nor those that the server says back, in Persian digits either."""
    text = "---\nsensitive: [code]\n---\nکد: {% for x in [code] %}{{ x if x is not iterable else '' }}{% endfor %}."
    if isinstance(value, (str, int)):
        text = "---\nsensitive: [code]\n---\nکد شما: {{ code | fa_digits }}"
    with FaultServer([Answer(400, f"The text {echo} is bad.".encode())]) as server:
        project = make_project(tmp_path, server.url)
        project.template("otp", text)
        error = project.error("otp", {"code": value})
    assert isinstance(error, Rejected)
    assert "The text *** is bad." in error.message
    rows = [project.query(f"SELECT * FROM {table}") for table in ("sends", "attempts")]
    visible = [row[:3] + row[4:-1] for row in rows[0]] + [row[2:-1] for row in rows[1]]
    assert echo not in everything_about(error) + "".join(logged) + repr(visible)


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
