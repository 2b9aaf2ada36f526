"""The remedy for a missing extra: something that can be run where this distribution was installed."""

import importlib.metadata
import json
import re

import pytest

from metrix_channels.errors.extras import extra_remedy, missing_extra


class Installed:
    """A distribution with what pip recorded of its source (PEP 610)."""

    def __init__(self, recorded):
        self.recorded = recorded

    def read_text(self, name):
        """Return the record; None where the distribution came from an index."""
        assert name == "direct_url.json"
        return self.recorded


@pytest.fixture
def record(monkeypatch):
    """Let the distribution be installed from somewhere else."""

    def set_it(recorded):
        monkeypatch.setattr(importlib.metadata, "distribution", lambda _: Installed(recorded))

    return set_it


@pytest.mark.parametrize("name", ["checkout", "my checkout", "it's", "پروژه"])
def test_the_folder_that_it_was_installed_from_is_named(record, tmp_path, name):
    """Also with spaces and quotes in its path: the line can be pasted into a shell."""
    source = tmp_path / name
    source.mkdir()
    record(json.dumps({"url": source.as_uri(), "dir_info": {"editable": True}}))
    quoted = "'" + f"{source}[fa]".replace("'", "'\"'\"'") + "'"
    assert extra_remedy("fa") == f"Run `pip install {quoted}`."


@pytest.mark.parametrize(
    "recorded",
    [
        None,
        "{",
        '{"url": "file:///nowhere/metrix_channels-0.1.0-py3-none-any.whl"}',
        '{"url": "https://user:hunter2@git.example.com/metrix-channels.git", "vcs_info": {}}',
    ],
)
def test_elsewhere_the_extra_is_added_to_the_name(record, recorded):
    """No public index has the distribution, a source that is gone helps nobody, and a URL may hold a password."""
    record(recorded)
    remedy = "Install metrix-channels again in the same way, but write `metrix-channels[postgres]` as its name."
    assert extra_remedy("postgres") == remedy


def test_the_error_of_a_missing_extra():
    """The message is the caller's; code and remedy are the same for all."""
    error = missing_extra("The sandbox needs the package 'uvicorn', which is not installed.", "sandbox")
    assert (error.code, error.exit_status, error.remedy) == ("extra_missing", 2, extra_remedy("sandbox"))


def test_nothing_advises_a_package_that_no_index_has(pytestconfig):
    """The name of the distribution never stands behind `pip install` itself, but on the page that an index shows."""
    told = [*pytestconfig.rootpath.glob("channels/**/*.py"), *pytestconfig.rootpath.glob("docs/*.md")]
    told += [pytestconfig.rootpath / "README.md"]
    texts = {
        path: re.sub("<!-- on a package index\n.*?-->", "", path.read_text("utf-8"), flags=re.DOTALL) for path in told
    }
    assert [path for path, text in texts.items() if "pip install 'metrix-channels" in text] == []
