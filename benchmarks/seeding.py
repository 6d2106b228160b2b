"""Fill a fresh database with charging stations and paid sessions, through the product's own use cases.

Run with the product's environment: python -m benchmarks.seeding PLAN.json. Prints, as JSON, the sales per
identity and an API key. Sessions end up as a charger has just accepted their start.
"""

import json
import os
import sys
import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

import django
from django.db.models import Model

if TYPE_CHECKING:
    from chargers.models import EVSE, Site
    from payments.models import Payment, Ptp, Terminal
    from tariffs.models import TariffVersion

Row = TypeVar("Row", bound=Model)

PASSWORD = "benchmark-password"
HOLD_MINOR = 500_000  # no run may reach it: the stop at the paid limit is not what is measured


@dataclass(frozen=True)
class Plan:
    """How much to seed: stations with paid sessions, connectors still free, and stations without connectors."""

    stations: int
    sold_per_station: int
    free_per_station: int = 0
    bare_stations: int = 0

    def identities(self) -> list[str]:
        return [f"CP{number:06d}" for number in range(self.stations)]

    def bare_identities(self) -> list[str]:
        return [f"BARE{number:06d}" for number in range(self.bare_stations)]


def seed(plan: Plan) -> dict[str, Any]:
    """Seed the database that Django is configured for."""
    from django.db import transaction

    from tests import builders

    with transaction.atomic():
        provider = builders.ptp()
        place = builders.site()
        terminal = builders.terminal(of=provider, at=place)
        version = builders.tariff_version(**terms())
        evses = _evses(plan, place)
        _connectors(evses, version)
        sold = [evse for evse in evses if (evse.number or 0) <= plan.sold_per_station]
        sales: dict[str, list[tuple[int | None, str]]] = {}
        for evse, id_tag in zip(sold, _sell(sold, provider, terminal), strict=True):
            assert evse.station is not None
            sales.setdefault(evse.station.identity, []).append((evse.number, id_tag))
        _bare_stations(plan.bare_identities(), place)
        return {"sales": sales, "key": builders.api_key(provider), "terminal_id": terminal.terminal_id}


def terms() -> dict[str, Any]:
    """A tariff with the parts that public chargers have: a fee, energy by time of day, time once parked."""
    from datetime import time
    from decimal import Decimal

    from tariffs.engine.terms import Dimension, PriceComponent, Restrictions, TariffElement

    vat = Decimal("25.5")

    def component(dimension: Dimension, price: str, step: int = 1) -> PriceComponent:
        return PriceComponent(dimension, Decimal(price), vat, step)

    night = Restrictions(start_time=time(22), end_time=time(6))
    parked = component(Dimension.PARKING_TIME, "6.00", 60)
    return {
        "elements": (
            TariffElement((component(Dimension.ENERGY, "0.39"), parked), night),
            TariffElement(
                (component(Dimension.FLAT, "0.50"), component(Dimension.ENERGY, "0.55"), parked),
            ),
        ),
        "preauthorize_amount": Decimal(HOLD_MINOR) / 100,
    }


def _evses(plan: Plan, place: "Site") -> "list[EVSE]":
    """Stations that are online for the moment of the sale, with as many EVSEs as the plan says."""
    from django.utils import timezone

    from chargers.facts import EvseStatus
    from chargers.models import EVSE
    from tests import builders

    stations = [
        builders.station(at=place, identity=identity, secret_hash=_secret_hash())
        for identity in plan.identities()
    ]
    return EVSE.objects.bulk_create(
        EVSE(
            site=place, station=station, uid=f"{station.identity}-{number}", number=number,
            status=EvseStatus.PREPARING, status_at=timezone.now(),
        )
        for station in stations
        for number in range(1, plan.sold_per_station + plan.free_per_station + 1)
    )  # fmt: skip


def _connectors(evses: "list[EVSE]", version: "TariffVersion") -> None:
    from chargers.models import Connector

    connectors = Connector.objects.bulk_create(
        Connector(
            evse=evse, connector_id="1", standard="IEC_62196_T2_COMBO", power_type="DC",
            max_voltage=920, max_amperage=200, max_power_w=150_000,
        )
        for evse in evses
    )  # fmt: skip
    sold_by = Connector.tariffs.through
    sold_by.objects.bulk_create(sold_by(connector=each, tariff=version.tariff) for each in connectors)


def _sell(evses: "list[EVSE]", provider: "Ptp", terminal: "Terminal") -> list[str]:
    """Give every EVSE a paid session whose start its charger has accepted; returns the tags.

    The first goes through the use cases; the others are copies of its rows, because thousands of taps would
    take longer than what is measured.
    """
    from django.utils import timezone

    from payments.preauthorization import Hold, give_quote, open_payment
    from tests import builders

    if not evses:
        return []
    now = timezone.now()
    hold = Hold(
        ptp=provider,
        terminal=terminal,
        authorization_reference=uuid.uuid4().hex,
        authorized_minor=HOLD_MINOR,
        currency="EUR",
    )
    quote = give_quote(ptp=provider, connector=evses[0].connectors.get(), language="en", now=now)
    payment = open_payment(hold, quote, now=now)
    builders.answer_start(payment, at=now)
    return [_tag_of(payment), *_sell_like(payment, evses[1:])]


def _tag_of(payment: "Payment") -> str:
    assert payment.session is not None
    return payment.session.id_tag


def _sell_like(pattern: "Payment", evses: "list[EVSE]") -> list[str]:
    from chargers.models import Command, Connector
    from payments.models import Payment, PaymentEvent
    from sessions_app.lifecycle import new_id_tag
    from sessions_app.models import Session, SessionEvent

    session = Session.objects.get(pk=pattern.session_id)
    command = Command.objects.get(reference=str(session.pk))
    connectors = {each.evse_id: each for each in Connector.objects.filter(evse__in=evses)}
    sessions = [
        _copy(
            session, id=uuid.uuid4(), authorization_id=uuid.uuid4(), authorization_reference=uuid.uuid4().hex,
            evse=evse, connector=connectors[evse.pk], id_tag=new_id_tag(),
        )
        for evse in evses
    ]  # fmt: skip
    payments = [
        _copy(
            pattern,
            id=each.authorization_id,
            session=each,
            authorization_reference=each.authorization_reference,
        )
        for each in sessions
    ]
    commands = [
        _copy(
            command, id=None, public_id=uuid.uuid4(), station=each.evse.station, reference=str(each.pk),
            arguments={"evse": each.evse.number, "evse_pk": each.evse_id, "id_tag": each.id_tag},
        )
        for each in sessions
    ]  # fmt: skip
    events = list(SessionEvent.objects.filter(session=session))
    opened = list(PaymentEvent.objects.filter(payment=pattern))
    Session.objects.bulk_create(sessions, batch_size=400)
    Payment.objects.bulk_create(payments, batch_size=400)
    Command.objects.bulk_create(commands, batch_size=400)
    SessionEvent.objects.bulk_create(_copy(e, id=None, session=s) for s in sessions for e in events)
    PaymentEvent.objects.bulk_create(_copy(e, id=None, payment=p) for p in payments for e in opened)
    return [each.id_tag for each in sessions]


def _copy(row: Row, **changes: Any) -> Row:
    """Return an unsaved copy of a row with other values."""
    values = {field.attname: getattr(row, field.attname) for field in row._meta.concrete_fields}
    for name, value in changes.items():
        field = row._meta.get_field(name)
        values[field.attname] = value.pk if field.is_relation and value is not None else value
    copied = type(row)(**values)
    for name, value in changes.items():
        setattr(copied, name, value)
    return copied


def _bare_stations(identities: list[str], place: Any) -> None:
    from chargers.models import ChargingStation

    ChargingStation.objects.bulk_create(
        ChargingStation(identity=identity, site=place, secret_hash=_secret_hash()) for identity in identities
    )


def _secret_hash() -> str:
    from chargers.provisioning import hash_secret

    return hash_secret(PASSWORD)


if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "emabler.settings")
    django.setup()
    json.dump(seed(Plan(**json.loads(sys.argv[1]))), sys.stdout)
