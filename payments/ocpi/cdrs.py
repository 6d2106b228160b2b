"""Our charge detail records as OCPI CDR objects (mod_cdrs, with the direct payment fields), and CDRs read.

Numbers are Decimal: volumes in kWh and hours with four decimals, money with its currency's digits.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from fractions import Fraction
from itertools import pairwise
from typing import Any, Final

from payments.ocpi.dialects import Kind, Version, in_dialect
from payments.ocpi.locations import NOT_AVAILABLE, NOWHERE, place_document
from payments.ocpi.prices import Price, price_document, price_of
from payments.ocpi.reading import given
from payments.ocpi.sessions import AuthMethod, kwh
from payments.ocpi.signed_data import signed_data_document
from payments.ocpi.tariffs import tariff_document, utc_text
from sessions_app.models import CDR, Session
from sessions_app.place import Place, place_of
from tariffs.engine.document import from_document
from tariffs.engine.money import round_half_up
from tariffs.engine.terms import Restrictions, Tariff

DECIMALS: Final = 4  # OCPI 2.3.0 types, number
MAX_ADDRESS: Final = 45  # CdrLocation.address
MAX_REMARK: Final = 255

# OCPI 2.3.0 mod_cdrs: the total that each of our cost lines belongs to. Minimum, maximum and what lies
# beyond the hold are in the total alone.
_TOTALS: Final = {
    "FLAT": "total_fixed_cost",
    "ENERGY": "total_energy_cost",
    "TIME": "total_time_cost",
    "PARKING_TIME": "total_parking_cost",
}
_TIME_DIMENSIONS: Final = {"CHARGING": "TIME", "PARKED": "PARKING_TIME"}
# Fixed for ever, and not that of CDRs with a bill: the same session never has one id for both.
_ZERO_NAMESPACE: Final = uuid.UUID("c55b7a6e-9d0c-4a4f-8a43-0b1f7ed0a5d2")


def cdr_document(
    cdr: CDR,
    *,
    version: Version = Version.V2_3_0,
    invoice_reference: str = "",
    token: Mapping[str, str] | None = None,
    hold_amount: Decimal | None = None,
) -> dict[str, Any]:
    """Write an OCPI CDR; a credit is its original with a negative total.

    `token` is the CdrToken that the PTP named; without one (native API) the hold's reference names the
    driver. `invoice_reference` is the number of our receipt: it is set exactly when the CPO makes the invoice.
    `hold_amount` is what was published to be preauthorised, so that the tariff is told as the PTP knew it.
    Read `cdr` with `select_related("session__evse__site", "session__connector", "credit_of")`.
    """
    session, bill = cdr.session, cdr.credit_of or cdr
    terms = from_document(bill.tariff_snapshot)
    document = {
        **_names(session, str(cdr.pk), token),
        "start_date_time": utc_text(bill.started_at),
        "end_date_time": utc_text(bill.ended_at),
        "currency": cdr.currency,
        "tariffs": [_tariff(terms, session, hold_amount)],
        "charging_periods": charging_periods(bill.periods, terms),
        "signed_data": signed_data_document(bill.signed_data),
        "total_cost": price_document(_total_cost(cdr)),
        **_costs_by_kind(bill),
        **_volumes(bill),
        "remark": session.stop_reason[:MAX_REMARK],
        "invoice_reference_id": invoice_reference,
        "credit": True if cdr.credit_of else None,
        "credit_reference_id": cdr.credit_of and str(cdr.credit_of.pk),
        "last_updated": utc_text(cdr.issued_at),
    }
    return in_dialect(Kind.CDR, given(document), version)


def zero_cdr_id(session_id: uuid.UUID) -> uuid.UUID:
    """The id of the CDR that releases a session's hold: derived, so that a repetition is the same CDR."""
    return uuid.uuid5(_ZERO_NAMESPACE, str(session_id))


def zero_cdr_document(
    session: Session,
    *,
    version: Version,
    issued_at: datetime,
    token: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """Write the CDR of a session that costs nothing, for a PTP that releases holds by it.

    It names no tariff: nothing was priced. Read `session` with
    `select_related("evse__site", "connector")`.
    """
    start_at = session.started_at or session.requested_at
    end_at = max(session.ended_at or start_at, start_at)
    hours = _four(_hours_between(start_at, end_at))
    energy = kwh(session.energy_wh)
    dimensions = [{"type": "ENERGY", "volume": energy}, {"type": "TIME", "volume": hours}]
    document = {
        **_names(session, str(zero_cdr_id(session.pk)), token),
        "start_date_time": utc_text(start_at),
        "end_date_time": utc_text(end_at),
        "currency": session.currency,
        "charging_periods": [{"start_date_time": utc_text(start_at), "dimensions": dimensions}],
        "total_cost": price_document(price_of(0, 0, session.currency)),
        "total_energy": energy,
        "total_time": hours,
        "remark": (session.refusal or session.stop_reason)[:MAX_REMARK],
        "last_updated": utc_text(issued_at),
    }
    return in_dialect(Kind.CDR, given(document), version)


def cdr_token(session: Session) -> dict[str, str]:
    """The one-time token of a payment that came without one (mod_tokens, TokenType AD_HOC_USER)."""
    place = _place(session)
    return {
        "country_code": place["country_code"],
        "party_id": place["party_id"],
        "uid": session.authorization_reference,
        "type": "AD_HOC_USER",
        "contract_id": session.authorization_reference,
    }


def _names(session: Session, cdr_id: str, token: Mapping[str, str] | None) -> dict[str, Any]:
    """Whose CDR it is, of which session, paid by whom, and where."""
    place = _place(session)
    return {
        "country_code": place["country_code"],
        "party_id": place["party_id"],
        "id": cdr_id,
        "session_id": str(session.pk),
        "cdr_token": dict(token) if token else cdr_token(session),
        "auth_method": AuthMethod.COMMAND.value,
        "authorization_reference": session.authorization_reference,
        "cdr_location": _location(place),
    }


def _place(session: Session) -> Place:
    return session.place or place_of(session.evse, session.connector)


def _location(place: Place) -> dict[str, Any]:
    """CdrLocation; what it requires and nobody entered is filled as in a Location."""
    latitude, longitude = (
        Decimal(place[name]) if place[name] else None for name in ("latitude", "longitude")
    )
    return given(
        {
            "id": place["location_id"],
            "name": place["name"],
            "address": place["address"][:MAX_ADDRESS] or NOT_AVAILABLE,
            "city": place["city"] or NOT_AVAILABLE,
            "postal_code": place["postal_code"],
            "country": place["country"],
            "coordinates": place_document(latitude, longitude) or NOWHERE,
            "evse_uid": place["evse_uid"],
            "evse_id": place["evse_id"] or place["evse_uid"],
            "connector_id": place["connector_id"],
            "connector_standard": place["standard"],
            "connector_format": place["format"],
            "connector_power_type": place["power_type"],
        }
    )


def _tariff(terms: Tariff, session: Session, hold_amount: Decimal | None) -> dict[str, Any]:
    """The tariff as it was at the tap; an imported one without a date of its own is as old as the tap."""
    document = tariff_document(terms, hold_amount=hold_amount)
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


def charging_periods(periods: Sequence[Mapping[str, Any]], terms: Tariff) -> list[dict[str, Any]]:
    """ChargingPeriods of a CDR's `periods`; their rounded volumes sum to the rounded whole.

    Samples of the same state are one period, unless restrictions may have turned between them: then each
    stays, so that the receiver can check the price.
    """
    groups = _grouped(periods, merge=not _has_restrictions(terms))
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


def _grouped(periods: Sequence[Mapping[str, Any]], *, merge: bool) -> list[list[Mapping[str, Any]]]:
    groups: list[list[Mapping[str, Any]]] = []
    for period in periods:
        if merge and groups and groups[-1][-1]["state"] == period["state"]:
            groups[-1].append(period)
        else:
            groups.append([period])
    return groups


def _hours(period: Mapping[str, Any]) -> Fraction:
    return _hours_between(
        datetime.fromisoformat(period["start_at"]), datetime.fromisoformat(period["end_at"])
    )


def _hours_between(start_at: datetime, end_at: datetime) -> Fraction:
    span = end_at - start_at
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


def _total_cost(cdr: CDR) -> Price:
    return price_of(cdr.total_excl_minor, cdr.total_incl_minor, cdr.currency, vat_groups=cdr.vat_groups)


def _costs_by_kind(cdr: CDR) -> dict[str, Any]:
    """The totals per kind of cost that the bill has lines of (Price, one tax per rate)."""
    costs = {}
    for kind, name in _TOTALS.items():
        lines = [line for line in cdr.lines if line["dimension"] == kind]
        if lines:
            excl, incl = (sum(line[side] for line in lines) for side in ("excl_minor", "incl_minor"))
            groups = [
                {"rate": line["vat"], "vat_minor": line["incl_minor"] - line["excl_minor"]} for line in lines
            ]
            costs[name] = price_document(price_of(excl, incl, cdr.currency, vat_groups=groups))
    return costs
