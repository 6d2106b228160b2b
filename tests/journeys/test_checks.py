"""The journeys' own checks: each finds the fault that it is there for."""

import copy
from decimal import Decimal
from typing import Any

import pytest

from emabler.journeys import checks
from emabler.journeys.errors import Mismatch
from payments.simulator.psp import VISA, Hold, Psp

BILL: dict[str, Any] = {
    "energy_wh": 10_000,
    "started_at": "2026-03-01T10:00:00.000Z",
    "ended_at": "2026-03-01T10:10:00.000Z",
    "captured_amount": "6.90",
    "review": None,
    "cost_lines": [{"incl_vat": "5.90"}, {"incl_vat": "1.00"}],
    "vat": [{"net": "5.50", "vat": "1.40", "gross": "6.90"}],
    "total": {"incl_vat": "6.90"},
    "cdr": {
        "total_energy": Decimal("10.0000"),
        "authorization_reference": "hold-1",
        "total_cost": {"before_taxes": Decimal("5.50"), "taxes": [{"amount": Decimal("1.40")}]},
    },
}


def held(amount: str = "60.00") -> tuple[Hold, Psp]:
    psp = Psp()
    hold = psp.preauthorise("hold-1", amount, "EUR", VISA)
    assert hold is not None
    return hold, psp


def changed(path: str, value: Any) -> dict[str, Any]:
    bill: Any = copy.deepcopy(BILL)
    *steps, last = path.split("/")
    place = bill
    for step in steps:
        place = place[int(step) if step.isdigit() else step]
    place[last] = value
    return bill  # type: ignore[no-any-return]


def test_a_right_bill_passes() -> None:
    checks.check_bill(BILL, held()[0])


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("energy_wh", 9_999),
        ("ended_at", "2026-03-01T10:11:00.000Z"),
        ("cost_lines/0/incl_vat", "5.89"),
        ("vat/0/gross", "6.91"),
        ("vat/0/net", "5.51"),
        ("total/incl_vat", "6.91"),
        ("cdr", None),
        ("cdr/total_energy", Decimal("10.1")),
        ("cdr/authorization_reference", "hold-2"),
        ("cdr/total_cost/before_taxes", Decimal("5.51")),
    ],
)
def test_a_wrong_bill_is_found(path: str, value: Any) -> None:
    with pytest.raises(Mismatch):
        checks.check_bill(changed(path, value), held()[0])


def test_a_bill_beyond_the_hold_is_found() -> None:
    with pytest.raises(Mismatch):
        checks.check_bill(BILL, held("6.89")[0])


def test_a_card_that_was_charged_once_passes_and_any_other_does_not() -> None:
    hold, psp = held()
    with pytest.raises(Mismatch):
        checks.check_captured(BILL, hold, psp)

    psp.capture("hold-1", "6.90")
    checks.check_captured(BILL, hold, psp)

    psp.effects.append(("capture", "hold-1"))
    with pytest.raises(Mismatch):
        checks.check_captured(BILL, hold, psp)


@pytest.mark.parametrize("fault", [("captured_amount", "6.89"), ("review", "amount_differs")])
def test_a_server_that_tells_another_story_is_found(fault: tuple[str, str]) -> None:
    hold, psp = held()
    psp.capture("hold-1", "6.90")

    with pytest.raises(Mismatch):
        checks.check_captured(changed(*fault), hold, psp)


def test_a_hold_that_was_not_released_is_found() -> None:
    hold, psp = held()
    with pytest.raises(Mismatch):
        checks.check_released(hold, psp)

    psp.release("hold-1")
    checks.check_released(hold, psp)


@pytest.mark.parametrize(
    ("captured", "right"), [("1.00", True), ("0.98", True), ("0.97", False), ("1.01", False)]
)
def test_a_paid_limit_takes_the_hold_or_up_to_two_percent_less(captured: str, right: bool) -> None:
    hold, _ = held("1.00")
    hold.captured = captured

    if right:
        checks.check_paid_limit(hold)
    else:
        with pytest.raises(Mismatch):
            checks.check_paid_limit(hold)
