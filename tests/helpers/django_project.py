"""A Django project in a folder, and its manage.py run as a user runs it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

from attrs import frozen

from helpers.command_line import Finished, environment

SETTINGS = """
from pathlib import Path
BASE_DIR = Path(__file__).parent
SECRET_KEY = "of-a-test"
ALLOWED_HOSTS = ["*"]
INSTALLED_APPS = ["django.contrib.contenttypes", "django.contrib.auth", "metrix_channels.django"]
DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": BASE_DIR / "db.sqlite3"}}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
USE_TZ = True
ROOT_URLCONF = "urls"
METRIX_CHANNELS = {"CONFIG": BASE_DIR / "channels.yaml"}
"""
URLS = """
from django.contrib.auth.models import Group
from django.db import transaction
from django.http import HttpResponse
from django.urls import path
from metrix_channels.django import enqueue, send_on_commit


def order(request):
    try:
        with transaction.atomic():
            Group.objects.create(name=request.POST["order"])
            way = enqueue if "enqueue" in request.POST else send_on_commit
            template, key = request.POST.get("template", "hello"), "order-" + request.POST["order"]
            way("sms", "u1", template, {"name": "سارا"}, key=key)
            if "vanish" in request.POST:
                raise LookupError
    except LookupError:
        return HttpResponse("vanished")
    return HttpResponse(f"{Group.objects.count()} orders")


urlpatterns = [path("order/", order)]
"""
MANAGE = """
import os, sys
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "settings")
from django.core.management import execute_from_command_line
execute_from_command_line(sys.argv)
"""
CREDENTIALS = {"METRIX_APP_ID": "app-1", "METRIX_API_KEY": "key-of-nobody"}


@frozen
class DjangoProject:
    """A folder with settings.py, urls.py, manage.py, channels.yaml and the template `hello` for SMS."""

    folder: Path

    @property
    def config(self) -> Path:
        """The configuration's file."""
        return self.folder / "channels.yaml"

    @property
    def ledger(self) -> Path:
        """The ledger's file."""
        return self.folder / "ledger.db"

    def write(self, name: str, text: str) -> Path:
        """Write a file, and return its path."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        return path

    def configure(self, **changes: str) -> None:
        """Write channels.yaml, with some keys changed; the values are YAML."""
        keys = {
            "metrix": "{app_id: '${METRIX_APP_ID}', api_key: '${METRIX_API_KEY}', base_url: 'http://127.0.0.1:9'}",
            "ledger": "sqlite:///./ledger.db",
            "channels": "{sms: {type: sms, verified: {at: 2026-01-01, by: sara, app_id: app-1}}}",
        }
        self.write("channels.yaml", "version: 1\n" + "".join(f"{k}: {v}\n" for k, v in (keys | changes).items()))

    def run(self, *arguments: str, env: dict[str, str] | None = None) -> Finished:
        """Run Python with some arguments in the folder."""
        result = subprocess.run(
            [sys.executable, *arguments],
            cwd=self.folder,
            env=environment(**(CREDENTIALS if env is None else env)),
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        return Finished(result.returncode, result.stdout, result.stderr)

    def manage(self, *arguments: str, env: dict[str, str] | None = None) -> Finished:
        """Run manage.py."""
        return self.run("manage.py", *arguments, env=env)

    def pytest(self, tests: str, *options: str, **variables: Any) -> Finished:
        """Run tests with pytest-django, in an environment without credentials."""
        self.write("test_project.py", tests)
        return self.run("-m", "pytest", "-q", "-p", "no:cacheprovider", "--ds=settings", *options, env=variables)


def make_django_project(folder: Path) -> DjangoProject:
    """Make one whose channel `sms` is verified, and whose Metrix does not answer."""
    project = DjangoProject(folder)
    project.write("settings.py", SETTINGS)
    project.write("urls.py", URLS)
    project.write("manage.py", MANAGE)
    project.write("templates/hello/sms.txt.j2", "سلام {{ name }}")
    project.write("templates/hello/sample.yaml", "name: سارا")
    project.configure()
    return project
