"""Customers and their orders."""

from django.db import models


class Customer(models.Model):
    """A person with an id in Metrix."""

    metrix_id = models.CharField(max_length=64, unique=True)
    first_name = models.CharField(max_length=64)
    wants_offers = models.BooleanField(default=False)


class Order(models.Model):
    """Something that a customer bought."""

    customer = models.ForeignKey(Customer, on_delete=models.PROTECT)
    item = models.CharField(max_length=200)
    is_shipped = models.BooleanField(default=False)
