"""POST commands/{command}: what a PTP asks for, answered at once; what came of it follows as a CommandResult."""

from typing import ClassVar

from payments.ocpi import response_urls
from payments.ocpi.commands import (
    CommandBody,
    CommandResponseType,
    CommandType,
    StartSessionBody,
    StopSessionBody,
    command_response,
    parse_command,
)
from payments.ocpi.envelope import OcpiError, Reply, Status
from payments.ocpi.reading import Reader
from payments.ocpi.server.paths import both
from payments.ocpi.server.transport import Call, OcpiView
from payments.ocpi.start import Asked, start_session
from payments.ocpi.stop import stop_session

LONGEST_LANGUAGE = 10  # `en`, or with a region


class CommandView(OcpiView):
    """Every command; those for help desks and reservations are understood and not supported."""

    module: ClassVar[str] = "commands"

    def post(self, call: Call, command: str) -> Reply:
        """Answer a CommandResponse."""
        if command not in CommandType.__members__:
            message = f"There is no command {command[:40]!r}."
            raise OcpiError(Status.CLIENT_ERROR, message, http_status=404)
        body = parse_command(CommandType[command], call.body)
        return Reply(data=_answer(call, body))


def _answer(call: Call, body: CommandBody) -> dict[str, object]:
    asked = Asked(
        connection=call.connection,
        parties=call.parties,
        only=call.only,
        language=_language(call),
        correlation_id=call.correlation_id,
    )
    if isinstance(body, StartSessionBody):
        return start_session(asked, body, now=call.now)
    if isinstance(body, StopSessionBody):
        return stop_session(asked, body, now=call.now)
    # UNLOCK_CONNECTOR is never for drivers (OCPI 2.3.0 mod_commands), and a terminal has no other users.
    response_urls.check(body.response_url, call.connection)
    return command_response(CommandResponseType.NOT_SUPPORTED, 0)


def _language(call: Call) -> str:
    """The driver's language, which a Token may tell; one that is no text does not keep a car from charging."""
    token = call.reader().part("token")
    told = Reader(token.fields, "").text("language", longest=LONGEST_LANGUAGE) if token else None
    return (told or "").strip().lower()


urlpatterns = both("commands/<str:command>", CommandView, "ocpi-command")
