"""Calls to a peer: ids, routing, envelope, pages."""

import re
import ssl
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cache
from typing import Final
from urllib.parse import urlsplit

import httpx

from payments import exact_json
from payments.simulator.ocpi.wire.words import Json, NoAnswer, NotOcpi, Party, read_json, token_header

NOT_YET: Final = (401, 403, 408, 429)
MAX_PAGES: Final = 10_000  # a `next` link that leads in a circle ends here


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back: HTTP's part, the envelope's part, and `problem` when the body was no envelope."""

    http_status: int
    headers: httpx.Headers
    raw: bytes
    request_headers: httpx.Headers
    body: Json = None  # the whole JSON
    status_code: int | None = None  # OCPI's
    message: str = ""
    data: Json = None
    problem: str = ""

    @property
    def ok(self) -> bool:
        """HTTP 2xx and OCPI 1xxx."""
        return self.http_status // 100 == 2 and (self.status_code or 0) // 1000 == 1

    @property
    def refused(self) -> bool:
        """OCPI 2xxx: sent again it would be refused again. Not a token that is not good yet, nor too many calls."""
        return (self.status_code or 0) // 1000 == 2 and self.http_status not in NOT_YET

    @property
    def next_url(self) -> str:
        """The next page, empty on the last."""
        found = re.search(r'<([^<>]*)>\s*;\s*rel="?next"?', self.headers.get("Link", ""))
        return found[1] if found else ""

    def __str__(self) -> str:
        why = self.problem or f"OCPI {self.status_code} {self.message}".strip()
        return f"HTTP {self.http_status}, {why}"


@cache
def _trusted() -> ssl.SSLContext:
    """The certificates that the system trusts: read once, for that takes longer than a call."""
    return httpx.create_ssl_context(trust_env=False)


class OcpiClient:
    """Calls one peer. Credentials and versions are never routed: pass `routed=False` for them."""

    def __init__(
        self,
        token: str,
        *,
        sender: Party | None = None,
        receiver: Party | None = None,
        timeout_seconds: float = 10.0,
        raw_token: bool = False,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        self.token, self.sender, self.receiver, self._raw_token = token, sender, receiver, raw_token
        # A peer on the loopback must not be looked for behind a proxy of the environment.
        self._http = httpx.Client(
            timeout=timeout_seconds, transport=transport, trust_env=False, verify=_trusted()
        )

    def close(self) -> None:
        """Hang up."""
        self._http.close()

    def get(self, url: str, *, routed: bool = True, **query: str | int) -> Answer:
        """Read. Raises NoAnswer."""
        return self.call("GET", url, query=query, routed=routed)

    def post(self, url: str, body: Json = None, *, routed: bool = True) -> Answer:
        """Create or command. Raises NoAnswer."""
        return self.call("POST", url, body=body, routed=routed)

    def put(self, url: str, body: Json, *, routed: bool = True) -> Answer:
        """Replace. Raises NoAnswer."""
        return self.call("PUT", url, body=body, routed=routed)

    def patch(self, url: str, body: Json) -> Answer:
        """Change some fields. Raises NoAnswer."""
        return self.call("PATCH", url, body=body)

    def delete(self, url: str, *, routed: bool = True) -> Answer:
        """Remove. Raises NoAnswer."""
        return self.call("DELETE", url, routed=routed)

    def call(
        self,
        method: str,
        url: str,
        *,
        body: Json = None,
        raw: bytes | None = None,
        query: Mapping[str, str | int] | None = None,
        headers: Mapping[str, str | None] | None = None,
        routed: bool = True,
    ) -> Answer:
        """Send one request. `raw` goes as it is; a header of value None is left out. Raises NoAnswer."""
        content = raw if raw is not None else (None if body is None else exact_json.dumps(body).encode())
        sent = {**self._headers(routed=routed, with_body=content is not None), **(headers or {})}
        lines = {name: value for name, value in sent.items() if value is not None}
        try:
            response = self._http.request(
                method, url, content=content, params=dict(query) if query else None, headers=lines
            )
        except (httpx.TransportError, httpx.InvalidURL) as fault:
            raise NoAnswer(f"{method} {url}: {type(fault).__name__} {fault}") from fault
        return _answer(response)

    def pages(self, url: str, query: Mapping[str, str | int] | None = None) -> Iterator[Answer]:
        """Yield page after page along `Link: rel=next`; a page that is not ok is the last. Raises NoAnswer,
        and NotOcpi for a link that leads to another host or never ends."""
        answer = self.call("GET", url, query=query)
        yield answer
        for _ in range(MAX_PAGES):
            if not answer.ok or not answer.next_url:
                return
            if urlsplit(answer.next_url)[:2] != urlsplit(url)[:2]:
                raise NotOcpi(f"the next page is at another host: {answer.next_url}")
            answer = self.get(answer.next_url)
            yield answer
        raise NotOcpi(f"more than {MAX_PAGES} pages")

    def items(self, url: str, query: Mapping[str, str | int] | None = None) -> list[Json]:
        """Return all objects of a list. Raises NoAnswer, NotOcpi."""
        found: list[Json] = []
        for page in self.pages(url, query):
            if not page.ok or not isinstance(page.data, list):
                raise NotOcpi(f"GET {url}: {page}")
            found += page.data
        return found

    def _headers(self, *, routed: bool, with_body: bool) -> dict[str, str | None]:
        headers: dict[str, str | None] = {
            "Authorization": token_header(self.token, raw=self._raw_token),
            "X-Request-ID": str(uuid.uuid4()),
            "X-Correlation-ID": str(uuid.uuid4()),
            "Accept": "application/json",
        }
        if with_body:
            headers["Content-Type"] = "application/json"
        for way, party in (("from", self.sender), ("to", self.receiver)):
            if routed and party:
                headers |= {f"OCPI-{way}-country-code": party.country_code}
                headers |= {f"OCPI-{way}-party-id": party.party_id}
        return headers


def _answer(response: httpx.Response) -> Answer:
    bare = Answer(response.status_code, response.headers, response.content, response.request.headers)
    try:
        body = read_json(response.content)
    except NotOcpi as fault:
        return replace(bare, problem=str(fault))
    if not isinstance(body, dict) or type(body.get("status_code")) is not int:
        return replace(bare, body=body, problem="no envelope: `status_code` is missing")
    message = str(body.get("status_message") or "")
    return replace(bare, body=body, status_code=body["status_code"], message=message, data=body.get("data"))
