"""The model of a campaign file: message, channel, audience, schedule and limits.

Each field has a description and a kind. The loader and the JSON Schema for editors are built from them.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from datetime import datetime, time, timedelta
from decimal import Decimal
from enum import StrEnum
from pathlib import Path
from typing import Final
from zoneinfo import ZoneInfo, available_timezones

from attrs import evolve, field, frozen
from cattrs import IterableValidationError
from cattrs.errors import IterableValidationNote

from ..config import kinds, make_model, read_yaml, setting
from ..config.kinds import Kind, Refusal, text_kind
from ..errors import ConfigError, UsageError
from ..files import stored_path
from ..localization.jalali import FIRST_GREGORIAN_YEAR
from ..localization.locales import EXPECTED, locale_fault, standard_locale
from ..models import JsonValue, OnAmbiguous
from ..printable import printable
from ..process.time_zones import zone
from .audience_source import NAME, NAMED, RUN_NAME, STDIN, AudienceSource

_CAP: Final = re.compile(r"([1-9][0-9]{0,5})/([1-9][0-9]{0,5})(m|h|d)")
_UNITS: Final = {"m": timedelta(minutes=1), "h": timedelta(hours=1), "d": timedelta(days=1)}
_CLOCK: Final = re.compile(r"([01][0-9]|2[0-3]):([0-5][0-9])")
_MOMENT: Final = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}(:[0-9]{2}(\.[0-9]{1,6})?)?([+-][0-9]{2}:[0-9]{2}|Z)"
)
# For editors: a pattern of characters that no template name contains. Their \w is ASCII, but Persian names are valid.
_NAME_IN_TEMPLATE: Final = r"^[^\x00-\x40\x5b-\x5e\x60\x7b-\x7f][^\x00-\x2f\x3a-\x40\x5b-\x5e\x60\x7b-\x7f]*$"


@frozen
class Cap:
    """How often campaigns may reach one recipient.

    Attributes:
        count: maximum number of messages.
        window: the time in which they count.
    """

    count: int
    window: timedelta


def _moment(text: str) -> datetime | None:
    kinds.refuse_jalali(text)
    try:
        moment = datetime.fromisoformat(text) if _MOMENT.fullmatch(text) else None
    except ValueError:
        return None
    return moment if moment and moment.year >= FIRST_GREGORIAN_YEAR else None


def _locale(text: str) -> str:
    if locale := standard_locale(text):
        return locale
    raise Refusal(locale_fault(text), code="locale_unknown", confidential=True)


def _one_locale(value: JsonValue) -> Locale:
    if isinstance(value, str):
        return Locale(column=None, default=_locale(value))
    raise Refusal(f"expected {EXPECTED}, or the column that names it, such as {{column: lang, default: fa}}")


def _cap(text: str) -> Cap | None:
    found = _CAP.fullmatch(text)
    return Cap(int(found[1]), int(found[2]) * _UNITS[found[3]]) if found else None


def _clock(text: str) -> time | None:
    found = _CLOCK.fullmatch(text)
    return time(int(found[1]), int(found[2])) if found else None


def _zone(value: JsonValue) -> ZoneInfo:
    try:
        if isinstance(value, str) and (found := zone(value)):
            return found
    except ConfigError as error:
        raise Refusal(f"{error.message[:1].lower()}{error.message[1:-1]} (`pip install tzdata`)") from error
    message = (
        "expected a time zone that this machine knows, such as Asia/Tehran (the package tzdata contains all of them)"
    )
    raise Refusal(message, choices=tuple(available_timezones()))


def _context(value: JsonValue) -> Mapping[str, JsonValue]:
    if not isinstance(value, dict):
        raise Refusal("expected a mapping of names to values")
    problems: list[Exception] = []
    for name in value:
        if not name.isidentifier():
            message = "expected a name that a template can use: letters, digits and _, not starting with a digit"
            refusal = Refusal(message, confidential=True, at_key=True)
            refusal.add_note(IterableValidationNote("in the context", name, object))
            problems.append(refusal)
    if problems:
        raise IterableValidationError("in the context", problems, dict)
    return value


MOMENT: Final = text_kind("a time with its offset, such as 2026-03-20T10:00:00+03:30", _moment, f"^{_MOMENT.pattern}$")
LOCALE: Final = text_kind(EXPECTED, _locale, "^[A-Za-z]{2,3}([_-][A-Za-z0-9]{2,8})*$")
_MANY: Final = kinds.whole(1, 1_000_000_000)
ONE_CANARY: Final = Kind(lambda value: Canary(first=_MANY.parse(value)), _MANY.schema)
ONE_LOCALE: Final = Kind(_one_locale, LOCALE.schema)
CAP: Final = text_kind("a number of messages per period, such as 2/24h or 5/7d", _cap, f"^{_CAP.pattern}$")
CLOCK: Final = text_kind('a time such as "22:00", in quotes', _clock, f"^{_CLOCK.pattern}$")
ZONE: Final = Kind(_zone, {"type": "string", "pattern": "^[A-Za-z0-9_+/-]+$"})
CONTEXT: Final[Kind[Mapping[str, JsonValue]]] = Kind(
    _context, {"type": "object", "propertyNames": {"pattern": _NAME_IN_TEMPLATE}}
)


@frozen(kw_only=True)
class Locale:
    """The locale of each row.

    Attributes:
        column: holds the locale of each row; None if all rows have `default`.
        default: for rows without a usable locale; None for the template without a locale.
    """

    column: str | None = field(metadata=setting("The column or key that holds the locale of each row.", kinds.TEXT))
    default: str | None = field(
        default=None,
        metadata=setting("The locale of rows that have none, or one without a template, such as fa.", LOCALE),
    )


class OnEmpty(StrEnum):
    """What happens to a row with an empty value that the text shows."""

    WARN = "warn"
    SKIP = "skip"
    REFUSE = "refuse"


class AfterCanary(StrEnum):
    """What happens after the canary was sent."""

    GO = "go"
    PAUSE = "pause"


@frozen(kw_only=True)
class Canary:
    """The recipients who are sent to first.

    Attributes:
        first: their number.
        then: continue unless too many of them failed; or pause, so that people can check what arrived.
    """

    first: int = field(metadata=setting("How many recipients to send to first.", _MANY))
    then: AfterCanary = field(
        default=AfterCanary.GO,
        metadata=setting(
            "go: send to the others unless too many of the first failed; pause: wait for `campaign resume`.",
            kinds.choice(AfterCanary),
            "go",
        ),
    )


@frozen(kw_only=True)
class Schedule:
    """When a campaign starts.

    Attributes:
        at: the earliest start.
        max_lateness: the longest delay after `at`; later, the campaign does not start.
    """

    at: datetime = field(metadata=setting("When the campaign starts, such as 2026-03-20T10:00:00+03:30.", MOMENT))
    max_lateness: timedelta = field(
        default=timedelta(hours=1),
        metadata=setting("How late the campaign may still start, such as 30m.", kinds.span(most="3660d"), "1h"),
    )


@frozen(kw_only=True)
class QuietHours:
    """Hours in which no request starts, regardless of the schedule.

    Attributes:
        from_: the start.
        to: the end; if it is before `from_`, the end is on the next day.
        timezone: of both times.
    """

    from_: time = field(metadata=setting('When quiet hours begin, such as "22:00".', CLOCK))
    to: time = field(metadata=setting('When quiet hours end, such as "08:00".', CLOCK))
    timezone: ZoneInfo = field(metadata=setting("The time zone of both times, such as Asia/Tehran.", ZONE))

    def __attrs_post_init__(self) -> None:
        if self.from_ == self.to:
            raise Refusal("from and to are the same time", confidential=True, at_key=True)


@frozen(kw_only=True)
class Limits:
    """The limits of a run.

    Attributes:
        rate: requests per second; the rate of the configuration applies too.
        per_recipient: maximum messages to one recipient, over all campaigns.
        max_failures: the run halts if more recipients are rejected or unknown.
        max_cost: a plan that costs more is refused; in the currency of the channel.
    """

    rate: float | None = field(
        default=None, metadata=setting("The maximum rate of requests, such as 100/s.", kinds.RATE)
    )
    per_recipient: Cap | None = field(
        default=None,
        metadata=setting("The maximum number of messages to one recipient, over all campaigns, such as 2/24h.", CAP),
    )
    max_failures: int | None = field(
        default=None,
        metadata=setting(
            "The run halts when more recipients than this are rejected or unknown.", kinds.whole(0, 1_000_000_000)
        ),
    )

    max_cost: Decimal | None = field(
        default=None,
        metadata=setting(
            "The maximum cost of a plan, in the channel's currency. Needs the channel's price_per_part.",
            kinds.amount(1_000_000_000_000_000),
        ),
    )


@frozen(kw_only=True)
class Campaign:
    """A campaign file with absolute paths.

    Attributes:
        path: of the file.
        version: of the file's format.
        name: the run's identity.
        channel: a channel of the configuration.
        template: a template's name.
        locale: one for all rows, or the column that holds it; None for the template without a locale.
        on_empty: what happens to a row with an empty value that the text shows.
        audience: the recipients.
        context: values for every recipient; a column of the same name wins.
        suppress: files of recipients who are not sent to.
        schedule: when it starts.
        quiet_hours: when no request starts.
        limits: of the run.
        on_ambiguous: overrides the configuration.
        canary: the recipients who are sent to first.
    """

    path: Path = Path()
    version: int = field(metadata=setting("The version of this file's format.", kinds.VERSION))
    name: str = field(
        metadata=setting("The name of the run. A finished campaign cannot run again under the same name.", NAME)
    )
    channel: str = field(metadata=setting("A channel of channels.yaml.", kinds.TEXT))
    template: str = field(metadata=setting("A template's name.", kinds.TEXT))
    locale: Locale | None = field(
        default=None,
        metadata=setting(
            "One locale for all rows, such as fa, or the column that holds the locale of each row.",
            ONE_LOCALE,
            None,
            Locale,
        ),
    )
    on_empty: OnEmpty = field(
        default=OnEmpty.WARN,
        metadata=setting(
            "If a value in the text is empty for a row: warn (the plan counts such rows), skip (the row gets no"
            " message) or refuse (nothing is sent).",
            kinds.choice(OnEmpty),
            "warn",
        ),
    )
    audience: AudienceSource = field(metadata=setting("The recipients."))
    context: Mapping[str, JsonValue] = field(
        factory=dict, metadata=setting("Values for every recipient; a column of the same name wins.", CONTEXT)
    )
    suppress: tuple[Path, ...] = field(
        default=(), metadata=setting("Files of recipients who are not sent to.", kinds.list_of(kinds.PATH), [])
    )
    schedule: Schedule | None = field(default=None, metadata=setting("When the campaign starts."))
    quiet_hours: QuietHours | None = field(default=None, metadata=setting("Hours in which no request starts."))
    limits: Limits = field(factory=Limits, metadata=setting("The limits of the campaign."))
    on_ambiguous: OnAmbiguous | None = field(
        default=None, metadata=setting("retry or hold; overrides channels.yaml.", kinds.choice(OnAmbiguous))
    )
    canary: Canary | None = field(
        default=None,
        metadata=setting(
            "How many recipients to send to first; then the campaign continues, or pauses.", ONE_CANARY, model=Canary
        ),
    )


def load_campaign(path: Path) -> Campaign:
    """Load a campaign file.

    Raises:
        ConfigError: `file_unreadable` if there is no file; otherwise as `load_config`, with file, line and column,
            except that `${NAME}` is allowed only in `audience.url`.
    """
    path = stored_path(Path(), str(path))
    if not os.path.exists(path):  # noqa: PTH110 - also false for names that no file can have
        message = f"there is no campaign file {printable(str(path))}"
        remedy = "Check the path; a relative path starts at the current folder."
        raise ConfigError(message, code="file_unreadable", remedy=remedy)
    document = read_yaml(path)
    campaign = make_model(document, Campaign, None)
    path = path.absolute()
    keys = [key for key in ("sql", "url") if getattr(campaign.audience, key) is not None]
    locations = {key: document.location(("audience", key)) for key in keys}
    locations["audience"] = document.location(("audience",), key=True)
    audience = evolve(campaign.audience, locations=locations)
    if audience.file not in (STDIN, None):
        audience = evolve(audience, file=stored_path(path.parent, str(audience.file)))
    suppress = tuple(stored_path(path.parent, str(each)) for each in campaign.suppress)
    return evolve(campaign, path=path, audience=audience, suppress=suppress)


def campaign_name(path: Path) -> str:
    """Return the name that a campaign file gives its run.

    Raises:
        ConfigError: see `load_campaign`.
    """
    return load_campaign(path).name


def checked_name(name: str) -> str:
    """Return a run's name that did not come from a file.

    Raises:
        UsageError: usage.
    """
    if not RUN_NAME.fullmatch(name):
        raise UsageError(
            f"The name {name!r:.120} is not {NAMED}.", code="usage", remedy="Write a name such as nowruz-sale."
        )
    return name
