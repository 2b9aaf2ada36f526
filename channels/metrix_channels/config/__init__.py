"""The configuration: YAML to models, or one error with file, line and column."""

from .credentials import Credentials
from .live import ConfigFile
from .loading import find_config, load_config
from .models import Channel, Config, KeepAttempts, Metrix, Verification
from .strict_yaml import Document, parse_yaml
from .verification import Standing, require_verified, standing

__all__ = [
    "Channel",
    "Config",
    "ConfigFile",
    "Credentials",
    "Document",
    "KeepAttempts",
    "Metrix",
    "Standing",
    "Verification",
    "find_config",
    "load_config",
    "parse_yaml",
    "require_verified",
    "standing",
]
