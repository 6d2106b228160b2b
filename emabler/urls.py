"""All doors over HTTP; each app brings its own list."""

from django.contrib import admin
from django.urls import path

from emabler import health

urlpatterns = [
    path("healthz", health.healthz),
    path("readyz", health.readyz),
    path("admin/", admin.site.urls),
]
