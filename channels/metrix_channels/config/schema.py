"""Writes a JSON Schema (2020-12) of a file, so that editors can complete and check it.

The schema is generated from the models. `python -m metrix_channels.config.schema` prints the schema of channels.yaml,
which is stored beside this module as `channels.schema.json`.
"""

from __future__ import annotations

import json
import sys
import types
from typing import Any, Final, get_args, get_origin, get_type_hints

import attrs

from .environment import FILLED
from .kinds import CHANNEL_NAME, REFERENCE
from .models import SETTING, Config, Setting, key_of, optional_model

_ANY_REFERENCE: Final = {"type": "string", "pattern": REFERENCE.pattern}


def write_schema(model: type[Any], title: str, filled: frozenset[str] = frozenset()) -> str:
    """Return the schema of a file as JSON.

    Args:
        model: the model of the whole file; each of its fields has a `Setting`.
        title: the title of the schema.
        filled: the keys whose values, or values below, may contain `${NAME}`.
    """
    schema = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": title,
        **_describe_class(model, filled=filled),
    }
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"


def _describe_class(cls: type[Any], filled: frozenset[str]) -> dict[str, Any]:
    """Return the schema of a model; values of the keys in `filled` may contain `${NAME}`."""
    hints = get_type_hints(cls)
    settings = {
        key_of(field.name): (field, setting, hints[field.name])
        for field in attrs.fields(cls)
        if (setting := field.metadata.get(SETTING)) is not None
    }
    return {
        "type": "object",
        "additionalProperties": False,
        "required": [name for name, (field, _, _) in settings.items() if field.default is attrs.NOTHING],
        "properties": {
            name: _describe_setting(setting, hint, name in filled) for name, (_, setting, hint) in settings.items()
        },
        **getattr(cls, "SCHEMA", {}),
    }


def _describe_setting(setting: Setting, annotation: Any, filled: bool) -> dict[str, Any]:
    if setting.kind is None:
        schema = _describe_type(annotation, filled)
    elif setting.model is not None:
        schema = {"anyOf": [dict(setting.kind.schema), _describe_class(setting.model, filled=frozenset())]}
    elif not filled or setting.kind.holds_references:
        schema = dict(setting.kind.schema)
    else:
        schema = {"anyOf": [dict(setting.kind.schema), _ANY_REFERENCE]}
    default = {} if setting.default is None else {"default": setting.default}
    return {"description": setting.doc, **schema, **default}


def _describe_type(annotation: Any, filled: bool) -> dict[str, Any]:
    annotation = optional_model(annotation) or annotation
    if attrs.has(annotation):
        fields = frozenset(field.name for field in attrs.fields(annotation))
        return _describe_class(annotation, filled=fields if filled else frozenset())
    if get_origin(annotation) is types.UnionType:
        return {"anyOf": [_describe_type(option, filled) for option in get_args(annotation)]}
    if annotation is bool:
        return {"type": "boolean"}
    _, value = get_args(annotation)  # a mapping of names to models
    return {
        "type": "object",
        "additionalProperties": False,
        "patternProperties": {f"^{CHANNEL_NAME.pattern}$": _describe_type(value, filled)},
    }


if __name__ == "__main__":
    sys.stdout.write(write_schema(Config, "metrix-channels configuration", FILLED))
