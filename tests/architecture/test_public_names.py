"""What the package promises: its names, its weight, and what it needs."""

import subprocess
import sys

import metrix_channels

PUBLIC = {
    "AsyncCampaignHandle",
    "AsyncCampaigns",
    "AsyncNotifier",
    "CampaignError",
    "CampaignHandle",
    "CampaignPreview",
    "CampaignProgress",
    "CampaignRow",
    "CampaignStatus",
    "Campaigns",
    "ChannelUnverified",
    "Check",
    "ConfigError",
    "CredentialsRefused",
    "DeliveryError",
    "EventInvalid",
    "EventReceipt",
    "EventsReport",
    "FailedEvent",
    "LedgerError",
    "MessageInvalid",
    "MetrixChannelsError",
    "MetrixUser",
    "Notifier",
    "Outcome",
    "OutcomeUnknown",
    "Preflight",
    "PreflightFailed",
    "Problem",
    "Receipt",
    "Rejected",
    "TemplateError",
    "Unreachable",
    "UsageError",
    "__version__",
}
OF_EXTRAS = ["typer", "rich", "starlette", "uvicorn", "jdatetime", "pytest", "click"]


def in_new_process(code):
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()


def test_the_public_names_are_frozen():
    """Adding one is a decision; losing one breaks somebody's import."""
    assert set(metrix_channels.__all__) == PUBLIC
    for name in PUBLIC:
        assert getattr(metrix_channels, name) is not None


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
