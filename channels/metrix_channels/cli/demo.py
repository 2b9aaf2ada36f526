"""`demo`: a complete demonstration in its own sandbox."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import typer
from attrs import define, field
from rich.panel import Panel
from rich.text import Text

from .. import sample_files
from ..config import Verification
from ..config.editing import record_verification
from ..errors import MetrixChannelsError
from ..notifier import Notifier
from ..outcomes import Receipt
from ..process import wall_clock
from ..process.temporary import temporary_files
from ..templating import Templates
from .commands.preflight import show as show_preflight
from .context import app, example, state_of
from .ui.output import Output

if TYPE_CHECKING:
    from ..campaign import CampaignStatus
    from ..sandbox import Sandbox

_CONFIG = """\
version: 1
metrix:
  app_id: {app_id}
  api_key_file: metrix.key
  base_url: {url}
  batch_size: 50
  concurrency: 8
templates: {templates}
channels:
  sms: {{type: sms, verified: false}}
  push: {{type: app_push, verified: false}}
  email: {{type: email, verified: false}}
"""
_CAMPAIGN = """\
version: 1
name: nowruz
channel: sms
template: promotion
audience: {file: audience.csv}
context: {discount: 30, coupon: NOWRUZ30, ends_at: "2027-04-02"}
"""
_NAMES = ("سارا", "رضا", "لیلا", "مریم", "علی", "نگار", "امیر", "زهرا")
_AUDIENCE = 10_000
_KILL_AFTER = 40
_MAIN = "from metrix_channels.cli import main; main()"
_SENT = {"sms": "otp", "push": "otp", "email": "order_delivered"}
_CHANNELS = {"sms": "SMS", "push": "APP_PUSH", "email": "EMAIL"}


@app.command(epilog=example("metrix-channels demo"))
def demo(context: typer.Context) -> None:
    """Run a complete demo; needs no configuration.

    The demo starts its own sandbox, sends messages and a campaign to it, and deletes all its
    files at the end.
    """
    from ..sandbox import Sandbox

    state = state_of(context)
    with ExitStack() as until_told:
        with temporary_files():
            folder = until_told.enter_context(TemporaryDirectory(prefix="metrix-channels-demo-"))
        sandbox = until_told.enter_context(Sandbox())
        story = _Story(state.output, sandbox, _configure(Path(folder), sandbox))
        started = time.monotonic()
        for chapter in _CHAPTERS:
            chapter(story)
        state.status = 0 if story.as_expected else 1
        story.end(time.monotonic() - started)


def _configure(folder: Path, sandbox: Sandbox) -> Path:
    key = folder / "metrix.key"
    key.touch(0o600)
    key.write_text(sandbox.api_key)
    path = folder / "channels.yaml"
    path.write_text(
        _CONFIG.format(app_id=sandbox.app_id, url=sandbox.url, templates=sample_files.templates()), encoding="utf-8"
    )
    return path


@define
class _Story:
    """Prints the demo, and records whether each step went as expected."""

    output: Output
    sandbox: Sandbox
    config: Path
    steps: list[dict[str, Any]] = field(factory=list)

    @property
    def as_expected(self) -> bool:
        return all(step["as_expected"] for step in self.steps)

    def heading(self, text: str) -> None:
        if not self.output.as_json:
            self.output.say("")
            self.output.say(f"── {text} ".ljust(76, "─"), "bold")

    def say(self, text: str, style: str = "", *, indent: int = 0) -> None:
        if not self.output.as_json:
            self.output.say(text, style, indent=indent)

    def command(self, arguments: str) -> None:
        """Show the command that a user would run."""
        self.say(f"$ metrix-channels {arguments}", "cyan")

    def note(self, what: str, as_expected: bool, **facts: Any) -> None:
        self.steps.append({"step": what, "as_expected": as_expected, **facts})
        if not as_expected:
            self.say(f"Unexpected result: {what}.", "bold red")

    @contextmanager
    def notifier(self) -> Iterator[Notifier]:
        with Notifier.from_config(self.config) as notifier:
            yield notifier

    def requests(self) -> int:
        return len(self.sandbox.requests())

    def receipt(self, what: str, receipt: Receipt, *, attempts: int = 1, possible_duplicate: bool = False) -> None:
        expected = receipt.attempts == attempts and receipt.possible_duplicate is possible_duplicate
        self.note(what, expected, receipt=receipt.as_dict())
        attempted = "1 attempt" if receipt.attempts == 1 else f"{receipt.attempts} attempts"
        self.say(f"✓ {what}: {receipt.outcome.value}, {attempted}", "green")
        if receipt.possible_duplicate:
            doubt = "Metrix may have accepted the lost request too: the receipt is marked possible_duplicate."
            self.say(doubt, "yellow", indent=2)

    def refusal(self, what: str, attempt: Callable[[], object], code: str, *, requests: int) -> None:
        before = self.requests()
        try:
            attempt()
        except MetrixChannelsError as error:
            made = self.requests() - before
            self.note(what, error.code == code and made == requests, error=error.problem.as_dict(), requests=made)
            self.say(f"✗ {error.message} [{error.code}]", "red")
            self.say(error.remedy, indent=2)
            self.say(f"Requests made: {made}. Exit status: {error.exit_status}.", "bold", indent=2)
        else:
            self.note(what, as_expected=False)

    def end(self, seconds: float) -> None:
        messages = self.sandbox.messages()
        document = {
            "ok": self.as_expected,
            "steps": self.steps,
            "requests": self.requests(),
            "messages": len(messages),
            "delivered": sum(bool(message["delivered"]) for message in messages),
        }
        if self.output.as_json:
            self.output.document(document)
            return
        self.heading("Summary")
        self.say(
            f"{document['requests']} requests; {document['messages']} messages accepted, {document['delivered']}"
            f" delivered, none on an untested channel. The demo took {seconds:.1f} s."
        )
        self.say("Start your own project:", "bold")
        self.command("init my-messages")


def _an_untested_channel(story: _Story) -> None:
    story.heading("1. An untested channel is refused before any request")
    story.command("send sms --to sara --template otp --set code=4821")
    with story.notifier() as notifier:
        story.refusal(
            "send on an untested channel",
            lambda: notifier.send("sms", to="sara", template="otp", context={"code": "4821"}),
            "channel_unverified",
            requests=0,
        )


def _the_test(story: _Story) -> None:
    story.heading("2. Test the channels in the dashboard, record the tests, run all checks")
    story.say("(The test messages from the dashboard arrived.)", "dim")
    for name in _CHANNELS:
        story.command(f"channels verify {name} --by demo")
    for name, metrix_name in _CHANNELS.items():
        story.sandbox.test_channel(metrix_name)
        record_verification(
            story.config,
            name,
            Verification(at=wall_clock.now().date(), by="demo", app_id=story.sandbox.app_id, note="seen in the inbox"),
        )
    story.command("preflight")
    with story.notifier() as notifier:
        found = notifier.preflight()
    story.note("preflight", found.ok, checks=len(found.checks))
    if not story.output.as_json:
        show_preflight(story.output, found)


def _messages(story: _Story) -> None:
    story.heading("3. One message each by SMS, push and email, from templates")
    values = {"first_name": "سارا", "order_id": "۱۰۴۲", "code": "4821"}
    samples = Templates(sample_files.templates())
    with story.notifier() as notifier:
        for channel, template in _SENT.items():
            context = {**samples.sample(template), **values}
            story.command(f"send {channel} --to sara --template {template} --context sara.json")
            story.receipt(
                f"{template} by {channel} to sara",
                notifier.send(channel, to="sara", template=template, context=context),
            )
    story.say("What arrived, in the sandbox's inbox:")
    for message in story.sandbox.messages():
        _show(story, message)


def _show(story: _Story, message: dict[str, Any]) -> None:
    if story.output.as_json:
        return
    fields = message["message"]
    body = str(fields["body"])
    text = Text(str(fields["title"]) + "\n", style="bold") if "title" in fields else Text()
    text.append(f"({len(body):,} characters of HTML)" if body.lstrip().startswith("<") else body, style="not bold")
    state = "delivered" if message["delivered"] else "not delivered"
    title = f"{message['channel']} to {', '.join(message['recipients'])} · {state}"
    story.output.show(Panel(text, title=title, title_align="left", width=min(story.output.out.width, 72)))


def _faults(story: _Story) -> None:
    story.heading("4. When the network fails, the receipts say what is known")
    with story.notifier() as notifier:
        story.sandbox.inject("status:503", times=2)
        receipt = notifier.send("sms", to="reza", template="otp", context={"code": "1111"})
        story.receipt("Metrix answers 503, 503, then 200", receipt, attempts=3)
        story.sandbox.inject("drop")
        receipt = notifier.send("sms", to="reza", template="otp", context={"code": "2222"})
        story.receipt(
            "The connection is lost before the answer, then 200", receipt, attempts=2, possible_duplicate=True
        )


def _key(story: _Story) -> None:
    story.heading("5. Two calls with the same key send one message")
    for _ in range(2):
        story.command("send sms --to leila --template otp --set code=3333 --key login-7")
    with story.notifier() as notifier:
        receipts = [
            notifier.send("sms", to="leila", template="otp", context={"code": "3333"}, key="login-7") for _ in range(2)
        ]
    same = receipts[0] == receipts[1] and len(story.sandbox.messages(recipient="leila")) == 1
    story.note("one message for two calls with one key", same)
    for receipt in receipts:
        story.say(f"✓ receipt {receipt.id}: {receipt.outcome.value}", "green")
    story.say("The second call made no request and returned the receipt of the first.", indent=2)


def _campaign(story: _Story) -> None:
    story.heading("6. A campaign to 10,000 recipients is killed and resumed")
    folder = story.config.parent
    rows = "".join(f"user-{number},{_NAMES[number % len(_NAMES)]}\n" for number in range(_AUDIENCE))
    (folder / "audience.csv").write_text("customUserId,first_name\n" + rows, encoding="utf-8")
    file = folder / "nowruz.yaml"
    file.write_text(_CAMPAIGN, encoding="utf-8")
    before = story.requests()
    story.command("campaign run nowruz.yaml --yes")
    with subprocess.Popen(  # noqa: S603 - our own command
        [sys.executable, "-c", _MAIN, "--config", str(story.config), "campaign", "run", str(file), "--yes", "--json"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as process:
        while process.poll() is None and story.requests() - before < _KILL_AFTER:
            time.sleep(0.002)
        process.kill()
    with story.notifier() as notifier:
        left = notifier.campaigns.status("nowruz")
        story.say(f"kill -9 after {left.requests} of {left.batches} requests: {_counts(left)}", "red")
        story.command("campaign resume nowruz")
        found = notifier.campaigns.resume("nowruz")
    reached = {recipient for message in story.sandbox.messages("SMS") for recipient in message["recipients"]}
    everybody = len(reached & {f"user-{number}" for number in range(_AUDIENCE)})
    story.note("a campaign after kill -9", found.state == "finished" and everybody == _AUDIENCE, **found.as_dict())
    story.say(f"✓ {found.state}: {_counts(found)}, {found.requests} requests", "green")
    story.say(
        f"All recipients have the message. {found.possible_duplicates} may have it twice: their requests were in flight"
        " when the process was killed. `on_ambiguous: hold` would report them as unknown instead of sending again.",
        indent=2,
    )


def _counts(status: CampaignStatus) -> str:
    return f"{status.accepted:,} accepted, {status.pending:,} pending of {status.audience:,}"


def _wrong_key(story: _Story) -> None:
    story.heading("7. A wrong API key is explained")
    story.command("send sms --to sara --template otp --set code=4444")
    key = story.config.with_name("metrix.key")
    key.write_text("a-key-of-another-application")
    with story.notifier() as notifier:
        story.refusal(
            "send with a wrong key",
            lambda: notifier.send("sms", to="sara", template="otp", context={"code": "4444"}),
            "credentials_refused",
            requests=1,
        )
    key.write_text(story.sandbox.api_key)


_CHAPTERS = (_an_untested_channel, _the_test, _messages, _faults, _key, _campaign, _wrong_key)
