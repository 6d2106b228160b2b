"""The network of the scripted CPO: two sites, three EVSEs, two tariffs; sessions and CDRs as it writes them."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from payments.simulator.ocpi.wire import Party, utc_text

CPO = Party("FI", "ECO")
V221 = "2.2.1"
VAT = Decimal("25.5")
PER_KWH = Decimal("0.40")
HOLD = Decimal("60.00")
BORN = datetime(2026, 1, 10, 12, 0, 0, tzinfo=UTC)
Json = dict[str, Any]


def stamp(minutes: float) -> str:
    return utc_text(BORN + timedelta(minutes=minutes))


def price(version: str, net: Decimal) -> Json:
    gross = (net * (1 + VAT / 100)).quantize(Decimal("0.01"))
    if version == V221:
        return {"excl_vat": net, "incl_vat": gross}
    return {"before_taxes": net, "taxes": [{"name": "VAT", "percentage": VAT, "amount": gross - net}]}


def tariff(version: str, name: str, minutes: int) -> Json:
    found: Json = {
        "country_code": CPO.country_code,
        "party_id": CPO.party_id,
        "id": name,
        "currency": "EUR",
        "type": "AD_HOC_PAYMENT",
        "tariff_alt_text": [
            {"language": "en", "text": "Idle time is free."},
            {"language": "fi", "text": "Seisonta on ilmaista."},
        ],
        "elements": [
            {
                "price_components": [{"type": "ENERGY", "price": PER_KWH / 2, "vat": VAT, "step_size": 1}],
                "restrictions": {"start_time": "22:00", "end_time": "06:00"},
            },
            {"price_components": [{"type": "ENERGY", "price": PER_KWH, "vat": VAT, "step_size": 1}]},
        ],
        "last_updated": stamp(minutes),
    }
    if version == V221:
        return found | {"max_price": {"excl_vat": Decimal("47.80"), "incl_vat": HOLD}}
    return found | {"preauthorize_amount": HOLD, "tax_included": "NO"}


def _connector(name: str, tariff_id: str, minutes: int) -> Json:
    return {
        "id": name,
        "standard": "IEC_62196_T2",
        "format": "SOCKET",
        "power_type": "AC_3_PHASE",
        "max_voltage": 230,
        "max_amperage": 32,
        "max_electric_power": 22_000,
        "tariff_ids": [tariff_id],
        "last_updated": stamp(minutes),
    }


def _evse(number: int, connectors: list[Json], minutes: int, *more: str) -> Json:
    return {
        "uid": f"EVSE-{number}",
        "evse_id": f"FI*ECO*E{number:03}",
        "status": "AVAILABLE",
        "capabilities": ["REMOTE_START_STOP_CAPABLE", "CONTACTLESS_CARD_SUPPORT", *more],
        "connectors": connectors,
        "physical_reference": str(number),
        "last_updated": stamp(minutes),
    }


def _location(number: int, evses: list[Json], minutes: int) -> Json:
    return {
        "country_code": CPO.country_code,
        "party_id": CPO.party_id,
        "id": f"LOC-{number}",
        "publish": True,
        "name": f"Harbour {number}",
        "address": f"Satamakatu {number}",
        "city": "Helsinki",
        "postal_code": "00160",
        "country": "FIN",
        "coordinates": {"latitude": "60.167410", "longitude": "24.965820"},
        "evses": evses,
        "time_zone": "Europe/Helsinki",
        "opening_times": {"twentyfourseven": True},
        "last_updated": stamp(minutes),
    }


def locations() -> list[Json]:
    two_plugs = [_connector("1", "T-AC", 1), _connector("2", "T-AC", 2)]
    return [
        _location(
            1,
            [
                _evse(1, two_plugs, 3, "START_SESSION_CONNECTOR_REQUIRED"),
                _evse(2, [_connector("1", "T-AC", 4)], 5),
            ],
            6,
        ),
        _location(2, [_evse(3, [_connector("1", "T-NIGHT", 7)], 8)], 9),
    ]


def tariffs(version: str) -> list[Json]:
    return [tariff(version, "T-AC", 20), tariff(version, "T-NIGHT", 30)]


def session(version: str, name: str, start: Json, at: str) -> Json:
    token = start["token"]
    return {
        "country_code": CPO.country_code,
        "party_id": CPO.party_id,
        "id": name,
        "start_date_time": at,
        "kwh": Decimal("0.0"),
        "cdr_token": {n: token[n] for n in ("country_code", "party_id", "uid", "type", "contract_id")},
        "auth_method": "COMMAND",
        "authorization_reference": start["authorization_reference"],
        "location_id": start["location_id"],
        "evse_uid": start["evse_uid"],
        "connector_id": start["connector_id"],
        "currency": "EUR",
        "total_cost": price(version, Decimal("0.00")),
        "status": "PENDING",
        "last_updated": at,
    }


def cdr(version: str, ended: Json, location: Json) -> Json:
    begin, end = ended["start_date_time"], ended["end_date_time"]
    hours = (datetime.fromisoformat(end) - datetime.fromisoformat(begin)).total_seconds() / 3600
    time = Decimal(str(round(hours, 4)))
    same = ("country_code", "party_id", "cdr_token", "auth_method", "authorization_reference", "currency")
    return {
        **{name: ended[name] for name in same},
        "id": f"CDR-{ended['id']}"[:36],
        "start_date_time": begin,
        "end_date_time": end,
        "session_id": ended["id"],
        "cdr_location": {
            **{
                n: location[n]
                for n in ("id", "name", "address", "city", "postal_code", "country", "coordinates")
            },
            "evse_uid": ended["evse_uid"],
            "evse_id": "FI*ECO*E001",
            "connector_id": ended["connector_id"],
            "connector_standard": "IEC_62196_T2",
            "connector_format": "SOCKET",
            "connector_power_type": "AC_3_PHASE",
        },
        "tariffs": [tariff(version, "T-AC", 20)],
        "charging_periods": ended["charging_periods"],
        "total_cost": ended["total_cost"],
        "total_energy": ended["kwh"],
        "total_energy_cost": ended["total_cost"],
        "total_time": time,
        "last_updated": utc_text(),
    }


def old_cdrs(version: str) -> list[Json]:
    """A bill of last winter, and the credit that undid it."""
    token = {
        "country_code": "NL",
        "party_id": "PTC",
        "uid": "CARD-1",
        "type": "AD_HOC_USER",
        "contract_id": "C-1",
    }
    start = {"token": token, "authorization_reference": "OLD-1", "location_id": "LOC-1",
             "evse_uid": "EVSE-1", "connector_id": "1"}  # fmt: skip
    ended = session(version, "S-OLD-1", start, stamp(40))
    period = {
        "start_date_time": stamp(40),
        "dimensions": [{"type": "ENERGY", "volume": 10}],
        "tariff_id": "T-AC",
    }
    cost = price(version, Decimal("4.00"))
    ended |= {"end_date_time": stamp(60), "kwh": 10, "charging_periods": [period], "total_cost": cost}
    bill = cdr(version, ended, locations()[0]) | {"last_updated": stamp(61)}
    undone = price(version, Decimal("-4.00"))
    credit = bill | {"id": f"{bill['id']}-C", "credit": True, "credit_reference_id": bill["id"]}
    return [bill, credit | {"total_cost": undone, "last_updated": stamp(62)}]
