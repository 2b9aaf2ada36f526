"""Templates that could run away: found before they run, rendered in a process that ends, with the same results."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from threading import Timer
from typing import Any

import pytest

from metrix_channels.errors import ConfigError, MetrixChannelsError, TemplateError
from metrix_channels.models import ChannelType
from metrix_channels.templating import Templates
from metrix_channels.templating.context import prepare
from metrix_channels.templating.isolation.parent import Apart
from metrix_channels.templating.program import Program

NOW = datetime(2026, 11, 20, tzinfo=UTC)
Write = Callable[..., Path]
Render = Callable[..., dict[str, Any]]

DOUBLING = "{% set a = 'ab' %}" + "{% set a = a ~ a %}" * 40 + "{{ a }}"
BOMBS = {
    "constant folding": "{{ 'a' * 10**8 }}",
    "constant folding in a filter": "{{ ('a' * 10**9)|length }}",
    "power": "{{ 9**(9**9) }}",
    "doubling": DOUBLING,
    "doubling by adding": DOUBLING.replace("~", "+"),
    "doubling in with": "{% with a = 'ab' %}"
    + "{% with a = a ~ a %}" * 19
    + "{% with a = a ~ a ~ a ~ a ~ a ~ a %}" * 8
    + "{{ a }}"
    + "{% endwith %}" * 28,
    "shared lists": "{% set a = [1, 1] %}" + "{% set a = [a, a] %}" * 40 + "{{ a == a }}{{ 'x' if a|string }}",
    "nested loops": "{% for a in l %}{% for b in l %}{% for c in l %}{% for d in l %}{% if d %}{% endif %}"
    + "{% endfor %}" * 4,
    "recursive macro": "{% macro m(n) %}{{ m(n) }}{{ m(n) }}{% endmacro %}{{ m(1) }}",
    "doubling macro": "{% macro m(n) %}{% if n %}{{ m(n - 1) }}{{ m(n - 1) }}{% endif %}{% endmacro %}{{ m(60) }}",
    "recursive loop": "{% for a in [1] recursive %}{{ loop([1]) }}{{ loop([1]) }}{% endfor %}",
    "a block in itself": "{% block a %}{{ self.a() }}{{ self.a() }}{% endblock %}",
    "width": "{{ 'x'|center(10**9) }}",
    "printf": "{{ '%999999999d'|format(1) }}",
    "chained replace": "{{ 'aaaaaaaaaa'" + "|replace('a', 'aaaaaaaaaa')" * 9 + " }}",
    "indent": "{{ 'a\\na'|indent(10**9) }}",
    "filter by name": "{{ ['x']|map('center', 10**9)|first }}",
    "in the front matter": "---\ntitle: \"{{ 'a' * 10**8 }}\"\n---\nx",
}


@pytest.mark.parametrize("bomb", BOMBS.values(), ids=BOMBS)
def test_a_bomb_ends(bomb: str, write: Write, templates: Templates) -> None:
    """Refused, or ended by the limits of the child; this process neither works for it nor grows."""
    write("t/sms.txt.j2", bomb)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    start = time.process_time()
    template = templates.find("t", "sms", ChannelType.SMS)
    with pytest.raises(TemplateError) as caught:
        template.render({"l": list(range(1000))}, NOW)
    assert time.process_time() - start < 20
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 100 * 1024
    assert caught.value.code in {"template_too_costly", "template_value_refused", "template_syntax"}
    assert "t/sms.txt.j2:" in (caught.value.location or "")


def test_memory_ends_at_256_mib(write: Write, templates: Templates) -> None:
    """The child lives under a limit of its own, and says so when it meets it."""
    write("t/sms.txt.j2", "{{ ('a' * n)|length }}")
    template = templates.find("t", "sms", ChannelType.SMS)
    template.render({"n": 1}, NOW)
    child = templates._apart._child
    assert child is not None
    limits = Path(f"/proc/{child._process.pid}/limits").read_text()
    assert str(256 * 1024 * 1024) in next(line for line in limits.splitlines() if "address space" in line)
    with pytest.raises(TemplateError, match="memory"):
        template.render({"n": 10**9}, NOW)


def test_too_costly_names_what_makes_it_so(render: Render) -> None:
    """The error points at the operation."""
    with pytest.raises(TemplateError) as caught:
        render("a\nb {{ 9**(9**9) }}")
    assert caught.value.code == "template_too_costly"
    assert "`**`" in caught.value.message
    assert (caught.value.location or "").endswith("sms.txt.j2:2:3")


@pytest.mark.parametrize(
    "text",
    [
        "{{ a }}{{ a|upper|trim }}{% if a %}x{% endif %}",
        "{% for x in l %}{{ loop.index }}{{ x|fa_digits }}{% endfor %}",
        "{% set u = 'https://x/' ~ a %}{{ u }}",
        "{{ 2 * 3 }}{{ a|replace('a', 'b')|replace('b', 'a') }}",
        "{% with x = a %}{{ x }}{% endwith %}{{ now|jalali('%Y') }}",
        "{{ '%.2f'|format(n) }}{{ n * 2 }}{{ (n|int) * (n|float) }}",
        "{% for x in l %}{{ loop.index % 2 }}{% for y in l %}{{ y }}{% endfor %}{% else %}-{% endfor %}",
        "{{ a|center(5) }}{{ a|replace('x', 'xx') }}{{ l|join(a) }}{{ a|truncate(3)|title|striptags }}",
        "{% for x in l %}{% include 'layouts/x' %}{% endfor %}{% set t %}{{ a }}{% endset %}{{ t }}",
    ],
)
def test_bounded_templates_render_in_process(text: str, write: Write, templates: Templates) -> None:
    """What provably costs little never pays for a process."""
    write("t/sms.txt.j2", text)
    write("layouts/x", "{{ x }}")
    template = templates.find("t", "sms", ChannelType.SMS)
    template.render({"a": "x", "l": [1, 2], "n": 3}, NOW)
    assert not template.runs_apart
    assert templates._apart._child is None


@pytest.mark.parametrize(
    "text",
    [
        "{{ a ** 2 }}",
        "{{ a * a }}",
        "{{ a % 2 }}",
        "{{ a * 10**8 }}",
        "{{ a * 100000000 }}",
        "{% set x = a %}{% set x = x ~ x %}",
        "{% set x = a %}{% set y = x ~ 'a' %}{% set x = y %}",
        "{% set x = 'a' %}{% set x %}{{ x }}{{ x }}{% endset %}",
        "{% for x in l recursive %}{% endfor %}",
        "{% for x in l %}{{ loop|list|length }}{% endfor %}",
        "{% for x in l %}{% set ns.x = 1 %}{% endfor %}",
        "{% macro m() %}{% endmacro %}",
        "{% filter upper %}x{% endfilter %}",
        "{{ a|center(n) }}",
        "{{ a|center(100000000) }}",
        "{{ a|indent(n) }}",
        "{{ a|format(n) }}",
        "{{ '%*d'|format(n, n) }}",
        "{{ '%(a())999999999d'|format(n) }}",
        "{{ l|map('upper') }}",
        "{{ l|map(attribute='x', default=a) }}",
        "{{ a|truncate(*l) }}",
        "{{ self.b() }}{% block b %}{% endblock %}",
        "{% import 'layouts/x' as x %}",
    ],
)
def test_everything_else_renders_apart(text: str, write: Write, templates: Templates) -> None:
    """What is not known to be bounded is not tried in this process."""
    write("t/sms.txt.j2", text)
    write("layouts/x")
    assert templates.find("t", "sms", ChannelType.SMS).runs_apart


def test_includes_that_double_render_apart(write: Write, templates: Templates) -> None:
    """A file included twice by a file that is included twice, and so on, is counted as often as it renders."""
    write("t/sms.txt.j2", "{% include 'layouts/0' %}")
    for level in range(25):
        write(f"layouts/{level}", f"{{% include 'layouts/{level + 1}' %}}" * 2)
    write("layouts/25", "{{ a }}")
    template = templates.find("t", "sms", ChannelType.SMS)
    assert template.runs_apart
    with pytest.raises(TemplateError) as caught:
        template.render({"a": "x"}, NOW)
    assert caught.value.code == "template_too_costly"


def test_large_values_render_apart(write: Write, templates: Templates) -> None:
    """One template, two sizes: with few values it stays in the process, with many it leaves it."""
    write("t/sms.txt.j2", "{% for x in l %}{% if x|upper == s %}{% endif %}{% endfor %}ok")
    template = templates.find("t", "sms", ChannelType.SMS)
    assert not template.runs_apart
    assert template.render({"l": ["a"] * 10, "s": "x"}, NOW) == {"body": "ok"}
    assert templates._apart._child is None
    assert template.render({"l": ["a"] * 5000, "s": "x" * 5000}, NOW) == {"body": "ok"}
    assert templates._apart._child is not None


VALUES = {
    "a": "سلام <b>",
    "n": 3,
    "f": 1.5,
    "t": True,
    "e": None,
    "s": "\ud800",
    "l": [1, [2, {"mapping": {"date": "x"}}]],
    "m": {"": {"decimal": "1"}},
    "d": date(2026, 1, 2),
    "w": NOW,
    "c": Decimal("1.10"),
}


@pytest.mark.parametrize(
    "text",
    [
        "{{ a }}{{ n }}{{ f }}{{ c }}{{ s }}{{ d|jalali }}{{ w|jalali('%H:%M') }}{{ now|jalali }}",
        "{{ l[1][1].mapping.date }}{{ m[''].decimal }}{{ t is true }}",
        '---\ntitle: "{{ a }}"\nextra: {x: [1, "{{ n }}"]}\n---\n{{ a }}',
        "{{ a.b }}",
        "{{ missing }}",
        "{{ e }}",
        "{{ l }}",
        "{{ n + a }}",
        "\n\n{{ n / 0 }}",
        "{{ 'x'|jalali }}",
        "{{ t ~ 'x' }}",
    ],
)
@pytest.mark.parametrize("main", ["t/x.txt.j2", "t/x.html.j2"])
def test_apart_gives_the_same_results_and_errors(text: str, main: str) -> None:
    """The child and this process say exactly the same."""
    program = Program(main, lambda _name: text, "root", email=True)
    apart = Apart()
    values, _ = prepare(VALUES, NOW)

    def outcome(render: Callable[[], Any]) -> Any:
        try:
            return render()
        except MetrixChannelsError as error:
            return type(error), error.problem

    try:
        assert outcome(lambda: apart.render(program, values)) == outcome(lambda: program.render(values))
    finally:
        apart.close()


def test_the_child_is_used_again_and_survives_errors(write: Write, templates: Templates) -> None:
    """One process serves many renderings; after a bomb a new one starts."""
    write("t/sms.txt.j2", "{{ n ** 2 }}")
    write("b/sms.txt.j2", "{{ 'a' * n }}{{ 9**(9**n) }}")
    good, bad = (templates.find(name, "sms", ChannelType.SMS) for name in "tb")
    assert good.render({"n": 3}, NOW) == {"body": "9"}
    first = templates._apart._child
    with pytest.raises(TemplateError):
        good.render({}, NOW)
    assert good.render({"n": 4}, NOW) == {"body": "16"}
    assert templates._apart._child is first
    with pytest.raises(TemplateError):
        bad.render({"n": 9}, NOW)
    assert good.render({"n": 5}, NOW) == {"body": "25"}


def test_threads_share_the_child(write: Write, templates: Templates) -> None:
    """Many threads get each their own answer."""
    write("t/sms.txt.j2", "{{ n ** 2 }}")
    template = templates.find("t", "sms", ChannelType.SMS)
    with ThreadPoolExecutor(8) as pool:
        bodies = list(pool.map(lambda n: template.render({"n": n}, NOW)["body"], range(100)))
    assert bodies == [str(n * n) for n in range(100)]


def test_the_child_knows_no_secret(write: Write, templates: Templates, monkeypatch: pytest.MonkeyPatch) -> None:
    """The environment of the caller does not reach it."""
    monkeypatch.setenv("METRIX_API_KEY", "s3cr3t")
    write("t/sms.txt.j2", "{{ 2 ** n }}")
    templates.find("t", "sms", ChannelType.SMS).render({"n": 1}, NOW)
    child = templates._apart._child
    assert child is not None
    environment = Path(f"/proc/{child._process.pid}/environ").read_bytes()
    assert b"s3cr3t" not in environment
    assert b"PYTHONPATH" in environment


def test_the_clock_starts_when_the_child_is_ready(
    write: Write, templates: Templates, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A machine that takes seconds to start a process refuses no valid template."""
    slow = tmp_path / "python"
    slow.write_text(f'#!/bin/sh\nsleep 3\nexec "{sys.executable}" "$@"\n')
    slow.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(slow))
    write("t/sms.txt.j2", "{{ n ** 2 }}")
    assert templates.find("t", "sms", ChannelType.SMS).render({"n": 3}, NOW) == {"body": "9"}


def test_time_in_which_the_child_does_not_run_is_not_counted(write: Write, templates: Templates) -> None:
    """The limit is processor time: a child that waits for the machine refuses no valid template."""
    write("t/sms.txt.j2", "{{ n ** 2 }}")
    template = templates.find("t", "sms", ChannelType.SMS)
    template.render({"n": 2}, NOW)
    child = templates._apart._child
    assert child is not None
    os.kill(child._process.pid, signal.SIGSTOP)
    waking = Timer(3, os.kill, (child._process.pid, signal.SIGCONT))
    waking.start()
    assert template.render({"n": 3}, NOW) == {"body": "9"}
    waking.join()
    assert templates._apart._child is child


def program_at(path: Path, script: str) -> str:
    """Write a shell script and return its path."""
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return str(path)


NOT_PYTHON = {
    "another program": lambda folder: program_at(folder / "uwsgi", f"touch {folder}/was-run"),
    "a program that fails": lambda folder: program_at(folder / "python3", "exit 3"),
    "a program that says something else": lambda folder: program_at(folder / "python", "echo hello; exec sleep 100"),
    "a file that cannot be run": lambda folder: str(folder / "t"),
    "a missing file": lambda folder: str(folder / "python-missing"),
    "a relative path": lambda _: "python3",
    "nothing": lambda _: None,
    "no text": lambda _: "",
}


@pytest.mark.parametrize("executable", NOT_PYTHON.values(), ids=NOT_PYTHON)
def test_an_executable_that_is_no_python_is_not_needed(
    executable: Callable[[Path], str | None],
    write: Write,
    templates: Templates,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Embedded in another program, the Python of the same installation renders; the other program is never run."""
    write("t/sms.txt.j2", "{{ n ** 2 }}")
    monkeypatch.setattr(sys, "executable", executable(tmp_path))
    assert templates.find("t", "sms", ChannelType.SMS).render({"n": 3}, NOW) == {"body": "9"}
    assert not (tmp_path / "was-run").exists()


@pytest.mark.parametrize("executable", NOT_PYTHON.values(), ids=NOT_PYTHON)
def test_where_there_is_no_python_the_error_says_so(
    executable: Callable[[Path], str | None],
    write: Write,
    templates: Templates,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It names the cause, and the template is not called too costly."""
    write("t/sms.txt.j2", "{{ n ** 2 }}")
    path = executable(tmp_path)
    monkeypatch.setattr(sys, "executable", path)
    monkeypatch.setattr(sys, "_base_executable", path, raising=False)
    for prefix in ("prefix", "exec_prefix", "base_prefix", "base_exec_prefix"):
        monkeypatch.setattr(sys, prefix, str(tmp_path / "nowhere"))
    with pytest.raises(ConfigError, match="renders in a child process, but none can be started") as caught:
        templates.find("t", "sms", ChannelType.SMS).render({"n": 3}, NOW)
    assert caught.value.code == "renderer_unavailable"
    assert repr(path) in caught.value.message
    assert templates._apart._child is None


def test_a_frozen_program_is_not_started_again(
    write: Write, templates: Templates, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever it is called: it would do its own work once more."""
    write("t/sms.txt.j2", "{{ n ** 2 }}")
    monkeypatch.setattr(sys, "frozen", True, raising=False)
    monkeypatch.setattr(sys, "executable", program_at(tmp_path / "python-app", f"touch {tmp_path}/was-run"))
    assert templates.find("t", "sms", ChannelType.SMS).render({"n": 3}, NOW) == {"body": "9"}
    assert not (tmp_path / "was-run").exists()


def test_a_process_without_descriptors_left_says_so(write: Write, templates: Templates) -> None:
    """And renders once there are some again."""
    write("t/sms.txt.j2", "{{ n ** 2 }}")
    template = templates.find("t", "sms", ChannelType.SMS)
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (len(list(Path("/proc/self/fd").iterdir())), limits[1]))
    try:
        with pytest.raises(ConfigError, match="Too many open files"):
            template.render({"n": 3}, NOW)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)
    assert template.render({"n": 3}, NOW) == {"body": "9"}


SCRIPT = """
import os, sys
from datetime import UTC, datetime
from pathlib import Path
from metrix_channels.models import ChannelType
from metrix_channels.templating import Templates
NOW = datetime(2026, 11, 20, tzinfo=UTC)
templates = Templates(Path(sys.argv[1]))
template = templates.find("t", "sms", ChannelType.SMS)
print(template.render({"n": 2}, NOW)["body"], flush=True)
child = templates._apart._child._process.pid
templates._apart._lock.acquire()  # as another thread would, in the middle of a rendering
if (pid := os.fork()) == 0:
    print(template.render({"n": 3}, NOW)["body"], flush=True)
    assert templates._apart._child._process.pid != child
    sys.exit(0)
templates._apart._lock.release()
assert os.waitpid(pid, 0)[1] == 0
assert templates._apart._child._process.poll() is None
print(template.render({"n": 4}, NOW)["body"], child, flush=True)
"""


def test_a_fork_starts_its_own_child_and_none_is_left_behind(write: Write, root: Path) -> None:
    """A forked process leaves its parent's child alone; at the end no process and no warning remains."""
    write("t/sms.txt.j2", "{{ n ** 2 }}")
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", SCRIPT, str(root)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.stderr == ""
    one, two, three = done.stdout.splitlines()
    assert (one, two) == ("4", "9")
    body, child = three.split()
    assert body == "16"
    with pytest.raises(ProcessLookupError):
        os.kill(int(child), 0)
