"""Numbers and times as chargers write them. Pure; nothing here can take long or raise.

`int(Decimal("1e400000"))` takes seconds: a nine byte meter value could hang a worker, so the text is
matched before it is converted (SAFETY.md section 0).
"""

import re
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

YEARS = range(1970, 2100)  # a clock may be wrong by decades; beyond that a time is an unset field
LARGEST_REGISTER_WH = 10**12  # a terawatt hour: no meter of a charger will ever show it
# Digits, a fraction as long as a double prints it, an exponent of one digit.
_NUMBER = re.compile(r"-?\d{1,12}(\.\d{1,20})?([eE][+-]?\d)?", re.ASCII)


def read_number(value: Any) -> Decimal | None:
    """Return the exact value of a meter number, None when it is not one (`NaN`, `1,5`, `1e5000000`)."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    text = value.strip() if isinstance(value, str) else str(value)
    return Decimal(text) if len(text) <= 40 and _NUMBER.fullmatch(text) else None


def read_register_wh(value: Any, unit: Any = "Wh") -> tuple[int | None, str]:
    """Return an energy register in whole Wh, or None and why it cannot be used.

    The unit defaults to Wh (OCPP 1.6 §7.41); kWh is converted exactly before the one rounding.
    """
    number = read_number(value)
    if number is None:
        return None, "register is not a number"
    factor = {"Wh": 1, "kWh": 1000}.get(unit if isinstance(unit, str) else "")
    if factor is None:
        return None, "register has an unknown unit"
    if number < 0:
        return None, "register is negative"
    register_wh = int((number * factor).to_integral_value())
    return (register_wh, "") if register_wh <= LARGEST_REGISTER_WH else (None, "register is out of range")


def read_time(value: Any, received_at: datetime) -> tuple[datetime, str]:
    """Return a charger's timestamp in UTC, or our own time and why; times without a zone are taken as UTC."""
    if not isinstance(value, str) or not 10 <= len(value) <= 40:
        return received_at, "timestamp is missing or unreadable"
    try:
        moment = datetime.fromisoformat(value.strip())
        if moment.year not in YEARS:
            return received_at, "timestamp is out of range"
        if moment.tzinfo is None:
            return moment.replace(tzinfo=UTC), "timestamp has no zone"
        return moment.astimezone(UTC), ""
    except (ValueError, OverflowError):
        return received_at, "timestamp is missing or unreadable"


def read_integer(value: Any) -> int | None:
    """Return an integer, also from `"7"` or `7.0`; None when it is none or does not fit 53 bits."""
    number = read_number(value)
    if number is None or number != number.to_integral_value() or abs(number) > 2**53:
        return None
    return int(number)
