"""The network of the journeys: a site with a 350 kW charger per scenario, so that a payment takes seconds.

Secrets are left out: the import generates and prints them, as it does for a CPO.
"""

from typing import Any, Final

TIME_ZONE: Final = "Europe/Helsinki"
POWER_W: Final = 350_000
PTP: Final = "Journey PTP"
TERMINAL: Final = "JOURNEY-T1"
LOCATION: Final = "JOURNEY"

# Time costs the same while charging and after, so that the bill follows from energy and duration alone.
TARIFF: Final[dict[str, Any]] = {
    "country_code": "FI",
    "party_id": "EMB",
    "id": "JOURNEY-DC",
    "currency": "EUR",
    "type": "AD_HOC_PAYMENT",
    "tax_included": "YES",
    "preauthorize_amount": 60,
    "elements": [
        {
            "price_components": [
                {"type": "ENERGY", "price": 0.59, "vat": 25.5, "step_size": 1},
                {"type": "TIME", "price": 6, "vat": 25.5, "step_size": 1},
                {"type": "PARKING_TIME", "price": 6, "vat": 25.5, "step_size": 1},
            ]
        }
    ],
    "last_updated": "2026-01-01T00:00:00Z",
}


# Over OCPI a hold is what the tariff says, so the scenario of a small hold has a tariff of its own.
SMALL_HOLD: Final = {"paid-limit": 1}


def identity_of(scenario: str) -> str:
    """The charger of a scenario; its EVSE has the same name."""
    return f"JOURNEY-{scenario.upper()}"


def network(scenarios: list[str], *, holds_by_tariff: bool = False) -> dict[str, Any]:
    """A network file with one charger per scenario; `holds_by_tariff` for a door that names no amount."""
    identities = [identity_of(scenario) for scenario in scenarios]
    small = {name: SMALL_HOLD[name] for name in scenarios if holds_by_tariff and name in SMALL_HOLD}
    tariffs = [TARIFF | {"id": _small(name), "preauthorize_amount": hold} for name, hold in small.items()]
    evses = [
        _evse(number, identity_of(name), _small(name) if name in small else TARIFF["id"])
        for number, name in enumerate(scenarios, start=1)
    ]
    return {
        "tariffs": [TARIFF, *tariffs],
        "locations": [_location(evses)],
        "stations": [{"identity": name, "location_id": LOCATION, "evse_uids": [name]} for name in identities],
        "ptps": [{"name": PTP}],
        "terminals": [
            {"terminal_id": TERMINAL, "ptp": PTP, "location_ids": [LOCATION], "languages": ["en", "fi"]}
        ],
    }


def _location(evses: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "country_code": "FI",
        "party_id": "EMB",
        "id": LOCATION,
        "publish": True,
        "name": "Journey's End",
        "address": "Satamakatu 1",
        "city": "Turku",
        "postal_code": "20100",
        "country": "FIN",
        "coordinates": {"latitude": "60.43690", "longitude": "22.23030"},
        "time_zone": TIME_ZONE,
        "evses": evses,
    }


def _small(scenario: str) -> str:
    return f"{TARIFF['id']}-{scenario.upper()}"


def _evse(number: int, uid: str, tariff_id: str) -> dict[str, Any]:
    connector = {
        "id": "1",
        "standard": "IEC_62196_T2_COMBO",
        "format": "CABLE",
        "power_type": "DC",
        "max_voltage": 920,
        "max_amperage": 500,
        "max_electric_power": POWER_W,
        "tariff_ids": [tariff_id],
    }
    return {"uid": uid, "status": "AVAILABLE", "physical_reference": f"D{number}", "connectors": [connector]}
