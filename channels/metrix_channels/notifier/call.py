"""The arguments of a send."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Final

from attrs import Attribute, field, frozen

from ..errors import UsageError
from ..models import JsonValue
from ..printable import is_text

_WRITE_KEY: Final = 'Write one line of text that names this message, such as key="order-1042-shipped".'
Context = Mapping[str, JsonValue | date | datetime | Decimal]
"""The values for a template, by name: JSON values, dates, times and decimals."""
Recipients = list[str] | tuple[str, ...] | set[str] | frozenset[str]
"""The customUserIds of several recipients: a list, tuple or set. A single recipient is a plain string."""
LONGEST_DEADLINE: Final = 86_400
"""In seconds; the same maximum as for `deadline` in the configuration."""


def _require_text(_: object, argument: Attribute[Any], value: object) -> None:
    if not isinstance(value, str) and not (value is None and argument.name == "locale"):
        raise _type_error(f"The {argument.name} is {type(value).__name__}, not text.")


def _require_values(_: object, argument: Attribute[Any], value: object) -> None:
    if not isinstance(value, Mapping):
        raise _type_error(f"The context is {type(value).__name__}, not a mapping of names to values.")


@frozen
class FromTemplate:
    """A message that is rendered.

    Attributes:
        template: the template's name.
        context: plain values for the template.
        locale: such as `fa` or `fa-IR`; None for the template without a locale.
    """

    template: str = field(validator=_require_text)
    context: Context = field(validator=_require_values)
    locale: str | None = field(default=None, validator=_require_text)


@frozen
class PlainText:
    """A message that is sent as it is: nothing in it is rendered.

    Attributes:
        text: the body.
        title: title of a push, or the subject of an email; or None.
    """

    text: str
    title: str | None = None


def _freeze(to: str | Recipients) -> str | tuple[str, ...]:
    if isinstance(to, str | bytes) or not isinstance(to, Iterable):
        return to  # a number, or bytes, is refused when the message is prepared
    return tuple(to)


@frozen
class Call:
    """The arguments of one `send`.

    Attributes:
        channel: the channel's name.
        to: one customUserId or several.
        content: what is sent.
        key: makes the call repeatable without sending twice.
        deadline: seconds for the whole call; None for the configuration's deadline.
    """

    channel: str = field(validator=_require_text)
    to: str | tuple[str, ...] = field(converter=_freeze)
    content: FromTemplate | PlainText = field(repr=False)  # it may contain sensitive values
    key: str | None = None
    deadline: float | None = None


def content_of(
    template: str | None, context: Context | None, locale: str | None, text: str | None, title: str | None
) -> FromTemplate | PlainText:
    """Return the content of a message: a template with its values, or a text as it is.

    Raises:
        UsageError: both a template and a text were given, or neither, or arguments that do not belong together.
    """
    if template is not None and text is not None:
        raise _mixed_error("The message has both a template and a text.")
    if template is not None:
        if title is not None:
            raise _mixed_error("The message has a template and a title. A template has its title in its front matter.")
        return FromTemplate(template, {} if context is None else context, locale)
    if text is None:
        raise _mixed_error("The message has neither a template nor a text.")
    if context or locale is not None:
        what = "values" if context else "a locale"
        raise _mixed_error(f"The message has a text and {what}. A text is sent as it is; only a template takes {what}.")
    return PlainText(text, title)


def checked_key(key: str) -> str:
    """Return a key unchanged, if it is valid.

    Raises:
        UsageError: it is not one line of text.
    """
    if not (isinstance(key, str) and key.strip() and is_text(key)):
        raise UsageError(f"The key {key!r:.80} is not one line of text.", code="usage", remedy=_WRITE_KEY)
    return key


def checked_deadline(seconds: float | None) -> float | None:
    """Return a deadline in seconds, if it is valid.

    Raises:
        UsageError: it is not a number of seconds above 0 and at most a day.
    """
    if seconds is None:
        return None
    if isinstance(seconds, bool) or not isinstance(seconds, (int, float)) or not 0 < seconds <= LONGEST_DEADLINE:
        message = f"The deadline {seconds!r:.80} is not a number of seconds above 0 and at most {LONGEST_DEADLINE:,}."
        raise UsageError(message, code="usage", remedy="Write deadline=3.0, or --deadline 3s on the command line.")
    return float(seconds)


def _type_error(what: str) -> UsageError:
    remedy = 'Call it like send("sms", "user-42", "otp", {"code": "4821"}, locale="fa").'
    return UsageError(what, code="usage", remedy=remedy)


def _mixed_error(what: str) -> UsageError:
    remedy = (
        "On the command line, write --template (with --set, --context and --locale) or --text (with --title). In"
        " Python, pass `template` (with `context` and `locale`) or `text` (with `title`)."
    )
    return UsageError(what, code="usage", remedy=remedy)
