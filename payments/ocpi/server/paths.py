"""Paths of a module, each with and without a trailing slash."""

from django.urls import URLPattern, path

from payments.ocpi.server.transport import OcpiView


def both(route: str, view: type[OcpiView], name: str = "") -> list[URLPattern]:
    """Return the two patterns of a route such as `locations/<str:location_id>`."""
    handler = view.as_view()
    return [path(route, handler, name=name or None), path(f"{route}/", handler)]
