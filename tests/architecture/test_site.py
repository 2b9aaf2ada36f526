"""The documentation site builds without a warning, its links lead somewhere, and its reference is complete."""

import ast
import json
import os
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urldefrag

import pytest

import metrix_channels
from metrix_channels.errors.catalogue import SITUATIONS
from metrix_channels.templating.filters.allowed import FILTERS, TESTS

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "channels" / "metrix_channels"
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
GENERATED = {"python.md", "commands.md", "channels-yaml.md", "campaign-yaml.md", "filters.md"}
"""Pages of docs/reference that exist in the site alone."""

SETTING_OF_DJANGO = "METRIX_CHANNELS"


class Page(HTMLParser):
    """What a page links to, what can be linked to in it, and its text."""

    def __init__(self, path):
        super().__init__()
        self.links, self.ids, self.texts = [], set(), []
        self.feed(path.read_text(encoding="utf-8"))
        self.text = "".join(self.texts)

    def handle_starttag(self, tag, attrs):
        given = dict(attrs)
        self.ids.add(given.get("id"))
        if tag in ("a", "img", "link", "script") and (target := given.get("href") or given.get("src")):
            self.links.append(target)

    def handle_data(self, data):
        self.texts.append(data)


def build(folder, *arguments):
    environment = {**os.environ, "NO_MKDOCS_2_WARNING": "1"}
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(folder), *arguments]
    ended = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stdout + ended.stderr


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """Both sites, as `make site` builds them."""
    folder = tmp_path_factory.mktemp("site")
    build(folder)
    build(folder / "fa", "--config-file", "mkdocs.fa.yml")
    return {path: Page(path) for path in folder.rglob("*.html") if path.name != "404.html"}


def page_of(site, name):
    [page] = [page for path, page in site.items() if str(path).endswith(name) and "/fa/" not in str(path)]
    return page


def test_every_link_of_the_site_leads_somewhere(site):
    """Pages, pictures and anchors, also from one language to the other; no page loads anything from another host."""
    broken = []
    for path, page in site.items():
        for link in page.links:
            target, anchor = urldefrag(unquote(link))
            if re.match(r"[a-z]+:", target):
                continue
            found = (path.parent / target).resolve() if target else path
            if not found.is_file() or (
                anchor and found in site and anchor not in site[found].ids and not anchor.startswith("__")
            ):
                broken.append((path.name, link))
    assert broken == []
    assert len(site) > 25


def test_the_persian_pages_are_written_from_right_to_left(site):
    """As the browser has to be told."""
    for path in site:
        direction = "rtl" if "/fa/" in str(path) else "ltr"
        assert f'dir="{direction}"' in path.read_text(encoding="utf-8"), path.name


def test_the_reference_names_every_public_symbol(site):
    """Each with an anchor of its own."""
    ids = page_of(site, "reference/python.html").ids
    missing = {
        name for name in metrix_channels.__all__ if name != "__version__" and f"metrix_channels.{name}" not in ids
    }
    assert missing == set()


def test_the_reference_names_every_verb_and_option(site):
    """With the help that the command itself prints."""
    text = page_of(site, "reference/commands.html").text
    sources = [path.read_text(encoding="utf-8") for path in (PACKAGE / "cli").rglob("*.py")]
    options = {option for source in sources for option in re.findall(r'Option\(\s*"(--[a-z-]+)', source)}
    shared = {"--config", "--json", "--verbose", "--version", "--show-completion"}
    assert len(options) > 20
    assert {option for option in options if option not in shared and option not in text} == set()
    from metrix_channels.cli.commands import VERBS

    assert {verb for verb in VERBS if f"metrix-channels {verb}" not in text} == set()


@pytest.mark.parametrize(
    ("page", "schema"),
    [("channels-yaml", "config/channels.schema.json"), ("campaign-yaml", "campaign/campaign.schema.json")],
)
def test_the_reference_names_every_key(site, page, schema):
    """Of both files, at every depth."""
    text = page_of(site, f"reference/{page}.html").text

    def keys(part):
        if isinstance(part, dict):
            yield from part.get("properties", {})
            for each in part.values():
                yield from keys(each)
        elif isinstance(part, list):
            for each in part:
                yield from keys(each)

    wanted = set(keys(json.loads((PACKAGE / schema).read_text(encoding="utf-8"))))
    assert len(wanted) > 15
    assert {key for key in wanted if not re.search(rf"(^|\.){key}$", text, re.MULTILINE)} == set()


def test_the_reference_names_every_filter_and_test(site):
    """That a template may use."""
    text = page_of(site, "reference/filters.html").text
    assert {name for name in [*FILTERS, *TESTS] if name not in text} == set()


def test_the_reference_names_every_code(site):
    """Of errors, answers and questions."""
    ids = page_of(site, "situations.html").ids
    assert {code for code in SITUATIONS if code.lower() not in ids} == set()


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
