"""The doors of a PTP, where they are in the product."""

from django.urls import include, path

urlpatterns = [
    path("ocpi/", include("payments.ocpi.server.urls")),
    path("api/ptp/v1/", include("payments.ptp_api.urls")),
]
