"""Agree with a platform on tokens, version and endpoints, whoever begins (OCPI 2.3.0 credentials).

No step holds a database transaction, for every one calls the platform or is called by it. Whatever is lost on
the way, the last state stands, and staff may invite the platform anew.
"""

import contextlib
from datetime import datetime
from typing import Any, Final

from django.conf import settings

from payments import circuit, outbound
from payments.models import OcpiConnection
from payments.ocpi import connections
from payments.ocpi.credentials import (
    PTP_ROLES,
    CredentialsEntry,
    PartyRole,
    credentials_document,
    parse_credentials,
)
from payments.ocpi.dialects import Version
from payments.ocpi.discovery import (
    Found,
    HandshakeFailed,
    NotUsable,
    faults_of,
    look_around,
    refusal,
)
from payments.ocpi.envelope import Status
from payments.ocpi.push import client
from payments.ocpi.push.client import Answer, BadAnswer, CallFailed, Refused, Unreachable
from payments.ocpi.reading import plain
from payments.outbound import Limits
from payments.sealed import seal
from tariffs.engine.errors import InvalidInput

# Before a platform answers it calls us back, twice.
EXCHANGE: Final = Limits(read_seconds=20.0, call_seconds=25.0)


class WrongParty(HandshakeFailed):
    """It is not the party that was invited, or none that sells at payment terminals."""

    status = Status.INVALID


class Declined(HandshakeFailed):
    """It said no to our credentials; nothing has changed."""


class WrongToken(HandshakeFailed):
    """No platform can have given us such a token."""


class WrongState(HandshakeFailed):
    """Registered already, or not yet, or somebody else was faster."""


# --- They begin -----------------------------------------------------------------------------------


def accept(
    connection: OcpiConnection,
    body: object,
    *,
    shown: str,
    version: Version,
    correlation_id: str,
    now: datetime,
) -> dict[str, Any]:
    """Take a platform's credentials, register it or update its registration, and return ours.

    `shown` is the token that the request came with: it is dead afterwards. Raises InvalidInput for the
    credentials' faults, HandshakeFailed for everything else; then nothing has changed.
    """
    entry = parse_credentials(body)
    partner = _partner(entry, connection)
    found = look_around(connection, entry.url, entry.token, wanted=version, correlation_id=correlation_id)
    fresh = connections.new_token()
    agreed = _agreed(entry, found, body) | _who(partner)
    if not connections.settle(connection, agreed=agreed, shown=shown, server_token=fresh, now=now):
        raise WrongState("Another handshake of this platform was faster.")
    circuit.note_answer(connection.ptp_id)
    return our_credentials(connection, fresh, version)


def our_credentials(connection: OcpiConnection, server_token: str, version: Version) -> dict[str, Any]:
    """Return our Credentials for a platform: every party of ours that it may see, as a CPO."""
    name = settings.SELLER["name"]
    parties = sorted(connections.parties_of(connection))
    roles = [PartyRole(role="CPO", country_code=party[0], party_id=party[1], name=name) for party in parties]
    return credentials_document(server_token, connections.versions_url(), roles, version)


# --- We begin -------------------------------------------------------------------------------------


def register_at(
    connection: OcpiConnection,
    versions_url: str,
    token_a: str,
    *,
    version: Version | None = None,
    now: datetime,
) -> OcpiConnection:
    """Register at a platform that gave us token A; the highest version in common, or the one asked for.

    Raises HandshakeFailed; then the connection is what it was.
    """
    if connection.is_registered:
        raise WrongState("Registered already. Rotate the tokens, or end this registration first.")
    if not connections.is_token(token_a):
        raise WrongToken("A token is 1 to 64 printable ASCII characters without a space.")
    found = look_around(connection, versions_url, token_a, wanted=version)
    return _exchange(connection, "POST", found, token_a, versions_url=versions_url, now=now)


def rotate(connection: OcpiConnection, *, version: Version | None = None, now: datetime) -> OcpiConnection:
    """Change both tokens, fetch the endpoints anew, and speak another version from here on if one is asked for.

    Raises HandshakeFailed. Both of our tokens are good until the platform has answered; when its answer is
    lost they stay so, for it may use either.
    """
    if not connection.is_registered:
        raise WrongState("Not registered: there is nothing to rotate.")
    token = connections.client_token_of(connection)
    if not token:
        raise WrongState("Our token for it cannot be read. Invite the platform anew.")
    versions_url, wanted = connection.versions_url, version or Version(connection.version)
    found = look_around(connection, versions_url, token, wanted=wanted)
    return _exchange(connection, "PUT", found, token, versions_url=versions_url, now=now)


def unregister(connection: OcpiConnection) -> str:
    """End a registration; returns "" when the platform has confirmed, or why it has not.

    Our doors close first, and stay closed whatever it answers. Raises WrongState.
    """
    url, token = connection.endpoint("credentials"), connections.client_token_of(connection)
    if not connections.close(connection):
        raise WrongState("Not registered: there is nothing to end.")
    return _say_goodbye(connection, url, token)


def _exchange(
    connection: OcpiConnection, method: str, found: Found, token: str, *, versions_url: str, now: datetime
) -> OcpiConnection:
    """Send our credentials and store what comes back."""
    fresh = connections.new_token()
    # The platform looks around at ours with this token before it answers.
    if not connections.await_token(connection, fresh):
        raise WrongState("Another handshake of this platform was faster.")
    answer = _sent(connection, method, found, token, fresh)
    try:
        entry = parse_credentials(answer.data)
    except InvalidInput as error:
        raise NotUsable(f"{method} {found.credentials_url}: {faults_of(error)}") from error
    agreed = {"versions_url": versions_url} | _agreed(entry, found, answer.data)
    if not connection.is_registered:
        agreed |= _who(_partner_or_goodbye(connection, entry, found, fresh))
    if not connections.settle(connection, agreed=agreed, shown=fresh, server_token=fresh, now=now):
        raise WrongState("Another handshake of this platform was faster.")
    circuit.note_answer(connection.ptp_id)
    return connection


def _partner_or_goodbye(
    connection: OcpiConnection, entry: CredentialsEntry, found: Found, fresh: str
) -> PartyRole:
    """The role to deal with. A platform that is somebody else believes to be registered: take it back."""
    try:
        return _partner(entry, connection)
    except WrongParty:
        connections.drop_awaited(connection, fresh)
        _say_goodbye(connection, found.credentials_url, entry.token)
        raise


def _sent(connection: OcpiConnection, method: str, found: Found, token: str, fresh: str) -> Answer:
    """Send credentials. A refusal closes our doors to the fresh token; a lost answer cannot."""
    url = found.credentials_url
    body = our_credentials(connection, fresh, found.version)
    try:
        answer = client.call(
            connection,
            method,
            url,
            body=body,
            module="credentials",
            routed=False,
            token=token,
            correlation_id=found.correlation_id,
            limits=EXCHANGE,
        )
    except Refused as error:
        connections.drop_awaited(connection, fresh)
        raise NotUsable(f"{url}: {error}.") from error
    except Unreachable as error:
        lost = "It may have taken our credentials all the same."
        raise NotUsable(f"{method} {url}: {error}. {lost}") from error
    except BadAnswer as error:
        if error.http_status // 100 == 4:
            connections.drop_awaited(connection, fresh)
        raise NotUsable(refusal(f"{method} {url}", error)) from error
    if not answer.ok:
        connections.drop_awaited(connection, fresh)
        raise Declined(refusal(f"{method} {url}", answer))
    return answer


def _say_goodbye(connection: OcpiConnection, url: str, token: str) -> str:
    if not url or not token:
        return "The platform was not told: we know no address or no token of it."
    try:
        answer = client.call(connection, "DELETE", url, module="credentials", routed=False, token=token)
    except CallFailed as error:
        return f"The platform was not told: {error}"[:300]
    # 405 and 401: to it there is no registration either.
    return "" if answer.ok or answer.http_status in (401, 405) else f"The platform answered {answer}"


# --- What was agreed ------------------------------------------------------------------------------


def _partner(entry: CredentialsEntry, connection: OcpiConnection) -> PartyRole:
    """The role to deal with: of the party that was invited, or the first fit where none was named.

    Raises WrongParty.
    """
    invited = (connection.country_code, connection.party_id)
    fit = [role for role in entry.roles if role.role in PTP_ROLES]
    if all(invited):
        fit = [role for role in fit if (role.country_code.upper(), role.party_id.upper()) == invited]
    if not fit:
        of = f" of {invited[0]}*{invited[1]}" if all(invited) else ""
        told = ", ".join(f"{role.role} {role.country_code}*{role.party_id}" for role in entry.roles[:5])
        raise WrongParty(f"roles: none is {', '.join(PTP_ROLES)}{of}, but {told}.")
    return min(fit, key=lambda role: PTP_ROLES.index(role.role))


def _who(partner: PartyRole) -> dict[str, str]:
    country_code, party_id = partner.country_code.upper(), partner.party_id.upper()
    return {"country_code": country_code, "party_id": party_id, "role": partner.role}


def _agreed(entry: CredentialsEntry, found: Found, credentials: Any) -> dict[str, Any]:
    """What is stored of a platform's credentials; an address that we shall never call is not."""
    agreed = {
        "version": found.version.value,
        "endpoints": found.endpoints,
        "roles": plain(credentials["roles"]),
        "client_token_sealed": seal(entry.token),
    }
    with contextlib.suppress(Refused):
        outbound.check_form(entry.url)
        agreed["versions_url"] = entry.url
    return agreed
