"""Every check of the kit catches a fault: a check that cannot fail proves nothing."""

import pytest

from payments.conformance import campaign, expectations
from payments.conformance.bench import Options
from payments.conformance.registry import CHECKS
from payments.conformance.verdicts import Outcome, Result
from tests.payments.conformance.cpo import TOKEN_A, ScriptedCpo
from tests.payments.conformance.faults import Fault
from tests.payments.conformance.faults_charging import CHARGING
from tests.payments.conformance.faults_lists import LISTED
from tests.payments.conformance.faults_reading import READING
from tests.payments.conformance.faults_writing import WRITING

PATIENCE_SECONDS = 20.0  # an upper bound for a loaded machine, never what a test waits for
FAULTS = [*READING, *LISTED, *WRITING, *CHARGING]


def check_peer(
    cpo: ScriptedCpo,
    *only: str,
    versions: tuple[str, ...] = (),
    charge_seconds: float = 0.2,
    settle_seconds: float = 0.1,
    patience_seconds: float = PATIENCE_SECONDS,
) -> list[Result]:
    """Run the kit, in a hurry."""
    options = Options(
        url=cpo.versions_url, token=TOKEN_A, versions=versions, only=only, timeout_seconds=10,
        charge_seconds=charge_seconds, settle_seconds=settle_seconds, patience_seconds=patience_seconds,
    )  # fmt: skip
    return campaign.run(options)


def check_healthy_peer(cpo: ScriptedCpo, monkeypatch: pytest.MonkeyPatch, *only: str) -> list[Result]:
    """Run the kit against a peer without fault, of whose machine nothing is asked: it may stall for a second."""
    monkeypatch.setattr(expectations, "AT_ONCE_SECONDS", PATIENCE_SECONDS)
    return check_peer(cpo, *only, charge_seconds=1.5)


def _planted(fault: Fault, monkeypatch: pytest.MonkeyPatch) -> ScriptedCpo:
    if fault.patch:
        fault.patch(monkeypatch)
    cpo = ScriptedCpo(
        tampers=[fault.tamper] if fault.tamper else (),
        sendings=[fault.sending] if fault.sending else (),
        habits=[fault.habit] if fault.habit else (),
    )
    if fault.setup:
        fault.setup(cpo)
    return cpo


@pytest.mark.parametrize("fault", FAULTS, ids=str)
def test_the_check_tells_of_the_fault(fault: Fault, monkeypatch: pytest.MonkeyPatch) -> None:
    with _planted(fault, monkeypatch) as cpo:
        results = check_peer(
            cpo,
            fault.check,
            versions=(fault.version,),
            settle_seconds=0.5 if fault.comes_twice else 0.1,
            patience_seconds=2 if fault.never_comes else PATIENCE_SECONDS,
        )

    told = {(result.id, result.outcome, result.message) for result in results}
    assert [result.id for result in results] == [fault.check]
    assert results[0].outcome in (Outcome.FAIL, Outcome.WARN), told
    assert results[0].message


@pytest.mark.parametrize("module", sorted({check.module for check in CHECKS.values()}))
def test_a_peer_without_fault_passes_each_module_by_itself(
    module: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with ScriptedCpo() as cpo:
        results = check_healthy_peer(cpo, monkeypatch, module)

    assert results
    assert [str(result) for result in results if result.outcome is not Outcome.PASS] == []


def test_every_check_has_a_fault_that_it_catches() -> None:
    assert sorted({fault.check for fault in FAULTS}) == sorted(CHECKS)
