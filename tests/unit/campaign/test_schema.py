"""The JSON Schema of campaign files says what the loader says."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import attrs
import jsonschema
import pytest

from metrix_channels.campaign import definition
from metrix_channels.campaign.audience_source import AudienceSource
from metrix_channels.campaign.definition import Campaign, Limits, Schedule
from metrix_channels.config import make_model, parse_yaml
from metrix_channels.config.models import SETTING, key_of
from metrix_channels.errors import ConfigError

SHIPPED = Path(definition.__file__).with_name("campaign.schema.json")
SCHEMA = json.loads(SHIPPED.read_text(encoding="utf-8"))
BASE = "version: 1\nname: nowruz\nchannel: sms\ntemplate: sale\naudience: {file: a.csv}\n"


def errors(text: str) -> list[Any]:
    """Return what the schema has against a campaign file."""
    return list(jsonschema.Draft202012Validator(SCHEMA).iter_errors(parse_yaml(text, "f").data))


def test_the_shipped_schema_is_the_generated_one() -> None:
    """It cannot be out of date."""
    printed = subprocess.run(
        [sys.executable, "-W", "error", "-m", "metrix_channels.campaign.schema"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert printed.stdout == SHIPPED.read_text(encoding="utf-8")
    jsonschema.Draft202012Validator.check_schema(SCHEMA)


def test_every_key_is_described() -> None:
    """All that the models read, and a sentence to each."""
    named = {key_of(field.name) for field in attrs.fields(Campaign) if SETTING in field.metadata}
    assert set(SCHEMA["properties"]) == named
    assert all(part["description"] for part in SCHEMA["properties"].values())


@pytest.mark.parametrize("cls", [Campaign, AudienceSource, Schedule, Limits])
def test_defaults_are_the_models(cls: type[Any]) -> None:
    """The default that the schema names is the one that holds."""
    for field in attrs.fields(cls):
        setting = field.metadata.get(SETTING)
        if setting and setting.default is not None:
            assert setting.kind.parse(setting.default) == field.default, field.name


@pytest.mark.parametrize(
    "text",
    [
        BASE,
        BASE.replace("a.csv", "'-'"),
        BASE.replace("file: a.csv", "id: x"),
        BASE.replace("a.csv", "a.csv, delimiter: ';', encoding: windows-1256"),
        BASE.replace("a.csv", "a.csv, delimiter: tab"),
        BASE.replace("a.csv", "A.XLSX, sheet: مشتریان"),
        BASE.replace("a.csv", "a.parquet"),
        BASE.replace("file: a.csv", "sql: 'SELECT id FROM users', url: '${SHOP_DATABASE_URL}', id: id"),
        BASE.replace("a.csv", "A.JSONL.GZ, id: شناسه, except: [yalda]"),
        BASE + "locale: {column: lang, default: fa}",
        BASE + "locale: {column: lang}",
        BASE + "locale: fa\ncontext: {discount: 30, نام: سارا, a_1: {b-c: [1, null]}}",
        BASE + "suppress: [optout.csv]\non_ambiguous: hold\ncanary: 100",
        BASE + "schedule: {at: 2026-03-20T10:00:00+03:30, max_lateness: 30m}",
        BASE + "schedule: {at: 2026-03-20T10:00Z}",
        BASE + "quiet_hours: {from: '22:00', to: '08:00', timezone: Asia/Tehran}",
        BASE + "quiet_hours: {from: '22:00', to: '08:00', timezone: Etc/GMT+3}",
        BASE + "limits: {rate: 100/s, per_recipient: 2/24h, max_failures: 0}",
        BASE + "limits: {}",
        BASE + "limits: {max_cost: 5000000}",
        BASE + "limits: {max_cost: 0.5}",
        BASE + "on_empty: skip",
        BASE + "canary: {first: 100, then: pause}",
        BASE + "canary: {first: 100}",
    ],
)
def test_what_the_loader_takes(text: str) -> None:
    """The schema takes it too."""
    make_model(parse_yaml(text, "f"), Campaign, None)
    assert errors(text) == []


@pytest.mark.parametrize(
    "text",
    [
        "[]",
        "version: 1",
        BASE.replace("version: 1", "version: 2"),
        BASE.replace("nowruz", "Nowruz"),
        BASE.replace("nowruz", "a" * 101),
        BASE.replace("sms", "5"),
        BASE.replace("sale", "'${T}'"),
        BASE.replace("{file: a.csv}", "a.csv"),
        BASE.replace("a.csv", "a.xls"),
        BASE.replace("a.csv", "a.csv, sql: SELECT 1, url: '${SHOP}'"),
        BASE.replace("file: a.csv", "sql: SELECT 1"),
        BASE.replace("file: a.csv", "url: '${SHOP}'"),
        BASE.replace("file: a.csv", "sql: SELECT 1, url: 'sqlite:///shop.db'"),
        BASE.replace("file: a.csv", "sql: SELECT 1, url: 'postgresql://${USER}@host/shop'"),
        BASE.replace("a.csv", "a.csv, delimiter: ab"),
        BASE.replace("a.csv", "a.csv, delimiter: a"),
        BASE.replace("a.csv", "a.csv, encoding: ''"),
        BASE.replace("file: a.csv", "sheet: Customers"),
        BASE.replace("a.csv", "'${DIR}/a.csv'"),
        BASE.replace("a.csv", "a.csv, except: yalda"),
        BASE.replace("a.csv", "a.csv, except: [A]"),
        BASE + "unknown: 1",
        BASE + "context: [1]",
        BASE + "context: {a-b: 1}",
        BASE + "context: {'1a': 1}",
        BASE + "context: {'': 1}",
        BASE + "suppress: a.csv",
        BASE + "schedule:",
        BASE + "schedule: {}",
        BASE + "schedule: {at: 2026-03-20}",
        BASE + "schedule: {at: 2026-03-20T10:00:00}",
        BASE + "schedule: {at: 2026-03-20T10:00Z, max_lateness: 30}",
        BASE + "quiet_hours: {from: '22:00', to: '08:00'}",
        BASE + "quiet_hours: {from: '24:00', to: '08:00', timezone: UTC}",
        BASE + "quiet_hours: {from: '22:00', to: '08:00', timezone: تهران}",
        BASE + "limits:",
        BASE + "limits: {rate: 100}",
        BASE + "limits: {per_recipient: 0/24h}",
        BASE + "limits: {max_failures: -1}",
        BASE + "limits: {max_failure: 1}",
        BASE + "on_ambiguous: maybe",
        BASE + "canary: 0",
    ],
)
def test_what_the_loader_refuses(text: str) -> None:
    """The schema refuses it too, so that the editor shows it while it is written."""
    with pytest.raises(ConfigError):
        make_model(parse_yaml(text, "f"), Campaign, None)
    assert errors(text)
