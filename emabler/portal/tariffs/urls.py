"""Addresses of the tariffs, within those of the portal."""

from django.urls import path

from emabler.portal.tariffs import views

urlpatterns = [
    path("", views.tariffs, name="tariffs"),
    path("new/", views.new_tariff, name="tariff-new"),
    path("<int:tariff_pk>/", views.tariff, name="tariff"),
    path("<int:tariff_pk>/edit/", views.edit_tariff, name="tariff-edit"),
    path("<int:tariff_pk>/attach", views.attach, name="tariff-attach"),
    path("<int:tariff_pk>/detach", views.detach, name="tariff-detach"),
    path("<int:tariff_pk>/offer", views.offer, name="tariff-offer"),
]
