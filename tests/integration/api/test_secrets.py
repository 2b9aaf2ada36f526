"""What a server says back shows no secret, on either wire, wherever in its answer it says it."""

import asyncio
import logging
from urllib.parse import quote

import pytest

from helpers.encodings import one_line, shown
from helpers.fault_server import Answer, FaultServer, Raw, refusing_address
from helpers.project import API_KEY
from helpers.verdicts import judged
from metrix_channels.api import Endpoint, open_transport
from metrix_channels.redact import Redactor, Secret

FORMS = one_line(API_KEY)


def in_body(form):
    return Answer(403, f'{{"error": "{form}"}}'.encode())


def in_reason(form):
    return Raw(f"HTTP/1.1 403 {form}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n".encode())


def in_header(form):
    return Answer(503, b"", {"X-Echo": form, "Location": form, "Retry-After": form, "Date": form, "Content-Type": form})


def in_no_http(form):
    return Raw(f"{form}\r\n\r\n".encode())


def in_bad_header(form):
    return Raw(f"HTTP/1.1 403 No\r\n{form}\r\n\r\n".encode())


def in_cut_body(form):
    return Raw(f"HTTP/1.1 500 No\r\nContent-Length: 9999\r\n\r\n{form}".encode())


@pytest.mark.parametrize("place", [in_body, in_reason, in_header, in_no_http, in_bad_header, in_cut_body])
def test_a_key_that_comes_back_is_shown_nowhere(wire, caplog, place):
    """Not in the answer as the program sees it, in what that means, or in logs at DEBUG, in no encoding."""
    caplog.set_level(logging.DEBUG)
    caplog.set_level(logging.DEBUG, "httpcore")

    async def run(url):
        transport = wire(Endpoint(url), Redactor(Secret(API_KEY, "the API key")))
        found = [await transport.post("/push", {"X-API-Key": API_KEY}, b"{}", 5) for _ in FORMS]
        await transport.close()
        return found

    with FaultServer([place(form) for form in FORMS.values()]) as server:
        found = asyncio.run(run(server.url))
    assert len(server.requests) == len(FORMS)
    texts = [f"{exchange!r} {judged(exchange)!r} {getattr(exchange, 'body', '')}" for exchange in found]
    assert {name: shown(text, API_KEY) for name, text in zip(FORMS, texts, strict=True) if shown(text, API_KEY)} == {}
    assert shown(caplog.text, API_KEY) == []


def test_a_failures_reason_is_cleaned_whoever_worded_it(wire):
    """Here a secret happens to be what the library says of a connection that is refused."""

    async def reason(*secrets):
        with refusing_address() as url:
            transport = wire(Endpoint(url), Redactor(*secrets))
            failure = await transport.post("/push", {}, b"{}", 5)
            await transport.close()
        return failure.reason

    word = asyncio.run(reason()).split()[1]
    assert word not in asyncio.run(reason(Secret(word)))


def test_others_may_log_what_httpcore_does(caplog):
    """It is silent about the attempts of this library alone."""
    httpx = pytest.importorskip("httpx")
    caplog.set_level(logging.DEBUG, "httpcore")
    with FaultServer([Answer(200, b"", {"X-Said": "hello"})]) as server:
        httpx.get(server.url, trust_env=False)
    assert "hello" in caplog.text


def test_a_proxys_password_is_shown_in_no_encoding():
    """It refuses the way, and quotes what it was told."""
    password = 'p@ss/w"4081'
    forms = one_line(password)

    async def run(url):
        proxy = url.replace("//", f"//sara:{quote(password, safe='')}@")
        endpoint = Endpoint("https://metrix.invalid", proxy)
        transport = open_transport(endpoint, Redactor(*endpoint.secrets))
        found = [await transport.post("/push", {}, b"{}", 5) for _ in forms]
        await transport.close()
        return found

    with FaultServer(
        [Raw(f"HTTP/1.1 407 {form}\r\nContent-Length: 0\r\n\r\n".encode()) for form in forms.values()]
    ) as server:
        found = asyncio.run(run(server.url))
    assert "407" in repr(found) or "withheld" in repr(found)
    assert shown(repr(found), password) == []
