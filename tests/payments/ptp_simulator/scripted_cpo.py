"""A tiny CPO on the other side of the wire: it answers as it is told and remembers what came."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from payments.simulator.ocpi.simulator import PtpSimulator
from payments.simulator.ocpi.wire import (
    Answer,
    Json,
    OcpiClient,
    Party,
    PeerServer,
    Reply,
    Request,
    paged,
)

AT = "2026-01-31T12:00:00Z"
TOKEN_A = "token-a"
MODULES = {
    "credentials": "RECEIVER",
    "locations": "SENDER",
    "tariffs": "SENDER",
    "sessions": "SENDER",
    "cdrs": "SENDER",
    "commands": "RECEIVER",
    "tokens": "RECEIVER",
    "payments": "RECEIVER",
}


def owned(**fields: Json) -> dict[str, Json]:
    return {"country_code": "FI", "party_id": "CPO", "last_updated": AT, **fields}


def tariff(version: str = "2.3.0", amount: str = "50.00", **more: Json) -> dict[str, Json]:
    hold: dict[str, Json] = {"preauthorize_amount": Decimal(amount), "tax_included": "YES"}
    if version == "2.2.1":
        hold = {"max_price": {"excl_vat": Decimal("39.84"), "incl_vat": Decimal(amount)}}
    component = {"type": "ENERGY", "price": Decimal("0.59"), "vat": Decimal("25.5"), "step_size": 1}
    elements = [{"price_components": [component]}]
    return owned(id="T1", currency="EUR", type="AD_HOC_PAYMENT", elements=elements, **hold) | more


def location(location_id: str = "L1") -> dict[str, Json]:
    connector = {"id": "1", "standard": "IEC_62196_T2_COMBO", "tariff_ids": ["T1"], "last_updated": AT}
    evse = {"uid": "E1", "status": "AVAILABLE", "connectors": [connector], "last_updated": AT}
    return owned(id=location_id, name="Harbour", evses=[evse])


def price(version: str, excl: str, incl: str) -> dict[str, Json]:
    if version == "2.2.1":
        return {"excl_vat": Decimal(excl), "incl_vat": Decimal(incl)}
    tax = Decimal(incl) - Decimal(excl)
    return {"before_taxes": Decimal(excl), "taxes": [{"name": "VAT", "amount": tax}] if tax else []}


@dataclass
class ScriptedCpo:
    """`answers` are used up by commands one by one (a CommandResponse, or a Reply), then all are accepted."""

    server: PeerServer
    version: str = "2.3.0"
    server_token: str = ""
    client_token: str = ""
    locations: list[Json] = field(default_factory=lambda: [location()])
    tariffs: list[Json] = field(default_factory=list)
    sessions: list[Json] = field(default_factory=list)
    cdrs: list[Json] = field(default_factory=list)
    commands: list[Json] = field(default_factory=list)
    confirmations: list[Json] = field(default_factory=list)
    terminals: list[Json] = field(default_factory=list)
    answers: list[Any] = field(default_factory=list)
    terminal_answers: list[Reply] = field(default_factory=list)
    confirmation_answers: list[Reply] = field(default_factory=list)
    callback: list[Answer] = field(default_factory=list)  # of the peer's versions, while it waits for us

    @property
    def versions_url(self) -> str:
        return f"{self.server.url}/ocpi/versions"

    def routes(self) -> None:
        self.tariffs = self.tariffs or [tariff(self.version)]
        base = f"/ocpi/cpo/{self.version}"
        url = f"{self.server.url}{base}"
        endpoints = [{"identifier": k, "role": v, "url": f"{url}/{k}"} for k, v in MODULES.items()]
        detail_url = f"{self.server.url}/ocpi/{self.version}"
        route = self.server.route
        route("GET", "/ocpi/versions", lambda _: Reply([{"version": self.version, "url": detail_url}]))
        details = {"version": self.version, "endpoints": endpoints}
        route("GET", f"/ocpi/{self.version}", lambda _: Reply(details))
        for method in ("POST", "PUT"):
            route(method, f"{base}/credentials", self.credentials)
        route("DELETE", f"{base}/credentials", lambda _: Reply())
        for name in ("locations", "tariffs", "sessions", "cdrs"):
            route("GET", f"{base}/{name}", self._list(name, f"{url}/{name}"))
        route("POST", f"{base}/commands/{{command}}", self.command)
        route("POST", f"{base}/payments/terminals", self.terminal)
        route("POST", f"{base}/payments/financial-advice-confirmations", self.confirmation)

    def _list(self, name: str, url: str) -> Any:
        return lambda request: paged(getattr(self, name), request, url=url, most=2)

    def credentials(self, request: Request) -> Reply:
        self.client_token = request.body["token"]
        self.callback.append(self.client().call("GET", request.body["url"], routed=False))
        self.server_token = f"token-c-{len(self.callback)}"
        role = {"role": "CPO", "country_code": "FI", "party_id": "CPO", "business_details": {"name": "CPO"}}
        return Reply({"token": self.server_token, "url": self.versions_url, "roles": [role]})

    def command(self, request: Request) -> Reply:
        self.commands.append({"command": request.parts["command"], **request.body})
        said = self.answers.pop(0) if self.answers else "ACCEPTED"
        return said if isinstance(said, Reply) else Reply({"result": said, "timeout": 30})

    def terminal(self, request: Request) -> Reply:
        self.terminals.append(request.body)
        return self.terminal_answers.pop(0) if self.terminal_answers else Reply(http_status=201)

    def confirmation(self, request: Request) -> Reply:
        self.confirmations.append(request.body)
        return self.confirmation_answers.pop(0) if self.confirmation_answers else Reply(http_status=201)

    # --- What it tells the PTP --------------------------------------------------------------------

    def client(self) -> OcpiClient:
        return OcpiClient(self.client_token, sender=Party("FI", "CPO"), receiver=Party("DE", "PTP"))

    def url(self, ptp: PtpSimulator, path: str) -> str:
        return f"{ptp.server.url}/ocpi/ptp/{self.version}/{path}"

    def push_session(self, ptp: PtpSimulator, reference: str, status: str, **more: Json) -> Answer:
        session = owned(id=f"S-{reference}", status=status, kwh=Decimal("0"), currency="EUR")
        session |= {"authorization_reference": reference, **more}
        return self.client().put(self.url(ptp, f"sessions/FI/CPO/S-{reference}"), session)

    def push_result(self, reference: str, result: str) -> Answer:
        start = next(each for each in self.commands if each.get("authorization_reference") == reference)
        return self.client().post(start["response_url"], {"result": result})

    def push_cdr(self, ptp: PtpSimulator, reference: str, excl: str, incl: str, **more: Json) -> Answer:
        return self.client().post(self.url(ptp, "cdrs"), self.cdr(reference, excl, incl, **more))

    def cdr(self, reference: str, excl: str, incl: str, **more: Json) -> dict[str, Json]:
        total = {"total_cost": price(self.version, excl, incl)}
        return (
            owned(id=f"C-{reference}"[:36], currency="EUR", authorization_reference=reference, **total) | more
        )


@contextmanager
def scripted_cpo(version: str = "2.3.0") -> Iterator[ScriptedCpo]:
    """Serve one until the block ends."""
    with PeerServer() as server:
        cpo = ScriptedCpo(server, version)
        cpo.routes()
        yield cpo
