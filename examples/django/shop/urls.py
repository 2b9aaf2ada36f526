"""The pages of the shop."""

from django.urls import path
from orders import views

urlpatterns = [
    path("login/", views.send_login_code),
    path("orders/", views.place_order),
    path("orders/<int:number>/ship/", views.ship_order),
]
