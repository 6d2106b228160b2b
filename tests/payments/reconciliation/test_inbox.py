"""The review inbox: everything that waits for a person is in it once, with the one act that most likely ends it."""

from datetime import timedelta

import pytest

from payments import decisions, settlement
from payments.errors import WrongState
from payments.models import Decision, OutboxMessage, Payment, PaymentEvent
from payments.reconciliation import acts, inbox, refunds
from payments.reconciliation.acts import NoOrphan
from payments.reconciliation.evidence import evidence_of
from payments.reconciliation.inbox import Act, Kind
from payments.states import PaymentState, Review
from sessions_app.models import Session, SessionEvent
from sessions_app.states import SessionState
from tests import builders
from tests.payments.reconciliation.cast import NOW, TOTAL, captured, due, orphan, paid_out, person, told
from tests.payments.reconciliation.copies import copies_of

pytestmark = pytest.mark.django_db
HOOK = {"webhook_url": "https://ptp.example/hook"}


def flagged(payment: Payment, review: Review) -> Payment:
    decisions.flag(payment.pk, review, now=NOW)
    return Payment.objects.select_related("ptp", "session").get(pk=payment.pk)


def given_up(payment: Payment) -> OutboxMessage:
    OutboxMessage.objects.update(state=OutboxMessage.State.GIVEN_UP, last_error="HTTP 410")
    message = OutboxMessage.objects.filter(subject=str(payment.pk)).first()
    assert message is not None
    return message


class TestItems:
    def test_an_ordinary_day_leaves_it_empty(self) -> None:
        captured(**HOOK)
        due()
        builders.cast().running()

        assert inbox.read_inbox().items == []
        assert inbox.read_inbox().total == 0

    def test_everything_that_waits_is_in_it_once_the_oldest_first(self, settings) -> None:
        settings.REFUND_SECOND_PERSON_ABOVE = 1
        open_rest = told(due(), "PARTIAL_SUCCESS", 400)
        doubted = captured(at=NOW - timedelta(days=2))
        Session.objects.filter(pk=doubted.session_id).update(needs_review="the clock went back")
        stray = orphan(builders.ptp())
        line = paid_out(builders.ptp(), ("stranger", "3.00")).lines.get()
        asked = refunds.refund(captured().pk, TOTAL, user=person(), reason="x", now=NOW).request
        untold = given_up(due(**HOOK))

        found = inbox.read_inbox()

        assert asked is not None
        assert {(item.kind, item.key, item.act) for item in found.items} == {
            (Kind.PAYMENT, str(open_rest.pk), Act.WRITE_OFF),
            (Kind.SESSION, str(doubted.session_id), Act.CLOSE),
            (Kind.CONFIRMATION, str(stray.pk), Act.MATCH),
            (Kind.LINE, str(line.pk), Act.MATCH),
            (Kind.REFUND, str(asked.pk), Act.DECIDE),
            *((Kind.MESSAGE, str(m.pk), Act.SEND_MESSAGE) for m in OutboxMessage.objects.all()),
        }
        assert found.items[0].kind is Kind.SESSION
        assert found.items == sorted(found.items, key=lambda item: item.since)
        assert found.counts[Kind.MESSAGE] == OutboxMessage.objects.count() >= 1
        assert {item.kind for item in inbox.read_inbox(Kind.LINE).items} == {Kind.LINE}
        message = inbox.find_item(Kind.MESSAGE, str(untold.pk))
        assert message is not None
        assert str(message.payment.pk) == untold.subject

    def test_a_session_in_doubt_whose_payment_is_flagged_is_one_item(self) -> None:
        payment = flagged(captured(), Review.METER_DOUBT)
        Session.objects.filter(pk=payment.session_id).update(needs_review="odometer jumped")

        assert [item.kind for item in inbox.read_inbox().items] == [Kind.PAYMENT]

    def test_a_message_about_a_credit_leads_to_its_payment(self) -> None:
        payment = captured(**HOOK)
        decisions.refund(payment.pk, 100, actor="anna", reason="x", now=NOW)
        OutboxMessage.objects.filter(topic=decisions.REFUND_DUE).update(state="GIVEN_UP")

        (item,) = inbox.read_inbox(Kind.MESSAGE).items

        assert item.payment == payment

    def test_a_message_about_something_else_leads_nowhere(self) -> None:
        OutboxMessage.objects.create(ptp=builders.ptp(), topic="ocpi.tariff", subject="7", state="GIVEN_UP")

        (item,) = inbox.read_inbox().items

        assert item.payment is None

    @pytest.mark.parametrize("key", ["x", "", "99999", "5f0c8a52-0000-4000-8000-000000000000"])
    @pytest.mark.parametrize("kind", list(Kind))
    def test_a_key_of_nothing_finds_nothing(self, kind: Kind, key: str) -> None:
        assert inbox.find_item(kind, key) is None

    def test_five_hundred_items_need_as_many_queries_as_one(self, django_assert_max_num_queries) -> None:
        payment = told(due(), "FAILED", 0)
        copies_of(payment, 499)

        with django_assert_max_num_queries(17):
            found = inbox.read_inbox()
            assert all(item.payment.session.evse.site.name for item in found.items)

        assert (len(found.items), found.total) == (inbox.MOST_OF_A_KIND, 500)


class TestOneAct:
    @pytest.mark.parametrize("review", list(Review))
    def test_every_reason_has_one(self, review: Review) -> None:
        assert inbox.act_for(flagged(captured(), review)) in Act

    @pytest.mark.parametrize("review", [Review.UNCONFIRMED, Review.CDR_REFUSED])
    def test_a_ptp_that_did_not_answer_is_told_again(self, review: Review) -> None:
        assert inbox.act_for(flagged(due(**HOOK), review)) is Act.TELL_AGAIN

    @pytest.mark.parametrize("review", [Review.AMOUNT_DIFFERS, Review.CURRENCY_DIFFERS])
    def test_what_a_ptp_said_otherwise_is_accepted(self, review: Review) -> None:
        assert inbox.act_for(flagged(due(**HOOK), review)) is Act.ACCEPT

    def test_a_ptp_that_polls_cannot_be_told_so_a_person_asks_it(self) -> None:
        assert inbox.act_for(flagged(due(), Review.UNCONFIRMED)) is Act.ACCEPT

    def test_a_ptp_that_was_told_again_has_its_time_before_a_person_asks_it(self, settings) -> None:
        payment = flagged(due(**HOOK), Review.UNCONFIRMED)
        acts.tell_again(payment.pk, actor="anna", now=NOW)

        def act_at(seconds: float) -> Act:
            now = NOW + timedelta(seconds=seconds)
            return inbox.act_for(payment, evidence_of([payment], now=now)[payment.pk])

        patience = settings.CONFIRMATION_WARN_SECONDS
        assert (act_at(patience - 1), act_at(patience)) == (Act.TELL_AGAIN, Act.ACCEPT)

    def test_a_release_and_a_refund_that_nobody_acknowledged_are_told_again(self) -> None:
        release = builders.cast(**HOOK).running(now=NOW).end(energy_wh=0, after_seconds=60)
        refunded = captured(**HOOK)
        decisions.refund(refunded.pk, 100, actor="anna", reason="x", now=NOW)

        assert inbox.act_for(flagged(release, Review.UNRELEASED)) is Act.TELL_AGAIN
        assert inbox.act_for(flagged(refunded, Review.UNREFUNDED)) is Act.TELL_AGAIN

    def test_the_next_refund_is_told_again_before_a_person_is_asked(self, settings) -> None:
        settings.CONFIRMATION_WARN_SECONDS = 0
        payment = captured(**HOOK)
        for _ in range(2):
            decisions.refund(payment.pk, 100, actor="anna", reason="x", now=NOW)
            payment = flagged(payment, Review.UNREFUNDED)
            assert inbox.act_for(payment, evidence_of([payment], now=NOW)[payment.pk]) is Act.TELL_AGAIN
            acts.tell_again(payment.pk, actor="anna", now=NOW)
            assert inbox.act_for(payment, evidence_of([payment], now=NOW)[payment.pk]) is Act.REFUNDED
            decisions.acknowledge_refund(payment.pk, now=NOW)

    def test_what_is_open_is_written_off(self) -> None:
        assert inbox.act_for(flagged(told(due(), "FAILED", 0), Review.CAPTURE_FAILED)) is Act.WRITE_OFF
        assert (
            inbox.act_for(flagged(told(due(), "PARTIAL_SUCCESS", 4), Review.CAPTURED_LESS)) is Act.WRITE_OFF
        )

    def test_a_hold_whose_session_never_ends_is_ended_in_the_books(self) -> None:
        running = builders.cast().running(now=NOW)
        payment = flagged(running.payment, Review.UNSETTLED)
        assert inbox.act_for(payment) is Act.END_SESSION

        running.end(energy_wh=0, after_seconds=60)

        assert inbox.act_for(flagged(payment, Review.UNSETTLED)) is Act.CLOSE

    def test_a_session_in_doubt_that_still_runs_is_ended_in_the_books(self) -> None:
        session = builders.cast().running().session
        assert inbox.session_act(session) is Act.END_SESSION

        session.state = SessionState.ENDED

        assert inbox.session_act(session) is Act.CLOSE


class TestActs:
    def test_telling_again_makes_the_message_due_and_says_who_asked(self) -> None:
        payment = due(**HOOK)
        message = given_up(payment)

        acts.tell_again(payment.pk, actor="anna", now=NOW)

        message = OutboxMessage.objects.get(topic=settlement.SETTLEMENT_DUE)
        assert message.state == OutboxMessage.State.DUE
        note = Decision.objects.get(payment=payment)
        assert (note.act, note.actor, note.data) == ("SENT_AGAIN", "anna", {"state": "CAPTURING"})

    def test_a_refund_is_told_again(self) -> None:
        payment = captured(**HOOK)
        credit = decisions.refund(payment.pk, 100, actor="anna", reason="x", now=NOW)
        OutboxMessage.objects.update(state="DELIVERED")

        acts.tell_again(payment.pk, actor="anna", now=NOW)

        assert OutboxMessage.objects.get(state="DUE").subject == str(credit.pk)

    def test_nothing_is_told_again_when_all_is_answered(self) -> None:
        payment = captured(**HOOK)

        with pytest.raises(WrongState):
            acts.tell_again(payment.pk, actor="anna", now=NOW)
        with pytest.raises(WrongState):
            decisions.tell_refund_again(payment.pk, now=NOW)

        assert not Decision.objects.exists()

    def test_a_message_that_was_given_up_is_sent_once_more(self) -> None:
        message = given_up(due(**HOOK))

        acts.send_message_again(message.pk, actor="anna", now=NOW)

        message.refresh_from_db()
        assert (message.state, message.attempts) == (OutboxMessage.State.DUE, 0)
        assert Decision.objects.get().data["error"] == "HTTP 410"

    def test_closing_a_review_closes_the_sessions_too_in_both_journals(self) -> None:
        payment = flagged(captured(), Review.METER_DOUBT)
        Session.objects.filter(pk=payment.session_id).update(needs_review="odometer jumped")

        acts.close_review(payment.pk, actor="anna", reason="read the meter", now=NOW)

        assert inbox.read_inbox().items == []
        of_session = SessionEvent.objects.filter(session=payment.session_id).latest("number")
        assert (of_session.kind, of_session.actor) == ("ReviewClosed", "anna")
        assert of_session.data == {"reason": "read the meter", "was": "odometer jumped"}
        of_payment = PaymentEvent.objects.filter(payment=payment).latest("number")
        assert (of_payment.kind, of_payment.data["reason"]) == ("ReviewClosed", "read the meter")
        before = SessionEvent.objects.count()
        acts.close_review(payment.pk, actor="anna", reason="again", now=NOW)
        assert SessionEvent.objects.count() == before

    def test_an_orphan_confirmation_is_booked_by_hand(self) -> None:
        payment = due()
        stray = orphan(payment.ptp)

        acts.match_confirmation(stray.pk, payment.pk, actor="anna", reason="same card", now=NOW)

        payment.refresh_from_db()
        assert payment.state == PaymentState.CAPTURED
        assert Decision.objects.get(payment=payment).reason == "same card"
        assert inbox.read_inbox().items == []

    def test_an_orphan_line_is_given_to_a_payment_of_its_ptp_once(self) -> None:
        payment = captured()
        line = paid_out(payment.ptp, ("their own id", "10.00")).lines.get()

        with pytest.raises(NoOrphan):
            acts.match_line(line.pk, captured().pk, actor="anna", reason="x", now=NOW)
        acts.match_line(line.pk, payment.pk, actor="anna", reason="same day and amount", now=NOW)

        line.refresh_from_db()
        assert line.payment == payment
        with pytest.raises(NoOrphan):
            acts.match_line(line.pk, payment.pk, actor="anna", reason="x", now=NOW)

    def test_an_orphan_that_is_not_ours_is_closed_once_with_a_reason(self) -> None:
        stray = orphan(builders.ptp())
        line = paid_out(builders.ptp(), ("stranger", "3.00")).lines.get()

        acts.close_confirmation(stray.pk, actor="anna", reason="their test", now=NOW)
        acts.close_line(line.pk, actor="anna", reason="another shop", now=NOW)

        assert inbox.read_inbox().items == []
        notes = Decision.objects.filter(act=Decision.Act.CLOSED)
        assert {(note.subject, note.reason) for note in notes} == {
            (f"confirmation:{stray.pk}", "their test"),
            (f"line:{line.pk}", "another shop"),
        }
        with pytest.raises(NoOrphan):
            acts.close_confirmation(stray.pk, actor="anna", reason="x", now=NOW)
        with pytest.raises(NoOrphan):
            acts.close_line(line.pk, actor="anna", reason="x", now=NOW)
