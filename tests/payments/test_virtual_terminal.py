"""The demo's terminal: a PTP with its PSP that knows us through the public API alone."""

import hashlib
import hmac
import re
import time
import uuid
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from django.core.cache import cache
from django.test import Client
from django.utils import timezone

from chargers.models import EVSE
from payments import decisions
from payments.models import Payment
from payments.simulator import credentials, psp, views
from payments.simulator.native_api import ApiTrouble
from payments.simulator.platform import Order, Platform
from payments.simulator.words import SCREEN_WORDS
from payments.states import PaymentState
from sessions_app.models import Session
from sessions_app.states import SessionState
from tests import builders

pytestmark = pytest.mark.django_db
WEBHOOK_SECRET = "whsec_of-the-demo"


@pytest.fixture(autouse=True)
def over_the_api(monkeypatch: pytest.MonkeyPatch, settings: Any, tmp_path: Path) -> None:
    """Let the platform's HTTP calls reach this process's own application."""
    cache.clear()
    settings.VAR_DIR = tmp_path
    transport = httpx.MockTransport(answer)
    monkeypatch.setattr(
        views, "connect", lambda: httpx.Client(transport=transport, base_url="http://testserver")
    )


def answer(request: httpx.Request) -> httpx.Response:
    """Hand an HTTP request of the platform to the application, in the test's own transaction."""
    given = Client().generic(
        request.method,
        request.url.raw_path.decode(),
        request.content,
        content_type=request.headers.get("Content-Type", ""),
        headers=dict(request.headers),
    )
    return httpx.Response(given.status_code, headers=dict(given.items()), content=given.content)


@pytest.fixture
def cast() -> builders.Cast:
    made = builders.cast()
    credentials.save(made.terminal.terminal_id, made.key, WEBHOOK_SECRET)
    return made


@pytest.fixture
def platform(cast: builders.Cast) -> Platform:
    made = views.platform_for(cast.terminal.terminal_id, views.connect())
    assert made is not None
    return made


def text(response: Any) -> str:
    return re.sub(r"\s+", " ", response.content.decode().replace("\u00a0", " "))


def order(platform: Platform, cast: builders.Cast) -> Order:
    connector_id = str(cast.connector.public_id)
    quote = platform.quote(connector_id, "en")
    return Order(connector_id, quote["quote_id"], quote["preauthorize_amount"], quote["currency"], "en")


def charged(platform: Platform, cast: builders.Cast, *, energy_wh: int = 20_000) -> Payment:
    """Tap, charge for 20 minutes, end."""
    tap = platform.tap(uuid.uuid4(), order(platform, cast), psp.VISA)
    payment = Payment.objects.get(session=tap.session_id)
    running = builders.start(payment, at=timezone.now() - timedelta(minutes=25))
    return running.end(energy_wh=energy_wh, after_seconds=1200)


class TestPsp:
    def test_a_hold_is_taken_once_however_often_it_is_asked_for(self) -> None:
        bank = psp.Psp()
        bank.preauthorise("r", "60.00", "EUR", psp.VISA)
        bank.preauthorise("r", "60.00", "EUR", psp.VISA)
        bank.capture("r", "10.00")
        bank.capture("r", "10.00")

        assert bank.effects == [("hold", "r"), ("capture", "r")]

    def test_more_than_the_hold_another_amount_or_a_dropped_hold_is_refused(self) -> None:
        bank = psp.Psp()
        bank.preauthorise("a", "60.00", "EUR", psp.VISA)
        with pytest.raises(psp.HoldIsGone):
            bank.capture("a", "60.01")
        bank.capture("a", "10.00")
        with pytest.raises(psp.HoldIsGone):
            bank.capture("a", "11.00")
        with pytest.raises(psp.HoldIsGone):
            bank.release("a")
        with pytest.raises(psp.UnknownHold):
            bank.capture("b", "1.00")

    def test_it_survives_being_written_down(self) -> None:
        bank = psp.Psp()
        bank.preauthorise("a", "60.00", "EUR", psp.VISA)
        bank.preauthorise("b", "60.00", "EUR", psp.EMPTY)
        bank.capture("a", "10.00")

        assert psp.Psp.from_state(bank.to_state()) == bank


class TestPlatform:
    def test_a_declined_card_starts_nothing(self, platform: Platform, cast: builders.Cast) -> None:
        tap = platform.tap(uuid.uuid4(), order(platform, cast), psp.EMPTY)

        assert tap.outcome == "declined"
        assert not Session.objects.exists()

    def test_the_same_tap_twice_is_one_hold_and_one_session(
        self, platform: Platform, cast: builders.Cast
    ) -> None:
        tap_id, agreed = uuid.uuid4(), order(platform, cast)

        taps = [platform.tap(tap_id, agreed, psp.VISA) for _ in range(2)]

        assert taps[0] == taps[1]
        assert Session.objects.count() == 1
        assert platform.psp().count("hold", str(tap_id)) == 1

    def test_a_charge_is_captured_once_and_confirmed_with_the_card_slip(
        self, platform: Platform, cast: builders.Cast
    ) -> None:
        payment = charged(platform, cast)

        counts = [platform.settle_due() for _ in range(3)]

        payment.refresh_from_db()
        assert counts == [1, 0, 0]
        assert (payment.state, payment.captured_minor) == (PaymentState.CAPTURED, 1000)
        assert platform.psp().count("capture", payment.authorization_reference) == 1
        assert "CAPTURED EUR 10.00" in payment.confirmations.get().eft_data

    def test_what_staff_give_back_goes_back_to_the_card_once(
        self, platform: Platform, cast: builders.Cast
    ) -> None:
        payment = charged(platform, cast)
        platform.settle_due()
        decisions.refund(payment.pk, 300, actor="anna", reason="broken cable", now=timezone.now())

        counts = [platform.settle_due() for _ in range(2)]

        payment.refresh_from_db()
        assert counts == [1, 0]
        assert (payment.state, payment.refunded_minor) == (PaymentState.REFUNDED, 300)
        assert platform.psp().count("refund", payment.authorization_reference) == 1

    def test_a_confirmation_that_was_lost_is_told_again_without_a_second_capture(
        self, platform: Platform, cast: builders.Cast, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        payment = charged(platform, cast)
        with monkeypatch.context() as broken:
            broken.setattr(platform.api, "post", _unreachable)
            with pytest.raises(ApiTrouble):
                platform.settle_due()

        platform.settle_due()

        payment.refresh_from_db()
        assert payment.state == PaymentState.CAPTURED
        assert platform.psp().count("capture", payment.authorization_reference) == 1

    def test_a_refused_start_drops_the_hold_and_says_so(
        self, platform: Platform, cast: builders.Cast
    ) -> None:
        agreed = order(platform, cast)
        builders.take_offline(cast.station)

        tap = platform.tap(uuid.uuid4(), agreed, psp.VISA)

        payment = Payment.objects.get(session=tap.session_id)
        assert (tap.outcome, tap.problem) == ("refused", "connector_unavailable")
        assert payment.state == PaymentState.RELEASED
        assert platform.psp().count("release", payment.authorization_reference) == 1

    def test_a_tap_whose_answer_was_lost_may_be_repeated(
        self, platform: Platform, cast: builders.Cast, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        tap_id, agreed = uuid.uuid4(), order(platform, cast)
        with monkeypatch.context() as broken:
            broken.setattr(platform.api, "post", _unreachable)
            with pytest.raises(ApiTrouble):
                platform.tap(tap_id, agreed, psp.VISA)

        assert platform.tap(tap_id, agreed, psp.VISA).outcome == "started"
        assert platform.psp().count("hold", str(tap_id)) == 1

    def test_a_hold_that_the_psp_lost_is_reported_as_failed(
        self, platform: Platform, cast: builders.Cast
    ) -> None:
        running = cast.running(now=timezone.now() - timedelta(minutes=25))
        payment = running.end(energy_wh=20_000, after_seconds=1200)

        platform.settle_due()

        payment.refresh_from_db()
        assert payment.state == PaymentState.CAPTURE_FAILED


def _unreachable(*_: Any, **__: Any) -> None:
    raise ApiTrouble("no route")


class TestPage:
    def test_it_exists_in_the_demo_only(self, cast: builders.Cast, settings: Any) -> None:
        assert Client().get(f"/terminal/{cast.terminal.terminal_id}/").status_code == 200

        settings.DEMO = False

        assert Client().get(f"/terminal/{cast.terminal.terminal_id}/").status_code == 404
        assert Client().post("/terminal/webhook", b"{}", content_type="application/json").status_code == 404

    def test_a_terminal_without_a_key_does_not_exist(self) -> None:
        assert Client().get("/terminal/nobody/").status_code == 404

    def test_home_has_the_four_choices(self, cast: builders.Cast) -> None:
        body = text(Client().get(f"/terminal/{cast.terminal.terminal_id}/"))

        for choice in ("Start", "Stop", "Receipt", "Language"):
            assert choice in body

    def test_from_the_choice_to_the_receipt(self, cast: builders.Cast, platform: Platform) -> None:
        client, base = Client(), f"/terminal/{cast.terminal.terminal_id}"
        listed = text(client.get(f"{base}/start/"))
        assert cast.evse.label in listed
        assert "Energy: 0.50 €/kWh incl. VAT" in listed

        offered = client.get(f"{base}/start/{cast.connector.public_id}/")
        assert "60.00 € will be held on your card" in text(offered)
        assert "All prices include VAT." in text(offered)
        started = client.post(f"{base}/tap", {"offer": offered.context["offer"], "card": "visa"})
        page = started["Location"]
        assert "Asking the charger" in text(client.get(page))

        payment = Payment.objects.get()
        running = builders.start(payment, at=timezone.now() - timedelta(minutes=25))
        running.meter(energy_wh=8000, after_seconds=480, power_w=60_000)
        part = text(client.get(f"{page}?part=live"))
        assert "4.00 €" in part
        assert "8.00 kWh" in part
        assert "Charging" in text(client.get(f"{base}/stop/"))
        client.post(f"{page}stop")
        assert Session.objects.get().state == SessionState.STOPPING

        running.end(energy_wh=20_000, after_seconds=1200)
        done = text(client.get(page))
        assert "10.00 € was charged to your card" in done
        assert "/qr.svg" in done
        assert "http-equiv" not in done
        assert "10.00 €" in text(client.get(f"{base}/receipts/"))

    def test_sending_the_form_twice_is_one_tap(self, cast: builders.Cast) -> None:
        client, base = Client(), f"/terminal/{cast.terminal.terminal_id}"
        offered = client.get(f"{base}/start/{cast.connector.public_id}/").context["offer"]

        pages = {client.post(f"{base}/tap", {"offer": offered, "card": "visa"})["Location"] for _ in range(2)}

        assert len(pages) == 1
        assert Session.objects.count() == 1

    def test_a_declined_card_leads_back_to_the_offer(self, cast: builders.Cast) -> None:
        client, base = Client(), f"/terminal/{cast.terminal.terminal_id}"
        offered = client.get(f"{base}/start/{cast.connector.public_id}/").context["offer"]

        body = text(client.post(f"{base}/tap", {"offer": offered, "card": "declined"}))

        assert "Card declined" in body
        assert f"{base}/start/{cast.connector.public_id}/" in body

    def test_an_offer_that_was_changed_is_not_taken(self, cast: builders.Cast) -> None:
        response = Client().post(
            f"/terminal/{cast.terminal.terminal_id}/tap", {"offer": "x:y", "card": "visa"}
        )

        assert response.status_code == 302
        assert not Session.objects.exists()

    def test_a_connector_that_cannot_start_cannot_be_chosen(self, cast: builders.Cast) -> None:
        builders.take_offline(cast.station)
        base = f"/terminal/{cast.terminal.terminal_id}"

        assert "Not reachable" in text(Client().get(f"{base}/start/"))
        assert Client().get(f"{base}/start/{cast.connector.public_id}/").status_code == 302

    def test_the_language_that_was_chosen_stays(self, cast: builders.Cast) -> None:
        client, base = Client(), f"/terminal/{cast.terminal.terminal_id}"
        client.get(f"{base}/language/?lang=fi")

        body = text(client.get(f"{base}/"))

        assert '<html lang="fi">' in body
        assert SCREEN_WORDS["fi"].welcome in body

    def test_without_the_api_it_is_out_of_order_and_not_broken(
        self, cast: builders.Cast, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(views, "connect", lambda: httpx.Client(base_url="http://127.0.0.1:9"))

        response = Client().get(f"/terminal/{cast.terminal.terminal_id}/start/")

        assert response.status_code == 503
        assert "Out of order" in text(response)

    def test_hostile_strings_stay_text_and_no_screen_has_inline_code(
        self, cast: builders.Cast, platform: Platform
    ) -> None:
        EVSE.objects.update(physical_reference="<svg/onload=1>")
        payment = charged(platform, cast)
        base = f"/terminal/{cast.terminal.terminal_id}"

        for path in (
            "/",
            "/start/",
            "/receipts/",
            f"/sessions/{payment.session_id}/",
            "/stop/",
            "/language/",
        ):
            body = Client().get(base + path).content.decode()
            assert "<svg/onload" not in body
            assert not re.search(r"<style|\sstyle=|\son\w+=\"", body)
            assert all("src=" in tag for tag in re.findall(r"<script[^>]*>", body))


class TestWebhook:
    def post(self, secret: str, *, event: str = "settlement.due") -> int:
        body, at = b'{"event": "settlement.due"}', int(time.time())
        digest = hmac.new(secret.encode(), f"{at}.".encode() + body, hashlib.sha256).hexdigest()
        headers = {"X-Emabler-Signature": f"t={at},v1={digest}", "X-Emabler-Event": event}
        return (
            Client()
            .post("/terminal/webhook", body, content_type="application/json", headers=headers)
            .status_code
        )

    def test_a_signed_one_settles_what_is_due(self, platform: Platform, cast: builders.Cast) -> None:
        payment = charged(platform, cast)

        assert self.post(WEBHOOK_SECRET) == 204

        payment.refresh_from_db()
        assert payment.state == PaymentState.CAPTURED

    def test_one_that_is_not_ours_changes_nothing(self, platform: Platform, cast: builders.Cast) -> None:
        payment = charged(platform, cast)

        assert self.post("another") == 401

        payment.refresh_from_db()
        assert payment.state == PaymentState.CAPTURING


def test_every_language_names_every_reason() -> None:
    assert len({frozenset(words.busy) for words in SCREEN_WORDS.values()}) == 1
