"""All doors over HTTP; each app brings its own list."""

from django.contrib import admin
from django.urls import include, path

from emabler import health
from payments.ptp_api.openapi import DocsView, SchemaView

urlpatterns = [
    path("healthz", health.healthz),
    path("readyz", health.readyz),
    path("admin/", admin.site.urls),
    path("api/ptp/v1/", include("payments.ptp_api.urls")),
    path("ocpi/", include("payments.ocpi.server.urls")),
    path("api/schema/", SchemaView.as_view(), name="api-schema"),
    path("api/docs/", DocsView.as_view(), name="api-docs"),
    path("r/", include("payments.receipts.urls")),
    path("terminal/", include("payments.simulator.urls")),
    path("", include("emabler.portal.urls")),
]
