"""Which versions of OCPI we speak, and where their modules are (OCPI 2.3.0 version_information_endpoint)."""

from typing import Any, ClassVar, Final

from payments.ocpi import connections
from payments.ocpi.dialects import Version
from payments.ocpi.envelope import Reply, unknown
from payments.ocpi.server.transport import Call, OcpiView

# The modules in the roles of a CPO that sells at payment terminals. Of credentials the role says nothing;
# SENDER is advised.
MODULES: Final = (
    ("credentials", "SENDER"),
    ("locations", "SENDER"),
    ("tariffs", "SENDER"),
    ("sessions", "SENDER"),
    ("cdrs", "SENDER"),
    ("commands", "RECEIVER"),
    ("tokens", "RECEIVER"),
    ("payments", "RECEIVER"),
)


class VersionsView(OcpiView):
    """`/ocpi/versions`: what a handshake begins with."""

    module: ClassVar[str] = "versions"
    open_to_invited: ClassVar[bool] = True
    routed: ClassVar[bool] = False

    def get(self, _call: Call) -> Reply:
        """List the versions."""
        return Reply(
            data=[{"version": version.value, "url": connections.details_url(version)} for version in Version]
        )


class DetailsView(OcpiView):
    """`/ocpi/{version}`: the modules of a version, and where they are."""

    module: ClassVar[str] = "versions"
    open_to_invited: ClassVar[bool] = True
    routed: ClassVar[bool] = False

    def get(self, call: Call) -> Reply:
        """List the endpoints."""
        endpoints = [
            {"identifier": module, "role": role, "url": connections.module_url(call.version, module)}
            for module, role in MODULES
        ]
        return Reply(data={"version": call.version.value, "endpoints": endpoints})


class NothingView(OcpiView):
    """Every other path below `/ocpi/`: said in the envelope, and only to those whom we know."""

    routed: ClassVar[bool] = False

    def _reply(self, call: Call, path: dict[str, Any]) -> Reply:
        raise unknown("endpoint")
