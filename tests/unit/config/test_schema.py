"""The JSON Schema for editors says what the loader says."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import attrs
import jsonschema
import pytest

from metrix_channels.config import Config, KeepAttempts, Metrix, parse_yaml
from metrix_channels.config import schema as schema_module
from metrix_channels.config.loading import make_config
from metrix_channels.config.models import SETTING
from metrix_channels.errors import ConfigError

ROOT = Path(__file__).parents[3]
SHIPPED = Path(schema_module.__file__).with_name("channels.schema.json")
SCHEMA = json.loads(SHIPPED.read_text(encoding="utf-8"))
BASE = "version: 1\nmetrix: {app_id: a, api_key: '${KEY}'}\n"


def errors(text: str) -> list[Any]:
    """Return what the schema has against a configuration."""
    data = parse_yaml(text, "f").data
    return list(jsonschema.Draft202012Validator(SCHEMA).iter_errors(data))


def test_the_shipped_schema_is_the_generated_one() -> None:
    """It cannot be out of date."""
    printed = subprocess.run(
        [sys.executable, "-W", "error", "-m", "metrix_channels.config.schema"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert printed.stdout == SHIPPED.read_text(encoding="utf-8")
    jsonschema.Draft202012Validator.check_schema(SCHEMA)


def test_the_example_names_the_schema_and_fits_it() -> None:
    """Editors find the schema by the example's first line."""
    text = (ROOT / "channels.example.yaml").read_text(encoding="utf-8")
    assert errors(text) == []
    named = text.split("\n")[0].removeprefix("# yaml-language-server: $schema=")
    assert ROOT / named == SHIPPED


@pytest.mark.parametrize("cls", [Config, Metrix, KeepAttempts])
def test_defaults_are_the_models(cls: type[Any]) -> None:
    """The default that the schema names is the one that holds."""
    for field in attrs.fields(cls):
        setting = field.metadata.get(SETTING)
        if setting and setting.kind and field.default is not attrs.NOTHING:
            parsed = None if setting.default is None else setting.kind.parse(setting.default)
            assert parsed == field.default, field.name


@pytest.mark.parametrize(
    "text",
    [
        BASE,
        BASE.replace("'${KEY}'", "'${KEY}', timeout: '${T}', rate_limit: 50/s, base_url: 'http://127.0.0.1:1'"),
        BASE.replace("app_id: a", "app_id: sandbox-app, base_url: 'http://metrix:8025'"),
        BASE.replace("app_id: a", "app_id: '${APP}', base_url: 'http://metrix:8025'"),
        BASE.replace("api_key: '${KEY}'", "api_key_file: '${DIR}/key', concurrency: '${N}'"),
        BASE + "ledger: ${LEDGER}",
        BASE + "ledger: sqlite:////a/b.db",
        BASE + "channels: {a: {type: sms, verified: {at: 2026-11-20, expires: 90d}}, b-1: {type: webhook}}",
    ],
)
def test_what_the_loader_takes(text: str) -> None:
    """The schema takes it too."""
    environ = {"T": "1s", "DIR": "/d", "N": "3", "LEDGER": "sqlite:///x.db"}
    make_config(parse_yaml(text, "f"), Path("/f"), environ)
    assert errors(text) == []


@pytest.mark.parametrize(
    "text",
    [
        "[]",
        "version: 1",
        BASE.replace("version: 1", "version: 2"),
        BASE + "unknown: 1",
        BASE.replace("'${KEY}'", "literal"),
        BASE.replace("'${KEY}'", "'${KEY}', api_key_file: f"),
        BASE.replace(", api_key: '${KEY}'", ""),
        BASE.replace("app_id: a", "app_id: 5"),
        BASE.replace("app_id: a", "app_id: 'a b'"),
        BASE.replace("app_id: a", "app_id: a, tiemout: 1s"),
        BASE.replace("app_id: a", "app_id: a, timeout: 10"),
        BASE.replace("app_id: a", "app_id: a, concurrency: 0"),
        BASE.replace("app_id: a", "app_id: a, concurrency: '5'"),
        BASE.replace("app_id: a", "app_id: a, rate_limit: 5"),
        BASE.replace("app_id: a", "app_id: a, base_url: 'http://example.com'"),
        BASE.replace("app_id: a", "app_id: a, base_url: 'https://u:p@example.com'"),
        BASE + "ledger: postgresql:h/d",
        BASE + "ledger: 'sqlite:///:memory:'",
        BASE + "templates: ${X}",
        BASE + "templates: ''",
        BASE + "suppress: a.csv",
        BASE + "suppress: [1]",
        BASE + "taxonomy: ['${X}']",
        BASE + "on_ambiguous: maybe",
        BASE + "keep_attempts: {size: 5}",
        BASE + "channels: []",
        BASE + "channels: {A: {type: sms}}",
        BASE + "channels: {a: {type: fax}}",
        BASE + "channels: {a: {verified: true}}",
        BASE + "channels: {a: {type: sms, name: b}}",
        BASE + "channels: {a: {type: sms, verified: 'true'}}",
        BASE + "channels: {a: {type: sms, verified: {by: x}}}",
        BASE + "channels: {a: {type: sms, verified: {at: '${X}'}}}",
        BASE + "channels: {a: {type: sms, verified: {at: 2026-11-20, app_id: '${X}'}}}",
    ],
)
def test_what_the_loader_refuses(text: str) -> None:
    """The schema refuses it too, so that the editor shows it while it is written."""
    with pytest.raises(ConfigError):
        make_config(parse_yaml(text, "f"), Path("/f"), {"X": "1"})
    assert errors(text)
