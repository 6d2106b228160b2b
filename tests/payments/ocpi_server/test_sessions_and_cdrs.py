"""Sessions and CDRs: each platform gets those that it paid for, in time, and learns of holds to drop."""

from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from payments import decisions, settlement
from payments.models import Payment, Receipt, ToldCdr
from payments.ocpi import told_cdrs
from payments.ocpi.cdr_entries import parse_cdr
from payments.ocpi.cdrs import zero_cdr_id
from payments.ocpi.sessions import parse_session
from payments.settlement import CaptureReport
from payments.states import CaptureStatus, PaymentState
from sessions_app.models import CDR
from tests import builders
from tests.builders import Cast
from tests.payments.ocpi_server.reader import Reader, contract, reader

LONG_AGO = "2020-01-01T00:00:00Z"
PUSHED = {
    "sessions:RECEIVER": "https://ptp.example.com/ocpi/sessions",
    "cdrs:RECEIVER": "https://ptp.example.com/ocpi/cdrs",
}
TOKEN = {"country_code": "NL", "party_id": "PTP", "uid": "u-1", "type": "AD_HOC_USER", "contract_id": "c-1"}


def tap(cast: Cast, ptp: Reader, **fields) -> Payment:
    """A hold that came by this platform."""
    return cast.payment(connection=ptp.connection, terminal=None, token=TOKEN, **fields)


def charged(cast: Cast, ptp: Reader, *, energy_wh: int = 10_000) -> Payment:
    """A session that was paid for by this platform and is over; nothing was charged with too little energy."""
    now = timezone.now() - timedelta(minutes=30)
    running = builders.start(tap(cast, ptp, now=now), at=now)
    return running.end(energy_wh=energy_wh, after_seconds=1200)


def elsewhere(party: tuple[str, str] = ("FI", "EMB")) -> Cast:
    """Another site with a charger, of that party."""
    other = builders.cast()
    type(other.site).objects.filter(pk=other.site.pk).update(country_code=party[0], party_id=party[1])
    other.site.refresh_from_db()
    return other


def _text(at) -> str:
    return at.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


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
        return ptp.get("sessions", date_from=_text(timezone.now() - timedelta(minutes=minutes))).total

    assert (since(11), since(9)) == (1, 0)
    nine_ago = _text(timezone.now() - timedelta(minutes=9))
    assert ptp.get("sessions", date_from=LONG_AGO, date_to=nine_ago).total == 1
    assert ptp.get("sessions", date_from=LONG_AGO, date_to="2020-01-02T00:00:00Z").total == 0


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
    ptp.get("sessions", date_from=_text(looked_at))

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
    assert "invoice_reference_id" not in ptp.get("cdrs").data[0]


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

    (cdr,) = ptp.get("cdrs", date_from=_text(looked_at)).data

    assert cdr["last_updated"] >= looked_at.strftime("%Y-%m-%dT%H:%M:%SZ")
    assert ptp.get("cdrs").data == [cdr]
    assert ptp.get("cdrs", date_from=_text(timezone.now())).total == 0


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


# --- Whose ----------------------------------------------------------------------------------------

PATHS = [
    "locations",
    "locations/{location}",
    "locations/{location}/{evse}",
    "locations/{location}/{evse}/1",
    "tariffs",
    "tariffs/{tariff}",
    "tariffs/{party}/{tariff}",
    "sessions?date_from=" + LONG_AGO,
    "sessions/{party}/{session}",
    "cdrs?date_from=" + LONG_AGO,
    "cdrs/{cdr}",
    "cdrs/{party}/{cdr}",
]


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("slash", ["", "/"])
def test_nobody_sees_what_another_platform_paid_for(cast: Cast, ptp: Reader, path: str, slash: str) -> None:
    """Sites and tariffs of the same party are for both; sessions and CDRs for the one that paid."""
    same_party, other_party = reader(), reader(party=("SE", "OTH"))
    address = _address(path, cast, charged(cast, ptp), slash)
    assert _sees(ptp, address)
    public = path.startswith(("locations", "tariffs"))

    assert _sees(same_party, address) is public
    assert not _sees(other_party, address)


@pytest.mark.parametrize("path", PATHS)
def test_contracts_keep_the_tenants_of_a_platform_apart(cast: Cast, ptp: Reader, path: str) -> None:
    tenant = ("SE", "OTH")
    address = _address(path, cast, charged(cast, ptp))
    contract(ptp, tenant)

    assert _sees(ptp, address, to=("FI", "EMB"))
    assert not _sees(ptp, address, to=tenant)


def test_a_party_that_is_none_of_the_platforms_is_refused(cast: Cast, ptp: Reader) -> None:
    for path in ("locations", "tariffs", "cdrs", f"sessions?date_from={LONG_AGO}"):
        answer = ptp.get(path, to=("DE", "XYZ"))
        assert (answer.http_status, answer.status, answer.data) == (200, 2001, None)


@pytest.mark.parametrize("path", ["sessions/FI/EMB/{}", "cdrs/{}", "cdrs/FI/EMB/{}"])
def test_what_cannot_be_an_id_names_nothing(cast: Cast, ptp: Reader, path: str) -> None:
    payment = charged(cast, ptp)
    known = ptp.get("cdrs").data[0]["id"] if path.startswith("cdrs") else str(payment.session_id)
    assert ptp.get(path.format(known.upper())).http_status == 200

    for name in (known.replace("-", ""), f"{{{known}}}", "1", "x" * 300, "%00", "%F0%9F%94%8C", "-1"):
        answer = ptp.get(path.format(name))
        assert (answer.http_status, answer.status, answer.data) == (404, 2001, None), name


def _address(path: str, cast: Cast, payment: Payment, slash: str = "") -> str:
    route, mark, query = path.partition("?")
    filled = route.format(
        location=cast.site.location_id,
        evse=cast.evse.uid,
        tariff=cast.tariff_version.tariff.tariff_id,
        party="FI/EMB",
        session=payment.session_id,
        cdr=CDR.objects.get(session=payment.session_id).pk,
    )
    return f"{filled}{slash}{mark}{query}"


def _sees(ptp: Reader, address: str, *, to: tuple[str, str] | None = None) -> bool:
    answer = ptp.get(address, to=to)
    if answer.http_status == 404:
        assert answer.status in (2001, 2003)
        assert answer.data is None
        return False
    assert (answer.http_status, answer.status) == (200, 1000)
    return bool(answer.data)
