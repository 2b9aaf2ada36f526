"""The JSON Schema of campaign files; `python -m metrix_channels.campaign.schema` prints it.

It is made from the models, and is kept beside this module as `campaign.schema.json`.
"""

from __future__ import annotations

import sys

from ..config.schema import write_schema
from .definition import Campaign

if __name__ == "__main__":
    sys.stdout.write(write_schema(Campaign, "metrix-channels campaign"))
