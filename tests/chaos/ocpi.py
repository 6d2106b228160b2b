"""The PTP over OCPI, driven by its control endpoints; what it does with money it tells at the end."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from decimal import Decimal
from typing import Any

import httpx

from payments.simulator.ocpi.wire import read_json
from tests.campaigns.witnesses import Card
from tests.chaos.lives import Life
from tests.chaos.network import OCPI, location_of

Body = dict[str, Any]
CALL_SECONDS = 60.0  # a tap asks three times before it says that it does not know
READY_SECONDS = 90.0
PAUSE_SECONDS = 0.5


class OcpiPtp:
    """A door like the native ones. A tap of which nothing is known goes on by itself in the PTP's process."""

    name = OCPI

    def __init__(self, control_port: int, *, complain: Callable[[str], None]) -> None:
        self._complain = complain
        self._http = httpx.AsyncClient(
            base_url=f"http://127.0.0.1:{control_port}/control/",
            timeout=CALL_SECONDS,
            limits=httpx.Limits(max_connections=60),
            trust_env=False,
        )

    async def wait_until_ready(self) -> None:
        """Wait until it has shaken hands. Raises TimeoutError."""
        async with asyncio.timeout(READY_SECONDS):
            while True:
                with suppress(httpx.TransportError):
                    if (await self.state())["registered"]:
                        return
                await asyncio.sleep(PAUSE_SECONDS)

    async def tap(self, life: Life) -> bool:
        """Hold a card to the terminal."""
        order = {
            "location_id": location_of(life.charger.number),
            "evse_uid": life.charger.identity,
            "connector_id": "1",
            "reference": life.reference,
        }
        answer = await self._act("tap", order)
        life.held = answer["outcome"] in ("accepted", "refused", "unknown")
        life.note(f"{answer['outcome']} {answer['message']}".strip())
        if answer["outcome"] in ("declined", "not_possible"):
            self._complain(f"tap of {life.reference}: {answer}")
        return answer["outcome"] in ("accepted", "unknown")

    async def stop(self, life: Life) -> None:
        """Press Stop."""
        answer = await self._act("stop", {"session": life.reference})
        life.note(f"stop: {answer.get('answer')}")

    async def switch(self, text: str) -> None:
        """Let something go wrong there, as in `http_error@cdrs=3:503`."""
        await self._act("switch", {"switch": text})

    async def reset(self) -> None:
        """Let all be well there."""
        await self._act("switch", {"reset": True})

    async def state(self) -> Body:
        """Return all that it knows."""
        answer = await self._http.get("state")
        state: Body = read_json(answer.content)
        return state

    async def _act(self, name: str, body: Body) -> Body:
        answer = await self._http.post(name, json=body)
        said: Body = read_json(answer.content)
        if answer.status_code != 200 and "error" in said:
            return {"outcome": "unknown", "message": said["error"], "answer": said["error"]}
        return said


def cards_of(state: Body) -> dict[str, Card]:
    """Return what happened to each card, by authorization_reference."""
    cards = {
        reference: Card(Decimal(hold["amount"]), [], Decimal(hold["captured"]))
        for reference, hold in state["psp"]["holds"].items()
    }
    for kind, reference in state["psp"]["effects"]:
        cards[reference].effects.append(kind)
    return cards
