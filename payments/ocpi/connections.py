"""OCPI connections: who may speak to us with which token, and as which of our parties we answer.

Server tokens (what a platform shows us) are random and kept as SHA-256; client tokens (what we show it) are
sealed. A token is found by its hash, so no comparison leaks how much of it was right.
"""

import base64
import binascii
import hashlib
import secrets
from collections.abc import Iterator
from datetime import datetime, timedelta

from django.conf import settings
from django.db import transaction
from django.db.models import Q, QuerySet

from chargers.models import Site
from payments.models import Contract, OcpiConnection, Ptp
from payments.ocpi.dialects import Version
from payments.sealed import seal, unseal

LONGEST_TOKEN = 64  # OCPI 2.3.0 credentials, token
HEARD_NOTED_EVERY = timedelta(minutes=1)

Party = tuple[str, str]  # country code, party id


def new_token() -> str:
    """Return a fresh token, 43 characters."""
    return secrets.token_urlsafe(32)


def hash_of(token: str) -> str:
    """Return what is stored of a server token."""
    return hashlib.sha256(token.encode()).hexdigest()


def invite(
    *,
    name: str,
    country_code: str,
    party_id: str,
    role: str = "PTP",
    our_party: Party | None = None,
    token_a: str = "",
    now: datetime,
) -> tuple[OcpiConnection, str]:
    """Create a connection, or invite its platform anew; returns it with token A, which is shown once.

    A PTP of that name is taken, or made. An invitation of a registered platform ends its registration.
    """
    ours = our_party or default_party()
    token = token_a or new_token()
    with transaction.atomic():
        ptp, _ = Ptp.objects.get_or_create(name=name)
        connection, _ = OcpiConnection.objects.update_or_create(
            ptp=ptp,
            defaults={
                "country_code": country_code.upper(),
                "party_id": party_id.upper(),
                "role": role,
                "our_country_code": ours[0],
                "our_party_id": ours[1],
                "state": OcpiConnection.State.INVITED,
                "server_token_hash": hash_of(token),
                "client_token_sealed": "",
                "token_changed_at": now,
            },
        )
    return connection, token


def default_party() -> Party:
    """Return our own party, where nothing says which of several."""
    return settings.CPO_COUNTRY_CODE, settings.CPO_PARTY_ID


def find(authorization: str) -> OcpiConnection | None:
    """Return the living connection that an Authorization header names, None for anything else.

    `Token <base64>` as OCPI says, or the bare token of old peers; either is looked up by its hash.
    """
    hashes = [hash_of(token) for token in _tokens_in(authorization)]
    if not hashes:
        return None
    return (
        OcpiConnection.objects.select_related("ptp")
        .filter(server_token_hash__in=hashes)
        .exclude(state=OcpiConnection.State.UNREGISTERED)
        .first()
    )


def _tokens_in(authorization: str) -> Iterator[str]:
    scheme, _, text = authorization.strip().partition(" ")
    text = text.strip()
    if scheme.lower() != "token" or not text or len(text) > 2 * LONGEST_TOKEN or not text.isascii():
        return
    yield text
    try:
        # OCPI's own examples encode a trailing line feed.
        yield base64.b64decode(text, validate=True).decode("ascii").strip()
    except (binascii.Error, UnicodeDecodeError):
        return


def authorization_for(connection: OcpiConnection) -> str:
    """Return the Authorization header that we show the platform."""
    return authorization_of(unseal(connection.client_token_sealed), raw=connection.raw_tokens)


def authorization_of(token: str, *, raw: bool = False) -> str:
    """Return the Authorization header for a token."""
    return f"Token {token}" if raw else f"Token {base64.b64encode(token.encode()).decode()}"


def set_client_token(connection: OcpiConnection, token: str) -> None:
    """Remember, sealed, what we show the platform; the caller saves."""
    connection.client_token_sealed = seal(token)


def set_server_token(connection: OcpiConnection, token: str, *, now: datetime) -> None:
    """Let this token alone open our doors for the platform; the caller saves."""
    connection.server_token_hash = hash_of(token)
    connection.token_changed_at = now


def note_heard(connection: OcpiConnection, *, now: datetime) -> None:
    """Note that the platform spoke to us, not more often than people look."""
    heard = connection.last_heard_at
    if heard is None or now - heard > HEARD_NOTED_EVERY:
        OcpiConnection.objects.filter(pk=connection.pk).update(last_heard_at=now)


def note_reached(connection: OcpiConnection, *, now: datetime) -> None:
    """Note that the platform answered us, not more often than people look."""
    reached = connection.last_reached_at
    if reached is None or now - reached > HEARD_NOTED_EVERY:
        connection.last_reached_at = now
        OcpiConnection.objects.filter(pk=connection.pk).update(last_reached_at=now)


# --- Where we are -----------------------------------------------------------------------------------


def versions_url() -> str:
    """Return the address that a platform begins with."""
    return f"{settings.PUBLIC_URL}/ocpi/versions"


def details_url(version: Version) -> str:
    """Return where a version lists its endpoints."""
    return f"{settings.PUBLIC_URL}/ocpi/{version.value}"


def module_url(version: Version, module: str) -> str:
    """Return where a module of ours is."""
    return f"{settings.PUBLIC_URL}/ocpi/cpo/{version.value}/{module}"


# --- As which of our parties ----------------------------------------------------------------------


def parties_of(connection: OcpiConnection) -> frozenset[Party]:
    """Return those of our parties that a platform may see: its own default and those of its contracts."""
    contracts = Contract.objects.filter(connection=connection).values_list("country_code", "party_id")
    return frozenset({(connection.our_country_code, connection.our_party_id), *contracts})


def of_parties(parties: frozenset[Party], *, prefix: str = "") -> Q:
    """Return the condition that a row with country code and party id belongs to one of the parties."""
    condition = Q(pk__in=[])
    for country_code, party_id in sorted(parties):
        condition |= Q(**{f"{prefix}country_code": country_code, f"{prefix}party_id": party_id})
    return condition


def sites_of(parties: frozenset[Party]) -> QuerySet[Site]:
    """Return the sites of our parties."""
    return Site.objects.filter(of_parties(parties))
