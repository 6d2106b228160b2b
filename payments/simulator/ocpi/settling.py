"""What happens to cards after the tap: one capture per authorization_reference, never above the hold, or a
release; then the financial advice confirmation, until the CPO has it.

OCPI 2.3.0 mod_payments, transaction flow: the CDR is what asks for the capture.
"""

import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import Final

from payments.simulator.ocpi.amounts import NOTHING, Total, read_price, write_price
from payments.simulator.ocpi.memory import Confirmation, Memory, Start, State
from payments.simulator.ocpi.registration import HandshakeFailed, Registrar
from payments.simulator.ocpi.settings import PtpSettings, ReleaseRule
from payments.simulator.ocpi.switches import Fault, Switchboard
from payments.simulator.ocpi.wire import Json, NoAnswer, parse_time, utc_text
from payments.simulator.psp import HoldIsGone, HoldState, PspError, slip

BACKOFF_SECONDS: Final = (1, 2, 5, 15, 60)


class Act(StrEnum):
    """What to do with a hold now."""

    WAIT = "WAIT"  # nothing
    CAPTURE = "CAPTURE"  # the CDR has come
    RELEASE = "RELEASE"  # it will cost nothing


@dataclass(frozen=True, slots=True)
class Heard:
    """All that the CPO has said about one tap."""

    start: Start
    session: dict[str, Json] | None
    cdr: dict[str, Json] | None


def due(heard: Heard, *, rule: ReleaseRule, abandon_seconds: float, now: datetime) -> tuple[Act, str]:
    """Decide about a hold that still stands; the text is the reason."""
    start, session, cdr = heard.start, heard.session, heard.cdr
    if cdr is not None:
        total = read_price(cdr.get("total_cost"))
        if total is None or total.after_taxes > 0:
            return Act.CAPTURE, f"CDR {cdr['id']}"
        if rule is not ReleaseRule.SESSION_INVALID:
            return Act.RELEASE, f"CDR {cdr['id']} of nothing"
    if start.answer not in ("", "ACCEPTED"):
        return Act.RELEASE, f"CommandResponse {start.answer}"
    if start.result not in ("", "ACCEPTED"):
        return Act.RELEASE, f"CommandResult {start.result}"
    if session is not None and session.get("status") == "INVALID" and rule is not ReleaseRule.ZERO_CDR:
        return Act.RELEASE, "Session INVALID"
    patience = timedelta(seconds=start.timeout_seconds + abandon_seconds)
    if session is None and cdr is None and now > parse_time(start.sent_at) + patience:
        return Act.RELEASE, "nothing was heard"
    return Act.WAIT, ""


class Settler:
    """Does what is due; every step may be repeated without a second effect."""

    def __init__(
        self,
        settings: PtpSettings,
        memory: Memory,
        *,
        registrar: Registrar,
        switches: Switchboard,
        emit: Callable[..., None],
        clock: Callable[[], datetime],
    ) -> None:
        self._settings, self._memory, self._registrar = settings, memory, registrar
        self._switches, self._emit, self._clock = switches, emit, clock

    def settle_due(self) -> None:
        """Capture, release and refund what is due, then tell the CPO."""
        with self._memory.look() as state:
            # What is over is left out first: a simulator of a long campaign remembers thousands of taps.
            standing = [each for each in state.starts.values() if not (each.settled_by or each.released_for)]
            acts = [(start, *self._due(state, start)) for start in standing]
            unseen = sorted(state.cdrs.keys() - set(state.seen_cdrs))
        for start, act, reason in acts:
            if act is Act.RELEASE:
                self._release(start.reference, reason)
            elif act is Act.CAPTURE:
                self._capture(start.reference)
        for key in unseen:
            self._look_at(key)
        self.tell()

    def _due(self, state: State, start: Start) -> tuple[Act, str]:
        heard = Heard(start, state.session_of(start.reference), state.cdr_of(start.reference))
        rule, patience = self._settings.release_rule, self._settings.abandon_seconds
        return due(heard, rule=rule, abandon_seconds=patience, now=self._clock())

    def settle_again(self, reference: str) -> None:
        """Try a capture once more that has failed, and tell what came of it under the same id."""
        with self._memory.changed() as state:
            start = state.starts.get(reference)
            if start is not None and state.psp.holds[reference].state is HoldState.HELD:
                start.settled_by = ""
        self.settle_due()

    def confirm_again(self, reference: str) -> None:
        """Write the confirmation anew from what was really captured, and send it."""
        with self._memory.changed() as state:
            cdr = state.cdr_of(reference)
            if cdr is not None:
                taken = Decimal(state.psp.holds[reference].captured)
                self._confirm(state, cdr, (read_price(cdr.get("total_cost")) or NOTHING).part(taken))
        self.tell()

    # --- At the PSP -------------------------------------------------------------------------------

    def _release(self, reference: str, reason: str) -> None:
        with self._memory.changed() as state:
            try:
                state.psp.release(reference)
            except PspError:
                return
            state.starts[reference].released_for = reason
        self._emit("released", reference=reference, reason=reason)

    def _capture(self, reference: str) -> None:
        with self._memory.changed() as state:
            start, cdr = state.starts[reference], state.cdr_of(reference)
            if start.settled_by or cdr is None:  # another thread was faster
                return
            start.settled_by = str(cdr["id"])
            taken = self._taken(state, start, cdr)
            self._confirm(state, cdr, taken)
        self._emit("captured", reference=reference, amount=f"{taken.after_taxes:f}", cdr=cdr["id"])

    def _taken(self, state: State, start: Start, cdr: dict[str, Json]) -> Total:
        """Take the CDR's total, at most the hold; return what was taken."""
        total = read_price(cdr.get("total_cost"))
        if total is None or cdr.get("currency") != start.currency or self._switches.take(Fault.CAPTURE_FAILS):
            return NOTHING
        amount = min(total.after_taxes, Decimal(start.amount))
        if part := self._switches.take(Fault.CAPTURE_PART):
            half = (amount / 2).quantize(Decimal("0.01"))
            amount = min(amount, Decimal(part.value) if part.value else half)
        try:
            state.psp.capture(start.reference, f"{amount:f}")
        except PspError:
            return NOTHING
        return total.part(amount)

    def _look_at(self, key: str) -> None:
        """Note a CDR: refund a credit, say FAILED for one whose hold is gone or was never here."""
        with self._memory.changed() as state:
            state.seen_cdrs.append(key)
            cdr = state.cdrs[key]
            reference = str(cdr.get("authorization_reference"))
            first, start = state.cdr_of(reference), state.starts.get(reference)
            if cdr.get("credit"):
                said = self._refund(state, cdr, reference)
            elif first is not cdr:
                said = "a second CDR for the same authorization_reference is not captured"
            elif start is None or (start.released_for and not start.settled_by):
                total = read_price(cdr.get("total_cost"))
                said = "" if total and not total.after_taxes else "there is no hold for it"
                if said:
                    self._confirm(state, cdr, NOTHING)
            else:
                return
        if said:
            self._emit("cdr", cdr=cdr["id"], reference=reference, note=said)

    def _refund(self, state: State, cdr: dict[str, Json], reference: str) -> str:
        total = read_price(cdr.get("total_cost")) or NOTHING
        try:
            state.psp.refund(reference, f"{abs(total.after_taxes):f}", document=str(cdr["id"]))
        except HoldIsGone:
            return "a credit beyond what was captured"
        except PspError:
            return "a credit for what was never held"
        return "refunded"

    # --- Confirmation -----------------------------------------------------------------------------

    def _confirm(self, state: State, cdr: dict[str, Json], taken: Total) -> None:
        """Write the confirmation of a capture; one id per authorization_reference, however often it is told."""
        reference, now = str(cdr.get("authorization_reference")), self._clock()
        total = read_price(cdr.get("total_cost")) or NOTHING
        hold = state.psp.holds.get(reference)
        complete = taken.after_taxes == total.after_taxes
        status = "SUCCESS" if complete else "PARTIAL_SUCCESS" if taken.after_taxes else "FAILED"
        start = state.starts.get(reference)
        document: dict[str, Json] = {
            "id": str(uuid.uuid5(uuid.NAMESPACE_OID, f"capture:{reference}")),
            "authorization_reference": reference,
            "total_costs": write_price(taken, state.registration.version),
            "currency": str(cdr.get("currency")),
            "eft_data": slip(hold, terminal_id=start.terminal_id) if hold and start else ["NO CARD WAS HELD"],
            "capture_status_code": status,
            "capture_status_message": f"{status} at the PSP",
            "last_updated": utc_text(now),
        }
        late = self._switches.take(Fault.CONFIRM_LATE)
        due_at = now + timedelta(seconds=float(late.value)) if late else now
        document = self._twisted(document, taken, state.registration.version)
        silent = self._switches.take(Fault.CONFIRM_NEVER) is not None
        state.confirmations[document["id"]] = Confirmation(document, utc_text(due_at), silent=silent)

    def _twisted(self, document: dict[str, Json], taken: Total, version: str) -> dict[str, Json]:
        """What the switchboard makes of it."""
        if switch := self._switches.take(Fault.CONFIRM_AMOUNT):
            amount = Decimal(switch.value) if switch.value else taken.after_taxes + Decimal("0.01")
            total = Total(min(taken.before_taxes, amount), amount)
            document |= {"total_costs": write_price(total, version)}
        if switch := self._switches.take(Fault.CONFIRM_CURRENCY):
            document |= {"currency": switch.value}
        if switch := self._switches.take(Fault.CONFIRM_REFERENCE):
            document |= {"authorization_reference": switch.value or str(uuid.uuid4())}
        return document

    def tell(self) -> None:
        """Send the confirmations that the CPO does not have, each in its time."""
        now = utc_text(self._clock())
        with self._memory.look() as state:
            waiting = [
                key
                for key, each in state.confirmations.items()
                if not (each.told or each.silent or each.problem or each.due_at > now)
            ]
        for key in waiting:
            self._tell(key)
            if self._switches.take(Fault.CONFIRM_TWICE):
                self._tell(key)

    def _tell(self, key: str) -> None:
        with self._memory.look() as state:
            document = dict(state.confirmations[key].document)
        told, problem, said = self._post(document)
        with self._memory.changed() as state:
            each = state.confirmations[key]
            if each.document["last_updated"] != document["last_updated"]:
                return  # written anew meanwhile
            each.told, each.problem = told, problem
            pause = BACKOFF_SECONDS[min(each.attempts, len(BACKOFF_SECONDS) - 1)]
            each.attempts += 1
            each.due_at = utc_text(self._clock() + timedelta(seconds=pause))
        self._emit("confirmation", reference=document["authorization_reference"], told=told, answer=said)

    def _post(self, document: dict[str, Json]) -> tuple[bool, str, str]:
        """Return whether the CPO has it, its refusal for good, and what it said."""
        try:
            url = f"{self._registrar.payments_url()}/financial-advice-confirmations"
            client = self._registrar.client()
        except HandshakeFailed as fault:
            return False, "", str(fault)
        try:
            answer = client.post(url, document)
        except NoAnswer as silence:
            return False, "", str(silence)
        finally:
            client.close()
        return answer.ok, str(answer) if answer.refused else "", str(answer)
