"""PTPs over the native API: one acts on webhooks and never asks, the other asks and has no webhook."""

import asyncio
import json
import uuid
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from decimal import Decimal
from typing import Any

import httpx

from tests.campaigns.witnesses import Psp
from tests.chaos.lives import Life
from tests.chaos.network import TERMINALS, api_key

Body = dict[str, Any]
CALL_SECONDS = 20.0
PAUSE_SECONDS = 0.5
POLL_SECONDS = 5.0
CURRENCY = "EUR"
NEWER_QUOTE = frozenset({"quote_expired", "unknown_quote"})


class NativePtp:
    """One PTP's side of the native API; it asks again until it is answered. `complain` hears what is wrong."""

    def __init__(self, name: str, url: str, psp: Psp, *, complain: Callable[[str], None]) -> None:
        self.name = name
        self.down = False  # nobody is there: it neither asks nor answers
        self.statuses: Counter[int] = Counter()  # of all answers
        self._psp, self._complain = psp, complain
        self._terminal = TERMINALS[name]
        self._connectors: dict[str, str] = {}  # public id by EVSE
        self._http = httpx.AsyncClient(
            base_url=f"{url}/api/ptp/v1/",
            headers={"Authorization": f"Bearer {api_key(name)}"},
            timeout=CALL_SECONDS,
            limits=httpx.Limits(max_connections=50, max_keepalive_connections=20),
            trust_env=False,
        )

    # --- At the terminal --------------------------------------------------------------------------

    async def tap(self, life: Life) -> bool:
        """Show the price, hold the card, ask for the session."""
        while True:
            answer = await self._start(life)
            told = answer.json()
            life.session_id = told.get("id") or told.get("session_id") or ""
            if answer.status_code == 202:
                life.note(f"session {life.session_id}")
                return True
            if told.get("code") == "connector_unavailable":
                life.note(f"refused: {told.get('reason')}")
                settlement = {"id": life.session_id, "action": "RELEASE"}
                await self.obey({**settlement, "authorization_reference": life.reference})
                return False
            if told.get("code") not in NEWER_QUOTE:
                self._complain(f"start of {life.reference}: {answer.status_code} {answer.text[:200]}")
                return False

    async def _start(self, life: Life) -> httpx.Response:
        connector = self._connectors[life.charger.identity]
        path, query = f"connectors/{connector}/quote", {"terminal_id": self._terminal}
        quote = await self._ask("GET", path, params=query)
        self._psp.hold(life.reference, Decimal(quote["preauthorize_amount"]))
        life.held = True
        body = {
            "terminal_id": self._terminal,
            "connector_id": connector,
            "quote_id": quote["quote_id"],
            "authorization_reference": life.reference,
            "authorized_amount": quote["preauthorize_amount"],
            "currency": CURRENCY,
            "card": {"scheme": "VISA", "last4": "4242"},
        }
        return await self._call("POST", "sessions", json=body, headers={"Idempotency-Key": life.reference})

    async def stop(self, life: Life) -> None:
        """Press Stop."""
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
            await self._ask("POST", f"sessions/{settlement['id']}/capture", json=report)
        else:
            self._psp.release(reference, key=settlement["id"])
            await self._ask("POST", f"sessions/{settlement['id']}/release")

    async def poll(self) -> None:
        """Ask again and again what is due, and obey."""
        while True:
            await asyncio.sleep(POLL_SECONDS)
            for settlement in await self._list("settlements?status=due"):
                await self.obey(settlement)

    # --- HTTP -------------------------------------------------------------------------------------

    async def look(self) -> None:
        """Learn which connectors there are."""
        listed = await self._list(f"connectors?terminal_id={self._terminal}")
        self._connectors = {item["evse_uid"]: item["id"] for item in listed}

    async def _list(self, path: str) -> list[Body]:
        page = await self._ask("GET", path)
        items: list[Body] = page["items"]
        while page["next"]:
            page = await self._ask("GET", page["next"])
            items += page["items"]
        return items

    async def _ask(self, method: str, path: str, **more: Any) -> Body:
        """Return an answer that must be a good one."""
        answer = await self._call(method, path, **more)
        if answer.status_code >= 300:
            self._complain(f"{method} {path} was answered {answer.status_code}: {answer.text[:200]}")
        told: Body = answer.json()
        return told

    async def _call(self, method: str, path: str, **more: Any) -> httpx.Response:
        """Ask until there is an answer that is not "later"."""
        while True:
            with suppress(httpx.HTTPError):
                while self.down:
                    await asyncio.sleep(PAUSE_SECONDS)
                answer = await self._http.request(method, path, **more)
                self.statuses[answer.status_code] += 1
                if answer.status_code == 500:
                    self._complain(f"{method} {path} was answered 500: {answer.text[:200]}")
                elif answer.status_code != 503 and not _is_in_progress(answer):
                    return answer
            await asyncio.sleep(PAUSE_SECONDS)


def _is_in_progress(answer: httpx.Response) -> bool:
    return answer.status_code == 409 and bool(answer.json().get("code") == "in_progress")


class WebhookEar:
    """The listening PTP's web server, which can be down."""

    def __init__(self) -> None:
        self._ptp: NativePtp | None = None
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._port = 0
        self.heard = 0
        self.fails = False  # it answers HTTP 500 and does nothing

    async def open(self) -> str:
        """Listen, on the same port each time; return the address."""
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self._port)
        self._port = self._server.sockets[0].getsockname()[1]
        return f"http://127.0.0.1:{self._port}/webhook"

    def close(self) -> None:
        """Refuse connections."""
        if self._server is not None:
            self._server.close()

    def tell(self, ptp: NativePtp) -> None:
        """Let this PTP hear what comes from now on."""
        self._ptp = ptp

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError, asyncio.IncompleteReadError):
            head = (await reader.readuntil(b"\r\n\r\n")).lower()
            length = int(head.partition(b"content-length:")[2].partition(b"\r\n")[0])
            event = json.loads(await reader.readexactly(length))
            self.heard += 1
            status = b"500 Internal Server Error" if self.fails else b"204 No Content"
            if event["event"] == "settlement.due" and self._ptp is not None and not self.fails:
                task = asyncio.get_running_loop().create_task(self._ptp.obey(event["data"]))
                self._tasks.add(task)
                task.add_done_callback(self._tasks.discard)
            writer.write(b"HTTP/1.1 %b\r\nConnection: close\r\nContent-Length: 0\r\n\r\n" % status)
            await writer.drain()
        writer.close()
