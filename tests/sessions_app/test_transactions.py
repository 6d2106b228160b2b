"""What a charger's facts do to the session behind them, through the desk and the database."""

import itertools
from collections.abc import Callable
from datetime import timedelta

import pytest
from django.db import IntegrityError, transaction
from django.utils import timezone

from chargers.desk import current_desk
from chargers.facts import (
    CommandAction,
    CommandOutcome,
    EvseStatus,
    EvseStatusChanged,
    MeterReading,
    TransactionMetered,
    TransactionStarted,
)
from chargers.models import EVSE, Command, Transaction
from sessions_app import lifecycle
from sessions_app.errors import NothingToStop
from sessions_app.models import CDR, MeterSample, Session, SessionEvent
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


def late_start(session: Session) -> bool:
    """The charger opens a transaction with this session's tag now; returns whether it was accepted."""
    now = timezone.now()
    stray = Transaction.objects.create(
        station=session.evse.station,
        evse=session.evse,
        transaction_id=str(builders.next_number()),
        natural_key=session.id_tag,
        id_tag=session.id_tag,
        accepted=False,
        meter_start_wh=0,
        started_at=now,
        start_received_at=now,
    )
    fact = TransactionStarted(stray.pk, stray.station_id, stray.evse_id, session.id_tag, 0, now, now)
    with transaction.atomic():
        return current_desk().started(fact).accepted


class TestStart:
    def test_a_tap_asks_the_charger_once_with_a_fresh_tag(self) -> None:
        session = builders.cast().payment().session

        command = Command.objects.get(reference=str(session.pk))
        assert session.state == SessionState.REQUESTED
        assert command.action == CommandAction.START
        assert command.arguments["id_tag"] == session.id_tag
        assert len(session.id_tag) == 20

    def test_the_tag_of_a_live_session_charges_at_its_own_station_only(self) -> None:
        cast, other = builders.cast(), builders.cast()
        session = cast.payment().session
        now = timezone.now()

        assert current_desk().authorize(station_pk=cast.station.pk, id_tag=session.id_tag, at=now)
        assert not current_desk().authorize(station_pk=other.station.pk, id_tag=session.id_tag, at=now)

    def test_an_offline_charger_rejects_the_session_without_a_command(self) -> None:  # B2
        session = builders.cast(online=False).payment().session

        assert (session.state, session.refusal) == (SessionState.REJECTED, "offline")
        assert not Command.objects.filter(reference=str(session.pk)).exists()

    @pytest.mark.parametrize("status", [EvseStatus.FAULTED, EvseStatus.CHARGING, EvseStatus.RESERVED])
    def test_an_evse_that_cannot_start_rejects_the_session(self, status: EvseStatus) -> None:  # B3
        cast = builders.cast()
        EVSE.objects.filter(pk=cast.evse.pk).update(status=status)

        assert cast.payment().session.state == SessionState.REJECTED

    def test_the_second_card_on_one_evse_is_rejected(self) -> None:  # B8
        cast = builders.cast()
        first, second = cast.payment().session, cast.payment().session

        assert first.state == SessionState.REQUESTED
        assert (second.state, second.refusal) == (SessionState.REJECTED, "occupied")

    def test_the_database_refuses_two_live_sessions_on_one_evse(self) -> None:  # I1
        cast = builders.cast()
        first = cast.payment().session
        second = Session.objects.get(pk=cast.payment().session.pk)
        second.state, second.deadline_at = SessionState.REQUESTED, timezone.now()

        with pytest.raises(IntegrityError, match=r"session_one_live_per_evse|UNIQUE"), transaction.atomic():
            second.save()
        assert first.evse_id == second.evse_id

    @pytest.mark.parametrize(
        ("outcome", "state"),
        [
            (CommandOutcome.REJECTED, SessionState.REJECTED),
            (CommandOutcome.UNSENT, SessionState.REJECTED),
            (CommandOutcome.UNANSWERED, SessionState.EXPIRED),
        ],
    )
    def test_a_failed_start_ends_the_session(self, outcome: CommandOutcome, state: SessionState) -> None:
        payment = builders.cast().payment()

        builders.answer_start(payment, outcome)

        session = Session.objects.get(pk=payment.session_id)
        assert session.state == state
        assert session.refusal

    def test_a_transaction_after_the_session_expired_is_refused_and_stopped(self) -> None:  # B5
        payment = builders.cast().payment()
        builders.answer_start(payment, CommandOutcome.UNANSWERED)
        session = Session.objects.get(pk=payment.session_id)

        assert not late_start(session)

        session.refresh_from_db()
        assert Command.objects.filter(action=CommandAction.STOP, station=session.evse.station).count() == 1
        assert session.needs_review
        assert not CDR.objects.exists()

    def test_a_stray_that_does_not_stop_is_stopped_again_by_the_sweep(self) -> None:
        payment = builders.cast().payment()
        builders.answer_start(payment, CommandOutcome.UNANSWERED)
        session = Session.objects.get(pk=payment.session_id)
        late_start(session)
        stops = Command.objects.filter(action=CommandAction.STOP, station=session.evse.station)
        stops.update(created_at=timezone.now() - timedelta(minutes=5))

        sweep_sessions()
        sweep_sessions()

        assert stops.count() == 2

    def test_a_foreign_transaction_on_the_evse_expires_a_waiting_session(self) -> None:  # B10
        cast = builders.cast()
        payment = cast.payment()
        builders.answer_start(payment)
        now = timezone.now()
        foreign = TransactionStarted(0, cast.station.pk, cast.evse.pk, "SOME-RFID", 0, now, now)

        with transaction.atomic():
            assert not current_desk().started(foreign).accepted

        assert Session.objects.get(pk=payment.session_id).state == SessionState.EXPIRED

    def test_nobody_plugs_in_and_the_sweep_expires_the_session(self) -> None:  # B6
        payment = builders.cast().payment()
        builders.answer_start(payment, at=timezone.now() - timedelta(hours=1))

        sweep_sessions()
        sweep_sessions()

        session = Session.objects.get(pk=payment.session_id)
        assert session.state == SessionState.EXPIRED
        assert session.events.filter(kind="DeadlinePassed").count() == 1

    def test_a_stop_before_the_start_cancels(self) -> None:  # B37
        session = builders.cast().payment().session

        lifecycle.request_stop(session.pk, reason=StopReason.TERMINAL, actor="terminal", now=timezone.now())

        session.refresh_from_db()
        assert session.state == SessionState.CANCELLED
        assert not late_start(session)


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


class TestEnd:
    def test_an_unplugged_session_gets_its_cdr(self) -> None:  # B11
        running = builders.cast().running()
        running.meter(energy_wh=1000, after_seconds=60)

        running.end(energy_wh=2000, after_seconds=120)

        session, cdr = running.session, CDR.objects.get()
        assert (session.state, session.stop_reason) == (SessionState.ENDED, StopReason.UNPLUGGED)
        assert (cdr.energy_wh, cdr.total_incl_minor, cdr.duration_seconds) == (2000, 100, 120)
        assert sum(line["incl_minor"] for line in cdr.lines) == cdr.total_incl_minor
        assert cdr.session_id == session.pk

    def test_cost_beyond_the_hold_is_written_off_and_the_lines_still_sum(self) -> None:  # I4
        running = builders.cast().running(authorized_minor=100)

        running.end(energy_wh=2500, after_seconds=120)

        cdr = CDR.objects.get()
        assert (cdr.total_incl_minor, cdr.written_off_minor) == (100, 25)
        assert sum(line["incl_minor"] for line in cdr.lines) == 100
        assert sum(group["gross_minor"] for group in cdr.vat_groups) == 100
        assert sum(group["net_minor"] for group in cdr.vat_groups) == cdr.total_excl_minor

    def test_a_session_without_energy_costs_nothing(self) -> None:  # B15
        running = builders.cast().running()

        running.end(energy_wh=9, after_seconds=60)

        assert running.session.state == SessionState.ENDED
        assert not CDR.objects.exists()

    def test_the_price_is_that_of_the_tap_whatever_the_tariff_became(self) -> None:  # B31
        cast = builders.cast()
        running = cast.running()
        tariff = cast.tariff_version.tariff
        dearer = builders.tariff_terms(
            id=tariff.tariff_id,
            elements=(builders.TariffElement((builders.PriceComponent(builders.Dimension.ENERGY, 9),)),),
        )
        builders.save_tariff(dearer)

        running.end(energy_wh=1000, after_seconds=60)

        assert CDR.objects.get().total_incl_minor == 50

    def test_the_database_refuses_a_second_cdr_and_one_beyond_the_hold(self) -> None:  # I3, I4
        running = builders.cast().running()
        running.end(energy_wh=2000, after_seconds=120)
        cdr = CDR.objects.get()

        with pytest.raises(IntegrityError), transaction.atomic():
            CDR.objects.filter(pk=cdr.pk).update(total_incl_minor=cdr.limit_minor + 1)
        cdr.pk = builders.uuid.uuid4()
        with pytest.raises(IntegrityError), transaction.atomic():
            cdr.save(force_insert=True)

    def test_a_wrong_clock_does_not_change_what_is_billed(self) -> None:  # B34
        cast = builders.cast()
        payment = cast.payment()
        builders.answer_start(payment)
        session = Session.objects.get(pk=payment.session_id)
        now = timezone.now()
        wrong = now - timedelta(days=20_000)
        opened = Transaction.objects.create(
            station=cast.station,
            evse=cast.evse,
            transaction_id="77",
            natural_key="k",
            id_tag=session.id_tag,
            accepted=True,
            meter_start_wh=0,
            started_at=wrong,
            start_received_at=now,
        )
        with transaction.atomic():
            current_desk().started(
                TransactionStarted(opened.pk, cast.station.pk, cast.evse.pk, session.id_tag, 0, wrong, now)
            )
        running = builders.Running(payment, opened, wrong, 0)
        reading = MeterReading(
            wrong + timedelta(seconds=60), now + timedelta(seconds=60), register_wh=1000, power_w=60_000
        )
        with transaction.atomic():
            current_desk().metered(TransactionMetered(opened.pk, (reading,), now + timedelta(seconds=60)))

        session = running.session
        assert session.energy_wh == 1000
        assert session.started_at == now
        assert session.metered_at == now + timedelta(seconds=60)

    def test_nothing_is_left_to_stop_once_it_is_over(self) -> None:
        running = builders.cast().running()
        running.end(energy_wh=1000, after_seconds=60)

        with pytest.raises(NothingToStop):
            lifecycle.request_stop(
                running.payment.session_id, reason=StopReason.TERMINAL, actor="t", now=timezone.now()
            )

    def test_the_journal_replays_to_the_state(self) -> None:  # S15
        running = builders.cast().running()
        running.meter(energy_wh=1000, after_seconds=60)
        running.end(energy_wh=2000, after_seconds=120)

        events = list(running.session.events.all())
        assert [event.number for event in events] == list(range(1, len(events) + 1))
        assert all(a.state_after == b.state_before for a, b in itertools.pairwise(events))
        assert events[-1].state_after == running.session.state
