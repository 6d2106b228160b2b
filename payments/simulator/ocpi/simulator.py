"""The PTP in the box: a platform with its PSP that serves OCPI, settles what is due, and can be driven.

simulator = PtpSimulator(PtpSettings(version="2.3.0"), port=0, memory=Path("ptp.json"))
with simulator:
    simulator.register("http://127.0.0.1:8000/ocpi/versions", token_a)
    simulator.tap(TapOrder(location_id="L1", evse_uid="E1"))
"""

import logging
import threading
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from payments.simulator.ocpi.guard import Guard
from payments.simulator.ocpi.memory import Memory
from payments.simulator.ocpi.mirror import Mirror
from payments.simulator.ocpi.owner import Owner
from payments.simulator.ocpi.records import Records
from payments.simulator.ocpi.registration import HandshakeFailed, Registrar
from payments.simulator.ocpi.routes import add_routes
from payments.simulator.ocpi.settings import PtpSettings
from payments.simulator.ocpi.settling import Settler
from payments.simulator.ocpi.switches import Fault, Switch, Switchboard
from payments.simulator.ocpi.taps import Tap, TapOrder, Taps
from payments.simulator.ocpi.wire import Json, NoAnswer, NotOcpi, PeerServer

log = logging.getLogger(__name__)
EVENTS_REMEMBERED: Final = 1_000
Listener = Callable[[dict[str, Json]], None]


def _now() -> datetime:
    return datetime.now(UTC)


class PtpSimulator:
    """One platform. Use it as a context, or `start` and `stop`; without `start` it can be driven by hand."""

    def __init__(
        self,
        settings: PtpSettings | None = None,
        *,
        port: int = 0,
        host: str = "127.0.0.1",
        memory: Path | None = None,
        on_event: Listener | None = None,
        clock: Callable[[], datetime] = _now,
    ) -> None:
        self.settings = settings or PtpSettings()
        self.memory = Memory(memory)
        self.switches = Switchboard()
        self.events: deque[dict[str, Json]] = deque(maxlen=EVENTS_REMEMBERED)
        self.complaints: deque[str] = deque(maxlen=EVENTS_REMEMBERED)
        self._on_event = on_event
        guard = Guard(self.memory, self.switches)
        self.server = PeerServer(host=host, port=port, around=guard.around)
        self._wake = threading.Event()
        self._ended = threading.Event()
        self._looked_at = float("-inf")
        self._build(clock)
        add_routes(
            self.server, registrar=self.registrar, mirror=self.mirror, records=self.records, owner=self.owner
        )

    def _build(self, clock: Callable[[], datetime]) -> None:
        settings, memory = self.settings, self.memory
        self.mirror = Mirror(self.complain)
        self.registrar = Registrar(
            settings, memory, base_url=self.server.url, told=self._registration_changed
        )
        self.owner = Owner(settings, memory, registrar=self.registrar, wake=self._wake.set, emit=self.emit)
        self.records = Records(
            memory,
            cdrs_url=lambda: self.registrar.module_url("cdrs"),
            wake=self._wake.set,
            complain=self.complain,
            emit=self.emit,
        )
        self.settler = Settler(
            settings, memory, registrar=self.registrar, switches=self.switches, emit=self.emit, clock=clock
        )
        self.taps = Taps(
            settings,
            memory,
            mirror=self.mirror,
            registrar=self.registrar,
            switches=self.switches,
            emit=self.emit,
            clock=clock,
        )

    # --- Life -------------------------------------------------------------------------------------

    def start(self) -> None:
        """Serve, and do what is due from now on."""
        self.server.start()
        threading.Thread(target=self._run, daemon=True).start()

    def stop(self) -> None:
        """End; what must not be forgotten is in the memory."""
        self._ended.set()
        self._wake.set()
        self.server.stop()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        self.stop()

    def _run(self) -> None:
        while not self._ended.is_set():
            self._wake.wait(self.settings.tick_seconds)
            self._wake.clear()
            if self._ended.is_set() or not self.registrar.now.complete:
                continue
            try:
                self.tick()
            except Exception:  # the next tick must come, whatever this one met
                log.exception("a tick failed")

    def tick(self) -> None:
        """Do what is due once; a CPO that does not answer is asked again at the next."""
        with suppress(HandshakeFailed, NoAnswer):
            self.owner.tell_terminals()
        with suppress(HandshakeFailed):
            self.taps.repeat_unanswered()
        self.settler.settle_due()
        if time.monotonic() - self._looked_at >= self.settings.poll_seconds:
            self.look()

    # --- Acts -------------------------------------------------------------------------------------

    def register(self, versions_url: str, token: str) -> None:
        """Shake hands with a CPO and mirror it. Raises HandshakeFailed."""
        self.registrar.register(versions_url, token)
        self.look()

    def look(self) -> bool:
        """Poll locations and tariffs; False when the CPO did not answer well."""
        self._looked_at = time.monotonic()
        try:
            self.taps.look_again()
        except (HandshakeFailed, NoAnswer, NotOcpi) as trouble:
            self.emit("mirror_failed", problem=str(trouble))
            return False
        self.emit("mirrored", locations=len(self.mirror.locations), tariffs=len(self.mirror.tariffs))
        return True

    def catch_up(self, since: str = "2000-01-01T00:00:00Z") -> int:
        """Poll sessions and CDRs; return how many CDRs were new. Raises HandshakeFailed, NoAnswer, NotOcpi."""
        client = self.registrar.client()
        try:
            sessions, cdrs = (self.registrar.endpoint(f"{name} SENDER") for name in ("sessions", "cdrs"))
            return self.records.catch_up(client, sessions_url=sessions, cdrs_url=cdrs, since=since)
        finally:
            client.close()

    def tap(self, order: TapOrder) -> Tap:
        """Hold a card to a terminal."""
        tap = self.taps.tap(order)
        self._wake.set()
        return tap

    def stop_session(self, wanted: str) -> dict[str, Any]:
        """Press Stop for a session id or an authorization_reference. Raises HandshakeFailed."""
        return self.taps.stop(wanted)

    def switch(self, switch: Switch) -> None:
        """Let something go wrong from now on."""
        if switch.fault is Fault.DOWN:
            self.go_down(float(switch.value))
        else:
            self.switches.set(switch)
        self.emit("switched", fault=switch.fault.value, module=switch.module, times=switch.times)

    def go_down(self, seconds: float) -> None:
        """Refuse connections for some time."""
        threading.Thread(target=self._be_down, args=(seconds,), daemon=True).start()

    def _be_down(self, seconds: float) -> None:
        self.server.stop()
        self.emit("down", seconds=Decimal(str(seconds)))
        if not self._ended.wait(seconds):
            self.server.start()
            self.emit("up_again")

    # --- Told -------------------------------------------------------------------------------------

    def state(self) -> dict[str, Any]:
        """Return all that is known, as JSON values; tokens are left out."""
        with self.memory.look() as known:
            state = known.to_json()
        registration = state.pop("registration")
        tokens = {"invitation", "server_token", "pending_token", "client_token"}
        shown = {name: value for name, value in registration.items() if name not in tokens}
        return {
            "registered": self.registrar.now.complete,
            "registration": shown,
            **self.mirror.to_state(),
            **state,
            "switches": self.switches.to_state(),
            "complaints": list(self.complaints),
        }

    def emit(self, event: str, **facts: Json) -> None:
        """Tell that something happened."""
        said = {"event": event, **facts}
        self.events.append(said)
        if self._on_event:
            self._on_event(said)

    def complain(self, text: str) -> None:
        """Note what a strict peer would not like."""
        self.complaints.append(text)
        self.emit("complaint", text=text)

    def _registration_changed(self, how: str) -> None:
        self.emit(how, version=self.registrar.now.version)
        if how == "registered":
            self.owner.tell_all_again()
        # A look that was under way showed a token that is good no longer.
        self._looked_at = float("-inf")
        self._wake.set()
