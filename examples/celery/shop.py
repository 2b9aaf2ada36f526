"""A Celery application that sends messages: `celery --app shop worker`."""

import os

from celery import Celery

from metrix_channels.celery import send_message

app = Celery("shop", broker=os.environ.get("SHOP_BROKER", "redis://127.0.0.1"), include=["metrix_channels.celery"])
app.conf.broker_transport_options = {"data_folder_in": "queue", "data_folder_out": "queue"}  # of the tests' broker


def confirm_order(user: str, first_name: str, number: int) -> str:
    """Let a worker send the SMS of an order, and return the id of the task."""
    task = send_message.delay(
        "sms", user, "order_paid", {"first_name": first_name, "number": number}, key=f"order-{number}-paid"
    )
    return str(task.id)
