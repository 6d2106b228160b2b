"""The local control endpoints, by which tests, journeys and the terminal's page drive this PTP.

Plain JSON, no envelope; a refusal is `{"error": …}` with HTTP 400 or 409. They hold no secret and touch no
real card, and they answer JSON requests alone, so that a page of another site cannot press the buttons.
"""

from collections.abc import Callable
from dataclasses import asdict
from decimal import Decimal, InvalidOperation
from typing import Any, Final

from payments import exact_json
from payments.simulator.ocpi.amounts import number
from payments.simulator.ocpi.registration import HandshakeFailed
from payments.simulator.ocpi.simulator import PtpSimulator
from payments.simulator.ocpi.switches import BadSwitch, Switch
from payments.simulator.ocpi.taps import TapOrder
from payments.simulator.ocpi.wire import Json, NoAnswer, NotOcpi, PeerServer, Reply, Request

Body = dict[str, Json]
Act = Callable[[Body], Any]
_TEXTS: Final = ("location_id", "evse_uid", "connector_id", "card", "terminal_id", "reference")


class BadAct(ValueError):
    """The act cannot be read; the message says why."""


class Control:
    """Adds the control endpoints of a simulator to a server."""

    def __init__(self, simulator: PtpSimulator) -> None:
        self._simulator = simulator

    def add_to(self, server: PeerServer) -> None:
        """Answer below /control."""
        acts: dict[str, Act] = {
            "tap": self.tap,
            "stop": self.stop,
            "switch": self.switch,
            "register": self.register,
            "rotate": lambda _: self._simulator.registrar.rotate(),
            "unregister": lambda _: self._simulator.registrar.unregister(),
            "look": lambda _: {"ok": self._simulator.look()},
            "catch_up": lambda body: {"cdrs": self._simulator.catch_up(**_texts(body, "since"))},
            "settle_again": lambda body: self._simulator.settler.settle_again(_needed(body)),
            "confirm_again": lambda body: self._simulator.settler.confirm_again(_needed(body)),
            "tick": lambda _: self._simulator.tick(),
        }
        for name, act in acts.items():
            server.route("POST", f"/control/{name}", _door(act))
        server.route("GET", "/control/state", lambda _: _said(self._simulator.state()))
        server.route("GET", "/control/events", lambda _: _said(list(self._simulator.events)))

    def tap(self, body: Body) -> Body:
        """Hold a card to a terminal."""
        missing = [name for name in ("location_id", "evse_uid") if not body.get(name)]
        if missing:
            raise BadAct(f"missing: {', '.join(missing)}")
        amount = None if body.get("amount") in (None, "") else _amount(body["amount"])
        return asdict(self._simulator.tap(TapOrder(amount=amount, **_texts(body, *_TEXTS))))

    def stop(self, body: Body) -> Body:
        """Press Stop: `session` is the id of a Session or an authorization_reference."""
        return self._simulator.stop_session(_needed(body, "session"))

    def switch(self, body: Body) -> Body:
        """Turn a failure on, or with `reset` all of them off."""
        if body.get("reset"):
            self._simulator.switches.reset()
        if isinstance(body.get("switch"), str):
            self._simulator.switch(Switch.parse(body["switch"]))
        elif body.get("fault"):
            self._simulator.switch(Switch.of(body))
        return {"switches": self._simulator.switches.to_state()}

    def register(self, body: Body) -> Body:
        """Register at a CPO; without an address make token A, so that the CPO may register here."""
        registrar = self._simulator.registrar
        if not body.get("versions_url"):
            return {"versions_url": registrar.versions_url, "token_a": registrar.invite()}
        self._simulator.register(_needed(body, "versions_url"), _needed(body, "token"))
        return {"version": registrar.now.version}


def _door(act: Act) -> Callable[[Request], Reply]:
    def handle(request: Request) -> Reply:
        if not request.headers.get("Content-Type", "").startswith("application/json"):
            return _said({"error": "Content-Type: application/json is needed"}, 415)
        try:
            return _said(act(request.body if isinstance(request.body, dict) else {}) or {})
        except (BadAct, BadSwitch) as fault:
            return _said({"error": str(fault)}, 400)
        except (HandshakeFailed, NoAnswer, NotOcpi) as trouble:
            return _said({"error": str(trouble)}, 409)

    return handle


def _said(value: Json, http_status: int = 200) -> Reply:
    return Reply(raw=exact_json.dumps(value).encode(), http_status=http_status)


def _texts(body: Body, *names: str) -> dict[str, Any]:
    return {name: str(body[name]) for name in names if body.get(name) is not None}


def _needed(body: Body, name: str = "authorization_reference") -> str:
    value = body.get(name)
    if not isinstance(value, str) or not value:
        raise BadAct(f"missing: {name}")
    return value


def _amount(value: Json) -> Decimal:
    amount = number(_decimal(value) if isinstance(value, str) else value)
    if amount is None or not amount.is_finite() or amount <= 0:
        raise BadAct("`amount` is a number above zero")
    return amount


def _decimal(text: str) -> Decimal | None:
    try:
        return Decimal(text)
    except InvalidOperation:
        return None
