"""STOP_SESSION: the same wish to stop as the native API's, for a session of this platform."""

import contextlib
import uuid
from datetime import datetime, timedelta

from django.conf import settings
from django.db import transaction

from payments import settlement
from payments.models import OcpiCommand, Payment
from payments.ocpi import connections, response_urls, results
from payments.ocpi.commands import CommandResponseType, StopSessionBody, command_response
from payments.ocpi.start import LONGEST_CORRELATION_ID, MARGIN_SECONDS, Asked
from sessions_app import lifecycle
from sessions_app.errors import NothingToStop
from sessions_app.states import StopReason


def stop_session(asked: Asked, body: StopSessionBody, *, now: datetime) -> dict[str, object]:
    """Return the CommandResponse; a session that is over already is ACCEPTED, for it is stopped.

    One that is not this platform's is as unknown as one that never was (B33). Raises OcpiError 2001.
    """
    response_urls.check(body.response_url, asked.connection)
    payment = _payment_of(asked, body.session_id)
    if payment is None:
        return command_response(CommandResponseType.UNKNOWN_SESSION, 0)
    timeout_seconds = settings.STOP_TIMEOUT_SECONDS + MARGIN_SECONDS
    with transaction.atomic():
        # Of the same wish twice at once the second finds the first one's command.
        settlement.locked(payment.pk)
        command = _command(asked, body, payment, now + timedelta(seconds=timeout_seconds), now)
        _request_stop(asked, payment, now)
        results.settle_command(command.pk, now=now)
    return command_response(CommandResponseType.ACCEPTED, round(timeout_seconds))


def _payment_of(asked: Asked, session_id: str) -> Payment | None:
    try:
        known_id = uuid.UUID(session_id)
    except ValueError:
        return None
    found = Payment.objects.filter(connection=asked.connection, session=known_id)
    if asked.only is not None:
        found = found.filter(connections.of_parties(asked.only, prefix="session__evse__site__"))
    return found.first()


def _command(
    asked: Asked, body: StopSessionBody, payment: Payment, deadline_at: datetime, now: datetime
) -> OcpiCommand:
    """The command to be answered: a repeat that is still without result is the same one."""
    same = OcpiCommand.objects.filter(
        connection=asked.connection,
        kind=OcpiCommand.Kind.STOP,
        payment=payment,
        response_url=body.response_url,
        result="",
    ).first()
    return same or OcpiCommand.objects.create(
        connection=asked.connection,
        kind=OcpiCommand.Kind.STOP,
        payment=payment,
        response_url=body.response_url,
        correlation_id=asked.correlation_id[:LONGEST_CORRELATION_ID],
        deadline_at=deadline_at,
        created_at=now,
    )


def _request_stop(asked: Asked, payment: Payment, now: datetime) -> None:
    assert payment.session_id is not None
    actor = f"terminal of {asked.connection.ptp.name}"
    with contextlib.suppress(NothingToStop):  # it is over: what was asked for is so
        lifecycle.request_stop(payment.session_id, reason=StopReason.TERMINAL, actor=actor, now=now)
