"""Sessions: each platform gets those that it paid for, and learns of holds to drop."""

from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from payments import settlement
from payments.models import Payment
from payments.ocpi.cdrs import zero_cdr_id
from payments.ocpi.sessions import parse_session
from payments.states import PaymentState
from tests import builders
from tests.builders import Cast
from tests.payments.ocpi_server.paying import LONG_AGO, PUSHED, TOKEN, charged, elsewhere, tap, text_of
from tests.payments.ocpi_server.reader import Reader

# --- Sessions -------------------------------------------------------------------------------------


def test_a_session_is_told_while_it_runs(cast: Cast, ptp: Reader) -> None:
    payment = tap(cast, ptp)
    running = builders.start(payment)
    running.meter(energy_wh=4_000, after_seconds=300)

    (session,) = ptp.get("sessions", date_from=LONG_AGO).data

    assert (session["id"], session["status"]) == (str(payment.session_id), "ACTIVE")
    assert (session["kwh"], session["total_cost"]["before_taxes"]) == (4, _excl(payment))
    assert sum(tax["amount"] for tax in session["total_cost"]["taxes"]) == 2 - _excl(payment)
    assert (session["cdr_token"], session["auth_method"]) == (TOKEN, "COMMAND")
    assert session["authorization_reference"] == payment.authorization_reference
    assert (session["location_id"], session["evse_uid"]) == (cast.site.location_id, cast.evse.uid)


def _excl(payment: Payment):
    payment.session.refresh_from_db()
    return builders.Decimal(payment.session.cost_excl_minor).scaleb(-2)


@pytest.mark.parametrize("version", ["2.2.1", "2.3.0"])
def test_what_we_tell_reads_as_a_session(cast: Cast, ptp: Reader, version: str) -> None:
    ptp.version = version
    payment = charged(cast, ptp)

    session = ptp.get(f"sessions/FI/EMB/{payment.session_id}").data

    read = parse_session(session)
    assert (read.status, read.total.incl) == ("COMPLETED", 5)
    assert read.end_at is not None


def test_a_session_that_waits_for_the_cable_is_pending(cast: Cast, ptp: Reader) -> None:
    tap(cast, ptp)

    assert ptp.get("sessions", date_from=LONG_AGO).data[0]["status"] == "PENDING"


def test_the_list_of_sessions_needs_a_date(ptp: Reader) -> None:
    for query in ({}, {"date_from": ""}, {"date_from": "today"}, {"date_to": LONG_AGO}):
        answer = ptp.get("sessions", **query)
        assert (answer.http_status, answer.status) == (200, 2001), query


def test_sessions_are_listed_by_when_they_changed(cast: Cast, ptp: Reader) -> None:
    tap(cast, ptp, now=timezone.now() - timedelta(minutes=10))

    def since(minutes: int) -> int:
        return ptp.get("sessions", date_from=text_of(timezone.now() - timedelta(minutes=minutes))).total

    assert (since(11), since(9)) == (1, 0)
    nine_ago = text_of(timezone.now() - timedelta(minutes=9))
    assert ptp.get("sessions", date_from=LONG_AGO, date_to=nine_ago).total == 1
    assert ptp.get("sessions", date_from=LONG_AGO, date_to="2020-01-02T00:00:00Z").total == 0


def test_a_page_takes_a_fixed_number_of_queries(cast: Cast, ptp: Reader) -> None:
    """Waiting, running, over, and over without a bill: each on a site of its own."""

    def queries(number: int) -> int:
        with CaptureQueriesContext(connection) as captured:
            assert len(ptp.get("sessions", date_from=LONG_AGO).data) == number
        return len(captured)

    def one_of_each(first: Cast) -> None:
        tap(first, ptp)
        builders.start(tap(elsewhere(), ptp)).meter(energy_wh=4_000, after_seconds=300)
        charged(elsewhere(), ptp)
        charged(elsewhere(), ptp, energy_wh=0)

    one_of_each(cast)
    queries(4)  # which tells that a hold is to be dropped, and that is noted
    few = queries(4)
    for _ in range(3):
        one_of_each(elsewhere())
    queries(16)

    assert queries(16) == few <= 9


def test_charging_preferences_are_nothing_that_we_have(cast: Cast, ptp: Reader) -> None:
    payment = tap(cast, ptp)

    answer = ptp.send("PUT", f"sessions/{payment.session_id}/charging_preferences")

    assert (answer.http_status, answer.status) == (404, 2001)


# --- Holds to drop --------------------------------------------------------------------------------


def test_a_platform_that_takes_no_pushes_drops_the_hold_when_it_sees_the_session(
    cast: Cast, ptp: Reader
) -> None:
    payment = charged(cast, ptp, energy_wh=0)
    assert payment.state == PaymentState.RELEASING

    (session,) = ptp.get("sessions", date_from=LONG_AGO).data

    assert session["status"] == "INVALID"
    payment.refresh_from_db()
    assert payment.state == PaymentState.RELEASED


def test_a_platform_that_takes_pushes_answers_them_instead(cast: Cast, ptp: Reader) -> None:
    ptp.change(endpoints=PUSHED)
    payment = charged(cast, ptp, energy_wh=0)

    ptp.get("sessions", date_from=LONG_AGO)

    payment.refresh_from_db()
    assert payment.state == PaymentState.RELEASING


def test_a_hold_becomes_due_for_release_in_time_for_the_next_look(cast: Cast, ptp: Reader) -> None:
    """The session is over before the payment knows: a look in between must not be the last one."""
    payment = tap(cast, ptp, now=timezone.now() - timedelta(minutes=5))
    builders.answer_start(payment, builders.CommandOutcome.REJECTED)
    ptp.get("sessions", date_from=LONG_AGO)
    looked_at = timezone.now()
    payment.refresh_from_db()
    assert payment.state == PaymentState.AUTHORIZED

    settlement.settle(payment.pk, now=timezone.now())
    ptp.get("sessions", date_from=text_of(looked_at))

    payment.refresh_from_db()
    assert payment.state == PaymentState.RELEASED


def test_where_a_cdr_is_the_signal_the_session_alone_releases_nothing(cast: Cast, ptp: Reader) -> None:
    ptp.change(release_signal="ZERO_COST_CDR")
    payment = charged(cast, ptp, energy_wh=0)

    ptp.get("sessions", date_from=LONG_AGO)
    payment.refresh_from_db()
    assert payment.state == PaymentState.RELEASING
    (cdr,) = ptp.get("cdrs").data

    payment.refresh_from_db()
    assert payment.state == PaymentState.RELEASED
    assert cdr["id"] == str(zero_cdr_id(payment.session_id))
    assert (cdr["total_cost"]["before_taxes"], cdr["session_id"]) == (0, str(payment.session_id))
    assert ptp.get("cdrs").data == [cdr]
    assert ptp.get(f"cdrs/{cdr['id']}").data == cdr


def test_a_platform_that_takes_cdrs_releases_by_answering_them(cast: Cast, ptp: Reader) -> None:
    ptp.change(release_signal="ZERO_COST_CDR", endpoints=PUSHED)
    payment = charged(cast, ptp, energy_wh=0)

    assert len(ptp.get("cdrs").data) == 1

    payment.refresh_from_db()
    assert payment.state == PaymentState.RELEASING


def test_where_the_session_is_the_signal_no_cdr_costs_nothing(cast: Cast, ptp: Reader) -> None:
    charged(cast, ptp, energy_wh=0)

    assert ptp.get("cdrs").data == []
