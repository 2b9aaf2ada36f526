"""`manage.py send_offer 1405-01` sends the offer of a month to the customers who want offers."""

import csv
from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from metrix_channels.django import get_notifier
from orders.models import Customer


class Command(BaseCommand):
    """Runs the campaign. Run the command again to continue a run that an outage has halted."""

    help = "Send the offer of a month to the customers who want offers."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Take the month, which names the run."""
        parser.add_argument("month")

    def handle(self, *args: Any, month: str, **options: Any) -> None:
        """Write the audience, and run the campaign with it."""
        audience = settings.BASE_DIR / "campaigns" / f"customers-{month}.csv"
        if not audience.exists():  # a run continues with the audience that it began with
            with audience.open("x", newline="", encoding="utf-8") as file:
                writer = csv.writer(file)
                writer.writerow(["id", "first_name"])
                writer.writerows(
                    Customer.objects.filter(wants_offers=True).order_by("pk").values_list("metrix_id", "first_name")
                )
        campaign = audience.with_name(f"offer-{month}.yaml")
        template = (settings.BASE_DIR / "campaigns" / "offer.yaml").read_text(encoding="utf-8")
        campaign.write_text(template.replace("MONTH", month), encoding="utf-8")
        status = get_notifier().run_campaign(campaign)
        self.stdout.write(f"{status.campaign}: {status.state}, {status.accepted} of {status.audience} accepted")
        if status.state != "finished":
            raise CommandError(f"The campaign is {status.state}.")
