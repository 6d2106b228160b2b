"""Confirmations: what the PTP captured is booked, parked, flagged or kept as an orphan, never lost."""

import json

import pytest

from payments.models import Confirmation, Payment
from payments.ocpi.card_numbers import masked
from payments.receipts import formats
from payments.states import PaymentState, Review
from tests import builders
from tests.payments.ocpi_commands.platform import Platform, platform, said, start_body

LINES = ["Mastercard", "AID: 1234", "Nr: **** **** **** 1234", "Amount: EUR 1.00"]
PATH = "payments/financial-advice-confirmations"


def confirmation(payment: Payment | None = None, incl: object = "1.00", **fields: object) -> dict:
    """2 kWh at 0.50 EUR, captured."""
    facts = {
        "id": "fac-1",
        "authorization_reference": payment.authorization_reference if payment else "nobody",
        "total_costs": {"excl_vat": 0, "incl_vat": float(str(incl))},
        "currency": "EUR",
        "eft_data": LINES,
        "capture_status_code": "SUCCESS",
        "last_updated": "2026-01-31T12:00:00Z",
    } | fields
    return {name: value for name, value in facts.items() if value is not None}


@pytest.fixture
def running(cast, ptp: Platform) -> builders.Running:
    """A session of the platform that charges."""
    ptp.start(start_body(cast))
    return builders.start(Payment.objects.get())


@pytest.fixture
def payment(running) -> Payment:
    """1.00 EUR is due."""
    settled = running.end(energy_wh=2000, after_seconds=120)
    assert settled.due_minor == 100
    return settled


def tell(ptp, document, http_status=201):
    assert said(ptp.send("POST", PATH, document), http_status) == (1000, None)


def now_of(payment) -> tuple[str, int, str]:
    payment.refresh_from_db()
    return payment.state, payment.captured_minor, payment.review


class TestBooked:
    @pytest.mark.parametrize(
        "total",
        [
            {"excl_vat": 0.8, "incl_vat": 1.0},
            {"before_taxes": 0.8, "taxes": [{"name": "VAT", "amount": 0.2}]},
            {"excl_vat": 0.8, "incl_vat": 1},
        ],
    )
    @pytest.mark.parametrize("version", ["2.2.1", "2.3.0"])
    def test_both_shapes_of_a_price_are_booked_on_both_versions(self, ptp, payment, total, version):
        ptp.version = version

        tell(ptp, confirmation(payment, total_costs=total))

        assert now_of(payment) == (PaymentState.CAPTURED, 100, "")
        assert Confirmation.objects.get().eft_data == LINES

    def test_zeros_beyond_the_currencys_digits_are_the_same_amount(self, ptp, payment):
        raw = (
            b'{"id":"fac-1","authorization_reference":"%s","total_costs":{"excl_vat":0.8000,"incl_vat":1.0000},'
            b'"currency":"EUR","capture_status_code":"SUCCESS","last_updated":"2026-01-31T12:00:00Z"}'
        ) % payment.authorization_reference.encode()

        assert said(ptp.send("POST", PATH, raw=raw), 201)[0] == 1000
        assert now_of(payment)[:2] == (PaymentState.CAPTURED, 100)

    def test_the_same_one_again_changes_nothing(self, ptp, payment):
        tell(ptp, confirmation(payment))
        tell(ptp, confirmation(payment, last_updated="2026-02-01T00:00:00Z"), 200)

        assert Confirmation.objects.count() == 1
        assert now_of(payment) == (PaymentState.CAPTURED, 100, "")

    @pytest.mark.parametrize("same_id", [True, False])
    def test_a_success_after_a_failure_is_taken_under_the_same_id_or_another(self, ptp, payment, same_id):
        failed = confirmation(payment, 0, capture_status_code="FAILED", eft_data=None)
        tell(ptp, failed)
        assert now_of(payment) == (PaymentState.CAPTURE_FAILED, 0, Review.CAPTURE_FAILED)

        tell(ptp, confirmation(payment, id="fac-1" if same_id else "fac-2"), 200 if same_id else 201)

        assert now_of(payment) == (PaymentState.CAPTURED, 100, "")
        assert Confirmation.objects.count() == 2

    def test_a_part_leaves_the_rest_open(self, ptp, payment):
        tell(ptp, confirmation(payment, "0.40", capture_status_code="PARTIAL_SUCCESS"))

        assert now_of(payment)[:2] == (PaymentState.PARTIALLY_CAPTURED, 40)

    def test_one_that_is_faster_than_our_own_settlement_waits_for_it(self, ptp, running):
        tell(ptp, confirmation(running.payment))
        assert now_of(running.payment) == (PaymentState.AUTHORIZED, 0, "")

        settled = running.end(energy_wh=2000, after_seconds=120)

        assert now_of(settled) == (PaymentState.CAPTURED, 100, "")

    def test_the_currency_may_be_written_in_another_case(self, ptp, payment):
        tell(ptp, confirmation(payment, currency="eur"))

        assert now_of(payment) == (PaymentState.CAPTURED, 100, "")

    def test_the_hold_may_be_written_in_another_case(self, ptp, payment):
        other_case = payment.authorization_reference.swapcase()
        assert other_case != payment.authorization_reference

        tell(ptp, confirmation(payment, authorization_reference=other_case))

        assert now_of(payment) == (PaymentState.CAPTURED, 100, "")


class TestThatDoNotFit:
    @pytest.mark.parametrize(
        ("incl", "fields", "review"),
        [
            ("0.99", {}, Review.AMOUNT_DIFFERS),
            ("99.00", {}, Review.AMOUNT_DIFFERS),
            ("1.00", {"currency": "SEK"}, Review.CURRENCY_DIFFERS),
            ("1.00", {"currency": "XXX"}, Review.CURRENCY_DIFFERS),
            ("1.00", {"currency": "ßßß"}, Review.CURRENCY_DIFFERS),
            ("1.00", {"total_costs": {"excl_vat": 0.8}}, Review.AMOUNT_DIFFERS),
            ("1.00", {"capture_status_code": "FAILED"}, Review.AMOUNT_DIFFERS),
        ],
    )
    def test_they_are_stored_and_flagged(self, ptp, payment, incl, fields, review):
        tell(ptp, confirmation(payment, incl, **fields))

        assert now_of(payment) == (PaymentState.CAPTURING, 0, review)
        assert Confirmation.objects.get().payment == payment

    def test_money_taken_for_a_released_hold_is_flagged(self, cast, ptp):
        ptp.start(start_body(cast))
        payment = Payment.objects.get()
        ptp.stop(payment)
        builders.settlement.settle(payment.pk, now=payment.opened_at)

        tell(ptp, confirmation(payment))

        assert now_of(payment)[2] == Review.CAPTURED_AFTER_RELEASE

    @pytest.mark.parametrize(
        ("written", "stored"),
        [
            (b'["TOTAL\t12,30"]', ["TOTAL 12,30"]),
            (b'["VISA\r\n****1234"]', ["VISA ****1234"]),
            (rb'["VISA\r\n****1234"]', ["VISA ****1234"]),
            ('["12,30\u00a0€", "12,30\u202f€"]'.encode(), ["12,30 €", "12,30 €"]),
            (rb'["\u202e03,21", "VISA\u0000"]', ["03,21", "VISA\ufffd"]),
            (b'["K\xf6ln"]', ["K\ufffdln"]),
            (b'["%s"]' % (b"x" * 300), ["x" * 255]),
            (b'["VISA"], "theirs": NaN', ["VISA"]),
        ],
    )
    def test_no_line_of_the_receipt_keeps_a_capture_back(self, ptp, payment, written, stored):
        told = json.dumps(confirmation(payment, eft_data="LINES")).encode().replace(b'"LINES"', written)

        assert said(ptp.send("POST", PATH, raw=told), 201) == (1000, None)

        assert now_of(payment) == (PaymentState.CAPTURED, 100, "")
        assert Confirmation.objects.get().eft_data == stored

    def test_an_unknown_hold_is_kept_as_an_orphan_and_answered_as_taken(self, ptp):
        tell(ptp, confirmation())
        tell(ptp, confirmation(), 200)

        orphan = Confirmation.objects.get()
        assert (orphan.payment, orphan.authorization_reference, orphan.amount_minor) == (None, "nobody", 100)

    @pytest.mark.parametrize(
        ("fields", "amount_minor", "read"),
        [
            ({"currency": "XXX"}, 100, "1.00\u00a0XXX"),
            ({"total_costs": {"excl_vat": 0.8}}, 80, "0.80\u00a0€"),
        ],
    )
    def test_an_orphan_is_kept_whatever_it_says_of_currency_and_vat(self, ptp, fields, amount_minor, read):
        tell(ptp, confirmation(**fields))

        orphan = Confirmation.objects.get()
        assert (orphan.payment, orphan.amount_minor) == (None, amount_minor)
        assert formats.money(orphan.amount_minor, orphan.currency, "en") == read
        assert said(ptp.send("GET", f"{PATH}/fac-1"))[1]["currency"] == orphan.currency

    def test_somebody_elses_hold_is_as_unknown(self, ptp, payment):
        tell(platform(), confirmation(payment))

        assert Confirmation.objects.get().payment is None
        assert now_of(payment) == (PaymentState.CAPTURING, 0, "")


class TestRead:
    @pytest.mark.parametrize(
        ("version", "total"),
        [
            ("2.3.0", {"before_taxes": 0.8, "taxes": [{"name": "VAT", "amount": 0.2}]}),
            ("2.2.1", {"excl_vat": 0.8, "incl_vat": 1.0}),
        ],
    )
    def test_it_is_given_back_as_it_was_told_last(self, ptp, payment, version, total):
        ptp.version = version
        tell(ptp, confirmation(payment, 0, capture_status_code="FAILED"))
        tell(ptp, confirmation(payment, total_costs={"excl_vat": 0.8, "incl_vat": 1.0}), 200)

        answer = ptp.send("GET", f"{PATH}/fac-1/")

        assert said(answer) == (1000, confirmation(payment, total_costs=total))
        assert b"0.2000000" not in answer.content

    def test_unknown_and_somebody_elses_are_told_the_same(self, ptp, payment):
        tell(ptp, confirmation(payment))
        stranger = platform()

        answers = [stranger.send("GET", f"{PATH}/{name}") for name in ("fac-1", "nobody", "%00", "x" * 37)]

        assert [said(answer, 404)[0] for answer in answers] == [2001] * 4
        assert len({answer.json()["status_message"] for answer in answers}) == 1

    def test_one_of_the_native_api_is_none_of_ocpis(self, ptp, payment):
        Confirmation.objects.create(
            ptp=payment.ptp,
            payment=payment,
            confirmation_id="native",
            status="SUCCESS",
            amount_minor=100,
            currency="EUR",
            request_hash="-",
        )

        assert said(ptp.send("GET", f"{PATH}/native"), 404)[0] == 2001


class TestCardNumbers:
    def test_they_are_never_stored(self, ptp, payment):
        lines = ["PAN 4111111111111111", "4111 1111 1111 1111", "4111-1111-1111-1111", "TID 12345678"]

        tell(ptp, confirmation(payment, eft_data=lines, capture_status_message="card 5500000000000004 ok"))

        stored = Confirmation.objects.get()
        assert stored.eft_data == [
            "PAN ************1111", "**** **** **** 1111", "****-****-****-1111", "TID 12345678",
        ]  # fmt: skip
        assert stored.message == "card ************0004 ok"
        assert "41111111" not in str(stored.document)
        logged = str([message.request_body for message in ptp.connection.messages.filter(module="payments")])
        assert "1111" in logged
        assert "4111" not in logged

    @pytest.mark.parametrize(
        "line",
        [
            "RRN 123456789012",
            "2026-01-31 12:00:00",
            "Nr: **** **** **** 1234",
            "AID:A0000000041010",
            "D27600002545500200",
        ],
    )
    def test_other_figures_stay(self, line):
        assert masked(line) == line

    def test_a_number_of_any_length_is_hidden(self):
        assert masked("1234567890123") == "*********0123"
        assert masked("PAN12345678901234567890y") == "PAN****************7890y"


class TestRefused:
    @pytest.mark.parametrize(
        "fields",
        [
            {"id": None},
            {"id": "x" * 37},
            {"id": 7},
            {"authorization_reference": None},
            {"authorization_reference": "x" * 37},
            {"authorization_reference": {"a": 1}},
            {"total_costs": None},
            {"total_costs": 1.0},
            {"total_costs": {"incl_vat": 1.0}},
            {"total_costs": {"excl_vat": "0.8", "incl_vat": "1.0"}},
            {"total_costs": {"excl_vat": -1.0, "incl_vat": -1.0}},
            {"total_costs": {"excl_vat": 1, "incl_vat": 10**20}},
            {"total_costs": {"excl_vat": 0.8, "incl_vat": 1.005}},
            {"currency": "euro"},
            {"currency": 7},
            {"eft_data": "VISA"},
            {"eft_data": [7]},
            {"capture_status_code": "MAYBE"},
            {"capture_status_code": None},
            {"last_updated": None},
        ],
    )
    def test_one_with_a_fault_is_told_so_and_kept_nowhere(self, ptp, fields):
        status, data = said(ptp.send("POST", PATH, confirmation(**fields)))

        assert (status, data) == (2001, None)
        assert not Confirmation.objects.exists()

    def test_the_log_names_the_hold_of_one_that_is_refused(self, ptp, caplog):
        ptp.send("POST", PATH, confirmation(authorization_reference="hold-1", total_costs=None))

        assert "a confirmation for hold-1 (id " in caplog.text

    @pytest.mark.parametrize(
        "raw",
        [
            b"",
            b"{",
            b'{"id": NaN}',
            b'{"id": Infinity}',
            b'{"id": "a", "id": "b"}',
            b'{"id": "a\\u0000b"}',
            b'{"id": "\\ud800"}',
            b'{"id": "\xff"}',
            b'{"id":' * 20 + b"1" + b"}" * 20,
        ],
    )
    def test_what_is_no_json_is_400(self, ptp, raw):
        for path in ("payments/terminals", "commands/START_SESSION"):
            assert said(ptp.send("POST", path, raw=raw), 400)[0] == 2000
        # Of a confirmation what can be read is; of these nothing can.
        http_status = 400 if raw in (b"", b"{") else 200
        assert said(ptp.send("POST", PATH, raw=raw), http_status)[0] in (2000, 2001)
        assert not Confirmation.objects.exists()

    @pytest.mark.parametrize("raw", [b"[]", b"7", b"null", b'"x"', b"true"])
    def test_what_is_no_object_is_2001(self, ptp, raw):
        for path in (PATH, "commands/START_SESSION", "commands/STOP_SESSION", "payments/terminals"):
            assert said(ptp.send("POST", path, raw=raw))[0] == 2001

    def test_the_list_is_posted_to(self, ptp):
        for method in ("GET", "PUT", "PATCH", "DELETE"):
            assert said(ptp.send(method, PATH, {}), 405)[0] == 2000
