"""Staff end in the portal what the PTP left in doubt: every reason to look has one act, and each leads to an end."""

import re
import uuid
from collections.abc import Callable
from datetime import timedelta

import pytest
from django.test import Client

from payments import decisions, settlement
from payments.models import Decision, Payment, PaymentEvent
from payments.reconciliation import inbox
from payments.reconciliation.books import position_of
from payments.reconciliation.inbox import Act, Kind
from payments.reconciliation.match import Standing
from payments.states import PaymentState, Review
from tests import builders
from tests.emabler.money_pages import decider, said, text, viewer
from tests.payments.reconciliation.cast import NOW, captured, compared, due, paid_out, told

pytestmark = pytest.mark.django_db
HOOK = {"webhook_url": "https://ptp.example/hook"}
LATER = NOW + timedelta(days=30)


@pytest.fixture
def dora() -> Client:
    return decider()


def fresh(payment: Payment) -> Payment:
    return Payment.objects.select_related("ptp", "session").get(pk=payment.pk)


def flagged(payment: Payment, review: Review) -> Payment:
    decisions.flag(payment.pk, review, now=NOW)
    return fresh(payment)


def in_file(payment: Payment, amount: str) -> Payment:
    paid_out(payment.ptp, (payment.authorization_reference, amount))
    return compared(payment)


def releasing(**ptp: str) -> Payment:
    return fresh(builders.cast(**ptp).running(now=NOW).end(energy_wh=0, after_seconds=60))


def refunding(**ptp: str) -> Payment:
    payment = captured(**ptp)
    decisions.refund(payment.pk, 300, actor="anna", reason="x", now=NOW)
    return fresh(payment)


def press(client: Client, payment: Payment, *, amount: str = "", reason: str = "they said so") -> str:
    """Do what the page of the payment offers, as the page offers it."""
    page = client.get(f"/money/payments/{payment.pk}/").content.decode()
    offered = page.split('class="todo-item"')[1].split("</section>")[0].split("<details>")[0]
    path = re.findall(r'action="([^"#]+)', offered)
    assert len(path) == 1
    fields = dict(re.findall(r'type="hidden" name="(\w+)" value="([^"]*)"', offered))
    fields.pop("csrfmiddlewaretoken")
    return said(client, path[0], {**fields, "reason": reason, **({"amount": amount} if amount else {})})


def standing(payment: Payment) -> Standing:
    position = position_of(payment, now=LATER)
    assert position is not None
    return position.standing


class TestWhatWasConfirmed:
    def test_less_than_is_due_is_captured_and_the_rest_is_written_off(self, dora: Client) -> None:
        payment = told(due(), "SUCCESS", 800)
        assert "Accept the 8.00 € that were confirmed" in text(dora.get("/money/review/"))

        assert "8.00 € booked as captured." in press(dora, payment)

        payment = fresh(payment)
        assert (payment.state, payment.captured_minor, payment.open_minor) == ("PARTIALLY_CAPTURED", 800, 200)
        assert (payment.review, standing(payment)) == (Review.CAPTURED_LESS, Standing.PARTIAL)
        assert "2.00 € written off" in press(dora, payment)
        payment = fresh(payment)
        assert (payment.state, payment.review, standing(payment)) == ("WRITTEN_OFF", "", Standing.MATCHED)

    def test_more_than_is_due_is_captured_up_to_it_and_the_ptp_gives_the_excess_back(
        self, dora: Client
    ) -> None:
        payment = told(due(), "SUCCESS", 1250)

        press(dora, payment)

        payment = fresh(payment)
        assert (payment.state, payment.captured_minor, payment.open_minor) == ("CAPTURED", 1000, 0)
        assert (payment.account.owed_minor, payment.review) == (250, Review.CAPTURED_MORE)
        assert standing(payment) is Standing.DIFFERS
        assert "took 2.50 € more than we may keep and must give it back." in text(dora.get("/money/review/"))
        assert "2.50 € are back." in press(dora, payment, reason="their ticket 77")
        payment = fresh(payment)
        assert (payment.review, payment.account.owed_minor, payment.excess_minor) == ("", 0, 250)
        assert standing(payment) is Standing.MATCHED
        event = PaymentEvent.objects.filter(payment=payment).latest("number")
        assert (event.kind, event.actor, event.data["amount_minor"]) == ("ExcessReturned", "dora", 250)

    def test_even_more_than_the_hold_is_kept_apart_from_the_charge(self, dora: Client) -> None:
        payment = due()
        payment = told(payment, "SUCCESS", payment.authorized_minor + 1)

        press(dora, payment)

        payment = fresh(payment)
        assert payment.captured_minor == payment.due_minor <= payment.authorized_minor
        assert payment.excess_minor == payment.authorized_minor + 1 - payment.due_minor

    def test_nothing_under_the_name_of_success_is_a_failed_capture(self, dora: Client) -> None:
        payment = told(due(), "SUCCESS", 0)

        press(dora, payment)

        assert (fresh(payment).state, fresh(payment).review) == ("CAPTURE_FAILED", Review.CAPTURE_FAILED)

    def test_another_currency_takes_a_person_who_says_what_it_comes_to(self, dora: Client) -> None:
        payment = told(due(), "SUCCESS", 11_200, currency="SEK")
        assert "Enter what was captured" in text(dora.get("/money/review/"))

        press(dora, payment, amount="10,00")

        payment = fresh(payment)
        assert (payment.state, payment.review, standing(payment)) == ("CAPTURED", "", Standing.MATCHED)

    def test_a_status_that_contradicts_its_amount_takes_a_person(self, dora: Client) -> None:
        payment = told(due(), "FAILED", 500)

        press(dora, payment, amount="0")

        assert fresh(payment).state == PaymentState.CAPTURE_FAILED

    def test_news_that_came_meanwhile_are_looked_at_first(self, dora: Client) -> None:
        payment = told(due(), "SUCCESS", 800)
        item = inbox.find_item(Kind.PAYMENT, str(payment.pk))
        assert item is not None
        told(payment, "SUCCESS", 900)

        data = {"amount": "8.00", "reason": "x", "seen": item.evidence.key}

        assert "changed meanwhile" in said(dora, f"/money/payments/{payment.pk}/accept", data)
        assert fresh(payment).state == PaymentState.CAPTURING

    def test_it_is_booked_once_with_who_and_why(self, dora: Client) -> None:
        payment = told(due(), "SUCCESS", 1200)
        item = inbox.find_item(Kind.PAYMENT, str(payment.pk))
        assert item is not None
        data = {"amount": "12.00", "reason": "card statement", "seen": item.evidence.key}
        path = f"/money/payments/{payment.pk}/accept"

        assert "booked" in said(dora, path, data)
        assert "changed meanwhile" in said(dora, path, data)

        (event,) = PaymentEvent.objects.filter(payment=payment, kind="CaptureAccepted")
        assert (event.actor, event.data["reason"], event.data["by"]) == (
            "dora",
            "card statement",
            "confirmation",
        )

    @pytest.mark.parametrize("data", [{}, {"amount": "-1"}, {"amount": "x"}, {"amount": "9" * 20}])
    def test_what_is_no_amount_or_lacks_a_reason_is_said_on_the_page(
        self, dora: Client, data: dict[str, str]
    ) -> None:
        payment = told(due(), "SUCCESS", 1, currency="SEK")

        response = dora.post(f"/money/payments/{payment.pk}/accept", {"seen": "x", "reason": "x", **data})

        assert response.status_code == 422
        assert "errorlist" in response.content.decode()

    def test_it_takes_the_permission_and_a_payment(self, dora: Client) -> None:
        payment = told(due(), "SUCCESS", 1200)
        for act in ("accept", "returned"):
            assert viewer(act).post(f"/money/payments/{payment.pk}/{act}").status_code == 403
            assert dora.post(f"/money/payments/{uuid.uuid4()}/{act}").status_code == 404
        assert "changed meanwhile" in said(dora, f"/money/payments/{payment.pk}/returned", {"reason": "x"})
        assert fresh(payment).state == PaymentState.CAPTURING


class TestWhatTheFileShows:
    def test_a_payment_that_was_never_confirmed_is_booked_from_its_line(self, dora: Client) -> None:
        payment = flagged(in_file(due(**HOOK), "10.00"), Review.UNCONFIRMED)
        assert "Book 10.00 € from the settlement file" in text(dora.get("/money/review/"))

        assert "10.00 € booked as captured." in press(dora, payment)

        payment = fresh(payment)
        assert (payment.state, payment.review, standing(payment)) == ("CAPTURED", "", Standing.MATCHED)
        event = PaymentEvent.objects.filter(payment=payment).latest("number")
        assert (event.data["by"], event.data["reason"]) == ("settlement_file", "they said so")

    def test_the_confirmation_that_comes_after_all_changes_nothing(self, dora: Client) -> None:
        payment = flagged(in_file(due(), "10.00"), Review.UNCONFIRMED)
        press(dora, payment)

        payment = told(payment, "SUCCESS", 1000)

        assert (payment.review, standing(payment)) == ("", Standing.MATCHED)
        assert told(payment, "SUCCESS", 1000).review == Review.CONFIRMED_TWICE

    def test_a_capture_that_was_said_to_have_failed_is_booked_rather_than_written_off(
        self, dora: Client
    ) -> None:
        payment = in_file(told(due(), "FAILED", 0), "10.00")

        press(dora, payment)

        assert (fresh(payment).state, standing(payment)) == ("CAPTURED", Standing.MATCHED)

    def test_a_file_that_is_withdrawn_shows_nothing(self, dora: Client) -> None:
        from payments.reconciliation import files

        payment = due()
        file = paid_out(payment.ptp, (payment.authorization_reference, "10.00"))
        files.withdraw(file.pk, actor="anna", reason="x", now=NOW)

        assert "from the settlement file" not in text(dora.get("/money/review/"))

    def test_a_file_that_contradicts_the_confirmation_takes_a_person(self, dora: Client) -> None:
        in_file(told(due(), "SUCCESS", 800), "9.00")

        assert "Enter what was captured" in text(dora.get("/money/review/"))


class TestTwoPeople:
    @pytest.fixture(autouse=True)
    def _limit(self, settings) -> None:
        settings.REFUND_SECOND_PERSON_ABOVE = 5

    def test_a_large_difference_is_accepted_by_two(self, dora: Client) -> None:
        payment = told(due(), "SUCCESS", 1800)
        assert "wait for a second person" in press(dora, payment, reason="their list")
        assert fresh(payment).state == PaymentState.CAPTURING
        own = text(dora.get(f"/money/payments/{payment.pk}/"))
        assert "someone else must agree" in own
        item = inbox.find_item(Kind.PAYMENT, str(payment.pk))
        assert item is not None
        data = {"amount": "18.00", "reason": "x", "seen": item.evidence.key}
        assert "Someone else than" in said(dora, f"/money/payments/{payment.pk}/accept", data)
        emil = decider("emil")
        page = text(emil.get(f"/money/payments/{payment.pk}/"))
        assert "dora says that 18.00 € were captured: their list" in page

        assert "18.00 € booked as captured." in press(emil, payment, reason="I see it too")

        event = PaymentEvent.objects.filter(payment=payment).latest("number")
        assert event.actor == "dora, approved by emil"
        assert (event.data["asked because"], event.data["reason"]) == ("their list", "I see it too")

    def test_a_small_difference_takes_one(self, dora: Client) -> None:
        assert "booked" in press(dora, told(due(), "SUCCESS", 1500))

    def test_a_persons_word_alone_takes_two_who_say_the_same(self, dora: Client) -> None:
        payment = flagged(due(), Review.UNCONFIRMED)
        emil = decider("emil")
        assert "wait for a second person" in press(dora, payment, amount="10.00")
        assert "wait for a second person" in press(emil, payment, amount="9.00")
        assert fresh(payment).state == PaymentState.CAPTURING

        assert "booked" in press(dora, payment, amount="9.00")

        assert fresh(payment).captured_minor == 900
        assert Decision.objects.filter(act=Decision.Act.ACCEPT_ASKED).count() == 2

    def test_what_was_asked_before_the_news_does_not_count(self, dora: Client) -> None:
        payment = told(due(), "SUCCESS", 1800)
        press(dora, payment)
        told(payment, "SUCCESS", 1800, eft_data=["again"])

        assert "wait for a second person" in press(decider("emil"), payment)


# --- Every reason to look -------------------------------------------------------------------------

Case = Callable[[], Payment]
# What happened, the acts that are offered one after the other, and how it ends.
WALKS: list[tuple[str, Case, list[Act], str]] = [
    ("unconfirmed", lambda: flagged(due(**HOOK), Review.UNCONFIRMED), [Act.TELL_AGAIN, Act.ACCEPT], "CAPTURED"),
    ("unconfirmed, polls", lambda: flagged(due(), Review.UNCONFIRMED), [Act.ACCEPT], "CAPTURED"),
    ("refused", lambda: flagged(due(**HOOK), Review.CDR_REFUSED), [Act.TELL_AGAIN, Act.ACCEPT], "CAPTURED"),
    ("unreleased", lambda: flagged(releasing(**HOOK), Review.UNRELEASED), [Act.TELL_AGAIN, Act.RELEASED], "RELEASED"),
    ("unreleased, polls", lambda: flagged(releasing(), Review.UNRELEASED), [Act.RELEASED], "RELEASED"),
    ("unrefunded", lambda: flagged(refunding(**HOOK), Review.UNREFUNDED), [Act.TELL_AGAIN, Act.REFUNDED], "REFUNDED"),
    ("unrefunded, polls", lambda: flagged(refunding(), Review.UNREFUNDED), [Act.REFUNDED], "REFUNDED"),
    ("more", lambda: told(due(), "SUCCESS", 1100), [Act.ACCEPT, Act.RETURNED], "CAPTURED"),
    ("less", lambda: told(due(), "SUCCESS", 900), [Act.ACCEPT, Act.WRITE_OFF], "WRITTEN_OFF"),
    ("currency", lambda: told(due(), "SUCCESS", 9, currency="SEK"), [Act.ACCEPT], "CAPTURED"),
    ("failed", lambda: told(due(), "FAILED", 0), [Act.WRITE_OFF], "WRITTEN_OFF"),
    ("partial", lambda: told(due(), "PARTIAL_SUCCESS", 4), [Act.WRITE_OFF], "WRITTEN_OFF"),
    ("twice", lambda: told(captured(), "SUCCESS", 1000), [Act.ACCEPT], "CAPTURED"),
    ("released, taken", lambda: told(released(), "SUCCESS", 70), [Act.ACCEPT, Act.RETURNED], "RELEASED"),
    ("written off, taken", lambda: told(written_off(), "SUCCESS", 1000), [Act.ACCEPT, Act.RETURNED], "WRITTEN_OFF"),
    ("failed, then partial", lambda: told(told(due(), "FAILED", 0), "PARTIAL_SUCCESS", 400),
     [Act.ACCEPT], "CAPTURED"),
    ("refunded with a rest", lambda: refunded_of_partial(), [Act.WRITE_OFF], "REFUNDED"),
    ("file with more", lambda: in_file(captured(), "11.00"), [Act.ACCEPT, Act.RETURNED], "CAPTURED"),
    ("file with less", lambda: in_file(captured(), "9.00"), [Act.CLOSE], "CAPTURED"),
    ("file, released", lambda: in_file(released(), "0.70"), [Act.ACCEPT, Act.RETURNED], "RELEASED"),
    ("meter", lambda: flagged(captured(), Review.METER_DOUBT), [Act.CLOSE], "CAPTURED"),
    ("late stop", lambda: flagged(captured(), Review.LATE_STOP_DIFFERS), [Act.CLOSE], "CAPTURED"),
    ("unsettled", lambda: flagged(builders.cast().running(now=NOW).payment, Review.UNSETTLED),
     [Act.END_SESSION], "RELEASING"),
]  # fmt: skip


def released() -> Payment:
    payment = releasing()
    settlement.acknowledge_release(payment.pk, now=NOW)
    return payment


def written_off() -> Payment:
    payment = told(due(), "FAILED", 0)
    decisions.write_off(payment.pk, actor="anna", reason="x", now=NOW)
    return payment


def refunded_of_partial() -> Payment:
    payment = told(due(), "PARTIAL_SUCCESS", 400)
    decisions.refund(payment.pk, 400, actor="anna", reason="x", now=NOW)
    decisions.acknowledge_refund(payment.pk, now=NOW)
    return fresh(payment)


@pytest.mark.parametrize(("case", "acts", "end"), [walk[1:] for walk in WALKS], ids=[w[0] for w in WALKS])
def test_the_acts_of_the_inbox_lead_to_an_end(
    dora: Client, settings, case: Case, acts: list[Act], end: str
) -> None:
    settings.CONFIRMATION_WARN_SECONDS = 0  # a PTP that was told again has had its time
    settings.REFUND_SECOND_PERSON_ABOVE = 1000
    payment = case()
    for act in acts:
        item = inbox.find_item(Kind.PAYMENT, str(payment.pk))
        assert item is not None
        assert item.act is act
        press(dora, payment, amount="10.00" if item.evidence.amount_minor is None else "")

    settlement.sweep_one(payment.pk, now=LATER)
    settlement.sweep_one(payment.pk, now=LATER + timedelta(days=30))

    assert fresh(payment).state == end
    if end != PaymentState.RELEASING:  # that one waits for the PTP now, and is asked for when it is late
        assert (fresh(payment).review, fresh(payment).open_minor, fresh(payment).account.owed_minor) == (
            "",
            0,
            0,
        )
        assert inbox.find_item(Kind.PAYMENT, str(payment.pk)) is None


def test_every_reason_to_look_is_walked() -> None:
    begun = {case().review for _, case, _, _ in WALKS}

    assert begun | {Review.CAPTURED_MORE} == set(Review)


def test_what_was_taken_twice_is_given_back(dora: Client) -> None:
    payment = told(captured(), "SUCCESS", 1000)

    press(dora, payment, amount="20.00")

    assert (fresh(payment).account.owed_minor, fresh(payment).captured_minor) == (1000, 1000)


def test_an_excess_whose_review_was_closed_is_still_given_back_on_its_page(dora: Client) -> None:
    payment = told(due(), "SUCCESS", 1250)
    press(dora, payment)
    said(dora, f"/money/review/payment/{payment.pk}/do", {"act": "close", "reason": "they will"})
    page = f"/money/payments/{payment.pk}/"
    assert "The PTP must give back 2.50 €" in text(dora.get(page))

    assert "Say why" in said(dora, f"{page}returned")
    assert "2.50 € are back." in said(dora, f"{page}returned", {"reason": "payout of May"})

    assert "must give back" not in text(dora.get(page))


def test_a_form_that_is_sent_twice_does_not_close_what_comes_next(dora: Client) -> None:
    payment = told(told(due(), "PARTIAL_SUCCESS", 400), "PARTIAL_SUCCESS", 300)
    assert payment.review == Review.AMOUNT_DIFFERS
    data = {"act": "close", "reason": "the older one is right", "seen_events": payment.event_count}
    path = f"/money/review/payment/{payment.pk}/do"

    assert "Closed." in said(dora, path, data)
    assert "changed meanwhile" in said(dora, path, data)

    assert fresh(payment).review == Review.CAPTURED_LESS
