"""Financial advice confirmations (OCPI mod_payments, Receiver Interface)."""

from __future__ import annotations

from decimal import Decimal
from typing import Any, Final

from payments.conformance import bodies
from payments.conformance.bench import Bench
from payments.conformance.exchanges import Exchange
from payments.conformance.expectations import absent, accepted, not_allowed, refused
from payments.conformance.registry import V221, V230, check
from payments.conformance.rules.language import faults
from payments.conformance.rules.money import gross
from payments.conformance.rules.partners import confirmation as confirmation_rules
from payments.conformance.verdicts import Broken, Level, Untried, expect, expect_none
from payments.simulator.ocpi.wire import utc_text

POST: Final = "mod_payments, POST Financial Advice Confirmation Method"
GET: Final = "mod_payments, GET Financial Advice Confirmation Method"
OBJECT: Final = "mod_payments, Financial Advice Confirmation Object"
PLACE: Final = "/financial-advice-confirmations"


def post(bench: Bench, body: Any, slash: str = "") -> Exchange:
    """Send one."""
    return bench.call("POST", "payments", PLACE + slash, body=body)


def fresh(bench: Bench) -> dict[str, Any]:
    """One for a reference that no session has."""
    return bodies.confirmation(bodies.new_id(), bodies.price(bench.version, "4.00", "5.02"))


def _stored(bench: Bench) -> dict[str, Any]:
    """One that the peer has stored, once for each version. Raises Broken, Untried."""

    def store() -> dict[str, Any]:
        body = fresh(bench)
        answer = post(bench, body)
        if answer.http // 100 == 2 and not answer.ok:
            raise Untried(f"The peer takes none for an unknown reference ({answer.answer}); see billing-17.")
        accepted(answer, "a new FinancialAdviceConfirmation")
        return body

    return bench.fact("a confirmation", store)


def _read(bench: Bench, name: str) -> tuple[Exchange, dict[str, Any]]:
    answer = bench.get("payments", f"{PLACE}/{name}")
    data = accepted(answer, f"confirmation {name}")
    if not isinstance(data, dict):
        raise Broken(f"expected: an object; came: {data!r}", answer)
    return answer, data


@check(
    "confirmations-01",
    "A confirmation is taken, also for a reference that is not known",
    section=POST,
    level=Level.SAFETY,
    writes=True,
)
def a_confirmation_is_taken(bench: Bench) -> None:
    """A capture is a fact about money: whoever refuses it does not know what the driver has paid."""
    accepted(post(bench, fresh(bench)), "a FinancialAdviceConfirmation")


@check("confirmations-02", "A confirmation is given back as it was sent", section=GET, writes=True)
def a_confirmation_is_given_back(bench: Bench) -> None:
    """In the version's Price, with the EFT data."""
    body = _stored(bench)
    answer, data = _read(bench, body["id"])
    expect_none(faults(confirmation_rules(bench.version), [("FinancialAdviceConfirmation", data)]), answer)
    names = ("id", "authorization_reference", "currency", "eft_data", "capture_status_code")
    wrong = [f"{n}: {body[n]!r} expected, {data.get(n)!r} came" for n in names if data.get(n) != body[n]]
    paid, told = gross(body["total_costs"]), gross(data.get("total_costs"))
    wrong += [f"total_costs: {paid} with VAT expected, {told} came"] if paid != told else []
    expect_none(wrong, answer)


@check(
    "confirmations-03",
    "The same confirmation again does no harm",
    section=POST,
    level=Level.SAFETY,
    writes=True,
)
def a_confirmation_may_come_again(bench: Bench) -> None:
    """An answer may be lost; the second POST must be welcome and change nothing."""
    body = _stored(bench)
    accepted(post(bench, body), "the same FinancialAdviceConfirmation again")
    answer, data = _read(bench, body["id"])
    told = f"expected: {gross(body['total_costs'])}; came: {gross(data.get('total_costs'))}"
    expect(gross(data.get("total_costs")) == gross(body["total_costs"]), told, answer)


@check(
    "confirmations-04",
    "A partial capture is taken",
    section="mod_payments, CaptureStatusCode",
    writes=True,
)
def a_partial_capture_is_taken(bench: Bench) -> None:
    """The issuer gave less than was asked for; the CPO must know."""
    _stored(bench)
    body = {**fresh(bench), "capture_status_code": "PARTIAL_SUCCESS"}
    accepted(post(bench, body), "a PARTIAL_SUCCESS")


@check(
    "confirmations-05",
    "The other version's Price is read too",
    section=OBJECT + ", examples",
    level=Level.SHOULD,
    writes=True,
)
def the_other_price_is_read(bench: Bench) -> None:
    """The examples of 2.3.0 still show excl_vat and incl_vat."""
    _stored(bench)
    other = V221 if bench.version == V230 else V230
    body = bodies.confirmation(bodies.new_id(), bodies.price(other, "4.00", "5.02"))
    accepted(post(bench, body), f"a Price of {other}")
    answer, data = _read(bench, body["id"])
    told = f"expected: 5.02 with VAT; came: {data.get('total_costs')}"
    expect(gross(data.get("total_costs")) == Decimal("5.02"), told, answer)


@check(
    "confirmations-06",
    "A failed capture without EFT data is taken",
    section=OBJECT + ", example of an unsuccessful capture",
    level=Level.SHOULD,
    writes=True,
)
def a_failure_is_taken(bench: Bench) -> None:
    """The text's example of a failure has none, though the table asks for one."""
    _stored(bench)
    body = bodies.failed_confirmation(bodies.new_id())
    accepted(post(bench, body), "a FAILED FinancialAdviceConfirmation")
    answer, data = _read(bench, body["id"])
    expect(data.get("capture_status_code") == "FAILED", f"expected: FAILED; came: {data}", answer)


@check(
    "confirmations-07",
    "A capture that succeeds later is taken",
    section="beyond mod_payments: there is no PUT",
    level=Level.EXTENSION,
    writes=True,
)
def a_later_success_is_taken(bench: Bench) -> None:
    """FAILED, then SUCCESS under the same id."""
    _stored(bench)
    failed = bodies.failed_confirmation(bodies.new_id())
    accepted(post(bench, failed), "a FAILED FinancialAdviceConfirmation")
    done = {
        **bodies.confirmation(failed["authorization_reference"], bodies.price(bench.version, "4.00", "5.02")),
        "id": failed["id"],
        "last_updated": utc_text(),
    }
    accepted(post(bench, done), "the SUCCESS that came later")
    answer, data = _read(bench, failed["id"])
    expect(data.get("capture_status_code") == "SUCCESS", f"expected: SUCCESS; came: {data}", answer)


@check(
    "confirmations-08",
    "A confirmation is taken at …/financial-advice-confirmations/ too",
    section=POST + ", examples",
    writes=True,
)
def the_slash_of_the_examples_works(bench: Bench) -> None:
    """The text's examples post there."""
    _stored(bench)
    accepted(post(bench, fresh(bench), "/"), "a confirmation at …/financial-advice-confirmations/")


@check(
    "confirmations-09",
    "A confirmation without a required field gets 2001",
    section=OBJECT + "; status_codes",
    writes=True,
)
def incomplete_confirmations_are_refused(bench: Bench) -> None:
    """id, reference, amount, currency and status, each in turn."""
    for name in ("id", "authorization_reference", "total_costs", "currency", "capture_status_code"):
        refused(post(bench, bodies.without(fresh(bench), name)), 2001)


@check("confirmations-10", "Values of the wrong type get 2001", section=OBJECT + "; types", writes=True)
def malformed_confirmations_are_refused(bench: Bench) -> None:
    """An unknown status, EFT data that is no list, a reference of 37 characters, a date that is none.

    A line that is too long for a receipt may be cut instead: the money was taken all the same.
    """
    for change in (
        {"capture_status_code": "PERHAPS"},
        {"eft_data": "Testcard"},
        {"authorization_reference": "x" * 37},
        {"last_updated": "yesterday"},
    ):
        refused(post(bench, {**fresh(bench), **change}), 2001)


@check(
    "confirmations-11",
    "An amount that is none gets 2001",
    section="types, Price, number",
    level=Level.SAFETY,
    writes=True,
)
def odd_amounts_are_refused(bench: Bench) -> None:
    """A text, a negative capture, more digits than money has."""
    for total in (
        {"excl_vat": "4.00", "incl_vat": "5.02"},
        {"before_taxes": Decimal("-4.00"), "taxes": []},
        {"excl_vat": Decimal("1e30"), "incl_vat": Decimal("1e30")},
        "5.02",
    ):
        refused(post(bench, {**fresh(bench), "total_costs": total}), 2001)


@check("confirmations-12", "An absent confirmation gets 404", section="status_codes", level=Level.SHOULD)
def an_absent_confirmation_is_404(bench: Bench) -> None:
    """An id that nobody has sent."""
    absent(bench.get("payments", f"{PLACE}/{bodies.new_id()}"))


@check(
    "confirmations-13",
    "A confirmation cannot be deleted",
    section="mod_payments, Financial Advice Confirmation Interface",
    level=Level.SHOULD,
)
def confirmations_are_not_deleted(bench: Bench) -> None:
    """The module has no DELETE."""
    not_allowed(bench.call("DELETE", "payments", f"{PLACE}/{bodies.new_id()}"))
