"""Outgoing calls to peers' addresses: bounded in time, and never into our own network.

A peer's URL is its own choice, so it must not lead us to a metadata service or a database next door (SSRF).
The name is resolved once, every address it has must be public, and the call goes to the address that was
checked, so that a second answer of the name server changes nothing.
"""

import asyncio
import contextlib
import functools
import ipaddress
import logging
import socket
import ssl
import threading
from dataclasses import dataclass
from urllib.parse import urlsplit

import httpx
from django.conf import settings

logger = logging.getLogger(__name__)

CONNECT_SECONDS = 3.0
MOST_ADDRESSES = 3
NAT64 = ipaddress.ip_network("64:ff9b::/96")  # an IPv4 address in IPv6 clothes
# All of IPv6 that is given to anybody (RFC 4291). What lies outside may lead inside: the addresses of a site, and
# IPv4 in clothes that the network around us may take off (RFC 4291 §2.5.5.1, RFC 8215, RFC 2765).
GIVEN_IPV6 = ipaddress.ip_network("2000::/3")

Address = ipaddress.IPv4Address | ipaddress.IPv6Address


class CallFailed(Exception):
    """A call that brought no answer that can be used."""


class Refused(CallFailed):
    """We do not call this address; the message says why."""


class Unreachable(CallFailed):
    """The peer could not be reached, or did not answer in time."""


class Oversized(CallFailed):
    """The peer answered, with more than we read."""

    def __init__(self, message: str, *, status: int) -> None:
        super().__init__(message)
        self.status = status


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How long we wait, and how much we read, 0 to read nothing."""

    most_bytes: int = 64 * 1024
    read_seconds: float = 10.0
    call_seconds: float = (
        14.0  # a peer that drips must not hold a worker; two calls are below the outbox's claim
    )


ANSWER = Limits()
UNREAD = Limits(most_bytes=0)
PAGE = Limits(most_bytes=2 * 1024 * 1024, call_seconds=20.0)


@dataclass(frozen=True, slots=True)
class Response:
    """What came back. `body` is as it was sent, also where it is compressed."""

    status: int
    headers: httpx.Headers  # names in any case
    body: bytes = b""


def send(
    method: str, url: str, *, headers: dict[str, str], body: bytes = b"", limits: Limits = ANSWER
) -> Response:
    """Send one request and read its answer; redirects are not followed.

    Raises Refused, Unreachable, Oversized. Never call it inside a database transaction.
    """
    check_form(url)
    try:
        request = httpx.Request(method, url, content=body, headers=headers)
        return asyncio.run(_exchange(request, limits))
    except TimeoutError:
        raise Unreachable(f"no answer within {limits.call_seconds:.0f} s") from None
    except (httpx.HTTPError, OSError) as error:
        raise Unreachable(f"{type(error).__name__}: {error}"[:200]) from error


def post(url: str, body: bytes, headers: dict[str, str]) -> int:
    """POST once and return the HTTP status; the answer's body is not read.

    Raises Refused, Unreachable. Never call it inside a database transaction.
    """
    return send("POST", url, headers=headers, body=body, limits=UNREAD).status


@functools.cache
def _trust() -> ssl.SSLContext:
    """Whom we trust: read once, for reading the authorities' certificates costs more than a call."""
    return httpx.create_ssl_context(trust_env=False)


async def _exchange(request: httpx.Request, limits: Limits) -> Response:
    async with asyncio.timeout(limits.call_seconds):
        addresses = await _checked_addresses(request.url)
        async with httpx.AsyncClient(verify=_trust(), trust_env=False, follow_redirects=False) as client:
            for address in addresses[:-1]:
                with contextlib.suppress(httpx.ConnectError, httpx.ConnectTimeout):
                    return await _send(client, request, address, limits)
            return await _send(client, request, addresses[-1], limits)


async def _send(
    client: httpx.AsyncClient, request: httpx.Request, address: Address, limits: Limits
) -> Response:
    """Send to this address; the certificate is checked against the name, whatever the address."""
    timeout = httpx.Timeout(limits.read_seconds, connect=CONNECT_SECONDS)
    headers = request.headers.copy()
    headers["Host"] = request.url.netloc.decode("ascii")
    pinned = httpx.Request(
        request.method,
        request.url.copy_with(host=str(address)),
        content=request.content,
        headers=headers,
        extensions={"sni_hostname": _host_of(request.url), "timeout": timeout.as_dict()},
    )
    response = await client.send(pinned, stream=True)
    try:
        body = await _body_of(response, limits.most_bytes) if limits.most_bytes else b""
    finally:
        await response.aclose()
    return Response(response.status_code, response.headers, body)


async def _body_of(response: httpx.Response, most_bytes: int) -> bytes:
    """Read what was sent and no more than that: what is unpacked can be a thousand times as long."""
    body = bytearray()
    async for chunk in response.aiter_raw():
        body += chunk
        if len(body) > most_bytes:
            message = f"the answer is longer than {most_bytes} bytes"
            raise Oversized(message, status=response.status_code)
    return bytes(body)


def _host_of(target: httpx.URL) -> str:
    return target.raw_host.decode("ascii").strip("[]")


def check_form(url: str) -> None:
    """Raise Refused for a URL that we would not call wherever its name leads to."""
    try:
        target = httpx.URL(url)
        userinfo = bool(target.userinfo or urlsplit(url).username)
        # Python's own rules for names: a label that is empty or too long has no address anywhere.
        _host_of(target).encode("idna")
        host = target.host
    except (httpx.InvalidURL, ValueError):
        raise Refused("the address is not a URL") from None
    if target.scheme not in ("https", "http") or not host:
        raise Refused("the address must be an https URL")
    if userinfo:
        raise Refused("the address must not carry a user or a password")
    if target.scheme == "http" and not settings.ALLOW_LOOPBACK_PEERS:
        raise Refused("the address must be https")


async def _checked_addresses(target: httpx.URL) -> list[Address]:
    """Return the addresses to try. Raises Refused unless all addresses of the name may be called."""
    host = _host_of(target)
    port = target.port or {"https": 443, "http": 80}[target.scheme]
    addresses = list(dict.fromkeys(ipaddress.ip_address(found) for found in await _resolved(host, port)))
    if not addresses:
        raise Unreachable(f"{host} has no address")
    for address in addresses:
        if not may_call(address, encrypted=target.scheme == "https"):
            # Whose URL it is must not hear the address: with names of its choice it would map our network.
            logger.warning("%s leads to %s, which we do not call", host, address)
            raise Refused(f"{host} leads to an address that we do not call")
    return addresses[:MOST_ADDRESSES]


async def _resolved(host: str, port: int) -> list[str]:
    """Return the addresses of a name. Raises OSError.

    The name server is asked in a thread of its own: the end of an event loop waits for its executor's threads,
    so that a slow name server would hold the worker beyond the time that a call may take.
    """
    loop = asyncio.get_running_loop()
    answer: asyncio.Future[list[str]] = loop.create_future()

    def settle(found: list[str], error: Exception | None) -> None:
        if answer.done():  # nobody waits for it any more
            return
        if error is None:
            answer.set_result(found)
        else:
            answer.set_exception(error)

    def ask() -> None:
        found: list[str] = []
        failure: Exception | None = None
        try:
            found = [str(entry[4][0]) for entry in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)]
        except (OSError, UnicodeError) as error:
            failure = error
        with contextlib.suppress(RuntimeError):  # the loop is closed: the call is over
            loop.call_soon_threadsafe(settle, found, failure)

    threading.Thread(target=ask, name="resolve", daemon=True).start()
    return await answer


def may_call(address: Address, *, encrypted: bool = True) -> bool:
    """Whether an address is public; in the demo and in tests the loopback may be called too, and it alone in clear."""
    plain = _unwrapped(address)
    if plain.is_loopback:
        return bool(settings.ALLOW_LOOPBACK_PEERS)
    given = isinstance(plain, ipaddress.IPv4Address) or plain in GIVEN_IPV6
    return encrypted and given and plain.is_global and not plain.is_multicast


def _unwrapped(address: Address) -> Address:
    """The IPv4 address inside an IPv6 one, where there is one: it is where the packets end up."""
    if isinstance(address, ipaddress.IPv4Address):
        return address
    if address in NAT64:
        return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    return address.ipv4_mapped or address.sixtofour or address
