"""Which address of this PTP is answered by whom."""

from payments.simulator.ocpi.mirror import Mirror
from payments.simulator.ocpi.owner import Owner
from payments.simulator.ocpi.records import Records
from payments.simulator.ocpi.registration import Registrar
from payments.simulator.ocpi.wire import PeerServer

OBJECT = "{country_code}/{party_id}/{id}"


def add_routes(
    server: PeerServer, *, registrar: Registrar, mirror: Mirror, records: Records, owner: Owner
) -> None:
    """Connect the modules with their addresses; the version is a part of the path."""
    base = "/ocpi/ptp/{version}"
    server.route("GET", "/ocpi/versions", registrar.versions)
    server.route("GET", "/ocpi/{version}", registrar.details)
    server.route("GET", f"{base}/credentials", registrar.get)
    server.route("POST", f"{base}/credentials", registrar.put)
    server.route("PUT", f"{base}/credentials", registrar.put)
    server.route("DELETE", f"{base}/credentials", registrar.delete)
    for level in ("", "/{evse_uid}", "/{evse_uid}/{connector_id}"):
        path = f"{base}/locations/{OBJECT}{level}"
        server.route("GET", path, mirror.get_location)
        server.route("PUT", path, mirror.put_location)
        server.route("PATCH", path, mirror.patch_location)
    server.route("GET", f"{base}/tariffs/{OBJECT}", mirror.get_tariff)
    server.route("PUT", f"{base}/tariffs/{OBJECT}", mirror.put_tariff)
    server.route("DELETE", f"{base}/tariffs/{OBJECT}", mirror.delete_tariff)
    server.route("GET", f"{base}/sessions/{OBJECT}", records.get_session)
    server.route("PUT", f"{base}/sessions/{OBJECT}", records.put_session)
    server.route("PATCH", f"{base}/sessions/{OBJECT}", records.patch_session)
    server.route("POST", f"{base}/cdrs", records.post_cdr)
    server.route("GET", f"{base}/cdrs/{OBJECT}", records.get_cdr)
    server.route("GET", f"{base}/cdrs/{{id}}", records.get_cdr)
    server.route("POST", f"{base}/commands/{{command}}/{{key}}", records.result)
    server.route("GET", f"{base}/tokens", owner.no_tokens)
    terminals, confirmations = f"{base}/payments/terminals", f"{base}/payments/financial-advice-confirmations"
    server.route("GET", terminals, owner.list_terminals)
    server.route("POST", f"{terminals}/activate", owner.activate)
    server.route("GET", f"{terminals}/{{terminal_id}}", owner.get_terminal)
    server.route("PUT", f"{terminals}/{{terminal_id}}", owner.change_terminal)
    server.route("PATCH", f"{terminals}/{{terminal_id}}", owner.change_terminal)
    server.route("POST", f"{terminals}/{{terminal_id}}/deactivate", owner.deactivate)
    server.route("GET", confirmations, owner.list_confirmations)
    server.route("GET", f"{confirmations}/{{confirmation_id}}", owner.get_confirmation)
