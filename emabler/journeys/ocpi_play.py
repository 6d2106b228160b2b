"""A scenario through OCPI: the PTP is another process that knows the wire alone; we press its buttons."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any, TypeVar

import httpx

from emabler.journeys import checks
from emabler.journeys.errors import Mismatch, expect
from emabler.journeys.network import LOCATION, TERMINAL, identity_of
from emabler.journeys.play import Energy, Play
from payments.simulator.ocpi.amounts import Total, hold_of, read_price
from payments.simulator.ocpi.driver import PtpDriver, PtpTrouble
from payments.simulator.psp import Hold, Psp

Body = dict[str, Any]
Found = TypeVar("Found")
OVER = ("COMPLETED", "INVALID")
WAIT_SECONDS = 45.0


@dataclass(kw_only=True)
class OcpiPlay(Play):
    """The PTP captures and confirms by itself, when our CDR has come."""

    driver: PtpDriver
    version: str
    reference: str = ""
    reason: str | None = None
    complaints_before: int = field(default=0)

    # --- Before and at the tap --------------------------------------------------------------------

    def choose(self) -> None:
        uid = identity_of(self.scenario)
        self.complaints_before = len(self.driver.state()["complaints"])
        self._wait(
            lambda state: self._evse(state).get("status") == "AVAILABLE", what=f"EVSE {uid} to be free"
        )
        state = self.driver.state()
        tariff = self._tariff(state)
        hold = hold_of(tariff, self.version)
        expect(hold is not None and hold > 0, "the tariff names no amount to hold")
        expect(tariff.get("type") == "AD_HOC_PAYMENT", "the connector's tariff is not for card payments")
        self.outcome.currency = str(tariff["currency"])
        self.report.step("price shown", tariff=tariff["id"], hold=str(hold))

    def tap(self, *, hold: str | None = None) -> None:
        """Tap and start are one act of this PTP; the hold is the tariff's."""

    def start(self) -> None:
        self._tap()
        session = self._wait(
            lambda state: self.driver.session_of(state, self.reference), what="the Session to be told"
        )
        self.report.step("session opened", id=session["id"], status=session["status"])

    def start_again_and_again(self) -> None:
        self.driver.switch("start_twice@commands=1")
        self.start()
        again = self._order(reference=self.reference)
        expect(again["outcome"] == "accepted", f"the repeated tap was answered {again}")
        sessions = [
            each
            for each in self.driver.state()["sessions"].values()
            if each.get("authorization_reference") == self.reference
        ]
        expect(len(sessions) == 1, f"the repeated order opened {len(sessions)} sessions")

    def _tap(self) -> None:
        answer = self._order()
        expect(answer["outcome"] == "accepted", f"the start was answered {answer}")
        self.reference = str(answer["authorization_reference"])
        self.outcome.authorized = str(answer["amount"])
        self.report.step("preauthorised", amount=answer["amount"], reference=self.reference)

    def _order(self, **more: str) -> Body:
        uid = identity_of(self.scenario)
        return self.driver.tap(location_id=LOCATION, evse_uid=uid, connector_id="1", **more)

    def tap_empty_card(self) -> None:
        answer = self._order(card="declined")
        expect(answer["outcome"] == "declined", f"the PSP said {answer['outcome']} to an empty card")
        self.report.step("declined")

    def refused(self) -> None:
        answer = self._order()
        expect(answer["outcome"] == "refused", f"the start was answered {answer}")
        expect(bool(answer["message"]), "the refusal says nothing that a terminal can show")
        self.reference = str(answer["authorization_reference"])
        self.outcome.authorized = str(answer["amount"])
        self.report.step("refused", reason=answer["message"])

    # --- The session ------------------------------------------------------------------------------

    def charge(self, *, beyond_wh: int = 250) -> Energy:
        def charging(state: Body) -> Body | None:
            session = self.driver.session_of(state, self.reference)
            if session is None or session["status"] != "ACTIVE" or session.get("total_cost") is None:
                return None
            return session if session["kwh"] * 1000 > beyond_wh and _gross(session) > 0 else None

        session = self._wait(charging, what=f"more than {beyond_wh} Wh")
        energy_wh = int(session["kwh"] * 1000)
        self.report.step("charging", energy_wh=energy_wh, cost=str(_gross(session)))
        return energy_wh

    def press_stop(self) -> None:
        answer = self.driver.stop(self.reference)
        expect(answer["answer"] == "ACCEPTED", f"Stop was answered {answer}")
        self.report.step("stop pressed", answer=answer["answer"])

    def end(self, status: str, *, reason: str | None = None) -> None:
        self._wait(lambda state: self._status(state) != "", what="the end of the session")
        found = self._status(self.driver.state())
        self.outcome.session_status, self.reason = found, reason
        self.report.step("session over", status=found)
        expect(found == status, f"the session ended as {found}, not {status}")

    def _status(self, state: Body) -> str:
        """How the session ended in our words, "" while it has not."""
        start = state["starts"].get(self.reference, {})
        session = self.driver.session_of(state, self.reference)
        told = session["status"] if session else ""
        if told == "COMPLETED":
            return "ENDED"
        if start.get("answer") not in ("", "ACCEPTED") or start.get("result", "") not in ("", "ACCEPTED"):
            return "REJECTED"
        # The Session may overtake the CommandResult; only both tell whether the charger had agreed.
        return "EXPIRED" if told == "INVALID" and start.get("result") == "ACCEPTED" else ""

    # --- The money --------------------------------------------------------------------------------

    def capture(self) -> None:
        self._wait(lambda state: self._touched(state) == ["hold", "capture"], what="the capture")
        state = self._wait(
            lambda state: state if self._is_confirmed(state) else None, what="the confirmation to arrive"
        )
        cdr, hold = self.driver.cdr_of(state, self.reference), self._hold(state)
        expect(cdr is not None, "captured without a CDR")
        assert cdr is not None
        total = self._check_cdr(cdr, hold)
        expect(Decimal(hold.captured) == total, f"captured {hold.captured} of a CDR of {total}")
        self.outcome.captured, self.outcome.payment_status = hold.captured, "CAPTURED"
        self.report.step("captured", amount=hold.captured, of=hold.amount)
        self._check_receipt(state, hold.captured)
        self._check_manners(state)

    def _check_cdr(self, cdr: Body, hold: Hold) -> Decimal:
        """The CDR's total is the price of its energy and time, at most the hold; return it."""
        energy_wh = int(cdr["total_energy"] * 1000)
        start, end = (_moment(cdr[name]) for name in ("start_date_time", "end_date_time"))
        total = _gross(cdr)
        # Times on this wire are whole seconds; the bill was made of the exact ones.
        least, most = checks.price_range(energy_wh, start, end, slack_seconds=1)
        limit = Decimal(hold.amount)
        expect(min(least, limit) <= total <= min(most, limit), f"{energy_wh} Wh cost {least}, not {total}")
        delivered = self.charger.delivered_wh
        expect(delivered == energy_wh, f"the charger delivered {delivered} Wh, {energy_wh} Wh are billed")
        if self.reason is not None:
            remark = cdr.get("remark")
            expect(remark == self.reason, f"it stopped by {remark}, not {self.reason}")
        self.outcome.energy_wh = energy_wh
        self.outcome.duration_seconds = round((end - start).total_seconds())
        return total

    def _check_receipt(self, state: Body, amount: str) -> None:
        """The page behind `invoice_base_url` and the reference says the same total."""
        base = state["terminals"][TERMINAL].get("invoice_base_url")
        expect(bool(base), "the terminal was told no invoice_base_url")
        self.outcome.receipt_url = f"{base}{self.reference}"
        page = httpx.get(
            self.outcome.receipt_url,
            params={"lang": "en"},
            timeout=20,
            follow_redirects=True,
            trust_env=False,
        )
        expect(page.status_code == 200 and amount in page.text, f"the receipt page does not say {amount}")
        self.report.step("receipt", url=self.outcome.receipt_url)

    def release(self) -> None:
        self._wait(lambda state: self._touched(state) == ["hold", "release"], what="the release")
        self.outcome.payment_status = "RELEASED"
        self.report.step("released", amount=self.outcome.authorized)
        self._check_manners(self.driver.state())

    def check_limit(self) -> None:
        checks.check_paid_limit(self._hold(self.driver.state()))

    def _check_manners(self, state: Body) -> None:
        """A strict peer has nothing to complain of."""
        complaints = state["complaints"][self.complaints_before :]
        expect(not complaints, f"the PTP complains: {'; '.join(complaints)[:300]}")

    # --- Looking ----------------------------------------------------------------------------------

    def wait_until_gone(self) -> None:
        self._wait(lambda state: self._evse(state).get("status") == "UNKNOWN", what="the charger to be gone")

    def check_free(self) -> None:
        status = self._evse(self.driver.state()).get("status")
        expect(status == "AVAILABLE", f"the connector is {status}")

    def captures(self) -> int:
        return self._touched(self.driver.state()).count("capture")

    def look(self) -> None:
        if self.reference:
            state = self.driver.state()
            self.outcome.session_status = self._status(state) or self.outcome.session_status

    def close(self) -> None:
        """The PTP plays on; it is the stage's."""

    def _wait(self, look: Callable[[Body], Found | None], *, what: str) -> Found:
        try:
            return self.driver.wait(look, what=what, timeout_seconds=WAIT_SECONDS)
        except PtpTrouble as trouble:
            raise Mismatch(str(trouble)) from trouble

    def _touched(self, state: Body) -> list[str]:
        return [kind for kind, owner in state["psp"]["effects"] if owner == self.reference]

    def _is_confirmed(self, state: Body) -> bool:
        return any(
            each["told"] and each["document"]["authorization_reference"] == self.reference
            for each in state["confirmations"].values()
        )

    def _hold(self, state: Body) -> Hold:
        return Psp.from_state(state["psp"]).holds[self.reference]

    def _evse(self, state: Body) -> Body:
        uid = identity_of(self.scenario)
        found = [each for place in _all(state["locations"]) for each in place.get("evses", [])]
        return next((each for each in found if each.get("uid") == uid), {})

    def _tariff(self, state: Body) -> Body:
        wanted = self._evse(state)["connectors"][0].get("tariff_ids", [])
        found = [each for each in _all(state["tariffs"]) if each.get("id") in wanted]
        expect(bool(found), f"no tariff of {wanted} is known to the PTP")
        return found[0]


def _all(objects: Any) -> list[Body]:
    return list(objects.values()) if isinstance(objects, dict) else list(objects)


def _gross(document: Body) -> Decimal:
    total: Total | None = read_price(document.get("total_cost"))
    return Decimal(0) if total is None else total.after_taxes


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text)
