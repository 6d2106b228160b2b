"""Drives a PTP in the box that runs as another process, through its control endpoints.

driver = PtpDriver("http://127.0.0.1:9123")
reference = driver.tap(location_id="L1", evse_uid="E1")["authorization_reference"]
driver.wait(lambda state: driver.session_of(state, reference), what="the session")
"""

import time
from collections.abc import Callable
from decimal import Decimal
from typing import Any, Final, TypeVar

import httpx

from payments import exact_json
from payments.simulator.ocpi.wire import Json, NotOcpi, read_json

PAUSE_SECONDS: Final = 0.1
PATIENCE_SECONDS: Final = 60.0  # a tap may wait for a CPO that does not answer
Found = TypeVar("Found")


class PtpTrouble(Exception):
    """The simulator refused an act, or is not there; the message says why."""


class PtpDriver:
    """One simulator from outside; `http` when the caller has a client already. Every method raises PtpTrouble."""

    def __init__(self, control_url: str, *, http: httpx.Client | None = None) -> None:
        self._url = control_url.rstrip("/")
        self._http = http or httpx.Client(timeout=PATIENCE_SECONDS, trust_env=False)

    def close(self) -> None:
        """Hang up."""
        self._http.close()

    def tap(self, **order: str | Decimal) -> dict[str, Json]:
        """Hold a card: `location_id`, `evse_uid`, and if wanted `connector_id`, `card` (visa, mastercard,
        declined), `amount`, `terminal_id`, `reference`. Returns outcome and authorization_reference."""
        return self._do("tap", order)

    def stop(self, session: str) -> dict[str, Json]:
        """Press Stop for a session id or an authorization_reference."""
        return self._do("stop", {"session": session})

    def switch(self, text: str = "", *, reset: bool = False) -> dict[str, Json]:
        """Turn a failure on, as in `http_error@cdrs=3:503`; `reset` turns the others off first."""
        return self._do("switch", {"switch": text or None, "reset": reset})

    def register(self, versions_url: str, token: str) -> dict[str, Json]:
        """Register at a CPO."""
        return self._do("register", {"versions_url": versions_url, "token": token})

    def invite(self) -> dict[str, Json]:
        """Return versions URL and token A for a CPO that registers here."""
        return self._do("register", {})

    def act(self, name: str, **body: str) -> dict[str, Json]:
        """Any other act: rotate, unregister, look, catch_up, settle_again, confirm_again, tick."""
        return self._do(name, body)

    def state(self) -> dict[str, Json]:
        """Return locations, tariffs, sessions, cdrs, starts, results, psp (holds, effects), confirmations,
        terminals, switches, complaints."""
        state: dict[str, Json] = self._read(self._http.get, "/control/state")
        return state

    def session_of(self, state: dict[str, Json], reference: str) -> dict[str, Json] | None:
        """The session of a tap."""
        return _of(state["sessions"], reference)

    def cdr_of(self, state: dict[str, Json], reference: str) -> dict[str, Json] | None:
        """The CDR of a tap."""
        return _of(state["cdrs"], reference)

    def effects(self, reference: str) -> list[str]:
        """What happened to the card of a tap, in order: hold, capture, release, refund."""
        return [kind for kind, owner in self.state()["psp"]["effects"] if owner == reference]

    def wait(
        self, look: Callable[[dict[str, Json]], Found | None], *, what: str, timeout_seconds: float = 40.0
    ) -> Found:
        """Look at the state again and again until `look` finds something."""
        deadline = time.monotonic() + timeout_seconds
        while time.monotonic() < deadline:
            if found := look(self.state()):
                return found
            time.sleep(PAUSE_SECONDS)
        raise PtpTrouble(f"waited {timeout_seconds:.0f} s in vain for {what}")

    def _do(self, name: str, body: dict[str, Any]) -> dict[str, Json]:
        content = exact_json.dumps(body).encode()
        headers = {"Content-Type": "application/json"}
        said: dict[str, Json] = self._read(
            self._http.post, f"/control/{name}", content=content, headers=headers
        )
        return said

    def _read(self, call: Callable[..., httpx.Response], path: str, **rest: Any) -> Json:
        try:
            answer = call(f"{self._url}{path}", **rest)
            said = read_json(answer.content)
        except (httpx.HTTPError, NotOcpi) as trouble:
            raise PtpTrouble(f"{path}: {trouble}") from trouble
        if answer.status_code != 200:
            raise PtpTrouble(f"{path}: {said.get('error', said)}")
        return said


def _of(objects: dict[str, dict[str, Json]], reference: str) -> dict[str, Json] | None:
    found = [each for each in objects.values() if each.get("authorization_reference") == reference]
    return next((each for each in found if not each.get("credit")), None)
