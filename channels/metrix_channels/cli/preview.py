"""`preview`: what a template will look like, in the terminal."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from html import unescape
from pathlib import Path
from typing import Annotated, Any

import typer
from attrs import frozen
from rich.panel import Panel
from rich.text import Text

from ..adapters import adapter_for, sms_length
from ..config import Channel
from ..errors import MetrixChannelsError
from ..models import Caution, ChannelType
from ..templating import Templates
from .app import app, example, state_of
from .output import Output, nearby, visible
from .values import read_context


@frozen
class Preview:
    """One template in one channel and locale."""

    channel: Channel
    locale: str | None
    path: Path
    fields: Mapping[str, Any]
    cautions: tuple[Caution, ...]
    error: MetrixChannelsError | None = None

    def as_dict(self) -> dict[str, Any]:
        """Return the JSON form."""
        body = str(self.fields.get("body", ""))
        is_sms = self.channel.type is ChannelType.SMS and self.error is None
        return {
            "channel": self.channel.name,
            "locale": self.locale,
            "path": str(self.path),
            "message": self.fields,
            "sms_parts": sms_length(body).parts if is_sms else None,
            "cautions": [{"code": caution.code, "message": caution.message} for caution in self.cautions],
            "error": self.error.problem.as_dict() if self.error else None,
        }


@app.command(
    epilog=example(
        "metrix-channels preview otp",
        "metrix-channels preview order_delivered --channel sms --locale en --set first_name=سارا",
    )
)
def preview(
    context: typer.Context,
    template: Annotated[str, typer.Argument(metavar="TEMPLATE", help="Its name: a folder of the templates.")],
    channels: Annotated[
        list[str] | None,
        typer.Option("--channel", metavar="NAME", help="This channel alone; may be repeated.", show_default=False),
    ] = None,
    locale: Annotated[
        str | None, typer.Option("--locale", metavar="LOCALE", help="This locale alone.", show_default=False)
    ] = None,
    values: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="K=V", help="A value, instead of the sample's.", show_default=False),
    ] = None,
) -> None:
    """Show what a template will look like.

    In every channel and locale, with its sample values, and what an SMS will cost. Needs neither secrets nor a
    verified channel; nothing is sent.
    """
    state = state_of(context)
    config = state.config_file().current()
    templates = Templates(config.templates)
    try:
        given = {**templates.sample(template), **read_context(None, values or [])}
        chosen = [config.channel(name) for name in channels or []] or list(config.channels.values())
        previews = [
            _preview(templates, template, channel, each, given)
            for channel in chosen
            for each in _locales(templates, template, channel, locale)
        ]
    finally:
        templates.close()
    if not previews:
        templates.find(template, chosen[0].name, chosen[0].type, locale)  # explains what was looked for
    if any(each.error for each in previews):
        state.status = 2
    if state.output.as_json:
        state.output.document({"previews": [each.as_dict() for each in previews]})
        return
    for each in previews:
        _show(state.output, each)


def _locales(templates: Templates, name: str, channel: Channel, wanted: str | None) -> list[str | None]:
    if wanted is not None:
        return [wanted]
    return templates.locales(name, channel.name, channel.type)


def _preview(
    templates: Templates, name: str, channel: Channel, locale: str | None, given: Mapping[str, Any]
) -> Preview:
    path = templates.root / name
    try:
        template = templates.find(name, channel.name, channel.type, locale)
        path = template.path
        fields = template.render(given, datetime.now(UTC)).fields
        message = adapter_for(channel.type).compose(fields)
    except MetrixChannelsError as error:
        return Preview(channel, locale, path, {}, (), error)
    return Preview(channel, locale, path, message.fields, message.cautions)


def _show(output: Output, preview: Preview) -> None:
    title = Text(visible(f"{preview.channel.name} · {preview.locale or 'no locale'} · {preview.path.name}"))
    width = min(output.out.width, 76)
    if preview.error is not None:
        text = Text(visible(nearby(str(preview.error))), style="red")
        output.show(Panel(text, title=title, title_align="left", width=width))
        return
    panel = Panel(_drawn(preview), title=title, title_align="left", width=width)
    if preview.channel.type is ChannelType.SMS:
        length = sms_length(str(preview.fields["body"]))
        parts = "1 part" if length.parts == 1 else f"{length.parts} parts"
        panel.subtitle, panel.subtitle_align = f"{parts} · {length.units} {length.encoding} units", "left"
    output.show(panel)


def _drawn(preview: Preview) -> Text:
    body = str(preview.fields["body"])
    text = Text()
    if "title" in preview.fields:
        text.append(f"{visible(str(preview.fields['title']))}\n", style="bold")
    text.append(visible(html_as_text(body) if preview.path.name.endswith(".html.j2") else body))
    for name, value in preview.fields.items():
        if name not in ("title", "body"):
            plain = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
            text.append(f"\n{name}: {visible(plain)}", style="dim")
    for caution in preview.cautions:
        text.append(f"\n! {caution.message}", style="yellow")
    return text


def html_as_text(html: str) -> str:
    """Return what a mail says, without its mark-up; for a glance in a terminal."""
    without_head = re.sub(r"(?is)<(head|style|script)\b.*?</\1>|<!--.*?-->", "", html)
    with_breaks = re.sub(r"(?i)<(br|/p|/tr|/h\d|/div|/li)\b[^>]*>", "\n", without_head)
    lines = (" ".join(line.split()) for line in unescape(re.sub(r"<[^>]+>", " ", with_breaks)).splitlines())
    return "\n".join(line for line in lines if line)
