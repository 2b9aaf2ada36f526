"""The README and the documentation are true: every command and every code block runs, in the order of its page."""

import json

import pytest
import yaml
from jsonschema import Draft202012Validator

from helpers.documents import PAGES, ROOT, Reader, blocks_of, merged, needs_running

PACKAGE = ROOT / "channels" / "metrix_channels"
MINIMAL = {"version": 1, "metrix": {"app_id": "a", "api_key": "${METRIX_API_KEY}"}}
README = ROOT / "README.md"
RUNNING = [page for page in PAGES if page != README and any(needs_running(block) for block in blocks_of(page))]


def name_of(value):
    return str(value.relative_to(ROOT)) if hasattr(value, "relative_to") else value.place


def blocks(*languages):
    return [block for page in PAGES for block in blocks_of(page) if block.language in languages]


@pytest.mark.parametrize("page", RUNNING, ids=name_of)
def test_every_block_of_a_page_runs(page, metrix_sandbox, tmp_path):
    """As a reader follows it from top to bottom, with the sandbox in place of Metrix."""
    for channel in ("SMS", "APP_PUSH", "WEB_PUSH", "EMAIL"):
        metrix_sandbox.test_channel(channel)
    reader = Reader(tmp_path, metrix_sandbox)
    wanted = [block for block in blocks_of(page) if needs_running(block)]
    if not any("metrix-channels init" in block.source for block in wanted):
        reader.begin_project()
    for block in wanted:
        reader.follow(block)


def test_the_first_message_of_the_readme_arrives(metrix_sandbox, tmp_path):
    """Once from the command line, though the command is repeated, and once from Python and from the campaign."""
    metrix_sandbox.test_channel("SMS")
    reader = Reader(tmp_path, metrix_sandbox)
    for block in blocks_of(README):
        if needs_running(block):
            reader.follow(block)
    assert len(metrix_sandbox.messages(recipient="user-42")) == 1
    assert len(metrix_sandbox.messages(recipient="user-1")) == 1


@pytest.mark.parametrize("block", [each for each in blocks("python") if "examples/" not in each.note], ids=name_of)
def test_python_compiles(block):
    """Blocks that no test can run, too; parts of examples are compared with these elsewhere."""
    compile(block.source, block.place, "exec")


@pytest.mark.parametrize("block", [block for block in blocks("yaml") if block.title], ids=name_of)
def test_yaml_fits_its_schema(block):
    """A part of channels.yaml, laid over the smallest one, or a whole campaign; blocks that no test can run, too."""
    document = yaml.safe_load(block.source)
    if block.title.endswith("channels.yaml"):
        schema, document = "config/channels.schema.json", merged(MINIMAL, document)
    elif "campaigns/" in block.title:
        schema = "campaign/campaign.schema.json"
    else:
        return
    Draft202012Validator(json.loads((PACKAGE / schema).read_text())).validate(document)


def test_the_blocks_that_do_not_run_say_why():
    """Most run; what does not, names what is missing."""
    found = [block for page in PAGES for block in blocks_of(page) if block.language in ("console", "python")]
    kept_back = [block for block in found if not block.is_run]
    assert [block.place for block in kept_back if len(block.note) < len("not run: ") + 10] == []
    assert len(kept_back) < len(found) / 2
