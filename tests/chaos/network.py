"""The network of the campaign: sites of twenty chargers, sold by three PTPs, each by its own door."""

from typing import Any, Final

PASSWORD: Final = "chaos-campaign-0001"
WEBHOOK_SECRET: Final = "whsec_chaos-campaign-secret"
POWER_W: Final = 22_000
PER_SITE: Final = 20
LISTENS: Final = "PTP that listens"  # native: it acts on webhooks, and never asks
POLLS: Final = "PTP that polls"  # native: it has no webhook
OCPI: Final = "PTP over OCPI"
TERMINALS: Final = {LISTENS: "T-LISTENS", POLLS: "T-POLLS", OCPI: "T-OCPI"}
PARTY: Final = ("DE", "PTP")
TOKEN_A: Final = "chaos-token-a-0123456789"

TARIFF: Final[dict[str, Any]] = {
    "country_code": "FI",
    "party_id": "EMB",
    "id": "CHAOS-AC",
    "currency": "EUR",
    "type": "AD_HOC_PAYMENT",
    "tax_included": "YES",
    "preauthorize_amount": 60,
    "elements": [
        {
            "price_components": [
                {"type": "ENERGY", "price": 0.59, "vat": 25.5, "step_size": 1},
                {"type": "TIME", "price": 1.20, "vat": 25.5, "step_size": 1},
            ]
        }
    ],
    "last_updated": "2026-01-01T00:00:00Z",
}


def identity(number: int) -> str:
    """The charger of this number; its EVSE has the same name."""
    return f"CHAOS-{number:04d}"


def location_of(number: int) -> str:
    """The site that this charger stands at."""
    return f"CHAOS-SITE-{number // PER_SITE:02d}"


def api_key(ptp: str) -> str:
    """The API key of a native PTP."""
    return "ptp_" + ptp.replace(" ", "-").ljust(40, "x")


def network(chargers: int, *, webhook_url: str) -> dict[str, Any]:
    """Return the network file."""
    numbers = range(chargers)
    sites = sorted({location_of(number) for number in numbers})
    return {
        "tariffs": [TARIFF],
        "locations": [_location(site, [n for n in numbers if location_of(n) == site]) for site in sites],
        "stations": [_station(number) for number in numbers],
        "ptps": [
            {"name": POLLS, "api_key": api_key(POLLS)},
            {
                "name": LISTENS,
                "api_key": api_key(LISTENS),
                "webhook_url": webhook_url,
                "webhook_secret": WEBHOOK_SECRET,
            },
            {"name": OCPI},
        ],
        "terminals": [
            {"terminal_id": terminal, "ptp": ptp, "location_ids": sites, "languages": ["en"]}
            for ptp, terminal in TERMINALS.items()
        ],
        "ocpi_parties": [
            {
                "name": OCPI,
                "country_code": PARTY[0],
                "party_id": PARTY[1],
                "role": "PTP",
                "token_a": TOKEN_A,
            }
        ],
    }


def _station(number: int) -> dict[str, Any]:
    name = identity(number)
    return {"identity": name, "location_id": location_of(number), "evse_uids": [name], "password": PASSWORD}


def _location(name: str, numbers: list[int]) -> dict[str, Any]:
    return {
        "country_code": "FI",
        "party_id": "EMB",
        "id": name,
        "publish": True,
        "name": name,
        "address": "Satamakatu 1",
        "city": "Turku",
        "postal_code": "20100",
        "country": "FIN",
        "coordinates": {"latitude": "60.43690", "longitude": "22.23030"},
        "time_zone": "Europe/Helsinki",
        "evses": [_evse(identity(number)) for number in numbers],
    }


def _evse(uid: str) -> dict[str, Any]:
    connector = {
        "id": "1",
        "standard": "IEC_62196_T2",
        "format": "CABLE",
        "power_type": "AC_3_PHASE",
        "max_voltage": 230,
        "max_amperage": 32,
        "max_electric_power": POWER_W,
        "tariff_ids": [TARIFF["id"]],
    }
    return {"uid": uid, "status": "AVAILABLE", "physical_reference": uid, "connectors": [connector]}
