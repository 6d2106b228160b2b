"""The bodies that come in: typed fields, every fault of a body told at once."""

import re
import uuid
from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers
from rest_framework.exceptions import ErrorDetail, ValidationError

from payments.states import CaptureStatus
from tariffs.engine.errors import MoneyError
from tariffs.engine.money import parse_amount

VISIBLE_ASCII = re.compile(r"[\x21-\x7e]+")  # OCPI CiString: what survives every wire
LANGUAGE = re.compile(r"[A-Za-z]{2}(-[A-Za-z]{2})?")  # ISO 639-1, also with a region
LAST4 = re.compile(r"[0-9]{4}")
MAX_EFT_LINES = 100
MAX_EFT_LINE = 255  # OCPI 2.3.0 payments, eft_data


class Text(serializers.CharField):
    """Printable text; unlike its parent it takes no numbers, and nothing is trimmed."""

    default_error_messages = {
        "not_text": "This must be text.",
        "pattern": "The text is not of the expected form.",
    }

    def __init__(self, *, pattern: re.Pattern[str] | None = None, **options: Any) -> None:
        self.pattern = pattern
        super().__init__(trim_whitespace=False, **options)

    def to_internal_value(self, data: Any) -> str:
        """Return the text. Raises ValidationError."""
        if not isinstance(data, str):
            self.fail("not_text")
        if not data.isprintable() or (self.pattern and not self.pattern.fullmatch(data)):
            self.fail("pattern")
        return data


class Id(serializers.UUIDField):
    """A UUID as text; unlike its parent it takes no numbers."""

    def to_internal_value(self, data: Any) -> uuid.UUID:
        """Return the UUID. Raises ValidationError."""
        if not isinstance(data, str):
            self.fail("invalid", value=data)
        found: uuid.UUID = super().to_internal_value(data)
        return found


@extend_schema_field({"type": "string", "pattern": r"^[0-9]{1,9}(\.[0-9]{1,4})?$", "example": "30.00"})
class AmountText(serializers.Field):
    """An amount in major units, as a decimal string; read once its currency is known."""

    default_error_messages = {"not_text": "An amount is a decimal string, not a number."}

    def to_internal_value(self, data: Any) -> str:
        """Return the text. Raises ValidationError."""
        if not isinstance(data, str):
            self.fail("not_text")
        return data

    def to_representation(self, value: Any) -> str:
        """Return the text."""
        return str(value)


def to_minor_or_fault(values: dict[str, Any], name: str) -> int:
    """Return the amount `name` in minor units of the body's currency. Raises ValidationError."""
    try:
        return parse_amount(values[name], values["currency"])
    except MoneyError as error:
        field = "currency" if error.code == "unknown_currency" else name  # type: ignore[attr-defined]
        detail = ErrorDetail(str(error), code=error.code)  # type: ignore[attr-defined]
        raise ValidationError({field: [detail]}) from None


class CardBody(serializers.Serializer):
    """The card as it may be printed; never more of its number."""

    scheme = Text(max_length=32, required=False, allow_blank=True, default="")
    last4 = Text(pattern=LAST4, required=False, default="")


class StartBody(serializers.Serializer):
    """An approved preauthorisation that asks for a session."""

    terminal_id = Text(
        max_length=36, required=False, help_text="May be left out when the key is limited to one terminal."
    )
    connector_id = Id(help_text="`id` of a connector.")
    quote_id = Id(help_text="The quote whose price the driver was shown.")
    authorization_reference = Text(
        max_length=36, pattern=VISIBLE_ASCII, help_text="Your name for the hold; unique per PTP."
    )
    authorized_amount = AmountText(help_text="What is held, in major units.")
    currency = Text(pattern=re.compile("[A-Z]{3}"), help_text="ISO 4217, as in the quote.")
    card = CardBody(required=False, help_text="For the receipt.")
    language = Text(pattern=LANGUAGE, required=False, help_text="ISO 639-1, of receipt and pages.")

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """Add `authorized_minor`."""
        return {**attrs, "authorized_minor": to_minor_or_fault(attrs, "authorized_amount")}


class CaptureBody(serializers.Serializer):
    """What became of a capture (OCPI 2.3.0 payments, FinancialAdviceConfirmation)."""

    confirmation_id = Text(
        max_length=36,
        pattern=VISIBLE_ASCII,
        help_text="Your id of this confirmation; a repeat is answered 200.",
    )
    status = serializers.ChoiceField(choices=[(s.value, s.value) for s in CaptureStatus])
    amount = AmountText(help_text="What was captured in all for this hold, in major units.")
    currency = Text(pattern=re.compile("[A-Z]{3}"))
    eft_data = serializers.ListField(
        child=serializers.CharField(max_length=MAX_EFT_LINE, allow_blank=True, trim_whitespace=False),
        max_length=MAX_EFT_LINES,
        required=False,
        default=list,
        help_text="Lines of the card receipt, printed as they are.",
    )

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """Add `amount_minor`."""
        return {**attrs, "amount_minor": to_minor_or_fault(attrs, "amount")}


class HeartbeatBody(serializers.Serializer):
    """A terminal is alive."""

    terminal_id = Text(
        max_length=36, required=False, help_text="May be left out when the key is limited to one terminal."
    )
