"""The documentation site builds without a warning, its links lead somewhere, and its reference is complete."""

import ast
import json
import os
import re
import runpy
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urldefrag

import pytest

import metrix_channels
from metrix_channels.cli.commands import VERBS
from metrix_channels.errors.catalogue import SITUATIONS
from metrix_channels.templating.filters.allowed import FILTERS, TESTS

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "channels" / "metrix_channels"
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
GENERATED = {"python.md", "commands.md", "channels-yaml.md", "campaign-yaml.md", "filters.md"}
"""Pages of docs/reference that exist in the site alone."""

SETTING_OF_DJANGO = "METRIX_CHANNELS"
REFERENCE = runpy.run_path(str(ROOT / "docs" / "reference_pages.py"))["PAGES"]


class Page(HTMLParser):
    """What a page links to, and what can be linked to in it."""

    def __init__(self, path):
        super().__init__()
        self.links, self.ids = [], set()
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag, attrs):
        given = dict(attrs)
        self.ids.add(given.get("id"))
        if tag in ("a", "img", "link", "script") and (target := given.get("href") or given.get("src")):
            self.links.append(target)


def build(folder, *arguments):
    environment = {**os.environ, "NO_MKDOCS_2_WARNING": "1"}
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(folder), *arguments]
    ended = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stdout + ended.stderr


def test_the_site_builds_and_every_link_leads_somewhere(tmp_path):
    """In both languages, without a warning: pages, pictures and anchors, also from one language to the other."""
    build(tmp_path)
    build(tmp_path / "fa", "--config-file", "mkdocs.fa.yml")
    site = {path: Page(path) for path in tmp_path.rglob("*.html") if path.name != "404.html"}
    assert len(site) > 35
    assert [
        (path.name, link) for path, page in site.items() for link in page.links if is_broken(site, path, link)
    ] == []
    python = site[tmp_path / "reference" / "python.html"]
    described = {
        f"metrix_channels.{name}" for name in ("Notifier.enqueue", "AsyncNotifier.drain", "testing.Sandbox.inject")
    }
    assert described <= python.ids  # also members that a class inherits
    assert {"#metrix_channels.Notifier.send", "../situations.html#key_reused"} <= set(python.links)
    for path in site:
        direction = "rtl" if (tmp_path / "fa") in path.parents else "ltr"
        assert f'dir="{direction}"' in path.read_text(encoding="utf-8"), path.name


def is_broken(site, path, link):
    """Tell whether a link of a page names no file, or an anchor that its page does not have."""
    target, anchor = urldefrag(unquote(link))
    if re.match(r"[a-z]+:", target):
        return False
    found = (path.parent / target).resolve() if target else path
    if not found.is_file():
        return True
    return bool(anchor) and found in site and anchor not in site[found].ids and not anchor.startswith("__")


def test_the_reference_names_every_public_symbol():
    """Those of the integrations too; the build fails if one cannot be found."""
    named = set(re.findall(r"^::: ([\w.]+)$", REFERENCE["python.md"](), re.MULTILINE))
    wanted = {f"metrix_channels.{name}" for name in metrix_channels.__all__ if name != "__version__"}
    for framework in ("celery", "django", "fastapi"):
        tree = ast.parse((PACKAGE / framework / "__init__.py").read_text(encoding="utf-8"))
        [names] = [node.value for node in tree.body if isinstance(node, ast.Assign)]
        wanted |= {f"metrix_channels.{framework}.{name}" for name in ast.literal_eval(names)}
    assert wanted - named == set()


def test_the_reference_names_every_verb_and_option():
    """With the help that the command itself prints."""
    text = REFERENCE["commands.md"]()
    sources = [path.read_text(encoding="utf-8") for path in (PACKAGE / "cli").rglob("*.py")]
    options = {option for source in sources for option in re.findall(r'Option\(\s*"(--[a-z-]+)', source)}
    shared = {"--config", "--json", "--verbose", "--version", "--show-completion"}
    assert len(options) > 20
    assert {option for option in options - shared if option not in text} == set()
    assert {verb for verb in VERBS if f"\n## metrix-channels {verb}\n" not in text} == set()


@pytest.mark.parametrize(
    ("page", "schema"),
    [("channels-yaml.md", "config/channels.schema.json"), ("campaign-yaml.md", "campaign/campaign.schema.json")],
)
def test_the_reference_names_every_key(page, schema):
    """Of both files, at every depth."""
    named = {path.rpartition(".")[2] for path in re.findall(r"^\| `([\w.]+)` \|", REFERENCE[page](), re.MULTILINE)}

    def keys(part):
        if isinstance(part, dict):
            yield from part.get("properties", {})
        for each in part.values() if isinstance(part, dict) else part if isinstance(part, list) else ():
            yield from keys(each)

    wanted = set(keys(json.loads((PACKAGE / schema).read_text(encoding="utf-8"))))
    assert len(wanted) > 15
    assert wanted - named == set()


def test_the_reference_names_every_filter_and_test():
    """That a template may use."""
    named = set(re.findall(r"`([^`]+)`", REFERENCE["filters.md"]()))
    assert {*FILTERS, *TESTS} - named == set()


def test_the_reference_names_every_code():
    """Of errors, answers and questions."""
    named = re.findall(r"^### `([^`]+)`$", (ROOT / "docs" / "situations.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert set(SITUATIONS) - set(named) == set()


def test_the_reference_names_every_environment_variable():
    """That the code reads or passes on."""
    text = (ROOT / "docs" / "reference" / "environment.md").read_text(encoding="utf-8")
    read = set()
    for path in PACKAGE.rglob("*.py"):
        source = path.read_text(encoding="utf-8")
        if "environ" in source:
            texts = {node.value for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Constant)}
            read |= {
                each
                for each in texts - {SETTING_OF_DJANGO}
                if re.fullmatch(r"_?[A-Z]+(_[A-Z]+)+|PYTHON[A-Z]+", str(each))
            }
    assert "METRIX_CHANNELS_CONFIG" in read
    assert {name for name in read if f"`{name}`" not in text} == set()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_the_links_of_a_page_lead_somewhere_in_the_repository(page):
    """As somebody reads it there; pages that only the site has are left to the site."""
    text = re.sub(r"```.*?```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)
    links = [urldefrag(link)[0] for link in re.findall(r"\]\(([^)\s]+)\)", text)]
    here = [link for link in links if link and not re.match(r"[a-z]+:", link)]
    missing = {link for link in here if not (page.parent / link).exists() and Path(link).name not in GENERATED}
    assert missing == set()
    assert page.name != "README.md" or not [link for link in here if Path(link).name in GENERATED]
