"""The configuration: reads YAML into models, or raises one error with file, line and column."""

from .credentials import Credentials
from .environment import VariableMissing, substitute
from .live import ConfigFile
from .loading import find_config, load_config, make_model
from .models import Channel, Config, KeepAttempts, Metrix, Verification, setting
from .strict_yaml import Document, parse_yaml, read_yaml
from .verification import Standing, require_verified, require_verified_at, standing

__all__ = [
    "Channel",
    "Config",
    "ConfigFile",
    "Credentials",
    "Document",
    "KeepAttempts",
    "Metrix",
    "Standing",
    "VariableMissing",
    "Verification",
    "find_config",
    "load_config",
    "make_model",
    "parse_yaml",
    "read_yaml",
    "require_verified",
    "require_verified_at",
    "setting",
    "standing",
    "substitute",
]
