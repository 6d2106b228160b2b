"""Credentials: platforms register, update, and leave (OCPI 2.3.0 credentials)."""

from typing import Any, ClassVar

from payments.ocpi import connections, handshake
from payments.ocpi.discovery import HandshakeFailed
from payments.ocpi.envelope import OcpiError, Reply, Status
from payments.ocpi.handshake import WrongState
from payments.ocpi.server.paths import both
from payments.ocpi.server.transport import Call, OcpiView


class CredentialsView(OcpiView):
    """`…/credentials`; the version in its path is the one that is spoken from here on."""

    module: ClassVar[str] = "credentials"
    open_to_invited: ClassVar[bool] = True
    routed: ClassVar[bool] = False

    def get(self, call: Call) -> Reply:
        """Return our credentials for the platform that asks; the token is the one that it has shown."""
        return Reply(data=handshake.our_credentials(call.connection, _shown(call), call.version))

    def post(self, call: Call) -> Reply:
        """Register."""
        if call.connection.is_registered:
            raise _registered_already()
        try:
            return Reply(data=_accepted(call))
        except WrongState:
            raise _registered_already() from None

    def put(self, call: Call) -> Reply:
        """Update credentials, endpoints or version; both tokens change."""
        _require_registration(call)
        try:
            return Reply(data=_accepted(call))
        except WrongState as error:
            # Another update was faster, and this one's token died with it.
            raise OcpiError(Status.CLIENT_ERROR, str(error), http_status=401) from None

    def delete(self, call: Call) -> Reply:
        """Unregister."""
        _require_registration(call)
        connections.close(call.connection)
        return Reply()


def _accepted(call: Call) -> dict[str, Any]:
    try:
        return handshake.accept(
            call.connection,
            call.body,
            shown=_shown(call),
            version=call.version,
            correlation_id=call.correlation_id,
            now=call.now,
        )
    except WrongState:
        raise
    except HandshakeFailed as error:
        raise OcpiError(error.status, str(error)[:250]) from error


def _shown(call: Call) -> str:
    return connections.token_shown(call.connection, call.request.headers.get("Authorization", ""))


def _require_registration(call: Call) -> None:
    if not call.connection.is_registered:
        raise OcpiError(
            Status.CLIENT_ERROR,
            "You are not registered: POST your credentials first.",
            http_status=405,
            headers={"Allow": "GET, POST"},
        )


def _registered_already() -> OcpiError:
    return OcpiError(
        Status.CLIENT_ERROR,
        "You are registered already: PUT your credentials to change them.",
        http_status=405,
        headers={"Allow": "GET, PUT, DELETE"},
    )


urlpatterns = both("credentials", CredentialsView, "ocpi-credentials")
