"""Plain words and tones for the life of a connection, its circuit, its messages and its outbox."""

from datetime import datetime
from typing import Final

from emabler.portal.overview import LANGUAGE
from emabler.portal.words import Sign
from payments.models import OcpiConnection, OcpiMessage, OutboxMessage
from payments.receipts import formats

State = OcpiConnection.State
STATE: Final[dict[str, Sign]] = {
    State.INVITED: Sign("Invited, not registered yet", "wait"),
    State.REGISTERED: Sign("Registered", "good"),
    State.UNREGISTERED: Sign("Ended", "calm"),
}
NOT_INVITED: Final = (
    Sign("Not invited yet", "calm"),
    "No token was given out and no handshake made. Invite them, or connect with a token that they gave us.",
)
STATE_MEANS: Final[dict[str, str]] = {
    State.INVITED: "They have our versions URL and token A; the handshake has not been made.",
    State.REGISTERED: "Both sides have exchanged credentials.",
    State.UNREGISTERED: "One side ended it. No token is good any more; invite them or connect again.",
}
DELIVERY: Final[dict[str, Sign]] = {
    OutboxMessage.State.DUE: Sign("Waiting", "wait"),
    OutboxMessage.State.DELIVERED: Sign("Delivered", "good"),
    OutboxMessage.State.GIVEN_UP: Sign("Given up", "bad"),
}
DIRECTION: Final[dict[str, str]] = {
    OcpiMessage.Direction.IN: "from them",
    OcpiMessage.Direction.OUT: "to them",
}
TOPICS: Final[dict[str, str]] = {
    "settlement.due": "Capture or release (webhook)",
    "session.updated": "Session (webhook)",
    "refund.due": "Refund (webhook)",
    "ocpi.session": "Session",
    "ocpi.cdr": "CDR",
    "ocpi.credit": "Credit CDR",
    "ocpi.location": "Charging points of a site",
    "ocpi.tariff": "Tariff",
    "ocpi.command_result": "Result of a command",
    "ocpi.terminal": "Terminal's assignment",
}


def topic(name: str) -> str:
    """Return what a message of the outbox is about; a topic without words here speaks for itself."""
    return TOPICS.get(name, name)


def state(connection: OcpiConnection) -> tuple[Sign, str]:
    """Return where the handshake stands, and what that means."""
    if connection.state == State.INVITED and not connection.server_token_hash:
        return NOT_INVITED
    return STATE[connection.state], STATE_MEANS[connection.state]


def party(country_code: str, party_id: str) -> str:
    """Return a party's name, or that it has none yet."""
    return f"{country_code}*{party_id}" if country_code and party_id else "party not known yet"


def circuit(connection: OcpiConnection, now: datetime) -> Sign:
    """Return whether the platform answers our calls; read `ptp` with select_related."""
    ptp = connection.ptp
    failures, what = ptp.failures_in_row or ptp.errors_in_row, "reached nobody"
    if not failures:
        return Sign("Answers", "good") if connection.last_reached_at else Sign("Not called yet", "calm")
    if not ptp.failures_in_row:
        what = "met a fault of the platform"
    calls = "1 call" if failures == 1 else f"{failures} calls in a row"
    again = f", asked again at {ptp.probe_at:%H:%M:%S} UTC" if ptp.probe_at and ptp.probe_at > now else ""
    return Sign(f"{calls} {what}{again}", "bad")


def answer(message: OcpiMessage) -> Sign:
    """Return how a call ended: the HTTP status and, where it got that far, OCPI's."""
    if message.http_status is None:
        return Sign("no answer", "bad")
    text = str(message.http_status) + (f" · {message.ocpi_status}" if message.ocpi_status else "")
    if message.http_status >= 500 or (message.ocpi_status or 0) >= 3000:
        return Sign(text, "bad")
    if message.http_status >= 400 or (message.ocpi_status or 0) >= 2000:
        return Sign(text, "wait")
    return Sign(text, "good")


def when(at: datetime | None, never: str = "never") -> str:
    """Return a moment in UTC to the second, or the word for none."""
    return f"{formats.moment(at, 'UTC', LANGUAGE)}:{at:%S}" if at else never


def ago(at: datetime | None, now: datetime, never: str = "never") -> str:
    """Return how long ago something was, or the word for never."""
    if at is None:
        return never
    seconds = max(int((now - at).total_seconds()), 0)
    if seconds < 2 * 86400:
        return f"{formats.duration(seconds)} ago"
    return f"{seconds // 86400} days ago"
