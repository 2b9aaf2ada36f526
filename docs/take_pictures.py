"""Takes pictures of all pages: `make pictures`. Light and dark, on a desktop and a phone, in two languages.

It starts a sandbox, a campaign and Debian's Chromium, with made-up data. All pictures go to `dist/pictures`; the ones
that the documentation uses are copied to `docs/pictures`.
"""

from __future__ import annotations

import json
import random
import shutil
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import product
from pathlib import Path
from tempfile import TemporaryDirectory

from playwright.sync_api import Browser

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "tests"))

from helpers.chromium import MISSING, chromium, running_chromium  # noqa: E402
from helpers.command_line import COMMAND, environment  # noqa: E402
from helpers.dashboards import base_of, running_dashboard  # noqa: E402
from metrix_channels import Notifier  # noqa: E402
from metrix_channels.sandbox import Sandbox  # noqa: E402

PICTURES = ROOT / "dist" / "pictures"
SHOWN = Path(__file__).with_name("pictures")
OF_README = (
    "inbox-en-light-desktop",
    "inbox-fa-dark-phone",
    "dashboard-campaign-en-dark-desktop",
    "preview-fa-light-desktop",
    "report-fa-light-phone",
)
BANNER = {"url": "https://shop.example.com/banner.jpg"}
NAMES = ("سارا", "رضا", "لیلا", "مریم", "علی", "نگار", "امیر", "زهرا")
CONFIG = """\
version: 1
metrix:
  app_id: {app_id}
  api_key_file: metrix.key
  base_url: {url}
  batch_size: 50
  concurrency: 8
templates: {templates}
channels:
  sms:
    type: sms
    verified: {{at: {day}, by: sara@example.com, app_id: {app_id}, expires: 90d, note: reached my phone}}
  push: {{type: app_push, verified: {{at: {day}, by: reza@example.com, app_id: {app_id}}}}}
  web: {{type: web_push, verified: true}}
  email: {{type: email, verified: false}}
"""
CAMPAIGN = """\
version: 1
name: {name}
channel: sms
template: promotion
audience: {{file: audience.csv}}
context: {{discount: 30, coupon: YALDA30, ends_at: "2026-12-21"}}
limits: {{rate: {rate}/s}}
"""


def main() -> None:
    """Take all pictures."""
    if chromium() is None:
        sys.exit(MISSING)
    PICTURES.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory() as name, Sandbox() as sandbox, running_chromium() as browser:
        folder = Path(name)
        configure(folder, sandbox)
        fill_inbox(folder, sandbox)
        pages = {
            "inbox": sandbox.url,
            "inbox-untested": f"{sandbox.url}/?show=1",
            "inbox-events": f"{sandbox.url}/?view=events",
        }
        take(browser, pages)
        sandbox.inject("status:503", 4)
        campaign(folder, "nowruz", rate=400)
        take(browser, files_of(folder))
        with running_dashboard(folder) as link, running_campaign(folder, "yalda"):
            time.sleep(7)
            base = base_of(link)
            pages = {f"dashboard-{page}": f"{base}/{page}" for page in ("channels", "templates/promotion")}
            pages = {name.replace("/promotion", ""): address for name, address in pages.items()}
            take(browser, {"dashboard": f"{base}/", "dashboard-campaign": f"{base}/campaigns/yalda", **pages}, link)
    SHOWN.mkdir(exist_ok=True)
    for name in OF_README:
        shutil.copy(PICTURES / f"{name}.png", SHOWN)


def take(browser: Browser, pages: dict[str, str], link: str | None = None) -> None:
    """Take each page in each language, colour scheme and size; `link` opens the dashboard first."""
    for language, dark, phone in product(("en", "fa"), (False, True), (False, True)):
        size = {"width": 390, "height": 844} if phone else {"width": 1280, "height": 860}
        locale = "fa-IR" if language == "fa" else "en-US"
        context = browser.new_context(viewport=size, color_scheme="dark" if dark else "light", locale=locale)
        page = context.new_page()
        if link is not None:
            page.goto(link)
        for name, address in pages.items():
            page.goto(address.replace("-LANG", f"-{language}"))
            page.wait_for_timeout(300)
            ways = "-".join((language, "dark" if dark else "light", "phone" if phone else "desktop"))
            page.screenshot(path=PICTURES / f"{name}-{ways}.png")
        context.close()


def configure(folder: Path, sandbox: Sandbox) -> None:
    """Write a configuration and an audience."""
    key = folder / "metrix.key"
    key.touch(0o600)
    key.write_text(sandbox.api_key)
    day = time.strftime("%Y-%m-%d", time.gmtime(time.time() - 20 * 86_400))
    text = CONFIG.format(app_id=sandbox.app_id, url=sandbox.url, templates=ROOT / "templates", day=day)
    (folder / "channels.yaml").write_text(text, encoding="utf-8")
    chosen = random.Random(7)
    rows = [f"user-{at},{chosen.choice(NAMES)} {at % 90}" for at in range(18_000)]
    lines = ["customUserId,first_name", *rows, "user-1,سارا", " user,رضا"]
    (folder / "audience.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")


def fill_inbox(folder: Path, sandbox: Sandbox) -> None:
    """Send something through every channel."""
    with Notifier.from_config(folder / "channels.yaml") as notifier:
        notifier.send("sms", "user-42", "otp", {"code": "4821"})
        for channel in ("SMS", "APP_PUSH", "WEB_PUSH"):
            sandbox.test_channel(channel)
        order = {"first_name": "سارا", "order_id": "A-1024"}
        notifier.send("web", [f"user-{at}" for at in range(240)], "promotion", PROMOTION)
        notifier.send("push", "user-42", "order_delivered", order)
        notifier.send("sms", "user-42", "order_delivered", order)
        notifier.send("sms", "user-42", "otp", {"code": "7310"})
        notifier.identify("user-42", first_name="سارا", email="sara@example.com")
        for _ in range(3):
            notifier.track("user-42", name="order_paid", attributes={"total": 12.5})
    message = {
        "type": "action",
        "id": str(uuid.uuid4()),
        "time": sandbox.events()[-1]["message"]["time"],
        "customName": "x",
    }
    post(sandbox, {"customUserId": "user-42", "messages": [message]})


PROMOTION = {"first_name": "سارا", "discount": 30, "coupon": "YALDA30", "ends_at": "2026-12-21"}


def post(sandbox: Sandbox, body: dict[str, object]) -> None:
    """Send an event with an invalid field, as a careless script would."""
    curl = [
        "curl",
        "-s",
        "-o",
        "/dev/null",
        "-H",
        f"X-Application-Id: {sandbox.app_id}",
        "-H",
        "Content-Type: application/json",
    ]
    subprocess.run([*curl, "-H", f"X-API-Key: {sandbox.api_key}", "-d", json.dumps(body), sandbox.url], check=True)


def campaign(folder: Path, name: str, rate: int) -> None:
    """Run a campaign to its end."""
    (folder / f"{name}.yaml").write_text(CAMPAIGN.format(name=name, rate=rate), encoding="utf-8")
    with Notifier.from_config(folder / "channels.yaml") as notifier:
        notifier.run_campaign(folder / f"{name}.yaml")


@contextmanager
def running_campaign(folder: Path, name: str) -> Iterator[None]:
    """Run a campaign in the background."""
    (folder / f"{name}.yaml").write_text(CAMPAIGN.format(name=name, rate=8), encoding="utf-8")
    command = [COMMAND, "campaign", "run", f"{name}.yaml", "--yes"]
    process = subprocess.Popen(
        command, cwd=folder, env=environment(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        yield
    finally:
        process.kill()
        process.wait()


def files_of(folder: Path) -> dict[str, str]:
    """Write the HTML files in both languages, and return their addresses; `-LANG` stands for the language."""
    for language in ("en", "fa"):
        for command in (
            ["preview", "promotion", "--html", f"preview-{language}.html"],
            ["campaign", "report", "nowruz", "--html", f"report-{language}.html"],
        ):
            done = [COMMAND, *command, "--lang", language]
            subprocess.run(done, cwd=folder, env=environment(), check=True, stdout=subprocess.DEVNULL)
    return {name: (folder / f"{name}-LANG.html").as_uri() for name in ("preview", "report")}


if __name__ == "__main__":
    main()
