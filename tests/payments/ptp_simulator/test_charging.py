"""Tap, hold, start, stop, capture, confirm: what the PTP in the box does with cards."""

from decimal import Decimal
from pathlib import Path

import pytest

from payments.simulator.ocpi.settings import ReleaseRule
from payments.simulator.ocpi.simulator import PtpSimulator
from payments.simulator.ocpi.switches import Switch
from payments.simulator.ocpi.wire import Reply
from tests.payments.ptp_simulator.conftest import Make, effects, tap
from tests.payments.ptp_simulator.scripted_cpo import TOKEN_A, ScriptedCpo, price, tariff


def test_the_tariff_says_what_is_held_and_start_session_says_who(cpo: ScriptedCpo, ptp: PtpSimulator) -> None:
    done = tap(ptp)

    assert (done.outcome, done.amount, done.currency) == ("accepted", "50.00", "EUR")
    start = cpo.commands[0]
    assert (start["command"], start["location_id"], start["connector_id"]) == ("START_SESSION", "L1", "1")
    assert start["authorization_reference"] == done.authorization_reference
    assert start["token"]["type"] == "AD_HOC_USER"
    assert effects(ptp, done.authorization_reference) == ["hold"]


def test_a_charge_is_captured_once_and_confirmed_in_the_shape_of_the_version(
    cpo: ScriptedCpo, ptp: PtpSimulator
) -> None:
    reference = tap(ptp).authorization_reference
    cpo.push_result(reference, "ACCEPTED")
    cpo.push_session(ptp, reference, "ACTIVE")
    first = cpo.push_cdr(ptp, reference, "9.80", "12.30")
    ptp.tick()
    again = cpo.push_cdr(ptp, reference, "9.80", "12.30")
    ptp.tick()

    assert (first.http_status, again.http_status) == (201, 200)
    assert cpo.client().get(first.headers["Location"]).data["id"] == f"C-{reference}"[:36]
    assert effects(ptp, reference) == ["hold", "capture"]
    assert ptp.state()["psp"]["holds"][reference]["captured"] == "12.30"
    [confirmation] = cpo.confirmations
    assert confirmation["capture_status_code"] == "SUCCESS"
    assert confirmation["total_costs"] == price(cpo.version, "9.80", "12.30")
    assert any("CAPTURED EUR 12.30" in line for line in confirmation["eft_data"])


def test_never_more_than_the_hold_is_captured(cpo: ScriptedCpo, ptp: PtpSimulator) -> None:
    reference = tap(ptp).authorization_reference
    cpo.push_cdr(ptp, reference, "48.00", "60.24")
    ptp.tick()

    assert ptp.state()["psp"]["holds"][reference]["captured"] == "50.00"
    assert cpo.confirmations[0]["capture_status_code"] == "PARTIAL_SUCCESS"


def test_a_second_cdr_for_the_same_reference_is_not_captured(cpo: ScriptedCpo, ptp: PtpSimulator) -> None:
    reference = tap(ptp).authorization_reference
    for number in ("1", "2"):
        cpo.push_cdr(ptp, reference, "8.00", "10.00", id=f"C{number}")
        ptp.tick()

    assert effects(ptp, reference) == ["hold", "capture"]
    assert len(cpo.confirmations) == 1


def test_a_credit_cdr_is_refunded_once(cpo: ScriptedCpo, ptp: PtpSimulator) -> None:
    reference = tap(ptp).authorization_reference
    cpo.push_cdr(ptp, reference, "8.00", "10.00", id="C1")
    ptp.tick()
    for _ in range(2):
        cpo.push_cdr(ptp, reference, "-8.00", "-10.00", id="C2", credit=True, credit_reference_id="C1")
        ptp.tick()

    assert effects(ptp, reference) == ["hold", "capture", "refund"]


@pytest.mark.parametrize("refusal", ["REJECTED", Reply(status_code=2003, message="Unknown location")])
def test_a_refused_start_gives_the_hold_back(
    cpo: ScriptedCpo, ptp: PtpSimulator, refusal: str | Reply
) -> None:
    cpo.answers = [refusal]

    done = tap(ptp)
    ptp.tick()

    assert done.outcome == "refused"
    assert effects(ptp, done.authorization_reference) == ["hold", "release"]


@pytest.mark.parametrize("result", ["FAILED", "TIMEOUT", "EVSE_OCCUPIED"])
def test_a_failed_command_result_gives_the_hold_back(
    cpo: ScriptedCpo, ptp: PtpSimulator, result: str
) -> None:
    reference = tap(ptp).authorization_reference
    cpo.push_result(reference, result)
    ptp.tick()

    assert effects(ptp, reference) == ["hold", "release"]


@pytest.mark.parametrize(
    ("rule", "after_invalid", "after_cdr"),
    [
        ("both", ["hold", "release"], ["hold", "release"]),
        ("session_invalid", ["hold", "release"], ["hold", "release"]),
        ("zero_cdr", ["hold"], ["hold", "release"]),
    ],
)
def test_what_costs_nothing_is_released_by_the_agreed_signal(
    cpo: ScriptedCpo, make_ptp: Make, rule: str, after_invalid: list[str], after_cdr: list[str]
) -> None:
    ptp = make_ptp({"release_rule": ReleaseRule(rule)})
    ptp.register(cpo.versions_url, TOKEN_A)
    reference = tap(ptp).authorization_reference
    cpo.push_session(ptp, reference, "INVALID")
    ptp.tick()
    seen = effects(ptp, reference)
    cpo.push_cdr(ptp, reference, "0.00", "0.00")
    ptp.tick()

    assert seen == after_invalid
    assert effects(ptp, reference) == after_cdr
    assert not cpo.confirmations


def test_a_cdr_for_a_hold_that_is_gone_is_confirmed_as_failed(cpo: ScriptedCpo, ptp: PtpSimulator) -> None:
    reference = tap(ptp).authorization_reference
    cpo.push_session(ptp, reference, "INVALID")
    ptp.tick()
    cpo.push_cdr(ptp, reference, "8.00", "10.00")
    ptp.tick()

    assert effects(ptp, reference) == ["hold", "release"]
    assert cpo.confirmations[0]["capture_status_code"] == "FAILED"
    assert cpo.confirmations[0]["total_costs"] == price(cpo.version, "0", "0")


def test_an_unanswered_start_is_repeated_with_the_same_reference(cpo: ScriptedCpo, ptp: PtpSimulator) -> None:
    broken = Reply(raw=b"", http_status=502)
    cpo.answers = [broken, Reply(status_code=3000), "ACCEPTED"]

    done = tap(ptp)

    assert done.outcome == "accepted"
    assert {each["authorization_reference"] for each in cpo.commands} == {done.authorization_reference}
    assert len(cpo.commands) == 3
    assert effects(ptp, done.authorization_reference) == ["hold"]


def test_a_declined_card_starts_nothing(cpo: ScriptedCpo, ptp: PtpSimulator) -> None:
    ptp.switch(Switch.parse("decline=1"))

    assert tap(ptp).outcome == "declined"
    assert tap(ptp, card="declined").outcome == "declined"
    assert tap(ptp).outcome == "accepted"
    assert len(cpo.commands) == 1


def test_what_cannot_be_sold_is_said_before_the_card(cpo: ScriptedCpo, ptp: PtpSimulator) -> None:
    free = tariff(cpo.version, "0.00")
    ptp.mirror.tariffs["FI/CPO/T1"] = free
    cpo.tariffs[:] = [free]

    assert "no amount" in tap(ptp).message
    assert "no such connector" in tap(ptp, connector_id="9").message
    assert "not active" in tap(ptp, terminal_id="other", amount=Decimal(5)).message
    assert not cpo.commands


def test_stop_names_the_session_that_was_pushed(cpo: ScriptedCpo, ptp: PtpSimulator) -> None:
    reference = tap(ptp).authorization_reference
    cpo.push_session(ptp, reference, "ACTIVE")
    cpo.answers = ["ACCEPTED", "UNKNOWN_SESSION"]

    known, unknown = ptp.stop_session(reference), ptp.stop_session("nobody")

    assert (known["answer"], cpo.commands[1]["session_id"]) == ("ACCEPTED", f"S-{reference}")
    assert unknown["answer"] == "UNKNOWN_SESSION"


def test_a_hold_of_which_nothing_is_heard_is_dropped_in_the_end(cpo: ScriptedCpo, make_ptp: Make) -> None:
    ptp = make_ptp({"abandon_seconds": -60.0})
    ptp.register(cpo.versions_url, TOKEN_A)
    heard, unheard = (tap(ptp).authorization_reference for _ in range(2))
    cpo.push_session(ptp, heard, "PENDING")
    ptp.tick()

    assert effects(ptp, heard) == ["hold"]
    assert effects(ptp, unheard) == ["hold", "release"]


def test_a_restart_forgets_no_hold(cpo: ScriptedCpo, make_ptp: Make, tmp_path: Path) -> None:
    before = make_ptp(memory=tmp_path / "ptp.json")
    before.register(cpo.versions_url, TOKEN_A)
    reference = tap(before).authorization_reference
    before.stop()

    after = make_ptp(memory=tmp_path / "ptp.json", port=before.server.port)
    cpo.push_cdr(after, reference, "9.80", "12.30")
    after.tick()

    assert effects(after, reference) == ["hold", "capture"]
    assert cpo.confirmations[0]["total_costs"] == price(cpo.version, "9.80", "12.30")
    assert (tmp_path / "ptp.json").stat().st_mode & 0o077 == 0


def test_what_was_not_pushed_is_caught_up(cpo: ScriptedCpo, ptp: PtpSimulator) -> None:
    reference = tap(ptp).authorization_reference
    cpo.cdrs = [cpo.cdr(reference, "9.80", "12.30")]

    fresh, known = ptp.catch_up(), ptp.catch_up()
    ptp.tick()

    assert (fresh, known) == (1, 0)
    assert effects(ptp, reference) == ["hold", "capture"]
