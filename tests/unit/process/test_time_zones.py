"""Time zones where the machine knows some, and where it knows none."""

import os
import subprocess
import sys

from metrix_channels.process.time_zones import zone

# What hides the package `tzdata`, which a developer's machine may have.
PROGRAM = """
import sys
sys.modules["tzdata"] = None
from datetime import date
from pathlib import Path
from metrix_channels.campaign import load_campaign
from metrix_channels.errors import MetrixChannelsError
from metrix_channels.templating.filters.persian import jalali
campaign = Path(sys.argv[1])
for attempt in (lambda: jalali("2026-11-20T10:00:00+00:00", "%d"), lambda: load_campaign(campaign)):
    try:
        print(attempt())
    except MetrixChannelsError as error:
        said = error.message + error.remedy
        print(error.code, "no time zone database" in said, "pip install tzdata" in said)
"""
CAMPAIGN = """version: 1
name: eid
channel: sms
template: otp
audience: {file: a.csv}
quiet_hours: {from: "22:00", to: "08:00", timezone: Asia/Tehran}
"""


def test_a_zone_is_found_by_its_name_and_nothing_else():
    """Whatever is no zone is none, without an error."""
    assert str(zone("Asia/Tehran")) == "Asia/Tehran"
    assert [zone(name) for name in ("Asia", "Nowhere/City", "../etc", "a\0b", "")] == [None] * 5


def test_without_a_database_the_error_says_what_to_install(tmp_path):
    """In a date of a template and in a campaign file alike."""
    (tmp_path / "eid.yaml").write_text(CAMPAIGN, encoding="utf-8")
    found = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(tmp_path / "eid.yaml")],
        env={**os.environ, "PYTHONTZPATH": ""},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert found.stderr == ""
    first, second = found.stdout.splitlines()
    assert first == "time_zones_missing True True"
    assert second.endswith("True True")
