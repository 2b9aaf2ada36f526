"""Checks of files: the configuration, its secrets, the verification of channels, and templates."""

from __future__ import annotations

import asyncio
import stat
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Sequence
from functools import cache, partial
from pathlib import Path

from ..checks import Check, CheckStatus
from ..config import Channel, Config, ConfigFile, standing
from ..errors import MetrixChannelsError, sentence
from ..models import ChannelType
from ..process import wall_clock
from ..templating import Template, Templates, locales, point_to_sample
from .samples import compose, warn_of_no_sample

WatchPreflight = Callable[[int, int], None]
"""Called with the number of templates checked so far, and the number of all templates."""


async def check_files(
    file: ConfigFile,
    names: Sequence[str] = (),
    *,
    watch: WatchPreflight | None = None,
    of_campaigns: Sequence[str] | None = None,
) -> tuple[list[Check], Config | None]:
    """Check the configuration and its secrets, channels and templates; see `run_preflight`.

    Returns:
        The checks, and the configuration, or None if it cannot be used.
    """
    try:
        config = file.current()
        named = [config.channel(name) for name in names]
        if not named and of_campaigns is None:
            named = list(config.channels.values())
    except MetrixChannelsError as error:
        return [Check.failed("config.valid", str(file.path), error)], None
    checks = [Check("config.valid", str(file.path), CheckStatus.PASS, _number_of_channels(config))]
    checks += check_secrets(config)
    others = [config.channels[name] for name in of_campaigns or () if name in config.channels]
    for channel in dict.fromkeys(channel.name for channel in (*named, *others)):
        checks += check_channel(config, config.channels[channel])
    if named:
        checks += [check async for check in check_templates(config, named, watch)]
    return checks, config


def _number_of_channels(config: Config) -> str:
    count = len(config.channels)
    return "1 channel." if count == 1 else f"{count} channels."


def check_secrets(config: Config) -> Iterator[Check]:
    """Check that APP_ID and the key are set, and that no other user of this machine can read the key's file."""
    try:
        app_id = config.metrix.resolve_app_id()
        yield Check("secret.app_id", "app_id", CheckStatus.PASS, f"APP_ID is {app_id}.")
    except MetrixChannelsError as error:
        yield Check.failed("secret.app_id", "app_id", error)
    try:
        config.metrix.resolve_api_key()
        yield Check("secret.api_key", "api_key", CheckStatus.PASS, "The key is set.")
    except MetrixChannelsError as error:
        yield Check.failed("secret.api_key", "api_key", error)
    if config.metrix.api_key_file is not None:
        yield check_private(config.metrix.api_key_file)


def check_private(path: Path) -> Check:
    """Warn if other users can read a file that contains secrets or recipients."""
    try:
        mode = path.stat().st_mode
    except OSError as error:
        return Check.failed_as("file.private", str(path), "file_unreadable", f"{error.strerror}.")
    if mode & (stat.S_IRWXG | stat.S_IRWXO):
        return Check(
            "file.private",
            str(path),
            CheckStatus.WARN,
            f"Other users of this machine can read it (mode {stat.S_IMODE(mode):04o}).",
            f"chmod 600 {path}",
        )
    return Check("file.private", str(path), CheckStatus.PASS, "Only its owner can read it.")


def check_channel(config: Config, channel: Channel) -> Iterator[Check]:
    """Check a channel's verification: whether it is valid, how old it is, and when it ends."""
    try:
        app_id = config.metrix.resolve_app_id()
    except MetrixChannelsError:
        if channel.verified:
            why = "Not checked, because APP_ID is missing: a verification belongs to one application."
            yield Check("channel.verified", channel.name, CheckStatus.SKIP, why)
            return
        app_id = ""  # no record of a test to compare it with
    found = standing(channel, app_id, wall_clock.now())
    if found.code is not None:
        message = f"{channel.location}: {sentence(found.message)}"
        yield Check("channel.verified", channel.name, CheckStatus.FAIL, message, found.remedy)
        return
    yield Check("channel.verified", channel.name, CheckStatus.PASS, sentence(found.message))
    if found.announcement is not None:
        yield Check(
            "channel.verification_ends", channel.name, CheckStatus.WARN, sentence(found.announcement), found.remedy
        )
    for caution in found.cautions:
        yield Check("channel.verification_age", channel.name, CheckStatus.WARN, sentence(caution), found.remedy)


async def check_templates(
    config: Config, channels: Sequence[Channel], watch: WatchPreflight | None
) -> AsyncIterator[Check]:
    """Check that every template of the channels compiles, and renders with its sample as a valid message."""
    templates = Templates(config.templates)
    try:
        names = templates.names()
        for number, name in enumerate(names, 1):
            for check in _check_template(templates, name, channels):
                yield check
            if watch is not None:
                watch(number, len(names))
            await asyncio.sleep(0)  # with thousands of templates, a signal must be able to interrupt the check
        if not names:
            yield Check("template.renders", str(config.templates), CheckStatus.WARN, "There is no template.", None)
    except MetrixChannelsError as error:
        yield Check.failed("template.renders", str(config.templates), error)
    finally:
        templates.close()


def _check_template(templates: Templates, name: str, channels: Iterable[Channel]) -> Iterator[Check]:
    """Check one template for all channels and locales; its samples are read once."""
    variants = templates.variants(name)
    sample = cache(partial(templates.sample, name))
    has_sample = cache(partial(templates.has_sample, name))
    without: list[tuple[Template, ChannelType]] = []
    for channel in channels:
        for locale in locales(variants, channel.name, channel.type):
            subject = f"{name} for {channel.name}" + (f" in {locale}" if locale else "")
            try:
                template = templates.find(name, channel.name, channel.type, locale)
                if template.variables and not has_sample(locale):
                    without.append((template, channel.type))
                    yield Check("template.compiles", subject, CheckStatus.PASS, f"{template.path.name} compiles.")
                    continue
                message = compose(template, channel.type, sample(locale))
            except MetrixChannelsError as error:
                told = point_to_sample(error, templates.root / name, locale)
                yield Check.failed("template.renders", subject, told)
                continue
            yield Check("template.renders", subject, CheckStatus.PASS, f"{template.path.name} renders with its sample.")
            for caution in message.cautions:
                yield Check(f"message.{caution.code}", subject, CheckStatus.WARN, caution.message)
    if without:
        yield warn_of_no_sample(templates.root / name, without)
