"""Paths of a module, each with and without a trailing slash."""

import uuid

from django.urls import URLPattern, path

from payments.ocpi.envelope import unknown
from payments.ocpi.server.transport import OcpiView


def both(route: str, view: type[OcpiView], name: str = "") -> list[URLPattern]:
    """Return the two patterns of a route such as `locations/<str:location_id>`."""
    handler = view.as_view()
    return [path(route, handler, name=name or None), path(f"{route}/", handler)]


def uuid_in(segment: str, *, of: str) -> uuid.UUID:
    """Return the id that a segment of a path names. Raises OcpiError (404) where it cannot be one of ours."""
    try:
        named = uuid.UUID(segment)
    except ValueError:
        raise unknown(of) from None
    if str(named) != segment.lower():
        raise unknown(of)
    return named
