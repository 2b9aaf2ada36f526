"""Writes one zip file with everything that Metrix's support asks for about a failed attempt.

Metrix documentation, API Troubleshooting, section 5, asks for APP_ID, the full curl request with headers and body, the
answer with its status and body, the exact time in UTC, and the error messages in the logs.
"""

from __future__ import annotations

import json
import os
import platform
import re
import shlex
import sys
import zipfile
from collections.abc import Iterator
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Final

from attrs import evolve, field, frozen

from ..api import request_headers
from ..config import Config
from ..errors import ConfigError, UsageError
from ..errors.catalogue import CATALOGUE
from ..ledger import Evidence
from ..outcomes import iso_utc
from ..process import wall_clock
from ..redact import Redactor, Secret
from ..version import __version__

_LIBRARIES: Final = (
    "httpx",
    "httpcore",
    "h11",
    "certifi",
    "attrs",
    "cattrs",
    "jinja2",
    "pyyaml",
    "httptools",
    "orjson",
)
_SHORTEST: Final = 3
"""Minimum length of a word of the request that is masked in answers and log lines."""


@frozen
class Application:
    """The application that made the attempt.

    Attributes:
        app_id: APP_ID.
        base_url: address of the API.
        redactor: knows the application's secrets, if they can be read. It masks once more, because older versions
            masked less.
    """

    app_id: str
    base_url: str
    redactor: Redactor = field(factory=Redactor)

    @classmethod
    def of(cls, config: Config) -> Application:
        """Return the application of a configuration.

        Raises:
            ConfigError: secret_missing, secret_invalid; only for APP_ID.
        """
        app_id = config.metrix.resolve_app_id()
        with suppress(ConfigError):
            return cls(app_id, config.metrix.base_url, Redactor(config.metrix.resolve_api_key()))
        return cls(app_id, config.metrix.base_url)

    @property
    def headers(self) -> dict[str, str]:
        """The headers of every request, with the key masked."""
        return request_headers(self.app_id, f"metrix-channels/{__version__}")


def write_bundle(path: Path, evidence: Evidence, application: Application) -> None:
    """Write the zip file.

    Args:
        path: path of a new file.
        evidence: the attempt.
        application: the application that made it.

    Raises:
        UsageError: file_exists, file_unwritable.
    """
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        raise UsageError(f"{path} already exists.", code="file_exists") from None
    except OSError as error:
        raise UsageError(f"{path} cannot be written: {error.strerror}.", code="file_unwritable") from error
    try:
        with os.fdopen(descriptor, "wb") as file, zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, text in contents(evidence, application).items():
                archive.writestr(name, text)
    except OSError as error:
        path.unlink(missing_ok=True)
        raise UsageError(f"{path} cannot be written: {error.strerror}.", code="file_unwritable") from error


def contents(evidence: Evidence, application: Application) -> dict[str, str]:
    """Return the files of a bundle by their names."""
    evidence = evolve(
        _clean(evidence, application.redactor), request=application.redactor.clean_json(evidence.request, "request")
    )
    return {
        "README.txt": _letter(evidence, application),
        "request.sh": curl(evidence, application) + "\n",
        "request.json": evidence.request,
        "answer.txt": _answer(evidence),
        "log.txt": "".join(f"{line}\n" for line in evidence.lines),
        "attempt.json": json.dumps(_facts(evidence, application), ensure_ascii=False, indent=2) + "\n",
        "versions.txt": "".join(f"{line}\n" for line in _versions()),
    }


def curl(evidence: Evidence, application: Application) -> str:
    """Return the attempt as a shell command, with every header and the body; the key is masked."""
    words = [f"curl -X POST {shlex.quote(application.base_url + evidence.path)}"]
    words += [f"-H {shlex.quote(f'{name}: {value}')}" for name, value in application.headers.items()]
    return " \\\n  ".join([*words, f"--data-raw {shlex.quote(evidence.request)}"])


def discreet(evidence: Evidence) -> Evidence:
    """Remove recipients and texts: recipients become numbers, and texts become their length.

    The structure and Metrix's answer stay, but without the recipients and words of the request.
    """
    try:
        body = json.loads(evidence.request)
    except ValueError:
        return evolve(evidence, request="(left out)", answer="(left out)", lines=())
    hidden: dict[str, str] = {}
    masked = _masked(body, hidden)
    words = {word for text in hidden for word in (text, *re.findall(r"\w+", text)) if len(word) >= _SHORTEST}
    return evolve(
        _clean(evidence, Redactor(*(Secret(word, "a word of the request") for word in words))),
        request=json.dumps(masked, ensure_ascii=False, separators=(",", ":")),
        reference="(left out)" if evidence.reference in hidden else evidence.reference,
    )


def _clean(evidence: Evidence, redactor: Redactor) -> Evidence:
    """Return an attempt whose explanation, answer and log lines are masked by a redactor."""
    return evolve(
        evidence,
        explanation=redactor.clean(evidence.explanation, "explanation"),
        answer=None if evidence.answer is None else redactor.clean(evidence.answer, "answer"),
        lines=tuple(redactor.clean(line, "line") for line in evidence.lines),
    )


_KEPT: Final = {"channel", "type", "id", "time"}
"""Keys whose values say nothing about a user."""


def _masked(value: Any, hidden: dict[str, str], key: str = "") -> Any:
    if isinstance(value, dict):
        return {name: inner if name in _KEPT else _masked(inner, hidden, name) for name, inner in value.items()}
    if isinstance(value, list):
        return [_masked(inner, hidden, key) for inner in value]
    if isinstance(value, str):
        is_recipient = key in ("recipients", "customUserId", "metrixUserId")
        return hidden.setdefault(
            value, f"recipient-{len(hidden) + 1}" if is_recipient else f"({len(value)} characters)"
        )
    return value if value is None or isinstance(value, bool) else 0


def _letter(evidence: Evidence, application: Application) -> str:
    situation = CATALOGUE[evidence.code]
    answered = "We got no answer." if evidence.status is None else f"The status was {evidence.status}; see answer.txt."
    return f"""Hello,

a request of our application to the Metrix API failed, and the steps of your troubleshooting page did not help.

APP_ID:            {application.app_id}
Request:           POST {application.base_url}{evidence.path}
                   (complete, with headers and body, as a curl command in request.sh; our key is masked)
Time (UTC):        {iso_utc(evidence.began_at)}, for {evidence.seconds:.3f} s
Answer:            {answered}
What we saw:       {evidence.explanation}
Our log lines:     log.txt
Versions:          versions.txt

Meaning for our client: {situation.summary} [{evidence.code}]

Could you tell us what happened to this request, and what we should change?
"""


def _answer(evidence: Evidence) -> str:
    if evidence.status is None:
        return f"We got no answer: {evidence.explanation}\n"
    return f"Status: {evidence.status}\n\n{evidence.answer or ''}\n"


def _facts(evidence: Evidence, application: Application) -> dict[str, object]:
    return {
        "attempt": evidence.id,
        "app_id": application.app_id,
        "method": "POST",
        "url": application.base_url + evidence.path,
        "headers": application.headers,
        "at": iso_utc(evidence.began_at),
        "seconds": round(evidence.seconds, 3),
        "reference": evidence.reference,
        "status": evidence.status,
        "code": evidence.code,
        "explanation": evidence.explanation,
        "written_at": iso_utc(wall_clock.now()),
    }


def _versions() -> Iterator[str]:
    yield f"metrix-channels {__version__}"
    python = f"{platform.python_implementation()} {platform.python_version()}"
    yield f"{python} on {sys.platform}, {platform.machine()}"
    for name in _LIBRARIES:
        try:
            yield f"{name} {version(name)}"
        except PackageNotFoundError:
            continue
