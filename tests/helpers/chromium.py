"""A real browser: Debian's Chromium, driven by Playwright."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import product
from pathlib import Path

import pytest
from axe_playwright_python.base import AXE_FILE_PATH
from playwright.sync_api import Browser, Page, sync_playwright

WAYS = [
    pytest.param(phone, dark, locale, marks=() if phone == dark == (locale == "fa-IR") else pytest.mark.long)
    for phone, dark, locale in product((False, True), (False, True), ("en-US", "fa-IR"))
]
"""On a phone or not, dark or light, in which language; every submission tries the two that differ in everything."""

NAMES = ("chromium", "chromium-browser", "google-chrome")
MISSING = "there is no Chromium, so no page was tried in a browser; on Debian: apt-get install chromium"

# Nothing of it asks anything of the network; as root it has no sandbox of its own.
_OPTIONS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


def chromium() -> str | None:
    """Find the browser's program."""
    return next((found for name in NAMES if (found := shutil.which(name))), None)


@contextmanager
def running_chromium() -> Iterator[Browser]:
    """Run it without a screen."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium(), args=list(_OPTIONS))
        try:
            yield browser
        finally:
            browser.close()


def violations(page: Page) -> list[str]:
    """Return what axe-core finds serious on a page: rule, and the elements."""
    page.evaluate(Path(AXE_FILE_PATH).read_text(encoding="utf-8"))
    found = page.evaluate("axe.run(document, {resultTypes: ['violations']})")
    return [
        f"{each['id']}: {[node['html'][:200] for node in each['nodes'][:3]]}"
        for each in found["violations"]
        if each["impact"] in ("serious", "critical")
    ]
