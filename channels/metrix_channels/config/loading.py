"""Loads a `Config`: finds the file, reads it, fills in its variables, checks every key and makes the models."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from functools import cache, partial
from pathlib import Path
from typing import Any, Final, TypeVar, cast

import attrs
from cattrs import BaseValidationError, Converter, IterableValidationError
from cattrs.errors import IterableValidationNote
from cattrs.gen import make_dict_structure_fn, override

from ..errors import ConfigError
from ..files import stored_path
from ..models import JsonValue
from ..printable import printable
from .environment import fill
from .kinds import CHANNEL_NAME, REFERENCE, Refusal
from .models import SETTING, Channel, Config, Setting, Verification, key_of, optional_model
from .problems import raise_problems
from .strict_yaml import Document, read_yaml

T = TypeVar("T")

FILE_NAME: Final = "channels.yaml"
VARIABLE: Final = "METRIX_CHANNELS_CONFIG"


def find_config(explicit: Path | None = None, environ: Mapping[str, str] = os.environ) -> Path:
    """Find the configuration: the given file, or `$METRIX_CHANNELS_CONFIG`, or `./channels.yaml`.

    Raises:
        ConfigError: `config_missing`.
    """
    if explicit is not None:
        path, origin = explicit, ""
    elif named := environ.get(VARIABLE):
        path, origin = Path(named), f", which {VARIABLE} names"
    else:
        path, origin = Path(FILE_NAME), ""
    if not os.path.exists(path):  # noqa: PTH110 - also false for an invalid file name
        remedy = "Correct the path." if path != Path(FILE_NAME) else None
        raise ConfigError(f"there is no file {printable(str(path))}{origin}", code="config_missing", remedy=remedy)
    return path


def load_config(path: Path, environ: Mapping[str, str] = os.environ) -> Config:
    """Load a configuration.

    Args:
        path: the file.
        environ: the values of `${NAME}`; kept, because credentials are read when they are needed.

    Raises:
        ConfigError: `config_missing`, `file_unreadable`, `yaml_invalid`, `yaml_refused`, `config_key_unknown`,
            `config_key_missing`, `config_value_invalid`, `environment_missing`, `environment_refused`,
            `secret_missing`, `secret_literal`: the code of the first problem in the file; the message lists the others.
    """
    return make_config(read_yaml(path), path, environ)


def make_config(document: Document, path: Path, environ: Mapping[str, str]) -> Config:
    """Make a `Config` from a document that was read from the file at `path`, or will be written to it."""
    return _complete(make_model(document, Config, environ), document, path, environ)


def make_model(document: Document, model: type[T], environ: Mapping[str, str] | None) -> T:
    """Make a model from a document; each field of the model has a `Setting`.

    Args:
        document: a whole file.
        model: an attrs class.
        environ: the values of `${NAME}`; None if the file must not contain any.

    Raises:
        ConfigError: those of `load_config`.
    """
    filling = fill(document.data, environ)
    try:
        made: T = _converter().structure(filling.data, model)
    except (BaseValidationError, Refusal) as error:
        raise_problems(document, filling.problems, error)
    if filling.problems:
        raise_problems(document, filling.problems, None)
    return made


def _complete(config: Config, document: Document, path: Path, environ: Mapping[str, str]) -> Config:
    """Complete the models with the file's own data: names, locations, the environment and absolute paths."""
    path = path.absolute()
    folder = path.parent
    metrix = attrs.evolve(
        config.metrix,
        environ=environ,
        locations={
            name: document.location(("metrix", name)) for name in ("app_id", "api_key", "api_key_file", "base_url")
        },
        api_key_file=_resolve_path(folder, config.metrix.api_key_file),
        ca_file=_resolve_path(folder, config.metrix.ca_file),
    )
    if not REFERENCE.search(metrix.app_id):
        metrix.resolve_app_id()  # an app_id with variables is checked when it is needed
    channels = {
        name: attrs.evolve(channel, name=name, location=document.location(("channels", name, "verified"), key=True))
        for name, channel in config.channels.items()
    }
    return attrs.evolve(
        config,
        path=path,
        metrix=metrix,
        templates=stored_path(folder, str(config.templates)),
        suppress=tuple(stored_path(folder, str(file)) for file in config.suppress),
        channels=channels,
    )


def _resolve_path(folder: Path, path: Path | None) -> Path | None:
    return None if path is None else stored_path(folder, str(path))


@cache
def _converter() -> Converter:
    converter = Converter(forbid_extra_keys=True, detailed_validation=True)
    converter.register_structure_hook_factory(attrs.has, _class_hook)
    converter.register_structure_hook_func(lambda cls: optional_model(cls) is not None, _make_optional_model)
    converter.register_structure_hook_func(lambda cls: cls == Mapping[str, Channel], _make_channels)
    converter.register_structure_hook(bool | Verification, _make_verified)
    return converter


def _class_hook(cls: type[Any], converter: Converter) -> Callable[[Any, Any], Any]:
    """Make cattrs' hook for one model from its fields' metadata."""
    overrides = {field.name: _override(field.name, field.metadata.get(SETTING)) for field in attrs.fields(cls)}
    structure = make_dict_structure_fn(
        cls,
        converter,
        _cattrs_forbid_extra_keys=True,
        _cattrs_detailed_validation=True,
        **overrides,
    )

    def hook(value: Any, _: Any) -> Any:
        if not isinstance(value, dict):
            raise Refusal("expected a mapping of keys to values")
        return structure(value, cls)

    return hook


def _override(name: str, setting: Setting | None) -> Any:
    if setting is None:
        return override(omit=True)
    key = key_of(name)
    if setting.kind is None:
        return override(rename=key)
    parse, model = setting.kind.parse, setting.model

    def hook(value: Any, _: Any) -> Any:
        return parse(value) if model is None or not isinstance(value, dict) else _converter().structure(value, model)

    return override(rename=key, struct_hook=hook)


def _make_optional_model(value: JsonValue, cls: Any) -> Any:
    """Make a model that may be absent; a key without a value is an error, not the same as no key."""
    return _converter().structure(value, cast(type[Any], optional_model(cls)))


def _make_verified(value: JsonValue, _: Any) -> bool | Verification:
    if isinstance(value, bool):
        return value
    if isinstance(value, dict):
        return _converter().structure(value, Verification)
    raise Refusal("expected true, false, or the record of a test such as {at: 2026-11-20, by: sara}")


def _make_channels(value: JsonValue, _: Any) -> Mapping[str, Channel]:
    if not isinstance(value, dict):
        raise Refusal("expected channels by name, such as `sms: {type: sms, verified: false}`")
    channels: dict[str, Channel] = {}
    problems: list[Exception] = []
    for name, entry in value.items():
        for step in (_check_channel_name, partial(_add_channel, channels, entry)):
            try:
                step(name)
            except (BaseValidationError, Refusal) as error:
                error.add_note(IterableValidationNote("among the channels", name, Channel))
                problems.append(error)
    if problems:
        raise IterableValidationError("among the channels", problems, dict)
    return channels


def _check_channel_name(name: str) -> None:
    if not CHANNEL_NAME.fullmatch(name):
        message = "a channel's name consists of a-z, 0-9, - and _, and starts with a letter or digit"
        raise Refusal(message, confidential=True, at_key=True)


def _add_channel(channels: dict[str, Channel], entry: JsonValue, name: str) -> None:
    channels[name] = _converter().structure(entry, Channel)
