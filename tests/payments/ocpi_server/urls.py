"""All our OCPI endpoints where they are mounted."""

from django.urls import include, path

urlpatterns = [path("ocpi/", include("payments.ocpi.server.urls"))]
