"""A terminal as tests use it: the API through Django's client, with a key and JSON."""

import json
import uuid
from typing import Any

from django.http import HttpResponse
from django.test import Client

from tests.builders import Cast

API = "/api/ptp/v1"


class TerminalClient:
    """Speaks to the terminal API with one key; bodies go out as JSON, answers come back as they are."""

    def __init__(self, key: str = "") -> None:
        self.key = key
        self.client = Client(raise_request_exception=False)

    def get(self, path: str, **query: str) -> HttpResponse:
        """GET below the API's root, or a whole URL that the API gave."""
        return self.client.get(self._url(path), query, headers=self._headers({}))

    def post(self, path: str, body: Any = None, *, raw: bytes | None = None, **headers: str) -> HttpResponse:
        """POST JSON; `raw` replaces the body byte for byte. Header names with underscores."""
        content = raw if raw is not None else json.dumps({} if body is None else body).encode()
        content_type = headers.pop("content_type", "application/json")
        return self.client.post(
            self._url(path), content, content_type=content_type, headers=self._headers(headers)
        )

    def start(self, body: dict[str, Any], idempotency_key: str | None = None) -> HttpResponse:
        """POST sessions under a key, a fresh one by default."""
        return self.post("/sessions", body, idempotency_key=idempotency_key or uuid.uuid4().hex)

    def _headers(self, more: dict[str, str]) -> dict[str, str]:
        given = {name.replace("_", "-"): value for name, value in more.items()}
        return ({"authorization": f"Bearer {self.key}"} if self.key else {}) | given

    @staticmethod
    def _url(path: str) -> str:
        return path if path.startswith("http") else f"{API}{path}"


def start_body(cast: Cast, **fields: Any) -> dict[str, Any]:
    """A tap at the cast's connector with a fresh quote and hold."""
    body = {
        "terminal_id": cast.terminal.terminal_id,
        "connector_id": str(cast.connector.public_id),
        "quote_id": str(cast.quote().pk),
        "authorization_reference": f"auth-{uuid.uuid4().hex[:20]}",
        "authorized_amount": "60.00",
        "currency": "EUR",
        "card": {"scheme": "VISA", "last4": "4242"},
        "language": "en",
    }
    return body | fields


def problem(response: HttpResponse) -> tuple[int, str]:
    """Status and code of a problem document."""
    assert response["Content-Type"] == "application/problem+json", response.content
    body = response.json()
    assert body["status"] == response.status_code
    assert {"type", "title", "status", "code", "detail"} <= body.keys()
    return response.status_code, body["code"]
