"""What the driver reads: the page through a session's life, the receipt, the PDF, and what stays hidden."""

import re
import string
import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.core.cache import cache
from django.test import Client
from django.utils import timezone

from chargers.facts import CommandOutcome, EvseStatus
from chargers.models import EVSE, ChargingStation
from payments import decisions, settlement
from payments.models import Receipt
from payments.receipts import throttle
from payments.receipts.languages import WORDS
from payments.receipts.page import Phase
from payments.receipts.tokens import session_of, token_for
from payments.states import CaptureStatus, PaymentState
from sessions_app import lifecycle
from sessions_app.models import Session
from sessions_app.states import SessionState, StopReason
from tests import builders
from tests.payments.receipt_cast import EFT_LINES, paid, path_of, show, text

pytestmark = pytest.mark.django_db
POLYGLOT = """jaVasCript:/*'/*"/**/ onX=1 --></title></style><svg/onload=alert(1)>{{7*7}}"""


@pytest.fixture(autouse=True)
def _empty_cache() -> None:
    cache.clear()


class TestLivePage:
    def test_before_the_cable_is_in_the_driver_is_told_to_plug_in(self) -> None:
        payment = builders.cast().payment()
        builders.answer_start(payment)

        body = text(show(payment))

        assert WORDS["en"].headlines[Phase.PLUG_IN] in body
        assert "60.00 € is held on your card. You pay only what you use." in body
        assert "Energy: 0.50 €/kWh incl. VAT" in body

    def test_while_charging_energy_power_cost_and_hold_are_shown(self) -> None:
        running = builders.cast().running(now=timezone.now() - timedelta(minutes=10))
        running.meter(energy_wh=8000, after_seconds=480, power_w=60_000)

        body = text(show(running.payment))

        for figure in ("Charging", "8.00 kWh", "60.0 kW", "10 min", "4.00 € of 60.00 € held"):
            assert figure in body
        assert 'value="400" max="6000"' in body

    @pytest.mark.parametrize(
        ("status", "phase"),
        [
            (EvseStatus.SUSPENDED_EV, Phase.PAUSED_BY_CAR),
            (EvseStatus.SUSPENDED_EVSE, Phase.PAUSED_BY_CHARGER),
            (EvseStatus.UNKNOWN, Phase.PAUSED),
        ],
    )
    def test_a_pause_says_who_pauses(self, status: EvseStatus, phase: Phase) -> None:
        running = builders.cast().running()
        Session.objects.update(state=SessionState.SUSPENDED)
        EVSE.objects.update(status=status)

        assert WORDS["en"].headlines[phase] in text(show(running.payment))

    def test_a_silent_charger_is_not_shown_as_if_it_had_just_spoken(self) -> None:
        running = builders.cast().running()
        Session.objects.update(stale=True, metered_at=timezone.now())

        assert "No news from the charger since" in text(show(running.payment))

    def test_a_stop_on_its_way_is_shown_as_finishing(self) -> None:
        running = builders.cast().running()
        lifecycle.request_stop(
            running.session.pk, reason=StopReason.TERMINAL, actor="test", now=timezone.now()
        )

        assert WORDS["en"].headlines[Phase.FINISHING] in text(show(running.payment))

    def test_the_page_refreshes_itself_without_javascript_until_nothing_can_change(self) -> None:
        running = builders.cast().running()
        payment = paid()

        assert '<noscript><meta http-equiv="refresh" content="5"></noscript>' in text(show(running.payment))
        assert "http-equiv" not in text(show(payment))

    def test_the_part_that_the_script_asks_for_has_no_page_around_it(self) -> None:
        part = text(show(builders.cast().running().payment, "?part=live"))

        assert "<html" not in part
        assert WORDS["en"].headlines[Phase.CHARGING] in part


class TestNothingCharged:
    @pytest.mark.parametrize(
        ("refusal", "sentence"),
        [("offline", "cannot be reached"), ("occupied", "Somebody else"), ("faulted", "reports a fault")],
    )
    def test_a_session_that_could_not_start_says_why_and_that_the_hold_goes(
        self, refusal: str, sentence: str
    ) -> None:
        cast = builders.cast()
        builders.take_offline(cast.station)
        payment = cast.payment()
        Session.objects.update(refusal=refusal)

        body = text(show(payment))

        assert sentence in body
        assert "Nothing is charged. The 60.00 € held on your card is being released." in body
        assert "support@example.org" in body
        assert payment.authorization_reference in body

    def test_a_charger_that_refuses_ends_in_a_plain_answer(self) -> None:
        payment = builders.cast().payment()
        builders.answer_start(payment, CommandOutcome.REJECTED)
        settlement.settle(payment.pk, now=timezone.now())
        settlement.acknowledge_release(payment.pk, now=timezone.now())

        body = text(show(payment))

        assert "The charger refused to start." in body
        assert "Nothing was charged. The 60.00 € held on your card was released." in body

    def test_a_session_without_energy_is_free(self) -> None:
        running = builders.cast().running(now=timezone.now() - timedelta(minutes=3))
        payment = running.end(energy_wh=0, after_seconds=60)

        assert WORDS["en"].headlines[Phase.FREE] in text(show(payment))


class TestReceipt:
    def test_it_names_seller_number_lines_vat_total_and_what_became_of_the_money(self) -> None:
        payment = paid()
        number = Receipt.objects.get(payment=payment).full_number

        body = text(show(payment))

        for fact in (number, "Demo CPO", "FI00000000", "20.000 kWh × 0.50 €/kWh incl. VAT", "25.5 %"):
            assert fact in body
        for amount in ("10.00 €", "7.97 €", "2.03 €", "50.00 €"):
            assert amount in body
        assert "10.00 € was charged to your card." in body
        assert "VISA •••• 4242" in body
        assert all(line in show(payment).content.decode() for line in EFT_LINES)

    def test_a_duration_is_told_to_the_second(self) -> None:
        running = builders.cast().running(now=timezone.now() - timedelta(hours=2))
        payment = running.end(energy_wh=20_000, after_seconds=3909)

        assert "1 h 05 min 09 s" in text(show(payment))

    def test_before_the_confirmation_it_says_that_the_capture_is_on_its_way(self) -> None:
        running = builders.cast().running(now=timezone.now() - timedelta(minutes=30))
        payment = running.end(energy_wh=20_000, after_seconds=1200)

        assert "10.00 € is being charged to your card." in text(show(payment))

    def test_what_was_taken_too_much_is_told_until_it_is_back(self) -> None:
        payment = paid(amount_minor=7000)
        decisions.accept_capture(payment.pk, 7000, actor="dora", reason="x", now=timezone.now())
        payment.refresh_from_db()
        taken = text(show(payment))
        decisions.excess_returned(payment.pk, 6000, actor="dora", reason="x", now=timezone.now())
        payment.refresh_from_db()

        assert "70.00 € was charged to your card." in taken
        assert "10.00 € was charged to your card." in text(show(payment))

    def test_a_partial_capture_shows_what_is_open(self) -> None:
        payment = paid(status=CaptureStatus.PARTIAL_SUCCESS, amount_minor=600)

        assert "6.00 € was charged to your card. 4.00 € is still open." in text(show(payment))

    def test_a_failed_capture_is_not_called_paid(self) -> None:
        payment = paid(status=CaptureStatus.FAILED, amount_minor=0, eft_data=[])

        assert "did not go through" in text(show(payment))

    @pytest.mark.parametrize("state", list(PaymentState))
    @pytest.mark.parametrize("language", list(WORDS))
    def test_every_payment_state_has_words_in_every_language(
        self, language: str, state: PaymentState
    ) -> None:
        assert WORDS[language].money[state]

    def test_times_are_those_of_the_site_and_numbers_those_of_the_language(self) -> None:
        started_at = datetime(2026, 7, 1, 21, 10, tzinfo=UTC)
        payment = builders.cast().running(now=started_at).end(energy_wh=20_000, after_seconds=1200)

        german, finnish = text(show(payment, "?lang=de")), text(show(payment, "?lang=fi"))

        assert "02.07.2026, 00:30" in german
        assert "10,00 €" in german
        assert "2.7.2026 klo 0.30" in finnish


class TestLanguage:
    def test_the_language_asked_for_wins_over_the_terminals_and_the_browsers(self) -> None:
        payment = builders.cast().payment(language="sv")

        assert '<html lang="fi">' in text(show(payment, "?lang=fi", accept_language="de"))

    def test_the_terminals_language_wins_over_the_browsers(self) -> None:
        payment = builders.cast().payment(language="sv")

        assert '<html lang="sv">' in text(show(payment, accept_language="de"))

    def test_the_browsers_language_answers_for_one_that_is_not_spoken_here(self) -> None:
        payment = builders.cast().payment(language="xx")

        assert '<html lang="de">' in text(show(payment, accept_language="de-AT,en;q=0.5"))

    @pytest.mark.parametrize("language", list(WORDS))
    def test_every_language_has_every_phrase_for_every_key(self, language: str) -> None:
        words, english = WORDS[language], WORDS["en"]

        for name in ("headlines", "explanations", "stop_reasons", "refusals", "money", "lines"):
            assert set(getattr(words, name)) == set(getattr(english, name)), name
        assert set(words.headlines) == {str(phase) for phase in Phase}


class TestDoor:
    def test_every_unknown_link_gets_the_same_answer(self) -> None:
        payment = builders.cast().payment()
        right = path_of(payment)
        wrong = [
            "/r/nonsense",
            "/r/" + "A" * 43,
            right[:-1] + ("A" if right[-1] != "A" else "B"),
            f"/r/{token_for(uuid.uuid4())}",
            f"/r/{token_for(uuid.uuid4())}/qr.svg",
            f"/r/{token_for(uuid.uuid4())}.pdf",
            "/r/%00%ff",
        ]

        answers = [Client().get(path) for path in wrong]

        assert {answer.status_code for answer in answers} == {404}
        assert len({answer.content for answer in answers}) == 1

    def test_a_token_has_one_writing_only(self) -> None:
        session_id = uuid.UUID(int=7)
        token = token_for(session_id)

        opened = {last for last in string.ascii_letters + string.digits if session_of(token[:-1] + last)}

        assert opened == {token[-1]}

    @pytest.mark.parametrize("suffix", ["", ".pdf", "/qr.svg", "?part=live"])
    def test_no_answer_is_cached_indexed_or_told_to_others(self, suffix: str) -> None:
        response = Client().get(path_of(paid()) + suffix)

        assert response.status_code == 200
        assert response["Cache-Control"] == "no-store"
        assert response["Referrer-Policy"] == "no-referrer"
        assert "noindex" in response["X-Robots-Tag"]
        assert "Set-Cookie" not in response

    def test_nobody_can_post_to_it(self) -> None:
        assert Client().post(path_of(builders.cast().payment())).status_code == 405

    @pytest.mark.usefixtures("one_window")
    def test_an_address_that_guesses_is_slowed_down_but_right_links_stay_open(self) -> None:
        payment = builders.cast().payment()
        answers = [Client().get("/r/nonsense").status_code for _ in range(throttle.MISSES_PER_MINUTE + 5)]

        assert answers[0] == 404
        assert answers[-1] == 429
        assert show(payment).status_code == 200

    @pytest.mark.usefixtures("one_window")
    def test_one_link_cannot_be_hammered(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(throttle, "VISITS_PER_MINUTE", 2)
        payment = builders.cast().payment()

        assert [show(payment).status_code for _ in range(3)] == [200, 200, 429]

    def test_no_page_has_a_script_or_style_of_its_own(self) -> None:
        for response in (show(paid()), show(builders.cast().running().payment), Client().get("/r/nonsense")):
            body = response.content.decode()
            assert not re.search(r"<style|\sstyle=|\son\w+=|javascript:", body)
            assert all("src=" in tag for tag in re.findall(r"<script[^>]*>", body))
            assert "default-src 'self'" in response["Content-Security-Policy"]

    def test_hostile_strings_stay_text(self) -> None:
        cast = builders.cast()
        cast.site.name = cast.site.address = POLYGLOT
        cast.site.save()
        ChargingStation.objects.update(vendor=POLYGLOT[:50], model=POLYGLOT[:50])
        EVSE.objects.update(physical_reference="<svg/onload=1>"[:16])
        payment = paid(cast, eft_data=[POLYGLOT])

        body = show(payment).content.decode()

        assert "<svg/onload" not in body
        assert "{{7*7}}" in body
        assert "&lt;svg/onload=alert(1)&gt;" in body

    def test_the_page_asks_the_database_a_fixed_number_of_times(
        self, django_assert_max_num_queries: Any
    ) -> None:
        running = builders.cast().running(now=timezone.now() - timedelta(minutes=20))
        for minute in range(1, 10):
            running.meter(energy_wh=minute * 1000, after_seconds=minute * 60, power_w=60_000)

        done = paid()

        with django_assert_max_num_queries(2):
            show(running.payment)
        with django_assert_max_num_queries(3):
            show(done)


def test_the_qr_code_is_an_image_without_style() -> None:
    body = Client().get(path_of(builders.cast().payment()) + "/qr.svg")

    assert body["Content-Type"] == "image/svg+xml"
    assert body.content.startswith(b"<?xml")
    assert b"style" not in body.content
