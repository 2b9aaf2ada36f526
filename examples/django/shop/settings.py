"""Settings of the shop; values that differ between machines come from the environment."""

import os
from pathlib import Path

from psycopg.conninfo import conninfo_to_dict

BASE_DIR = Path(__file__).resolve().parent.parent
SECRET_KEY = os.environ.get("SHOP_SECRET_KEY", "for-development-and-tests")
DEBUG = False
ALLOWED_HOSTS = ["*"]
ROOT_URLCONF = "shop.urls"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
USE_TZ = True

INSTALLED_APPS = [
    "orders",
    "metrix_channels.django",
]
METRIX_CHANNELS = {"CONFIG": BASE_DIR / "channels.yaml"}

# The ledger is in the same database, so that an order and its message commit together.
database = conninfo_to_dict(os.environ.get("SHOP_DATABASE_URL", ""))
DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": database["dbname"],
        "USER": database.get("user", ""),
        "PASSWORD": database.get("password", ""),
        "HOST": database.get("host", ""),
        "PORT": database.get("port", ""),
    }
    if database
    else {"ENGINE": "django.db.backends.sqlite3", "NAME": BASE_DIR / "development.db"}
}

# Django logs an error after a commit: make sure that somebody reads the log.
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "handlers": {"console": {"class": "logging.StreamHandler"}},
    "root": {"handlers": ["console"], "level": "WARNING"},
}
