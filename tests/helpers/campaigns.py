"""Campaigns in a folder of their own, run from Python or as a user runs them."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import IO, Any

from attrs import frozen

from helpers.accounting_server import AccountingServer
from helpers.command_line import COMMAND, Finished, environment, run_command, wait_until
from helpers.files import replace
from metrix_channels import Notifier

KEY = "an-api-key-of-the-tests"


@frozen
class Project:
    """A configuration, a template, and campaigns."""

    folder: Path

    @property
    def config(self) -> Path:
        """The configuration's file."""
        return self.folder / "channels.yaml"

    def configure(
        self, url: str, *, on_ambiguous: str = "retry", verified: Any = True, ledger: str | None = None, **metrix: Any
    ) -> None:
        """Write the configuration, which a run may be reading at that moment."""
        settings = {"app_id": "app", "api_key_file": "key", "base_url": url, "concurrency": 8, **metrix}
        document = {
            "version": 1,
            "metrix": settings,
            "on_ambiguous": on_ambiguous,
            "channels": {"sms": {"type": "sms", "verified": verified}},
            **({"ledger": ledger} if ledger else {}),
        }
        replace(self.folder / "key", KEY)
        replace(self.config, json.dumps(document))

    def template(self, text: str, name: str = "offer") -> Path:
        """Write a template for SMS."""
        path = self.folder / "templates" / name / "sms.txt.j2"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        return path

    def audience(self, rows: Sequence[Sequence[object]], name: str = "audience.csv") -> Path:
        """Write rows below a header: customUserId, first_name."""
        path = self.folder / name
        lines = ["customUserId,first_name", *(",".join(map(str, row)) for row in rows)]
        path.write_text("\n".join(lines) + "\n", encoding="utf-8")
        return path

    def campaign(self, name: str = "offer", **keys: Any) -> Path:
        """Write a campaign file."""
        path = self.folder / f"{name}.yaml"
        document: dict[str, Any] = {"version": 1, "name": name, "channel": "sms", "template": "offer"}
        document |= {"audience": {"file": "audience.csv"}, **keys}
        path.write_text(json.dumps(document, ensure_ascii=False), encoding="utf-8")
        return path

    def notifier(self) -> Notifier:
        """Return a notifier on the configuration."""
        return Notifier.from_config(self.config)

    def notifier_of(self, server: AccountingServer) -> Notifier:
        """Configure a server and return a notifier."""
        self.configure(server.url)
        return self.notifier()

    def run(self, *arguments: str | Path) -> Finished:
        """Run `metrix-channels campaign …`."""
        return run_command("campaign", *arguments, "--json", cwd=self.folder)


def balance(status: dict[str, Any]) -> int:
    """Return what the outcomes of a status are short of its audience: 0, or the books are wrong."""
    settled = sum(status[name] for name in ("accepted", "rejected", "unknown", "pending", "cancelled"))
    return int(status["audience"] - settled - sum(status["skipped"].values()))


def people(count: int, names: Sequence[str] = ("سارا", "رضا", "لیلا", "مریم", "علی")) -> list[tuple[str, str]]:
    """Return rows: that many recipients, who share a few first names."""
    return [(f"u{number}", names[number % len(names)]) for number in range(count)]


def started(project: Project, *arguments: str, stdout: int | IO[Any] = subprocess.PIPE) -> subprocess.Popen[bytes]:
    """Start `metrix-channels campaign …`."""
    return subprocess.Popen(
        [COMMAND, "campaign", *arguments, "--json"],
        cwd=project.folder,
        env=environment(),
        stdout=stdout,
        stderr=subprocess.PIPE,
    )


def under_way(server: AccountingServer, count: int = 8) -> None:
    """Wait until some requests were made."""
    wait_until(lambda: len(server.requests) >= count)


def document(process: subprocess.Popen[bytes]) -> tuple[int, Any]:
    """Wait for a process and return its status and its document."""
    out, err = process.communicate(timeout=60)
    assert b"Traceback" not in err
    return process.returncode, json.loads(out)
