"""One branch as it is played: a driver, a card at one of the doors, a charger."""

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any, TypeVar

from django.utils import timezone

from chargers.models import Command
from chargers.simulator.connector import iso
from chargers.simulator.options import Options
from payments.models import OcpiConnection, Payment
from payments.states import PaymentState
from sessions_app.models import CDR, Session
from sessions_app.states import SessionState
from tariffs.engine.terms import Dimension, PriceComponent, TariffElement
from tests import builders
from tests.branches.doors import NativeDoor, OcpiDoor, Tap, captured, effects
from tests.branches.ground import Ground, Place
from tests.chargers.parts import PASSWORD, RawCharger, RunningSimulator, connected, eventually

BILL = 500  # cents, of a charge by `World.charged`
KW_350 = 350_000.0
REGISTER_WH = 100_000
T = TypeVar("T")


class World:
    """What one test has at hand; everything it opened ends with it."""

    def __init__(self, ground: Ground, door: NativeDoor | OcpiDoor) -> None:
        self.ground = ground
        self.door = door
        self._open = ExitStack()

    def close(self) -> None:
        """Leave."""
        self._open.close()
        self.door.close()

    # --- Chargers

    def place(
        self, *, hold: str = "60.00", fee: str = "", evses: int = 1, max_power_w: int = 4_000_000
    ) -> Place:
        """A charger that sells at 0.50 EUR per kWh, and for a fee if there is one; it holds this much."""
        terms = builders.tariff_terms(preauthorize_amount=Decimal(hold))
        if fee:
            flat = PriceComponent(Dimension.FLAT, Decimal(fee), builders.VAT)
            terms = replace(terms, elements=(*terms.elements, TariffElement((flat,))))
        return self.ground.place(terms, evses=evses, max_power_w=max_power_w)

    def charger(self, place: Place, **options: Any) -> RunningSimulator:
        """The simulated charger of a place, connected and with its statuses told."""
        given = {
            "meter_interval_seconds": 0.2,
            "power_w": KW_350,
            "reconnect_seconds": 0.1,
            "plug_after_seconds": 0.05,
            "connectors": len(place.evses),
        }
        identity = place.station.identity
        made = RunningSimulator(
            Options(identity=identity, url=place.ocpp_url, password=PASSWORD, **(given | options))
        )
        self._open.enter_context(made)
        made.wait_for("status", times=len(place.evses))
        return made

    def raw(self, place: Place, status: str = "Available") -> RawCharger:
        """A charger that says just what the test says; booted, its first EVSE in this status."""
        charger = self._open.enter_context(connected(place.ocpp_url, place.station.identity))
        charger.call("BootNotification", {"chargePointVendor": "V", "chargePointModel": "M"})
        tell_status(charger, status)
        return charger

    # --- The driver

    def tap(self, place: Place, *, evse: int = 0) -> Tap:
        """A tap that is accepted."""
        tap = self.door.tap(place, evse=evse)
        assert tap.outcome == "accepted", tap
        return tap

    def charging(self, place: Place, *, beyond_wh: int = 20) -> Tap:
        """A tap, and energy flows."""
        tap = self.tap(place)
        self.until(lambda: self.session(tap).energy_wh > beyond_wh)
        return tap

    def charged(self) -> Tap:
        """A tap whose session charged for half a second, cost 5.00 EUR and has just ended; nobody was told yet.

        A battery of 40 Wh makes the bill a known one: 2 cents of energy and the fee. The worker stands still
        from the moment in which the cable is pulled: what follows is between us and the PTP.
        """
        place = self.place(fee="4.98")
        charger = self.charger(place, battery_wh=40.0)
        tap = self.tap(place)
        self.until(lambda: charger.station.connectors[1].battery_is_full)
        charger.do("unplug", 1)
        eventually(lambda: self.session(tap).state == SessionState.ENDED)
        assert charger.events("stopped")[0]["energy_wh"] == 40
        assert self.payment(tap).state == PaymentState.AUTHORIZED
        return tap

    def press_stop(self, tap: Tap) -> str:
        """Press Stop at the terminal."""
        return self.door.stop(tap, str(self.session(tap).pk))

    # --- Time

    def until(self, look: Callable[[], T]) -> T:
        """Let the worker and the PTP work until `look` finds something."""
        return self.ground.until(look, turning=self.door.do_what_is_due)

    def deadline_comes(self, row: Session | Payment) -> None:
        """Let the time pass until the row's deadline: hours, in most of these branches."""
        type(row).objects.filter(pk=row.pk).update(deadline_at=timezone.now() - timedelta(seconds=1))
        self.ground.worker.turn()

    # --- What came of it

    def payment(self, tap: Tap) -> Payment:
        """The payment as it stands."""
        return Payment.objects.select_related("session").get(
            ptp=self.door.ptp, authorization_reference=tap.reference
        )

    def session(self, tap: Tap) -> Session:
        """Its session."""
        session = self.payment(tap).session
        assert session is not None
        return session

    def ends(self, tap: Tap, session: SessionState, payment: PaymentState) -> Session:
        """Wait for this end of session and payment, and check that the card was touched once."""
        self.until(lambda: (self.session(tap).state, self.payment(tap).state) == (session, payment))
        wanted = {PaymentState.CAPTURED: ["hold", "capture"], PaymentState.RELEASED: ["hold", "release"]}
        if payment in wanted:
            assert effects(self.door, tap) == wanted[payment]
        return self.session(tap)

    def is_captured(self, tap: Tap) -> CDR:
        """Wait until it is charged, and check that what was captured is the bill, within the hold."""
        self.ends(tap, SessionState.ENDED, PaymentState.CAPTURED)
        payment, cdr = self.payment(tap), self.cdr(tap)
        assert captured(self.door, tap) == payment.captured_minor == cdr.total_incl_minor
        assert 0 < cdr.total_incl_minor <= payment.authorized_minor
        return cdr

    def is_released(self, tap: Tap, session: SessionState) -> None:
        """Wait until nothing was charged and the hold is gone."""
        self.ends(tap, session, PaymentState.RELEASED)
        assert not CDR.objects.filter(session=self.session(tap)).exists()

    def is_refused(self, tap: Tap, reason: str) -> None:
        """It was refused at once, no start was asked for, and the hold goes.

        The native door keeps such a tap as a session; over OCPI a REJECTED opens nothing that could be told of.
        """
        assert tap.outcome == "refused"
        self.until(lambda: effects(self.door, tap) == ["hold", "release"])
        if isinstance(self.door, NativeDoor):
            self.is_released(tap, SessionState.REJECTED)
            assert self.session(tap).refusal == reason
            assert self.remote_starts(tap) == 0
        else:
            assert not Payment.objects.filter(authorization_reference=tap.reference).exists()

    # --- What the PTP was told (None at the native door, which has no such word)

    def command_result(self, tap: Tap) -> str | None:
        """The CommandResult of the start, once it has come."""
        if isinstance(self.door, NativeDoor):
            return None
        door = self.door
        return self.until(lambda: door.result(tap))

    def session_as_told(self, tap: Tap) -> str | None:
        """The status of the Session object."""
        if isinstance(self.door, NativeDoor):
            return None
        door = self.door
        return self.until(lambda: door.told_over(tap))

    def evse_as_told(self, place: Place) -> str:
        """The status of the first EVSE, as a terminal shows it."""
        if isinstance(self.door, NativeDoor):
            return str(self.door.connector(place)["status"])
        assert self.door.simulator.look()
        found = self.door.simulator.mirror.find(place.site.location_id, place.evse.uid, "1")
        assert found is not None
        return str(found.evse["status"])

    def payment_connection(self) -> OcpiConnection:
        """Our side of the OCPI connection of this door."""
        return OcpiConnection.objects.get(ptp=self.door.ptp)

    def cdr(self, tap: Tap) -> CDR:
        """The bill: exactly one."""
        return CDR.objects.get(session=self.session(tap), credit_of=None)

    def remote_starts(self, tap: Tap) -> int:
        """How many start commands there were for it."""
        return Command.objects.filter(action="START", reference=str(self.session(tap).pk)).count()


# --- A charger's own words ------------------------------------------------------------------------


def tell_status(charger: RawCharger, status: str, connector: int = 1) -> None:
    """StatusNotification."""
    payload = {"connectorId": connector, "errorCode": "NoError", "status": status, "timestamp": now()}
    charger.call("StatusNotification", payload)


def accept(charger: RawCharger, action: str) -> dict[str, Any]:
    """Take the next command, which must be this one, say yes, and return its payload."""
    frame = charger.next_command()
    assert frame[2] == action, frame
    charger.send([3, frame[1], {"status": "Accepted"}])
    payload: dict[str, Any] = frame[3]
    return payload


def start(charger: RawCharger, id_tag: str, **more: Any) -> dict[str, Any]:
    """StartTransaction; returns the answer."""
    payload = {"connectorId": 1, "idTag": id_tag, "meterStart": REGISTER_WH, "timestamp": now()}
    answer: dict[str, Any] = charger.call("StartTransaction", payload | more)
    return answer


def meter(charger: RawCharger, transaction_id: int, energy_wh: int, **more: Any) -> None:
    """MeterValues: so much since the start."""
    value = {"value": str(REGISTER_WH + energy_wh), "unit": "Wh"}
    power = {"value": "350", "unit": "kW", "measurand": "Power.Active.Import"}
    payload = {
        "connectorId": 1,
        "transactionId": transaction_id,
        "meterValue": [{"timestamp": more.pop("timestamp", now()), "sampledValue": [value, power]}],
    }
    charger.call("MeterValues", payload | more)


def stop(charger: RawCharger, transaction_id: int, energy_wh: int, **more: Any) -> dict[str, Any]:
    """StopTransaction: so much in all."""
    payload = {
        "transactionId": transaction_id,
        "meterStop": REGISTER_WH + energy_wh,
        "timestamp": now(),
        "reason": "EVDisconnected",
    }
    answer: dict[str, Any] = charger.call("StopTransaction", payload | more)
    return answer


def now(*, minutes: float = 0) -> str:
    """The time as chargers write it, or so many minutes from now."""
    return iso(timezone.now() + timedelta(minutes=minutes))
