"""CDRs: what to capture and what to give back, none missed, none told twice under two names."""

from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from chargers.facts import EvseStatus
from chargers.models import EVSE, Site
from payments import decisions, settlement
from payments.models import Payment, Receipt, ToldCdr
from payments.ocpi import told_cdrs
from payments.ocpi.cdr_entries import parse_cdr
from payments.settlement import CaptureReport
from payments.states import CaptureStatus, PaymentState
from sessions_app.models import CDR, Session
from tests.builders import Cast
from tests.payments.ocpi_server.paying import LONG_AGO, TOKEN, charged, elsewhere, text_of
from tests.payments.ocpi_server.reader import Reader, contract, reader

# --- CDRs -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("version", ["2.2.1", "2.3.0"])
def test_a_cdr_tells_what_to_capture(cast: Cast, ptp: Reader, version: str) -> None:
    ptp.version = version
    payment = charged(cast, ptp)

    (document,) = ptp.get("cdrs").data

    cdr = parse_cdr(document)
    assert (cdr.total.incl, cdr.energy_kwh) == (5, 10)
    assert (cdr.cdr_token, cdr.authorization_reference) == (TOKEN, payment.authorization_reference)
    assert cdr.session_id == str(payment.session_id)
    assert ptp.get(f"cdrs/FI/EMB/{document['id']}/").data == document


def test_the_invoice_is_named_by_whoever_makes_it(cast: Cast, ptp: Reader) -> None:
    payment = charged(cast, ptp)
    number = Receipt.objects.get(payment=payment).full_number

    assert ptp.get("cdrs").data[0]["invoice_reference_id"] == number
    ptp.change(invoice_creator="PTP")
    EVSE.objects.update(status=EvseStatus.AVAILABLE)
    charged(cast, ptp)
    first, second = ptp.get("cdrs").data
    assert first["invoice_reference_id"] == number  # a CDR that was told stays as it is
    assert "invoice_reference_id" not in second


def test_nothing_is_told_before_the_payment_knows_of_it(cast: Cast, ptp: Reader) -> None:
    payment = charged(cast, ptp)
    Payment.objects.filter(pk=payment.pk).update(state=PaymentState.AUTHORIZED)

    assert ptp.get("cdrs").data == []


def captured(cast: Cast, ptp: Reader) -> Payment:
    """A session that the PTP captured 5.00 EUR for."""
    payment = charged(cast, ptp)
    report = CaptureReport(
        confirmation_id="f-1", status=CaptureStatus.SUCCESS, amount_minor=500, currency="EUR"
    )
    settlement.confirm(payment.pk, report, now=timezone.now())
    return payment


def refund(payment: Payment, amount_minor: int) -> CDR:
    return decisions.refund(
        payment.pk, amount_minor, actor="staff", reason="broken cable", now=timezone.now()
    )


def test_a_credit_stands_beside_the_cdr_that_it_gives_back(cast: Cast, ptp: Reader) -> None:
    payment = captured(cast, ptp)
    (bill,) = ptp.get("cdrs").data
    credit = refund(payment, 500)

    told = ptp.get("cdrs").by("id")

    assert told[bill["id"]] == bill
    document = told[str(credit.pk)]
    assert (document["credit"], document["credit_reference_id"]) == (True, bill["id"])
    assert document["total_cost"]["before_taxes"] == -bill["total_cost"]["before_taxes"]
    assert document["invoice_reference_id"] == payment.credit_notes.get().full_number


def test_a_platform_that_takes_no_pushes_gives_back_when_it_sees_the_credit(cast: Cast, ptp: Reader) -> None:
    payment = captured(cast, ptp)
    first = refund(payment, 200)
    ptp.get("cdrs")
    payment.refresh_from_db()
    assert payment.state == PaymentState.REFUNDED

    second = refund(payment, 100)
    ptp.get(f"cdrs/{first.pk}")
    payment.refresh_from_db()
    assert payment.state == PaymentState.REFUNDING

    ptp.get(f"cdrs/{second.pk}")
    payment.refresh_from_db()
    assert payment.state == PaymentState.REFUNDED


def test_a_cdr_that_committed_after_a_look_is_found_by_the_next(cast: Cast, ptp: Reader) -> None:
    """It was issued before the look, and became visible after it."""
    payment = charged(cast, ptp)
    Payment.objects.filter(pk=payment.pk).update(state=PaymentState.AUTHORIZED)
    assert ptp.get("cdrs").total == 0
    looked_at = timezone.now()
    Payment.objects.filter(pk=payment.pk).update(state=PaymentState.CAPTURING)
    assert CDR.objects.get().issued_at < looked_at

    (cdr,) = ptp.get("cdrs", date_from=text_of(looked_at)).data

    assert cdr["last_updated"] >= looked_at.strftime("%Y-%m-%dT%H:%M:%SZ")
    assert ptp.get("cdrs").data == [cdr]
    assert ptp.get("cdrs", date_from=text_of(timezone.now())).total == 0


def test_stamps_never_go_back(cast: Cast, ptp: Reader) -> None:
    charged(cast, ptp)
    ahead = timezone.now() + timedelta(minutes=10)
    told_cdrs.stamp_due(ptp.connection)
    ToldCdr.objects.update(told_at=ahead)  # by a server whose clock was fast
    charged(elsewhere(), ptp)

    told_cdrs.stamp_due(ptp.connection)

    assert [each.told_at for each in ToldCdr.objects.all()] == [ahead, ahead]


def test_a_repeated_look_at_cdrs_writes_nothing_of_them(cast: Cast, ptp: Reader) -> None:
    charged(cast, ptp)
    ptp.get("cdrs")

    with CaptureQueriesContext(connection) as captured:
        ptp.get("cdrs")

    writes = [q["sql"] for q in captured.captured_queries if q["sql"].startswith(("INSERT", "UPDATE"))]
    assert [sql for sql in writes if "ocpimessage" not in sql] == []


def test_pages_take_a_fixed_number_of_queries(cast: Cast, ptp: Reader) -> None:
    def queries(path: str) -> int:
        with CaptureQueriesContext(connection) as captured:
            assert ptp.get(path, date_from=LONG_AGO).status == 1000
        return len(captured)

    charged(cast, ptp)
    queries("cdrs")
    few = queries("cdrs"), queries("sessions")
    for _ in range(4):
        charged(elsewhere(), ptp)
    queries("cdrs")

    assert (queries("cdrs"), queries("sessions")) == few
    assert max(few) <= 9


@pytest.mark.parametrize("place_is_known", [True, False])
def test_a_cdr_is_found_where_it_says_that_it_is(cast: Cast, place_is_known: bool) -> None:
    """A site that went to another party left its CDRs with the one before; older ones know today's alone."""
    ptp = reader(of=cast.ptp)
    contract(ptp, ("SE", "OTH"))
    charged(cast, ptp)
    if not place_is_known:
        Session.objects.update(place=None)
    Site.objects.update(country_code="SE", party_id="OTH")
    owner, other = (("FI", "EMB"), ("SE", "OTH"))[:: 1 if place_is_known else -1]

    (document,) = ptp.get("cdrs", to=owner).data

    assert (document["country_code"], document["party_id"]) == owner
    assert ptp.get(f"cdrs/{'/'.join(owner)}/{document['id']}").data == document
    assert ptp.get("cdrs", to=other).data == []
