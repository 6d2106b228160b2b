"""A PTP over OCPI: the one in the box, with its threads, behind the same door as the native ones."""

import asyncio
import re
from decimal import Decimal
from typing import Any

from payments.simulator.ocpi.settings import PtpSettings
from payments.simulator.ocpi.simulator import PtpSimulator
from payments.simulator.ocpi.taps import TapOrder
from payments.simulator.ocpi.wire import Party
from tests.campaigns.witnesses import Card
from tests.crash.lives import Life
from tests.crash.network import OCPI, OCPI_LOCATION, OCPI_PARTY, OCPI_TERMINAL, TOKEN_A

VERSION = "2.3.0"
PAUSE_SECONDS = 0.05
_REPEATED_RESULT = re.compile(r"CommandResult \d+ for \S+: (\w+), then \1")


class OcpiPtp:
    """Its acts run in threads, for it waits for answers as a program of its own would."""

    name = OCPI
    holds_what_it_likes = False  # the tariff names the hold

    def __init__(self, url: str) -> None:
        self._url = url
        self._lives: dict[str, Life] = {}
        self._loop = asyncio.get_running_loop()
        settings = PtpSettings(
            version=VERSION,
            party=Party(*OCPI_PARTY),
            terminals=(OCPI_TERMINAL,),
            tick_seconds=0.3,
            call_seconds=5.0,
            repeat_seconds=1.0,
            start_attempts=20,
        )
        self._ptp = PtpSimulator(settings, on_event=self._told)

    async def open(self) -> None:
        """Serve, and shake hands with a server that nobody kills yet. Raises HandshakeFailed."""
        self._ptp.start()
        await asyncio.to_thread(self._ptp.register, f"{self._url}/ocpi/versions", TOKEN_A)

    async def tap(self, life: Life) -> bool:
        """Hold the card and ask for the session; a refusal drops the hold at the PTP's next look."""
        self._lives[life.reference] = life
        order = TapOrder(location_id=OCPI_LOCATION, evse_uid=life.charger.identity, reference=life.reference)
        while True:
            tap = await asyncio.to_thread(self._ptp.tap, order)
            life.note(f"tap: {tap.outcome} {tap.message}")
            if tap.outcome != "not_possible":
                return tap.outcome != "refused"
            await asyncio.sleep(PAUSE_SECONDS)

    async def stop(self, life: Life) -> None:
        """Press Stop until that is accepted: before the Session has come, the PTP cannot name it."""
        while not life.settled.is_set():
            answer = await asyncio.to_thread(self._ptp.stop_session, life.reference)
            life.note(f"stop: {answer['answer']}")
            if answer["answer"] == "ACCEPTED":
                return
            await asyncio.sleep(PAUSE_SECONDS)

    def cards(self) -> dict[str, Card]:
        """Return what happened to each card."""
        with self._ptp.memory.look() as state:
            cards = {name: Card(Decimal(hold.amount), []) for name, hold in state.psp.holds.items()}
            for effect, reference in state.psp.effects:
                cards[reference].effects.append(effect)
            for name, hold in state.psp.holds.items():
                cards[name].captured = Decimal(hold.captured)
        return cards

    def complaints(self) -> list[str]:
        """Return what a strict peer does not like.

        A CommandResult whose answer was lost comes again, which OCPI has no way to prevent; it must say the same.
        """
        return [each for each in self._ptp.complaints if not _REPEATED_RESULT.fullmatch(each)]

    def close(self) -> None:
        """Hang up."""
        self._ptp.stop()

    def _told(self, event: dict[str, Any]) -> None:
        """Called in the PTP's threads."""
        life = self._lives.get(str(event.get("reference")))
        if life is None:
            return
        self._loop.call_soon_threadsafe(life.note, f"PTP: {event['event']}")
        if event["event"] == "released" or (event["event"] == "confirmation" and event["told"]):
            self._loop.call_soon_threadsafe(life.settled.set)
