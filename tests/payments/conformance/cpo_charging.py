"""The commands of the scripted CPO, and the charge that a start leads to."""

import secrets
import threading
from copy import deepcopy
from decimal import Decimal
from typing import Any

from payments.conformance.rules import partners
from payments.conformance.rules.language import faults, is_url
from payments.simulator.ocpi.wire import Reply, Request, utc_text
from tests.payments.conformance import cpo_objects as objects
from tests.payments.conformance.cpo import Message, ScriptedCpo, refusal, same_host

Json = Any
TICK_SECONDS = 0.03
RETRIES = 5


def lay_commands(cpo: ScriptedCpo, version: str) -> None:
    desk = Desk(cpo, version)
    base = f"/ocpi/cpo/{version}/commands"
    cpo.server.route("POST", f"{base}/START_SESSION", desk.start)
    cpo.server.route("POST", f"{base}/STOP_SESSION", desk.stop)
    for name in ("UNLOCK_CONNECTOR", "RESERVE_NOW", "CANCEL_RESERVATION"):
        cpo.server.route("POST", f"{base}/{name}", lambda _: said("NOT_SUPPORTED"))


def said(result: str, *words: str) -> Reply:
    data: Json = {"result": result, "timeout": 30}
    if words:
        data["message"] = [{"language": "en", "text": text} for text in words]
    return Reply(data)


class Desk:
    """START_SESSION and STOP_SESSION of one version."""

    def __init__(self, cpo: ScriptedCpo, version: str) -> None:
        self.cpo, self.version = cpo, version
        self.known: dict[str, tuple[Json, Reply]] = {}  # by authorization_reference
        self.charges: dict[str, Charging] = {}

    def start(self, asked: Request) -> Reply:
        body = asked.body
        if problem := self._problem(body):
            return problem
        reference = body.get("authorization_reference") or secrets.token_hex(8)
        if reference in self.known and not self.cpo.has("starts again"):
            first, reply = self.known[reference]
            if self.cpo.has("changes its mind"):
                return said("NOT_SUPPORTED", "Hm.")
            same = first == body or self.cpo.has("does not compare")
            return reply if same else refusal("This reference means something else.")
        busy = any(c.start["evse_uid"] == body["evse_uid"] for c in self.charges.values() if not c.over)
        if busy and not self.cpo.has("starts busy EVSEs") and not self.cpo.has("starts again"):
            reply = said("REJECTED", "Another car is charging here.")
            self.known[reference] = (body, reply)
            return reply
        reply = said("ACCEPTED")
        self.known[reference] = (body, reply)
        charging = Charging(self.cpo, self.version, body)
        self.charges[charging.name] = charging
        self.cpo.begin(charging.run)
        return reply

    def _problem(self, body: Json) -> Reply | None:
        for name in ("response_url", "token", "location_id"):
            if name not in body:
                return refusal(f"{name} is required.")
        reference, url = body.get("authorization_reference", ""), body["response_url"]
        if not isinstance(reference, str) or len(reference) > 36 or not isinstance(body["location_id"], str):
            return refusal("A field has the wrong type or length.")
        if found := faults(partners.token(self.version), [("token", body["token"])]):
            return refusal(found[0])
        if not is_url(url) or not (same_host(url, self.cpo.client_url) or self._trusts(url)):
            return refusal("response_url is not yours.")
        owner = (body["token"]["country_code"], body["token"]["party_id"])
        partner = self.cpo.partner
        if (
            partner
            and owner != (partner.country_code, partner.party_id)
            and not self.cpo.has("bills strangers")
        ):
            return refusal("The token is not yours.")
        return self._nowhere(body)

    def _trusts(self, url: str) -> bool:
        return any(habit.startswith("trusts ") and habit[7:] in url for habit in self.cpo.habits)

    def _nowhere(self, body: Json) -> Reply | None:
        found = [item for item in self.cpo.locations if item["id"] == body["location_id"]]
        if not found:
            return refusal("There is no such location.", 2003)
        if "connector_id" in body and "evse_uid" not in body:
            if self.cpo.has("guesses EVSEs"):
                body["evse_uid"] = found[0]["evses"][0]["uid"]
            else:
                return refusal("connector_id needs evse_uid.")
        evses = [evse for evse in found[0]["evses"] if evse["uid"] == body.get("evse_uid")]
        if self.cpo.has("starts anywhere"):
            return None
        if not evses:
            return said("REJECTED", "There is no such EVSE.")
        if "connector_id" not in body:
            if not self.cpo.has("guesses connectors"):
                return refusal("connector_id is required here.")
            body["connector_id"] = "1"
        if body["connector_id"] not in [c["id"] for c in evses[0]["connectors"]]:
            return said("REJECTED", "There is no such connector.")
        return None

    def stop(self, asked: Request) -> Reply:
        body = asked.body
        if not isinstance(body.get("session_id"), str) or "response_url" not in body:
            return refusal("session_id and response_url are required.")
        charging = self.charges.get(body["session_id"])
        if charging is None:
            return said("UNKNOWN_SESSION", "There is no such session.")
        if charging.over:
            return (
                said("REJECTED", "The session is over.")
                if not self.cpo.has("stops again")
                else said("ACCEPTED")
            )
        self.cpo.begin(charging.end, body["response_url"])
        return said("ACCEPTED")


class Charging:
    """One charge in a thread of its own."""

    def __init__(self, cpo: ScriptedCpo, version: str, start: Json) -> None:
        self.cpo, self.version, self.start = cpo, version, start
        self.name = f"S-{secrets.token_hex(8)}"
        self.over = False
        self.stopping = threading.Event()
        self.session = objects.session(version, self.name, start, utc_text())

    @property
    def path(self) -> str:
        return f"/{objects.CPO.country_code}/{objects.CPO.party_id}/{self.name}"

    def end(self, response_url: str) -> None:
        self._result(response_url, "STOP_SESSION")
        self.stopping.set()

    def _result(self, url: str, command: str) -> None:
        self.cpo.send(Message("POST", f"commands {command}", url, {"result": "ACCEPTED"}))

    def run(self) -> None:
        """Charge until it is stopped, and bill it; or until the CPO closes, which ends it as it stands."""
        self._pause()
        self._tell_all()
        self._result(self.start["response_url"], "START_SESSION")
        self.cpo.sessions[self.version].append(self.session)
        self._put()
        self.cpo.touch(self.start["evse_uid"], "CHARGING")
        self._pause()
        self._change(status="ACTIVE", start_date_time=utc_text())
        self._put()
        kwh = Decimal(0)
        while not self.stopping.wait(TICK_SECONDS):
            if self.cpo.closed.is_set():
                return
            kwh += Decimal("0.25")
            self._change(kwh=kwh, total_cost=self._cost(kwh))
            self._patch("kwh", "total_cost")
        self._finish(kwh)

    def _tell_all(self) -> None:
        """Push tariffs and sites, whole."""
        for module, items in (("tariffs", self.cpo.tariffs[self.version]), ("locations", self.cpo.locations)):
            for item in items:
                path = f"/{item['country_code']}/{item['party_id']}/{item['id']}"
                self.cpo.push("PUT", module, path, deepcopy(item))

    def _cost(self, kwh: Decimal) -> Json:
        return objects.price(self.version, (kwh * objects.PER_KWH).quantize(Decimal("0.01")))

    def _finish(self, kwh: Decimal) -> None:
        period = {
            "start_date_time": self.session["start_date_time"],
            "dimensions": [{"type": "ENERGY", "volume": kwh}],
            "tariff_id": "T-AC",
        }
        now = utc_text()
        self._change(
            status="COMPLETED", end_date_time=now, charging_periods=[period], total_cost=self._cost(kwh)
        )
        location = next(item for item in self.cpo.locations if item["id"] == self.start["location_id"])
        cdr = objects.cdr(self.version, deepcopy(self.session), location)
        self.over = True
        self.cpo.cdrs[self.version].append(cdr)
        self._put()
        self.cpo.touch(self.start["evse_uid"], "AVAILABLE")
        for _ in range(1 if self.cpo.has("tries once") else RETRIES):
            if self.cpo.push("POST", "cdrs", "", deepcopy(cdr)) or self._pause():
                return

    def _pause(self) -> bool:
        """Wait a moment; whether the CPO was closed meanwhile."""
        return self.cpo.closed.wait(TICK_SECONDS)

    def _change(self, **fields: Json) -> None:
        self.session |= {**fields, "last_updated": utc_text()}

    def _put(self) -> None:
        self.cpo.push("PUT", "sessions", self.path, deepcopy(self.session))

    def _patch(self, *names: str) -> None:
        body = {name: self.session[name] for name in (*names, "last_updated")}
        self.cpo.push("PATCH", "sessions", self.path, body)
