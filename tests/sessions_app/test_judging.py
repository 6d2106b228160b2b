"""What is gathered for the plausibility gate, and what the CDR says of what was left out."""

from datetime import datetime, timedelta
from decimal import Decimal

import pytest
from django.db import transaction

from chargers.desk import current_desk
from chargers.facts import EvseStatus, EvseStatusChanged, MeterReading, TransactionEnded, TransactionMetered
from chargers.models import Transaction
from chargers.ocpp.meter_values import read_meter_values
from payments import settlement
from payments.states import PaymentState, Review
from sessions_app.judging import NO_START_VALUE, PLACEHOLDER, UNLIKE_BEGIN, UNREADABLE_FINAL_VALUE
from sessions_app.models import CDR, MeterSample, SessionEvent
from tests import builders
from tests.builders import Running

pytestmark = pytest.mark.django_db


def running(*, register_wh: int | None = 100_000) -> Running:
    """A session whose charger told this start value."""
    made = builders.cast().running()
    if register_wh is None or register_wh != made.register_wh:
        Transaction.objects.filter(pk=made.transaction.pk).update(meter_start_wh=register_wh)
        session = made.session
        session.meter_state = {}
        session.save(update_fields=["meter_state"])
    return made


def end(
    made: Running,
    stop_wh: int | None,
    *readings: MeterReading,
    after_seconds: int = 600,
    reason: str = "Local",
) -> list[str]:
    """End it with this register; returns the doubts of its CDR."""
    at = made.started_at + timedelta(seconds=after_seconds)
    with transaction.atomic():
        Transaction.objects.filter(pk=made.transaction.pk).update(meter_stop_wh=stop_wh, stopped_at=at)
        current_desk().ended(TransactionEnded(made.transaction.pk, stop_wh, at, at, reason, readings))
    settlement.settle(made.payment.pk, now=at)
    made.payment.refresh_from_db()
    cdr = CDR.objects.filter(session=made.payment.session_id).first()
    return list(cdr.doubts) if cdr else []


def reading(made: Running, register_wh: int | None, after_seconds: int, **more: object) -> MeterReading:
    at: datetime = made.started_at + timedelta(seconds=after_seconds)
    return MeterReading(sampled_at=at, received_at=at, register_wh=register_wh, **more)  # type: ignore[arg-type]


def earlier(made: Running, start_wh: int, stop_wh: int) -> None:
    """The EVSE's transaction before."""
    later = made.transaction
    Transaction.objects.create(
        pk=later.pk - 1_000_000,
        station_id=later.station_id,
        evse_id=later.evse_id,
        transaction_id="before",
        natural_key="before",
        accepted=True,
        meter_start_wh=start_wh,
        meter_stop_wh=stop_wh,
        started_at=made.started_at - timedelta(days=1),
        start_received_at=made.started_at - timedelta(days=1),
        stopped_at=made.started_at - timedelta(hours=23),
    )


def test_a_start_of_zero_before_a_lifetime_stop_is_a_placeholder() -> None:
    """Iocharger billed 910 kWh for 0.083; here the odometer is small enough to pass for a charge."""
    made = running(register_wh=0)
    earlier(made, 9_000, 15_000)

    assert PLACEHOLDER in end(made, 16_000)
    assert CDR.objects.get().energy_wh == 1_000
    assert made.payment.review == Review.METER_DOUBT


def test_a_meter_that_counts_each_session_from_zero_is_believed() -> None:
    made = running(register_wh=0)
    earlier(made, 0, 15_000)

    assert end(made, 16_000) == []
    assert (CDR.objects.get().energy_wh, made.payment.review) == (16_000, "")


def test_without_start_value_and_samples_nothing_proves_any_energy() -> None:
    made = running(register_wh=None)

    end(made, 16_000)

    assert not CDR.objects.exists()
    assert (made.payment.state, made.payment.review) == (PaymentState.RELEASING, Review.METER_DOUBT)
    kept = SessionEvent.objects.get(kind="MeterDoubted")
    assert NO_START_VALUE in kept.data["doubts"]
    assert kept.number == made.session.event_count


def test_without_a_start_value_it_counts_from_the_first_sample() -> None:
    made = running(register_wh=None)
    with transaction.atomic():
        current_desk().metered(
            TransactionMetered(made.transaction.pk, (reading(made, 500, 30),), made.started_at)
        )

    assert NO_START_VALUE in end(made, 3_500)
    assert (CDR.objects.get().energy_wh, made.payment.review) == (3_000, Review.METER_DOUBT)


def test_the_charger_that_ends_without_a_final_value_is_billed_to_the_last_sample_and_flagged() -> None:
    made = running()
    made.meter(energy_wh=2_000, after_seconds=300)

    assert UNREADABLE_FINAL_VALUE in end(made, None)
    assert (CDR.objects.get().energy_wh, made.payment.review) == (2_000, Review.METER_DOUBT)


def test_a_final_sample_stands_in_for_a_final_value() -> None:
    made = running()
    made.meter(energy_wh=2_000, after_seconds=300)

    doubts = end(made, None, reading(made, 103_000, 600, context="Transaction.End"))

    assert doubts == []
    assert (CDR.objects.get().energy_wh, made.payment.review) == (3_000, "")


def test_what_could_not_be_read_is_said_and_does_not_hold_the_bill() -> None:
    made = running()
    unreadable = [
        reading(made, None, 60, problem="register is negative"),
        reading(made, None, 120, problem="register is negative"),
        reading(made, None, 180, power_w=9_000),
        reading(made, None, 240, current_a=Decimal(16)),
    ]
    with transaction.atomic():
        current_desk().metered(
            TransactionMetered(
                made.transaction.pk, tuple(unreadable), made.started_at + timedelta(seconds=240)
            )
        )

    assert end(made, 103_000) == ["2 meter value(s) dropped, register is negative"]
    assert (CDR.objects.get().energy_wh, made.payment.review) == (3_000, "")


def test_an_end_by_inference_needs_no_final_value() -> None:
    made = running()
    made.meter(energy_wh=2_000, after_seconds=300)
    Transaction.objects.filter(pk=made.transaction.pk).update(inferred=True)

    doubts = end(made, None, reason="Inferred")

    assert doubts == ["no final meter value: counted up to the last sample"]
    assert made.payment.review == ""


KWH_AS_WH = 1_234  # what stands in the register of a charger that means kWh and does not say so


def charge(made: Running, power_w: int | None, *, first: int = 1, last: int = 110) -> None:
    """11 kW with a sample a minute, as such a charger writes it: bare kWh figures, and its power in W."""
    for minute in range(first, last + 1):
        at = made.started_at + timedelta(minutes=minute)
        samples = [{"value": f"{KWH_AS_WH + 11 * minute / 60:.3f}"}]
        if power_w is not None:
            samples.append({"value": str(power_w), "unit": "W", "measurand": "Power.Active.Import"})
        readings = read_meter_values([{"timestamp": at.isoformat(), "sampledValue": samples}], at)
        with transaction.atomic():
            current_desk().metered(TransactionMetered(made.transaction.pk, readings, at))


def test_kwh_for_wh_throughout_is_told_by_the_power_billed_as_told_and_flagged() -> None:
    """20 kWh told as 1234 to 1254, at 11 kW: nothing jumps, and the bill would be a cent without a word."""
    made = running(register_wh=KWH_AS_WH)
    charge(made, 11_000)

    (doubt,) = end(made, KWH_AS_WH + 20, after_seconds=6_610)

    assert doubt == "the register shows 20 Wh, the reported power at least 19983 Wh (kWh sent as Wh?)"
    assert (CDR.objects.get().energy_wh, CDR.objects.get().total_incl_minor) == (20, 1)
    assert (made.payment.state, made.payment.review) == (PaymentState.CAPTURING, Review.METER_DOUBT)
    assert made.session.needs_review == doubt


def test_kwh_for_wh_that_leave_nothing_to_charge_are_flagged_too() -> None:
    made = running(register_wh=KWH_AS_WH)
    charge(made, 11_000, last=33)

    end(made, KWH_AS_WH + 6, after_seconds=2_000)

    assert not CDR.objects.exists()
    assert (made.payment.state, made.payment.review) == (PaymentState.RELEASING, Review.METER_DOUBT)
    kept = SessionEvent.objects.get(kind="MeterDoubted")
    assert kept.data["doubts"].startswith("the register shows 6 Wh, the reported power at least")


@pytest.mark.parametrize("power_w", [None, 11, 11_000_000], ids=["no power", "kW for W", "W for kW"])
def test_power_that_proves_nothing_raises_no_doubt(power_w: int | None) -> None:
    made = running(register_wh=KWH_AS_WH)
    charge(made, power_w)

    assert end(made, KWH_AS_WH + 20, after_seconds=6_610) == []
    assert made.payment.review == ""


def test_a_power_that_is_repeated_while_the_vehicle_pauses_is_no_evidence() -> None:
    made = running(register_wh=KWH_AS_WH)
    charge(made, 11_000, last=2)
    paused_at = made.started_at + timedelta(minutes=2)
    evse_pk = made.session.evse_id
    with transaction.atomic():
        current_desk().status_changed(
            EvseStatusChanged(evse_pk, EvseStatus.SUSPENDED_EV, "NoError", paused_at, paused_at)
        )
    charge(made, 11_000, first=3)

    end(made, KWH_AS_WH + 20, after_seconds=6_610)

    assert made.payment.review == ""


def test_power_without_a_register_is_evidence_and_what_came_before_or_after_the_session_is_none() -> None:
    minutes = {"before": range(-20, 0), "after": range(11, 31), "during": range(11)}
    for when, reported in minutes.items():
        made = running(register_wh=KWH_AS_WH)
        readings = [reading(made, None, 60 * minute, power_w=11_000) for minute in reported]

        end(made, KWH_AS_WH + 20, *readings, after_seconds=600)

        assert made.payment.review == (Review.METER_DOUBT if when == "during" else ""), when


# --- The charger's own value at the start ---------------------------------------------------------


@pytest.mark.parametrize("begin_after_seconds", [-1, 0, 1])
def test_a_start_value_that_the_chargers_own_sample_contradicts_is_not_billed(
    begin_after_seconds: int,
) -> None:
    """The odometer of a young meter passes for a charge: power and time would have allowed it."""
    made = running(register_wh=0)

    doubts = end(
        made,
        45_000,
        reading(made, 40_000, begin_after_seconds, context="Transaction.Begin"),
        reading(made, 45_000, 1800, context="Transaction.End"),
        after_seconds=1800,
    )

    assert UNLIKE_BEGIN.format(told=0, begin=40_000) in doubts
    assert (CDR.objects.get().energy_wh, made.payment.review) == (5_000, Review.METER_DOUBT)


@pytest.mark.parametrize(
    ("start_wh", "begin_wh", "stop_wh"),
    [
        (0, 40_000, 5_000),  # start and stop count from 0 each time, the sample does not
        (40_000, 40_030, 45_000),  # it flowed before the sample was taken
        (40_000, 0, 45_000),
        (40_000, 99_000, 45_000),  # a spike
    ],
)
def test_a_sample_at_the_start_that_proves_nothing_changes_nothing(
    start_wh: int, begin_wh: int, stop_wh: int
) -> None:
    made = running(register_wh=start_wh)

    end(made, stop_wh, reading(made, begin_wh, 0, context="Transaction.Begin"), after_seconds=1800)

    assert CDR.objects.get().energy_wh == 5_000


def test_a_meter_of_the_session_that_is_told_on_the_way_is_believed() -> None:
    made = running(register_wh=0)
    begin = reading(made, 40_000, 0, context="Transaction.Begin")
    on_the_way = [reading(made, 15_000 * n, 600 * n) for n in (1, 2)]

    assert end(made, 45_000, begin, *on_the_way, after_seconds=1800) == []

    assert CDR.objects.get().energy_wh == 45_000


def test_a_zero_that_the_meter_itself_shows_is_no_placeholder() -> None:
    """The meter was replaced since the transaction before."""
    made = running(register_wh=0)
    earlier(made, 9_000, 15_000)

    assert end(made, 16_000, reading(made, 0, 0, context="Transaction.Begin")) == []
    assert CDR.objects.get().energy_wh == 16_000


def test_a_placeholder_is_found_also_where_the_end_has_a_sample() -> None:
    made = running(register_wh=0)
    earlier(made, 9_000, 15_000)

    assert PLACEHOLDER in end(made, 16_000, reading(made, 16_000, 600, context="Transaction.End"))
    assert CDR.objects.get().energy_wh == 1_000


def test_without_a_start_value_samples_by_a_slow_clock_lose_no_message() -> None:
    made = running(register_wh=None)
    late = made.started_at + timedelta(seconds=90)
    for wh, after_seconds in [(500, -3600), (1_000, -3540), (1_500, 60)]:
        with transaction.atomic():
            fact = TransactionMetered(made.transaction.pk, (reading(made, wh, after_seconds),), late)
            current_desk().metered(fact)

    assert MeterSample.objects.count() == 3
    assert made.session.energy_wh == 1_000
    end(made, 2_500)
    assert CDR.objects.get().energy_wh == 2_000
