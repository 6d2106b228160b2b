"""PTPs over the native API: one acts on webhooks and never asks, the other asks and has no webhook."""

import asyncio
import json
import random
import uuid
from collections.abc import Callable
from contextlib import suppress
from decimal import Decimal
from typing import Any

import httpx

from tests.campaigns.witnesses import Psp
from tests.crash.lives import Life
from tests.crash.network import SETTLES_BY, api_key

Body = dict[str, Any]
CALL_SECONDS = 20.0
PAUSE_SECONDS = 0.03
POLL_SECONDS = 1.0
CURRENCY = "EUR"


class NativePtp:
    """One PTP's side of the native API; it asks again until it is answered. `complain` hears what is wrong."""

    holds_what_it_likes = True

    def __init__(self, name: str, url: str, psp: Psp, *, complain: Callable[[str], None]) -> None:
        self.name = name
        self.slow_share, self.slow_seconds = 0.0, (2.0, 4.0)  # of captures that it tells long after the deed
        self._psp, self._complain = psp, complain
        self._terminal = SETTLES_BY[name]
        self._lives: dict[str, Life] = {}  # by authorization_reference
        self._connectors: dict[str, str] = {}  # public id by EVSE
        self._http = httpx.AsyncClient(
            base_url=f"{url}/api/ptp/v1/",
            headers={"Authorization": f"Bearer {api_key(name)}"},
            timeout=CALL_SECONDS,
            trust_env=False,
        )

    # --- At the terminal --------------------------------------------------------------------------

    async def tap(self, life: Life) -> bool:
        """Show the price, hold the card, ask for the session."""
        connector = await self._connector(life.charger.identity)
        quote = await self._ask(
            "GET", f"connectors/{connector}/quote", params={"terminal_id": self._terminal}
        )
        amount = life.hold or Decimal(quote["preauthorize_amount"])
        self._psp.hold(life.reference, amount)
        self._lives[life.reference] = life
        body = {
            "terminal_id": self._terminal,
            "connector_id": connector,
            "quote_id": quote["quote_id"],
            "authorization_reference": life.reference,
            "authorized_amount": f"{amount:.2f}",
            "currency": CURRENCY,
            "card": {"scheme": "VISA", "last4": "4242"},
        }
        answer = await self._call("POST", "sessions", json=body, headers={"Idempotency-Key": life.reference})
        told = answer.json()
        if answer.status_code == 202:
            life.session_id = told["id"]
            life.note(f"session {life.session_id}")
            return True
        if told.get("code") == "connector_unavailable":
            life.session_id = told["session_id"]
            life.note(f"refused: {told.get('reason')}")
            await self.obey(
                {"id": life.session_id, "action": "RELEASE", "authorization_reference": life.reference}
            )
            return False
        self._complain(f"start of {life.reference} was answered {answer.status_code}: {answer.text[:200]}")
        return False

    async def stop(self, life: Life) -> None:
        """Press Stop."""
        life.note("presses stop")
        await self._ask("POST", f"sessions/{life.session_id}/stop")

    # --- Settlement -------------------------------------------------------------------------------

    async def obey(self, settlement: Body) -> None:
        """Do at the PSP what a settlement says, under the key it bears, and tell it until that is heard."""
        reference = settlement["authorization_reference"]
        if settlement["action"] == "CAPTURE":
            key = settlement["cdr"]["id"]
            self._psp.capture(reference, Decimal(settlement["amount"]), key=key)
            report = {
                "confirmation_id": str(uuid.uuid5(uuid.NAMESPACE_OID, f"capture:{key}")),
                "status": "SUCCESS",
                "amount": settlement["amount"],
                "currency": CURRENCY,
                "eft_data": ["VISA CREDIT CONTACTLESS"],
            }
            if random.random() < self.slow_share:
                await asyncio.sleep(random.uniform(*self.slow_seconds))
            await self._ask("POST", f"sessions/{settlement['id']}/capture", json=report)
        else:
            self._psp.release(reference, key=settlement["id"])
            await self._ask("POST", f"sessions/{settlement['id']}/release")
        self._lives[reference].settled.set()

    async def poll(self) -> None:
        """Ask again and again what is due, and obey."""
        while True:
            await asyncio.sleep(POLL_SECONDS)
            due = await self._ask("GET", "settlements", params={"status": "due"})
            for settlement in due["items"]:
                await self.obey(settlement)

    # --- HTTP -------------------------------------------------------------------------------------

    async def _connector(self, evse_uid: str) -> str:
        if not self._connectors:
            listed = await self._ask("GET", "connectors", params={"terminal_id": self._terminal})
            self._connectors = {item["evse_uid"]: item["id"] for item in listed["items"]}
        return self._connectors[evse_uid]

    async def _ask(self, method: str, path: str, **more: Any) -> Body:
        """Return an answer that must be a good one."""
        answer = await self._call(method, path, **more)
        if answer.status_code >= 300:
            self._complain(f"{method} {path} was answered {answer.status_code}: {answer.text[:200]}")
        told: Body = answer.json()
        return told

    async def _call(self, method: str, path: str, **more: Any) -> httpx.Response:
        """Ask until there is an answer: a server that dies is there again in a moment."""
        while True:
            with suppress(httpx.HTTPError):
                answer = await self._http.request(method, path, **more)
                if answer.status_code >= 500:
                    self._complain(f"{method} {path} was answered {answer.status_code}: {answer.text[:200]}")
                elif not (answer.status_code == 409 and answer.json().get("code") == "in_progress"):
                    return answer
            await asyncio.sleep(PAUSE_SECONDS)

    async def close(self) -> None:
        """Hang up."""
        await self._http.aclose()


class WebhookEar:
    """The listening PTP's web server. Now and then, if `faulty`, an answer is lost or a fault, after the deed."""

    LOST, FAULT = 0.03, 0.02  # shares

    def __init__(self, ptp: NativePtp, rng: random.Random, *, faulty: bool) -> None:
        self._ptp, self._rng, self._faulty = ptp, rng, faulty
        self._tasks: set[asyncio.Task[None]] = set()
        self.url = ""

    async def start(self) -> None:
        """Listen on a free port of the loopback."""
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/webhook"

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError, asyncio.IncompleteReadError):
            head = (await reader.readuntil(b"\r\n\r\n")).lower()
            length = int(head.partition(b"content-length:")[2].partition(b"\r\n")[0])
            event = json.loads(await reader.readexactly(length))
            if event["event"] == "settlement.due":
                task = asyncio.get_running_loop().create_task(self._ptp.obey(event["data"]))
                self._tasks.add(task)
                task.add_done_callback(self._tasks.discard)
            drawn = self._rng.random() if self._faulty else 1.0
            if drawn >= self.LOST:
                status = b"500 Oops" if drawn < self.LOST + self.FAULT else b"204 No Content"
                writer.write(b"HTTP/1.1 " + status + b"\r\nConnection: close\r\nContent-Length: 0\r\n\r\n")
                await writer.drain()
        writer.close()
