"""`send`: one message now, its document, its exit statuses, and what an interruption leaves behind."""

import asyncio
import json
import re
import signal
import sqlite3
import subprocess
import threading
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from helpers.command_line import COMMAND, catches, environment, run_command, started_command, wait_until
from helpers.fault_server import Answer, FaultServer, Hang, refusing_address
from metrix_channels import AsyncNotifier, ChannelUnverified, Notifier

SEND = ("send", "sms", "--to", "user-42", "--template", "otp", "--set", "code=4821")


def outcomes(config):
    """Read the outcomes of all sends from the ledger."""
    with closing(sqlite3.connect(config.with_name("metrix-channels.db"))) as ledger:
        rows = ledger.execute("SELECT receipts FROM sends").fetchall()
    return [receipt["outcome"] for (text,) in rows for receipt in json.loads(text or "[]")]


def test_the_document_of_an_accepted_message(metrix, config, metrix_sandbox):
    """Exactly what the contract says, key by key, and nothing on stderr."""
    result = metrix("--config", config, *SEND, "--json")
    [receipt] = result.document["receipts"]
    assert (result.status, result.err, list(result.document)) == (0, "", ["receipts"])
    assert re.fullmatch(r"[0-9a-f]{32}", receipt.pop("id"))
    at = receipt.pop("at")
    assert at.endswith("Z")
    assert abs((datetime.fromisoformat(at) - datetime.now(UTC)).total_seconds()) < 60
    assert receipt == {
        "channel": "sms",
        "recipients": ["user-42"],
        "outcome": "accepted",
        "attempts": 1,
        "status_code": 200,
        "possible_duplicate": False,
        "repeated": False,
        "error": None,
    }
    assert metrix_sandbox.messages()[0]["message"] == {"body": "کد ورود شما: 4821"}


def test_the_text_of_an_accepted_message_goes_to_stdout(metrix, config):
    """Outcome, recipients and the id that the ledger knows it by."""
    result = metrix("--config", config, *SEND, "--to", "user-43")
    assert result.err == ""
    assert re.search(r"accepted +user-42, user-43 +1 +200 +[0-9a-f]{32}", result.out)


def test_options_shared_by_all_verbs_stand_anywhere(metrix, config):
    """--config and --json before and after the verb are one."""
    for arguments in (
        ("--json", "--config", config, *SEND),
        (*SEND, "--json", f"--config={config}"),
        ("--json", *SEND, "--config", config),
    ):
        assert metrix(*arguments).document["receipts"][0]["outcome"] == "accepted"


def test_more_words_go_to_stderr(config):
    """-vv tells of each attempt; stdout holds the document alone, and the key is nowhere."""
    result = run_command("--config", config, *SEND, "-vv", "--json", cwd=config.parent)
    assert result.status == 0
    assert re.search(r"INFO metrix_channels: Metrix answered 200\. attempt=[0-9a-f]{12} channel=sms", result.err)
    assert "attempt=" not in result.out
    assert config.with_name("metrix.key").read_text() not in result.out + result.err


def test_values_come_from_a_file_and_from_the_line_which_wins(metrix, config, tmp_path, metrix_sandbox):
    """Numbers in the file stay numbers."""
    (tmp_path / "values.json").write_text('{"code": 7, "unused": [1, {"a": null}]}')
    assert metrix("--config", config, *SEND[:-2], "--context", tmp_path / "values.json").status == 0
    assert metrix("--config", config, *SEND, "--context", tmp_path / "values.json").status == 0
    bodies = [each["message"]["body"] for each in metrix_sandbox.messages()]
    assert bodies == ["کد ورود شما: 7", "کد ورود شما: 4821"]


def test_the_locale_chooses_the_text(metrix, config, metrix_sandbox):
    """English for en-GB."""
    metrix("--config", config, *SEND, "--locale", "en-GB")
    assert metrix_sandbox.messages()[0]["message"]["body"] == "Your code: 4821"


def test_one_key_one_message(metrix, config, metrix_sandbox):
    """The second command gets the first receipt; other content under the key is an error, and nothing is sent."""
    calls = [metrix("--config", config, *SEND, "--key", "login-42", "--json").document for _ in range(2)]
    assert [each["receipts"][0].pop("repeated") for each in calls] == [False, True]
    assert calls[0] == calls[1]
    text = metrix("--config", config, *SEND, "--key", "login-42").out
    assert "accepted (repeated)" in text
    assert "Nothing was sent now." in text
    other = metrix("--config", config, *SEND, "--set", "code=1", "--key", "login-42", "--json")
    assert (other.status, other.document["error"]["code"]) == (2, "key_reused")
    assert len(metrix_sandbox.requests()) == 1


def test_a_dry_run_shows_the_bodies_as_they_would_go(metrix, config, metrix_sandbox):
    """The same body that the sandbox gets afterwards, the key masked, no request."""
    shown = metrix("--config", config, *SEND, "--dry-run", "--json")
    [request] = shown.document["requests"]
    assert (shown.status, request["method"], request["url"]) == (0, "POST", f"{metrix_sandbox.url}/push")
    assert request["headers"]["X-API-Key"] == "***"
    assert request["headers"]["X-Application-Id"] == metrix_sandbox.app_id
    assert request["body"] == {"recipients": ["user-42"], "channel": "SMS", "message": {"body": "کد ورود شما: 4821"}}
    text = metrix("--config", config, *SEND, "--dry-run").out
    assert "کد ورود شما: 4821" in text
    assert text.endswith("Nothing was sent.\n")
    assert metrix_sandbox.requests() == []
    assert not config.with_name("metrix-channels.db").exists()


@pytest.mark.parametrize("dry", [(), ("--dry-run",)])
@pytest.mark.parametrize("key", ["", " ", "a\nb", "a\u202eb"])
def test_a_key_that_is_no_line_of_text(metrix, config, key, dry):
    """A dry run says so as well: what it shows could not be sent."""
    result = metrix(
        "--config", config, "send", "sms", "--to", "u1", "--template", "otp", "--set", "code=1", "--key", key, *dry
    )
    assert (result.status, "not one line of text" in result.err) == (2, True)
    assert 'such as key="order-1042-shipped"' in result.err


def test_a_dry_run_needs_no_key(metrix, config):
    """It shows none."""
    config.with_name("metrix.key").unlink()
    assert metrix("--config", config, *SEND, "--dry-run").status == 0


def test_a_deadline_ends_a_send_that_metrix_does_not_answer(metrix, config, metrix_sandbox):
    """The configuration would wait for ten seconds; what was under way is unknown."""
    metrix_sandbox.inject("hang", times=9)
    result = metrix("--config", config, *SEND, "--deadline", "800ms", "--json")
    assert (result.status, result.document["error"]["code"]) == (1, "outcome_unknown")
    assert outcomes(config) == ["unknown"]


@pytest.mark.parametrize("deadline", ["3", "0s", "-1s", "soon", "", "2d", "9999999999d"])
def test_a_deadline_is_a_duration_up_to_a_day(metrix, config, metrix_sandbox, deadline):
    """Anything else is a slip, and nothing is sent."""
    result = metrix("--config", config, *SEND, "--deadline", deadline, "--json")
    assert (result.status, result.document["error"]["code"]) == (2, "usage")
    assert "3s" in result.document["error"]["remedy"]
    assert metrix_sandbox.requests() == []


@pytest.mark.parametrize(
    ("fault", "status", "code", "outcome", "attempts"),
    [
        ("status:503", 4, "unavailable", "not_sent", 2),
        ("status:429", 4, "unavailable", "not_sent", 2),
        ("status:400", 1, "rejected", "rejected", 1),
        ("status:403", 4, "credentials_refused", "not_sent", 1),
        ("status:401", 4, "credentials_refused", "not_sent", 1),
        ("status:404", 4, "endpoint_refused", "not_sent", 1),
        ("status:307", 4, "redirected", "not_sent", 1),
        ("drop", 1, "outcome_unknown", "unknown", 2),
        ("status:500", 1, "outcome_unknown", "unknown", 2),
        ("html", 1, "outcome_unknown", "unknown", 1),
    ],
)
def test_each_failure_has_its_exit_status(metrix, config, metrix_sandbox, fault, status, code, outcome, attempts):
    """The receipts stand beside the error in the document, and in the ledger."""
    metrix_sandbox.inject(fault, times=9)
    result = metrix("--config", config, *SEND, "--json")
    [receipt] = result.document["receipts"]
    assert (result.status, result.document["error"]["code"]) == (status, code)
    assert set(result.document["error"]) == {"code", "message", "remedy", "location"}
    assert (receipt["outcome"], receipt["attempts"], receipt["error"]["code"]) == (outcome, attempts, code)
    is_in_doubt = "It is not known whether Metrix accepted the message." in result.document["error"]["message"]
    assert is_in_doubt == (outcome == "unknown")
    assert len(metrix_sandbox.requests()) == attempts
    assert outcomes(config) == [outcome]


@pytest.mark.parametrize("fault", ["status:403", "status:404", "status:503"])
def test_whatever_follows_a_lost_answer_a_script_is_not_told_to_send_again(metrix, config, metrix_sandbox, fault):
    """Exit status 1, not 4: the message may have arrived."""
    metrix_sandbox.inject("drop")
    metrix_sandbox.inject(fault, times=9)
    result = metrix("--config", config, *SEND, "--json")
    assert (result.status, result.document["receipts"][0]["outcome"]) == (1, "unknown")


def test_in_text_the_error_is_on_stderr_and_the_receipt_on_stdout(metrix, config, metrix_sandbox):
    """What happened, its code, what to do."""
    metrix_sandbox.inject("status:400")
    result = metrix("--config", config, *SEND)
    assert "rejected" in result.out
    assert "[rejected]" in result.err
    assert "Check that Metrix knows the recipient" in result.err


def test_an_ambiguous_attempt_before_an_accepted_one_is_shown(metrix, config, metrix_sandbox):
    """It may have gone out twice: the receipt says so, in both forms."""
    metrix_sandbox.inject("drop")
    assert "possible duplicate" in metrix("--config", config, *SEND).out
    metrix_sandbox.inject("drop")
    assert metrix("--config", config, *SEND, "--json").document["receipts"][0]["possible_duplicate"] is True


def test_nobody_listens(metrix, metrix_config, templates):
    """Nothing was sent: exit status 4."""
    with refusing_address() as url:
        path = metrix_config(templates=templates, metrix={"base_url": url, "max_attempts": 2})
        result = metrix("--config", path, *SEND, "--json")
    assert (result.status, result.document["error"]["code"]) == (4, "unreachable")


def test_a_ledger_that_cannot_be_written_stops_everything(metrix, metrix_config, templates, metrix_sandbox):
    """No ledger, no request."""
    path = metrix_config(templates=templates, ledger="sqlite:///./nowhere/ledger.db")
    result = metrix("--config", path, *SEND, "--json")
    assert (result.status, result.document["error"]["code"]) == (4, "ledger_unavailable")
    assert metrix_sandbox.requests() == []


@pytest.mark.parametrize("value", [None, "", " ", "s3cr\r\net", "s3cr et", "s3cr€t"])
def test_a_bad_key_is_named_by_its_variable_and_never_shown(
    metrix, metrix_config, templates, metrix_sandbox, monkeypatch, value
):
    """Nothing is sent."""
    monkeypatch.delenv("METRIX_TEST_KEY", raising=False)
    if value is not None:
        monkeypatch.setenv("METRIX_TEST_KEY", value)
    path = metrix_config(templates=templates, metrix={"api_key_file": None, "api_key": "${METRIX_TEST_KEY}"})
    path.write_text(path.read_text().replace('    "api_key_file": null,\n', ""))
    result = metrix("--config", path, *SEND, "--json")
    assert result.status == 2
    assert result.document["error"]["code"] in ("secret_missing", "secret_invalid")
    assert "METRIX_TEST_KEY" in result.document["error"]["message"]
    assert "s3cr" not in result.out + result.err
    assert metrix_sandbox.requests() == []


# -- signals


def test_a_signal_lets_the_attempt_in_flight_finish_and_begins_no_other(templates, metrix_config):
    """The server hangs: the attempt ends at its timeout, nothing follows, exit status 4."""
    with FaultServer([Hang()]) as server:
        path = metrix_config(templates=templates, metrix={"base_url": server.url, "timeout": "2s"})
        with started_command("--config", path, *SEND, "--json", cwd=path.parent) as process:
            wait_until(lambda: server.requests)
            process.send_signal(signal.SIGTERM)
            out, err = process.communicate(timeout=60)
        assert len(server.requests) == 1
    assert (process.returncode, err) == (4, b"")
    assert [receipt["outcome"] for receipt in json.loads(out)["receipts"]] == ["unknown"]
    assert outcomes(path) == ["unknown"]


def test_a_signal_while_it_waits_for_the_next_attempt_ends_the_wait(templates, metrix_config):
    """Busy for five minutes, says the server; nobody waits that long after Ctrl-C."""
    with FaultServer([Answer(503, headers={"Retry-After": "300"})]) as server:
        path = metrix_config(templates=templates, metrix={"base_url": server.url, "deadline": "10m"})
        with started_command("--config", path, *SEND, "--json", cwd=path.parent) as process:
            wait_until(lambda: server.bytes_sent)
            process.send_signal(signal.SIGTERM)
            out, _ = process.communicate(timeout=60)
        assert len(server.requests) == 1
    assert process.returncode == 4
    assert [receipt["outcome"] for receipt in json.loads(out)["receipts"]] == ["not_sent"]


def test_an_attempt_that_succeeds_after_the_signal_counts(config, metrix_sandbox):
    """Slow, but accepted: exit status 0."""
    metrix_sandbox.inject("slow:0.6")
    with started_command("--config", config, *SEND, "--json", cwd=config.parent) as process:
        wait_until(metrix_sandbox.messages)
        process.send_signal(signal.SIGINT)
        out, _ = process.communicate(timeout=60)
    assert (process.returncode, json.loads(out)["receipts"][0]["outcome"]) == (0, "accepted")


@pytest.mark.parametrize("second", [signal.SIGINT, signal.SIGTERM], ids=lambda number: number.name)
def test_a_second_signal_ends_the_process_at_once(templates, metrix_config, second):
    """Whichever of the two comes second."""
    with FaultServer([Hang()]) as server:
        path = metrix_config(templates=templates, metrix={"base_url": server.url, "timeout": "50s"})
        with started_command("--config", path, *SEND, cwd=path.parent) as process:
            wait_until(lambda: server.requests)
            process.send_signal(signal.SIGINT)
            wait_until(lambda: not catches(process, signal.SIGINT))
            assert process.poll() is None
            process.send_signal(second)
            _, err = process.communicate(timeout=60)
    assert (process.returncode, err) == (-second, b"")


# -- where the result goes


@pytest.mark.parametrize(
    "redirection",
    ["| head -c 0", "--json >&-", ">&- 2>&-", "--json > /dev/full", "> /dev/full 2>&1"],
)
def test_a_result_that_nobody_can_read_changes_nothing(config, metrix_sandbox, redirection):
    """The message went once, the ledger says so, and no traceback appears."""
    command = " ".join([COMMAND, "--config", str(config), *SEND, redirection])
    result = subprocess.run(
        command, shell=True, cwd=config.parent, env=environment(), capture_output=True, text=True, timeout=60
    )
    assert "Traceback" not in result.stdout + result.stderr
    assert "Exception ignored" not in result.stderr
    assert result.returncode in (0, 1)
    assert outcomes(config) == ["accepted"]
    assert len(metrix_sandbox.requests()) == 1


def test_a_full_disk_behind_stdout_is_spoken_of(config):
    """Exit status 1, and a warning not to send again."""
    with Path("/dev/full").open("wb") as full:
        result = subprocess.run(
            [COMMAND, "--config", str(config), *SEND],
            env=environment(),
            cwd=config.parent,
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
        )
    assert result.returncode == 1
    assert "could not be printed: No space left on device. [file_unwritable]" in result.stderr
    assert "Repeat a message only with its --key" in result.stderr


def test_persian_is_printed_whatever_the_terminal_can_show(config):
    """A terminal that knows ASCII alone gets escapes, not a fault; JSON is UTF-8 all the same."""
    call = ("--config", config, *SEND, "--dry-run")
    result = run_command(*call, cwd=config.parent, env={"PYTHONIOENCODING": "ascii"})
    assert (result.status, r"\u06a9\u062f" in result.out) == (0, True)
    result = run_command(*call, "--json", cwd=config.parent, env={"PYTHONIOENCODING": "ascii"})
    assert "کد" in result.document["requests"][0]["body"]["message"]["body"]


def test_the_ledger_is_private(metrix, config):
    """It holds recipients."""
    metrix("--config", config, *SEND)
    assert config.with_name("metrix-channels.db").stat().st_mode & 0o077 == 0


# -- the gate: nothing leaves through a channel that nobody tested

TODAY = datetime.now(UTC).date()
UNTESTED = {
    "channel_unverified": False,
    "verification_expired": {"at": str(TODAY - timedelta(days=91)), "expires": "90d"},
    "verification_foreign": {"at": str(TODAY), "app_id": "staging"},
    "verification_in_future": {"at": str(TODAY + timedelta(days=2))},
}


def send_by_command(path, metrix):
    return metrix("--config", path, *SEND, "--json").document["error"]["code"]


def dry_run_by_command(path, metrix):
    return metrix("--config", path, *SEND, "--dry-run", "--json").document["error"]["code"]


def send_synchronously(path, metrix):
    with Notifier.from_config(path) as notifier, pytest.raises(ChannelUnverified) as caught:
        notifier.send("sms", to="user-42", template="otp", context={"code": "4821"})
    return caught.value.code


def send_asynchronously(path, metrix):
    async def send():
        async with AsyncNotifier.from_config(path) as notifier:
            await notifier.send("sms", to="user-42", template="otp", context={"code": "4821"})

    with pytest.raises(ChannelUnverified) as caught:
        asyncio.run(send())
    return caught.value.code


@pytest.mark.parametrize("code", UNTESTED)
@pytest.mark.parametrize(
    "entry", [send_by_command, dry_run_by_command, send_synchronously, send_asynchronously], ids=lambda e: e.__name__
)
def test_no_way_leads_past_the_gate(metrix, metrix_config, metrix_sandbox, templates, entry, code):
    """Unverified, expired, foreign, in the future: refused with its code and without one request."""
    path = metrix_config(templates=templates, channels={"sms": {"type": "sms", "verified": UNTESTED[code]}})
    assert entry(path, metrix) == code
    assert metrix_sandbox.requests() == []
    assert not path.with_name("metrix-channels.db").exists()


def test_a_refusal_ends_with_3_and_says_where_and_what_to_do(metrix, metrix_config, templates):
    """File, line and column of the verification; how to test the channel."""
    path = metrix_config(templates=templates, channels={"sms": {"type": "sms", "verified": False}})
    result = metrix("--config", path, *SEND)
    assert (result.status, result.out) == (3, "")
    assert re.match(rf"{re.escape(str(path))}:\d+:\d+: ", result.err)
    assert "channels verify" in result.err


def test_a_key_that_was_accepted_once_opens_no_gate(metrix, config, metrix_sandbox):
    """Even where nothing would be sent again."""
    metrix("--config", config, *SEND, "--key", "login-42")
    config.write_text(config.read_text().replace('"verified": true', '"verified": false'))
    assert metrix("--config", config, *SEND, "--key", "login-42").status == 3
    assert len(metrix_sandbox.requests()) == 1


def test_a_verification_withdrawn_while_a_notifier_lives_counts_at_once(config, metrix_sandbox):
    """The file is looked at again before each send; given back, the same notifier sends again."""
    verified = config.read_text()
    arguments = {"to": "user-42", "template": "otp", "context": {"code": "4821"}}
    with Notifier.from_config(config) as notifier:
        notifier.send("sms", **arguments)
        config.write_text(verified.replace('"verified": true', '"verified": false'))
        with pytest.raises(ChannelUnverified):
            notifier.send("sms", **arguments)
        with pytest.raises(ChannelUnverified):
            notifier.dry_run("sms", **arguments)
        assert len(metrix_sandbox.requests()) == 1
        config.write_text(verified)
        notifier.send("sms", **arguments)
    assert len(metrix_sandbox.requests()) == 2


def test_a_verification_withdrawn_between_two_attempts_ends_the_send(config, metrix_sandbox):
    """The second attempt is not made; the receipt of the first tells what is known."""
    metrix_sandbox.inject("status:503;retry-after=5", times=9)

    def withdraw():
        wait_until(metrix_sandbox.requests)
        config.write_text(config.read_text().replace('"verified": true', '"verified": false'))

    with Notifier.from_config(config) as notifier:
        threading.Thread(target=withdraw).start()
        with pytest.raises(ChannelUnverified) as caught:
            notifier.send("sms", to="user-42", template="otp", context={"code": "4821"})
    assert (caught.value.receipt.outcome, caught.value.receipt.attempts) == ("not_sent", 1)
    assert len(metrix_sandbox.requests()) == 1


@pytest.mark.parametrize("opening", ["\n---", "----", "\u200f---"])
def test_front_matter_that_is_almost_there_is_never_sent(opening, metrix, config, templates, metrix_sandbox):
    """The place is named; neither the fields nor the code reach anybody, and the ledger knows nothing of them."""
    path = templates / "otp" / "sms.txt.j2"
    path.write_text(f"{opening}\ntitle: x\nsensitive: [code]\n---\n{{{{ code }}}}", encoding="utf-8")
    result = metrix("--config", config, *SEND, "--json")
    error = result.document["error"]
    assert (result.status, error["code"]) == (2, "template_front_matter")
    assert error["location"].startswith(f"{path}:")
    assert metrix_sandbox.messages() == []
    assert not any(b"4821" in file.read_bytes() for file in config.parent.glob("*.db*"))


@pytest.mark.parametrize(
    ("locale", "body"), [("en", "Your code: 4821"), ("en_US", "Your code: 4821"), ("EN", "Your code: 4821")]
)
def test_a_locale_may_be_written_as_systems_do(locale, body, metrix, config, metrix_sandbox):
    """Case and `_` make no difference."""
    assert metrix("--config", config, *SEND, "--locale", locale).status == 0
    assert metrix_sandbox.messages()[0]["message"]["body"] == body


def test_a_dry_run_tells_of_a_locale_without_a_template(metrix, config):
    """In its JSON and on the terminal: the text is in another language."""
    result = metrix("--config", config, *SEND, "--locale", "de", "--dry-run", "--json")
    assert [each["code"] for each in result.document["cautions"]] == ["locale_without_template"]
    assert "no file for the locale de" in metrix("--config", config, *SEND, "--locale", "de", "--dry-run").err
    assert metrix("--config", config, *SEND, "--locale", "en", "--dry-run", "--json").document["cautions"] == []


@pytest.mark.parametrize("verb", [SEND, ("preview", "otp")])
def test_the_name_of_a_language_is_no_locale(verb, metrix, config, metrix_sandbox):
    """Nobody gets the text in another language in silence."""
    result = metrix("--config", config, *verb, "--locale", "english")
    assert result.status == 2
    assert "did you mean en?" in result.out + result.err
    assert metrix_sandbox.messages() == []


def test_a_key_may_be_written_in_persian(metrix, config, metrix_sandbox):
    """With its joiners; what turns a line around is refused."""
    assert metrix("--config", config, *SEND, "--key", "سفارش\u200cها-۷").status == 0
    assert metrix("--config", config, *SEND, "--key", "سفارش\u202eها").status == 2
    assert len(metrix_sandbox.messages()) == 1


def test_the_remedy_of_an_unreachable_server_fits_any_address(metrix, metrix_config, templates):
    """Nobody who sends to another base_url is told to look up Metrix's own."""
    with refusing_address() as url:
        config = metrix_config(templates=templates, metrix={"base_url": url, "max_attempts": 1})
        error = metrix("--config", config, *SEND, "--json").document["error"]
    assert error["code"] == "unreachable"
    assert "metrix-channels doctor" in error["remedy"]
    assert "entry.metrix.ir" not in error["remedy"]
