"""A PTP's platform that only reads: registered, with a token, asking us over HTTP."""

import re
from dataclasses import dataclass, field
from typing import Any

from django.test import Client
from django.utils import timezone

from payments import exact_json
from payments.models import Contract, OcpiConnection, Ptp
from payments.ocpi import connections
from tests import builders


@dataclass
class Answer:
    """What came back: the HTTP status, OCPI's, the data and the headers."""

    http_status: int
    status: int
    data: Any
    headers: dict[str, str]

    @property
    def total(self) -> int:
        return int(self.headers["X-Total-Count"])

    @property
    def next_path(self) -> str:
        """Path and query of the next page, "" on the last."""
        found = re.fullmatch(r'<http://testserver(.*)>; rel="next"', self.headers.get("Link", ""))
        return found.group(1) if found else ""

    def by(self, name: str) -> dict[str, Any]:
        """The objects of a list by one of their fields."""
        return {each[name]: each for each in self.data}


@dataclass
class Reader:
    """One registered connection and the token that it shows."""

    connection: OcpiConnection
    token: str = field(repr=False)
    version: str = "2.3.0"

    def get(self, path: str, *, to: tuple[str, str] | None = None, **query: Any) -> Answer:
        """GET a path below the module root, or one that begins with a slash, as it is."""
        return self.send("GET", path, to=to, **query)

    def send(self, method: str, path: str, *, to: tuple[str, str] | None = None, **query: Any) -> Answer:
        """Send a request without a body; `to` is the party of ours that it is for."""
        headers = {"authorization": connections.authorization_of(self.token)}
        if to is not None:
            headers |= {"ocpi-to-country-code": to[0], "ocpi-to-party-id": to[1]}
        address = path if path.startswith("/") else f"/ocpi/cpo/{self.version}/{path}"
        response = Client(raise_request_exception=False).generic(
            method, address, headers=headers, QUERY_STRING=_query(path, query)
        )
        envelope = exact_json.loads(response.content)
        return Answer(
            response.status_code, envelope["status_code"], envelope.get("data"), dict(response.headers)
        )

    def change(self, **fields: Any) -> None:
        """Let the platform want something else."""
        for name, value in fields.items():
            setattr(self.connection, name, value)
        self.connection.save()


def _query(path: str, query: dict[str, Any]) -> str:
    if "?" in path:
        return path.partition("?")[2]
    return "&".join(f"{name}={value}" for name, value in query.items())


def reader(*, of: Ptp | None = None, party: tuple[str, str] = ("FI", "EMB"), **fields: Any) -> Reader:
    """A platform that is registered with one of our parties; it takes no pushes."""
    connection, token = connections.invite(
        name=of.name if of else f"Platform {builders.next_number()}",
        country_code="NL",
        party_id="PTP",
        our_party=party,
        now=timezone.now(),
    )
    made = Reader(connection, token)
    made.change(**{"state": OcpiConnection.State.REGISTERED, "version": "2.3.0"} | fields)
    return made


def contract(of: Reader, party: tuple[str, str]) -> Contract:
    """Let the platform sell for one more of our parties."""
    return Contract.objects.create(
        connection=of.connection,
        customer_reference=f"C{builders.next_number()}",
        country_code=party[0],
        party_id=party[1],
    )
