"""Versions and credentials alone, where payments/ocpi/server/urls.py has them."""

from typing import Any

from django.urls import include, path, re_path, register_converter

from payments.ocpi.dialects import Version
from payments.ocpi.envelope import Reply
from payments.ocpi.server import credentials, versions
from payments.ocpi.server.transport import Call, OcpiView


class _Version:
    regex = r"2\.2\.1|2\.3\.0"

    def to_python(self, value: str) -> Version:
        return Version(value)

    def to_url(self, value: Version) -> str:
        return value.value


class _FunctionalView(OcpiView):
    """Any module that needs a registration."""

    def get(self, call: Call, **_: Any) -> Reply:
        return Reply(data=[])


register_converter(_Version, "handshake_version")

urlpatterns = [
    re_path(r"^ocpi/versions/?$", versions.VersionsView.as_view()),
    path("ocpi/<handshake_version:version>", versions.DetailsView.as_view()),
    path("ocpi/cpo/<handshake_version:version>/", include(credentials.urlpatterns)),
    path("ocpi/cpo/<handshake_version:version>/locations", _FunctionalView.as_view()),
    re_path(r"^ocpi/.*$", versions.NothingView.as_view()),
]
