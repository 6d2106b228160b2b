"""Terminals and financial advice confirmations that a PTP tells us (OCPI 2.3.0 mod_payments, Receiver)."""

import logging
from collections.abc import Mapping
from typing import Any, ClassVar

from payments.models import Terminal
from payments.ocpi import booking
from payments.ocpi.enrolment import amend, enrol, entry_of
from payments.ocpi.envelope import OcpiError, Reply, Status, created, unknown
from payments.ocpi.server.paths import both
from payments.ocpi.server.segments import may_be_id
from payments.ocpi.server.transport import Call, OcpiView
from payments.ocpi.terminals import parse_terminal_patch, terminal_document
from payments.terminals import find_terminal
from tariffs.engine.errors import InvalidInput

logger = logging.getLogger(__name__)


class TerminalsView(OcpiView):
    """Where a PTP's terminals come to us."""

    module: ClassVar[str] = "payments"

    def post(self, call: Call) -> Reply:
        """Store a terminal; its id alone will do."""
        _, is_new = enrol(call.connection, call.body, now=call.now)
        return created() if is_new else Reply()


class TerminalView(OcpiView):
    """One terminal. The text has GET alone; PUT and PATCH are taken from PTPs that send them."""

    module: ClassVar[str] = "payments"

    def get(self, call: Call, terminal_id: str) -> Reply:
        """Tell it as we know it, with our assignment."""
        return Reply(data=terminal_document(entry_of(_terminal(call, terminal_id))))

    def put(self, call: Call, terminal_id: str) -> Reply:
        """Store it whole."""
        _, is_new = enrol(call.connection, _named(call.body, terminal_id), now=call.now)
        return created() if is_new else Reply()

    def patch(self, call: Call, terminal_id: str) -> Reply:
        """Change the fields that are given."""
        parse_terminal_patch(call.body)
        told = _named(call.body, terminal_id)
        terminal = find_terminal(call.connection.ptp, terminal_id) if may_be_id(terminal_id) else None
        if terminal is None:
            raise OcpiError(Status.INVALID, "There is no such terminal; POST it.")
        amend(terminal, told, now=call.now)
        return Reply()


def _terminal(call: Call, terminal_id: str) -> Terminal:
    """Return the caller's terminal. Raises OcpiError, the same for one of another PTP."""
    terminal = find_terminal(call.connection.ptp, terminal_id) if may_be_id(terminal_id) else None
    if terminal is None:
        raise unknown("terminal")
    return terminal


def _named(body: Any, terminal_id: str) -> Any:
    """The body with the id of the address, where it names none. Raises OcpiError for another id."""
    if not isinstance(body, Mapping):
        return body
    named = body.get("terminal_id")
    if named is not None and str(named).lower() != terminal_id.lower():
        raise OcpiError(Status.INVALID, "terminal_id: The address names another terminal.")
    return {**body, "terminal_id": terminal_id}


class ConfirmationsView(OcpiView):
    """Where a PTP tells what it captured."""

    module: ClassVar[str] = "payments"
    leniently: ClassVar[bool] = True

    def post(self, call: Call) -> Reply:
        """Book it, or keep it for staff; a money fact is never refused for what it says."""
        try:
            is_new = booking.book(call.connection, call.body, now=call.now)
        except InvalidInput as error:
            logger.warning("%s told what cannot be taken: %s", call.connection.ptp.name, error)
            raise
        return created() if is_new else Reply()


class ConfirmationView(OcpiView):
    """One confirmation, as it was told last."""

    module: ClassVar[str] = "payments"

    def get(self, call: Call, confirmation_id: str) -> Reply:
        """Give it back."""
        told = None
        if may_be_id(confirmation_id):
            told = booking.last_told(call.connection, confirmation_id, call.version)
        if told is None:
            raise unknown("financial advice confirmation")
        return Reply(data=told)


urlpatterns = [
    *both("payments/terminals", TerminalsView, "ocpi-terminals"),
    *both("payments/terminals/<str:terminal_id>", TerminalView, "ocpi-terminal"),
    *both("payments/financial-advice-confirmations", ConfirmationsView, "ocpi-confirmations"),
    *both(
        "payments/financial-advice-confirmations/<str:confirmation_id>", ConfirmationView, "ocpi-confirmation"
    ),
]
