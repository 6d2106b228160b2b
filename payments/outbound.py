"""Outgoing calls to peers' addresses: bounded in time, and never into our own network.

A peer's URL is its own choice, so it must not lead us to a metadata service or a database next door (SSRF).
The name is resolved once, every address it has must be public, and the call goes to the address that was
checked, so that a second answer of the name server changes nothing.
"""

import asyncio
import contextlib
import ipaddress
import socket
from urllib.parse import urlsplit

import httpx
from django.conf import settings

CONNECT_SECONDS = 3.0
READ_SECONDS = 10.0
TOTAL_SECONDS = 20.0  # a peer that drips its answer must not hold a worker; below the outbox's claim
MOST_ADDRESSES = 3
NAT64 = ipaddress.ip_network("64:ff9b::/96")  # an IPv4 address in IPv6 clothes

Address = ipaddress.IPv4Address | ipaddress.IPv6Address


class Refused(Exception):
    """We do not call this address; the message says why."""


class Unreachable(Exception):
    """The peer could not be reached, or did not answer in time."""


def post(url: str, body: bytes, headers: dict[str, str]) -> int:
    """POST once and return the HTTP status; redirects are not followed, the answer's body is not read.

    Raises Refused, Unreachable. Never call it inside a database transaction.
    """
    try:
        return asyncio.run(_post(url, body, headers))
    except TimeoutError:
        raise Unreachable(f"no answer within {TOTAL_SECONDS:.0f} s") from None
    except (httpx.HTTPError, httpx.InvalidURL, OSError) as error:
        raise Unreachable(f"{type(error).__name__}: {error}"[:200]) from error


async def _post(url: str, body: bytes, headers: dict[str, str]) -> int:
    target = httpx.URL(url)
    host = target.raw_host.decode("ascii").strip("[]")
    _check_form(url, target)
    async with asyncio.timeout(TOTAL_SECONDS):
        addresses = await _checked_addresses(host, target)
        async with httpx.AsyncClient(trust_env=False, follow_redirects=False) as client:
            for address in addresses[:-1]:
                with contextlib.suppress(httpx.ConnectError, httpx.ConnectTimeout):
                    return await _send(client, target, address, body, headers)
            return await _send(client, target, addresses[-1], body, headers)


async def _send(
    client: httpx.AsyncClient, target: httpx.URL, address: Address, body: bytes, headers: dict[str, str]
) -> int:
    """POST to this address; the certificate is checked against the name, whatever the address."""
    host = target.raw_host.decode("ascii").strip("[]")
    timeout = httpx.Timeout(READ_SECONDS, connect=CONNECT_SECONDS)
    request = httpx.Request(
        "POST",
        target.copy_with(host=str(address)),
        content=body,
        headers={**headers, "Host": target.netloc.decode("ascii")},
        extensions={"sni_hostname": host, "timeout": timeout.as_dict()},
    )
    response = await client.send(request, stream=True)
    await response.aclose()
    return response.status_code


def _check_form(url: str, target: httpx.URL) -> None:
    if target.scheme not in ("https", "http") or not target.host:
        raise Refused("the address must be an https URL")
    if target.userinfo or urlsplit(url).username:
        raise Refused("the address must not carry a user or a password")
    if target.scheme == "http" and not settings.DEMO:
        raise Refused("the address must be https")


async def _checked_addresses(host: str, target: httpx.URL) -> list[Address]:
    """Return the addresses to try. Raises Refused unless all addresses of the name may be called."""
    port = target.port or {"https": 443, "http": 80}[target.scheme]
    loop = asyncio.get_running_loop()
    found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    addresses = list(dict.fromkeys(ipaddress.ip_address(entry[4][0]) for entry in found))
    if not addresses:
        raise Unreachable(f"{host} has no address")
    for address in addresses:
        if not may_call(address, encrypted=target.scheme == "https"):
            raise Refused(f"{host} leads to {address}, which we do not call")
    return addresses[:MOST_ADDRESSES]


def may_call(address: Address, *, encrypted: bool = True) -> bool:
    """Whether an address is public; in the demo and in tests the loopback may be called too, and it alone in clear."""
    plain = _unwrapped(address)
    if plain.is_loopback:
        return bool(settings.DEMO)
    return encrypted and plain.is_global and not plain.is_multicast


def _unwrapped(address: Address) -> Address:
    """The IPv4 address inside an IPv6 one, where there is one: it is where the packets end up."""
    if isinstance(address, ipaddress.IPv4Address):
        return address
    if address in NAT64:
        return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    return address.ipv4_mapped or address.sixtofour or address
