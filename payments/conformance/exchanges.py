"""Requests of ours with what came back: for the checks to judge, and for the report to quote."""

from __future__ import annotations

import base64
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import httpx

from payments import exact_json
from payments.conformance.verdicts import Broken
from payments.simulator.ocpi.wire import Answer, NoAnswer, OcpiClient, Party

EXCERPT_CHARACTERS: Final = 1_200  # of a body, in the report
SENT_HEADERS: Final = ("authorization", "content-type", "x-request-id", "x-correlation-id")
CAME_HEADERS: Final = (
    "content-type", "location", "link", "x-total-count", "x-limit", "x-request-id", "x-correlation-id", "allow",
)  # fmt: skip
ROUTING_HEADERS: Final = tuple(
    f"ocpi-{way}-{what}" for way in ("from", "to") for what in ("country-code", "party-id")
)


@dataclass(frozen=True, slots=True)
class Exchange:
    """One request and its answer."""

    method: str
    url: str
    sent: str
    answer: Answer
    seconds: float

    @property
    def http(self) -> int:
        """The HTTP status."""
        return self.answer.http_status

    @property
    def code(self) -> int | None:
        """OCPI's status code; None where the body is no envelope."""
        return self.answer.status_code

    @property
    def data(self) -> Any:
        """The envelope's data."""
        return self.answer.data

    @property
    def ok(self) -> bool:
        """HTTP 2xx and OCPI 1xxx."""
        return self.answer.ok

    def header(self, name: str) -> str | None:
        """A header of the answer."""
        value = self.answer.headers.get(name)
        return None if value is None else str(value)

    def __str__(self) -> str:
        return f"{self.method} {self.url} answered {self.answer}"


class Caller:
    """Calls the peer and keeps every exchange of this run."""

    def __init__(self, *, timeout_seconds: float) -> None:
        self.timeout_seconds = timeout_seconds
        self.exchanges: list[Exchange] = []
        self.secrets: set[str] = set()
        self._clients: dict[tuple[str, Party | None, Party | None], OcpiClient] = {}

    def call(
        self,
        method: str,
        url: str,
        *,
        token: str,
        sender: Party | None = None,
        receiver: Party | None = None,
        body: Any = None,
        raw: bytes | None = None,
        query: Mapping[str, str | int] | None = None,
        headers: Mapping[str, str | None] | None = None,
    ) -> Exchange:
        """Send one request. No answer at all breaks the check that asked. Raises Broken."""
        client = self._client(token, sender, receiver)
        began = time.monotonic()
        try:
            answer = client.call(method, url, body=body, raw=raw, query=query, headers=headers)
        except (NoAnswer, httpx.HTTPError) as fault:
            raise Broken(f"An answer was expected; none came: {fault}") from fault
        seconds = time.monotonic() - began
        sent = raw.decode("utf-8", "replace") if raw is not None else _written(body)
        address = str(httpx.URL(url, params=dict(query))) if query else url
        exchange = Exchange(method, address, sent, answer, seconds)
        self.exchanges.append(exchange)
        return exchange

    def close(self) -> None:
        """Hang up."""
        for client in self._clients.values():
            client.close()

    def _client(self, token: str, sender: Party | None, receiver: Party | None) -> OcpiClient:
        self.secrets.add(token)
        key = (token, sender, receiver)
        if key not in self._clients:
            self._clients[key] = OcpiClient(
                token, sender=sender, receiver=receiver, timeout_seconds=self.timeout_seconds
            )
        return self._clients[key]


def _written(body: Any) -> str:
    return "" if body is None else exact_json.dumps(body)


def excerpt(exchange: Exchange, secrets: set[str]) -> dict[str, str]:
    """Quote an exchange for the report, without its secrets."""
    answer = exchange.answer
    request = [f"{exchange.method} {exchange.url}"]
    request += _lines(answer.request_headers, (*SENT_HEADERS, *ROUTING_HEADERS))
    came = [f"HTTP {answer.http_status}  ({exchange.seconds:.3f} s)"]
    came += _lines(answer.headers, (*CAME_HEADERS, *ROUTING_HEADERS))
    text = answer.raw.decode("utf-8", "replace")
    return {
        "request": redacted("\n".join([*request, "", _shortened(exchange.sent)]).strip(), secrets),
        "response": redacted("\n".join([*came, "", _shortened(text)]).strip(), secrets),
    }


def _lines(headers: httpx.Headers, names: tuple[str, ...]) -> list[str]:
    return [f"{name}: {headers[name]}" for name in names if name in headers]


def _shortened(text: str) -> str:
    if len(text) <= EXCERPT_CHARACTERS:
        return text
    return f"{text[:EXCERPT_CHARACTERS]} … ({len(text)} characters)"


def redacted(text: str, secrets: set[str]) -> str:
    """Blank out credentials tokens, as they are and as base64."""
    for secret in sorted(filter(None, secrets), key=len, reverse=True):
        for form in (secret, base64.b64encode(secret.encode()).decode("ascii")):
            text = text.replace(form, "•••")
    text = re.sub(r'("token"\s*:\s*")[^"]+"', r'\1•••"', text)
    return re.sub(r"(?im)^(authorization: *token +)\S.*$", r"\1•••", text)
