"""The network of the campaign: fast chargers, each sold through its own terminal provider's door."""

from typing import Any, Final

OCPI_LOCATION: Final = "CRASH-OCPI"
# The party of each location: the platform over OCPI is told of one of them alone.
LOCATIONS: Final = {"CRASH": "CRA", OCPI_LOCATION: "EMB"}
DOORS_OF_A_LANE: Final = 2  # every second charger stands at the location of the platform over OCPI
POWER_W: Final = 350_000
PASSWORD: Final = "crash-campaign-0001"
WEBHOOK_SECRET: Final = "whsec_crash-campaign-secret"
LISTENS: Final = "PTP that listens"  # it acts on webhooks, and never asks
POLLS: Final = "PTP that polls"  # it has no webhook
OCPI: Final = "PTP over OCPI"
OCPI_PARTY: Final = ("DE", "PTP")
OCPI_TERMINAL: Final = "T-OCPI"
TOKEN_A: Final = "crash-campaign-token-a-0123456789"
SETTLES_BY: Final = {LISTENS: "T-LISTENS", POLLS: "T-POLLS"}

_TARIFF: Final[dict[str, Any]] = {
    "country_code": "FI",
    "currency": "EUR",
    "type": "AD_HOC_PAYMENT",
    "tax_included": "YES",
    "preauthorize_amount": 60,
    "elements": [
        {
            "price_components": [
                {"type": "ENERGY", "price": 0.59, "vat": 25.5, "step_size": 1},
                {"type": "TIME", "price": 6, "vat": 25.5, "step_size": 1},
            ]
        }
    ],
    "last_updated": "2026-01-01T00:00:00Z",
}


def identity(number: int) -> str:
    """The charger of this number; its EVSE has the same name."""
    return f"CRASH-{number}"


def api_key(ptp: str) -> str:
    """The API key of a PTP."""
    return "ptp_" + ptp.replace(" ", "-").ljust(40, "x")


def network(chargers: int) -> dict[str, Any]:
    """Return the network file."""
    places = {identity(number): _location_of(number) for number in range(chargers)}
    return {
        "tariffs": [_tariff(party) for party in LOCATIONS.values()],
        "locations": [
            _location(place, party, [_evse(name, party) for name, at in places.items() if at == place])
            for place, party in LOCATIONS.items()
        ],
        "stations": [
            {"identity": name, "location_id": place, "evse_uids": [name], "password": PASSWORD}
            for name, place in places.items()
        ],
        "ptps": [
            {"name": OCPI},
            {"name": POLLS, "api_key": api_key(POLLS)},
            {
                "name": LISTENS,
                "api_key": api_key(LISTENS),
                "webhook_url": "http://127.0.0.1:9/",  # each lane puts its own there
                "webhook_secret": WEBHOOK_SECRET,
            },
        ],
        "terminals": [
            {"terminal_id": terminal, "ptp": ptp, "location_ids": list(LOCATIONS), "languages": ["en"]}
            for ptp, terminal in {**SETTLES_BY, OCPI: OCPI_TERMINAL}.items()
        ],
        "ocpi_parties": [
            {
                "name": OCPI,
                "country_code": OCPI_PARTY[0],
                "party_id": OCPI_PARTY[1],
                "role": "PTP",
                "token_a": TOKEN_A,
            }
        ],
    }


def _location_of(number: int) -> str:
    return OCPI_LOCATION if number % DOORS_OF_A_LANE == DOORS_OF_A_LANE - 1 else "CRASH"


def _tariff(party: str) -> dict[str, Any]:
    return _TARIFF | {"party_id": party, "id": f"CRASH-{party}"}


def _location(place: str, party: str, evses: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "country_code": "FI",
        "party_id": party,
        "id": place,
        "publish": True,
        "name": "Crash Site",
        "address": "Satamakatu 1",
        "city": "Turku",
        "postal_code": "20100",
        "country": "FIN",
        "coordinates": {"latitude": "60.43690", "longitude": "22.23030"},
        "time_zone": "Europe/Helsinki",
        "evses": evses,
    }


def _evse(uid: str, party: str) -> dict[str, Any]:
    connector = {
        "id": "1",
        "standard": "IEC_62196_T2_COMBO",
        "format": "CABLE",
        "power_type": "DC",
        "max_voltage": 920,
        "max_amperage": 500,
        "max_electric_power": POWER_W,
        "tariff_ids": [f"CRASH-{party}"],
    }
    return {"uid": uid, "status": "AVAILABLE", "physical_reference": uid, "connectors": [connector]}
