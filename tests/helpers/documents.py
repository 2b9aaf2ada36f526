"""The code blocks of the documentation, and a reader who runs them in the order of the page.

A block runs unless the line above it says why not: `<!-- not run: needs PostgreSQL -->`. A console block whose last
command fails on purpose says so: `<!-- exits with 3 -->`. `<!-- examples/… -->` names the example that a block is a
part of, whose own tests run it. In a console block, lines without `$` are output that the command must print; `…`
stands for anything. A block with a title is a file: the reader writes it. A YAML block titled `channels.yaml` is a
part of that file: the reader merges it in. A Python block with tests runs under pytest. A JSON block titled with a
command is what that command prints; the test compares the keys.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import yaml
from attrs import define, frozen

from metrix_channels.sandbox import Sandbox

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
SANDBOX_URL = "http://127.0.0.1:8025"
"""Where the pages say that the sandbox listens."""
METRIX_URL = "https://entry.metrix.ir"
_BLOCK = re.compile(
    r"(?:^ *<!-- (?P<note>not run: [^\n]+|exits with \d|examples/\S+) -->\n)?"
    r"^(?P<indent> *)```(?P<language>\w*)(?P<options>[^\n]*)\n(?P<source>.*?)^(?P=indent)```$",
    re.MULTILINE | re.DOTALL,
)
_OWN_NOTIFIER = 'from metrix_channels import Notifier\n\nnotifier = Notifier.from_config("channels.yaml")\n'


@frozen
class Block:
    """A code block.

    Attributes:
        page: its file.
        line: of the page, where it begins.
        language: of the block, or "".
        title: the file that it is, or "".
        source: its text.
        note: what the comment above it says, or "".
    """

    page: Path
    line: int
    language: str
    title: str
    source: str
    note: str

    @property
    def place(self) -> str:
        """Where it is, for a failing test."""
        return f"{self.page.relative_to(ROOT)}:{self.line}"

    @property
    def is_run(self) -> bool:
        """Whether the reader runs or writes it."""
        return not self.note.startswith(("not run", "examples/"))


def blocks_of(page: Path) -> list[Block]:
    """Return all code blocks of a page, in order."""
    text = page.read_text(encoding="utf-8")
    return [_block(page, text, match) for match in _BLOCK.finditer(text)]


def _block(page: Path, text: str, match: re.Match[str]) -> Block:
    title = re.search(r'title="([^"]+)"', match["options"])
    indent = len(match["indent"])
    return Block(
        page=page,
        line=text.count("\n", 0, match.start("language")) + 1,
        language=match["language"],
        title=title[1] if title else "",
        source="".join(line[indent:] or "\n" for line in match["source"].splitlines(keepends=True)),
        note=match["note"] or "",
    )


def needs_running(block: Block) -> bool:
    """Tell whether a reader has anything to do for a block."""
    return block.is_run and (bool(block.title) or block.language in ("console", "python"))


def expected_status(block: Block) -> int:
    """Return the exit status with which the last command of a block ends."""
    return int(block.note.removeprefix("exits with ")) if block.note else 0


@define
class Reader:
    """Somebody who follows one page, in a folder and a shell of their own.

    Attributes:
        folder: where the next command runs.
        sandbox: stands in for Metrix.
    """

    folder: Path
    sandbox: Sandbox

    def begin_project(self) -> None:
        """Have what `init` writes, with all channels verified: where a page starts that does not begin with `init`."""
        self._shell("metrix-channels init .", 0, "the project")
        channels = {"sms": "sms", "push": "app_push", "web": "web_push", "email": "email"}
        self._merge({"channels": {name: {"type": kind, "verified": True} for name, kind in channels.items()}})

    def follow(self, block: Block) -> None:
        """Do what a block says, and check that it comes out as the page says."""
        if block.title.startswith("metrix-channels "):
            printed = json.loads(self._shell(block.title, expected_status(block), block.place))
            assert shape_of(printed) == shape_of(json.loads(block.source)), f"{block.place}\n{printed}"
        elif block.title == "channels.yaml":
            self._merge(yaml.safe_load(self._pointed(block.source)))
        elif block.title:
            path = self.folder / block.title
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(self._pointed(block.source), encoding="utf-8")
        elif block.language == "python":
            self._python(block)
        else:
            self._console(block)

    def _console(self, block: Block) -> None:
        expected = expected_status(block)
        steps = re.split(r"^\$ ", block.source.replace("\\\n", " "), flags=re.MULTILINE)[1:]
        for number, step in enumerate(steps, start=1):
            command, *output = step.splitlines()
            status = expected if number == len(steps) else 0
            if command.startswith("cd "):
                self.folder /= command.removeprefix("cd ")
                continue
            printed = self._shell(command, status, block.place)
            for line in output:
                pattern = ".*".join(re.escape(" ".join(part.split())) for part in line.split("…"))
                assert re.search(pattern, printed), f"{block.place}: `{command}` does not print: {line}\n{printed}"

    def _shell(self, command: str, status: int, place: str) -> str:
        printed = self._run(["bash", "-c", self._pointed(command)], status, f"{place}: {command}")
        config = next(self.folder.rglob("channels.yaml"), None)
        if "metrix-channels init" in command and config is not None:
            text = config.read_text(encoding="utf-8")
            config.write_text(text.replace(METRIX_URL, self.sandbox.url), encoding="utf-8")
        return printed

    def _python(self, block: Block) -> None:
        source = self._pointed(block.source)
        if re.search(r"^(?:async )?def test_", source, re.MULTILINE):
            (self.folder / "test_of_the_page.py").write_text(source, encoding="utf-8")
            self._run([sys.executable, "-m", "pytest", "-q", "test_of_the_page.py"], 0, block.place)
            return
        if not re.search(r"import .*\b(?:Async)?Notifier\b", source):
            source = _OWN_NOTIFIER + source
        self._run([sys.executable, "-c", source], 0, block.place)

    def _run(self, command: list[str], status: int, place: str) -> str:
        environment = {
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
            "HOME": str(self.folder),
            "LANG": "C.UTF-8",
            "COLUMNS": "120",
            "METRIX_APP_ID": self.sandbox.app_id,
            "METRIX_API_KEY": self.sandbox.api_key,
        }
        ended = subprocess.run(
            command, cwd=self.folder, env=environment, capture_output=True, text=True, timeout=120, check=False
        )
        printed = ended.stdout + ended.stderr
        assert "Traceback" not in printed or status, f"{place}\n{printed}"
        assert ended.returncode == status, f"{place}: exit status {ended.returncode}, not {status}\n{printed}"
        return re.sub(r"[^\S\n]+", " ", printed)

    def _merge(self, part: dict[str, Any]) -> None:
        path = self.folder / "channels.yaml"
        whole = merged(yaml.safe_load(path.read_text(encoding="utf-8")), part)
        path.write_text(yaml.safe_dump(whole, allow_unicode=True, sort_keys=False), encoding="utf-8")

    def _pointed(self, text: str) -> str:
        return text.replace(SANDBOX_URL, self.sandbox.url).replace(METRIX_URL, self.sandbox.url)


def merged(whole: dict[str, Any], part: dict[str, Any]) -> dict[str, Any]:
    """Return a mapping with another one laid over it, at every depth."""
    result = dict(whole)
    for key, value in part.items():
        both = isinstance(value, dict) and isinstance(result.get(key), dict)
        result[key] = merged(result[key], value) if both else value
    return result


def shape_of(value: Any) -> Any:
    """Return a JSON document without its values: the keys, and what the first entry of each list looks like."""
    if isinstance(value, dict):
        return {key: shape_of(each) for key, each in value.items()}
    if isinstance(value, list):
        return [shape_of(value[0])] if value else []
    return None
