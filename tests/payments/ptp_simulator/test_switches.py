"""The failure switchboard of the PTP in the box."""

import pytest

from payments.simulator.ocpi.simulator import PtpSimulator
from payments.simulator.ocpi.switches import BadSwitch, Fault, Switch, Switchboard
from payments.simulator.ocpi.wire import NoAnswer, Reply
from tests.payments.ptp_simulator.conftest import effects, tap
from tests.payments.ptp_simulator.scripted_cpo import ScriptedCpo, price


def test_a_switch_strikes_where_and_as_often_as_it_is_told() -> None:
    board = Switchboard()
    board.set(Switch.parse("http_error@cdrs=2:503"))
    board.set(Switch.parse("decline"))

    struck = [board.take(Fault.HTTP_ERROR, module) for module in ("sessions", "cdrs", "cdrs", "cdrs")]

    assert [each and each.value for each in struck] == [None, "503", "503", None]
    assert [board.take(Fault.DECLINE) is not None for _ in range(3)] == [True] * 3
    board.reset()
    assert board.take(Fault.DECLINE) is None


@pytest.mark.parametrize("text", ["nonsense", "late=x", "late=1:soon", "late=-1", "http_error@cdrs=1:NaN"])
def test_a_switch_that_cannot_be_read_is_refused(text: str) -> None:
    with pytest.raises(BadSwitch):
        Switch.parse(text)


def test_errors_are_answered_and_nothing_is_done(cpo: ScriptedCpo, ptp: PtpSimulator) -> None:
    reference = tap(ptp).authorization_reference
    ptp.switch(Switch.parse("http_error@cdrs=1:503"))
    ptp.switch(Switch.parse("ocpi_error@cdrs=1:3000"))

    first, second = (cpo.push_cdr(ptp, reference, "8.00", "10.00") for _ in range(2))
    nothing = ptp.state()["cdrs"]
    third = cpo.push_cdr(ptp, reference, "8.00", "10.00")

    assert (first.http_status, second.http_status, second.status_code) == (503, 200, 3000)
    assert nothing == {}
    assert third.http_status == 201


def test_an_answer_may_be_lost_after_the_effect(cpo: ScriptedCpo, ptp: PtpSimulator) -> None:
    reference = tap(ptp).authorization_reference
    ptp.switch(Switch.parse("lost@cdrs=1"))

    with pytest.raises(NoAnswer):
        cpo.push_cdr(ptp, reference, "8.00", "10.00")
    again = cpo.push_cdr(ptp, reference, "8.00", "10.00")
    ptp.tick()

    assert again.http_status == 200
    assert effects(ptp, reference) == ["hold", "capture"]


def test_a_connection_may_be_cut_before_the_effect(cpo: ScriptedCpo, ptp: PtpSimulator) -> None:
    reference = tap(ptp).authorization_reference
    ptp.switch(Switch.parse("hang_up@cdrs=1"))

    with pytest.raises(NoAnswer):
        cpo.push_cdr(ptp, reference, "8.00", "10.00")

    assert cpo.push_cdr(ptp, reference, "8.00", "10.00").http_status == 201


def test_messages_may_come_twice_and_money_moves_once(cpo: ScriptedCpo, ptp: PtpSimulator) -> None:
    ptp.switch(Switch.parse("start_twice=1"))
    ptp.switch(Switch.parse("confirm_twice=1"))

    reference = tap(ptp).authorization_reference
    cpo.push_cdr(ptp, reference, "8.00", "10.00")
    ptp.tick()

    assert [each["authorization_reference"] for each in cpo.commands] == [reference] * 2
    assert cpo.confirmations[0] == cpo.confirmations[1]
    assert effects(ptp, reference) == ["hold", "capture"]


@pytest.mark.parametrize(
    ("switch", "field", "value"),
    [
        ("confirm_currency=1:SEK", "currency", "SEK"),
        ("confirm_reference=1:wrong", "authorization_reference", "wrong"),
        ("capture_fails=1", "capture_status_code", "FAILED"),
        ("capture_part=1:4.00", "capture_status_code", "PARTIAL_SUCCESS"),
    ],
)
def test_a_confirmation_may_be_wrong(
    cpo: ScriptedCpo, ptp: PtpSimulator, switch: str, field: str, value: str
) -> None:
    reference = tap(ptp).authorization_reference
    ptp.switch(Switch.parse(switch))
    cpo.push_cdr(ptp, reference, "8.00", "10.00")
    ptp.tick()

    assert cpo.confirmations[0][field] == value


def test_a_confirmation_may_name_another_amount_and_be_corrected(cpo: ScriptedCpo, ptp: PtpSimulator) -> None:
    reference = tap(ptp).authorization_reference
    ptp.switch(Switch.parse("confirm_amount=1:99.00"))
    cpo.push_cdr(ptp, reference, "8.00", "10.00")
    ptp.tick()
    ptp.settler.confirm_again(reference)

    wrong, right = cpo.confirmations
    assert wrong["total_costs"] == price(cpo.version, "8.00", "99.00")
    assert right["total_costs"] == price(cpo.version, "8.00", "10.00")
    assert wrong["id"] == right["id"]


def test_a_failed_capture_may_succeed_later_under_the_same_id(cpo: ScriptedCpo, ptp: PtpSimulator) -> None:
    reference = tap(ptp).authorization_reference
    ptp.switch(Switch.parse("capture_fails=1"))
    cpo.push_cdr(ptp, reference, "8.00", "10.00")
    ptp.tick()
    ptp.settler.settle_again(reference)

    assert [each["capture_status_code"] for each in cpo.confirmations] == ["FAILED", "SUCCESS"]
    assert len({each["id"] for each in cpo.confirmations}) == 1
    assert effects(ptp, reference) == ["hold", "capture"]


def test_a_confirmation_may_be_late_or_only_given_when_asked(cpo: ScriptedCpo, ptp: PtpSimulator) -> None:
    late, never = (tap(ptp).authorization_reference for _ in range(2))
    ptp.switch(Switch.parse("confirm_late=1:3600"))
    cpo.push_cdr(ptp, late, "8.00", "10.00")
    ptp.tick()
    ptp.switch(Switch.parse("confirm_never=1"))
    cpo.push_cdr(ptp, never, "8.00", "10.00")
    ptp.tick()

    assert not cpo.confirmations
    assert len(cpo.client().items(cpo.url(ptp, "payments/financial-advice-confirmations"))) == 2


def test_a_confirmation_is_repeated_until_the_cpo_has_it(cpo: ScriptedCpo, ptp: PtpSimulator) -> None:
    reference = tap(ptp).authorization_reference
    cpo.confirmation_answers = [Reply(status_code=3000), Reply(status_code=2001)]
    cpo.push_cdr(ptp, reference, "8.00", "10.00")
    ptp.tick()
    [known] = ptp.state()["confirmations"].values()
    assert (known["told"], known["problem"], known["attempts"]) == (False, "", 1)

    ptp.settler.confirm_again(reference)
    [known] = ptp.state()["confirmations"].values()

    assert (known["told"], known["attempts"]) == (False, 1)
    assert "2001" in known["problem"]


def test_it_may_be_down_and_come_back(cpo: ScriptedCpo, ptp: PtpSimulator) -> None:
    url, client = ptp.registrar.versions_url, cpo.client()

    ptp._be_down(0)

    assert client.get(url, routed=False).ok
    assert [each["event"] for each in ptp.events][-2:] == ["down", "up_again"]
