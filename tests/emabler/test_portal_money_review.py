"""The review inbox and the decisions in the portal: one line, one act, who and why, nothing done twice."""

import re
from unittest.mock import Mock

import pytest
from django.test import Client

from payments import decisions
from payments.models import CreditNote, Decision, OutboxMessage, Payment, PaymentEvent, RefundRequest
from payments.reconciliation.inbox import Act
from payments.states import PaymentState, Review
from payments.tasks import sweep_payments
from sessions_app.models import Session, SessionEvent
from sessions_app.states import SessionState
from tests import builders
from tests.emabler.money_pages import decider, said, text, viewer
from tests.payments.reconciliation.cast import NOW, captured, due, orphan, paid_out, told
from tests.payments.reconciliation.copies import copies_of

pytestmark = pytest.mark.django_db
HOOK = {"webhook_url": "https://ptp.example/hook"}


@pytest.fixture
def dora() -> Client:
    return decider()


def flagged(payment: Payment, review: Review) -> Payment:
    decisions.flag(payment.pk, review, now=NOW)
    payment.refresh_from_db()
    return payment


class TestUnbilled:
    def test_staff_see_it_and_try_again_until_the_fault_is_mended(
        self, dora: Client, settings, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        running = builders.cast().running()
        again = f"/money/review/payment/{running.payment.pk}/do"
        with monkeypatch.context() as broken:
            broken.setitem(settings.FAILPOINTS, "F25_receipt_in_tx", Mock(side_effect=RuntimeError))
            with pytest.raises(RuntimeError):
                running.end(energy_wh=1000, after_seconds=60)
            sweep_payments()
            page = text(dora.get("/money/review/"))
            assert "the session that is over could not be billed: a fault of ours" in page
            assert "Try again" in page
            assert "It still cannot be billed" in said(dora, again, {"act": Act.SETTLE.value})

        assert "The session is billed." in said(dora, again, {"act": Act.SETTLE.value})

        running.payment.refresh_from_db()
        assert (running.payment.state, running.payment.review) == (PaymentState.CAPTURING, "")


class TestInbox:
    def test_an_empty_one_says_so(self, dora: Client) -> None:
        assert "Nothing waits." in text(dora.get("/money/review/"))

    def test_each_item_says_what_happened_and_has_exactly_one_act(self, dora: Client) -> None:
        told(due(), "PARTIAL_SUCCESS", 400)
        flagged(due(**HOOK), Review.UNCONFIRMED)
        doubted = captured()
        Session.objects.filter(pk=doubted.session_id).update(needs_review="the clock went back")
        stray = orphan(doubted.ptp)
        paid_out(doubted.ptp, ("stranger", "3.00"))

        response = dora.get("/money/review/")

        items = response.content.decode().split('class="card inbox-item"')[1:]
        acts = [re.findall(r'class="button small"|<button class="small"', item) for item in items]
        assert [len(each) for each in acts] == [1] * 5
        body = text(response)
        for sentence in (
            "captured 4.00 € of 10.00 €: 6.00 € is open. ",
            "is to capture 10.00 € and has not answered.",
            "The session is in doubt: the clock went back.",
            f"says SUCCESS with 10.00 € for {stray.authorization_reference}; we do not know that hold.",
            "names stranger with 3.00 €; we do not know it.",
            "Write off 6.00 €",
            "Tell the capture again",
            "Close with a reason",
            "Match by hand",
            "All 5",
        ):
            assert sentence in body, sentence
        assert "Review 5" in text(dora.get("/money/"))

    def test_it_may_be_of_one_kind(self, dora: Client) -> None:
        told(due(), "FAILED", 0)
        orphan(builders.ptp())

        body = text(dora.get("/money/review/?kind=confirmation"))

        assert "we do not know that hold" in body
        assert "could not capture" not in body
        assert dora.get("/money/review/?kind=other").status_code == 404

    def test_staff_without_the_permission_see_no_act(self) -> None:
        told(due(), "FAILED", 0)

        body = viewer().get("/money/review/").content.decode()

        assert "inbox-item" in body
        assert "Write off" not in body

    def test_five_hundred_items_need_as_many_queries_as_a_few(
        self, dora: Client, django_assert_max_num_queries
    ) -> None:
        copies_of(told(due(), "FAILED", 0), 499)

        with django_assert_max_num_queries(30):
            body = text(dora.get("/money/review/"))

        assert "300 more move up" in body


class TestActs:
    def do(self, client: Client, kind: str, key: object, act: Act, reason: str = "") -> str:
        data = {"act": act.value, "reason": reason, "back": "/money/review/?kind="}
        return said(client, f"/money/review/{kind}/{key}/do", data)

    def test_telling_again(self, dora: Client) -> None:
        payment = flagged(due(**HOOK), Review.UNCONFIRMED)
        OutboxMessage.objects.update(state="DELIVERED")

        assert "is being told again" in self.do(dora, "payment", payment.pk, Act.TELL_AGAIN)

        assert OutboxMessage.objects.filter(state="DUE").exists()
        assert Decision.objects.get().actor == "dora"

    def test_writing_off_takes_a_reason(self, dora: Client) -> None:
        payment = told(due(), "PARTIAL_SUCCESS", 400)
        assert "Say why" in self.do(dora, "payment", payment.pk, Act.WRITE_OFF, " \n ")

        assert "6.00 € written off" in self.do(dora, "payment", payment.pk, Act.WRITE_OFF, "goodwill")

        payment.refresh_from_db()
        assert payment.state == PaymentState.WRITTEN_OFF
        event = PaymentEvent.objects.filter(payment=payment).latest("number")
        assert (event.actor, event.data["reason"]) == ("dora", "goodwill")

    def test_closing_with_a_reason(self, dora: Client) -> None:
        payment = flagged(captured(), Review.METER_DOUBT)

        assert "Closed." in self.do(dora, "payment", payment.pk, Act.CLOSE, "read the meter")

        payment.refresh_from_db()
        assert payment.review == ""

    def test_closing_instead_of_the_main_act(self, dora: Client) -> None:
        payment = told(due(), "FAILED", 0)

        assert "Closed." in self.do(dora, "payment", payment.pk, Act.CLOSE, "the PTP tries again")

        payment.refresh_from_db()
        assert (payment.state, payment.review) == (PaymentState.CAPTURE_FAILED, "")
        assert "Write off 10.00 €" in text(dora.get(f"/money/payments/{payment.pk}/"))

    def test_a_session_in_doubt_is_closed(self, dora: Client) -> None:
        payment = captured()
        Session.objects.filter(pk=payment.session_id).update(needs_review="the clock went back")
        page = text(dora.get(f"/money/payments/{payment.pk}/"))
        assert "The session is in doubt: the clock went back." in page

        assert "Closed." in self.do(dora, "session", payment.session_id, Act.CLOSE, "no harm")

        assert SessionEvent.objects.filter(kind="ReviewClosed", actor="dora").exists()

    def test_a_hold_of_days_is_ended_in_the_books(self, dora: Client) -> None:
        running = builders.cast().running(now=NOW)
        payment = flagged(running.payment, Review.UNSETTLED)

        assert "ended in the books" in self.do(
            dora, "payment", payment.pk, Act.END_SESSION, "the site is gone"
        )

        assert running.session.state == SessionState.ENDED
        assert SessionEvent.objects.filter(
            kind="CloseAsked", actor="dora", data__reason="the site is gone"
        ).exists()

    def test_a_message_is_sent_again_or_closed(self, dora: Client) -> None:
        due(**HOOK)
        OutboxMessage.objects.update(state="GIVEN_UP", last_error="HTTP 410")
        message = OutboxMessage.objects.latest("created_at")

        assert "on its way" in self.do(dora, "message", message.pk, Act.SEND_MESSAGE)

        message.refresh_from_db()
        assert message.state == "DUE"
        OutboxMessage.objects.update(state="GIVEN_UP", last_error="HTTP 410")
        assert "Closed." in self.do(dora, "message", message.pk, Act.CLOSE, "they have it")
        message.refresh_from_db()
        assert message.last_error == "given up by dora: they have it"
        assert "does not wait" in self.do(dora, "message", message.pk, Act.SEND_MESSAGE)

    def test_a_message_that_staff_gave_up_in_the_outbox_does_not_come_back(self, dora: Client) -> None:
        from emabler.portal.ocpi import outbox_acts
        from tests.payments.reconciliation.cast import person

        due(**HOOK)
        for message in OutboxMessage.objects.all():
            outbox_acts.give_up(message.pk, "they have it", user=person(message.topic), now=NOW)

        assert OutboxMessage.objects.filter(state="GIVEN_UP").exists()
        assert "Nothing waits." in text(dora.get("/money/review/"))

    def test_a_message_about_no_payment_has_a_page_of_its_own(self, dora: Client) -> None:
        message = OutboxMessage.objects.create(
            ptp=builders.ptp(), topic="ocpi.tariff", subject="7", state="GIVEN_UP"
        )

        body = text(dora.get(f"/money/review/message/{message.pk}/"))

        assert "was not told: Tariff." in body
        assert "Send again" in body

    def test_a_page_that_is_out_of_date_does_nothing(self, dora: Client) -> None:
        payment = told(due(), "PARTIAL_SUCCESS", 400)

        assert "changed meanwhile" in self.do(dora, "payment", payment.pk, Act.TELL_AGAIN)
        told(payment, "SUCCESS", 1000)
        assert "does not wait any more" in self.do(dora, "payment", payment.pk, Act.WRITE_OFF, "x")

        payment.refresh_from_db()
        assert payment.state == PaymentState.CAPTURED

    @pytest.mark.parametrize("back", ["https://evil.example/", "//evil.example", "/admin/", ""])
    def test_it_leads_back_to_pages_about_money_alone(self, dora: Client, back: str) -> None:
        payment = flagged(captured(), Review.METER_DOUBT)
        data = {"act": "close", "reason": "x", "back": back}

        assert dora.post(f"/money/review/payment/{payment.pk}/do", data)["Location"] == "/money/review/"


class TestOrphans:
    def test_a_confirmation_is_matched_with_a_payment_of_the_same_amount(self, dora: Client) -> None:
        payment = due()
        stray = orphan(payment.ptp)
        page = f"/money/review/confirmation/{stray.pk}/"
        assert f"{payment.authorization_reference} Waiting for capture same amount" in text(dora.get(page))

        body = said(dora, f"{page}match", {"payment": str(payment.pk), "reason": "same card"})

        assert f"Matched with {payment.authorization_reference}." in body
        payment.refresh_from_db()
        assert payment.state == PaymentState.CAPTURED

    def test_a_line_is_matched_with_a_payment_that_is_searched_for(self, dora: Client) -> None:
        payment = captured()
        line = paid_out(payment.ptp, ("their own id", "9.99")).lines.get()
        page = f"/money/review/line/{line.pk}/"
        assert "Search for it." in text(dora.get(page))
        assert payment.authorization_reference in text(
            dora.get(f"{page}?q={payment.authorization_reference[5:]}")
        )

        assert "Matched with" in said(dora, f"{page}match", {"payment": str(payment.pk), "reason": "x"})

        line.refresh_from_db()
        assert line.payment == payment

    @pytest.mark.parametrize("data", [{"reason": "x"}, {"payment": "x", "reason": "x"}])
    def test_without_a_payment_or_a_reason_nothing_is_matched(
        self, dora: Client, data: dict[str, str]
    ) -> None:
        payment = due()
        stray = orphan(payment.ptp)

        said(dora, f"/money/review/confirmation/{stray.pk}/match", data)
        said(dora, f"/money/review/confirmation/{stray.pk}/match", {"payment": str(payment.pk)})

        stray.refresh_from_db()
        assert stray.payment is None

    def test_the_payment_of_another_ptp_is_refused(self, dora: Client) -> None:
        stray = orphan(builders.ptp())

        path = f"/money/review/confirmation/{stray.pk}/match"

        assert "cannot be of that payment" in said(dora, path, {"payment": str(due().pk), "reason": "x"})

    def test_one_that_is_not_ours_is_closed(self, dora: Client) -> None:
        stray = orphan(builders.ptp())
        data = {"act": "close", "reason": "their test"}

        assert "no payment of ours" in said(dora, f"/money/review/confirmation/{stray.pk}/do", data)

        assert Decision.objects.get(act=Decision.Act.CLOSED).actor == "dora"
        assert "does not wait" in text(dora.get(f"/money/review/confirmation/{stray.pk}/", follow=True))


class TestRefunds:
    def refund(self, client: Client, payment: Payment, amount: str, reason: str = "broken cable") -> str:
        payment.refresh_from_db()
        data = {"amount": amount, "reason": reason, "seen": payment.event_count}
        return said(client, f"/money/payments/{payment.pk}/refund", data)

    def test_a_small_one_goes_back_at_once(self, dora: Client) -> None:
        payment = captured()

        assert "3.00 € go back." in self.refund(dora, payment, "3,00")

        note = CreditNote.objects.get(payment=payment)
        assert (note.actor, note.reason) == ("dora", "broken cable")

    @pytest.mark.parametrize("amount", ["", "0", "-1", "10.01", "1.234", "all", "1e2", "9" * 20])
    def test_an_amount_that_cannot_go_back_is_said_at_the_field(self, dora: Client, amount: str) -> None:
        payment = captured()
        data = {"amount": amount, "reason": "x", "seen": payment.event_count}

        response = dora.post(f"/money/payments/{payment.pk}/refund", data)

        assert response.status_code == 422
        assert "errorlist" in response.content.decode()
        assert not CreditNote.objects.exists()

    def test_the_same_form_sent_twice_refunds_once(self, dora: Client) -> None:
        payment = captured()
        data = {"amount": "3.00", "reason": "x", "seen": payment.event_count}
        path = f"/money/payments/{payment.pk}/refund"

        assert "go back" in said(dora, path, data)
        decisions.acknowledge_refund(payment.pk, now=NOW)
        assert "changed meanwhile" in said(dora, path, data)

        assert CreditNote.objects.count() == 1

    def test_a_large_one_takes_two_people(self, dora: Client, settings) -> None:
        settings.REFUND_SECOND_PERSON_ABOVE = 5
        payment = captured()
        assert "A second person must approve" in self.refund(dora, payment, "10.00")
        request = RefundRequest.objects.get()
        assert "someone else must approve it" in text(dora.get(f"/money/payments/{payment.pk}/"))
        assert "Someone else than" in said(dora, f"/money/refunds/{request.pk}/approve")
        assert not CreditNote.objects.exists()
        emil = decider("emil")
        assert "dora wants to give back 10.00 €: broken cable" in text(emil.get("/money/review/"))

        assert "Approved: the money goes back." in said(emil, f"/money/refunds/{request.pk}/approve")

        assert CreditNote.objects.get().actor == "dora, approved by emil"
        assert "changed meanwhile" in said(emil, f"/money/refunds/{request.pk}/approve")

    def test_a_large_one_may_be_declined_with_a_reason(self, dora: Client, settings) -> None:
        settings.REFUND_SECOND_PERSON_ABOVE = 5
        payment = captured()
        self.refund(dora, payment, "10.00")
        path = f"/money/refunds/{RefundRequest.objects.get().pk}/decline"
        emil = decider("emil")
        assert "Say why" in said(emil, path)

        assert "No money goes back." in said(emil, path, {"reason": "the cable is fine"})

        assert RefundRequest.objects.get().state == "DECLINED"
        assert "changed meanwhile" in said(emil, path, {"reason": "again"})

    def test_nothing_captured_shows_no_form(self, dora: Client) -> None:
        body = text(dora.get(f"/money/payments/{due().pk}/"))

        assert "Refund Amount" not in body

    def test_the_open_rest_of_a_closed_review_is_written_off_with_a_reason(self, dora: Client) -> None:
        payment = told(due(), "PARTIAL_SUCCESS", 400)
        path = f"/money/payments/{payment.pk}/write-off"
        assert "Say why" in said(dora, path)

        assert "6.00 € written off." in said(dora, path, {"reason": "goodwill"})
        assert "0.00 € written off." not in said(dora, path, {"reason": "again"})

    @pytest.mark.parametrize("path", ["payments/{}/refund", "payments/{}/write-off"])
    def test_an_unknown_payment_is_not_found(self, dora: Client, path: str) -> None:
        import uuid

        assert dora.post(f"/money/{path.format(uuid.uuid4())}", {"reason": "x"}).status_code == 404
        assert dora.post("/money/refunds/77/approve").status_code == 404
