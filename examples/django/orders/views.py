"""The views of the shop; each sends its message in another way."""

import secrets

from django.core.cache import cache
from django.db import transaction
from django.http import HttpRequest, JsonResponse
from django.shortcuts import get_object_or_404
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST

from metrix_channels import DeliveryError
from metrix_channels.django import enqueue, get_notifier, send_on_commit

from .models import Customer, Order


@csrf_exempt
@require_POST
def place_order(request: HttpRequest) -> JsonResponse:
    """Take an order, and put its SMS into the outbox: both commit together or not at all, even if this process dies."""
    with transaction.atomic():
        customer = get_object_or_404(Customer, metrix_id=request.POST["customer"])
        order = Order.objects.create(customer=customer, item=request.POST["item"])
        enqueue(
            "sms",
            customer.metrix_id,
            "order_paid",
            {"first_name": customer.first_name, "number": order.pk},
            key=f"order-{order.pk}-paid",
        )
    return JsonResponse({"order": order.pk}, status=201)


@csrf_exempt
@require_POST
def ship_order(request: HttpRequest, number: int) -> JsonResponse:
    """Ship an order. This process sends the SMS after the commit, without a worker."""
    with transaction.atomic():
        order = get_object_or_404(Order.objects.select_for_update(), pk=number)
        order.is_shipped = True
        order.save()
        text = f"سفارش {order.pk} در راه است."
        send_on_commit("sms", order.customer.metrix_id, text=text, key=f"order-{order.pk}-shipped")
    return JsonResponse({"order": order.pk})


@csrf_exempt
@require_POST
def send_login_code(request: HttpRequest) -> JsonResponse:
    """Send a code now. The customer waits for it, so the page says whether it was sent."""
    code = f"{secrets.randbelow(10_000):04}"
    try:
        get_notifier().send("sms", request.POST["customer"], "login_code", {"code": code}, deadline=3.0)
    except DeliveryError:
        return JsonResponse({"error": "Please try again in a minute."}, status=503)
    cache.set(f"login-code-{request.POST['customer']}", code, timeout=300)
    return JsonResponse({"sent": True})
