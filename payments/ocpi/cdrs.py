"""Our charge detail records as OCPI 2.3.0 CDR objects (mod_cdrs, with the direct payment fields).

Numbers are Decimal: volumes in kWh and hours with four decimals, money with its currency's digits.
"""

from collections.abc import Iterable
from datetime import datetime
from decimal import Decimal
from fractions import Fraction
from itertools import pairwise
from typing import Any

from payments.ocpi.tariffs import tariff_document, utc_text
from sessions_app.models import CDR, Session
from tariffs.engine.document import from_document
from tariffs.engine.money import from_minor, round_half_up
from tariffs.engine.terms import Restrictions, Tariff

DECIMALS = 4  # OCPI 2.3.0 types, number
MAX_ADDRESS = 45  # CdrLocation.address

# OCPI 2.3.0 mod_cdrs: the total that each of our cost lines belongs to. Minimum, maximum and what lies
# beyond the hold are in the total alone.
_TOTALS = {
    "FLAT": "total_fixed_cost",
    "ENERGY": "total_energy_cost",
    "TIME": "total_time_cost",
    "PARKING_TIME": "total_parking_cost",
}
_TIME_DIMENSIONS = {"CHARGING": "TIME", "PARKED": "PARKING_TIME"}


def cdr_document(
    cdr: CDR, *, invoice_reference: str = "", token: dict[str, str] | None = None
) -> dict[str, Any]:
    """Write an OCPI 2.3.0 CDR.

    `token` is the CdrToken that the PTP named; without one (native API) the hold's reference names the
    driver. `invoice_reference` is the number of our receipt: it is set exactly when the CPO makes the invoice.
    Read `cdr` with `select_related("session__evse__site", "session__connector")`.
    """
    session, site = cdr.session, cdr.session.evse.site
    terms = from_document(cdr.tariff_snapshot)
    document = {
        "country_code": site.country_code,
        "party_id": site.party_id,
        "id": str(cdr.pk),
        "start_date_time": utc_text(cdr.started_at),
        "end_date_time": utc_text(cdr.ended_at),
        "session_id": str(session.pk),
        "cdr_token": token or _token(session),
        "auth_method": "COMMAND",
        "authorization_reference": session.authorization_reference,
        "cdr_location": _location(session),
        "currency": cdr.currency,
        "tariffs": [_tariff(terms, session)],
        "charging_periods": _periods(cdr, terms),
        "total_cost": _total_cost(cdr),
        **_costs_by_kind(cdr),
        **_volumes(cdr),
        "remark": session.stop_reason,
        "invoice_reference_id": invoice_reference,
        "last_updated": utc_text(cdr.issued_at),
    }
    if cdr.credit_of_id is not None:
        document |= {"credit": True, "credit_reference_id": str(cdr.credit_of_id)}
    return {name: value for name, value in document.items() if value not in (None, "")}


def _token(session: Session) -> dict[str, str]:
    """One-time token of a card payment (mod_tokens TokenType AD_HOC_USER)."""
    site = session.evse.site
    return {
        "country_code": site.country_code,
        "party_id": site.party_id,
        "uid": session.authorization_reference,
        "type": "AD_HOC_USER",
        "contract_id": session.authorization_reference,
    }


def _location(session: Session) -> dict[str, Any]:
    """CdrLocation; coordinates are left out where the site has none."""
    site, evse, connector = session.evse.site, session.evse, session.connector
    location: dict[str, Any] = {
        "id": site.location_id,
        "name": site.name,
        "address": site.address[:MAX_ADDRESS],
        "city": site.city,
        "postal_code": site.postal_code,
        "country": site.country,
        "evse_uid": evse.uid,
        "evse_id": evse.evse_id or evse.uid,
        "connector_id": connector.connector_id,
        "connector_standard": connector.standard,
        "connector_format": connector.format,
        "connector_power_type": connector.power_type,
    }
    if site.latitude is not None and site.longitude is not None:
        location["coordinates"] = {"latitude": f"{site.latitude:.7f}", "longitude": f"{site.longitude:.7f}"}
    return location


def _tariff(terms: Tariff, session: Session) -> dict[str, Any]:
    """The tariff as it was at the tap; an imported one without a date of its own is as old as the tap."""
    document = tariff_document(terms, "2.3.0")
    document.setdefault("last_updated", utc_text(session.requested_at))
    return document


# --- Volumes --------------------------------------------------------------------------------------


def _volumes(cdr: CDR) -> dict[str, Decimal]:
    parked = sum((_hours(p) for p in cdr.periods if p["state"] == "PARKED"), start=Fraction(0))
    volumes = {
        "total_energy": _four(Fraction(cdr.energy_wh, 1000)),
        "total_time": _four(Fraction(cdr.duration_seconds, 3600)),
    }
    return volumes | ({"total_parking_time": _four(parked)} if parked else {})


def _periods(cdr: CDR, terms: Tariff) -> list[dict[str, Any]]:
    """ChargingPeriods whose rounded volumes sum to the rounded whole.

    Samples of the same state are one period, unless restrictions may have turned between them: then each
    stays, so that the receiver can check the price.
    """
    groups = _grouped(cdr.periods, merge=not _has_restrictions(terms))
    energies = _shares(sum((Fraction(p["energy_wh"]) for p in group), Fraction(0)) / 1000 for group in groups)
    hours = _shares(sum((_hours(p) for p in group), Fraction(0)) for group in groups)
    return [
        {
            "start_date_time": utc_text(datetime.fromisoformat(group[0]["start_at"])),
            "dimensions": [
                {"type": "ENERGY", "volume": energy},
                {"type": _TIME_DIMENSIONS[group[0]["state"]], "volume": time},
            ],
            "tariff_id": terms.id,
        }
        for group, energy, time in zip(groups, energies, hours, strict=True)
    ]


def _has_restrictions(terms: Tariff) -> bool:
    return any(element.restrictions != Restrictions() for element in terms.elements)


def _grouped(periods: list[dict[str, Any]], *, merge: bool) -> list[list[dict[str, Any]]]:
    groups: list[list[dict[str, Any]]] = []
    for period in periods:
        if merge and groups and groups[-1][-1]["state"] == period["state"]:
            groups[-1].append(period)
        else:
            groups.append([period])
    return groups


def _hours(period: dict[str, Any]) -> Fraction:
    span = datetime.fromisoformat(period["end_at"]) - datetime.fromisoformat(period["start_at"])
    return Fraction(span.days * 86_400 + span.seconds, 3600) + Fraction(span.microseconds, 3_600_000_000)


def _shares(exact: Iterable[Fraction]) -> list[Decimal]:
    """Round the running sum and take differences: rounding errors do not pile up over many periods."""
    marks, total = [Decimal(0)], Fraction(0)
    for part in exact:
        total += part
        marks.append(_four(total))
    return [after - before for before, after in pairwise(marks)]


def _four(value: Fraction) -> Decimal:
    return Decimal(round_half_up(value * 10**DECIMALS)).scaleb(-DECIMALS)


# --- Money ----------------------------------------------------------------------------------------


def _total_cost(cdr: CDR) -> dict[str, Any]:
    taxes = [
        {"name": "VAT", "percentage": _percentage(group["rate"]), "amount": group["vat_minor"]}
        for group in cdr.vat_groups
        if group["vat_minor"]
    ]
    return _price(cdr.total_excl_minor, taxes, cdr.currency)


def _costs_by_kind(cdr: CDR) -> dict[str, Any]:
    """The totals per kind of cost that the bill has lines of (Price, one tax per rate)."""
    costs = {}
    for kind, name in _TOTALS.items():
        lines = [line for line in cdr.lines if line["dimension"] == kind]
        if lines:
            taxes = [
                {
                    "name": "VAT",
                    "percentage": _percentage(line["vat"]),
                    "amount": line["incl_minor"] - line["excl_minor"],
                }
                for line in lines
                if line["incl_minor"] != line["excl_minor"]
            ]
            costs[name] = _price(sum(line["excl_minor"] for line in lines), taxes, cdr.currency)
    return costs


def _price(excl_minor: int, taxes: list[dict[str, Any]], currency: str) -> dict[str, Any]:
    """OCPI 2.3.0 types, Price and TaxAmount; taxes of the same rate are one entry."""
    by_rate: dict[Decimal | None, int] = {}
    for tax in taxes:
        by_rate[tax["percentage"]] = by_rate.get(tax["percentage"], 0) + tax["amount"]
    return {
        "before_taxes": from_minor(excl_minor, currency),
        "taxes": [
            {"name": "VAT"}
            | ({} if rate is None else {"percentage": rate})
            | {"amount": from_minor(minor, currency)}
            for rate, minor in by_rate.items()
        ],
    }


def _percentage(rate: str | None) -> Decimal | None:
    return None if rate is None else Decimal(rate)
