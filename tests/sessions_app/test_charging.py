"""A running session: energy, cost, pauses and the paid limit, as the charger tells them."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.db import transaction
from django.utils import timezone

from chargers.desk import current_desk
from chargers.facts import (
    CommandAction,
    EvseStatus,
    EvseStatusChanged,
    MeterReading,
    TransactionMetered,
)
from chargers.models import Command, Transaction
from sessions_app import lifecycle
from sessions_app.models import MeterSample, Session, SessionEvent
from sessions_app.states import SessionState, StopReason
from sessions_app.tasks import sweep_sessions
from tests import builders

pytestmark = pytest.mark.django_db


def stops_of(session: Session) -> int:
    return Command.objects.filter(action=CommandAction.STOP, reference=str(session.pk)).count()


def report_status(running: builders.Running, status: EvseStatus, *, after_seconds: int) -> None:
    at = running.started_at + timedelta(seconds=after_seconds)
    with transaction.atomic():
        current_desk().status_changed(
            EvseStatusChanged(running.transaction.evse_id, status, "NoError", at, at)
        )


class TestCharging:
    def test_meter_values_move_energy_cost_and_power(self) -> None:
        running = builders.cast().running()

        running.meter(energy_wh=1000, after_seconds=60, power_w=60_000)

        session = running.session
        assert session.state == SessionState.CHARGING
        assert (session.energy_wh, session.cost_incl_minor, session.power_w) == (1000, 50, 60_000)
        assert session.stop_at is not None
        assert session.limit_energy_wh == 120_000  # 60.00 EUR at 0.50 EUR/kWh

    def test_the_same_sample_twice_counts_once(self) -> None:  # S9
        running = builders.cast().running()
        for _ in range(3):
            running.meter(energy_wh=1000, after_seconds=60)

        assert running.session.energy_wh == 1000
        assert MeterSample.objects.filter(session=running.session).count() == 1

    def test_energy_and_cost_shown_never_fall(self) -> None:  # S8
        running = builders.cast().running()
        running.meter(energy_wh=1000, after_seconds=60)
        running.meter(energy_wh=400, after_seconds=75)

        session = running.session
        assert (session.energy_wh, session.cost_incl_minor) == (1000, 50)
        assert MeterSample.objects.get(session=session, dropped__gt="").dropped == "register went back"

    def test_a_jump_beyond_the_connectors_power_is_dropped_with_its_reason(self) -> None:
        running = builders.cast().running()
        running.meter(energy_wh=910_000, after_seconds=15)

        assert running.session.energy_wh == 0
        assert MeterSample.objects.get().dropped == "more than the connector can give"

    def test_the_paid_limit_stops_at_its_forecast_and_only_once(self) -> None:  # B13
        running = builders.cast().running(authorized_minor=100)  # 2 kWh
        running.meter(energy_wh=1000, after_seconds=60, power_w=60_000)
        due = running.session.stop_at
        assert due is not None
        assert running.started_at + timedelta(seconds=110) < due < running.started_at + timedelta(seconds=121)

        with transaction.atomic():
            early = current_desk().look_again(
                transaction_pk=running.transaction.pk, at=due - timedelta(seconds=5)
            )
        assert early == due
        for _ in range(2):
            with transaction.atomic():
                current_desk().look_again(transaction_pk=running.transaction.pk, at=due)

        session = running.session
        assert (session.state, session.stop_reason) == (SessionState.STOPPING, StopReason.PAID_LIMIT)
        assert stops_of(session) == 1

    def test_a_sample_that_passes_the_limit_stops_in_the_same_transaction(self) -> None:  # S16
        running = builders.cast().running(authorized_minor=100)
        running.meter(energy_wh=2100, after_seconds=60)

        session = running.session
        assert session.state == SessionState.STOPPING
        assert session.cost_incl_minor == 100  # what is shown is never beyond the hold
        assert stops_of(session) == 1

    def test_a_power_that_the_register_contradicts_is_not_believed(self) -> None:
        running = builders.cast().running(authorized_minor=100)  # 2 kWh, at 60 kW after 120 s
        running.meter(energy_wh=1000, after_seconds=60, power_w=0)

        stop_at = running.session.stop_at

        assert stop_at is not None
        assert stop_at <= running.started_at + timedelta(seconds=120)

    def test_a_sample_a_moment_after_another_says_nothing_new_of_the_power(self) -> None:
        running = builders.cast().running(authorized_minor=100)  # 2 kWh, at 60 kW after 120 s
        running.meter(energy_wh=1000, after_seconds=60, power_w=60_000)
        planned = running.session.stop_at
        running.meter(energy_wh=1020, after_seconds=61, power_w=60_000)  # 20 Wh in a second: 72 kW

        assert planned is not None
        assert running.session.stop_at is not None
        assert abs((running.session.stop_at - planned).total_seconds()) < 0.5

    def test_samples_that_come_each_few_seconds_tell_the_power_over_some_of_them(self) -> None:
        cast = builders.cast()
        running = cast.running()
        for seconds in range(5, 65, 5):
            running.meter(energy_wh=5 * seconds, after_seconds=seconds)  # 18 kW, and no power measurand

        assert running.session.power_w == 18_000

    def test_without_a_power_measurand_a_short_step_leaves_the_power_as_it_was(self) -> None:
        running = builders.cast().running()
        running.meter(energy_wh=1000, after_seconds=60)
        running.meter(energy_wh=1020, after_seconds=61)

        assert running.session.power_w == 60_000

    def test_time_in_which_the_charger_gives_nothing_is_not_parking(self) -> None:
        running = builders.cast().running()
        report_status(running, EvseStatus.SUSPENDED_EVSE, after_seconds=10)
        running.meter(energy_wh=0, after_seconds=20)

        assert running.session.state == SessionState.SUSPENDED
        assert not MeterSample.objects.get().parked

    @pytest.mark.parametrize(
        ("statuses", "parked"),
        [
            ([], True),
            ([EvseStatus.SUSPENDED_EV], True),
            ([EvseStatus.SUSPENDED_EVSE], False),
            ([EvseStatus.SUSPENDED_EVSE, EvseStatus.SUSPENDED_EV], True),
            ([EvseStatus.SUSPENDED_EVSE, EvseStatus.CHARGING], True),
        ],
    )
    def test_a_power_of_nothing_is_parking_unless_the_charger_withholds_it(
        self, statuses: list[EvseStatus], parked: bool
    ) -> None:
        running = builders.cast().running()
        running.meter(energy_wh=1000, after_seconds=60, power_w=60_000)
        for seconds, status in enumerate(statuses, start=61):
            report_status(running, status, after_seconds=seconds)

        running.meter(energy_wh=1000, after_seconds=70, power_w=0)
        running.meter(energy_wh=1000, after_seconds=80, power_w=0)

        assert [sample.parked for sample in MeterSample.objects.all()] == [False, parked, parked]

    def test_an_evse_that_withholds_from_the_start_lets_nobody_park(self) -> None:
        running = builders.start(builders.cast().payment(), evse_status=EvseStatus.SUSPENDED_EVSE)

        running.meter(energy_wh=0, after_seconds=60, power_w=0)

        assert not MeterSample.objects.get().parked

    def test_a_silent_meter_is_stopped_as_if_the_connector_gave_all_it_can(self) -> None:
        running = builders.cast().running(authorized_minor=100)  # 2 kWh at 150 kW: 48 s

        stop_at = running.session.stop_at

        assert stop_at is not None
        assert stop_at <= running.started_at + timedelta(seconds=48)

    def test_the_sweep_is_the_second_path_to_the_paid_limit(self) -> None:
        running = builders.cast().running(authorized_minor=100, now=timezone.now() - timedelta(hours=1))

        sweep_sessions()

        assert running.session.stop_reason == StopReason.PAID_LIMIT

    def test_a_full_battery_is_stopped_after_the_grace_time(self) -> None:  # B12
        running = builders.cast().running(now=timezone.now() - timedelta(hours=1))
        running.meter(energy_wh=1000, after_seconds=60, power_w=0)
        report_status(running, EvseStatus.SUSPENDED_EV, after_seconds=61)
        assert running.session.state == SessionState.SUSPENDED

        sweep_sessions()

        session = running.session
        assert (session.state, session.stop_reason) == (SessionState.STOPPING, StopReason.BATTERY_FULL)

    def test_energy_after_a_pause_charges_again(self) -> None:
        running = builders.cast().running()
        report_status(running, EvseStatus.SUSPENDED_EV, after_seconds=10)
        report_status(running, EvseStatus.CHARGING, after_seconds=20)

        assert running.session.state == SessionState.CHARGING

    def test_a_charger_that_forgot_ends_the_session_at_its_last_value(self) -> None:  # B17
        running = builders.cast().running(now=timezone.now() - timedelta(hours=1))
        running.meter(energy_wh=1000, after_seconds=60)
        report_status(running, EvseStatus.AVAILABLE, after_seconds=70)

        sweep_sessions()

        session = running.session
        assert (session.state, session.stop_reason) == (SessionState.ENDED, StopReason.FORGOTTEN)
        assert session.cdrs.get().energy_wh == 1000
        assert Transaction.objects.get(pk=running.transaction.pk).inferred

    def test_a_stop_is_asked_of_the_charger_once_however_often_it_is_pressed(self) -> None:
        running = builders.cast().running()
        for _ in range(3):
            lifecycle.request_stop(
                running.payment.session_id, reason=StopReason.TERMINAL, actor="t", now=timezone.now()
            )

        assert stops_of(running.session) == 1

    def test_meter_values_do_not_write_a_journal_line_each(self) -> None:
        running = builders.cast().running()
        before = SessionEvent.objects.count()
        for second in (10, 20, 30):
            running.meter(energy_wh=second * 10, after_seconds=second)

        assert SessionEvent.objects.count() == before

    def test_a_meter_value_takes_a_bounded_number_of_queries(
        self, django_assert_max_num_queries: Callable
    ) -> None:
        running = builders.cast().running()
        running.meter(energy_wh=100, after_seconds=10, power_w=1000)
        at = running.started_at + timedelta(seconds=20)
        reading = MeterReading(at, at, register_wh=running.register_wh + 200, power_w=1000)

        with django_assert_max_num_queries(8), transaction.atomic():
            current_desk().metered(TransactionMetered(running.transaction.pk, (reading,), at))
