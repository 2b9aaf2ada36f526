"""Suggests a sample.yaml for templates that have none."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import islice, product
from pathlib import Path
from typing import Final

import yaml

from ..adapters import adapter_for
from ..checks import Check, CheckStatus
from ..errors import MetrixChannelsError
from ..models import ChannelType, JsonValue, Message
from ..process import wall_clock
from ..templating import SAMPLE, Template

_VALUES: Final[tuple[JsonValue, ...]] = ("example", 12, "2026-03-21", "https://example.com/")
"""Values to try for each variable: text, a number, a date, a link."""
_MOST_TRIED: Final = 64


def compose(template: Template, type: ChannelType, values: Mapping[str, JsonValue]) -> Message:  # noqa: A002
    """Render a template as a message of a channel type.

    Raises:
        TemplateError, MessageInvalid: the template cannot be rendered, or is not a valid message.
    """
    return adapter_for(type).compose(template.render(values, wall_clock.now()))


def warn_of_no_sample(folder: Path, templates: Sequence[tuple[Template, ChannelType]]) -> Check:
    """Warn that templates were compiled but not rendered, and suggest a sample.

    Args:
        folder: the template's folder, where the sample belongs.
        templates: the template for each channel and locale, with the channel's type.
    """
    names = sorted({name for template, _ in templates for name in template.variables})
    text = yaml.safe_dump(_example(names, templates), allow_unicode=True, width=10_000)
    message = f"The template was compiled but not rendered: it has no {SAMPLE}. Its variables: {', '.join(names)}."
    remedy = f"Write {folder / SAMPLE} with realistic values, such as:\n{text}"
    return Check("template.sample", folder.name, CheckStatus.WARN, message, remedy.rstrip())


def _example(names: Sequence[str], templates: Sequence[tuple[Template, ChannelType]]) -> dict[str, JsonValue]:
    """Return values that render all templates, if a few tries find some; otherwise text for each name."""
    for values in islice(product(_VALUES, repeat=len(names)), _MOST_TRIED):
        example = dict(zip(names, values, strict=True))
        try:
            for template, type_ in templates:
                compose(template, type_, example)
        except MetrixChannelsError:
            continue
        return example
    return dict.fromkeys(names, _VALUES[0])
