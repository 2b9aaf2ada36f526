"""From channels.yaml to models, or to one error that names file, line and column."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from datetime import date, timedelta
from pathlib import Path
from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from metrix_channels.config import Channel, Config, KeepAttempts, Verification, find_config, load_config
from metrix_channels.config.credentials import SANDBOX_APP_ID
from metrix_channels.config.loading import make_config
from metrix_channels.config.strict_yaml import Document, parse_yaml
from metrix_channels.errors import ConfigError
from metrix_channels.models import ChannelType, OnAmbiguous
from metrix_channels.printable import is_text
from metrix_channels.sandbox import Sandbox

MINIMAL = "version: 1\nmetrix: {app_id: app-1, api_key: '${KEY}'}\n"
ROOT = Path(__file__).parents[3]


def load(text: str, environ: Mapping[str, str] | None = None) -> Config:
    """Load a configuration as if it stood in a file."""
    return make_config(parse_yaml(text, "channels.yaml"), Path("/etc/metrix/channels.yaml"), environ or {})


def refusal(text: str, environ: Mapping[str, str] | None = None) -> ConfigError:
    """Return the error that a configuration ends in."""
    with pytest.raises(ConfigError) as caught:
        load(text, environ)
    return caught.value


def metrix(line: str) -> str:
    """A configuration whose seventh line is one more setting under `metrix`."""
    return f"version: 1\n\n\nmetrix:\n  app_id: app-1\n  api_key: ${{KEY}}\n  {line}\n"


def test_the_example_is_the_whole_configuration() -> None:
    """The example loads without any secret, and nothing in it is verified."""
    config = load_config(ROOT / "channels.example.yaml", {})
    assert {name: channel.type.value for name, channel in config.channels.items()} == {
        "sms": "sms",
        "push": "app_push",
        "web": "web_push",
        "email": "email",
    }
    assert not any(channel.verified for channel in config.channels.values())
    environ = {"METRIX_APP_ID": "app-1", "METRIX_API_KEY": "key-1"}
    with_secrets = load_config(ROOT / "channels.example.yaml", environ)
    assert with_secrets.metrix.credentials().api_key.reveal() == "key-1"


def test_the_example_shows_the_defaults() -> None:
    """What the example says is what holds without it, but for the rate limit, whose default is none."""
    example = load_config(ROOT / "channels.example.yaml", {})
    plain = load(MINIMAL)
    for name in ("on_ambiguous", "suppress", "taxonomy", "keep_attempts", "ledger", "version"):
        assert getattr(example, name) == getattr(plain, name), name
    for name in ("base_url", "timeout", "max_attempts", "concurrency", "batch_size", "deadline", "proxy", "ca_file"):
        assert getattr(example.metrix, name) == getattr(plain.metrix, name), name
    assert plain.metrix.rate_limit is None


def test_defaults() -> None:
    """The smallest configuration has every default."""
    config = load(MINIMAL)
    assert config.metrix.base_url == "https://entry.metrix.ir"
    assert (config.metrix.timeout, config.metrix.deadline) == (10.0, 60.0)
    assert (config.metrix.max_attempts, config.metrix.concurrency, config.metrix.batch_size) == (5, 32, 500)
    assert config.on_ambiguous is OnAmbiguous.RETRY
    assert config.keep_attempts == KeepAttempts(days=30, size=200_000_000)
    assert config.templates == Path("/etc/metrix/templates")
    assert config.ledger_path == Path("/etc/metrix/metrix-channels.db")
    assert (config.suppress, config.taxonomy, config.channels) == ((), None, {})


def test_everything_is_read() -> None:
    """Each setting arrives in its unit."""
    config = load(
        MINIMAL.replace("}\n", ", timeout: 500ms, deadline: 5m, rate_limit: 3000/m, proxy: 'http://u:p@proxy:1'}\n")
        + "on_ambiguous: hold\nsuppress: [a.csv, /b.csv]\ntaxonomy: [x]\nkeep_attempts: {days: 2, size: 3kB}\n"
        + "ledger: sqlite:////var/l.db\ntemplates: ../t\nchannels:\n"
        + "  a-1:\n    type: sms\n"
        + "  b: {type: email, verified: {at: 2026-11-20, by: s, app_id: p, expires: 90d, note: n}}\n"
    )
    assert (config.metrix.timeout, config.metrix.deadline, config.metrix.rate_limit) == (0.5, 300.0, 50.0)
    assert config.suppress == (Path("/etc/metrix/a.csv"), Path("/b.csv"))
    assert (config.on_ambiguous, config.taxonomy) == (OnAmbiguous.HOLD, ("x",))
    assert config.keep_attempts == KeepAttempts(days=2, size=3000)
    assert config.ledger_path == Path("/var/l.db")
    assert config.templates == Path("/etc/metrix/../t")
    assert config.channels == {
        "a-1": Channel(name="a-1", type=ChannelType.SMS, verified=False),
        "b": Channel(
            name="b",
            type=ChannelType.EMAIL,
            verified=Verification(at=date(2026, 11, 20), by="s", app_id="p", expires=timedelta(days=90), note="n"),
        ),
    }
    assert config.channel("a-1").location == "channels.yaml:10:3"
    assert config.channel("b").location == "channels.yaml:12:20"
    assert "u:p" not in repr(config)


def test_relative_paths_start_at_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not at the folder that happens to be current, and not at the target of a link."""
    (tmp_path / "real").mkdir()
    (tmp_path / "real" / "c.yaml").write_text(metrix("ca_file: ca.pem"))
    (tmp_path / "link.yaml").symlink_to(tmp_path / "real" / "c.yaml")
    monkeypatch.chdir(tmp_path)
    config = load_config(Path("link.yaml"), {})
    assert config.metrix.ca_file == tmp_path / "ca.pem"
    assert config.path == tmp_path / "link.yaml"


@pytest.mark.parametrize(
    "line",
    [
        "timeout: 0s",
        "timeout: 10",
        "timeout: 2h",
        "timeout: '10 s'",
        "timeout: 1.5s",
        "timeout:",
        "deadline: 25h",
        "concurrency: 0",
        "concurrency: 1025",
        "concurrency: true",
        "concurrency: 2.5",
        "concurrency: '32'",
        "batch_size: 0",
        "max_attempts: 0",
        "rate_limit: 50",
        "rate_limit: 0/s",
        "rate_limit: 5/d",
        "ca_file: ''",
        'ca_file: "a\\nb"',
        "ca_file: [a]",
    ],
)
def test_values_out_of_range(line: str) -> None:
    """A value that its setting does not take is named with its place."""
    error = refusal(metrix(line))
    key = line.partition(":")[0]
    assert error.code == "config_value_invalid"
    assert (error.location or "").startswith("channels.yaml:7:")
    assert error.message.startswith(f"metrix.{key}: expected ")


@pytest.mark.parametrize(
    "url",
    [
        "https://entry.metrix.ir/",
        "https://h:8443/v1",
        "http://127.0.0.1:8025",
        "http://127.9.9.9",
        "http://[::1]:1",
        "http://localhost:1",
        "HTTPS://H",
    ],
)
def test_base_urls(url: str) -> None:
    """Encrypted anywhere, in clear to this machine; a slash at the end is dropped."""
    assert load(metrix(f"base_url: '{url}'")).metrix.base_url == url.rstrip("/")


@pytest.mark.parametrize(
    "url",
    [
        "http://entry.metrix.ir",
        "http://127.0.0.1.example.com",
        "http://localhost.evil.com",
        "http://0.0.0.0",
        "ftp://h",
        "https://user:pw@h",
        "https://@h",
        "https://h?q=1",
        "https://h/?",
        "https://h/#",
        "https://",
        "https:///x",
        "https://h:99999",
        "https://h:x",
        "https://[::1",
        "https://[h]",
        "https://a b",
        "https://h\\\\@evil",
        "//h",
        "",
        "http://128.0.0.1",
        "http://[::ffff:127.0.0.1]",
        "http://localhost@evil.com",
        "https://h\\n.evil",
        "https://user:123/secret@entry.metrix.ir",
        "https://-h",
    ],
)
def test_base_urls_that_are_refused(url: str) -> None:
    """Anything that could carry the key elsewhere, in clear, or in a log; it is not shown either."""
    error = refusal(metrix(f'base_url: "{url}"'))
    assert (error.code, error.location) == ("config_value_invalid", "channels.yaml:7:13")
    assert len(url) < 9 or url not in str(error)


SANDBOX_URLS = ["http://metrix:8025", "http://192.0.2.7:8025", "HTTP://sandbox.example", "http://[2001:db8::1]:8025"]


def sandbox_elsewhere(url: str, app_id: str) -> str:
    return metrix(f'base_url: "{url}"').replace("app_id: app-1", f"app_id: {app_id}")


@pytest.mark.parametrize("url", SANDBOX_URLS)
def test_a_sandbox_on_another_machine_is_spoken_to_in_clear(url: str) -> None:
    """Such as a service of a compose file: neither its key nor its messages are anybody's."""
    for app_id in ("sandbox-app", "${APP}", "sandbox-${PART}"):
        config = load(sandbox_elsewhere(url, app_id), {"APP": "sandbox-app", "PART": "app", "KEY": "k"})
        assert config.metrix.credentials().app_id == "sandbox-app"


@pytest.mark.parametrize("url", SANDBOX_URLS)
@pytest.mark.parametrize("app_id", ["sandbox-app2", "SANDBOX-APP", "xsandbox-app", "prod-7f3a"])
def test_no_other_application_is(url: str, app_id: str) -> None:
    """A literal one is refused at once, one from the environment before anything is made of it."""
    assert refusal(sandbox_elsewhere(url, app_id)).location == "channels.yaml:7:13"
    config = load(sandbox_elsewhere(url, "${APP}"), {"APP": app_id, "KEY": "k"})
    for use in (config.metrix.resolve_app_id, config.metrix.credentials):
        with pytest.raises(ConfigError, match=r"app_id: sandbox-app") as caught:
            use()
        assert (caught.value.code, caught.value.location) == ("config_value_invalid", "channels.yaml:7:13")


def test_the_sandbox_is_the_application_that_the_configuration_means() -> None:
    """They share no code, so that one constant is written twice."""
    assert Sandbox().app_id == SANDBOX_APP_ID


@pytest.mark.parametrize("url", ["socks5://h:1", "h:1", "http://", "http://h/path", "http://a b", "https://[x"])
def test_proxies_that_are_refused(url: str) -> None:
    """A proxy is http or https and a host."""
    assert refusal(metrix(f"proxy: '{url}'")).location == "channels.yaml:7:10"


@pytest.mark.parametrize(
    "ledger",
    [
        "sqlite://x.db",
        "sqlite:///",
        "sqlite:////",
        "sqlite:///:memory:",
        "sqlite:///folder/",
        "x.db",
        "mysql://u:pw@h/d",
        "postgresql://u:p w@h/d",
        "postgresql:h/d",
        "sqlite:///a\\0b",
    ],
)
def test_ledgers_that_are_refused(ledger: str) -> None:
    """A ledger is a file or a database in PostgreSQL; a password is not shown."""
    error = refusal(MINIMAL + f'ledger: "{ledger}"\n')
    assert (error.code, error.location) == ("config_value_invalid", "channels.yaml:3:9")
    assert "postgresql://" in error.message
    assert "pw" not in str(error)
    assert "p w" not in str(error)


@pytest.mark.parametrize(
    ("text", "place", "words"),
    [
        ("metrix: {app_id: a}\nversion: 1\nmetrics: 1", "1:1", "api_key or api_key_file is missing"),
        (MINIMAL + "on_ambigous: hold", "3:1", "unknown key 'on_ambigous'; did you mean 'on_ambiguous'?"),
        (MINIMAL + "zzz: hold", "3:1", "unknown key 'zzz'; known keys: version, metrix, templates"),
        (metrix("time_out: 5s"), "7:3", "unknown key 'time_out' under metrix; did you mean 'timeout'?"),
        (metrix("environ: {}"), "7:3", "unknown key 'environ' under metrix"),
        (MINIMAL + "path: x", "3:1", "unknown key 'path'"),
        (MINIMAL + "channels:\n  a: {type: sms, name: b}", "4:18", "unknown key 'name' under channels.a"),
        (MINIMAL + "channels:\n  a: {type: sms, location: b}", "4:18", "unknown key 'location'"),
        (MINIMAL + "on_ambiguous: Hold", "3:15", "expected retry or hold, not 'Hold'; did you mean 'hold'?"),
        (MINIMAL + "channels:\n  a: {type: push}", "4:13", "expected sms, app_push, web_push"),
        (MINIMAL + "channels:\n  a: {verified: true}", "4:3", "the key 'type' is missing under channels.a"),
        (MINIMAL + "channels:\n  a: {type: sms, verified: {by: x}}", "4:18", "the key 'at' is missing"),
        (MINIMAL + "channels:\n  a: {type: sms, verified:}", "4:27", "expected true, false, or the record"),
        (MINIMAL + "channels:\n  a: {type: sms, verified: 'true'}", "4:28", "expected true, false, or the record"),
        (MINIMAL + "channels:\n  a: {type: sms, verified: {at: 2026-02-30}}", "4:33", "expected a date"),
        (MINIMAL + "channels:\n  a: {type: sms, verified: {at: 2026-01-01, expires: 0d}}", "4:54", "above zero"),
        (MINIMAL + "channels:\n  Sms: {type: sms}", "4:3", "a channel's name consists of a-z"),
        (MINIMAL + "channels:\n  a:", "4:5", "expected a mapping of keys to values, not nothing"),
        (MINIMAL + "channels: [sms]", "3:11", "expected channels by name"),
        (MINIMAL + "suppress: optout.csv", "3:11", "expected a list, not 'optout.csv'"),
        (
            MINIMAL + "channels:\n  a: {type: sms, verified: {at: 1405-01-01}}",
            "4:33",
            "Gregorian calendar; did you mean a Jalali year? 1405-01-01 is 2026-03-21",
        ),
        (MINIMAL + 'suppress: ["a\\u202eb.csv"]', "3:12", "expected a path, as text, not 'a\\u202eb.csv'"),
        (MINIMAL + "suppress: [a, 3]", "3:15", "suppress[1]: expected a path, as text, not 3"),
        (MINIMAL + "keep_attempts: {size: 200}", "3:23", "expected a size such as"),
        (MINIMAL.replace("version: 1", "version: 2"), "1:10", "expected 1, the only version"),
        (MINIMAL.replace("version: 1", "version: true"), "1:10", "expected 1, the only version"),
        (MINIMAL.replace("version: 1\n", ""), "1:1", "the key 'version' is missing at the top"),
        ("version: 1", "1:1", "the key 'metrix' is missing at the top"),
        ("version: 1\nmetrix: 5", "2:9", "metrix: expected a mapping"),
        ("", "1:1", "the file: expected a mapping of keys to values, not nothing"),
        ("- a", "1:1", "the file: expected a mapping"),
        (MINIMAL.replace("app-1", "5"), "2:18", "expected the APP_ID as text"),
        (MINIMAL.replace("app-1", "a b"), "2:18", "expected the APP_ID as text"),
        (MINIMAL.replace("}'", "}', api_key_file: k"), "2:1", "expected api_key or api_key_file, not both"),
    ],
)
def test_errors_say_what_and_where(text: str, place: str, words: str) -> None:
    """Each mistake is named with its line and column, what was expected, and what was probably meant."""
    error = refusal(text)
    assert words.lower() in error.message.lower()
    place_of_words = re.search(
        rf"^(?:channels\.yaml:(\d+:\d+): )?[^\n]*{re.escape(words)}", error.message, re.MULTILINE | re.IGNORECASE
    )
    assert place_of_words is not None
    assert (place_of_words[1] or (error.location or "").removeprefix("channels.yaml:")) == place


def test_all_problems_are_told_in_the_order_of_the_file() -> None:
    """The first is the error; the others follow, one a line."""
    error = refusal(MINIMAL + "channels:\n  a: {type: x}\non_ambiguous: ${Q}\nsuppress: 1\nzzz: 1\n")
    assert error.location == "channels.yaml:4:13"
    assert error.code == "config_value_invalid"
    first, count, *others = error.message.split("\n")
    assert first.startswith("channels.a.type: expected sms, ")
    assert count == "3 more problems:"
    assert [line.split(": ")[0] for line in others] == [f"channels.yaml:{at}" for at in ("5:15", "6:11", "7:1")]


@pytest.mark.parametrize("key", ["sk-live-1234567", "prefix-${KEY}", "$KEY", "${KEY}${KEY}", "${bad-name}"])
def test_a_literal_key_is_refused_and_not_shown(key: str) -> None:
    """The key does not stand in the file; what was written there is taken to be it."""
    error = refusal(MINIMAL.replace("${KEY}", key))
    assert (error.code, error.location) == ("secret_literal", "channels.yaml:2:34")
    assert key not in str(error)
    assert "dashboard" in error.remedy


@pytest.mark.parametrize(
    ("written", "code"),
    [
        ("12345678", "secret_literal"),
        ("012345678", "yaml_refused"),
        ("", "secret_missing"),
        ("'  '", "secret_missing"),
        ("[sk-live-1]", "secret_literal"),
        ("!sk-live-1 x", "yaml_refused"),
        ("'sk-live-1", "yaml_invalid"),
    ],
)
def test_no_form_of_a_literal_key_is_shown(written: str, code: str) -> None:
    """Nor when it looks like a number, a tag or a list, or breaks the YAML."""
    error = refusal(f"version: 1\nmetrix:\n  app_id: a\n  api_key: {written}\n")
    assert error.code == code
    assert "sk-live" not in str(error)
    assert "1234" not in str(error)


def test_variables_are_filled_in_under_metrix_and_in_the_ledger() -> None:
    """Text and whole numbers come from the environment there."""
    config = load(
        metrix("concurrency: ${N}\n  timeout: ${T}s") + "ledger: sqlite:///${DIR}/l.db\n",
        {"N": "7", "T": "3", "DIR": "/var"},
    )
    assert (config.metrix.concurrency, config.metrix.timeout) == (7, 3.0)
    assert config.ledger_path == Path("/var/l.db")


@pytest.mark.parametrize("environ", [{}, {"T": ""}])
def test_a_variable_that_is_not_set(environ: dict[str, str]) -> None:
    """A missing variable is named with the place where it is used; an empty one counts as missing."""
    error = refusal(metrix("timeout: ${T}"), environ)
    assert (error.code, error.location) == ("environment_missing", "channels.yaml:7:12")
    assert "T is not set" in error.message
    assert "`export T=…`" in error.remedy


def test_a_variable_of_the_wrong_form_is_not_shown() -> None:
    """The error names the variable, not its value."""
    error = refusal(metrix("timeout: ${T}"), {"T": "sk-live-1"})
    assert "not the value of ${T}" in error.message
    assert "sk-live" not in str(error)


def test_a_reference_without_a_name() -> None:
    """`${` that is no reference is refused, rather than taken as text."""
    assert refusal(metrix("ca_file: ${a-b}")).message.startswith("metrix.ca_file: expected ${NAME}")


@pytest.mark.parametrize(
    "line",
    [
        "templates: ${X}",
        "on_ambiguous: ${X}",
        "suppress: ['${X}']",
        "taxonomy: ['a${X}']",
        "channels: {a: {type: '${X}'}}",
        "channels: {a: {type: sms, verified: '${X}'}}",
        "channels: {a: {type: sms, verified: {at: '${X}'}}}",
        "channels: {a: {type: sms, verified: {at: 2026-01-01, app_id: '${X}'}}}",
    ],
)
def test_variables_elsewhere_are_refused(line: str) -> None:
    """A verification that follows the environment would verify itself."""
    error = refusal(MINIMAL + line, {"X": "true"})
    assert error.code == "environment_refused"
    assert (error.location or "").startswith("channels.yaml:3:")


@pytest.mark.parametrize("written", ["maybe", '"no"', "'false'", "0", "1", "${SPLIT}"])
def test_a_switch_is_true_or_false(written: str) -> None:
    """Text is refused: `"no"` must not switch something on."""
    error = refusal(metrix(f"split_refused: {written}"), {"KEY": "k", "SPLIT": "false"})
    assert error.code == "config_value_invalid"
    assert error.message.startswith("metrix.split_refused: expected true or false")


def test_unknown_channels_are_answered_with_the_known() -> None:
    """A misspelt name gets a suggestion and the names that there are."""
    config = load(MINIMAL + "channels:\n  sms: {type: sms}\n  email: {type: email}\n")
    with pytest.raises(ConfigError, match=r"'emial'.*Did you mean 'email'\? Its channels are sms, email\.") as caught:
        config.channel("emial")
    assert caught.value.code == "channel_unknown"


def test_a_configuration_without_channels_needs_one() -> None:
    """A list without names is no remedy."""
    with pytest.raises(ConfigError, match="It has no channels") as caught:
        load(MINIMAL).channel("sms")
    assert caught.value.remedy == "Add the channel under `channels`."


def test_the_file_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The given path, else the variable's, else channels.yaml here."""
    monkeypatch.chdir(tmp_path)
    for name in ("given.yaml", "named.yaml", "channels.yaml"):
        (tmp_path / name).touch()
    assert find_config(Path("given.yaml"), {"METRIX_CHANNELS_CONFIG": "named.yaml"}) == Path("given.yaml")
    assert find_config(None, {"METRIX_CHANNELS_CONFIG": "named.yaml"}) == Path("named.yaml")
    assert find_config(None, {"METRIX_CHANNELS_CONFIG": ""}) == Path("channels.yaml")


def test_no_file_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each way of naming a file that is not there ends in one error."""
    monkeypatch.chdir(tmp_path)
    for explicit, environ in ((Path("no\x1b"), {}), (None, {"METRIX_CHANNELS_CONFIG": "no"}), (None, {})):
        with pytest.raises(ConfigError) as caught:
            find_config(explicit, environ)
        assert caught.value.code == "config_missing"
        assert "\x1b" not in str(caught.value)


FULL = parse_yaml(
    MINIMAL + "suppress: [a]\nkeep_attempts: {days: 1}\nchannels: {a: {type: sms, verified: {at: 2026-01-01}}}", "f"
)
paths = st.sampled_from(sorted(FULL._positions, key=str))
junk = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.text("a${}X:/1ds\x00\u202e", max_size=8),
    lambda inner: (
        st.lists(inner, max_size=2)
        | st.dictionaries(st.sampled_from(["at", "type", "app_id", "x", "", "\u202e"]), inner, max_size=2)
    ),
    max_leaves=6,
)


@given(paths, junk)
def test_no_data_breaks_the_loader(path: tuple[str | int, ...], value: object) -> None:
    """Whatever stands anywhere in the file, the answer is a configuration or one error with line and column."""

    def put(data: object, steps: tuple[str | int, ...]) -> object:
        if not steps:
            return value
        if isinstance(data, list):
            return [put(item, steps[1:]) if index == steps[0] else item for index, item in enumerate(data)]
        assert isinstance(data, dict)
        return {key: put(item, steps[1:]) if key == steps[0] else item for key, item in data.items()}

    document = Document(put(FULL.data, path), "f", FULL._positions)  # type: ignore[arg-type]
    error = None
    try:
        make_config(document, Path("/f"), {"X": "\n"})
    except ConfigError as caught:
        error = caught
    assert error is None or re.fullmatch(r"f:\d+:\d+", error.location or "")
    assert error is None or is_text(error.message.replace("\n", ""))


@pytest.mark.parametrize("stored", ["NFC", "NFD"])
def test_files_are_found_however_their_names_are_stored(stored: Literal["NFC", "NFD"], tmp_path: Path) -> None:
    """MacOS writes آ as two characters, a keyboard as one; a second ledger beside the first would know of no send."""
    names = [unicodedata.normalize(stored, name) for name in ("آ\u200cقالب", "آمار.db", "آخر.csv")]
    for name in names:
        (tmp_path / name).touch()
    path = tmp_path / "channels.yaml"
    lines = "templates: ./آ\u200cقالب\nledger: sqlite:///./آمار.db\nsuppress: [آخر.csv]\n"
    path.write_text(MINIMAL + lines, encoding="utf-8")
    config = load_config(path)
    assert config.ledger_path is not None
    assert [config.templates.name, config.ledger_path.name, config.suppress[0].name] == names
