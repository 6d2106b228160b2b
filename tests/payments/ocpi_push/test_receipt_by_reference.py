"""A receipt by the PTP's reference: at once where it is random, else for who knows the card or the amount."""

import uuid
from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from payments import settlement
from payments.models import Payment
from payments.ocpi.push.terminals import invoice_base_url
from payments.receipts.by_reference import is_random
from payments.receipts.tokens import token_for
from payments.settlement import CaptureReport
from payments.states import CaptureStatus
from tests import builders
from tests.builders import Cast
from tests.payments.ocpi_push.platform import registered

GUESSABLE = "pp-100100-1948213567"


def paid(cast: Cast, reference: str, *, eft_data: tuple[str, ...] = ()) -> Payment:
    """A payment of 10.00 EUR that came over OCPI: no card is known but from the confirmation."""
    connection = registered(cast)
    at = timezone.now() - timedelta(minutes=30)
    hold = cast.payment(
        connection=connection,
        terminal=None,
        authorization_reference=reference,
        card_scheme="",
        card_last4="",
        now=at,
    )
    payment = builders.start(hold, at=at).end(energy_wh=20_000, after_seconds=1200)
    report = CaptureReport(
        confirmation_id="c-1",
        status=CaptureStatus.SUCCESS,
        amount_minor=1000,
        currency="EUR",
        eft_data=list(eft_data),
    )
    return settlement.confirm(payment.pk, report, now=timezone.now())


def path_of(payment: Payment) -> str:
    assert payment.session_id is not None
    return f"/r/{token_for(payment.session_id)}"


def answer(reference: str, text: str):  # type: ignore[no-untyped-def]
    return Client().post(f"/r/ref/{reference}", {"answer": text})


@pytest.mark.parametrize("slashes", ["/", "//"])
def test_a_random_reference_opens_its_receipt(cast: Cast, slashes: str) -> None:
    reference = str(uuid.uuid4())
    payment = paid(cast, reference)
    assert invoice_base_url().endswith("/r/ref/")

    response = Client().get(f"/r/ref{slashes}{reference}")

    assert (response.status_code, response["Location"]) == (302, path_of(payment))
    assert response["Cache-Control"] == "no-store"


@pytest.mark.parametrize(
    ("reference", "random"),
    [
        ("6f1c1f0a-6a0f-4c57-9a3e-2b7f6f8f3c11", True),
        ("6F1C1F0A6A0F4C579A3E2B7F6F8F3C11", True),
        ("6f1c1f0a-6a0f-1c57-9a3e-2b7f6f8f3c11", False),  # version 1: a time and an address
        ("00000000-0000-0000-0000-000000000001", False),
        (GUESSABLE, False),
        ("a" * 36, False),
    ],
)
def test_only_random_uuids_count_as_random(reference: str, random: bool) -> None:
    assert is_random(reference) is random


@pytest.mark.parametrize("reference", [GUESSABLE, "unknown-1"])
def test_a_guessable_reference_asks_first_and_tells_nobody_whether_it_exists(
    cast: Cast, reference: str
) -> None:
    paid(cast, GUESSABLE)

    shown, refused = Client().get(f"/r/ref/{reference}"), answer(reference, "0000")

    assert (shown.status_code, refused.status_code) == (200, 403)
    assert reference not in shown.content.decode()
    assert "Harbour" not in shown.content.decode()


@pytest.mark.parametrize("right", ["10.00", "10,00", "10", "4242"])
def test_who_knows_the_card_or_the_amount_gets_the_receipt(cast: Cast, right: str) -> None:
    payment = paid(cast, GUESSABLE, eft_data=("VISA  **** **** **** 4242",))

    response = answer(GUESSABLE, right)

    assert (response.status_code, response.get("Location")) == (302, path_of(payment))


@pytest.mark.parametrize("wrong", ["", "4243", "9.99", "0", "-10", "1e1", "x" * 500, "١٠"])
def test_anything_else_opens_nothing(cast: Cast, wrong: str) -> None:
    paid(cast, GUESSABLE, eft_data=("VISA  **** **** **** 4242",))

    assert answer(GUESSABLE, wrong).status_code == 403


@pytest.mark.usefixtures("one_window")
def test_after_five_answers_in_an_hour_no_other_is_looked_at(cast: Cast) -> None:
    paid(cast, GUESSABLE)
    for _ in range(5):
        assert answer(GUESSABLE, "9.99").status_code == 403

    assert answer(GUESSABLE, "10.00").status_code == 429


def test_a_random_reference_of_nobody_is_not_found(db: None) -> None:
    assert Client().get(f"/r/ref/{uuid.uuid4()}").status_code == 404


def test_the_references_of_the_native_api_are_none_of_these(db: None) -> None:
    cast, reference = builders.cast(), str(uuid.uuid4())
    cast.payment(authorization_reference=reference)

    assert Client().get(f"/r/ref/{reference}").status_code == 404


def test_the_form_is_guarded_against_forgery(cast: Cast) -> None:
    paid(cast, GUESSABLE)
    strict = Client(enforce_csrf_checks=True)

    assert strict.post(f"/r/ref/{GUESSABLE}", {"answer": "10.00"}).status_code == 403
    assert "csrfmiddlewaretoken" in strict.get(f"/r/ref/{GUESSABLE}").content.decode()
