"""START_SESSION: a hold that a PTP reports over OCPI becomes a session, once (OCPI 2.3.0 mod_commands).

One more door to the same use case as the native API: the price is the one that this platform last
acknowledged, the hold is the one published with it, as the command carries neither. Nothing here waits for a
charger: what it says becomes the CommandResult (results.py).
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from django.conf import settings
from django.db import IntegrityError
from django.db.models import Q

from chargers.models import Connector
from payments import idempotency
from payments.errors import IdempotencyConflict, InProgress
from payments.idempotency import Answer
from payments.models import OcpiCommand, OcpiConnection, Payment, Quote, Terminal
from payments.ocpi import connections, refusals, response_urls, results
from payments.ocpi.commands import CommandResponseType, StartSessionBody, command_response
from payments.ocpi.connections import Party
from payments.ocpi.envelope import OcpiError, Status
from payments.ocpi.seen import Agreed, NotSeen, tariff_for
from payments.ocpi.their_parties import owner_of
from payments.preauthorization import Hold, open_payment
from payments.terminals import language_for
from sessions_app.offering import reason_against

# What the sweep may take to see that a charger did not answer; the PTP is told to wait as long.
MARGIN_SECONDS: Final = 15.0
LONGEST_CORRELATION_ID: Final = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """Who asks for a session, and for which of our parties."""

    connection: OcpiConnection
    parties: frozenset[Party]
    only: frozenset[Party] | None = None  # the one that was asked for, None for all that it ever paid
    language: str = ""  # the driver's, where the token tells it
    correlation_id: str = ""


def start_session(asked: Asked, body: StartSessionBody, *, now: datetime) -> dict[str, object]:
    """Return the CommandResponse; the same reference gets the stored one, and its CommandResult once more.

    A REJECTED tells the PTP to drop its hold, so it is stored too: a late repeat starts nothing. Raises
    OcpiError: 2001 for a body that cannot be carried out or a reference that was used with another one, 2002
    where it does not say which EVSE, 2003 for a place that is not there for this caller, 3000 to ask again.
    """
    reference = body.authorization_reference
    if not reference:
        raise OcpiError(Status.INVALID, "authorization_reference: This field is required.")
    response_urls.check(body.response_url, asked.connection)
    _check_owner(asked, body)
    made: list[Answer] = []

    def act() -> Answer:
        made.append(_open(asked, body, reference, now))
        return made[-1]

    try:
        answer = idempotency.once(
            ptp=asked.connection.ptp,
            keys=_keys_of(reference),
            request_hash=_fingerprint(body),
            act=act,
        )
    except IdempotencyConflict:
        raise _used_before() from None
    except IntegrityError:
        if Payment.objects.filter(ptp=asked.connection.ptp, authorization_reference=reference).exists():
            raise _used_before() from None
        raise
    except InProgress as error:
        raise OcpiError(Status.SERVER_ERROR, str(error.__doc__)) from error
    if not any(answer is own for own in made):
        results.tell_again(asked.connection, body, asked.correlation_id, now=now)
    return answer.body


def _keys_of(reference: str) -> list[str]:
    """What an answer is found by: the reference as it is written, and as all its spellings are (CiString).

    As it is written the native API may have used it.
    """
    return list(dict.fromkeys(f"reference:{spelling}" for spelling in (reference.lower(), reference)))


def _check_owner(asked: Asked, body: StartSessionBody) -> None:
    """A platform uses tokens of its own only (OCPI 2.3.0 mod_commands, StartSession); that is all we ask of them."""
    if owner_of(asked.connection, body.token) is None:
        raise OcpiError(Status.INVALID, "token: It is not one of your party.")


def _used_before() -> OcpiError:
    """Not a CommandResponse REJECTED: that would be taken for the release of a hold that may be in use."""
    message = "This authorization_reference was used before with another body; nothing was changed."
    return OcpiError(Status.INVALID, message)


def _fingerprint(body: StartSessionBody) -> str:
    """What makes two commands the same one: all but the address of the result, which may be a new one."""
    return idempotency.fingerprint(
        {
            "command": "START_SESSION",
            "token": body.token,
            "location_id": body.location_id,
            "evse_uid": body.evse_uid,
            "connector_id": body.connector_id,
        }
    )


def _open(asked: Asked, body: StartSessionBody, reference: str, now: datetime) -> Answer:
    """Start, or say why not; inside the transaction that stores the answer."""
    connector = find_connector(asked.parties, body)
    problem = reason_against(connector.evse)
    if problem is not None:
        return _rejected(asked, problem)
    agreed = tariff_for(asked.connection, connector, now=now)
    if isinstance(agreed, NotSeen):
        return _rejected(asked, agreed)
    hold = _hold(asked, body, reference, connector, agreed)
    payment = open_payment(hold, _quote(asked, connector, agreed, now), now=now)
    assert payment.session is not None
    if payment.session.is_over:
        return _rejected(asked, payment.session.refusal)
    timeout_seconds = settings.COMMAND_TIMEOUT_SECONDS + MARGIN_SECONDS
    OcpiCommand.objects.create(
        connection=asked.connection,
        kind=OcpiCommand.Kind.START,
        payment=payment,
        response_url=body.response_url,
        correlation_id=asked.correlation_id[:LONGEST_CORRELATION_ID],
        deadline_at=now + timedelta(seconds=timeout_seconds),
        created_at=now,
    )
    return Answer(200, command_response(CommandResponseType.ACCEPTED, round(timeout_seconds)))


def _rejected(asked: Asked, refusal: str) -> Answer:
    languages = refusals.spoken(asked.language, asked.connection.languages)
    texts = refusals.why_not_started(refusal, languages)
    return Answer(200, command_response(CommandResponseType.REJECTED, 0, texts))


def find_connector(parties: frozenset[Party], body: StartSessionBody) -> Connector:
    """Return the one connector that is meant. Raises OcpiError 2003 for none, 2002 for more than one.

    OCPI's ids are the same in any case. Ours may differ in nothing else, so the spelling that was given goes first.
    """
    rows = _connectors(parties, body, "exact") or _connectors(parties, body, "iexact")
    if not rows:
        raise OcpiError(Status.UNKNOWN_LOCATION, "There is no such location, EVSE or connector.")
    if len(rows) > 1:
        missing = "connector_id" if body.evse_uid else "evse_uid"
        raise OcpiError(Status.NOT_ENOUGH, f"{missing}: There are several; which is meant must be said.")
    return rows[0]


def _connectors(parties: frozenset[Party], body: StartSessionBody, lookup: str) -> list[Connector]:
    """The first two that a command may mean, by ids that are compared as `lookup` says."""
    found = Connector.objects.filter(
        connections.of_parties(parties, prefix="evse__site__"),
        **{f"evse__site__location_id__{lookup}": body.location_id},
    )
    if body.evse_uid is None:
        found = found.filter(evse__removed=False)
    else:
        found = found.filter(**{f"evse__uid__{lookup}": body.evse_uid})
    if body.connector_id is not None:
        found = found.filter(**{f"connector_id__{lookup}": body.connector_id})
    return list(found.select_related("evse__station__process", "evse__site").order_by("pk")[:2])


def _quote(asked: Asked, connector: Connector, agreed: Agreed, now: datetime) -> Quote:
    """The price as the terminal showed it, in the form that the use case takes."""
    return Quote.objects.create(
        ptp=asked.connection.ptp,
        connector=connector,
        tariff_version=agreed.version,
        currency=agreed.version.terms().currency,
        preauthorize_minor=agreed.hold_minor,
        minimum_minor=agreed.hold_minor,
        language=asked.language[:5] or "en",
        created_at=now,
        valid_until=now,
    )


def _hold(asked: Asked, body: StartSessionBody, reference: str, connector: Connector, agreed: Agreed) -> Hold:
    terminal = _terminal_at(connector, asked.connection)
    return Hold(
        ptp=asked.connection.ptp,
        terminal=terminal,
        connection=asked.connection,
        token=dict(body.token),
        authorization_reference=reference,
        authorized_minor=agreed.hold_minor,
        currency=agreed.version.terms().currency,
        language=language_for(terminal, asked.language)[:5],
    )


def _terminal_at(connector: Connector, connection: OcpiConnection) -> Terminal | None:
    """The terminal that must have sold it, as the command names none: the only one of this PTP there."""
    evse = connector.evse
    sellers = Terminal.objects.filter(
        Q(sites=evse.site_id) | Q(evses=evse.pk), ptp=connection.ptp_id, active=True
    )
    rows = list(sellers.distinct()[:2])
    return rows[0] if len(rows) == 1 else None
