"""A session's beginning: the tap, the charger's answer, and everyone who comes too late."""

from datetime import timedelta

import pytest
from django.db import IntegrityError, transaction
from django.utils import timezone

from chargers.desk import current_desk
from chargers.facts import (
    CommandAction,
    CommandOutcome,
    EvseStatus,
)
from chargers.models import EVSE, Command
from sessions_app import lifecycle
from sessions_app.models import CDR, Session
from sessions_app.states import SessionState, StopReason
from sessions_app.tasks import sweep_sessions
from tests import builders
from tests.sessions_app.test_strays import begin_stray

pytestmark = pytest.mark.django_db


def late_start(session: Session) -> bool:
    """The charger opens a transaction with this session's tag now; returns whether it was accepted."""
    assert session.evse.station is not None
    return begin_stray(session.evse, session.id_tag)[1]


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

    def test_a_foreign_transaction_on_the_evse_expires_a_waiting_session(self) -> None:  # B10
        cast = builders.cast()
        payment = cast.payment()
        builders.answer_start(payment)

        assert not begin_stray(cast.evse, "SOME-RFID")[1]

        assert Session.objects.get(pk=payment.session_id).state == SessionState.EXPIRED

    def test_an_old_start_out_of_the_chargers_queue_takes_nothing_from_a_waiting_session(self) -> None:
        cast = builders.cast()
        payment = cast.payment()
        builders.answer_start(payment)

        assert not begin_stray(cast.evse, "SOME-RFID", started_at=timezone.now() - timedelta(hours=3))[1]

        assert Session.objects.get(pk=payment.session_id).state == SessionState.STARTING

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
