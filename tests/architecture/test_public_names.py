"""What the package promises: its names, its weight, and what it needs."""

import ast
import inspect
import subprocess
import sys
import textwrap

import metrix_channels

PUBLIC = {
    "AsyncCampaignHandle",
    "AsyncCampaigns",
    "AsyncNotifier",
    "Attributes",
    "AudienceRows",
    "CampaignError",
    "CampaignHandle",
    "CampaignPreview",
    "CampaignProgress",
    "CampaignRow",
    "CampaignStatus",
    "ExampleMessage",
    "Outlook",
    "Campaigns",
    "ChannelUnverified",
    "Check",
    "CheckDict",
    "CheckStatus",
    "ConfigError",
    "Confirm",
    "Context",
    "Counts",
    "CredentialsRefused",
    "DeliveryError",
    "Drained",
    "EventFields",
    "EventInvalid",
    "EventReceipt",
    "EventReceiptDict",
    "EventsReport",
    "FailedEvent",
    "FailedOutcome",
    "FailureCount",
    "FailureGroup",
    "Findings",
    "FindingsDict",
    "JsonValue",
    "LedgerError",
    "MessageInvalid",
    "MessageQuery",
    "MetrixChannelsError",
    "MetrixUser",
    "Notifier",
    "Outcome",
    "OutcomeUnknown",
    "Overview",
    "Preflight",
    "PreflightFailed",
    "Problem",
    "ProblemDict",
    "ProfileFields",
    "Receipt",
    "ReceiptDict",
    "Recipients",
    "Rejected",
    "SentMessage",
    "SentMessageDict",
    "Situation",
    "Source",
    "StrPath",
    "TemplateError",
    "Timeline",
    "Unreachable",
    "UsageError",
    "WatchEvents",
    "WatchMessages",
    "WatchPreflight",
    "WaitingMessage",
    "Watcher",
    "__version__",
}
OF_EXTRAS = ["typer", "rich", "starlette", "uvicorn", "jdatetime", "pytest", "click"]


def in_new_process(code):
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()


def in_new_process_as_module(*arguments):
    command = [sys.executable, "-m", "metrix_channels", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()


def test_the_public_names_are_frozen():
    """Adding one is a decision; losing one breaks somebody's import."""
    assert set(metrix_channels.__all__) == PUBLIC
    for name in PUBLIC:
        assert getattr(metrix_channels, name) is not None


def test_the_public_names_are_listed():
    """`dir()` and the completion of an interactive session show them, though they are imported on demand."""
    assert set(dir(metrix_channels)) >= PUBLIC


def test_the_example_of_the_package_is_valid_python():
    """`help(metrix_channels)` is the first thing that many read."""
    example = inspect.cleandoc(metrix_channels.__doc__).split(":\n\n", 1)[1]
    ast.parse(textwrap.dedent(example))


def test_the_package_runs_as_a_module():
    """`python -m metrix_channels` is the command line, where its script is not on the PATH."""
    assert in_new_process_as_module("--version") == [metrix_channels.__version__]


def test_the_types_of_the_fixtures_can_be_imported():
    """Tests of users annotate the fixtures that they take."""
    from metrix_channels.sandbox import Sandbox
    from metrix_channels.testing import MetrixConfig
    from metrix_channels.testing import Sandbox as Exported

    assert issubclass(Exported, Sandbox)
    assert MetrixConfig is not None


def test_a_name_that_does_not_exist_is_an_attribute_error():
    """As in every module, though the names are found on demand."""
    assert not hasattr(metrix_channels, "Notifyer")


def test_the_library_needs_the_core_dependencies_alone():
    """With everything but the command line, the sandbox and the plugin imported, no extra is loaded."""
    loaded = in_new_process(
        "import sys; blocked = " + repr(OF_EXTRAS) + "\n"
        "class Refuse:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        if name.split('.')[0] in blocked:\n"
        "            raise ModuleNotFoundError(name, name=name)\n"
        "sys.meta_path.insert(0, Refuse())\n"
        "import metrix_channels\n"
        "[getattr(metrix_channels, name) for name in metrix_channels.__all__]\n"
        "print(*(name for name in blocked if name in sys.modules))"
    )
    assert loaded == []
