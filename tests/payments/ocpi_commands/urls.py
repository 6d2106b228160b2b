"""The modules that a PTP sends to, under the addresses that they have in the product."""

from django.urls import include, path

from payments.ocpi.dialects import Version
from payments.ocpi.server import commands, payments, tokens

_MODULES = [*commands.urlpatterns, *tokens.urlpatterns, *payments.urlpatterns]

urlpatterns = [
    *(path(f"ocpi/cpo/{version}/", include(_MODULES), {"version": version}) for version in Version),
    path("api/ptp/v1/", include("payments.ptp_api.urls")),
]
