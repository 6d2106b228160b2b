"""The payment terminal and its PTP as a client of the native API: HTTP and nothing else."""

import json
import time
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import httpx

from emabler.journeys.errors import Mismatch

PAUSE_SECONDS = 0.2
RETRY_SECONDS = 15.0  # a server that is restarted is away for some seconds

Body = dict[str, Any]


class TerminalApi:
    """One terminal with its PTP's API key."""

    def __init__(self, base_url: str, *, api_key: str, terminal_id: str) -> None:
        headers = {"Authorization": f"Bearer {api_key}"}
        self._http = httpx.Client(base_url=f"{base_url}/api/ptp/v1/", headers=headers, timeout=20)
        self.terminal_id = terminal_id

    def close(self) -> None:
        """Hang up."""
        self._http.close()

    def connector(self, evse_uid: str) -> Body:
        """The one connector of that EVSE, as the terminal's list shows it."""
        found: list[Body] = self._get("connectors", terminal_id=self.terminal_id, lang="en")["items"]
        for item in found:
            if item["evse_uid"] == evse_uid:
                return item
        raise Mismatch(f"the terminal does not list EVSE {evse_uid}")

    def quote(self, connector_id: str) -> Body:
        """The binding price."""
        return self._get(f"connectors/{connector_id}/quote", terminal_id=self.terminal_id, lang="en")

    def start(self, body: Body, *, key: str) -> httpx.Response:
        """Ask for a session; the answer may be a refusal. Waits out an `in_progress`."""
        body = {"terminal_id": self.terminal_id, **body}
        deadline = time.monotonic() + RETRY_SECONDS
        while True:
            answer = self._http.post("sessions", json=body, headers={"Idempotency-Key": key})
            busy = answer.status_code == 409 and answer.json().get("code") == "in_progress"
            if not busy or time.monotonic() > deadline:
                return answer
            time.sleep(PAUSE_SECONDS)

    def session(self, session_id: str) -> Body:
        """How a session stands."""
        return self._get(f"sessions/{session_id}")

    def stop(self, session_id: str) -> httpx.Response:
        """Press Stop."""
        return self._http.post(f"sessions/{session_id}/stop")

    def due(self) -> list[Body]:
        """What waits to be captured or released."""
        items: list[Body] = self._get("settlements", status="due", terminal_id=self.terminal_id)["items"]
        return items

    def settlement(self, session_id: str) -> Body:
        """The final details of a session."""
        return self._get(f"sessions/{session_id}/settlement")

    def confirm_capture(self, session_id: str, body: Body) -> httpx.Response:
        """Tell what was captured."""
        return self._http.post(f"sessions/{session_id}/capture", json=body)

    def confirm_release(self, session_id: str) -> httpx.Response:
        """Tell that the hold was dropped."""
        return self._http.post(f"sessions/{session_id}/release")

    def receipts(self) -> list[Body]:
        """What the terminal's Receipt button shows."""
        items: list[Body] = self._get("receipts", terminal_id=self.terminal_id)["items"]
        return items

    def fetch(self, url: str) -> httpx.Response:
        """Open a page as the driver's telephone does: without a key."""
        return httpx.get(url, params={"lang": "en"} if not url.endswith((".pdf", ".svg")) else {}, timeout=20)

    def wait(self, look: Callable[[], Body | None], *, what: str, timeout_seconds: float = 40.0) -> Body:
        """Look again and again until there is something. Raises `Mismatch` when it does not come."""
        deadline = time.monotonic() + timeout_seconds
        while time.monotonic() < deadline:
            if (found := look()) is not None:
                return found
            time.sleep(PAUSE_SECONDS)
        raise Mismatch(f"waited {timeout_seconds:.0f} s in vain for {what}")

    def _get(self, path: str, **parameters: str) -> Body:
        """Read; a server that is away for a moment is asked again, as a real PTP would."""
        deadline = time.monotonic() + RETRY_SECONDS
        while True:
            try:
                answer = self._http.get(path, params=parameters)
                break
            except httpx.TransportError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(PAUSE_SECONDS)
        if answer.status_code != 200:
            raise Mismatch(f"GET {path} was answered {answer.status_code}: {answer.text[:300]}")
        body: Body = json.loads(answer.text, parse_float=Decimal)
        return body
