"""`preview`: shows a template in the terminal or as an HTML page."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from html import unescape
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.panel import Panel
from rich.text import Text

from ...campaign.audience.reader import open_audience
from ...errors import CampaignError
from ...support.previews import Preview, preview_page, previews, variables
from ...templating import Templates
from ..context import State, app, example, state_of
from ..languages import Language, language
from ..new_files import new_file
from ..ui.output import Output, counted, nearby, visible
from ..values import read_context


@app.command(
    epilog=example(
        "metrix-channels preview otp",
        "metrix-channels preview order_delivered --channel sms --locale en --set first_name=سارا",
        "metrix-channels preview promotion --html preview.html --audience audience.csv --row 1 --row 7",
    )
)
def preview(
    context: typer.Context,
    template: Annotated[str, typer.Argument(metavar="TEMPLATE", help="The template's name (its folder name).")],
    channels: Annotated[
        list[str] | None,
        typer.Option("--channel", metavar="NAME", help="Only this channel; may be repeated.", show_default=False),
    ] = None,
    locale: Annotated[
        str | None, typer.Option("--locale", metavar="LOCALE", help="Only this locale.", show_default=False)
    ] = None,
    values: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="K=V", help="Replaces a sample value.", show_default=False),
    ] = None,
    context_file: Annotated[
        Path | None,
        typer.Option("--context", metavar="FILE", help="A JSON file with values.", show_default=False),
    ] = None,
    audience: Annotated[
        Path | None,
        typer.Option("--audience", metavar="FILE", help="An audience file to take values from.", show_default=False),
    ] = None,
    id_column: Annotated[
        str, typer.Option("--id", metavar="COLUMN", help="The audience column that contains the customUserId.")
    ] = "customUserId",
    rows: Annotated[
        list[int] | None,
        typer.Option("--row", metavar="N", help="A row, from 1; may be repeated.  [default: 1]", min=1),
    ] = None,
    html: Annotated[
        Path | None,
        typer.Option("--html", metavar="FILE", help="Write the preview as one HTML file.", show_default=False),
    ] = None,
    lang: Language = "en",
) -> None:
    """Preview a template on every channel and in every locale.

    Uses the template's sample values and shows how many parts an SMS has. Needs no credentials and no verified
    channel. Nothing is sent.
    """
    state = state_of(context)
    given = read_context(context_file, values or [])
    source = None if audience is None else (audience, id_column, rows or [1])
    sets = _sets(state, template, channels or [], locale, given, source)
    if html is not None:
        with new_file(html) as file:
            file.write(preview_page(template, sets, language(lang)))
    _report(state, sets, html)


def _report(state: State, sets: Sequence[tuple[str, Sequence[Preview]]], html: Path | None) -> None:
    everything = [each for _, several in sets for each in several]
    if any(each.error for each in everything):
        state.status = 2
    if state.output.as_json:
        written = {} if html is None else {"html": str(html)}
        state.output.document({"previews": [each.as_dict() for each in everything], **written})
    elif html is not None:
        state.output.say(f"{counted(len(everything), 'preview')} written to {html}.", "bold")
    else:
        _show_all(state.output, sets)


def _sets(
    state: State,
    name: str,
    channels: Sequence[str],
    locale: str | None,
    given: Mapping[str, Any],
    audience: tuple[Path, str, Sequence[int]] | None,
) -> list[tuple[str, list[Preview]]]:
    """Return sets of previews with their headings: one with the sample values, or one per audience row."""
    config = state.config_file().current()
    templates = Templates(config.templates)
    try:
        chosen = [config.channel(each) for each in channels] or list(config.channels.values())
        filled: Iterable[tuple[str, Mapping[str, Any]]] = [("", given)]
        if audience is not None:
            names = variables(templates, name, chosen)
            filled = [(said, {**given, **row}) for said, row in _rows(*audience, names)]
        sets = [(said, previews(templates, name, chosen, locale, each)) for said, each in filled]
        if not any(several for _, several in sets):
            templates.find(name, chosen[0].name, chosen[0].type, locale)  # raises an error that names the missing files
    finally:
        templates.close()
    return sets


def _rows(
    file: Path, id_column: str, numbers: Sequence[int], names: Collection[str]
) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Yield a heading and the values for each requested row of an audience."""
    missing = set(numbers)
    with open_audience(file, id_column) as audience:
        for number, who, values in audience.values(names):
            if number in missing:
                missing.remove(number)
                yield f"{number} · {who}", values
            if not missing:
                return
    raise CampaignError(f"The audience has no valid row {min(missing)}.", code="row_missing")


def _show_all(output: Output, sets: Sequence[tuple[str, Sequence[Preview]]]) -> None:
    for said, several in sets:
        if said:
            output.say(said, "bold")
        for each in several:
            _show(output, each)
    for remedy in dict.fromkeys(each.error.remedy for _, several in sets for each in several if each.error):
        output.hint(f"→ {remedy}")


def _show(output: Output, preview: Preview) -> None:
    title = Text(visible(f"{preview.channel.name} · {preview.locale or 'no locale'} · {preview.path.name}"))
    width = min(output.out.width, 76)
    if preview.error is not None:
        text = Text(visible(nearby(str(preview.error))), style="red")
        output.show(Panel(text, title=title, title_align="left", width=width))
        return
    panel = Panel(_drawn(preview), title=title, title_align="left", width=width)
    if length := preview.sms:
        parts = "1 part" if length.parts == 1 else f"{length.parts} parts"
        panel.subtitle, panel.subtitle_align = f"{parts} · {length.units} {length.encoding} units", "left"
    output.show(panel)


def _drawn(preview: Preview) -> Text:
    body = str(preview.fields["body"])
    text = Text()
    if "title" in preview.fields:
        text.append(f"{visible(str(preview.fields['title']))}\n", style="bold")
    text.append(visible(html_as_text(body) if preview.is_html else body))
    for name, value in preview.fields.items():
        if name not in ("title", "body"):
            plain = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
            text.append(f"\n{name}: {visible(plain)}", style="dim")
    for caution in preview.cautions:
        text.append(f"\n! {caution.message}", style="yellow")
    return text


def html_as_text(html: str) -> str:
    """Return the text of an email without its mark-up, for display in a terminal."""
    # Unclosed tags end with the text or do not match, so that no pattern scans to the end repeatedly.
    visible_parts = re.sub(r"(?is)<(style|script)\b.*?(?:</\1>|\Z)|<!--.*?(?:-->|\Z)", "", html)
    without_head = re.split(r"(?i)</head\s*>", visible_parts, maxsplit=1)[-1]
    with_breaks = re.sub(r"(?i)<(br|/p|/tr|/h\d|/div|/li)\b[^<>]*>", "\n", without_head)
    lines = (" ".join(line.split()) for line in unescape(re.sub(r"<[^<>]+>", " ", with_breaks)).splitlines())
    return "\n".join(line for line in lines if line)
