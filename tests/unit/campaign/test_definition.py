"""From a campaign file to models, or to one error that names file, line and column."""

from __future__ import annotations

import re
import unicodedata
from datetime import UTC, datetime, time, timedelta, timezone
from pathlib import Path
from typing import Literal
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from metrix_channels.campaign.audience_source import STDIN, AudienceSource
from metrix_channels.campaign.definition import (
    Campaign,
    Canary,
    Cap,
    Limits,
    Locale,
    QuietHours,
    Schedule,
    campaign_name,
    checked_name,
    load_campaign,
)
from metrix_channels.config import make_model, parse_yaml
from metrix_channels.errors import ConfigError, UsageError
from metrix_channels.models import OnAmbiguous
from metrix_channels.printable import is_text

MINIMAL = "version: 1\nname: nowruz\nchannel: sms\ntemplate: sale\naudience: {file: a.csv}\n"
"""Whatever is added begins in line 6."""

WHOLE = """\
version: 1
name: nowruz-sale
channel: sms
template: nowruz_sale
locale: fa
audience: {file: audience.csv, id: شناسه, except: [yalda, yalda-2]}
context: {discount: 30, نام: سارا, link: {host: example.ir, paths: [a, null, true, 1.5]}}
suppress: [optout.csv, ../shared/left.csv]
schedule: {at: 2026-03-20T10:00:00+03:30, max_lateness: 30m}
quiet_hours: {from: "22:00", to: "08:00", timezone: Asia/Tehran}
limits: {rate: 100/s, per_recipient: 2/24h, max_failures: 50}
on_ambiguous: hold
canary: 100
"""


def load(text: str) -> Campaign:
    """Make the models of a campaign file."""
    return make_model(parse_yaml(text, "nowruz.yaml"), Campaign, None)


def refusal(text: str) -> ConfigError:
    """Return the error that a campaign file ends in."""
    with pytest.raises(ConfigError) as caught:
        load(text)
    return caught.value


def test_everything_is_read(tmp_path: Path) -> None:
    """Every key of a campaign file, with paths that start at its folder."""
    path = tmp_path / "nowruz.yaml"
    path.write_text(WHOLE, encoding="utf-8")
    assert load_campaign(path) == Campaign(
        path=path,
        version=1,
        name="nowruz-sale",
        channel="sms",
        template="nowruz_sale",
        locale=Locale(column=None, default="fa"),
        audience=AudienceSource(file=tmp_path / "audience.csv", id="شناسه", except_=("yalda", "yalda-2")),
        context={
            "discount": 30,
            "نام": "سارا",
            "link": {"host": "example.ir", "paths": ["a", None, True, 1.5]},
        },
        suppress=(tmp_path / "optout.csv", tmp_path / "../shared/left.csv"),
        schedule=Schedule(
            at=datetime(2026, 3, 20, 10, tzinfo=timezone(timedelta(hours=3, minutes=30))),
            max_lateness=timedelta(minutes=30),
        ),
        quiet_hours=QuietHours(from_=time(22), to=time(8), timezone=ZoneInfo("Asia/Tehran")),
        limits=Limits(rate=100.0, per_recipient=Cap(2, timedelta(hours=24)), max_failures=50),
        on_ambiguous=OnAmbiguous.HOLD,
        canary=Canary(first=100),
    )


def test_defaults() -> None:
    """The smallest campaign has no limits of its own."""
    campaign = load(MINIMAL)
    assert campaign.audience == AudienceSource(file=Path("a.csv"), id="customUserId", except_=())
    assert campaign.limits == Limits(rate=None, per_recipient=None, max_failures=None)
    assert (campaign.context, campaign.suppress) == ({}, ())
    assert (campaign.locale, campaign.schedule, campaign.quiet_hours) == (None, None, None)
    assert (campaign.on_ambiguous, campaign.canary) == (None, None)
    scheduled = load(MINIMAL + "schedule: {at: 2026-03-20T10:00Z}").schedule
    assert scheduled == Schedule(at=datetime(2026, 3, 20, 10, tzinfo=UTC), max_lateness=timedelta(hours=1))


def test_relative_paths_start_at_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not at the working directory; what is absolute stays, and so does standard input."""
    folder = tmp_path / "campaigns"
    folder.mkdir()
    path = folder / "a.yaml"
    path.write_text(MINIMAL + "suppress: [/srv/optout.csv, left.csv]", encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    campaign = load_campaign(Path("campaigns/a.yaml"))
    assert campaign.path == path
    assert campaign.audience.file == folder / "a.csv"
    assert campaign.suppress == (Path("/srv/optout.csv"), folder / "left.csv")
    path.write_text(MINIMAL.replace("a.csv", '"-"'), encoding="utf-8")
    assert load_campaign(path).audience.file == STDIN


@pytest.mark.parametrize(
    "file",
    [
        "a.csv",
        "a.tsv",
        "a.jsonl",
        "a.csv.gz",
        "a.tsv.gz",
        "a.jsonl.gz",
        "a.xlsx",
        "a.parquet",
        "A.CSV",
        "/srv/مخاطبان.csv",
        "می\u200cخواهم.csv",
        "-",
    ],
)
def test_audiences(file: str) -> None:
    """Each form, in capitals too, as some programs write them."""
    assert load(MINIMAL.replace("a.csv", f'"{file}"')).audience.file == Path(file)


@pytest.mark.parametrize("stored", ["NFC", "NFD"])
@pytest.mark.parametrize("written", ["NFC", "NFD"])
def test_files_are_found_however_their_names_are_stored(
    stored: Literal["NFC", "NFD"], written: Literal["NFC", "NFD"], tmp_path: Path
) -> None:
    """MacOS writes آ as two characters, a keyboard as one."""
    names = [unicodedata.normalize(stored, name) for name in ("آمار.csv", "آخر.csv")]
    for name in names:
        (tmp_path / name).touch()
    path = tmp_path / "a.yaml"
    text = MINIMAL.replace("a.csv", "آمار.csv") + "suppress: [آخر.csv]\n"
    path.write_text(unicodedata.normalize(written, text), encoding="utf-8")
    campaign = load_campaign(path)
    assert [campaign.audience.file.name, campaign.suppress[0].name] == names


@pytest.mark.parametrize("locale", ["fa-IR", "fa_IR", "fa-ir"])
def test_a_locale_has_one_spelling(locale: str) -> None:
    """So that a run that was planned with one goes on with the other."""
    assert load(MINIMAL + f"locale: {locale}").locale == Locale(column=None, default="fa-IR")
    assert load(MINIMAL + f"locale: {{column: lang, default: {locale}}}").locale == Locale(
        column="lang", default="fa-IR"
    )
    assert load(MINIMAL + "locale: {column: lang}").locale == Locale(column="lang", default=None)


@pytest.mark.parametrize(
    "file", ["a.xls", "a.xlsx.gz", "a.json", "a.csv.zip", "a.gz", "a", "csv", "a.csv/", '""', '"a\\n.csv"', "5"]
)
def test_audiences_that_are_refused(file: str) -> None:
    """The error names the forms that there are."""
    error = refusal(MINIMAL.replace("a.csv", file))
    assert (error.code, error.location) == ("config_value_invalid", "nowruz.yaml:5:18")
    assert (
        "audience.file: expected a .csv, .tsv or .jsonl file, each also .gz; an .xlsx or .parquet file; or -"
        in error.message
    )


@pytest.mark.parametrize("name", ["a", "0", "nowruz-1405_b", "a" * 100])
def test_names(name: str) -> None:
    """The same from the file and from the command line."""
    assert load(MINIMAL.replace("nowruz", f'"{name}"')).name == checked_name(name) == name


@pytest.mark.parametrize("name", ["", "-a", "_a", "Nowruz", "نوروز", "a b", "a/b", "..", "a\n", "a\u202e", "a" * 101])
def test_names_that_are_refused(name: str) -> None:
    """The same from the file and from the command line, and nothing in them reaches a terminal raw."""
    quoted = name.replace("\n", "\\n").replace("\u202e", "\\u202e")
    error = refusal(MINIMAL.replace("nowruz", f'"{quoted}"'))
    assert (error.code, error.location) == ("config_value_invalid", "nowruz.yaml:2:7")
    with pytest.raises(UsageError, match="is not a name of up to") as caught:
        checked_name(name)
    assert caught.value.code == "usage"
    for message in (error.message, caught.value.message):
        assert message.isprintable()


@pytest.mark.parametrize(
    ("text", "place", "code", "words"),
    [
        ("schedule: {at: 2026-03-20}", "6:16", "config_value_invalid", "schedule.at: expected a time with its offset"),
        ("schedule: {at: 2026-03-20T10:00:00}", "6:16", "config_value_invalid", "expected a time with its offset"),
        ("schedule: {at: 20260320T100000Z}", "6:16", "config_value_invalid", "expected a time with its offset"),
        ("schedule: {at: 2026-02-30T10:00Z}", "6:16", "config_value_invalid", "expected a time with its offset"),
        ("schedule: {at: '۲۰۲۶-03-20T10:00Z'}", "6:16", "config_value_invalid", "expected a time with its offset"),
        ("schedule: {at: 10:00}", "6:16", "yaml_refused", "yaml parsers read this value differently"),
        ("schedule: {max_lateness: 1h}", "6:1", "config_key_missing", "the key 'at' is missing under schedule"),
        ("schedule: {at: 2026-03-20T10:00Z, max_lateness: 0m}", "6:49", "config_value_invalid", "above zero"),
        ("schedule: {at: 2026-03-20T10:00Z, max_lateness: 30}", "6:49", "config_value_invalid", "a duration such as"),
        ("schedule:", "6:10", "config_value_invalid", "expected a mapping of keys to values, not nothing"),
        ("quiet_hours:", "6:13", "config_value_invalid", "expected a mapping of keys to values, not nothing"),
        ("limits:", "6:8", "config_value_invalid", "expected a mapping of keys to values, not nothing"),
        ("quiet_hours: {to: '08:00', timezone: UTC}", "6:1", "config_key_missing", "the key 'from' is missing"),
        ("limits: {rate: 100}", "6:16", "config_value_invalid", "a rate such as 50/s"),
        ("limits: {rate: 0/s}", "6:16", "config_value_invalid", "a rate such as 50/s"),
        ("limits: {per_recipient: 2}", "6:25", "config_value_invalid", "such as 2/24h"),
        ("limits: {per_recipient: 0/24h}", "6:25", "config_value_invalid", "such as 2/24h"),
        ("limits: {per_recipient: 2/0h}", "6:25", "config_value_invalid", "such as 2/24h"),
        ("limits: {max_failures: -1}", "6:24", "config_value_invalid", "from 0 to 1,000,000,000"),
        ("limits: {max_failures: 1000000001}", "6:24", "config_value_invalid", "from 0 to 1,000,000,000"),
        ("limits: {max_failures: true}", "6:24", "config_value_invalid", "from 0 to 1,000,000,000"),
        ("limits: {rats: 100/s}", "6:10", "config_key_unknown", "under limits; did you mean 'rate'?"),
        ("canary: 0", "6:9", "config_value_invalid", "from 1 to 1,000,000,000"),
        ("on_ambiguous: holt", "6:15", "config_value_invalid", "did you mean 'hold'?"),
        ("suppress: optout.csv", "6:11", "config_value_invalid", "expected a list"),
        ("suppress:\n- a.csv\n- 5", "8:3", "config_value_invalid", "suppress[1]: expected a path"),
        ("context: [1]", "6:10", "config_value_invalid", "expected a mapping of names to values"),
        ("context: {a: 1, a-b: 2}", "6:17", "config_value_invalid", "context.a-b: expected a name"),
        ("context: {'1': 2}", "6:11", "config_value_invalid", "context.1: expected a name"),
        ("context: {a: 1, a: 2}", "6:17", "yaml_refused", "the key 'a' is used twice"),
        ("context: {price: 012}", "6:18", "yaml_refused", "yaml parsers read this value differently"),
        ("channels: sms", "6:1", "config_key_unknown", "did you mean 'channel'?"),
        ("cannary: 5", "6:1", "config_key_unknown", "did you mean 'canary'?"),
        ("path: /etc", "6:1", "config_key_unknown", "known keys: version, name, channel"),
        ("locale: 5", "6:9", "config_value_invalid", "expected a locale"),
        ("canary: 0", "6:9", "config_value_invalid", "whole number from 1"),
        ("canary: {first: 0}", "6:17", "config_value_invalid", "whole number from 1"),
        ("canary: {then: pause}", "6:1", "config_key_missing", "first"),
        ("canary: {first: 5, then: wait}", "6:26", "config_value_invalid", "go or pause"),
        ("canary: {first: 5, than: go}", "6:20", "config_key_unknown", "then"),
        ("limits: {max_cost: 0}", "6:20", "config_value_invalid", "a number above 0"),
        ("limits: {max_cost: 5 IRR}", "6:20", "config_value_invalid", "a number above 0"),
        ("limits: {max_cost: true}", "6:20", "config_value_invalid", "a number above 0"),
        ("on_empty: ignore", "6:11", "config_value_invalid", "warn, skip or refuse"),
        ("on_empty:", "6:10", "config_value_invalid", "warn, skip or refuse"),
        ("locale: [fa]", "6:9", "config_value_invalid", "or the column that names it, such as {column: lang"),
        ("locale: {}", "6:1", "config_key_missing", "column"),
        ("locale: {default: fa}", "6:1", "config_key_missing", "column"),
        ("locale: {column: lang, defualt: fa}", "6:24", "config_key_unknown", "default"),
        ("locale: {column: 5}", "6:18", "config_value_invalid", "text"),
        ("locale: {column: lang, default: persian}", "6:33", "locale_unknown", "did you mean fa?"),
        ("locale: english", "6:9", "locale_unknown", "did you mean en?"),
        ("locale: xx", "6:9", "locale_unknown", "is not a locale such as fa"),
        (
            "schedule: {at: 1405-01-01T10:00:00+03:30}",
            "6:16",
            "config_value_invalid",
            "write 2026-03-21T10:00:00+03:30",
        ),
        ("schedule: {at: 1405-02-31T10:00Z}", "6:16", "config_value_invalid", "write 2026-05-21T10:00Z"),
        ("schedule: {at: 0999-01-01T10:00Z}", "6:16", "config_value_invalid", "a time with its offset"),
        ('suppress: ["a\\u202eb.csv"]', "6:12", "config_value_invalid", "suppress[0]: expected a path"),
    ],
)
def test_errors_say_what_and_where(text: str, place: str, code: str, words: str) -> None:
    """Line and column of the value, or of the key where the key is at fault."""
    error = refusal(MINIMAL + text)
    assert (error.location, error.code) == (f"nowruz.yaml:{place}", code)
    assert words.lower() in error.message.lower()


@pytest.mark.parametrize(
    ("hours", "place", "words"),
    [
        ("{from: 22:00, to: '08:00', timezone: UTC}", "6:21", "yaml parsers read this value differently"),
        ("{from: '22', to: '08:00', timezone: UTC}", "6:21", 'expected a time such as "22:00", in quotes'),
        ("{from: '24:00', to: '08:00', timezone: UTC}", "6:21", "expected a time such as"),
        ("{from: '22:60', to: '08:00', timezone: UTC}", "6:21", "expected a time such as"),
        ("{from: '22:00', to: '8:00', timezone: UTC}", "6:34", "expected a time such as"),
        ("{from: '22:00', to: '۰۸:۰۰', timezone: UTC}", "6:34", "expected a time such as"),
        ("{from: '08:00', to: '08:00', timezone: UTC}", "6:1", "from and to are the same time"),
        ("{from: '22:00', to: '08:00', timezone: Asia/Tehra}", "6:53", "did you mean 'Asia/Tehran'?"),
        ("{from: '22:00', to: '08:00', timezone: Asia}", "6:53", "a time zone that this machine knows"),
        ("{from: '22:00', to: '08:00', timezone: ../etc/passwd}", "6:53", "a time zone that this machine knows"),
        ("{from: '22:00', to: '08:00', timezone: ''}", "6:53", "a time zone that this machine knows"),
        ("{from: '22:00', to: '08:00', timezone: تهران}", "6:53", "a time zone that this machine knows"),
        ("{from: '22:00', to: '08:00', timezone: 3}", "6:53", "a time zone that this machine knows, such as"),
    ],
)
def test_quiet_hours_that_are_refused(hours: str, place: str, words: str) -> None:
    """A window of no length, a clock that people do not have, a zone that this machine does not know."""
    error = refusal(MINIMAL + f"quiet_hours: {hours}")
    assert error.location == f"nowruz.yaml:{place}"
    assert words.lower() in error.message.lower()


@pytest.mark.parametrize("key", ["version", "name", "channel", "template", "audience"])
def test_what_a_campaign_needs(key: str) -> None:
    """Each of the five keys that have no default."""
    lines = [line for line in MINIMAL.splitlines() if not line.startswith(key)]
    error = refusal("\n".join(lines))
    assert (error.code, error.location) == ("config_key_missing", "nowruz.yaml:1:1")
    assert f"key {key!r} is missing at the top" in error.message


@pytest.mark.parametrize(("wrong", "key"), [("templat", "template"), ("chanel", "channel"), ("versoin", "version")])
def test_a_misspelt_key_is_one_problem(wrong: str, key: str) -> None:
    """Its right spelling is suggested, and does not count as missing too."""
    error = refusal(MINIMAL.replace(f"{key}:", f"{wrong}:"))
    assert error.code == "config_key_unknown"
    assert error.message.lower() == f"unknown key {wrong!r}; did you mean {key!r}?"


def test_all_problems_are_told_in_the_order_of_the_file() -> None:
    """One look at the error is enough to mend the file."""
    error = refusal(MINIMAL.replace("name: nowruz", "name: Nowruz") + "canary: 0\nlimits: {rate: 5}\nfoo: 1")
    assert error.location == "nowruz.yaml:2:7"
    places = [line.split(": ")[0] for line in error.message.split("\n")[2:]]
    assert places == ["nowruz.yaml:6:9", "nowruz.yaml:7:16", "nowruz.yaml:8:1"]


@pytest.mark.parametrize(
    ("text", "place"),
    [
        (MINIMAL.replace("sale", "${T}"), "4:11"),
        (MINIMAL.replace("a.csv", "'${DIR}/a.csv'"), "5:18"),
        (MINIMAL + "context: {a: [x, 'before ${HOME} after']}", "6:18"),
        (MINIMAL + "suppress: ['${F}']", "6:12"),
        (MINIMAL + "ledger: ${F}", "6:9"),
    ],
)
def test_nothing_follows_the_environment(tmp_path: Path, text: str, place: str) -> None:
    """What a campaign says, and to whom, stands in its file; not even where the configuration may refer to one."""
    path = tmp_path / "nowruz.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError) as caught:
        load_campaign(path)
    assert (caught.value.code, caught.value.location) == ("environment_refused", f"{path}:{place}")


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    """It is not taken for a missing configuration, whose remedy would lead astray."""
    for path in (tmp_path / "nowruz.yaml", tmp_path / "a\0b.yaml", tmp_path / "a\u202eb.yaml"):
        with pytest.raises(ConfigError, match="There is no campaign file") as caught:
            load_campaign(path)
        assert caught.value.code == "file_unreadable"
        assert caught.value.message.isprintable()


def test_a_folder_in_place_of_the_file(tmp_path: Path) -> None:
    """It is named as what it is."""
    with pytest.raises(ConfigError, match="it is a folder, not a regular file") as caught:
        load_campaign(tmp_path)
    assert caught.value.code == "file_unreadable"


def test_locations_begin_with_the_file(tmp_path: Path) -> None:
    """As it was named, so that it can be clicked."""
    path = tmp_path / "nowruz.yaml"
    path.write_text(MINIMAL + "canary: 0", encoding="utf-8")
    with pytest.raises(ConfigError) as caught:
        load_campaign(path)
    assert caught.value.location == f"{path}:6:9"


def test_a_campaigns_name(tmp_path: Path) -> None:
    """It is in the file, whatever the file is called."""
    path = tmp_path / "other.yaml"
    path.write_text(MINIMAL, encoding="utf-8")
    assert campaign_name(path) == "nowruz"


_SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.sampled_from(["-", "${X}", "10:00"])
_VALUES = st.recursive(
    _SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3), max_leaves=6
)
_KEYS = sorted(parse_yaml(WHOLE, "f").data)  # type: ignore[arg-type]


@given(st.sampled_from(_KEYS), _VALUES)
def test_no_data_breaks_the_loader(key: str, value: object) -> None:
    """Whatever stands under a key, there is a campaign or one ConfigError."""
    document = parse_yaml(WHOLE, "f")
    assert isinstance(document.data, dict)
    document.data[key] = value  # type: ignore[assignment]
    error = None
    try:
        make_model(document, Campaign, None)
    except ConfigError as caught:
        error = caught
    assert error is None or re.fullmatch(r"f:\d+:\d+", error.location or "")
    assert error is None or is_text(error.message.replace("\n", ""))
