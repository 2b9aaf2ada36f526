"""Finds and compiles the templates of a project. A template is compiled once, and again when its files change."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Mapping
from datetime import date, datetime
from decimal import Decimal
from difflib import get_close_matches
from functools import cached_property
from pathlib import Path
from threading import RLock
from time import time_ns
from typing import Final, Literal

from attrs import frozen

from ..adapters import adapter_for
from ..config import parse_yaml
from ..errors import ConfigError, TemplateError
from ..files import stored_path
from ..localization.locales import locale_fault, meant_locale, standard_locale, with_parents
from ..models import ChannelType, JsonValue
from ..printable import BLANKS, printable
from .context import prepare
from .file_names import VARIANT, candidates, standard_name
from .folder import Folder, Stamp, check_word, is_word, shown, stamp_of
from .isolation.parent import Apart
from .program import Program
from .watched import WatchedProgram

LAYOUTS: Final = "layouts"
"""The folder of files that templates extend and include; it is not a template itself."""

MAX_COMPILED: Final = 1_000
"""The maximum number of compiled templates that are cached; each takes about 10 KB."""
_SETTLED_NS: Final = 10_000_000_000
"""If a folder's last change is older than this, its stamp shows every later change, even if clocks differ."""

_SAMPLE: Final = re.compile(r"sample(?:\.(?P<locale>.+))?\.yaml")

_RENAME: Final = "Rename it for its locale, such as {}. Put files that templates include into the folder `layouts`."

PlainValue = JsonValue | date | datetime | Decimal


@frozen
class Variant:
    """One file of a template.

    Attributes:
        channel: a channel's name, its type, or `push`.
        locale: the locale in its usual spelling, or the text as written if it is not a locale; None for the file that
            serves every locale.
        path: the path of the file.
        format: `txt` or `html`.
    """

    channel: str
    locale: str | None
    path: Path
    format: Literal["txt", "html"]


@frozen
class Sources:
    """The texts of a template, with which it can be compiled without its files.

    Attributes:
        main: the template's own file, relative to the templates folder.
        texts: the texts of all its files by such names; None for an optional file that is absent.
        email: whether `subject` means `title`.
    """

    main: str
    texts: Mapping[str, str | None]
    email: bool


class Template:
    """One compiled template file, with all files that it extends and includes.

    Attributes:
        path: the path of its own file.
        files: all its files, its own first.
        variables: the names from the context that its front matter, body and layouts use. It is never too short; it
            also contains names that an included file gets from a surrounding loop.
        sensitive: names of values that must not appear in logs, reports or bundles.
        runs_apart: whether it always renders in a child process; other templates do so for large values.
        sources: the texts of all its files.
    """

    def __init__(self, program: Program, apart: Apart) -> None:
        root = Path(program.root)
        self.path: Path = root / program.main
        self.files: tuple[Path, ...] = tuple(root / name for name, text in program.texts.items() if text is not None)
        self.variables: frozenset[str] = program.variables
        self.sensitive: frozenset[str] = program.sensitive
        self.runs_apart: bool = program.cost.risk is not None
        self.sources: Sources = Sources(program.main, dict(program.texts), program.email)
        self._program = program
        self._apart = apart

    def render(self, context: Mapping[str, PlainValue], now: datetime) -> dict[str, JsonValue]:
        """Return the fields of a message, not yet checked for a channel.

        Args:
            context: plain data by name; the name `now` is reserved.
            now: the start of the run, with a time zone. The template's `now` is this time in UTC.

        Raises:
            TemplateError: `context_invalid`, `context_too_large`, `template_undefined`, `template_value_refused`,
                `template_too_costly`.
            ConfigError: `extra_missing`, if a filter needs a package that is not installed; `renderer_unavailable`.
        """
        values, size = prepare(context, now)
        if self._program.cost.allows(size):
            return self._program.render(values)
        return self._apart.render(self._program, values)

    def empty_values(self, context: Mapping[str, PlainValue], now: datetime) -> tuple[str, ...]:
        """Return the values that are empty and leave a gap in the text, such as `first_name` or `items.title`.

        Args:
            context: plain data by name; a missing value is an error of `render`, not a gap.
            now: as for `render`.

        Raises:
            TemplateError: `context_invalid`, `context_too_large`.
        """
        for name in self._shown:  # runs once per recipient
            value = context.get(name, 0)
            if type(value) is not int and (type(value) is not str or not value.strip(BLANKS)):
                break
        else:
            return ()
        values, size = prepare(context, now)
        return self._watched.gaps_in(values, rendered=self._program.cost.allows(size))

    @cached_property
    def _shown(self) -> tuple[str, ...]:
        """The names of values that leave a gap if they are empty."""
        return self._watched.names

    @cached_property
    def _watched(self) -> WatchedProgram:
        return WatchedProgram(self._program)


class Templates:
    """A folder of templates. It is safe to use from several threads.

    Args:
        root: the folder; it need not exist until a template is used.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self._folder = Folder(root)
        self._apart = Apart()
        self._lock = RLock()
        self._listed: dict[str, tuple[Stamp, dict[str, list[str]]]] = {}
        self._compiled: dict[tuple[str, bool], tuple[Template, dict[str, Stamp]]] = {}
        self._found: dict[tuple[str, str, ChannelType, str | None], tuple[Template, dict[str, Stamp]]] = {}

    def find(self, name: str, channel: str, type: ChannelType, locale: str | None = None) -> Template:  # noqa: A002
        """Return the template `name` for a channel.

        Args:
            name: the name of the template's folder.
            channel: the channel's name in the configuration.
            type: the channel's type.
            locale: a locale such as `fa` or `fa-IR` (also `fa_ir`). A file without a locale serves every locale.

        Raises:
            TemplateError: `template_missing`, `template_ambiguous`, `template_path_refused`, `locale_unknown`, or the
                reason why the template cannot be read or compiled.
        """
        asked = name, channel, type, locale
        before = self._found.get(asked)
        if before is not None and all(stamp_of(place) == stamp for place, stamp in before[1].items()):
            return before[0]
        template, file = self._search(name, channel, type, locale)
        self._remember(asked, template, file)
        return template

    def _search(self, name: str, channel: str, type: ChannelType, locale: str | None) -> tuple[Template, str]:  # noqa: A002
        """Return the template, and its own file relative to the root."""
        check_word("template", name)
        check_word("channel", channel)
        tag = None if locale is None else self._standard(name, str(locale))
        stored = self._list_files(name)
        wanted = candidates(channel, type, tag)
        for candidate in wanted:
            served = [each for each in stored.get(candidate, ()) if self._folder.has(f"{name}/{each}")]
            if len(served) > 1:
                raise _ambiguous(self.root / name, served)
            if served:
                file = f"{name}/{served[0]}"
                return self._current(file, email=adapter_for(type).subject_is_title), file
        raise self._missing(name, [f"{name}/{candidate}" for candidate in wanted])

    def _list_files(self, name: str) -> dict[str, list[str]]:
        """Return the files in a template's folder by standard names; the folder is listed again after a change."""
        stamp = self._folder.stamp(name)
        listed = self._listed.get(name)
        if listed is not None and listed[0] == stamp:
            return listed[1]
        now = time_ns()
        stored: dict[str, list[str]] = {}
        for file in self._folder.entries(name):
            stored.setdefault(standard_name(file), []).append(file)
        # Two changes within one tick of the file system's clock have the same stamp, so a recent list is not cached.
        if stamp is not None and now - stamp[0] > _SETTLED_NS and len(self._listed) < MAX_COMPILED:
            self._listed[name] = stamp, stored
        return stored

    def _remember(self, asked: tuple[str, str, ChannelType, str | None], template: Template, file: str) -> None:
        """Keep what was found until its folder or one of its files changes, unless links are involved."""
        listed, compiled = self._listed.get(asked[0]), self._compiled.get((file, template.sources.email))
        if listed is None or compiled is None or compiled[0] is not template:  # another thread compiled a newer text
            return
        stamps = {self._folder.place(each): stamp for each, stamp in {asked[0]: listed[0], **compiled[1]}.items()}
        if all(stamp_of(place) == stamp for place, stamp in stamps.items()):
            if len(self._found) >= MAX_COMPILED:
                self._found.clear()
            self._found[asked] = template, stamps

    def pinned(self, sources: Sources) -> Template:
        """Compile a template from its stored texts, without reading its files.

        Raises:
            TemplateError: it cannot be compiled.
        """

        def read(name: str) -> str:
            if (text := sources.texts.get(name)) is None:
                raise FileNotFoundError(name)
            return text

        return Template(Program(sources.main, read, str(self.root), email=sources.email), self._apart)

    def names(self) -> list[str]:
        """Return the sorted names of all templates."""
        return [name for name in self._folder.folders() if is_word(name) and name != LAYOUTS]

    def variants(self, name: str) -> list[Variant]:
        """Return the files of a template, sorted; none if there is no such template."""
        check_word("template", name)
        folder = stored_path(self.root, name)
        return [
            Variant(parts["channel"], parts["locale"], folder / file, "html" if parts["format"] == "html" else "txt")
            for file in self._folder.entries(name)
            if (parts := VARIANT.fullmatch(standard_name(file))) and self._folder.has(f"{name}/{file}")
        ]

    def has_sample(self, name: str, locale: str | None = None) -> bool:
        """Tell whether a template has a sample context for a locale; see `sample`."""
        return any(True for _ in self._samples(name, locale))

    def sample(self, name: str, locale: str | None = None) -> dict[str, JsonValue]:
        """Return the sample context of a template; empty if it has none.

        Args:
            name: the name of the template's folder.
            locale: values of `sample.<locale>.yaml` override those of `sample.yaml`, and values for `fa-IR` override
                those for `fa`.

        Raises:
            TemplateError: `yaml_invalid`, `yaml_refused`, `locale_unknown`, or `context_invalid` if one of the files
                is not a mapping.
        """
        return {key: value for file in self._samples(name, locale) for key, value in self._values_in(file).items()}

    def _samples(self, name: str, locale: str | None) -> Iterator[str]:
        """Yield the files of a sample context, the most general first."""
        check_word("template", name)
        by_locale: dict[str | None, str] = {}
        for file in self._folder.entries(name):
            if found := _SAMPLE.fullmatch(unicodedata.normalize("NFC", file).lower()):
                tag = found["locale"] and self._standard_of_file(found["locale"], self.root / name / file)
                if (other := by_locale.setdefault(tag, file)) != file:
                    raise _ambiguous(self.root / name, [other, file])
        for tag in (None, *reversed([*with_parents(locale and standard_locale(locale))])):
            if tag in by_locale and self._folder.has(f"{name}/{by_locale[tag]}"):
                yield f"{name}/{by_locale[tag]}"

    def _values_in(self, file: str) -> dict[str, JsonValue]:
        try:
            document = parse_yaml(self._folder.read(file), str(self.root / file))
        except FileNotFoundError:
            return {}
        except ConfigError as error:
            raise TemplateError(error.message, code=error.code, remedy=error.remedy, location=error.location) from None
        if document.data is None:
            return {}
        if not isinstance(document.data, dict):
            raise TemplateError(
                "a sample must be a mapping of names to values", code="context_invalid", location=document.location()
            )
        return document.data

    def close(self) -> None:
        """Stop the child process, if rendering started one; it starts again when it is needed."""
        self._apart.close()

    def _current(self, file: str, *, email: bool) -> Template:
        with self._lock:
            cached = self._compiled.get((file, email))
            if cached and all(self._folder.stamp(name) == stamp for name, stamp in cached[1].items()):
                return cached[0]
            stamps: dict[str, Stamp] = {}

            def read(name: str) -> str:
                # The stamp is taken first, so that an edit in between is found later.
                stamps[name] = self._folder.stamp(name)
                return self._folder.read(name)

            template = Template(Program(file, read, str(self.root), email=email), self._apart)
            if len(self._compiled) >= MAX_COMPILED:
                del self._compiled[next(iter(self._compiled))]  # the oldest
            self._compiled[file, email] = template, stamps
            return template

    def _standard(self, name: str, locale: str) -> str:
        """Return a locale in its usual spelling."""
        if tag := standard_locale(locale):
            return tag
        misnamed = next((each.path for each in self.variants(name) if each.locale == locale), None)
        if misnamed is None:
            raise TemplateError(locale_fault(locale), code="locale_unknown")
        return self._standard_of_file(locale, misnamed)

    def _standard_of_file(self, locale: str, path: Path) -> str:
        """Return the locale in a file's name, in its usual spelling."""
        if tag := standard_locale(locale):
            return tag
        raise TemplateError(
            f"the file {shown(path.name)} is never used: {locale_fault(locale)}",
            code="locale_unknown",
            remedy=_RENAME.format(meant_locale(locale) or "fa, en or fa-IR"),
            location=str(path),
        )

    def _missing(self, name: str, wanted: list[str]) -> TemplateError:
        near = get_close_matches(name, self.names(), 1)
        hint = f"Did you mean {shown(near[0])}? " if near and near[0] != name else ""
        first = next(file for file in wanted if file.count(".") == 2)  # without a locale
        files = ", ".join(wanted)
        return TemplateError(
            f"there is no template {shown(name)} for this channel; looked in {self.root} for: {files}",
            code="template_missing",
            remedy=f"{hint}{'Otherwise, create' if hint else 'Create'} {printable(str(self.root / first))}.",
        )


def _ambiguous(folder: Path, files: list[str]) -> TemplateError:
    names = " and ".join(map(shown, files))
    return TemplateError(
        f"{names} have the same channel and locale", code="template_ambiguous", location=str(folder / files[0])
    )
