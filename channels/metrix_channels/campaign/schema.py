"""The JSON Schema of campaign files; `python -m metrix_channels.campaign.schema` prints it.

It is built from the models. A copy is in `campaign.schema.json` in this folder.
"""

from __future__ import annotations

import sys

from ..config.schema import write_schema
from .definition import Campaign

if __name__ == "__main__":
    sys.stdout.write(write_schema(Campaign, "metrix-channels campaign"))
