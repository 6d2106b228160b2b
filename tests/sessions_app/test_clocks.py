"""Chargers whose clock is wrong by minutes: their sessions are billed whole and stopped in time."""

import uuid
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest
from django.db import transaction
from django.utils import timezone

from chargers.desk import current_desk
from chargers.facts import MeterReading, TransactionEnded, TransactionMetered, TransactionStarted
from chargers.models import Transaction
from payments import settlement
from payments.models import Payment
from tests import builders

pytestmark = pytest.mark.django_db

REGISTER_WH = 100_000


@dataclass
class Skewed:
    """A session of a charger whose clock is `ahead_seconds` ahead of ours; times are counted from its start."""

    ahead_seconds: int
    authorized_minor: int = 6000

    def __post_init__(self) -> None:
        cast = builders.cast()
        asked_at = timezone.now()
        self.payment = cast.payment(authorized_minor=self.authorized_minor, now=asked_at)
        builders.answer_start(self.payment, at=asked_at)
        session = self.payment.session
        assert session is not None
        self.began_at = asked_at + timedelta(seconds=1)
        with transaction.atomic():
            self.transaction = Transaction.objects.create(
                station=cast.station,
                evse=cast.evse,
                transaction_id=str(builders.next_number()),
                natural_key=uuid.uuid4().hex,
                id_tag=session.id_tag,
                accepted=True,
                meter_start_wh=REGISTER_WH,
                started_at=self.on_its_clock(0),
                start_received_at=self.began_at,
            )
            answer = current_desk().started(
                TransactionStarted(
                    self.transaction.pk,
                    cast.station.pk,
                    cast.evse.pk,
                    session.id_tag,
                    REGISTER_WH,
                    self.on_its_clock(0),
                    self.began_at,
                )
            )
            assert answer.accepted

    def on_our_clock(self, seconds: int) -> datetime:
        return self.began_at + timedelta(seconds=seconds)

    def on_its_clock(self, seconds: int) -> datetime:
        return self.on_our_clock(seconds + self.ahead_seconds)

    def meter(
        self, energy_wh: int, *, after_seconds: int, power_w: int, sampled_at: datetime | None = None
    ) -> datetime | None:
        """Report a sample; returns when the session wants to be looked at again."""
        reading = MeterReading(
            sampled_at=sampled_at or self.on_its_clock(after_seconds),
            received_at=self.on_our_clock(after_seconds),
            register_wh=REGISTER_WH + energy_wh,
            power_w=power_w,
        )
        with transaction.atomic():
            return current_desk().metered(
                TransactionMetered(self.transaction.pk, (reading,), reading.received_at)
            )

    def end(self, energy_wh: int, *, after_seconds: int, ended_at: datetime | None = None) -> Payment:
        """Report the end, and settle."""
        received_at = self.on_our_clock(after_seconds)
        ended_at = ended_at or self.on_its_clock(after_seconds)
        with transaction.atomic():
            Transaction.objects.filter(pk=self.transaction.pk).update(
                meter_stop_wh=REGISTER_WH + energy_wh, stopped_at=ended_at, stop_received_at=received_at
            )
            current_desk().ended(
                TransactionEnded(self.transaction.pk, REGISTER_WH + energy_wh, ended_at, received_at, "Local")
            )
        settled = settlement.settle(self.payment.pk, now=received_at)
        settled.refresh_from_db()
        return settled


def seconds_of(payment: Payment) -> int:
    assert payment.session is not None
    return payment.session.duration_seconds()


@pytest.mark.parametrize("ahead_seconds", [-240, 60, 240])
def test_a_session_shorter_than_the_error_of_the_clock_is_billed(ahead_seconds: int) -> None:
    settled = Skewed(ahead_seconds).end(5000, after_seconds=150)

    assert settled.due_minor == 250
    assert seconds_of(settled) == 150
    assert settled.review == ""


@pytest.mark.parametrize("ahead_seconds", [-240, 240])
def test_a_session_keeps_its_whole_duration(ahead_seconds: int) -> None:
    settled = Skewed(ahead_seconds).end(70_000, after_seconds=1800)

    assert (settled.due_minor, seconds_of(settled)) == (3500, 1800)


@pytest.mark.parametrize("ahead_seconds", [-240, 0, 240])
def test_the_stop_at_the_paid_limit_leaves_in_time(ahead_seconds: int) -> None:  # S16
    session = Skewed(ahead_seconds, authorized_minor=1000)

    # 2.5 of 20 kWh after 60 s; the rest takes 420 s at 150 kW.
    stop_at = session.meter(2500, after_seconds=60, power_w=150_000)

    assert stop_at is not None
    assert abs((stop_at - session.on_our_clock(480)).total_seconds()) < 5


def test_one_sample_from_the_future_does_not_blind_the_paid_limit() -> None:  # S16
    session = Skewed(0, authorized_minor=1000)
    session.meter(600, after_seconds=15, power_w=150_000, sampled_at=session.on_our_clock(365 * 86_400))

    stop_at = session.meter(1200, after_seconds=30, power_w=150_000)

    assert stop_at is not None
    assert abs((stop_at - session.on_our_clock(481)).total_seconds()) < 5


def test_an_end_before_the_start_is_a_wrong_clock_and_staff_look_at_it() -> None:  # B34
    session = Skewed(0)
    session.meter(10_000, after_seconds=600, power_w=60_000)

    # The power failed, and the charger's clock began anew.
    settled = session.end(20_000, after_seconds=1200, ended_at=datetime(1970, 1, 1, tzinfo=UTC))

    assert (settled.due_minor, seconds_of(settled)) == (1000, 1200)
    assert settled.review == "meter_doubt"
