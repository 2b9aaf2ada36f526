"""The verbs: one module a group, no logic of its own. A module is imported when one of its verbs is called.

`VERBS` says what there is without importing any of it: so `--help` and one verb do not wait for all the others.
"""

from typing import Final, NamedTuple


class Verb(NamedTuple):
    """Where a verb is defined, and what it does.

    Attributes:
        module: which registers it.
        help: the first sentence of its help.
    """

    module: str
    help: str


VERBS: Final = {
    "demo": Verb("metrix_channels.cli.demo", "Run a complete demo; needs no configuration."),
    "init": Verb("metrix_channels.cli.commands.init", "Write a configuration, templates and a campaign."),
    "preview": Verb("metrix_channels.cli.commands.preview", "Show what a template will look like."),
    "channels": Verb("metrix_channels.cli.commands.channels", "List the channels, or record a test."),
    "preflight": Verb("metrix_channels.cli.commands.preflight", "Run all checks before sending."),
    "doctor": Verb("metrix_channels.cli.commands.doctor", "Find out why Metrix cannot be reached."),
    "send": Verb("metrix_channels.cli.commands.send", "Send one message now."),
    "messages": Verb("metrix_channels.cli.commands.messages", "Show what was sent to whom."),
    "identify": Verb("metrix_channels.cli.commands.tracking", "Send user profiles to Metrix, one or many."),
    "track": Verb("metrix_channels.cli.commands.tracking", "Send events to Metrix, one or many."),
    "campaign": Verb("metrix_channels.cli.commands.campaign", "Send a campaign; safe to resume after a crash."),
    "sandbox": Verb("metrix_channels.cli.commands.sandbox", "Run a local Metrix with an inbox in the browser."),
    "dashboard": Verb("metrix_channels.cli.commands.dashboard", "Watch and steer campaigns in the browser."),
    "explain": Verb("metrix_channels.cli.commands.explain", "Explain a code: what happened, why, and what to do."),
    "support-bundle": Verb("metrix_channels.cli.commands.support_bundle", "Create a zip file for Metrix's support."),
    "worker": Verb("metrix_channels.cli.commands.worker", "Send campaigns and queued messages (PostgreSQL)."),
    "ledger": Verb("metrix_channels.cli.commands.ledger", "Check, purge or adopt the ledger."),
}
"""By name, in the order in which a newcomer meets them."""
