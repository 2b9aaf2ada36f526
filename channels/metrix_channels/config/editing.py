"""Records a verification in the configuration file without changing any other byte.

The text is inserted at the position that the YAML parser reports. A library that rewrites the whole file moves and
realigns comments, even if it keeps them, and loses those that follow a replaced block.
"""

from __future__ import annotations

import contextlib
import os
import re
import secrets
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import attrs
import yaml

from ..errors import ConfigError
from ..printable import is_text, printable
from .kinds import write_span
from .loading import make_config
from .models import Config, Verification
from .strict_yaml import parse_yaml, read_text

_BOM: Final = "\ufeff"
_PLAIN: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9@._-]*")


def record_verification(
    path: Path, channel: str, verification: Verification, environ: Mapping[str, str] = os.environ
) -> None:
    """Write `verified` of a channel into the file. Comments inside a replaced record are lost.

    The file is replaced atomically, so that no reader sees half of it. If `path` is a link, its target is written.

    Raises:
        ConfigError: `channel_unknown`; `file_unwritable`; `config_value_invalid` for a record that cannot be written
            to the file; and those of `load_config`, since a file with errors is not edited.
    """
    text = read_text(path)
    before = _load(text, path, environ)
    before.channel(channel)
    edited = _edit_text(text, channel, verification)
    _check(before, _load(edited, path, environ), channel, verification)
    _replace(path.resolve(), edited.encode())


def _load(text: str, path: Path, environ: Mapping[str, str]) -> Config:
    return make_config(parse_yaml(text, str(path)), path, environ)


def _check(before: Config, after: Config, channel: str, verification: Verification) -> None:
    """Make sure that the edit changes the verification and nothing else."""
    meant = {**before.channels, channel: attrs.evolve(before.channels[channel], verified=verification)}
    if after != attrs.evolve(before, channels=meant):
        message = f"the verification of channel {channel!r} cannot be written to the file without changing its meaning"
        raise ConfigError(message, code="config_value_invalid")


def _edit_text(text: str, channel: str, verification: Verification) -> str:
    """Return the file's text with the verification in it."""
    mark = _BOM if text.startswith(_BOM) else ""
    text = text.removeprefix(_BOM)
    newline = "\r\n" if "\r\n" in text else "\n"
    root = yaml.compose(text, Loader=yaml.SafeLoader)
    entry = _value(_value(root, "channels"), channel)
    parts = _parts(verification)
    flow = "{" + ", ".join(parts) + "}"
    old = _value(entry, "verified")
    if old is None and entry.flow_style:
        start = end = _end(entry.value[-1][1])
        new = f", verified: {flow}"
    elif old is None:
        start = end = _end_of_line(text, _end(entry))
        new = f"{newline}{' ' * entry.start_mark.column}verified: {flow}"
        if text[end - 1] == "\n":  # at the start of a line, after a block scalar
            new = new.removeprefix(newline) + newline
    else:
        start, end = old.start_mark.index, _end(old)
        block = isinstance(old, yaml.MappingNode) and not old.flow_style
        new = f"{newline}{' ' * old.start_mark.column}".join(parts) if block else flow
        if text[end - 1] == "\n":
            new += newline
    return mark + text[:start] + new + text[end:]


def _value(node: Any, key: str) -> Any:
    """Return the node of a key's value in a mapping's node, or None."""
    return next((value for name, value in node.value if name.value == key), None)


def _end(node: Any) -> int:
    """Return where a value's own text ends; a block's node also covers the comments after it."""
    if isinstance(node, yaml.ScalarNode) or node.flow_style:
        return int(node.end_mark.index)
    return _end(node.value[-1][1])


def _end_of_line(text: str, start: int) -> int:
    """Return the end of the line in which a value ends."""
    if text[start - 1] == "\n":
        return start
    end = text.find("\n", start)
    if end == -1:
        return len(text)
    return end - 1 if text[end - 1] == "\r" else end


def _parts(verification: Verification) -> list[str]:
    """Write a record as `key: value` pairs in YAML."""
    expires = verification.expires
    texts = {
        "at": verification.at.isoformat(),
        "by": verification.by,
        "app_id": verification.app_id,
        "expires": None if expires is None else write_span(expires),
        "note": verification.note,
    }
    return [f"{key}: {_scalar(text)}" for key, text in texts.items() if text is not None]


def _scalar(text: str) -> str:
    """Write text without quotes if every parser reads it as text, otherwise in quotes."""
    if _PLAIN.fullmatch(text):
        with contextlib.suppress(ConfigError):
            if parse_yaml(f"[{text}]", "").data == [text]:
                return text
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    shown = (char if is_text(char) else f"\\U{ord(char):08X}" for char in escaped)
    return '"' + "".join(shown) + '"'


def _replace(target: Path, content: bytes) -> None:
    """Replace a file's content atomically, so that a power loss leaves the old or the new content."""
    temporary = target.with_name(f".{target.name}.{secrets.token_hex(8)}")
    try:
        old = target.stat()
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(content)
                file.flush()
                with contextlib.suppress(PermissionError):  # only root may change a file's owner
                    os.fchown(descriptor, old.st_uid, old.st_gid)
                os.fchmod(descriptor, stat.S_IMODE(old.st_mode))
                os.fsync(descriptor)
            temporary.replace(target)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
        _sync_folder(target.parent)
    except OSError as error:
        message = f"{printable(str(target))} cannot be written: {error.strerror}"
        raise ConfigError(message, code="file_unwritable") from error


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
