"""The portal tells the truth about chargers, sessions and money, to staff only."""

import re
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.core.cache import cache
from django.test import Client
from django.utils import timezone

from chargers.facts import EvseStatus
from chargers.models import EVSE, ChargingStation, Command, CommandAction, WebProcess
from emabler.portal import login, words
from payments import settlement
from payments.models import Payment
from payments.settlement import CaptureReport
from payments.states import CaptureStatus, PaymentState, Review
from sessions_app.models import Session, SessionEvent
from sessions_app.states import SessionState, StopReason
from tests import builders

pytestmark = pytest.mark.django_db
PASSWORD = "a-long-enough-password"
POLYGLOT = """jaVasCript:/*'/*"/**/ onX=1 --></title></style><svg/onload=alert(1)>{{7*7}}"""


@pytest.fixture(autouse=True)
def _empty_cache() -> None:
    cache.clear()


@pytest.fixture
def staff() -> Client:
    user = get_user_model().objects.create_user("anna", password=PASSWORD, is_staff=True)
    client = Client()
    client.force_login(user)
    return client


def text(response: Any) -> str:
    return re.sub(r"\s+", " ", response.content.decode().replace("\u00a0", " "))


class TestDoor:
    @pytest.mark.parametrize("path", ["/", "/sessions/00000000-0000-0000-0000-000000000000/"])
    def test_strangers_are_sent_to_the_login(self, path: str) -> None:
        response = Client().get(path)

        assert response.status_code == 302
        assert response["Location"].startswith("/login/?next=/")

    def test_someone_who_is_not_staff_does_not_get_in(self) -> None:
        get_user_model().objects.create_user("bert", password=PASSWORD)

        response = Client().post("/login/", {"username": "bert", "password": PASSWORD})

        assert response.status_code == 200
        assert 'role="alert"' in text(response)

    def test_staff_sign_in_and_out(self) -> None:
        get_user_model().objects.create_user("anna", password=PASSWORD, is_staff=True)
        client = Client()

        assert client.post("/login/", {"username": "anna", "password": PASSWORD})["Location"] == "/"
        assert client.get("/").status_code == 200
        assert client.post("/logout/")["Location"] == "/login/"
        assert client.get("/").status_code == 302

    def test_the_login_leads_nowhere_else(self) -> None:
        get_user_model().objects.create_user("anna", password=PASSWORD, is_staff=True)
        form = {"username": "anna", "password": PASSWORD, "next": "https://elsewhere.example/"}

        assert Client().post("/login/", form)["Location"] == "/"

    def test_guessing_a_password_is_stopped_even_when_the_next_guess_is_right(self) -> None:
        get_user_model().objects.create_user("anna", password=PASSWORD, is_staff=True)
        client = Client()
        for _ in range(login.FAILURES_PER_NAME):
            client.post("/login/", {"username": "anna", "password": "wrong"})

        response = client.post("/login/", {"username": "Anna", "password": PASSWORD})

        assert response.status_code == 200
        assert "Too many failed attempts" in text(response)


class TestOverview:
    def test_an_empty_network_says_what_to_do(self, staff: Client) -> None:
        body = text(staff.get("/"))

        assert "No charger is set up yet" in body
        assert "Nobody is charging right now" in body
        assert "No payment yet" in body

    def test_a_charger_whose_socket_is_gone_shows_as_gone_at_once(self, staff: Client) -> None:
        cast = builders.cast()
        assert "Connected" in text(staff.get("/"))
        assert "Free" in text(staff.get("/"))

        builders.take_offline(cast.station)
        ChargingStation.objects.update(disconnected_at=timezone.now())
        body = text(staff.get("/?part=live"))

        assert "Gone since" in body
        assert "Unknown" in body
        assert "last said: free" in body
        assert "0 <small>of 1" in body

    def test_a_charger_whose_process_died_shows_as_gone(self, staff: Client) -> None:
        builders.cast()
        WebProcess.objects.update(alive_at=timezone.now() - timedelta(minutes=1))

        assert "Gone since" in text(staff.get("/"))

    def test_a_fault_is_named(self, staff: Client) -> None:
        builders.cast()
        EVSE.objects.update(status=EvseStatus.FAULTED, error_code="GroundFailure")

        assert "Fault: GroundFailure" in text(staff.get("/"))

    def test_a_live_session_shows_energy_power_cost_and_hold(self, staff: Client) -> None:
        running = builders.cast().running(now=timezone.now() - timedelta(minutes=10))
        running.meter(energy_wh=8000, after_seconds=480, power_w=60_000)

        body = text(staff.get("/"))

        for figure in (
            "8.00 kWh",
            "60.0 kW",
            "10 min",
            "4.00 €",
            "60.00 €",
            f"/sessions/{running.session.pk}/",
        ):
            assert figure in body

    def test_a_payment_that_needs_review_says_why(self, staff: Client) -> None:
        running = builders.cast().running(now=timezone.now() - timedelta(minutes=10))
        payment = running.end(energy_wh=5000, after_seconds=300)
        Payment.objects.filter(pk=payment.pk).update(review=Review.AMOUNT_DIFFERS)

        body = text(staff.get("/"))

        assert "confirmed amount differs" in body
        assert "needs review" in body

    def test_the_number_of_queries_does_not_grow_with_the_network(
        self, staff: Client, django_assert_max_num_queries: Any
    ) -> None:
        for _ in range(4):
            cast = builders.cast()
            for _ in range(3):
                builders.connector(at=builders.evse(at=cast.station), tariff=cast.tariff_version)
            cast.running()

        with django_assert_max_num_queries(9):
            assert staff.get("/").status_code == 200

    def test_it_refreshes_without_javascript(self, staff: Client) -> None:
        assert '<noscript><meta http-equiv="refresh" content="5"></noscript>' in text(staff.get("/"))

    def test_hostile_strings_stay_text_and_no_page_has_inline_code(self, staff: Client) -> None:
        cast = builders.cast()
        cast.site.name = cast.site.address = POLYGLOT
        cast.site.save()
        hostile = POLYGLOT[:50]
        ChargingStation.objects.update(
            vendor=hostile, model="<svg/onload=alert(1)>", identity="<svg/onload=x>"
        )
        EVSE.objects.update(error_code="<svg/onload=alert(1)>", physical_reference="<svg/onload=1>")
        session = cast.running().session
        Session.objects.update(needs_review=POLYGLOT, refusal="<svg/onload=alert(1)>")
        SessionEvent.objects.create(
            session=session,
            number=99,
            at=timezone.now(),
            kind="Heard",
            state_after=session.state,
            actor=POLYGLOT,
            data={"<svg/onload=a>": "<svg/onload=b>"},
        )

        for path in ("/", f"/sessions/{session.pk}/"):
            body = staff.get(path).content.decode()
            assert "<svg/onload" not in body
            assert "&lt;svg/onload" in body
            assert not re.search(r"<style|\sstyle=|\son(?!X)\w+=\"", body)
            assert all("src=" in tag for tag in re.findall(r"<script[^>]*>", body))


class TestSessionPage:
    def test_it_tells_both_journals_in_order(self, staff: Client) -> None:
        running = builders.cast().running(now=timezone.now() - timedelta(minutes=10))
        running.meter(energy_wh=2000, after_seconds=200, power_w=40_000)
        payment = running.end(energy_wh=5000, after_seconds=300)
        settlement.confirm(
            payment.pk,
            CaptureReport(
                confirmation_id="fac-1",
                status=CaptureStatus.SUCCESS,
                amount_minor=payment.due_minor,
                currency="EUR",
            ),
            now=timezone.now(),
        )

        body = text(staff.get(f"/sessions/{running.session.pk}/"))

        told = [
            "Amount held on the card",
            "Charging began",
            "Charging ended",
            "Bill issued",
            "Capture confirmed",
        ]
        assert sorted(body.index(phrase) for phrase in told) == [body.index(phrase) for phrase in told]
        assert "Command to the charger: start" in body
        assert "102.000 kWh" in body
        assert "2.50 €" in body
        assert "Send stop" not in body

    def test_an_unknown_session_is_not_found(self, staff: Client) -> None:
        assert staff.get("/sessions/00000000-0000-0000-0000-000000000000/").status_code == 404

    def test_stop_sends_a_stop_in_the_name_of_the_user_with_the_reason(self, staff: Client) -> None:
        session = builders.cast().running().session

        response = staff.post(f"/sessions/{session.pk}/stop", {"reason": "driver phoned"}, follow=True)

        session.refresh_from_db()
        assert "The charger was asked to stop." in text(response)
        assert (session.state, session.stop_reason) == (SessionState.STOPPING, StopReason.OPERATOR)
        assert Command.objects.get(action=CommandAction.STOP).actor == "anna: driver phoned"
        assert SessionEvent.objects.filter(kind="StopAsked", actor="anna: driver phoned").exists()

    def test_stop_without_a_reason_is_not_sent(self, staff: Client) -> None:
        session = builders.cast().running().session

        response = staff.post(f"/sessions/{session.pk}/stop", {"reason": " \n"}, follow=True)

        assert "Say why" in text(response)
        assert not Command.objects.filter(action=CommandAction.STOP).exists()

    def test_stop_of_what_is_over_is_harmless(self, staff: Client) -> None:
        running = builders.cast().running(now=timezone.now() - timedelta(minutes=10))
        running.end(energy_wh=5000, after_seconds=300)

        response = staff.post(f"/sessions/{running.session.pk}/stop", {"reason": "x"}, follow=True)

        assert "over already" in text(response)

    def test_stop_needs_the_form_token(self) -> None:
        user = get_user_model().objects.create_user("anna", password=PASSWORD, is_staff=True)
        client = Client(enforce_csrf_checks=True)
        client.force_login(user)
        session = builders.cast().running().session

        assert client.post(f"/sessions/{session.pk}/stop", {"reason": "x"}).status_code == 403
        assert client.get(f"/sessions/{session.pk}/stop").status_code == 405


def test_every_state_has_words() -> None:
    assert set(words.EVSE) == set(EvseStatus)
    assert set(words.SESSION) == set(SessionState)
    assert set(words.PAYMENT) == set(PaymentState)
    assert set(words.REVIEW) == set(Review)
