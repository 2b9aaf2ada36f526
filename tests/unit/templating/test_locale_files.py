"""Which locales have a template file, and what is said of one that has none."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from metrix_channels.models import ChannelType
from metrix_channels.templating import Templates, has_own_file, locale_cautions, locales

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

OTP = ("otp", "sms", ChannelType.SMS)


@pytest.fixture(autouse=True)
def files(write: Callable[..., Path]) -> None:
    """A text for every locale, one in English, and a push in Arabic."""
    for name in ("sms.txt.j2", "sms.en.txt.j2", "push.ar.txt.j2"):
        write(f"otp/{name}")


def test_the_locales_of_a_channel_are_those_of_its_own_files(templates: Templates) -> None:
    """None stands for the file without a locale."""
    assert locales(templates.variants("otp"), "sms", ChannelType.SMS) == [None, "en"]


@pytest.mark.parametrize(
    ("locale", "has"), [("en", True), ("EN_gb", True), ("de", False), ("ar", False), ("fa", False)]
)
def test_a_locale_has_its_own_file_or_that_of_its_language(templates: Templates, locale: str, has: bool) -> None:
    """A file of another channel does not count."""
    assert has_own_file(templates, *OTP, locale) is has


def test_a_locale_without_a_file_is_a_caution(templates: Templates) -> None:
    """Whoever asks for German would not expect Persian."""
    (caution,) = locale_cautions(templates, *OTP, "de")
    assert caution.code == "locale_without_template"
    assert "no file for the locale de" in caution.message
    assert locale_cautions(templates, *OTP, "en-GB") == locale_cautions(templates, *OTP, None) == ()
