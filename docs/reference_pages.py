"""Writes the reference from the code while MkDocs builds the site.

The pages are the Python API, the command line, both YAML files, and the filters.

MkDocs calls `on_files`, `on_page_markdown` and `on_page_content`. Each page comes from data that the program itself
uses: the verbs with their help, the JSON schemas, the table of filters, the public names.
"""

from __future__ import annotations

import ast
import importlib
import inspect
import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import metrix_channels
from metrix_channels.cli.commands import VERBS
from metrix_channels.errors.catalogue import SITUATIONS
from metrix_channels.templating.filters.allowed import FILTERS, TESTS

ROOT = Path(__file__).parents[1]
PACKAGE = Path(metrix_channels.__file__).parent
NOTIFIERS = ("Notifier", "Campaigns", "CampaignHandle", "AsyncNotifier", "AsyncCampaigns", "AsyncCampaignHandle")
"""The classes that send, in the order in which a reader needs them."""
FRAMEWORKS = {"Django": "django", "FastAPI": "fastapi", "Celery": "celery"}
"""Modules with their own public names, by the title of their section."""
_JINJA = "https://jinja.palletsprojects.com/en/stable/templates/"


def on_files(files: Any, config: Any) -> Any:
    """Add the pages to those that MkDocs found."""
    from mkdocs.structure.files import File

    for name, write in PAGES.items():
        files.append(File.generated(config, f"reference/{name}", content=write()))
    return files


def on_page_markdown(markdown: str, **_: Any) -> str:
    """Return a page without links to repository files that are not part of the site, such as examples."""
    return re.sub(
        r"\[([^\]]+)\]\((?:\.\./)+(?:examples|tests|channels|benchmarks|[A-Z]+\.md)[^)]*\)", r"`\1`", markdown
    )


def python_page() -> str:
    """Return the page of all public names; mkdocstrings adds their docstrings."""
    others = [name for name in metrix_channels.__all__ if name not in (*NOTIFIERS, "__version__")]
    errors = sorted(filter(_is_error, others), key=lambda name: name != "MetrixChannelsError")
    lines = [
        "# Python API",
        "",
        "Import these names from `metrix_channels`; those for a framework from its module. Other modules are private.",
        "`metrix_channels.__version__` is the version.",
        "",
        "## Notifiers",
        *(line for name in NOTIFIERS for line in _reference(name, getattr(metrix_channels, name))),
        "",
        "## Errors",
        "",
        "[Errors and remedies](../situations.md) explains each code.",
        *(line for name in errors for line in _reference(name)),
        "",
        "## Classes and types",
        *(line for name in others if name not in errors for line in _reference(name)),
    ]
    for title, module in FRAMEWORKS.items():
        lines += [
            "",
            f"## {title}",
            *(line for name in _public_names(module) for line in _reference(f"{module}.{name}")),
        ]
    lines += ["", "## Pytest fixtures", "", "::: metrix_channels.testing"]
    lines += ["    options: {inherited_members: true, show_bases: false}"]
    return "\n".join(lines) + "\n"


def _reference(name: str, described: type | None = None) -> list[str]:
    """Return what mkdocstrings replaces with a docstring; for a class, with its own members and the inherited ones."""
    lines = ["", f"::: metrix_channels.{name}"]
    if described is not None:
        members = [each for above in inspect.getmro(described)[:-1] for each in vars(above) if each[0] != "_"]
        lines.append(f"    options: {{inherited_members: true, members: [{', '.join(members)}], show_bases: false}}")
    return lines


def on_page_content(html: str, page: Any, **_: Any) -> str:
    """Return the page of the Python API with links from each name to its description, and from each code to its own."""
    if page.file.src_uri != "reference/python.md":
        return html
    described = set(re.findall(r'id="metrix_channels\.([\w.]+)"', html))

    def link(found: re.Match[str]) -> str:
        name = found[1]
        target = f"#metrix_channels.{name}" if name in described else f"../situations.html#{name}"
        return f'<a href="{target}">{found[0]}</a>' if name in described or name in SITUATIONS else found[0]

    return re.sub(r"(?<!>)<code>([\w.]+)</code>(?!</a>)", link, html)


def _public_names(module: str) -> list[str]:
    """Return `__all__` of a module without importing it, since the framework may be missing."""
    tree = ast.parse((PACKAGE / module / "__init__.py").read_text(encoding="utf-8"))
    [names] = [node.value for node in tree.body if isinstance(node, ast.Assign)]
    return list(ast.literal_eval(names))


def _is_error(name: str) -> bool:
    found = getattr(metrix_channels, name)
    return inspect.isclass(found) and issubclass(found, Exception)


def commands_page() -> str:
    """Return the page of all verbs: the help of each, as the command prints it."""
    lines = [
        "# Command line",
        "",
        "This page is the output of `--help`. Each verb also takes `--config FILE`, `--json` and `-v`, before or after",
        "its name. Results go to stdout, and everything else to stderr.",
        "",
        "| exit status | meaning |",
        "| --- | --- |",
        "| 0 | done |",
        "| 1 | done, but something was rejected, is unknown, or failed a check |",
        "| 2 | wrong usage, configuration, template or input; nothing was sent |",
        "| 3 | refused before sending: a channel is not verified, or it is too late for the schedule |",
        "| 4 | not sent for now: halted, paused, interrupted, busy, or Metrix cannot be reached; run it again later |",
    ]
    for path, text in helps():
        level = "##" if path.count(" ") == 1 else "###"
        lines += ["", f"{level} {path}", "", "```text", text, "```"]
    return "\n".join(lines) + "\n"


def helps() -> Iterator[tuple[str, str]]:
    """Yield each verb with its help, groups before their own verbs."""
    import typer.main

    from metrix_channels.cli.context import app

    for verb in VERBS.values():
        importlib.import_module(verb.module)
    group: Any = typer.main.get_group(app)
    for name in VERBS:
        yield from _help_of(group.commands[name], f"metrix-channels {name}")


def _help_of(command: Any, path: str) -> Iterator[tuple[str, str]]:
    from typer.core import TyperCommand

    context_class = TyperCommand.context_class
    context = context_class(command, info_name=path, max_content_width=100, terminal_width=100)
    yield path, command.get_help(context).rstrip()
    for name, inner in getattr(command, "commands", {}).items():
        yield from _help_of(inner, f"{path} {name}")


def configuration_page() -> str:
    """Return the page of channels.yaml: its keys, and the example that explains it."""
    example = (ROOT / "channels.example.yaml").read_text(encoding="utf-8")
    about = [
        "metrix-channels reads the file in `--config`, in `METRIX_CHANNELS_CONFIG`, or `channels.yaml` in the current",
        "folder. Paths are relative to the folder of this file. An unknown key, a duplicate key, an anchor or a tag",
        "is an error with file, line and column.",
    ]
    return _page_of_schema("channels.yaml", about, "config/channels.schema.json", example)


def campaign_page() -> str:
    """Return the page of a campaign file."""
    example = (ROOT / "campaigns" / "welcome.yaml").read_text(encoding="utf-8")
    about = ["Paths are relative to the folder of the campaign file."]
    return _page_of_schema("Campaign file", about, "campaign/campaign.schema.json", example)


def _page_of_schema(title: str, about: list[str], name: str, example: str) -> str:
    schema = json.loads((PACKAGE / name).read_text(encoding="utf-8"))
    lines = [f"# {title}", "", *about, "", "| key | meaning | value | default |", "| --- | --- | --- | --- |"]
    lines += [f"| `{path}` | {_cell(each.get('description', ''))} | {_kind(each)} | {_default(each, is_required)} |"
              for path, each, is_required in keys_of(schema)]  # fmt: skip
    lines += ["", "## Example", "", "```yaml", example.rstrip(), "```"]
    return "\n".join(lines) + "\n"


def keys_of(schema: dict[str, Any], above: str = "") -> Iterator[tuple[str, dict[str, Any], bool]]:
    """Yield each key of a schema with its path, such as `metrix.app_id`, its schema, and whether it is required."""
    for key, each in schema.get("properties", {}).items():
        yield f"{above}{key}", each, key in schema.get("required", ())
        yield from keys_of(each, f"{above}{key}.")
        for name in each.get("patternProperties", {}).values():
            yield from keys_of(name, f"{above}{key}.NAME.")
    for form in schema.get("anyOf", ()):
        yield from keys_of(form, above)


def _kind(schema: dict[str, Any]) -> str:
    if "enum" in schema:
        return ", ".join(f"`{value}`" for value in schema["enum"])
    if "const" in schema:
        return f"`{schema['const']}`"
    names = {
        "string": "text",
        "integer": "whole number",
        "number": "number",
        "boolean": "true or false",
        "array": "list",
        "object": "mapping",
    }
    forms = [schema, *schema.get("anyOf", ())]
    return " or ".join(dict.fromkeys(names[form["type"]] for form in forms if "type" in form))


def _default(schema: dict[str, Any], is_required: bool) -> str:
    if is_required:
        return "*required*"
    return f"`{json.dumps(schema['default'])}`" if "default" in schema else ""


def _cell(text: str) -> str:
    return re.sub(r"(\$\{\w+\})", r"`\1`", text.replace("|", "\\|"))


def filters_page() -> str:
    """Return the page of the filters and tests that a template may use."""
    lines = [
        "# Filters and tests",
        "",
        "A template can use only these filters and tests. A value in a text must be text or a number: a list, `null`",
        "or a missing value is an error with file and line.",
        "",
        "## Filters for Persian",
        *(line for name in PERSIAN_FILTERS for line in _about_filter(name)),
        "",
        "## Filters of Jinja",
        "",
        ", ".join(
            f"[`{name}`]({_JINJA}#jinja-filters.{_JINJAS_NAMES.get(name, name)})"
            for name in sorted(FILTERS)
            if name not in PERSIAN_FILTERS
        ),
        "",
        "## Tests",
        "",
        f"They work as in [Jinja]({_JINJA}#list-of-builtin-tests).",
        "",
        ", ".join(f"`{name}`" for name in sorted(TESTS)),
    ]
    return "\n".join(lines) + "\n"


PERSIAN_FILTERS = ("fa_digits", "fa_number", "money", "jalali")
_JINJAS_NAMES = {"e": "escape", "d": "default", "count": "length"}
"""Short names of filters that Jinja documents under the long one."""


def _about_filter(name: str) -> list[str]:
    """Return the section of a filter: what it does, and its arguments after the value, from its docstring."""
    used = inspect.unwrap(FILTERS[name])
    summary, _, rest = (inspect.getdoc(used) or "").partition("\n\nArgs:\n")
    described = dict(re.findall(r"^    (\w+): (.*(?:\n {8}.*)*)", rest.partition("\n\n")[0], re.MULTILINE))
    lines = ["", f"### `{name}`", "", summary.partition("\n\n")[0], ""]
    for argument in inspect.signature(used).parameters.values():
        if about := described.get(argument.name):
            default = "" if argument.default is argument.empty else f" (default: `{argument.default}`)"
            lines.append(f"- `{argument.name}`{default}: {' '.join(about.split())}")
    return lines


PAGES: dict[str, Callable[[], str]] = {
    "python.md": python_page,
    "commands.md": commands_page,
    "channels-yaml.md": configuration_page,
    "campaign-yaml.md": campaign_page,
    "filters.md": filters_page,
}
"""The pages that exist in the site only, by file name."""
