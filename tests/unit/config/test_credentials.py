"""APP_ID and the API key are read when they are needed, checked, and never shown."""

from __future__ import annotations

import traceback
from pathlib import Path

import pytest

from metrix_channels.config import Config, load_config
from metrix_channels.errors import ConfigError


def load(folder: Path, environ: dict[str, str], key: str = "api_key: '${KEY}'", app_id: str = "${APP}") -> Config:
    """Load a configuration of one line about credentials."""
    path = folder / "c.yaml"
    path.write_text(f"version: 1\nmetrix: {{app_id: '{app_id}', {key}}}\n")
    return load_config(path, environ)


def test_credentials_come_from_the_environment(tmp_path: Path) -> None:
    """The variables' values; the key prints as asterisks."""
    credentials = load(tmp_path, {"APP": "a1", "KEY": "sk!~"}, app_id="x-${APP}").metrix.credentials()
    assert (credentials.app_id, credentials.api_key.reveal()) == ("x-a1", "sk!~")
    assert "sk!~" not in repr(credentials)


def test_a_configuration_loads_without_its_secrets(tmp_path: Path) -> None:
    """What needs no credentials works without them."""
    config = load(tmp_path, {})
    assert config.metrix.app_id == "${APP}"
    with pytest.raises(ConfigError, match="APP is not set") as caught:
        config.metrix.resolve_app_id()
    assert caught.value.code == "secret_missing"
    assert "`export APP=…`" in caught.value.remedy
    assert (caught.value.location or "").endswith("c.yaml:2:18")


def test_the_environment_is_asked_at_the_time(tmp_path: Path) -> None:
    """A variable that is set after loading counts."""
    environ: dict[str, str] = {"APP": "a"}
    config = load(tmp_path, environ)
    environ["KEY"] = "k"
    assert config.metrix.credentials().api_key.reveal() == "k"


@pytest.mark.parametrize(
    ("value", "code"),
    [
        (None, "secret_missing"),
        ("", "secret_missing"),
        (" \t", "secret_missing"),
        ("topsecret\n", "secret_invalid"),
        ("top\r\nsecret", "secret_invalid"),
        (" topsecret", "secret_invalid"),
        ("topsecret\u200c", "secret_invalid"),
        ("topsecret" * 1000, "secret_invalid"),
    ],
)
@pytest.mark.parametrize("variable", ["KEY", "APP"])
def test_values_that_cannot_be_credentials(tmp_path: Path, variable: str, value: str | None, code: str) -> None:
    """Missing, blank, with line breaks or outside ASCII: the error names the variable and not the value."""
    environ = {"APP": "a", "KEY": "k"} | ({} if value is None else {variable: value})
    if value is None:
        del environ[variable]
    with pytest.raises(ConfigError) as caught:
        load(tmp_path, environ).metrix.credentials()
    assert caught.value.code == code
    assert variable in caught.value.message

    assert "topsecret" not in "".join(traceback.format_exception(caught.value))


@pytest.mark.parametrize("content", [b"sk-1", b"sk-1\n", b"sk-1\r\n"])
def test_a_key_in_a_file(tmp_path: Path, content: bytes) -> None:
    """The file may end with one line break, and its path starts at the configuration's folder."""
    (tmp_path / "key").write_bytes(content)
    config = load(tmp_path, {}, "api_key_file: key", "a")
    assert config.metrix.credentials().api_key.reveal() == "sk-1"


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"", "secret_missing"),
        (b"\n", "secret_missing"),
        (b"topsecret\n\n", "secret_invalid"),
        (b"topsecret\r", "secret_invalid"),
        (b"top\nsecret", "secret_invalid"),
        (b"topsecret\xff", "secret_invalid"),
        (b"topsecret" * 1000, "secret_invalid"),
    ],
)
def test_files_that_hold_no_key(tmp_path: Path, content: bytes, code: str) -> None:
    """As for variables."""
    (tmp_path / "key").write_bytes(content)
    with pytest.raises(ConfigError) as caught:
        load(tmp_path, {}, "api_key_file: key", "a").metrix.credentials()
    assert caught.value.code == code
    assert "topsecret" not in str(caught.value)


def test_no_more_of_a_file_is_read_than_a_key_can_have(tmp_path: Path) -> None:
    """A wrong path may lead to a file that no memory can hold."""
    with (tmp_path / "key").open("wb") as file:
        file.truncate(1 << 42)
    with pytest.raises(ConfigError) as caught:
        load(tmp_path, {"APP": "a"}, "api_key_file: key").metrix.credentials()
    assert caught.value.code == "secret_invalid"


@pytest.mark.parametrize(("name", "code"), [("sk-live-1", "secret_missing"), (".", "file_unreadable")])
def test_key_files_that_cannot_be_read(tmp_path: Path, name: str, code: str) -> None:
    """The path is not shown: somebody may have written the key there."""
    with pytest.raises(ConfigError) as caught:
        load(tmp_path, {}, f"api_key_file: {name}", "a").metrix.credentials()
    assert caught.value.code == code
    assert "sk-live" not in "".join(traceback.format_exception(caught.value))
