"""The bodies that go out, declared for the API description; payments.statements writes them.

A test holds every answer against these shapes.
"""

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from chargers.availability import UnavailableReason
from chargers.facts import EvseStatus
from payments.states import PaymentState, Review
from sessions_app.states import SessionState, StopReason

AMOUNT = {"type": "string", "pattern": r"^-?[0-9]+(\.[0-9]+)?$", "example": "12.30"}


@extend_schema_field(AMOUNT)
class Amount(serializers.CharField):
    """A decimal string in major units, with the digits of its currency."""


@extend_schema_field(
    {
        "type": "object",
        "additionalProperties": True,
        "description": "OCPI 2.3.0 mod_cdrs, CDR object; auth_method COMMAND, numbers as JSON numbers.",
    }
)
class OcpiCdr(serializers.JSONField):
    """An OCPI 2.3.0 CDR."""


def _choices(kind: Any, *more: str) -> list[tuple[str, str]]:
    return [(str(member), str(member)) for member in kind if str(member)] + [(name, name) for name in more]


SESSION_STATES = _choices(SessionState)
PAYMENT_STATES = _choices(PaymentState)


class PriceLine(serializers.Serializer):
    """One line of the price screen, in AFIR order: per kWh, per minute, per session; incl. VAT."""

    kind = serializers.ChoiceField(choices=["energy", "time", "session", "parking"])
    text = serializers.CharField(help_text="The whole line, in the language asked for.")
    amount = Amount(help_text="Its number, incl. VAT; time is per minute.")
    unit = serializers.ChoiceField(choices=["kWh", "min", "session"])


class ConnectorShape(serializers.Serializer):
    """A connector that the terminal sells."""

    id = serializers.UUIDField()
    evse_uid = serializers.CharField(help_text="OCPI EVSE uid.")
    label = serializers.CharField(help_text="What is printed on the charger.")  # type: ignore[assignment]
    standard = serializers.CharField(help_text="OCPI ConnectorType.")
    max_power_w = serializers.IntegerField()
    status = serializers.ChoiceField(
        choices=_choices(EvseStatus), help_text="As the charger reports it; UNKNOWN while it is gone."
    )
    available = serializers.BooleanField(help_text="Whether a session may be started now.")
    reason = serializers.ChoiceField(
        choices=_choices(UnavailableReason, "no_tariff"),
        allow_null=True,
        help_text="Why it is not available.",
    )
    price_lines = PriceLine(many=True)


class ConnectorList(serializers.Serializer):
    """A page of connectors."""

    items = ConnectorShape(many=True)
    next = serializers.URLField(allow_null=True, help_text="The next page (200 items each), null at the end.")


class QuoteShape(serializers.Serializer):
    """The price that a session is charged by when it names this quote."""

    quote_id = serializers.UUIDField()
    currency = serializers.CharField(help_text="ISO 4217.")
    preauthorize_amount = Amount(help_text="What to hold.")
    minimum_amount = Amount(help_text="The smallest hold that starts a session.")
    price_lines = PriceLine(many=True)
    terms = serializers.CharField(allow_blank=True, help_text="To be shown with the lines.")
    valid_until = serializers.DateTimeField()


class ReceiptLinks(serializers.Serializer):
    """Where the driver finds the session while it runs and the receipt afterwards; not guessable."""

    url = serializers.URLField()
    pdf_url = serializers.URLField()
    qr_svg_url = serializers.URLField(help_text="QR code of `url`, to be shown on the terminal.")


class StartedShape(serializers.Serializer):
    """The session that was asked for."""

    id = serializers.UUIDField()
    status = serializers.ChoiceField(choices=SESSION_STATES)
    payment_status = serializers.ChoiceField(choices=PAYMENT_STATES)
    receipt = ReceiptLinks()


class SettlementBrief(serializers.Serializer):
    """What to do with the hold."""

    action = serializers.ChoiceField(
        choices=["PENDING", "CAPTURE", "RELEASE"],
        help_text="PENDING: keep it. CAPTURE: capture `amount`. RELEASE: drop it.",
    )
    due = serializers.BooleanField(help_text="Whether that is yet to be done; false once you told us.")
    amount = Amount(allow_null=True)
    currency = serializers.CharField()


class Cost(serializers.Serializer):
    """What the session costs so far; never falls."""

    currency = serializers.CharField()
    incl_vat = Amount()
    excl_vat = Amount()


class Limit(serializers.Serializer):
    """The paid limit: the session is stopped when its cost meets the hold."""

    amount = Amount()
    energy_wh = serializers.IntegerField(allow_null=True, help_text="Forecast of the energy at the limit.")
    reached_at = serializers.DateTimeField(allow_null=True)


class Named(serializers.Serializer):
    """Which session, and in which states."""

    id = serializers.UUIDField(help_text="Of the session.")
    terminal_id = serializers.CharField()
    connector_id = serializers.UUIDField()
    evse_uid = serializers.CharField()
    label = serializers.CharField()  # type: ignore[assignment]
    authorization_reference = serializers.CharField()
    status = serializers.ChoiceField(choices=SESSION_STATES)
    payment_status = serializers.ChoiceField(choices=PAYMENT_STATES)
    started_at = serializers.DateTimeField(allow_null=True)
    ended_at = serializers.DateTimeField(allow_null=True)
    duration_seconds = serializers.IntegerField()
    energy_wh = serializers.IntegerField()


class SessionShape(Named):
    """How a session and its payment stand."""

    requested_at = serializers.DateTimeField()
    power_w = serializers.IntegerField(allow_null=True)
    cost = Cost()
    limit = Limit()
    stop_reason = serializers.ChoiceField(choices=_choices(StopReason), allow_null=True)
    refusal = serializers.CharField(allow_null=True, help_text="Why it could not start.")
    stale = serializers.BooleanField(help_text="The charger has not been heard of for a while.")
    receipt = ReceiptLinks()
    settlement = SettlementBrief(allow_null=True, help_text="Null while the session is not over.")


class CostLine(serializers.Serializer):
    """One line of the bill; the lines sum to the total."""

    kind = serializers.ChoiceField(
        choices=["energy", "time", "parking", "session", "adjustment", "write_off"],
        help_text="adjustment: minimum or maximum price. write_off: what goes beyond the hold, not charged.",
    )
    volume = serializers.CharField()
    unit = serializers.ChoiceField(choices=["kWh", "h", "session"])
    price = serializers.CharField(allow_null=True, help_text="Per unit, as the tariff has it.")
    vat_percentage = serializers.CharField(allow_null=True)
    excl_vat = Amount()
    incl_vat = Amount()


class VatLine(serializers.Serializer):
    """Net, VAT and gross of one rate."""

    percentage = serializers.CharField(allow_null=True)
    net = Amount()
    vat = Amount()
    gross = Amount()


class Total(serializers.Serializer):
    """What the session costs; `incl_vat` is what is captured."""

    currency = serializers.CharField()
    excl_vat = Amount()
    vat = Amount()
    incl_vat = Amount()


class SettlementShape(Named, SettlementBrief):
    """The final details of a session."""

    stop_reason = serializers.ChoiceField(choices=_choices(StopReason), allow_null=True)
    refusal = serializers.CharField(allow_null=True)
    authorized_amount = Amount()
    captured_amount = Amount()
    refunded_amount = Amount(help_text="Given back of what was captured.")
    review = serializers.ChoiceField(
        choices=_choices(Review), allow_null=True, help_text="Why our staff look at it."
    )
    due_at = serializers.DateTimeField(allow_null=True)
    cost_lines = CostLine(many=True)
    vat = VatLine(many=True)
    total = Total()
    receipt_number = serializers.CharField(allow_null=True)
    receipt = ReceiptLinks()
    cdr = OcpiCdr(allow_null=True)


class SettlementList(serializers.Serializer):
    """A page of settlements."""

    items = SettlementShape(many=True)
    next = serializers.URLField(allow_null=True)


class RefundShape(serializers.Serializer):
    """Something that was captured and is to be given back."""

    id = serializers.UUIDField(help_text="Of the refund; give back once per id, however often it is told.")
    session_id = serializers.UUIDField()
    terminal_id = serializers.CharField(allow_null=True)
    authorization_reference = serializers.CharField()
    due = serializers.BooleanField(help_text="Whether that is yet to be done; false once you told us.")
    amount = Amount(help_text="What to give back: a part or all of what was captured.")
    currency = serializers.CharField()
    captured_amount = Amount(help_text="What was captured of this hold.")
    asked_at = serializers.DateTimeField()
    credit_note_number = serializers.CharField()
    cdr = OcpiCdr(help_text="The credit CDR.")


class RefundList(serializers.Serializer):
    """A page of refunds."""

    items = RefundShape(many=True)
    next = serializers.URLField(allow_null=True)


class ReceiptTotal(serializers.Serializer):
    """What was charged."""

    currency = serializers.CharField()
    incl_vat = Amount()


class Card(serializers.Serializer):
    """The card as the PTP named it."""

    scheme = serializers.CharField(allow_null=True)
    last4 = serializers.CharField(allow_null=True)


class ReceiptShape(Named):
    """One line behind the Receipt button."""

    total = ReceiptTotal()
    card = Card()
    receipt_number = serializers.CharField(allow_null=True)
    receipt = ReceiptLinks()


class ReceiptList(serializers.Serializer):
    """A page of receipts."""

    items = ReceiptShape(many=True)
    next = serializers.URLField(allow_null=True)


class HeartbeatShape(serializers.Serializer):
    """The server's answer to a heartbeat."""

    terminal_id = serializers.CharField()
    server_time = serializers.DateTimeField()


class Fault(serializers.Serializer):
    """One wrong field."""

    path = serializers.CharField()
    code = serializers.CharField()
    message = serializers.CharField()


class ProblemShape(serializers.Serializer):
    """An error (RFC 9457); `code` is what programs look at."""

    type = serializers.CharField()
    title = serializers.CharField()
    status = serializers.IntegerField()
    code = serializers.CharField()
    detail = serializers.CharField()
    errors = Fault(many=True, required=False)  # type: ignore[assignment]


class UnavailableShape(ProblemShape):
    """The connector could not start: the session is stored as REJECTED, the hold must be released."""

    session_id = serializers.UUIDField(required=False)
    reason = serializers.CharField(required=False)
    settlement = SettlementBrief(required=False)
    receipt = ReceiptLinks(required=False)
