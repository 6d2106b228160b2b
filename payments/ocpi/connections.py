"""OCPI connections: who may speak to us with which token, and as which of our parties we answer.

Server tokens (what a platform shows us) are random and kept as SHA-256; client tokens (what we show it) are
sealed. A token is found by its hash, so no comparison leaks how much of it was right.
"""

import base64
import binascii
import hashlib
import secrets
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any

from cryptography.fernet import InvalidToken
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


def is_token(text: str) -> bool:
    """Whether a text can be a token: printable ASCII without a space (OCPI 2.3.0 credentials)."""
    return 0 < len(text) <= LONGEST_TOKEN and all("!" <= letter <= "~" for letter in text)


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
    Without a party the platform's own word for it is taken when it registers.
    """
    token = token_a or new_token()
    connection = _write(
        name,
        country_code=country_code.upper(),
        party_id=party_id.upper(),
        role=role,
        our_party=our_party,
        state=OcpiConnection.State.INVITED,
        server_token_hash=hash_of(token),
        pending_token_hash="",
        client_token_sealed="",
        token_changed_at=now,
    )
    return connection, token


def prepare(
    *,
    name: str,
    country_code: str = "",
    party_id: str = "",
    role: str = "PTP",
    our_party: Party | None = None,
) -> OcpiConnection:
    """Find or create a connection that we shall register at; nobody is invited, and no token is changed."""
    found = OcpiConnection.objects.select_related("ptp").filter(ptp__name=name).first()
    return found or _write(
        name,
        country_code=country_code.upper(),
        party_id=party_id.upper(),
        role=role,
        our_party=our_party,
    )


def _write(name: str, *, our_party: Party | None, **fields: Any) -> OcpiConnection:
    """Save a connection; as which party we answer changes only where one is named."""
    ours = our_party or default_party()
    answering = {"our_country_code": ours[0].upper(), "our_party_id": ours[1].upper()}
    with transaction.atomic():
        ptp, _ = Ptp.objects.get_or_create(name=name)
        connection, _ = OcpiConnection.objects.update_or_create(
            ptp=ptp,
            defaults=fields | (answering if our_party else {}),
            create_defaults=fields | answering,
        )
    return connection


def set_contracts(connection: OcpiConnection, contracts: Mapping[str, Party]) -> None:
    """Let a platform have exactly these contracts: by customer reference, which of our parties sells."""
    with transaction.atomic():
        Contract.objects.filter(connection=connection).exclude(customer_reference__in=contracts).delete()
        for reference, (country_code, party_id) in contracts.items():
            Contract.objects.update_or_create(
                connection=connection,
                customer_reference=reference,
                defaults={"country_code": country_code.upper(), "party_id": party_id.upper()},
            )


def default_party() -> Party:
    """Return our own party, where nothing says which of several."""
    return settings.CPO_COUNTRY_CODE, settings.CPO_PARTY_ID


def find(authorization: str) -> OcpiConnection | None:
    """Return the connection whose token an Authorization header shows, None for anything else.

    `Token <base64>` as OCPI says, or the bare token of old peers; either is looked up by its hash.
    """
    hashes = [hash_of(token) for token in _tokens_in(authorization)]
    if not hashes:
        return None
    known = Q(server_token_hash__in=hashes) & ~Q(state=OcpiConnection.State.UNREGISTERED)
    return (
        OcpiConnection.objects.select_related("ptp").filter(known | Q(pending_token_hash__in=hashes)).first()
    )


def token_shown(connection: OcpiConnection, authorization: str) -> str:
    """Return the token of a header that `find` took for this connection, "" if it is good no longer."""
    good = {connection.server_token_hash, connection.pending_token_hash}
    return next((token for token in _tokens_in(authorization) if hash_of(token) in good), "")


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
    """Return the Authorization header that we show the platform, "" while we have no token of it."""
    token = client_token_of(connection)
    return authorization_of(token, raw=connection.raw_tokens) if token else ""


def client_token_of(connection: OcpiConnection) -> str:
    """Return what we show the platform, "" where there is none, or none that this SEALING_KEY opens."""
    try:
        return unseal(connection.client_token_sealed) if connection.client_token_sealed else ""
    except InvalidToken:
        return ""


def authorization_of(token: str, *, raw: bool = False) -> str:
    """Return the Authorization header for a token."""
    return f"Token {token}" if raw else f"Token {base64.b64encode(token.encode()).decode()}"


def set_client_token(connection: OcpiConnection, token: str) -> None:
    """Remember, sealed, what we show the platform; the caller saves."""
    connection.client_token_sealed = seal(token)


# --- What a handshake changes: each by one conditional update, so that of two at once one wins ------


def await_token(connection: OcpiConnection, token: str) -> bool:
    """Let a token that we are about to send open our doors besides the present one; False if all changed.

    A platform that has no registration gets no further with it than to versions and credentials.
    """
    return _change(connection, Q(state=connection.state), pending_token_hash=hash_of(token))


def drop_awaited(connection: OcpiConnection, token: str) -> None:
    """Close our doors to a token that the platform did not take."""
    _change(connection, Q(pending_token_hash=hash_of(token)), pending_token_hash="")


def settle(
    connection: OcpiConnection, *, agreed: Mapping[str, Any], shown: str, server_token: str, now: datetime
) -> bool:
    """Store what a handshake settled, unless the token that it was made with has died meanwhile.

    From here on `server_token` alone opens our doors. Returns whether it is stored.
    """
    known = Q(server_token_hash=hash_of(shown)) | Q(pending_token_hash=hash_of(shown))
    anew = {} if connection.is_registered else {"registered_at": now}
    return _change(
        connection,
        known & Q(state=connection.state),
        **agreed,
        **anew,
        state=OcpiConnection.State.REGISTERED,
        server_token_hash=hash_of(server_token),
        pending_token_hash="",
        token_changed_at=now,
    )


def close(connection: OcpiConnection) -> bool:
    """End a registration: no token is good any more, on either side. False if there was none."""
    return _change(
        connection,
        Q(state=OcpiConnection.State.REGISTERED),
        state=OcpiConnection.State.UNREGISTERED,
        server_token_hash="",
        pending_token_hash="",
        client_token_sealed="",
    )


def _change(connection: OcpiConnection, still: Q, **fields: Any) -> bool:
    changed = OcpiConnection.objects.filter(still, pk=connection.pk).update(**fields)
    connection.refresh_from_db()
    return bool(changed)


# --- When we heard of each other --------------------------------------------------------------------


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
