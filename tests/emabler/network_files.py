"""Network files for tests: a small whole network, of which a test changes what it is about."""

from typing import Any

Document = dict[str, Any]


def tariff(tariff_id: str = "T-1", **fields: Any) -> Document:
    """0.50 EUR per kWh including VAT."""
    component = {"type": "ENERGY", "price": 0.5, "vat": 25.5, "step_size": 1}
    return {
        "country_code": "FI",
        "party_id": "EMB",
        "id": tariff_id,
        "currency": "EUR",
        "type": "AD_HOC_PAYMENT",
        "tax_included": "YES",
        "elements": [{"price_components": [component]}],
        "last_updated": "2026-01-01T00:00:00Z",
    } | fields


def connector(connector_id: str = "1", **fields: Any) -> Document:
    """A 22 kW socket that sells by T-1."""
    return {
        "id": connector_id,
        "standard": "IEC_62196_T2",
        "format": "SOCKET",
        "power_type": "AC_3_PHASE",
        "max_voltage": 230,
        "max_amperage": 32,
        "tariff_ids": ["T-1"],
    } | fields


def evse(uid: str, **fields: Any) -> Document:
    """An EVSE with one connector."""
    return {
        "uid": uid,
        "evse_id": f"FI*EMB*{uid}",
        "status": "AVAILABLE",
        "physical_reference": uid,
        "capabilities": ["REMOTE_START_STOP_CAPABLE"],
        "connectors": [connector()],
    } | fields


def location(location_id: str = "L-1", **fields: Any) -> Document:
    """A location in Turku with EVSEs E-1 and E-2."""
    return {
        "country_code": "FI",
        "party_id": "EMB",
        "id": location_id,
        "publish": True,
        "name": "Harbour Square",
        "address": "Satamakatu 1",
        "city": "Turku",
        "postal_code": "20100",
        "country": "FIN",
        "coordinates": {"latitude": "60.43690", "longitude": "22.23030"},
        "time_zone": "Europe/Helsinki",
        "opening_times": {"twentyfourseven": True},
        "energy_mix": {"is_green_energy": True, "energy_sources": [{"source": "WATER", "percentage": 99.5}]},
        "evses": [evse("E-1"), evse("E-2")],
    } | fields


def station(identity: str = "CP-1", **fields: Any) -> Document:
    """The charger of E-1 and E-2."""
    return {
        "identity": identity,
        "password": "a-password-of-the-test",
        "location_id": "L-1",
        "evse_uids": ["E-1", "E-2"],
    } | fields


def ptp(name: str = "PTP", **fields: Any) -> Document:
    """A PTP with all its secrets."""
    return {
        "name": name,
        "api_key": f"key-of-the-test-{name.replace(' ', '-')}",
        "webhook_url": "https://ptp.example/hooks",
        "webhook_secret": "whsec-of-the-test",
    } | fields


def ocpi_party(name: str = "OCPI PTP", **fields: Any) -> Document:
    """A platform that is invited over OCPI."""
    return {
        "name": name,
        "country_code": "NL",
        "party_id": "PTP",
        "role": "PTP",
        "token_a": f"token-a-of-the-{name.replace(' ', '-')}",
    } | fields


def terminal(terminal_id: str = "TERM-1", **fields: Any) -> Document:
    """The terminal of the location."""
    return {
        "terminal_id": terminal_id,
        "ptp": "PTP",
        "location_ids": ["L-1"],
        "evse_uids": [],
        "languages": ["fi", "en"],
    } | fields


def network(**sections: Any) -> Document:
    """A whole network."""
    return {
        "tariffs": [tariff()],
        "locations": [location()],
        "stations": [station()],
        "ptps": [ptp()],
        "terminals": [terminal()],
    } | sections
