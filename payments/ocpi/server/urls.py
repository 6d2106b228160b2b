"""Where our OCPI endpoints are: every one with and without a trailing slash, for a redirect loses a body.

Each module's file brings its own paths, relative to `/ocpi/cpo/<version>/`.
"""

from django.urls import URLPattern, URLResolver, include, path, re_path, register_converter

from payments.ocpi.dialects import Version
from payments.ocpi.server import (
    cdrs,
    commands,
    credentials,
    locations,
    payments,
    sessions,
    tariffs,
    tokens,
    versions,
)
from payments.ocpi.server.paths import both


class VersionConverter:
    """A version of OCPI that we speak."""

    regex = "|".join(version.value.replace(".", r"\.") for version in Version)

    def to_python(self, value: str) -> Version:
        return Version(value)

    def to_url(self, value: Version) -> str:
        return value.value


register_converter(VersionConverter, "ocpi_version")

_MODULES: list[URLPattern | URLResolver] = [
    *credentials.urlpatterns,
    *locations.urlpatterns,
    *tariffs.urlpatterns,
    *sessions.urlpatterns,
    *cdrs.urlpatterns,
    *commands.urlpatterns,
    *tokens.urlpatterns,
    *payments.urlpatterns,
]

urlpatterns = [
    *both("versions", versions.VersionsView, "ocpi-versions"),
    *both("<ocpi_version:version>", versions.DetailsView, "ocpi-details"),
    path("cpo/<ocpi_version:version>/", include(_MODULES)),
    # Also what is not there is answered in the envelope, and after the token was looked at: whatever its letters.
    re_path("", versions.NothingView.as_view()),
]
