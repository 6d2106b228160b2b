"""The PTP's platform for one terminal: what happens between the tap and the card, over our native API.

It preauthorises first and asks for a session then; it captures or releases what our settlements say, each
once, and tells what it did. Its memory is a file, so that a restart forgets no hold.
"""

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from payments.simulator import files
from payments.simulator.native_api import ApiProblem, Body, NativeApi
from payments.simulator.psp import Card, Hold, HoldIsGone, HoldState, Psp, UnknownHold, slip

SESSIONS_REMEMBERED = 100  # newest first; older ones are behind the Receipt button or gone


@dataclass(frozen=True, slots=True)
class Tap:
    """What came of holding a card to the terminal."""

    outcome: str  # "started", "declined", "refused"
    session_id: str = ""
    problem: str = ""  # the API's code when refused


@dataclass(frozen=True, slots=True)
class Order:
    """What the driver agreed to before the tap."""

    connector_id: str
    quote_id: str
    amount: str
    currency: str
    language: str


class Platform:
    """One terminal's side of its PTP."""

    def __init__(self, api: NativeApi, *, terminal_id: str, memory: Path) -> None:
        self.api = api
        self.terminal_id = terminal_id
        self._memory = memory

    # --- What the screen asks -----------------------------------------------------------------

    def heartbeat(self) -> None:
        """Tell that the terminal is alive."""
        self.api.post("heartbeat", {"terminal_id": self.terminal_id})

    def connectors(self, language: str) -> list[Body]:
        """Return the connectors that this terminal sells."""
        return _items(self.api.get("connectors", terminal_id=self.terminal_id, lang=language))

    def connector(self, connector_id: str, language: str) -> Body | None:
        """Return one of them."""
        return next((each for each in self.connectors(language) if each["id"] == connector_id), None)

    def quote(self, connector_id: str, language: str) -> Body:
        """Return price, terms and the amount to hold, binding for some minutes."""
        return self.api.get(f"connectors/{connector_id}/quote", terminal_id=self.terminal_id, lang=language)

    def session(self, session_id: str) -> Body:
        """Return how a session stands."""
        return self.api.get(f"sessions/{session_id}")

    def stop(self, session_id: str) -> Body:
        """Press Stop."""
        return self.api.post(f"sessions/{session_id}/stop")

    def receipts(self) -> list[Body]:
        """Return what was settled at this terminal in the last 24 hours."""
        return _items(self.api.get("receipts", terminal_id=self.terminal_id))

    def running(self) -> list[Body]:
        """Return the sessions of this terminal that are not over."""
        sessions = [self.session(session_id) for session_id in self._open_sessions()]
        over = [each["id"] for each in sessions if each["settlement"] is not None]
        if over:
            with self._remembered() as (memory, _):
                memory["open"] = [each for each in memory["open"] if each not in over]
        return [each for each in sessions if each["settlement"] is None]

    # --- What happens to cards ----------------------------------------------------------------

    def tap(self, tap_id: uuid.UUID, order: Order, card: Card) -> Tap:
        """Hold the amount on the card and start the session; the same tap twice is one tap.

        A refusal drops the hold at once. Raises ApiTrouble: then the outcome is unknown, and the same tap
        may be repeated.
        """
        reference = str(tap_id)
        with self._remembered() as (_, psp):
            hold = psp.preauthorise(reference, order.amount, order.currency, card)
        if hold is None:
            return Tap("declined")
        try:
            answer = self.api.post("sessions", self._start_body(order, hold), idempotency_key=reference)
        except ApiProblem as problem:
            return self._refused(reference, problem)
        self._remember_session(answer["id"])
        return Tap("started", session_id=answer["id"])

    def _start_body(self, order: Order, hold: Hold) -> Body:
        return {
            "terminal_id": self.terminal_id,
            "connector_id": order.connector_id,
            "quote_id": order.quote_id,
            "authorization_reference": hold.reference,
            "authorized_amount": hold.amount,
            "currency": hold.currency,
            "card": {"scheme": hold.card.scheme, "last4": hold.card.last4},
            "language": order.language,
        }

    def _refused(self, reference: str, problem: ApiProblem) -> Tap:
        with self._remembered() as (_, psp):
            psp.release(reference)
        session_id = str(problem.body.get("session_id", ""))
        if session_id:
            self.settle_due()
        return Tap("refused", session_id=session_id, problem=problem.code)

    def settle_due(self) -> int:
        """Capture, release and give back whatever is due, tell it, and return how much there was."""
        due = _items(self.api.get("settlements", status="due", terminal_id=self.terminal_id))
        for settlement in due:
            if settlement["action"] == "CAPTURE":
                self._capture(settlement)
            elif settlement["action"] == "RELEASE":
                self._release(settlement)
        return len(due) + self._give_back_due()

    def _give_back_due(self) -> int:
        refunds = _items(self.api.get("refunds", status="due"))
        mine = [refund for refund in refunds if refund["terminal_id"] == self.terminal_id]
        return sum(self._give_back(refund) for refund in mine)

    def _give_back(self, refund: Body) -> bool:
        """Give back once per refund, and tell it; a charge that this PSP never made stays due, for staff to see."""
        reference = refund["authorization_reference"]
        try:
            with self._remembered() as (_, psp):
                psp.refund(reference, refund["amount"], document=refund["id"])
        except (UnknownHold, HoldIsGone):
            return False
        self.api.post(f"refunds/{refund['id']}/confirm")
        return True

    def _capture(self, settlement: Body) -> None:
        reference = settlement["authorization_reference"]
        with self._remembered() as (_, psp):
            report = self._captured(psp, reference, settlement["amount"], settlement["currency"])
        # One id per hold: however often this is told, it is the same confirmation.
        report["confirmation_id"] = str(uuid.uuid5(uuid.NAMESPACE_OID, f"capture:{reference}"))
        self.api.post(f"sessions/{settlement['id']}/capture", report)

    def _captured(self, psp: Psp, reference: str, amount: str, currency: str) -> Body:
        try:
            hold = psp.capture(reference, amount)
        except (UnknownHold, HoldIsGone):
            return {"status": "FAILED", "amount": "0", "currency": currency, "eft_data": []}
        lines = slip(hold, terminal_id=self.terminal_id)
        return {"status": "SUCCESS", "amount": amount, "currency": currency, "eft_data": lines}

    def _release(self, settlement: Body) -> None:
        with self._remembered() as (_, psp):
            hold = psp.holds.get(settlement["authorization_reference"])
            # A hold that this PSP never had, or lost, is not on the card either.
            if hold is not None and hold.state is HoldState.HELD:
                psp.release(hold.reference)
        self.api.post(f"sessions/{settlement['id']}/release")

    # --- Memory -------------------------------------------------------------------------------

    def psp(self) -> Psp:
        """Return the PSP as it stands, to look at."""
        return Psp.from_state(files.read(self._memory).get("psp", {}))

    @contextmanager
    def _remembered(self) -> Iterator[tuple[dict[str, Any], Psp]]:
        with files.opened(self._memory) as memory:
            memory.setdefault("open", [])
            psp = Psp.from_state(memory.get("psp", {}))
            yield memory, psp
            memory["psp"] = psp.to_state()

    def _remember_session(self, session_id: str) -> None:
        with self._remembered() as (memory, _):
            others = [each for each in memory["open"] if each != session_id]
            memory["open"] = [session_id, *others][:SESSIONS_REMEMBERED]

    def _open_sessions(self) -> list[str]:
        return list(files.read(self._memory).get("open", []))


def _items(page: Body) -> list[Body]:
    return list(page["items"])
