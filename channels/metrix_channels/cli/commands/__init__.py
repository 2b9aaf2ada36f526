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
    "demo": Verb("metrix_channels.cli.demo", "See the main job done, with nothing to configure."),
    "init": Verb("metrix_channels.cli.commands.init", "Write a configuration, templates and a campaign."),
    "preview": Verb("metrix_channels.cli.commands.preview", "Show what a template will look like."),
    "channels": Verb("metrix_channels.cli.commands.channels", "Show the channels; record that one was tested."),
    "preflight": Verb("metrix_channels.cli.commands.preflight", "Check all that can be checked before sending."),
    "doctor": Verb("metrix_channels.cli.commands.doctor", "Find what stands between this machine and Metrix."),
    "send": Verb("metrix_channels.cli.commands.send", "Send one message now."),
    "messages": Verb("metrix_channels.cli.commands.messages", "Show what was sent to whom."),
    "identify": Verb("metrix_channels.cli.commands.tracking", "Tell Metrix who a user is, or many users from a file."),
    "track": Verb("metrix_channels.cli.commands.tracking", "Tell Metrix what a user did, or of many events."),
    "campaign": Verb("metrix_channels.cli.commands.campaign", "Send a text to a whole audience; no crash harms it."),
    "sandbox": Verb("metrix_channels.cli.commands.sandbox", "Run a local Metrix with an inbox in the browser."),
    "dashboard": Verb("metrix_channels.cli.commands.dashboard", "Watch and steer campaigns in the browser."),
    "explain": Verb("metrix_channels.cli.commands.explain", "Explain a code: what happened, why, and what to do."),
    "support-bundle": Verb("metrix_channels.cli.commands.support_bundle", "Zip what Metrix's support asks for."),
    "worker": Verb("metrix_channels.cli.commands.worker", "Send what waits in a ledger in PostgreSQL."),
    "ledger": Verb("metrix_channels.cli.commands.ledger", "Look after the ledger."),
}
"""By name, in the order in which a newcomer meets them."""
