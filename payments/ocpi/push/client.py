"""One call to a platform over OCPI: token, ids, routing, envelope, log; and lists along their pages.

Whoever calls holds no database transaction: a peer that is slow must not hold our rows.
"""

import math
import re
import time
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import urlencode, urljoin, urlsplit

import httpx
from django.db import transaction
from django.utils import timezone

from payments import exact_json, outbound
from payments.models import OcpiConnection, OcpiMessage
from payments.ocpi import connections, message_log
from payments.ocpi.connections import Party
from payments.ocpi.envelope import Status
from payments.ocpi.reading import one_line
from payments.outbound import CallFailed, Limits, Refused, Unreachable

__all__ = ["Answer", "BadAnswer", "CallFailed", "Refused", "Unreachable", "call", "objects"]

MOST_PAGES: Final = 1_000  # a `next` link that leads in a circle ends here
PAGE_LIMIT: Final = 100  # what we ask for; a platform may give less
LATE_PAGE_SECONDS: Final = 2.0  # for the objects of a page that used up the time itself
LONGEST_LINK: Final = 4_096  # characters of a Link header, whose addresses are not longer than ours
_FIXED: Final = {
    "Accept": "application/json",
    # What is sent is what is read: a packed answer could be a thousand times as long.
    "Accept-Encoding": "identity",
    "User-Agent": "emabler-ocpi",
}
# A link and its parameters (RFC 8288). Neither part reads on over the `<` of another link, so that every letter is
# read once: looking from each of 100,000 for its end would stop all our threads for seconds.
_LINK: Final = re.compile(r"<([^<>]*)>([^<]*)")


class BadAnswer(CallFailed):
    """The platform answered, but not as OCPI says, or not with what was asked for."""

    def __init__(self, message: str, *, http_status: int, ocpi_status: int | None = None) -> None:
        super().__init__(message)
        self.http_status, self.ocpi_status = http_status, ocpi_status


class Unfinished(CallFailed):
    """There was no time for the whole of a list: it goes on at `next_url`, behind the first `done` objects there."""

    def __init__(self, *, next_url: str, done: int) -> None:
        super().__init__("the list is longer than there was time for")
        self.next_url, self.done = next_url, done


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """An answer in OCPI's envelope, whatever it says. Numbers with a fraction are Decimal."""

    http_status: int
    ocpi_status: int
    data: Any = None
    message: str = ""
    headers: httpx.Headers = field(default_factory=httpx.Headers)  # names in any case

    @property
    def ok(self) -> bool:
        """HTTP 2xx and OCPI 1xxx."""
        return self.http_status // 100 == 2 and self.ocpi_status // 1000 == 1

    def __str__(self) -> str:
        return f"HTTP {self.http_status}, OCPI {self.ocpi_status} {self.message}".strip()


def call(
    connection: OcpiConnection,
    method: str,
    url: str,
    *,
    body: Any = None,
    query: Mapping[str, str] | None = None,
    correlation_id: str = "",
    module: str = "",
    routed: bool = True,
    to_party: Party | None = None,
    from_party: Party | None = None,
    token: str = "",
    limits: Limits = outbound.ANSWER,
) -> Answer:
    """Send one request to a platform, and log it.

    `routed` is for functional modules: the parties are those of the connection where none are named. `token`
    is shown instead of the stored one, during a handshake. Raises Refused, Unreachable, BadAnswer.
    """
    _assert_no_transaction()
    address = _with_query(url, query) if query else url
    content = b"" if body is None else exact_json.dumps(body).encode()
    message = OcpiMessage(
        connection=connection,
        direction=OcpiMessage.Direction.OUT,
        method=method,
        url=address,
        module=module,
        request_id=str(uuid.uuid4()),
        correlation_id=correlation_id or str(uuid.uuid4()),
        request_body=content.decode(),
    )
    headers = {
        "Authorization": _authorization(connection, token),
        "X-Request-ID": message.request_id,
        "X-Correlation-ID": message.correlation_id,
        **_FIXED,
        **({"Content-Type": "application/json"} if content else {}),
        **(_routing(connection, to_party, from_party) if routed else {}),
    }
    return _exchange(message, headers, content, limits)


def objects(
    connection: OcpiConnection,
    url: str,
    *,
    query: Mapping[str, str] | None = None,
    module: str = "",
    done: int = 0,
    until: float = math.inf,
) -> Iterator[Any]:
    """Yield a list object after object, as far as the `next` links lead (OCPI 2.3.0 transport_and_format).

    Without a `query` the URL is one where a list goes on, behind the first `done` objects there. Nothing is asked
    for after `until`, in seconds of `time.monotonic`, and little given: also a single page may hold more than there is
    time for. Raises Unfinished then, and Refused, Unreachable, BadAnswer; the latter also for a link to another host,
    which must not get our token, for one that is too long to be read, and for lists without an end.
    """
    address = url if query is None else _with_query(url, {"limit": str(PAGE_LIMIT), **query})
    for _ in range(MOST_PAGES):
        _look_at_the_clock(until, address, done)
        answer = call(connection, "GET", address, module=module, limits=outbound.PAGE)
        if not answer.ok or not isinstance(answer.data, list):
            raise _bad(f"no list came: {answer}", answer)
        # Of a page that came late something is taken, or a list of a slow platform would never get on.
        page_until = max(until, time.monotonic() + LATE_PAGE_SECONDS)
        for each in answer.data[done:]:
            _look_at_the_clock(page_until, address, done)
            yield each
            done += 1
        link = _next_link(answer)
        if link is None:
            return
        # What was asked for stands in the link, with the place of the next page.
        address, done = _next_address(address, link), 0
        if urlsplit(address)[:2] != urlsplit(url)[:2]:
            raise _bad("the next page is at another host", answer)
    raise BadAnswer(f"more than {MOST_PAGES} pages", http_status=200)


def _look_at_the_clock(until: float, address: str, done: int) -> None:
    if time.monotonic() > until:
        raise Unfinished(next_url=address, done=done)


def _with_query(url: str, query: Mapping[str, str]) -> str:
    return f"{url}{'&' if urlsplit(url).query else '?'}{urlencode(query)}"


def _next_link(answer: Answer) -> str | None:
    """Where the next page is, None on the last. Raises BadAnswer: a link that we do not read ends no list."""
    links = answer.headers.get("Link", "")
    if len(links) > LONGEST_LINK:
        raise _bad(f"the Link header is longer than {LONGEST_LINK} characters", answer)
    return next((target.strip() for target, told in _LINK.findall(links) if _leads_on(told)), None)


def _leads_on(parameters: str) -> bool:
    """Whether one of a link's parameters is `rel="next"`, alone or among other relations."""
    named = (parameter.partition("=") for parameter in parameters.split(";"))
    return any(
        name.strip().lower() == "rel" and "next" in relations.strip(' ,"').lower().split()
        for name, _, relations in named
    )


def _next_address(address: str, link: str) -> str:
    """The address that a link leads to, "" for one that is none."""
    try:
        found = urljoin(address, link)
        urlsplit(found)
    except ValueError:
        return ""
    return found


def _bad(message: str, answer: Answer) -> BadAnswer:
    return BadAnswer(message, http_status=answer.http_status, ocpi_status=answer.ocpi_status)


def _assert_no_transaction() -> None:
    """A call inside a transaction is a bug of ours; the transaction around a test is none."""
    blocks = transaction.get_connection().atomic_blocks
    assert not blocks or getattr(blocks[-1], "_from_testcase", False), "a call inside a transaction"


def _authorization(connection: OcpiConnection, token: str) -> str:
    if token:
        return connections.authorization_of(token, raw=connection.raw_tokens)
    shown = connections.authorization_for(connection)
    if not shown:
        raise Refused("the platform is not registered: we have no token to show it")
    return shown


def _routing(connection: OcpiConnection, to_party: Party | None, from_party: Party | None) -> dict[str, str]:
    to = to_party or (connection.country_code, connection.party_id)
    ours = from_party or (connection.our_country_code, connection.our_party_id)
    return {
        "OCPI-to-country-code": to[0],
        "OCPI-to-party-id": to[1],
        "OCPI-from-country-code": ours[0],
        "OCPI-from-party-id": ours[1],
    }


def _exchange(message: OcpiMessage, headers: dict[str, str], content: bytes, limits: Limits) -> Answer:
    """Send the message and complete it with what came back; it is logged in any case."""
    began = time.perf_counter()
    try:
        response = outbound.send(message.method, message.url, headers=headers, body=content, limits=limits)
        message.http_status = response.status
        message.response_body = response.body.decode("utf-8", "replace")
        answer = _read(response, limits.most_bytes)
        message.ocpi_status, message.error = answer.ocpi_status, "" if answer.ok else answer.message
    except outbound.Oversized as error:
        message.error = str(error)
        message.http_status = error.status
        raise BadAnswer(str(error), http_status=error.status) from error
    except CallFailed as error:
        message.error = str(error)
        raise
    finally:
        message.duration_ms = round((time.perf_counter() - began) * 1000)
        message_log.keep(message)
    if message.connection is not None:
        connections.note_reached(message.connection, now=timezone.now())
    return answer


def _read(response: outbound.Response, most_bytes: int) -> Answer:
    """Read the envelope (OCPI 2.3.0 transport_and_format, response format). Raises BadAnswer.

    Each object of a list stands for itself: with one that is spoilt comes an `Unreadable` where it is, and
    whoever takes the objects refuses this one, not the page with all that follow.
    """
    try:
        envelope = exact_json.loads_leniently(response.body, most_bytes=most_bytes)
    except exact_json.UnreadableJson as error:
        raise BadAnswer(f"HTTP {response.status}: {error}", http_status=response.status) from None
    told = envelope if isinstance(envelope, dict) else {}
    data, status = told.get("data"), told.get("status_code")
    spoilt = exact_json.first_unreadable({**told, "data": None} if isinstance(data, list) else told)
    if spoilt:
        raise BadAnswer(f"HTTP {response.status}: {spoilt}", http_status=response.status)
    if type(status) is not int or not Status.SUCCESS <= status <= 9999:
        raise BadAnswer(f"HTTP {response.status} without an OCPI envelope", http_status=response.status)
    return Answer(
        http_status=response.status,
        ocpi_status=status,
        data=data,
        message=one_line(str(told.get("status_message") or ""))[:300],
        headers=response.headers,
    )
