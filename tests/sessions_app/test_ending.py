"""A session's end: the CDR, frozen once and never beyond the hold."""

import itertools
from datetime import timedelta
from decimal import Decimal

import pytest
from django.db import IntegrityError, transaction
from django.utils import timezone

from chargers.desk import current_desk
from chargers.facts import (
    MeterReading,
    TransactionEnded,
    TransactionMetered,
    TransactionStarted,
)
from chargers.models import Transaction
from sessions_app import lifecycle
from sessions_app.errors import NothingToStop
from sessions_app.models import CDR, Session
from sessions_app.states import SessionState, StopReason
from tariffs.engine.terms import Dimension, PriceComponent, TariffElement
from tests import builders

pytestmark = pytest.mark.django_db


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

    def test_a_transaction_forgotten_for_hours_is_billed_up_to_its_last_sample(self) -> None:  # B17
        prices = (
            PriceComponent(Dimension.ENERGY, Decimal("0.50"), builders.VAT),
            PriceComponent(Dimension.TIME, Decimal(6), builders.VAT),
        )
        terms = builders.tariff_terms(elements=(TariffElement(prices),))
        running = builders.cast(terms=terms).running()
        running.meter(energy_wh=5000, after_seconds=600)

        # The charger came back without a word and began another transaction five hours later.
        received_at = running.started_at + timedelta(hours=5)
        fact = TransactionEnded(running.transaction.pk, None, received_at, received_at, "Inferred")
        current_desk().ended(fact)

        cdr = CDR.objects.get()
        assert (cdr.duration_seconds, cdr.total_incl_minor) == (600, 250 + 100)

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

        cdr.pk = builders.uuid.uuid4()
        with (
            pytest.raises(IntegrityError, match=r"cdr_one_per_session|sessions_app_cdr.session_id"),
            transaction.atomic(),
        ):
            cdr.save(force_insert=True)
        cdr.session = builders.cast().running().session
        cdr.total_incl_minor = cdr.limit_minor + 1
        with pytest.raises(IntegrityError, match="cdr_within_hold"), transaction.atomic():
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

    def test_staff_close_a_dead_chargers_session_once_and_it_is_billed_to_its_last_value(self) -> None:
        running = builders.cast().running()
        running.meter(energy_wh=1000, after_seconds=60)

        session_id = running.payment.session_id
        lifecycle.close_in_books(session_id, actor="staff", reason="silent", now=timezone.now())
        with pytest.raises(NothingToStop):
            lifecycle.close_in_books(session_id, actor="staff", reason="silent", now=timezone.now())

        cdr = CDR.objects.get()
        assert (cdr.energy_wh, cdr.total_incl_minor, cdr.duration_seconds) == (1000, 50, 60)
        assert Transaction.objects.get(pk=running.transaction.pk).inferred

    def test_the_journal_replays_to_the_state(self) -> None:  # S15
        running = builders.cast().running()
        running.meter(energy_wh=1000, after_seconds=60)
        running.end(energy_wh=2000, after_seconds=120)

        events = list(running.session.events.all())
        assert [event.number for event in events] == list(range(1, len(events) + 1))
        assert all(a.state_after == b.state_before for a, b in itertools.pairwise(events))
        assert events[-1].state_after == running.session.state
