"""A PTP's platform as these tests use it: registered, with a token, sending to us over HTTP."""

import json
import uuid
from dataclasses import dataclass, field
from typing import Any

from django.http import HttpResponse
from django.test import Client
from django.utils import timezone

from payments.models import OcpiCommand, OcpiConnection, OutboxMessage, Payment, SeenTariff
from payments.ocpi import connections
from tests import builders
from tests.builders import Cast

HOST = "https://ptp.example.com"


@dataclass
class Platform:
    """One registered connection and the token that it shows."""

    connection: OcpiConnection
    token: str = field(repr=False)
    version: str = "2.3.0"

    def send(
        self, method: str, path: str, body: Any = None, *, raw: bytes | None = None, **headers: str
    ) -> HttpResponse:
        """One request below the module root of our version; `raw` replaces the body byte for byte."""
        content = raw if raw is not None else b"" if body is None else json.dumps(body).encode()
        given = {name.replace("_", "-"): value for name, value in headers.items()}
        authorization = connections.authorization_of(self.token)
        return Client(raise_request_exception=False).generic(
            method,
            f"/ocpi/cpo/{self.version}/{path}",
            content,
            content_type="application/json",
            headers={"authorization": authorization} | given,
        )

    def start(self, body: dict[str, Any], **headers: str) -> HttpResponse:
        """POST START_SESSION."""
        return self.send("POST", "commands/START_SESSION", body, **headers)

    def stop(self, payment: Payment, **fields: Any) -> HttpResponse:
        """POST STOP_SESSION for the session of a payment."""
        body = {"response_url": f"{HOST}/results/stop", "session_id": str(payment.session_id)} | fields
        return self.send("POST", "commands/STOP_SESSION", body)


def platform(*, of: Cast | None = None, party_id: str = "PTP", **fields: Any) -> Platform:
    """A registered platform; with `of` it is the one of the cast's PTP, and was shown the cast's tariff."""
    name = of.ptp.name if of else f"Platform {builders.next_number()}"
    connection, token = connections.invite(
        name=name, country_code="NL", party_id=party_id, our_party=("FI", "EMB"), now=timezone.now()
    )
    facts: dict[str, Any] = {
        "state": OcpiConnection.State.REGISTERED,
        "version": "2.3.0",
        "versions_url": f"{HOST}/ocpi/versions",
        "endpoints": {"sessions:RECEIVER": f"{HOST}/ocpi/2.3.0/sessions"},
    }
    for field_name, value in (facts | fields).items():
        setattr(connection, field_name, value)
    connection.save()
    made = Platform(connection, token)
    if of is not None:
        show(made, of)
    return made


def show(to: Platform, cast: Cast, *, hold_minor: int = 6000) -> SeenTariff:
    """The platform acknowledged the cast's tariff."""
    return SeenTariff.objects.create(
        connection=to.connection,
        tariff=cast.tariff_version.tariff,
        version=cast.tariff_version,
        hold_minor=hold_minor,
        seen_at=timezone.now(),
    )


def token(**fields: Any) -> dict[str, Any]:
    """A Token as a PTP makes it for one payment."""
    facts = {
        "country_code": "NL",
        "party_id": "PTP",
        "uid": "0e1f6cf8-9f2e-4f0a-bb3f-2a6c8d1f4a11",
        "type": "AD_HOC_USER",
        "contract_id": "NL-PTP-ADHOC",
        "issuer": "PTP",
        "valid": True,
        "whitelist": "NEVER",
        "last_updated": "2026-01-31T12:00:00Z",
    }
    return facts | fields


def start_body(cast: Cast, **fields: Any) -> dict[str, Any]:
    """A START_SESSION at the cast's connector for a fresh hold; a field that is None is left out."""
    facts = {
        "response_url": f"{HOST}/results/start",
        "token": token(),
        "location_id": cast.site.location_id,
        "evse_uid": cast.evse.uid,
        "connector_id": cast.connector.connector_id,
        "authorization_reference": f"auth-{uuid.uuid4().hex[:20]}",
    } | fields
    return {name: value for name, value in facts.items() if value is not None}


def said(answer: HttpResponse, http_status: int = 200) -> tuple[int, Any]:
    """The OCPI status and the data of an answer that has this HTTP status."""
    assert answer.status_code == http_status, answer.content
    envelope = answer.json()
    return envelope["status_code"], envelope.get("data")


def result_of(answer: HttpResponse) -> str:
    """The CommandResponseType of an answer."""
    status, data = said(answer)
    assert status == 1000, answer.content
    return data["result"]


def told(command: OcpiCommand) -> int:
    """How often the result of this command was put up for delivery."""
    message = OutboxMessage.objects.filter(topic="ocpi.command_result", subject=str(command.pk)).first()
    return message.version if message else 0
