"""What happens at the terminal: a card is held to it, a driver presses Stop.

The hold comes first and the START_SESSION after it. A START_SESSION that is not answered is sent again with
the same authorization_reference, for the CPO may have done it.
"""

import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, Final

from payments.simulator.ocpi.amounts import hold_of
from payments.simulator.ocpi.memory import Memory, Start
from payments.simulator.ocpi.mirror import Mirror, Place
from payments.simulator.ocpi.registration import HandshakeFailed, Registrar
from payments.simulator.ocpi.settings import PtpSettings
from payments.simulator.ocpi.switches import Fault, Switchboard
from payments.simulator.ocpi.wire import Answer, Json, NoAnswer, NotOcpi, OcpiClient, Party, utc_text
from payments.simulator.psp import EMPTY, MASTERCARD, VISA, Card

CARDS: Final = {"visa": VISA, "mastercard": MASTERCARD, "declined": EMPTY}
MAX_REFERENCE: Final = 36  # OCPI commands, StartSession.authorization_reference


class Refused(Exception):
    """The terminal cannot sell this; the message is the outcome."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TapOrder:
    """What the driver chose. `amount` overrides the tariff's hold; the same `reference` is the same tap."""

    location_id: str
    evse_uid: str
    connector_id: str = ""
    card: str = "visa"
    amount: Decimal | None = None
    terminal_id: str = ""
    reference: str = ""


@dataclass(frozen=True, slots=True)
class Tap:
    """What came of it: accepted, declined, refused, unknown (no answer yet), or why nothing was tried."""

    outcome: str
    authorization_reference: str = ""
    message: str = ""
    amount: str = ""
    currency: str = ""


class Taps:
    """The terminals' side of the platform."""

    def __init__(
        self,
        settings: PtpSettings,
        memory: Memory,
        *,
        mirror: Mirror,
        registrar: Registrar,
        switches: Switchboard,
        emit: Callable[..., None],
        clock: Callable[[], datetime],
    ) -> None:
        self._settings, self._memory, self._mirror, self._registrar = settings, memory, mirror, registrar
        self._switches, self._emit, self._clock = switches, emit, clock

    # --- Start ------------------------------------------------------------------------------------

    def tap(self, order: TapOrder) -> Tap:
        """Hold the amount on the card and ask for the session; a refusal drops the hold at the next tick."""
        try:
            start, card = self._agree(order)
        except (Refused, HandshakeFailed, NoAnswer, NotOcpi) as refusal:
            return Tap("not_possible", message=str(refusal))
        reference = start.reference
        with self._memory.changed() as state:
            hold = state.psp.preauthorise(reference, start.amount, start.currency, card)
            if hold is None:
                return Tap("declined", reference, "The card was declined.", start.amount, start.currency)
            start = state.starts.setdefault(reference, start)
        self._emit("held", reference=reference, amount=start.amount, currency=start.currency)
        attempts = self._settings.start_attempts
        while not self._ask(start) and (attempts := attempts - 1) > 0:
            continue
        if self._switches.take(Fault.START_TWICE, "commands"):
            self._ask(start)
        outcome = {"ACCEPTED": "accepted", "": "unknown"}.get(start.answer, "refused")
        self._emit("tap", reference=reference, outcome=outcome, message=start.message)
        return Tap(outcome, reference, start.message, start.amount, start.currency)

    def repeat_unanswered(self) -> None:
        """Send every START_SESSION again of which nothing is known, in its time."""
        now = utc_text(self._clock())
        with self._memory.look() as state:
            waiting = [
                start
                for start in state.starts.values()
                if not (start.answer or start.released_for or start.settled_by or start.repeat_at > now)
                and state.session_of(start.reference) is None
            ]
        for start in waiting:
            self._ask(start)

    def _agree(self, order: TapOrder) -> tuple[Start, Card]:
        """What is sold, for how much. Raises Refused, HandshakeFailed, NoAnswer, NotOcpi."""
        self._registrar.endpoint("commands RECEIVER")
        card = CARDS.get(order.card)
        if card is None:
            raise Refused(f"there is no card {order.card!r}")
        if self._switches.take(Fault.DECLINE):
            card = replace(card, declined=True)
        reference = order.reference or str(uuid.uuid4())
        if len(reference) > MAX_REFERENCE:
            raise Refused(f"a reference has at most {MAX_REFERENCE} characters")
        place = self._place(order)
        tariff = self._mirror.tariff_of(place, self._clock())
        if tariff is None:
            raise Refused("there is no tariff for a card payment")
        amount = order.amount or hold_of(tariff, self._registrar.now.version) or self._settings.default_hold
        if not amount or amount < 0:
            raise Refused("the tariff names no amount to hold")
        start = Start(
            reference=reference,
            location_id=order.location_id,
            country_code=str(place.location.get("country_code")),
            party_id=str(place.location.get("party_id")),
            evse_uid=order.evse_uid,
            connector_id=str(place.connector.get("id")),
            terminal_id=self._terminal(order.terminal_id),
            tariff_id=str(tariff.get("id")),
            amount=f"{amount:f}",
            currency=str(tariff.get("currency")),
            sent_at=utc_text(self._clock()),
            repeat_at=utc_text(self._clock() + timedelta(seconds=self._settings.call_seconds + 1)),
        )
        return start, card

    def _terminal(self, asked: str) -> str:
        with self._memory.look() as state:
            active = [each for each in state.terminals if each not in state.inactive_terminals]
        if not active or (asked and asked not in active):
            raise Refused("the terminal is not active")
        return asked or active[0]

    def _place(self, order: TapOrder) -> Place:
        """The connector in the mirror, asked for once more when it is not there."""
        for attempt in range(2):
            place = self._mirror.find(order.location_id, order.evse_uid, order.connector_id)
            if place and self._mirror.tariff_of(place, self._clock()):
                return place
            if not attempt:
                self.look_again()
        if place is None:
            raise Refused("there is no such connector")
        return place

    def look_again(self) -> None:
        """Poll locations and tariffs. Raises HandshakeFailed, NoAnswer, NotOcpi."""
        with self._client() as client:
            self._mirror.poll(
                client,
                locations_url=self._registrar.endpoint("locations SENDER"),
                tariffs_url=self._registrar.endpoint("tariffs SENDER"),
                page_size=self._settings.page_size,
            )

    def _ask(self, start: Start) -> bool:
        """Send START_SESSION; False when it is not known what came of it."""
        with self._memory.changed() as state:
            state.starts[start.reference].asked += 1
        with self._client(Party(start.country_code, start.party_id)) as client:
            answer = _post(client, self._command_url("START_SESSION"), self._start_session(start))
        word, message, timeout = _judged(answer)
        with self._memory.changed() as state:
            known = state.starts[start.reference]
            known.answer = known.answer or word
            known.message, known.timeout_seconds = message or known.message, timeout
            # Not while the next attempt of the tap itself may be under way.
            pause = max(self._settings.repeat_seconds, self._settings.call_seconds + 1)
            later = self._clock() + timedelta(seconds=pause)
            known.repeat_at = utc_text(later)
            start.answer, start.message = known.answer, known.message
        self._emit("start_session", reference=start.reference, answer=word or str(answer))
        return bool(word)

    def _start_session(self, start: Start) -> dict[str, Json]:
        party = self._settings.party
        token = {
            "country_code": party.country_code,
            "party_id": party.party_id,
            "uid": start.reference,
            "type": "AD_HOC_USER",
            "contract_id": start.reference,
            "issuer": self._settings.name,
            "valid": True,
            "whitelist": "NEVER",
            "last_updated": start.sent_at,
        }
        return {
            "response_url": self._registrar.module_url(f"commands/START_SESSION/{start.reference}"),
            "token": token,
            "location_id": start.location_id,
            "evse_uid": start.evse_uid,
            "connector_id": start.connector_id,
            "authorization_reference": start.reference,
        }

    # --- Stop -------------------------------------------------------------------------------------

    def stop(self, wanted: str) -> dict[str, Any]:
        """Send STOP_SESSION for a session id or an authorization_reference; return what was answered."""
        with self._memory.look() as state:
            found = [
                each
                for each in state.sessions.values()
                if wanted in (each.get("id"), each.get("authorization_reference"))
            ]
        session_id = str(found[-1]["id"]) if found else wanted
        to = Party(found[-1]["country_code"], found[-1]["party_id"]) if found else None
        reference = str(found[-1].get("authorization_reference")) if found else ""
        key = str(uuid.uuid4())
        body = {
            "response_url": self._registrar.module_url(f"commands/STOP_SESSION/{key}"),
            "session_id": session_id,
        }
        self._note_stop(reference, key)  # before it is sent: its result may overtake the answer
        times = 2 if self._switches.take(Fault.STOP_TWICE, "commands") else 1
        for _ in range(times):
            with self._client(to) as client:
                word, message, _timeout = _judged(_post(client, self._command_url("STOP_SESSION"), body))
        if word not in ("ACCEPTED", ""):
            self._note_stop(reference, "")
        self._emit("stop_session", session=session_id, answer=word)
        return {"session_id": session_id, "answer": word or "unknown", "message": message}

    def _note_stop(self, reference: str, key: str) -> None:
        with self._memory.changed() as state:
            if start := state.starts.get(reference):
                start.stopping = key

    def _command_url(self, command: str) -> str:
        return f"{self._registrar.endpoint('commands RECEIVER')}/{command}"

    @contextmanager
    def _client(self, to: Party | None = None) -> Iterator[OcpiClient]:
        client = self._registrar.client(to=to)
        try:
            yield client
        finally:
            client.close()


def _post(client: OcpiClient, url: str, body: dict[str, Json]) -> Answer | NoAnswer:
    try:
        return client.post(url, body)
    except NoAnswer as silence:
        return silence


def _judged(answer: Answer | NoAnswer) -> tuple[str, str, int]:
    """Return CommandResponse.result, what to show the driver, and its time-out in seconds.

    The result is "ERROR" for a refusal in HTTP or in the envelope, and empty when the CPO may have done it.
    """
    if isinstance(answer, NoAnswer):
        return "", str(answer), 0
    if answer.ok and isinstance(answer.data, dict) and isinstance(answer.data.get("result"), str):
        texts = answer.data.get("message") or []
        shown = [str(each.get("text", "")) for each in texts if isinstance(each, dict)]
        timeout = answer.data.get("timeout")
        return answer.data["result"], " / ".join(shown), timeout if isinstance(timeout, int) else 0
    is_fault_of_theirs = answer.http_status >= 500 or (answer.status_code or 0) // 1000 == 3
    refused = not is_fault_of_theirs and (answer.http_status >= 400 or answer.status_code is not None)
    return "ERROR" if refused else "", str(answer), 0
