"""The verbs: one module per group, without business logic. A module is imported when one of its verbs is called.

`VERBS` lists the verbs without importing their modules, so that `--help` and short verbs start fast.
"""

from typing import Final, NamedTuple


class Verb(NamedTuple):
    """Where a verb is defined, and what it does.

    Attributes:
        module: the module that registers the verb.
        help: the first sentence of its help.
    """

    module: str
    help: str


VERBS: Final = {
    "demo": Verb("metrix_channels.cli.demo", "Run a complete demo; needs no configuration."),
    "init": Verb("metrix_channels.cli.commands.init", "Create a configuration, templates and a campaign."),
    "preview": Verb("metrix_channels.cli.commands.preview", "Preview a template on every channel and in every locale."),
    "channels": Verb("metrix_channels.cli.commands.channels", "List the channels, or record a test."),
    "preflight": Verb("metrix_channels.cli.commands.preflight", "Run all checks before sending."),
    "doctor": Verb("metrix_channels.cli.commands.doctor", "Find out why Metrix cannot be reached."),
    "send": Verb("metrix_channels.cli.commands.send", "Send one message now."),
    "messages": Verb("metrix_channels.cli.commands.messages", "Search the messages that were sent."),
    "identify": Verb("metrix_channels.cli.commands.tracking", "Send user profiles to Metrix, one or many."),
    "track": Verb("metrix_channels.cli.commands.tracking", "Send events to Metrix, one or many."),
    "campaign": Verb("metrix_channels.cli.commands.campaign", "Send a campaign; safe to resume after a crash."),
    "sandbox": Verb("metrix_channels.cli.commands.sandbox", "Run a local Metrix with an inbox in the browser."),
    "dashboard": Verb("metrix_channels.cli.commands.dashboard", "Monitor and control campaigns in the browser."),
    "explain": Verb("metrix_channels.cli.commands.explain", "Explain a code: what happened, why, and what to do."),
    "support-bundle": Verb("metrix_channels.cli.commands.support_bundle", "Create a zip file for Metrix's support."),
    "worker": Verb("metrix_channels.cli.commands.worker", "Send campaigns and queued messages (PostgreSQL)."),
    "ledger": Verb("metrix_channels.cli.commands.ledger", "Check, purge or adopt the ledger."),
}
"""The verbs by name, in the order in which `--help` lists them."""
