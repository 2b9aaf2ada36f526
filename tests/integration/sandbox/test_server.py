"""The sandbox starts ready and stops at once, whatever goes on in it."""

import gc
import logging
import signal
import socket
import subprocess
import sys
import threading
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

import httpx
import pytest

from metrix_channels.errors import UsageError
from metrix_channels.pages.serving import transport_of
from metrix_channels.sandbox import Sandbox

_PUSH = {"recipients": ["u1"], "channel": "SMS", "message": {"body": "سلام"}}
_SERVE = """
from metrix_channels.sandbox import serve
serve(0, "127.0.0.1", lambda sandbox: print(sandbox.url, flush=True))
print("ended", flush=True)
"""


def _post(sandbox: Sandbox, timeout: float = 60) -> httpx.Response:
    headers = {"X-Application-Id": sandbox.app_id, "X-API-Key": sandbox.api_key}
    return httpx.post(
        f"{sandbox.url}/push", json=_PUSH, headers=headers, trust_env=False, verify=False, timeout=timeout
    )


@contextmanager
def _at_most(seconds: float) -> Iterator[None]:
    """A third of what it would take to wait for the others, and an order of magnitude more than it takes."""
    started = time.monotonic()
    yield
    assert time.monotonic() - started < seconds


def test_it_answers_when_start_returns_and_not_after_stop() -> None:
    """The first request needs no waiting; after stop the port is free."""
    with Sandbox() as sandbox:
        assert _post(sandbox).status_code == 200
    with pytest.raises(httpx.ConnectError):
        _post(sandbox)
    with socket.create_server(("127.0.0.1", sandbox.port)):
        pass


def test_it_comes_back_on_the_same_port() -> None:
    """Stop and start make an outage, and what was received before is still known."""
    sandbox = Sandbox()
    with sandbox:
        url = sandbox.url
        _post(sandbox)
    with sandbox:
        assert sandbox.url == url
        _post(sandbox)
        assert len(sandbox.messages()) == 2


def test_starting_and_stopping_twice_is_harmless() -> None:
    """A second start keeps the running server, a second stop does nothing."""
    sandbox = Sandbox()
    sandbox.stop()
    sandbox.start()
    port = sandbox.port
    sandbox.start()
    assert sandbox.port == port
    sandbox.stop()
    sandbox.stop()


@pytest.mark.parametrize("fault", ["hang", "slow:60"])
def test_stop_does_not_wait_for_hanging_requests(fault: str, caplog: pytest.LogCaptureFixture) -> None:
    """Their connections are cut; nothing is logged, and no thread stays."""
    before = threading.active_count()
    errors: list[Exception] = []

    def wait() -> None:
        try:
            _post(sandbox)
        except httpx.HTTPError as error:
            errors.append(error)

    with caplog.at_level(logging.WARNING), Sandbox() as sandbox:
        sandbox.inject(fault, times=3)
        clients = [threading.Thread(target=wait) for _ in range(3)]
        for client in clients:
            client.start()
        while len(sandbox.messages()) < 3:
            time.sleep(0.005)
        with _at_most(20):
            sandbox.stop()
            for client in clients:
                client.join()
    assert len(errors) == 3
    assert caplog.records == []
    assert threading.active_count() == before


def test_stop_does_not_wait_for_half_a_request() -> None:
    """A client that never finishes its request holds nothing up."""
    with Sandbox() as sandbox, socket.create_connection(("127.0.0.1", sandbox.port)) as client:
        client.sendall(b"POST /push HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\n{")
        assert _post(sandbox).status_code == 200  # the half came before it
        with _at_most(20):
            sandbox.stop()


def test_client_that_leaves_in_the_middle_is_forgotten(caplog: pytest.LogCaptureFixture) -> None:
    """Half a request is no request: it is neither kept nor logged."""
    with Sandbox() as sandbox:
        with socket.create_connection(("127.0.0.1", sandbox.port)) as client:
            client.sendall(b"POST /push HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\n{")
        assert _post(sandbox).status_code == 200
        assert len(sandbox.requests()) == 1
    assert [record for record in caplog.records if record.levelno >= logging.WARNING] == []


def test_nothing_is_left_open() -> None:
    """No socket and no event loop is left to the garbage collector."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        with Sandbox() as sandbox:
            _post(sandbox)
            sandbox.inject("drop")
            with pytest.raises(httpx.RemoteProtocolError):
                _post(sandbox)
        del sandbox
        gc.collect()
    assert [str(warning.message) for warning in caught if issubclass(warning.category, ResourceWarning)] == []


def test_taken_port_is_an_error_that_names_it() -> None:
    """Two sandboxes cannot share a port."""
    with Sandbox() as first, pytest.raises(UsageError, match=str(first.port)) as caught:
        Sandbox(port=first.port).start()
    assert caught.value.code == "port_unavailable"


@pytest.mark.parametrize(("host", "port"), [("127.0.0.1", 65_536), ("a" * 64 + ".example", 0), ("203.0.113.1", 0)])
def test_impossible_address_is_an_error(host: str, port: int) -> None:
    """A port out of range, a name that is none, an address of another machine."""
    with pytest.raises(UsageError) as caught:
        Sandbox(host=host, port=port).start()
    assert caught.value.code == "port_unavailable"


def test_another_port_is_no_remedy_for_an_address_of_another_machine() -> None:
    """The remedy says which addresses are possible."""
    with pytest.raises(UsageError) as caught:
        Sandbox(host="203.0.113.1", port=0).start()
    assert "an address of this machine" in caught.value.remedy
    assert "port" not in caught.value.remedy


def test_white_list_must_be_addresses() -> None:
    """A mistyped entry is found when the sandbox is made."""
    with pytest.raises(UsageError, match="allowed_ips"):
        Sandbox(allowed_ips=["10.0.0.999"])


def test_listening_everywhere_gives_a_usable_url() -> None:
    """The wildcard is no address to call; its own address passes the gate, a foreign name does not."""
    with Sandbox(host="0.0.0.0") as sandbox:
        assert sandbox.url == f"http://127.0.0.1:{sandbox.port}"
        assert _post(sandbox).status_code == 200
        answer = httpx.get(sandbox.url, headers={"Host": "evil.example"}, trust_env=False, verify=False)
        assert answer.status_code == 403


def test_answers_are_not_held_back() -> None:
    """Without TCP_NODELAY, each answer but the first on a connection might wait 40 ms."""
    with Sandbox() as sandbox, httpx.Client(base_url=sandbox.url, trust_env=False) as client:
        client.post("/push", json=_PUSH)
        assert sandbox._server is not None
        [connection] = sandbox._server.server_state.connections
        accepted = transport_of(connection).get_extra_info("socket")
        assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_serve_runs_until_it_is_asked_to_end(number: signal.Signals) -> None:
    """It says where it is, answers, and ends on a signal without a word on stderr."""
    with subprocess.Popen(
        [sys.executable, "-W", "error", "-c", _SERVE], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        url = process.stdout.readline().strip()
        assert httpx.get(url, trust_env=False, verify=False).status_code == 200
        with _at_most(20):
            process.send_signal(number)
            output, errors = process.communicate(timeout=60)
    assert (process.returncode, output, errors) == (0, "ended\n", "")


@pytest.mark.parametrize("package", ["starlette", "uvicorn"])
def test_missing_extra_is_an_error_that_names_the_command(package: str) -> None:
    """Without the extra, importing the sandbox says what to install."""
    code = f"""
import sys
sys.modules[{package!r}] = None
from metrix_channels.errors import ConfigError
try:
    import metrix_channels.sandbox
except ConfigError as error:
    assert error.code == "extra_missing" and {package!r} in error.message
    assert "pip install" in error.remedy and "[sandbox]'" in error.remedy
else:
    raise SystemExit("imported")
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
