"""A scenario through the native API: this process is the terminal, its PTP and the PSP."""

import threading
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from emabler.journeys import checks
from emabler.journeys.errors import expect
from emabler.journeys.network import identity_of
from emabler.journeys.play import Energy, Play
from emabler.journeys.terminal import TerminalApi
from payments.simulator.psp import EMPTY, VISA, Card, Hold, Psp, slip

Body = dict[str, Any]
FINAL = ("ENDED", "REJECTED", "EXPIRED", "CANCELLED")


@dataclass(kw_only=True)
class NativePlay(Play):
    """The PTP polls, captures and confirms by itself."""

    api: TerminalApi
    psp: Psp = field(default_factory=Psp)
    connector: Body = field(default_factory=dict)
    quote: Body = field(default_factory=dict)
    order: Body = field(default_factory=dict)
    hold: Hold | None = None
    session_id: str = ""

    # --- Before and at the tap --------------------------------------------------------------------

    def choose(self) -> None:
        """The driver chooses the connector; the terminal shows price and terms."""
        uid = identity_of(self.scenario)
        self.connector = self.api.wait(
            lambda: found if (found := self.api.connector(uid))["available"] else None,
            what=f"connector {uid} to be available",
        )
        lines = self.connector["price_lines"]
        expect(lines and lines[0]["kind"] == "energy", "the price per kWh does not come first")
        expect(Decimal(lines[0]["amount"]) == Decimal("0.59"), f"the price shown is {lines[0]['amount']}")
        self.quote = self.api.quote(self.connector["id"])
        self.outcome.currency = self.quote["currency"]
        self.report.step("price shown", label=self.connector["label"], text=lines[0]["text"])

    def tap(self, *, hold: str | None = None) -> None:
        """The driver taps a good card; the PSP holds the money."""
        expect(self._preauthorise(VISA, hold), "the PSP declined a good card")
        accepted = self._hold()
        self.outcome.authorized = accepted.amount
        self.order = {
            "connector_id": self.connector["id"],
            "quote_id": self.quote["quote_id"],
            "authorization_reference": accepted.reference,
            "authorized_amount": accepted.amount,
            "currency": accepted.currency,
            "card": {"scheme": accepted.card.scheme, "last4": accepted.card.last4},
            "language": "en",
        }
        self.report.step("preauthorised", amount=accepted.amount, reference=accepted.reference)

    def tap_empty_card(self) -> None:
        """The driver taps a card without money; the PSP declines."""
        expect(not self._preauthorise(EMPTY, None), "the PSP accepted an empty card")
        self.report.step("declined")

    def _preauthorise(self, card: Card, amount: str | None) -> bool:
        wanted = amount or self.quote["preauthorize_amount"]
        self.hold = self.psp.preauthorise(str(uuid.uuid4()), wanted, self.quote["currency"], card)
        return self.hold is not None

    def start(self) -> None:
        """The PTP asks for the session, and gets one."""
        answer = self.api.start(self.order, key=str(uuid.uuid4()))
        expect(answer.status_code == 202, f"the start was answered {answer.status_code}: {answer.text[:300]}")
        self.started(answer.json())

    def started(self, body: Body) -> None:
        """Note the session that was opened."""
        self.session_id = body["id"]
        self.outcome.receipt_url = body["receipt"]["url"]
        self.report.step("session opened", id=self.session_id, status=body["status"])

    def start_again_and_again(self) -> None:
        """The same order twice at once, a third time under another key, and another one under the same hold."""
        answers = self._at_once(times=2)
        answers.append(self.api.start(self.order, key=str(uuid.uuid4())))
        codes = [answer.status_code for answer in answers]
        expect(codes == [202, 202, 202], f"the repeated order was answered {codes}")
        ids = {answer.json()["id"] for answer in answers}
        expect(len(ids) == 1, f"the repeated order opened {len(ids)} sessions")
        self.started(answers[0].json())
        other = self.api.start({**self.order, "authorized_amount": "61.00"}, key=str(uuid.uuid4()))
        told = (other.status_code, other.json().get("code"))
        expect(
            told == (422, "idempotency_conflict"), f"another order under the same hold was answered {told}"
        )

    def _at_once(self, *, times: int) -> list[Any]:
        """Send the order several times at the same moment, under the same key."""
        key, answers = str(uuid.uuid4()), []
        threads = [
            threading.Thread(target=lambda: answers.append(self.api.start(self.order, key=key)))
            for _ in range(times)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return answers

    # --- The session ------------------------------------------------------------------------------

    def charge(self, *, beyond_wh: int = 250) -> Energy:
        """Wait until energy has flowed and its cost is shown."""
        state = self._wait(
            lambda s: (
                s["status"] == "CHARGING"
                and s["energy_wh"] > beyond_wh
                and Decimal(s["cost"]["incl_vat"]) > 0
            ),
            what=f"more than {beyond_wh} Wh",
        )
        self.report.step(
            "charging", energy_wh=state["energy_wh"], power_w=state["power_w"], cost=state["cost"]["incl_vat"]
        )
        return int(state["energy_wh"])

    def press_stop(self) -> None:
        """The driver presses Stop at the terminal."""
        answer = self.api.stop(self.session_id)
        expect(
            answer.status_code in (200, 202), f"Stop was answered {answer.status_code}: {answer.text[:300]}"
        )
        self.report.step("stop pressed", answer=answer.status_code)

    def end(self, status: str, *, reason: str | None = None) -> None:
        """Wait until the session is over, in this state and for this reason."""
        state = self._wait(lambda s: s["status"] in FINAL, what="the end of the session")
        self._remember(state)
        self.report.step(
            "session over", status=state["status"], reason=state["stop_reason"], energy_wh=state["energy_wh"]
        )
        expect(state["status"] == status, f"the session ended as {state['status']}, not {status}")
        if reason is not None:
            expect(state["stop_reason"] == reason, f"it stopped by {state['stop_reason']}, not {reason}")

    # --- The money --------------------------------------------------------------------------------

    def capture(self) -> None:
        """The PTP captures what is due, once, and confirms it, twice."""
        due = self._due("CAPTURE")
        hold = self._hold()
        checks.check_bill(due, hold)
        self._check_energy(due)
        expect(due["amount"] == due["total"]["incl_vat"], "the amount to capture is not the total")
        self.psp.capture(hold.reference, due["amount"])
        confirmation = {
            "confirmation_id": str(uuid.uuid4()),
            "status": "SUCCESS",
            "amount": due["amount"],
            "currency": due["currency"],
            "eft_data": slip(hold, terminal_id=self.api.terminal_id),
        }
        for _ in range(2):  # a repeat is harmless
            answer = self.api.confirm_capture(self.session_id, confirmation)
            expect(answer.status_code == 200, f"the confirmation was answered {answer.text[:300]}")
        self.outcome.captured = due["amount"]
        self._check_settled("CAPTURED")
        checks.check_captured(self.api.settlement(self.session_id), hold, self.psp)
        self.report.step("captured", amount=due["amount"], of=self.outcome.authorized)
        self._check_receipt(due["amount"])

    def release(self) -> None:
        """The PTP drops the hold and says so."""
        due = self._due("RELEASE")
        expect(due["amount"] is None, f"{due['amount']} is due for a session that never charged")
        self.psp.release(self._hold().reference)
        answer = self.api.confirm_release(self.session_id)
        expect(answer.status_code == 200, f"the release was answered {answer.text[:300]}")
        self._check_settled("RELEASED")
        checks.check_released(self._hold(), self.psp)
        self.report.step("released", amount=self.outcome.authorized)

    def refused(self) -> None:
        """The PTP asks for the session, and is told at once that it cannot start."""
        answer = self.api.start(self.order, key=str(uuid.uuid4()))
        body = answer.json()
        refusal = (answer.status_code, body.get("code"))
        expect(refusal == (409, "connector_unavailable"), f"the start was answered {answer.text[:300]}")
        expect(body["settlement"]["action"] == "RELEASE", "the refusal does not say to release the hold")
        self.session_id = body["session_id"]
        self.report.step("refused", reason=body["reason"])

    def check_limit(self) -> None:
        """The hold is used up."""
        checks.check_paid_limit(self._hold())

    # --- Looking ----------------------------------------------------------------------------------

    def wait_until_gone(self) -> None:
        """Wait until the terminal shows the charger as gone."""
        uid = self.connector["evse_uid"]
        shown = self.api.wait(
            lambda: found if not (found := self.api.connector(uid))["available"] else None,
            what="the charger to be shown as gone",
        )
        expect(shown["status"] == "UNKNOWN", f"a charger that is gone is shown as {shown['status']}")

    def check_free(self) -> None:
        """Nothing was asked of the server, so nothing may have happened there."""
        available = self.api.connector(self.connector["evse_uid"])["available"]
        expect(available, "the connector is not free any more")

    def captures(self) -> int:
        return sum(effect == "capture" for effect, _ in self.psp.effects)

    def look(self) -> None:
        if self.session_id:
            self._remember(self.api.session(self.session_id))

    def close(self) -> None:
        self.api.close()

    def _wait(self, done: Callable[[Body], bool], *, what: str) -> Body:
        return self.api.wait(
            lambda: state if done(state := self.api.session(self.session_id)) else None, what=what
        )

    def _remember(self, state: Body) -> None:
        self.outcome.session_status = state["status"]
        self.outcome.payment_status = state["payment_status"]
        self.outcome.energy_wh = state["energy_wh"]
        self.outcome.duration_seconds = state["duration_seconds"]
        self.outcome.receipt_url = state["receipt"]["url"]

    def _due(self, action: str) -> Body:
        """The settlement of this session, as the list of due ones shows it."""
        found = self.api.wait(
            lambda: next((item for item in self.api.due() if item["id"] == self.session_id), None),
            what="the settlement to be due",
        )
        self.report.step("settlement due", action=found["action"], amount=found["amount"])
        expect(found["action"] == action, f"the settlement says {found['action']}, not {action}")
        return found

    def _hold(self) -> Hold:
        assert self.hold is not None, "a settlement without a tap"
        return self.hold

    def _check_energy(self, settlement: Body) -> None:
        delivered, billed = self.charger.delivered_wh, settlement["energy_wh"]
        expect(delivered == billed, f"the charger delivered {delivered} Wh, {billed} Wh are billed")

    def _check_settled(self, payment_status: str) -> None:
        state = self.api.session(self.session_id)
        self._remember(state)
        found = state["payment_status"]
        expect(found == payment_status, f"the payment is {found}, not {payment_status}")
        waiting = [item for item in self.api.due() if item["id"] == self.session_id]
        expect(not waiting, "a settled payment is still due")

    def _check_receipt(self, amount: str) -> None:
        """The driver's page says the same total; PDF and QR code exist."""
        assert self.outcome.receipt_url is not None
        page = self.api.fetch(self.outcome.receipt_url)
        expect(page.status_code == 200 and amount in page.text, f"the receipt page does not say {amount}")
        paper = self.api.wait(
            lambda: {"pdf": pdf.content} if (pdf := self._paper(".pdf")).status_code == 200 else None,
            what="the PDF of the receipt",
        )
        expect(paper["pdf"].startswith(b"%PDF"), "the receipt's PDF is none")
        expect("<svg" in self._paper("/qr.svg").text, "the receipt has no QR code")
        numbers = [item["receipt_number"] for item in self.api.receipts() if item["id"] == self.session_id]
        expect(len(numbers) == 1 and numbers[0], "the Receipt button does not list the session")
        self.report.step("receipt", number=numbers[0], url=self.outcome.receipt_url)

    def _paper(self, suffix: str) -> Any:
        return self.api.fetch(f"{self.outcome.receipt_url}{suffix}")
