"""CDRs: exactly one by its id, whatever is lost on the way; a refused one is shown to staff."""

from datetime import timedelta

import pytest
from django.utils import timezone

from chargers.facts import CommandOutcome
from chargers.models import EVSE, Connector, Site
from payments import decisions, outbox, settlement
from payments.models import OcpiConnection, OutboxMessage, Payment
from payments.ocpi.cdrs import zero_cdr_id
from payments.ocpi.push.remembered import Kind, recall
from payments.settlement import OCPI_CDR, OCPI_SESSION, CaptureReport
from payments.simulator.ocpi.wire import Reply
from payments.states import CaptureStatus, PaymentState, Review
from sessions_app.models import CDR, Session
from tests import builders
from tests.payments.ocpi_push.platform import LOST, Platform, deliver, message, platform, reply


def ended(ptp: Platform) -> Payment:
    """A payment of 5.00 EUR whose Session has been told, and whose CDR is due."""
    payment = ptp.running().end(energy_wh=10_000, after_seconds=1200)
    deliver(ptp, OCPI_SESSION, payment.pk)
    ptp.forget_calls()
    return payment


def cdr_of(payment: Payment) -> CDR:
    return CDR.objects.get(session=payment.session_id, credit_of=None)


def test_a_cdr_is_posted_once_under_its_own_id(ptp: Platform) -> None:
    payment = ended(ptp)

    assert deliver(ptp, OCPI_CDR, payment.pk)
    assert not deliver(ptp, OCPI_CDR, payment.pk)

    assert ptp.calls == ["POST cdrs"]
    assert ptp.last.body["id"] == str(cdr_of(payment).pk)
    assert ptp.last.body["authorization_reference"] == payment.authorization_reference


def test_a_cdr_leaves_after_its_session(ptp: Platform) -> None:
    payment = ptp.running().end(energy_wh=10_000, after_seconds=1200)

    assert not deliver(ptp, OCPI_CDR, payment.pk)
    deliver(ptp, OCPI_SESSION, payment.pk)
    assert deliver(ptp, OCPI_CDR, payment.pk)

    assert ptp.methods == ["PUT", "POST"]


def test_an_answer_that_was_lost_is_asked_for_before_the_cdr_is_posted_again(ptp: Platform) -> None:
    payment = ended(ptp)
    ptp.answers = [LOST]

    assert not deliver(ptp, OCPI_CDR, payment.pk)
    assert deliver(ptp, OCPI_CDR, payment.pk)

    assert ptp.methods == ["POST", "GET"]
    assert ptp.calls[-1] == f"GET cdrs/{cdr_of(payment).pk}"


def test_a_cdr_that_did_not_arrive_is_posted_again_with_the_same_words(ptp: Platform) -> None:
    payment = ended(ptp)
    ptp.answers = [reply(3000, http_status=500)]

    assert not deliver(ptp, OCPI_CDR, payment.pk)
    assert deliver(ptp, OCPI_CDR, payment.pk)

    assert ptp.methods == ["POST", "GET", "POST"]
    assert ptp.server.received[0].raw == ptp.last.raw


def test_a_worker_that_died_with_it_leaves_no_second_cdr(ptp: Platform) -> None:
    payment = ended(ptp)
    deliver(ptp, OCPI_CDR, payment.pk)
    row = message(ptp, OCPI_CDR, payment.pk)
    OutboxMessage.objects.filter(pk=row.pk).update(
        state=OutboxMessage.State.DUE, claimed_until=timezone.now() - timedelta(seconds=1)
    )

    assert deliver(ptp, OCPI_CDR, payment.pk)

    assert ptp.methods == ["POST", "GET"]


@pytest.mark.parametrize("http_status", [200, 400])
def test_a_refused_cdr_is_shown_to_staff_and_not_repeated_for_ever(ptp: Platform, http_status: int) -> None:
    payment = ended(ptp)
    for attempts in range(1, 10):
        ptp.answers = [reply(2001, http_status=http_status, message="tariff_id is missing")]
        if attempts > 1:
            ptp.answers.insert(0, reply(2001, http_status=404))  # to the GET
        deliver(ptp, OCPI_CDR, payment.pk)
        if message(ptp, OCPI_CDR, payment.pk).state == "GIVEN_UP":
            break

    payment.refresh_from_db()
    assert (attempts, payment.review) == (5, Review.CDR_REFUSED)
    assert "tariff_id is missing" in message(ptp, OCPI_CDR, payment.pk).last_error


def test_staff_may_send_a_refused_cdr_again(ptp: Platform) -> None:
    payment = ended(ptp)
    ptp.answers = [reply(2001)]
    deliver(ptp, OCPI_CDR, payment.pk)
    OutboxMessage.objects.filter(topic=OCPI_CDR).update(state=OutboxMessage.State.GIVEN_UP)

    outbox.replay(message(ptp, OCPI_CDR, payment.pk), now=timezone.now())

    assert deliver(ptp, OCPI_CDR, payment.pk)
    assert message(ptp, OCPI_CDR, payment.pk).state == "DELIVERED"


@pytest.mark.parametrize("elsewhere", [False, True])
def test_where_the_platform_keeps_it_is_remembered_for_its_own_host_only(
    ptp: Platform, elsewhere: bool
) -> None:
    payment = ended(ptp)
    if elsewhere:
        ptp.answers = [Reply(headers={"Location": "https://attacker.example/cdrs/1"})]

    deliver(ptp, OCPI_CDR, payment.pk)

    subject = str(cdr_of(payment).pk)
    location = "" if elsewhere else f"{ptp.server.url}/ocpi/cdrs/{subject}"
    assert recall(ptp.connection, Kind.CDR, subject) == {"location": location}


def refused_start(ptp: Platform) -> Payment:
    payment = ptp.payment()
    builders.answer_start(payment, CommandOutcome.REJECTED)
    settlement.settle(payment.pk, now=timezone.now())
    deliver(ptp, OCPI_SESSION, payment.pk)
    ptp.forget_calls()
    return payment


def test_without_a_bill_no_cdr_is_sent(ptp: Platform) -> None:
    payment = refused_start(ptp)

    assert deliver(ptp, OCPI_CDR, payment.pk)

    assert ptp.calls == []


def test_a_cdr_of_nothing_lets_the_hold_go_where_that_is_the_signal(cast: builders.Cast) -> None:
    with platform(cast, release_signal=OcpiConnection.ReleaseSignal.ZERO_COST_CDR) as ptp:
        payment = refused_start(ptp)

        assert deliver(ptp, OCPI_CDR, payment.pk)

        assert ptp.last.body["id"] == str(zero_cdr_id(payment.session_id))  # type: ignore[arg-type]
        assert ptp.last.body["total_cost"]["before_taxes"] == 0
        payment.refresh_from_db()
        assert payment.state == PaymentState.RELEASED


def test_a_credit_is_posted_after_its_cdr_and_its_arrival_is_the_refund(ptp: Platform) -> None:
    payment = ended(ptp)
    deliver(ptp, OCPI_CDR, payment.pk)
    report = CaptureReport(
        confirmation_id="c-1", status=CaptureStatus.SUCCESS, amount_minor=500, currency="EUR"
    )
    settlement.confirm(payment.pk, report, now=timezone.now())
    credit = decisions.refund(payment.pk, 200, actor="staff", reason="rain", now=timezone.now())

    assert deliver(ptp, decisions.OCPI_CREDIT, credit.pk)

    assert ptp.last.body["credit_reference_id"] == str(cdr_of(payment).pk)
    payment.refresh_from_db()
    assert payment.state == PaymentState.REFUNDED


def refunded(ptp: Platform) -> tuple[Payment, CDR]:
    """A payment that was captured, and a credit of which its platform knows nothing yet."""
    payment = ended(ptp)
    deliver(ptp, OCPI_CDR, payment.pk)
    return refund_of(payment)


def refund_of(payment: Payment) -> tuple[Payment, CDR]:
    """Capture it, and give it back."""
    report = CaptureReport(
        confirmation_id="c-1", status=CaptureStatus.SUCCESS, amount_minor=500, currency="EUR"
    )
    settlement.confirm(payment.pk, report, now=timezone.now())
    return payment, decisions.refund(payment.pk, 500, actor="staff", reason="rain", now=timezone.now())


def test_a_refund_that_went_back_by_hand_is_not_told_any_more(ptp: Platform) -> None:
    payment, credit = refunded(ptp)
    ptp.answers = [reply(3000, http_status=500)]
    assert not deliver(ptp, decisions.OCPI_CREDIT, credit.pk)
    decisions.acknowledge_refund(payment.pk, actor="staff", reason="in their back office", now=timezone.now())
    ptp.forget_calls()

    assert deliver(ptp, decisions.OCPI_CREDIT, credit.pk)

    assert ptp.calls == []


def test_a_credit_that_has_arrived_can_be_sent_again(ptp: Platform) -> None:
    _, credit = refunded(ptp)
    assert deliver(ptp, decisions.OCPI_CREDIT, credit.pk)
    ptp.forget_calls()
    OutboxMessage.objects.filter(topic=decisions.OCPI_CREDIT).update(state=OutboxMessage.State.DUE)

    assert deliver(ptp, decisions.OCPI_CREDIT, credit.pk)

    assert [call.split("/")[0] for call in ptp.calls] == ["GET cdrs"]  # it has it already


def test_a_hold_from_before_the_signal_was_chosen_is_let_go_by_it(ptp: Platform) -> None:
    """A platform that takes no Sessions: its holds wait, while others are billed."""
    at = timezone.now() - timedelta(hours=3)
    stuck = ptp.payment(now=at)
    builders.answer_start(stuck, CommandOutcome.REJECTED, at=at)
    settlement.settle(stuck.pk, now=at)
    ptp.answers = [reply(3000, http_status=500)]
    assert not deliver(ptp, OCPI_SESSION, stuck.pk)
    assert deliver(ptp, OCPI_CDR, ended(ptp).pk)
    OcpiConnection.objects.update(release_signal=OcpiConnection.ReleaseSignal.ZERO_COST_CDR)
    ptp.reload()

    deliver(ptp, OCPI_SESSION, stuck.pk)
    assert deliver(ptp, OCPI_CDR, stuck.pk)

    stuck.refresh_from_db()
    assert stuck.state == PaymentState.RELEASED


@pytest.mark.parametrize("cost", ["a bill", "nothing"])
def test_a_cdr_says_the_same_for_ever(cast: builders.Cast, cost: str) -> None:
    """mod_cdrs: once sent it cannot be changed, and the Location in it is as it was at the start."""
    with platform(cast, release_signal=OcpiConnection.ReleaseSignal.ZERO_COST_CDR) as ptp:
        payment = ended(ptp) if cost == "a bill" else refused_start(ptp)
        ptp.answers = [reply(3000, http_status=500)]
        assert not deliver(ptp, OCPI_CDR, payment.pk)
        first = ptp.server.received[-1].body

        Site.objects.update(party_id="NEW", address="Elsewhere 1", latitude="1.0", longitude="2.0")
        EVSE.objects.update(evse_id="FI*NEW*E1")
        Connector.objects.update(format="SOCKET")
        OcpiConnection.objects.update(invoice_creator=OcpiConnection.InvoiceCreator.PTP)
        assert deliver(ptp, OCPI_CDR, payment.pk)

        posts = [call.body for call in ptp.server.received if call.method == "POST"]
        assert posts == [first, first]


def test_a_credit_names_the_place_of_its_original(ptp: Platform) -> None:
    payment = ended(ptp)
    deliver(ptp, OCPI_CDR, payment.pk)
    original = ptp.last.body
    Site.objects.update(address="Elsewhere 1")

    _, credit = refund_of(payment)
    assert deliver(ptp, decisions.OCPI_CREDIT, credit.pk)

    assert ptp.last.body["cdr_location"] == original["cdr_location"]


def test_a_session_from_before_places_were_kept_names_todays(ptp: Platform) -> None:
    payment = ended(ptp)
    Session.objects.update(place=None)

    assert deliver(ptp, OCPI_CDR, payment.pk)

    assert ptp.last.body["cdr_location"]["id"] == Site.objects.get().location_id
