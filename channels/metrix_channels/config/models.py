"""The models of the configuration.

The metadata of each field describes its kind and its purpose. The loader and the JSON Schema for editors are both made
from it. Fields without metadata are not in the file.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, ClassVar, Final, get_args, get_origin

import attrs
from attrs import field, frozen
from cattrs.errors import AttributeValidationNote, ClassValidationError

from ..adapters import adapter_for
from ..errors import ConfigError
from ..files import stored_path
from ..models import ChannelType, JsonValue, OnAmbiguous
from ..redact import Secret
from . import kinds
from .credentials import SANDBOX_APP_ID, Credentials, read_api_key, resolve_api_key, resolve_app_id
from .kinds import PLAIN_HTTP_ELSEWHERE, Kind, Refusal, is_plain_http_elsewhere

_BILLED_BY_PARTS: Final = [each.value for each in ChannelType if adapter_for(each).bills_by_parts]
SETTING: Final = "metrix_channels.setting"
"""The key of the `Setting` in a field's metadata."""


@frozen
class Setting:
    """The description of one key of the file.

    Attributes:
        doc: its purpose, in a sentence or two.
        kind: the kind of its value; None if the field's type says it.
        default: the default value, as written in the file.
        model: the model of a value that may also be a mapping; `kind` then parses the short form.
    """

    doc: str
    kind: Kind[Any] | None = None
    default: JsonValue = None
    model: type[Any] | None = None


def key_of(name: str) -> str:
    """Return the YAML key of a field; the name of a field that would be a Python keyword ends in `_`."""
    return name.removesuffix("_")


def setting(
    doc: str, kind: Kind[Any] | None = None, default: JsonValue = None, model: type[Any] | None = None
) -> dict[str, Setting]:
    """Return the metadata of a field that is in the file; see `Setting`."""
    return {SETTING: Setting(doc, kind, default, model)}


def optional_model(annotation: Any) -> type[Any] | None:
    """Return the model of an annotation `Model | None`; None for any other."""
    options = get_args(annotation) if get_origin(annotation) is UnionType else ()
    models = [option for option in options if attrs.has(option)]
    return models[0] if len(options) == 2 and NoneType in options and models else None


@frozen(kw_only=True)
class Verification:
    """The record of a test message that somebody sent from Metrix's dashboard and saw arrive.

    Attributes:
        at: the day of the test, in UTC.
        by: who saw it arrive.
        app_id: the application that it was sent from.
        expires: how long the test is valid, from 00:00 UTC of its day.
        note: anything else.
    """

    at: date = field(metadata=setting("The day of the test, in UTC, such as 2026-11-20.", kinds.DATE))
    by: str | None = field(default=None, metadata=setting("Who saw the test message arrive.", kinds.TEXT))
    app_id: str | None = field(
        default=None,
        metadata=setting(
            "The application whose dashboard sent the test. When it is not the configured one, the test does not"
            " count.",
            kinds.TEXT,
        ),
    )
    expires: timedelta | None = field(
        default=None,
        metadata=setting(
            "How long the test is valid, from 00:00 UTC of its day, such as 90d.", kinds.span(most="3660d")
        ),
    )
    note: str | None = field(default=None, metadata=setting("Anything worth remembering.", kinds.TEXT))


@frozen(kw_only=True)
class Channel:
    """A way to reach people.

    Attributes:
        name: the name in the configuration.
        type: the channel type of Metrix.
        verified: whether somebody tested it from the dashboard, or the record of the test.
        price_per_part: the price of one part for one recipient, for types that are billed per part; None if unknown.
        currency: the currency of the price.
        location: `file:line:column` of `verified`, or of the channel if that is absent.
    """

    SCHEMA: ClassVar[Mapping[str, Any]] = {
        "dependentRequired": {"price_per_part": ["currency"], "currency": ["price_per_part"]},
        "if": {"required": ["price_per_part"]},
        "then": {"properties": {"type": {"enum": _BILLED_BY_PARTS}}},
    }

    name: str = ""
    type: ChannelType = field(metadata=setting("What kind of channel it is.", kinds.choice(ChannelType)))
    verified: bool | Verification = field(
        default=False,
        metadata=setting(
            "Whether a test message was sent through this channel from Metrix's dashboard and arrived: true, false, or"
            " the record of the test. Until then nothing is sent through it.",
            default=False,
        ),
    )
    price_per_part: Decimal | None = field(
        default=None,
        metadata=setting(
            "The price of one message part for one recipient, in `currency`. Plans show the cost.",
            kinds.amount(1_000_000_000),
        ),
    )
    currency: str | None = field(
        default=None, metadata=setting("The currency of price_per_part, such as IRR.", kinds.CURRENCY)
    )
    location: str = field(default="", eq=False)

    def __attrs_post_init__(self) -> None:
        if self.price_per_part is not None and not adapter_for(self.type).bills_by_parts:
            by_parts = " and ".join(_BILLED_BY_PARTS)
            raise _refuse_key("price_per_part", f"only {by_parts} is billed per part; {self.type} is not")
        if (self.price_per_part is None) is not (self.currency is None):
            there, missing = ("currency", "price_per_part") if self.currency else ("price_per_part", "currency")
            raise _refuse_key(there, f"{there} requires {missing}", code="config_key_missing")


def _refuse_key(name: str, message: str, code: str = "config_value_invalid") -> ClassValidationError:
    """Make the error for one key of a channel."""
    refusal = Refusal(message, code=code, confidential=True, at_key=True)
    refusal.add_note(AttributeValidationNote("in the channel", name, object))
    return ClassValidationError("in the channel", [refusal], Channel)


@frozen(kw_only=True)
class KeepAttempts:
    """Limits of the attempts' details that the ledger keeps.

    Attributes:
        days: how many days to keep them.
        size: the maximum number of bytes to keep.
    """

    days: int = field(default=30, metadata=setting("How many days to keep the details.", kinds.whole(1, 3660), 30))
    size: int = field(
        default=200_000_000, metadata=setting("Maximum space for the details, such as 200MB.", kinds.SIZE, "200MB")
    )


@frozen(kw_only=True)
class Metrix:
    """How to connect to Metrix, and with which credentials.

    Attributes:
        app_id: as in the file, possibly with `${NAME}`.
        api_key: `${NAME}`; None if `api_key_file` is given.
        api_key_file: a file that contains only the key.
        base_url: the address of Metrix, without a slash at its end.
        timeout: seconds for one whole attempt.
        max_attempts: the maximum number of HTTP requests for one batch.
        concurrency: the maximum number of concurrent requests.
        rate_limit: requests per second of all processes that share the ledger; None means no limit.
        batch_size: the maximum number of recipients per request.
        split_refused: find the recipients at fault by splitting a refused request in halves.
        deadline: seconds for one send with all its retries.
        proxy: the proxy's URL; None means no proxy, whatever the environment says.
        ca_file: certificates to trust instead of the usual ones.
    """

    SCHEMA: ClassVar[Mapping[str, Any]] = {
        "oneOf": [{"required": ["api_key"]}, {"required": ["api_key_file"]}],
        "if": {"properties": {"base_url": {"pattern": PLAIN_HTTP_ELSEWHERE}}, "required": ["base_url"]},
        "then": {"properties": {"app_id": {"pattern": rf"^{SANDBOX_APP_ID}$|\$\{{"}}},
    }

    app_id: str = field(metadata=setting("APP_ID from Metrix's dashboard, Application Settings.", kinds.APP_ID))
    api_key: str | None = field(
        default=None,
        metadata=setting(
            "The variable that holds the server API key, as ${METRIX_API_KEY}. The key itself must not be in this"
            " file.",
            kinds.API_KEY,
        ),
    )
    api_key_file: Path | None = field(
        default=None,
        repr=False,
        metadata=setting("Instead of api_key: a file that holds the key and nothing else.", kinds.SECRET_PATH),
    )
    base_url: str = field(
        default="https://entry.metrix.ir",
        metadata=setting(
            "The address of Metrix. Plain http is allowed only to this machine and, with app_id: sandbox-app, to a"
            " sandbox.",
            kinds.BASE_URL,
            "https://entry.metrix.ir",
        ),
    )
    timeout: float = field(
        default=10.0,
        metadata=setting("Time limit of one whole attempt.", kinds.duration("1h"), "10s"),
    )
    max_attempts: int = field(
        default=5, metadata=setting("Maximum number of HTTP requests for one batch.", kinds.whole(1, 100), 5)
    )
    concurrency: int = field(
        default=32, metadata=setting("Maximum number of concurrent requests.", kinds.whole(1, 1024), 32)
    )
    rate_limit: float | None = field(
        default=None,
        metadata=setting(
            "Maximum request rate of all processes that share the ledger, such as 50/s. Absent: no limit.", kinds.RATE
        ),
    )
    batch_size: int = field(
        default=500, metadata=setting("Maximum number of recipients per request.", kinds.whole(1, 100_000), 500)
    )
    split_refused: bool = field(
        default=True,
        metadata=setting(
            "When Metrix refuses a request for several recipients, find those at fault by splitting it in halves."
            " false: the outcome of all of them is unknown.",
            kinds.TRUTH,
            default=True,
        ),
    )
    deadline: float = field(
        default=60.0, metadata=setting("Time limit of one send with all its retries.", kinds.duration("24h"), "60s")
    )
    proxy: str | None = field(
        default=None,
        repr=False,
        metadata=setting(
            "A proxy, such as http://proxy.example:3128. Proxies in the environment are ignored.", kinds.PROXY
        ),
    )
    ca_file: Path | None = field(
        default=None,
        metadata=setting("Certificates (PEM) to trust instead of the usual ones.", kinds.PATH),
    )
    _environ: Mapping[str, str] = field(factory=dict, repr=False, eq=False)
    _locations: Mapping[str, str] = field(factory=dict, repr=False, eq=False)

    def __attrs_post_init__(self) -> None:
        if self.api_key and self.api_key_file:
            raise Refusal("expected api_key or api_key_file, not both", confidential=True, at_key=True)
        if not self.api_key and not self.api_key_file:
            message = "api_key or api_key_file is missing"
            raise Refusal(message, code="config_key_missing", confidential=True, at_key=True)

    def resolve_app_id(self) -> str:
        """Return APP_ID with its variables filled in.

        Raises:
            ConfigError: `secret_missing`, `secret_invalid`; `config_value_invalid` if base_url is plain http to
                another machine and this is not the sandbox's application.
        """
        app_id = resolve_app_id(self.app_id, self._environ, self._locations.get("app_id"))
        if app_id != SANDBOX_APP_ID and is_plain_http_elsewhere(self.base_url):
            raise ConfigError(
                "metrix.base_url: expected an https:// address (http:// only to this machine: 127.0.0.1, ::1,"
                f" localhost; or to a sandbox elsewhere, with app_id: {SANDBOX_APP_ID})",
                code="config_value_invalid",
                location=self._locations.get("base_url"),
            )
        return app_id

    def resolve_api_key(self) -> Secret:
        """Return the key, read now from the environment or from its file.

        Raises:
            ConfigError: `secret_missing`, `secret_invalid`, `file_unreadable`.
        """
        if self.api_key_file is not None:
            return read_api_key(self.api_key_file, self._locations.get("api_key_file"))
        return resolve_api_key(self.api_key or "", self._environ, self._locations.get("api_key"))

    def credentials(self) -> Credentials:
        """Return APP_ID and the key, read now from the environment or the key's file.

        Raises:
            ConfigError: `secret_missing`, `secret_invalid`, `file_unreadable`.
        """
        return Credentials(self.resolve_app_id(), self.resolve_api_key())


@frozen(kw_only=True)
class Config:
    """The content of `channels.yaml`, with absolute paths.

    Attributes:
        path: the file.
        version: the version of the file's format.
        metrix: how to connect to Metrix.
        templates: the folder of the templates.
        ledger: the ledger's URL.
        on_ambiguous: what to do when Metrix may have accepted a request.
        suppress: files with recipients who must not get any message.
        taxonomy: the event names known to Metrix; None means that names are not checked.
        keep_attempts: limits of the attempts' details that are kept for the support bundle.
        channels: the channels by name.
    """

    path: Path = Path()
    version: int = field(metadata=setting("The version of this file's format.", kinds.VERSION))
    metrix: Metrix = field(metadata=setting("How to connect to Metrix, and with which credentials."))
    templates: Path = field(
        default=Path("templates"),
        metadata=setting(
            "The folder of the templates. Relative paths start at this file's folder.", kinds.PATH, "./templates"
        ),
    )
    ledger: str = field(
        default="sqlite:///./metrix-channels.db",
        repr=False,
        metadata=setting(
            "The database that records what was sent to whom.", kinds.LEDGER, "sqlite:///./metrix-channels.db"
        ),
    )
    on_ambiguous: OnAmbiguous = field(
        default=OnAmbiguous.RETRY,
        metadata=setting(
            "When Metrix may have accepted a request: retry (some recipients may get the message twice, and the receipt"
            " says so) or hold (some may not get it).",
            kinds.choice(OnAmbiguous),
            "retry",
        ),
    )
    suppress: tuple[Path, ...] = field(
        default=(),
        metadata=setting("Files with recipients who must not get any message.", kinds.list_of(kinds.PATH), []),
    )
    taxonomy: tuple[str, ...] | None = field(
        default=None,
        metadata=setting("Event names known to Metrix. Absent: not checked.", kinds.list_of(kinds.TEXT)),
    )
    keep_attempts: KeepAttempts = field(
        factory=KeepAttempts, metadata=setting("Limits of the attempts' details that are kept for the support bundle.")
    )
    channels: Mapping[str, Channel] = field(
        factory=dict, metadata=setting("The channels, by the name that you give them.")
    )

    @property
    def ledger_path(self) -> Path | None:
        """The file of a SQLite ledger; None for PostgreSQL."""
        if not self.ledger.startswith("sqlite:///"):
            return None
        return stored_path(self.path.parent, self.ledger.removeprefix("sqlite:///"))

    def channel(self, name: str) -> Channel:
        """Return the channel with this name.

        Raises:
            ConfigError: `channel_unknown`.
        """
        if name in self.channels:
            return self.channels[name]
        close = difflib.get_close_matches(name, self.channels, n=1)
        hint = f"Did you mean {close[0]!r}? " if close else ""
        there = f"Its channels are {', '.join(self.channels)}." if self.channels else "It has no channels."
        message = f"There is no channel {name!r} in {self.path.name}. {hint}{there}"
        remedy = None if self.channels else "Add the channel under `channels`."
        raise ConfigError(message, code="channel_unknown", remedy=remedy)
