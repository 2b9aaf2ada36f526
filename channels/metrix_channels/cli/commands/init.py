"""`init`: creates a project."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from ... import sample_files
from ...errors import UsageError
from ...printable import quoted
from ..context import app, example, state_of

CONFIG = "channels.yaml"
IGNORED = ".gitignore"


@app.command(epilog=example("metrix-channels init my-messages"))
def init(
    context: typer.Context,
    directory: Annotated[Path, typer.Argument(metavar="DIR", help="The folder; created if missing.")] = Path(),
) -> None:
    """Create a configuration, templates and a campaign.

    Existing files are never overwritten: if one of the files already exists, nothing is written. An existing
    .gitignore is left unchanged.
    """
    state = state_of(context)
    files = _starting_files()
    if os.path.lexists(directory / IGNORED):
        del files[IGNORED]
    if there := [name for name in files if os.path.lexists(directory / name)]:
        raise UsageError(
            f"{quoted(str(directory / there[0]))} already exists; nothing was written.",
            code="file_exists",
            remedy="Choose another folder: `metrix-channels init DIR`. Or move the file away.",
        )
    for name, content in files.items():
        _write(directory / name, content)
    if state.output.as_json:
        state.output.document({"written": [str(directory / name) for name in files]})
        return
    state.output.say(f"Wrote {directory / CONFIG} and {len(files) - 1} more files. Next steps, in that folder:")
    for step in _NEXT:
        state.output.say(step, indent=2)
    if IGNORED not in files:
        state.output.say(f"{IGNORED} already exists. Add *.db and *.db-* to it: the ledger contains recipients.")


_NEXT = (
    "1. Look at a sample:  metrix-channels preview otp",
    "2. export METRIX_APP_ID=… METRIX_API_KEY=…   (in Metrix's dashboard: Application Settings)",
    "3. Send a test message by SMS from Metrix's dashboard. When it has arrived, record that:",
    "   metrix-channels channels verify sms --by you@example.com",
    "4. metrix-channels preflight sms",
    "5. metrix-channels send sms --to YOUR_USER_ID --template otp --set code=4821",
    "6. metrix-channels campaign run campaigns/welcome.yaml --dry-run",
)


def _starting_files() -> dict[str, str]:
    """Return the contents of the new files, by path below the folder."""
    schema, campaign_schema = sample_files.schema(), sample_files.campaign_schema()
    example = sample_files.example_config().read_text(encoding="utf-8")
    files = {
        CONFIG: example.replace("channels/metrix_channels/config/channels.schema.json", schema.name),
        schema.name: schema.read_text(encoding="utf-8"),
        campaign_schema.name: campaign_schema.read_text(encoding="utf-8"),
        IGNORED: "*.db\n*.db-*\n",
    }
    for folder in (sample_files.templates(), sample_files.campaigns()):
        for path in sorted(folder.rglob("*")):
            if path.is_file():
                content = path.read_text(encoding="utf-8")
                content = content.replace(
                    "channels/metrix_channels/campaign/campaign.schema.json", campaign_schema.name
                )
                files[str(folder.name / path.relative_to(folder))] = content
    return files


def _write(path: Path, content: str) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("x", encoding="utf-8", newline="\n") as file:
            file.write(content)
    except OSError as error:
        raise UsageError(f"{quoted(str(path))} cannot be written: {error.strerror}.", code="file_unwritable") from error
