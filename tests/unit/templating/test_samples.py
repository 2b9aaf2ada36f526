"""The sample templates: every one renders with its sample values, in Persian and in English."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from html.parser import HTMLParser
from typing import Any

import pytest

from metrix_channels import sample_files
from metrix_channels.adapters import SmsEncoding, adapter_for, sms_length
from metrix_channels.models import ChannelType
from metrix_channels.templating import Templates

NOW = datetime(2026, 11, 20, tzinfo=UTC)
TEMPLATES = Templates(sample_files.templates())
ALL = [(name, variant) for name in TEMPLATES.names() for variant in TEMPLATES.variants(name)]


def render(name: str, channel: str, locale: str | None, **more: Any) -> dict[str, Any]:
    """Render a sample with its own values and a few more."""
    kind = ChannelType.APP_PUSH if channel == "push" else ChannelType(channel)
    template = TEMPLATES.find(name, channel, kind, locale)
    return template.render({**TEMPLATES.sample(name, locale), **more}, NOW)


def test_the_samples_are_there() -> None:
    """Three templates, and the example configuration's place."""
    assert TEMPLATES.names() == ["order_delivered", "otp", "promotion"]
    assert sample_files.example_config().name == "channels.example.yaml"


@pytest.mark.parametrize(("name", "variant"), ALL, ids=[str(variant.path) for _, variant in ALL])
def test_every_variant_renders_with_its_sample(name: str, variant: Any) -> None:
    """No variable is missing from the sample, and nothing of Jinja is left in the message."""
    fields = render(name, variant.channel, variant.locale)
    assert fields["body"]
    assert not re.search(r"\{[{%#]|[#%}]\}", str(fields))
    assert ("title" in fields) == (variant.channel != "sms")


@pytest.mark.parametrize(("name", "variant"), ALL, ids=[str(variant.path) for _, variant in ALL])
def test_no_variant_needs_a_caution_with_its_sample(name: str, variant: Any) -> None:
    """Preflight of a new project warns of nothing; an English SMS is not billed as a Persian one."""
    kind = ChannelType.APP_PUSH if variant.channel == "push" else ChannelType(variant.channel)
    fields = render(name, variant.channel, variant.locale)
    assert adapter_for(kind).compose(fields).cautions == ()
    if (variant.channel, variant.locale) == ("sms", "en"):
        assert sms_length(fields["body"]).encoding is SmsEncoding.GSM7


@pytest.mark.parametrize(("name", "variant"), ALL, ids=[str(variant.path) for _, variant in ALL])
def test_no_sample_pays_for_a_process(name: str, variant: Any) -> None:
    """The samples are bounded templates."""
    kind = ChannelType.APP_PUSH if variant.channel == "push" else ChannelType(variant.channel)
    assert not TEMPLATES.find(name, variant.channel, kind, variant.locale).runs_apart


@pytest.mark.parametrize("channel", ["sms", "push"])
@pytest.mark.parametrize("locale", [None, "en"])
def test_the_code_of_an_otp_is_sensitive(channel: str, locale: str | None) -> None:
    """No log may show it."""
    kind = ChannelType.APP_PUSH if channel == "push" else ChannelType.SMS
    assert TEMPLATES.find("otp", channel, kind, locale).sensitive == {"code"}


@pytest.mark.parametrize("name", ["order_delivered", "promotion"])
@pytest.mark.parametrize(("locale", "lang", "direction"), [("fa", "fa", "rtl"), ("en", "en", "ltr")])
def test_emails_have_language_and_direction(name: str, locale: str, lang: str, direction: str) -> None:
    """A Persian email reads from right to left, an English one from left to right; tags are balanced."""
    body = render(name, "email", locale)["body"]
    assert f'<html lang="{lang}" dir="{direction}">' in body
    depth: list[str] = []

    class Balance(HTMLParser):
        def handle_starttag(self, tag: str, attrs: object) -> None:
            if tag not in {"meta", "br", "img"}:
                depth.append(tag)

        def handle_endtag(self, tag: str) -> None:
            assert depth.pop() == tag

    Balance().feed(body)
    assert depth == []


def test_a_link_to_unsubscribe_stands_only_where_there_is_one() -> None:
    """Without a link there is no empty one."""
    assert "unsubscribe" not in render("order_delivered", "email", "en")["body"]
    assert (
        'href="https://x.example/u?a=1&amp;b=2"'
        in render("order_delivered", "email", "fa", unsubscribe_url="https://x.example/u?a=1&b=2")["body"]
    )


def test_values_in_emails_are_escaped() -> None:
    """A name cannot become markup, through the layout either."""
    body = render("order_delivered", "email", "fa", first_name="<script>", brand="<b>")["body"]
    assert "<script>" not in body
    assert "<b>" not in body
