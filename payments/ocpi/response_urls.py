"""Which addresses a CommandResult may go to: those of the platform that asked, and no others.

A `response_url` comes with each command, so whoever holds a token could point us anywhere. It has to name a
host of the registered platform; payments/outbound.py looks at the address behind the name once more when we
call it.
"""

import ipaddress
import re
from typing import Final
from urllib.parse import urlsplit

from django.conf import settings

from payments.models import OcpiConnection
from payments.ocpi.envelope import OcpiError, Status

_DEFAULT_PORTS: Final = {"https": 443, "http": 80}
# A host and a port and nothing else: no user, no backslash, nothing that two parsers read as two hosts.
_NETLOC: Final = re.compile(r"(?:[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(?::[0-9]{1,5})?")

Origin = tuple[str, int]  # host in lower case, port


def check(url: str, connection: OcpiConnection) -> None:
    """Raise OcpiError 2001 unless we may send a CommandResult of this platform there."""
    if problem := problem_of(url, connection):
        raise OcpiError(Status.INVALID, f"response_url: {problem}")


def problem_of(url: str, connection: OcpiConnection) -> str:
    """Return what is wrong with the address, "" for one that we may call."""
    origin = _origin_of(url)
    if origin is None or "\\" in url:
        return "an https address without user and password is expected."
    host, port = origin
    scheme = urlsplit(url).scheme.lower()
    if scheme != "https" and not (settings.ALLOW_LOOPBACK_PEERS and _is_loopback(host)):
        return "the address must be https."
    registered = origins_of(connection)
    if host not in {name for name, _ in registered}:
        return "the host is not one of the registered platform."
    if port != _DEFAULT_PORTS[scheme] and origin not in registered:
        return "the port is not one of the registered platform."
    return ""


def origins_of(connection: OcpiConnection) -> set[Origin]:
    """Return hosts and ports of a platform: of its versions, its endpoints, and those allowed besides."""
    told = [connection.versions_url, *connection.endpoints.values()]
    told += [f"https://{host}" for host in connection.more_hosts]
    return {origin for url in told if (origin := _origin_of(str(url))) is not None}


def _origin_of(url: str) -> Origin | None:
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return None
    scheme = parts.scheme.lower()
    if scheme not in _DEFAULT_PORTS or not parts.hostname or not _NETLOC.fullmatch(parts.netloc):
        return None
    return parts.hostname.lower(), _DEFAULT_PORTS[scheme] if port is None else port


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
