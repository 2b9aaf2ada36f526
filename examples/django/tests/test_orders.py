"""The shop, tested like its developers do: without credentials, a verified channel, a worker or set-up."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

import pytest
from django.core.cache import cache
from django.core.management import call_command
from django.test import Client
from orders.models import Customer, Order

from metrix_channels import TemplateError
from metrix_channels.django.testing import get_sandbox, outbox

pytestmark = pytest.mark.django_db
Commits = Callable[..., AbstractContextManager[Any]]


@pytest.fixture
def sara() -> Customer:
    return Customer.objects.create(metrix_id="user-42", first_name="سارا", wants_offers=True)


def test_an_order_is_confirmed(client: Client, sara: Customer, django_capture_on_commit_callbacks: Commits) -> None:
    with django_capture_on_commit_callbacks(execute=True):
        client.post("/orders/", {"customer": "user-42", "item": "چای"})
        assert len(outbox) == 0  # not before the commit
    [message] = outbox
    assert message["recipients"] == ["user-42"]
    assert message["message"]["body"].startswith("سلام سارا")


def test_an_order_that_vanishes_says_nothing(
    client: Client, sara: Customer, django_capture_on_commit_callbacks: Commits, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("orders.views.JsonResponse", None)
    with django_capture_on_commit_callbacks(execute=True), pytest.raises(KeyError):
        client.post("/orders/", {"customer": "user-42"})
    assert not Order.objects.exists()
    assert list(outbox) == []


def test_a_shipment_is_announced(client: Client, sara: Customer, django_capture_on_commit_callbacks: Commits) -> None:
    order = Order.objects.create(customer=sara, item="چای")
    for _ in range(2):  # a page that is loaded twice
        with django_capture_on_commit_callbacks(execute=True):
            client.post(f"/orders/{order.pk}/ship/")
    [message] = outbox
    assert message["message"]["body"] == f"سفارش {order.pk} در راه است."


def test_a_login_code_goes_at_once(client: Client) -> None:
    assert client.post("/login/", {"customer": "user-42"}).json() == {"sent": True}
    assert cache.get("login-code-user-42") in outbox[0]["message"]["body"]


def test_an_outage_is_told_to_the_customer(client: Client) -> None:
    get_sandbox().inject("status:401", times=1)
    assert client.post("/login/", {"customer": "user-42"}).status_code == 503
    assert list(outbox) == []


def test_the_offer_goes_to_those_who_want_it(sara: Customer, offer_files: None) -> None:
    Customer.objects.create(metrix_id="user-43", first_name="علی")
    call_command("send_offer", "1405-01")
    [message] = outbox
    assert message["recipients"] == ["user-42"]


def test_a_template_that_is_missing_stops_the_transaction(sara: Customer) -> None:
    from metrix_channels.django import send_on_commit

    with pytest.raises(TemplateError):
        send_on_commit("sms", "user-42", "order_payed")
