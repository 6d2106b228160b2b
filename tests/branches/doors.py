"""The two doors that a PTP comes by, behind one face: tap, stop, and do with cards what is due.

Both PTPs know the wire alone, and count what they do to cards; a test reads there what the driver paid.
"""

import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Protocol

import httpx

from payments.models import Ptp
from payments.simulator.ocpi.simulator import PtpSimulator
from payments.simulator.ocpi.switches import Switch
from payments.simulator.ocpi.taps import TapOrder
from payments.simulator.psp import EMPTY, VISA, Hold, Psp, slip
from tests import builders
from tests.branches.ground import Ground, Place

NATIVE = "native"
OCPI_221 = "ocpi-2.2.1"
OCPI_230 = "ocpi-2.3.0"
BOTH_WIRES = (NATIVE, OCPI_230)
OVER_OCPI = (OCPI_221, OCPI_230)
EVERY_DOOR = (NATIVE, *OVER_OCPI)

Body = dict[str, Any]


@dataclass(frozen=True)
class Tap:
    """What the terminal was told: accepted, refused, declined."""

    outcome: str
    reference: str
    place: Place
    order: Body = field(default_factory=dict)


class Door(Protocol):
    """A PTP, seen from the card."""

    name: str

    def tap(self, place: Place, *, evse: int = 0, empty_card: bool = False) -> Tap:
        """Hold the tariff's amount, and ask for a session."""

    def tap_again(self, tap: Tap) -> Tap:
        """The same order once more, for the same hold."""

    def stop(self, tap: Tap, session_id: str) -> str:
        """Press Stop; returns `accepted`, `unknown`, or what else was said."""

    def do_what_is_due(self) -> None:
        """Capture, release, refund, and confirm."""

    def bad_day(self, fault: str) -> None:
        """From now on: capture_part, capture_fails, confirm_never, confirm_twice."""

    def good_day(self) -> None:
        """All is well again."""

    def psp(self) -> Psp:
        """Holds and effects."""

    def told_over(self, tap: Tap) -> str:
        """What the PTP knows of the session's end: COMPLETED, INVALID, REFUSED, or nothing yet."""


def effects(door: Door, tap: Tap) -> list[str]:
    """What happened to the card, in order."""
    return [kind for kind, reference in door.psp().effects if reference == tap.reference]


def refunded(door: Door, tap: Tap) -> list[Decimal]:
    """What the driver got back, in order."""
    return [
        Decimal(amount) for reference, amount in door.psp().refunds.values() if reference == tap.reference
    ]


def captured(door: Door, tap: Tap) -> int:
    """What the driver paid, in cents."""
    return int(Decimal(door.psp().holds[tap.reference].captured) * 100)


# --- Native ---------------------------------------------------------------------------------------


class NativeDoor:
    """A terminal and its PTP on the native API; it polls, as one without a webhook does."""

    name = NATIVE

    def __init__(self, ground: Ground, *, ptp: Ptp | None = None) -> None:
        self.ptp = ptp or builders.ptp()
        self.terminal = builders.terminal(of=self.ptp)
        self.key = builders.api_key(self.ptp)
        self._psp = Psp()
        self._http = httpx.Client(
            base_url=f"{ground.url}/api/ptp/v1/",
            headers={"Authorization": f"Bearer {self.key}"},
            timeout=30,
            trust_env=False,
        )
        self._fault = ""

    def get(self, path: str, **query: str) -> Body:
        """GET, and read the answer."""
        answer = self._http.get(path, params=query)
        assert answer.status_code == 200, answer.text
        body: Body = answer.json()
        return body

    def post(self, path: str, body: Body | None = None, **headers: str) -> httpx.Response:
        """POST, whatever the answer."""
        return self._http.post(path, json=body or {}, headers=headers)

    def connector(self, place: Place, evse: int = 0) -> Body:
        """A connector as the terminal's list shows it."""
        self.terminal.sites.add(place.site)
        wanted = str(place.connectors[evse].public_id)
        items = self.get("connectors", terminal_id=self.terminal.terminal_id, lang="en")["items"]
        return next(item for item in items if item["id"] == wanted)

    def tap(self, place: Place, *, evse: int = 0, empty_card: bool = False) -> Tap:
        connector = self.connector(place, evse)
        terminal_id, reference = self.terminal.terminal_id, f"auth-{uuid.uuid4().hex[:20]}"
        quote = self.get(f"connectors/{connector['id']}/quote", terminal_id=terminal_id, lang="en")
        card = EMPTY if empty_card else VISA
        hold = self._psp.preauthorise(reference, quote["preauthorize_amount"], quote["currency"], card)
        if hold is None:
            return Tap("declined", reference, place)
        order = {
            "terminal_id": terminal_id,
            "connector_id": connector["id"],
            "quote_id": quote["quote_id"],
            "authorization_reference": reference,
            "authorized_amount": hold.amount,
            "currency": hold.currency,
            "card": {"scheme": card.scheme, "last4": card.last4},
        }
        return self.tap_again(Tap("", reference, place, order))

    def tap_again(self, tap: Tap) -> Tap:
        answer = self.post("sessions", tap.order, **{"Idempotency-Key": uuid.uuid4().hex})
        assert answer.status_code in (202, 409), answer.text
        return Tap({202: "accepted", 409: "refused"}[answer.status_code], tap.reference, tap.place, tap.order)

    def stop(self, tap: Tap, session_id: str) -> str:
        answer = self.post(f"sessions/{session_id}/stop")
        return {200: "accepted", 202: "accepted", 404: "unknown"}.get(answer.status_code, answer.text)

    def do_what_is_due(self) -> None:
        for due in self.get("settlements", status="due")["items"]:
            hold = self._psp.holds.get(due["authorization_reference"])
            if hold is None:
                continue
            if due["action"] == "RELEASE":
                self._psp.release(hold.reference)
                assert self.post(f"sessions/{due['id']}/release").status_code == 200
            elif self._fault != "confirm_never":
                self._capture(due, hold)
        for refund in self.get("refunds", status="due")["items"]:
            self._psp.refund(refund["authorization_reference"], refund["amount"], document=refund["id"])
            assert self.confirm_refund(refund["id"]).status_code == 200

    def _capture(self, due: Body, hold: Hold) -> None:
        if due["payment_status"] in ("PARTIALLY_CAPTURED", "CAPTURE_FAILED") and self._fault:
            return
        amount, status = due["amount"], "SUCCESS"
        if self._fault == "capture_fails":
            amount, status = "0.00", "FAILED"
        elif self._fault == "capture_part":
            amount, status = f"{Decimal(amount) / 2:.2f}", "PARTIAL_SUCCESS"
        if Decimal(amount):
            self._psp.capture(hold.reference, amount)
        self.confirm(due["id"], hold, status=status, amount=amount)
        if self._fault == "confirm_twice":
            self.confirm(due["id"], hold, status=status, amount=amount)

    def confirm(self, session_id: str, hold: Hold, **said: str) -> httpx.Response:
        """Tell what was captured."""
        body = {
            "confirmation_id": f"c-{hold.reference[5:]}-{said['status'][:1]}",
            "currency": hold.currency,
            "eft_data": slip(hold, terminal_id=self.terminal.terminal_id),
        }
        return self.post(f"sessions/{session_id}/capture", body | said)

    def confirm_refund(self, refund_id: str) -> httpx.Response:
        """Tell that money went back."""
        return self.post(f"refunds/{refund_id}/confirm")

    def bad_day(self, fault: str) -> None:
        self._fault = fault

    def good_day(self) -> None:
        self._fault = ""

    def psp(self) -> Psp:
        return self._psp

    def told_over(self, tap: Tap) -> str:
        for item in self.get("settlements", status="due")["items"]:
            if item["authorization_reference"] == tap.reference:
                return "COMPLETED" if item["action"] == "CAPTURE" else "INVALID"
        return ""

    def close(self) -> None:
        """Hang up."""
        self._http.close()


# --- OCPI -----------------------------------------------------------------------------------------


class OcpiDoor:
    """The PTP in the box over OCPI; its wheel is turned by the test."""

    def __init__(self, name: str, simulator: PtpSimulator) -> None:
        self.name = name
        self.simulator = simulator
        self.ptp = Ptp.objects.get(name=simulator.settings.name)

    def tap(self, place: Place, *, evse: int = 0, empty_card: bool = False) -> Tap:
        order = {
            "location_id": place.site.location_id,
            "evse_uid": place.evses[evse].uid,
            "connector_id": place.connectors[evse].connector_id,
        }
        card = "declined" if empty_card else "visa"
        made = self.simulator.tap(TapOrder(**order, card=card))
        return Tap(made.outcome, made.authorization_reference, place, order)

    def tap_again(self, tap: Tap) -> Tap:
        made = self.simulator.tap(TapOrder(**tap.order, reference=tap.reference))
        return Tap(made.outcome, made.authorization_reference, tap.place, tap.order)

    def stop(self, tap: Tap, session_id: str) -> str:
        answer = str(self.simulator.stop_session(session_id)["answer"])
        return {"ACCEPTED": "accepted", "UNKNOWN_SESSION": "unknown"}.get(answer, answer)

    def do_what_is_due(self) -> None:
        self.simulator.tick()

    def bad_day(self, fault: str) -> None:
        self.simulator.switch(Switch.parse(fault))

    def good_day(self) -> None:
        self.simulator.switches.reset()

    def psp(self) -> Psp:
        with self.simulator.memory.look() as state:
            return state.psp

    def told_over(self, tap: Tap) -> str:
        with self.simulator.memory.look() as state:
            start, session = state.starts[tap.reference], state.session_of(tap.reference)
        if session is not None and session["status"] in ("COMPLETED", "INVALID"):
            return str(session["status"])
        refused = start.answer not in ("", "ACCEPTED") or start.result not in ("", "ACCEPTED")
        return "REFUSED" if refused else ""

    def result(self, tap: Tap) -> str:
        """The CommandResult of its start."""
        with self.simulator.memory.look() as state:
            return state.starts[tap.reference].result

    def close(self) -> None:
        """It plays on for the next test, on a good day."""
        self.good_day()


def open_door(ground: Ground, name: str) -> NativeDoor | OcpiDoor:
    """Return a door by its name."""
    if name == NATIVE:
        return NativeDoor(ground)
    return OcpiDoor(name, ground.ptp(name.removeprefix("ocpi-")))


Turn = Callable[[], None]
