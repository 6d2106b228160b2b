"""CommandResults: what came of a START_SESSION or STOP_SESSION, posted to where the PTP awaits it.

OCPI 2.3.0 mod_commands. One message per command; it is repeated only while no answer came. A terminal has
given up after a few minutes, so has this; the Session and the CDR tell the rest.
"""

from dataclasses import replace
from datetime import timedelta
from typing import Final

from django.utils import timezone

from chargers.failpoints import failpoint
from payments import outbox
from payments.models import OcpiCommand, OcpiConnection, OutboxMessage
from payments.ocpi import results
from payments.ocpi.commands import CommandResultType, command_result
from payments.ocpi.push import sending
from payments.ocpi.push.sending import Failed
from payments.ocpi.their_parties import owner_of
from payments.outbox import Delivery

AWAITED_FOR: Final = timedelta(minutes=5)


@sending.carrier
def carry(message: OutboxMessage, connection: OcpiConnection) -> Delivery:
    """Post the result of one command."""
    command = (
        OcpiCommand.objects.select_related("connection", "payment__session__evse__site")
        .filter(pk=message.subject, connection=connection)
        .exclude(result="")
        .first()
    )
    if command is None:
        return sending.impossible("there is no such command, or no result of it")
    if timezone.now() - message.created_at > AWAITED_FOR:
        return sending.impossible("nobody awaits the result any more")
    session = command.payment.session
    assert session is not None, "a payment that came by OCPI has a session"
    site = session.evse.site
    failpoint("F11_result_before_http")
    try:
        answer = sending.call(
            connection,
            "POST",
            command.response_url,
            module="commands",
            body=command_result(CommandResultType(command.result), results.messages_of(command)),
            to_party=owner_of(connection, command.payment.token),
            from_party=(site.country_code, site.party_id),
            correlation_id=command.correlation_id,
        )
    except Failed as failure:
        # OCPI wants an envelope here too; some answer with nothing but "OK".
        return Delivery(delivered=True) if failure.http_status // 100 == 2 else failure.delivery
    failpoint("F11_result_after_http")
    return replace(sending.outcome(answer), permanent=sending.refused(answer))


outbox.register(results.TOPIC, carry)
