"""The handshake: who knocks, may it come in, in which version shall we talk.

Default deny. An unknown identity and a wrong secret get the same answer after the same work.
"""

import base64
import binascii
import hmac
import re
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

from django.conf import settings

from chargers.models import ChargingStation
from chargers.provisioning import hash_secret

SUPPORTED_SUBPROTOCOLS = ("ocpp1.6",)
# Letters of identities: what OCPP 2.x calls identifierString, and the space and colon that vendors use.
# A colon would end the user name of Basic auth early, so it is left out.
_IDENTITY = re.compile(r"[A-Za-z0-9*\-_=+|@. ]{1,48}", re.ASCII)
_HASH_OF_NOBODY = "0" * 64

Scope = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Knock:
    """What a handshake says about itself."""

    identity: str  # "" when it is not one
    secret: bytes | None  # None without Basic auth for this identity
    address: str
    secure: bool
    subprotocol: str | None


def read_knock(scope: Scope) -> Knock:
    """Read a WebSocket scope. Never raises."""
    headers: dict[bytes, bytes] = {name.lower(): value for name, value in scope.get("headers", ())}
    identity = _identity(scope)
    return Knock(
        identity=identity,
        secret=_secret(headers.get(b"authorization", b""), identity),
        address=str((scope.get("client") or ("", 0))[0]),
        secure=_is_secure(scope, headers),
        subprotocol=choose_subprotocol(scope.get("subprotocols", ())),
    )


def choose_subprotocol(offered: Any) -> str | None:
    """Return the first offered subprotocol that we speak; tolerates spaces and one comma-separated entry."""
    for entry in offered:
        for name in str(entry).split(","):
            if name.strip() in SUPPORTED_SUBPROTOCOLS:
                return name.strip()
    return None


def transport_is_refused(knock: Knock) -> bool:
    """Whether the security profile forbids this transport (profile 2: TLS only)."""
    return bool(settings.OCPP_SECURITY_PROFILE >= 2 and not knock.secure)


def find_station(knock: Knock) -> ChargingStation | None:
    """Return the station that proved to be itself, None otherwise; one query, the same work either way."""
    station = ChargingStation.objects.filter(identity=knock.identity).select_related("process").first()
    stored = station.secret_hash if station is not None else _HASH_OF_NOBODY
    matches = hmac.compare_digest(stored.encode(), hash_secret(knock.secret or b"").encode())
    if settings.OCPP_SECURITY_PROFILE == 0:
        return station
    return station if matches and knock.secret and station is not None else None


def _identity(scope: Scope) -> str:
    raw_path = scope.get("raw_path")
    if raw_path:
        # The raw path, so that an encoded slash stays inside the segment it belongs to.
        segment = unquote(bytes(raw_path).split(b"?")[0].rstrip(b"/").rsplit(b"/", 1)[-1].decode("latin-1"))
    else:
        segment = str(scope.get("path", "")).rstrip("/").rsplit("/", 1)[-1]
    return segment if _IDENTITY.fullmatch(segment) else ""


def _secret(header: bytes, identity: str) -> bytes | None:
    scheme, _, credentials = header.partition(b" ")
    if scheme.lower() != b"basic":
        return None
    try:
        user, colon, secret = base64.b64decode(credentials.strip(), validate=True).partition(b":")
    except (binascii.Error, ValueError):
        return None
    return secret if colon and user == identity.encode() else None


def _is_secure(scope: Scope, headers: dict[bytes, bytes]) -> bool:
    if scope.get("scheme") in ("wss", "https"):
        return True
    if settings.SECURE_PROXY_SSL_HEADER is None:
        return False
    name, value = settings.SECURE_PROXY_SSL_HEADER
    header = name.removeprefix("HTTP_").replace("_", "-").lower().encode()
    return headers.get(header, b"").decode("latin-1").split(",")[0].strip() == value
