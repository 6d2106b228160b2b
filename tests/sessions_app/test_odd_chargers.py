"""Lives of sessions whose chargers send what chargers should not: no message is lost, no energy is invented.

Seeded, through the handlers of OCPP 1.6 messages: wrong clocks, registers that jump, restart or cannot be read,
statuses in any order, messages of no transaction, a stop that comes twice.
"""

import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import transaction
from django.utils import timezone

from chargers.ocpp import v16
from chargers.ocpp.presence import Link
from chargers.ocpp.schemas import violation_of
from chargers.ocpp.station import Message
from payments import settlement
from sessions_app import lifecycle
from sessions_app.models import CDR, Session
from tariffs.engine.terms import Dimension, PriceComponent, TariffElement
from tests import builders

pytestmark = pytest.mark.django_db
LIVES = 60
STATUSES = ["Charging", "SuspendedEV", "SuspendedEVSE", "Available", "Preparing", "Finishing", "Faulted"]
CLOCKS_OFF_SECONDS = [0, 0, 0, -1, 1.5, -3, 60, -200, -1000, 4000, -400_000]
SLACK_WH = 60


@dataclass
class Life:
    """One session, its charger and what that charger really gave."""

    rng: random.Random
    began_at: datetime = field(default_factory=lambda: timezone.now() - timedelta(hours=10))

    def __post_init__(self) -> None:
        rng = self.rng
        prices = [(Dimension.ENERGY, "0.50")]
        prices += [(Dimension.PARKING_TIME, "6")] * rng.randint(0, 1) + [(Dimension.TIME, "3")] * rng.randint(
            0, 1
        )
        elements = [
            TariffElement((PriceComponent(kind, Decimal(price), builders.VAT),)) for kind, price in prices
        ]
        self.cast = builders.cast(terms=builders.tariff_terms(elements=tuple(elements)))
        self.now = self.began_at
        self.payment = self.cast.payment(now=self.now, authorized_minor=rng.choice([200, 1000, 6000]))
        if rng.random() < 0.8:
            builders.answer_start(self.payment, at=self.now)
        self.clock_off = timedelta(seconds=rng.choice(CLOCKS_OFF_SECONDS))
        self.start_wh = rng.choice([0, 0, 1000, 123_456, 99_999_999])
        self.register_wh = float(self.start_wh)
        self.power_w = rng.choice([3000, 22_000, 100_000, 150_000])

    @property
    def session(self) -> Session:
        return Session.objects.get(pk=self.payment.session_id)

    def says(self, action: str, payload: dict[str, Any]) -> Any:
        """Send a message as the socket's handler takes it."""
        route, found = v16.ROUTES[action], violation_of(action, payload)
        if found and not route.is_transaction_message:
            return None
        station = self.cast.station
        link = Link(station.pk, station.identity, station.connection_id)
        message = Message(link, action, payload, self.now, f"{found.code} {found.place}" if found else "")
        with transaction.atomic():
            return route.handle(message).payload

    def clock(self, off_seconds: float = 0) -> str:
        """What its clock shows."""
        return (self.now + self.clock_off + timedelta(seconds=off_seconds)).isoformat()

    def start(self) -> int:
        self.now += timedelta(seconds=self.rng.choice([0.5, 3, 25]))
        told = self.rng.choice([self.start_wh, self.start_wh, self.start_wh, None, "x", -5, 0, 1.5])
        self.told_right = told == self.start_wh
        named = {
            "connectorId": self.cast.evse.number,
            "idTag": self.session.id_tag,
            "timestamp": self.clock(),
        }
        answer = self.says("StartTransaction", named | ({} if told is None else {"meterStart": told}))
        return int(answer["transactionId"])

    def goes_on(self, transaction_id: int) -> None:
        """Time passes, and it says something, or staff or a deadline act."""
        rng, seconds = self.rng, self.rng.choice([0.1, 1, 10, 60, 600, 3600])
        self.now += timedelta(seconds=seconds)
        paused = rng.random() < 0.2
        self.register_wh += 0 if paused else self.power_w * seconds / 3600
        what = rng.random()
        if what < 0.25:
            status = {
                "connectorId": self.cast.evse.number,
                "errorCode": "NoError",
                "status": rng.choice(STATUSES),
            }
            self.says("StatusNotification", status | {"timestamp": self.clock()})
        elif what < 0.4:
            deadline = self.session.deadline_at
            if deadline is not None and deadline <= self.now:
                lifecycle.sweep_one(self.session.pk, now=self.now)
        else:
            values = [self.value(paused) for _ in range(rng.choice([1, 1, 1, 3]))]
            named = {"transactionId": rng.choice([transaction_id] * 3 + [-1]), "meterValue": values}
            self.says("MeterValues", {"connectorId": self.cast.evse.number} | named)

    def value(self, paused: bool) -> dict[str, Any]:
        rng, true = self.rng, self.register_wh
        told = rng.choice([true] * 4 + [true * 10, 0, true / 1000, true + 1e6, -1])
        sampled: list[dict[str, Any]] = []
        if rng.random() < 0.95:
            sampled.append({"value": rng.choice([str(int(told)), f"{told:.3f}"])})
        if rng.random() < 0.5:
            power = {
                "value": str(0 if paused else self.power_w),
                "measurand": "Power.Active.Import",
                "unit": "W",
            }
            sampled.append(power)
        if rng.random() < 0.2:
            sampled.append({"value": "12", "measurand": "SoC"})
        return {
            "timestamp": self.clock(rng.choice([0, 0, 0, -5, -0.5, -100, -5000, 5, 9000])),
            "sampledValue": sampled,
        }

    def stop(self, transaction_id: int) -> dict[str, Any]:
        rng, true = self.rng, int(self.register_wh)
        self.now += timedelta(seconds=rng.choice([0, 1, 60, 3600]))
        told = rng.choice([true] * 4 + [0, -1, "x", true + 5_000_000, true // 1000])
        named = {"transactionId": rng.choice([transaction_id] * 3 + [-1]), "idTag": self.session.id_tag}
        payload = named | {"timestamp": self.clock(rng.choice([0, 0, -5, -4000, 900])), "meterStop": told}
        if rng.random() < 0.3:
            payload["transactionData"] = list(self.own_values())
        self.says("StopTransaction", payload)
        return payload

    def own_values(self) -> Iterator[dict[str, Any]]:
        for context, wh in (("Transaction.End", int(self.register_wh)), ("Transaction.Begin", self.start_wh)):
            yield {"timestamp": self.clock(), "sampledValue": [{"value": str(wh), "context": context}]}


@pytest.mark.parametrize("seed", range(LIVES))
def test_nothing_raises_and_nobody_pays_for_more_than_was_given(seed: int) -> None:
    life = Life(random.Random(seed))
    transaction_id = life.start()
    for _ in range(life.rng.randint(0, 8)):
        life.goes_on(transaction_id)
    stopped = life.stop(transaction_id)
    life.now += timedelta(hours=1)
    lifecycle.sweep_one(life.session.pk, now=life.now)
    life.says("StopTransaction", stopped)
    settlement.settle(life.payment.pk, now=life.now)

    given_wh = life.register_wh - life.start_wh
    for cdr in CDR.objects.filter(session=life.session):
        doubted = bool(life.session.needs_review) or not life.told_right
        assert doubted or cdr.energy_wh <= given_wh + SLACK_WH
        assert life.began_at - timedelta(seconds=5) <= cdr.started_at <= cdr.ended_at <= life.now
