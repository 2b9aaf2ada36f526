"""Locales: one spelling for all that mean the same, and what was meant by what is none."""

import pytest

from metrix_channels.localization.locales import locale_fault, meant_locale, standard_locale


@pytest.mark.parametrize(
    ("written", "standard"),
    [
        *((each, "fa-IR") for each in ("fa-IR", "fa_IR", "fa-ir", "FA-IR", "Fa_iR")),
        *((each, "fa") for each in ("fa", "FA")),
        ("en_us", "en-US"),
        ("az-arab-ir", "az-Arab-IR"),
        ("ckb", "ckb"),
        ("es-419", "es-419"),
        ("de-1996", "de-1996"),
    ],
)
def test_a_locale_has_one_spelling(written, standard):
    """Case and `_` make no difference."""
    assert standard_locale(written) == standard


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("english", "en"),
        ("English", "en"),
        ("engish", "en"),
        ("eng", "en"),
        ("en_US.UTF-8", "en-US"),
        ("persian", "fa"),
        ("Farsi", "fa"),
        ("fas", "fa"),
        ("per", "fa"),
        ("ir", "fa-IR"),
        ("fa-iran", "fa-IR"),
        ("fa-IRN", "fa-IR"),
        ("fa.ir", "fa"),
        ("فارسی", "fa"),
        ("fa IR", "fa-IR"),
        ("us", "en-US"),
        ("xx", None),
        ("", None),
        ("../x", None),
        ("ｆａ", None),
        ("zzzzzzzzz", None),
    ],
)
def test_what_is_no_locale_says_what_was_meant(written, meant):
    """A name of a language, a country, or the system's own spelling."""
    assert standard_locale(written) is None
    assert meant_locale(written) == meant
    assert ("did you mean" in locale_fault(written)) is (meant is not None)
