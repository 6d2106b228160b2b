"""Money: minor units of a currency, amounts as text, and the one rounding rule of the product.

Amounts are integer minor units (cents, yen, fils). Rates and sums before rounding are `Decimal` or
`Fraction`, never `float`.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from decimal import Decimal
from fractions import Fraction
from typing import Final

from tariffs.engine.errors import InvalidAmount, UnknownCurrency

Exact = int | Fraction
"""A number without rounding: an `int` as long as it is whole (fast), else a `Fraction`."""

_NO_MINOR_UNIT: Final = "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF"
_HUNDREDTHS: Final = """
    AED AFN ALL AMD ANG AOA ARS AUD AWG AZN BAM BBD BDT BGN BMD BND BOB BOV BRL BSD BTN BWP BYN BZD CAD
    CDF CHE CHF CHW CNY COP COU CRC CUC CUP CVE CZK DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP
    GMD GTQ GYD HKD HNL HRK HTG HUF IDR ILS INR IRR JMD KES KGS KHR KPW KYD KZT LAK LBP LKR LRD LSL MAD
    MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN MXV MYR MZN NAD NGN NIO NOK NPR NZD PAB PEN PGK PHP PKR
    PLN QAR RON RSD RUB SAR SBD SCR SDG SEK SGD SHP SLE SLL SOS SRD SSP STN SVC SYP SZL THB TJS TMT TOP
    TRY TTD TWD TZS UAH USD USN UYU UZS VED VES WST XCD XCG YER ZAR ZMW ZWG ZWL
"""
_THOUSANDTHS: Final = "BHD IQD JOD KWD LYD OMR TND"
_TEN_THOUSANDTHS: Final = "CLF UYW"

_MINOR_DIGITS: Final[dict[str, int]] = {
    currency: digits
    for digits, group in ((0, _NO_MINOR_UNIT), (2, _HUNDREDTHS), (3, _THOUSANDTHS), (4, _TEN_THOUSANDTHS))
    for currency in group.split()
}

# Nine digits before the point keep every amount, also in fils, inside a 64-bit integer column with room
# for sums, and are more than any charging session costs in any currency.
MAX_WHOLE_DIGITS: Final = 9

_AMOUNT: Final = re.compile(r"([0-9]+)(?:\.([0-9]+))?")


def minor_digits(currency: str) -> int:
    """Digits after the point that ISO 4217 gives the currency: JPY 0, EUR 2, KWD 3.

    Raises `UnknownCurrency`.
    """
    try:
        return _MINOR_DIGITS[currency]
    except (KeyError, TypeError):
        raise UnknownCurrency(currency) from None


def round_half_up(value: Exact) -> int:
    """The nearest integer; halves go away from zero, so that a credit mirrors the debit it undoes."""
    if isinstance(value, int):
        return value
    doubled, divisor = 2 * abs(value.numerator) + value.denominator, 2 * value.denominator
    return doubled // divisor if value >= 0 else -(doubled // divisor)


def to_minor(amount: Decimal | Fraction | int, currency: str) -> int:
    """Round an exact amount in major units to minor units, half up: the one rounding rule.

    Raises `UnknownCurrency`.
    """
    return round_half_up(Fraction(amount) * 10 ** minor_digits(currency))


def from_minor(minor: int, currency: str) -> Decimal:
    """The amount in major units with exactly the currency's digits: 1230 EUR is `Decimal("12.30")`."""
    return Decimal(minor).scaleb(-minor_digits(currency))


def money_string(minor: int, currency: str) -> str:
    """The amount as the wire writes it: `"12.30"` EUR, `"1230"` JPY."""
    return f"{from_minor(minor, currency):f}"


def exact_string(value: Exact) -> str:
    """A decimal string where the number ends (`"2.75"`), else the fraction (`"47200/251"`)."""
    fraction = Fraction(value)
    rest, digits = fraction.denominator, 0
    while rest % 10 == 0:
        rest, digits = rest // 10, digits + 1
    while rest % 2 == 0 or rest % 5 == 0:
        rest, digits = rest // (2 if rest % 2 == 0 else 5), digits + 1
    if rest != 1:
        return str(fraction)
    scaled = f"{abs(fraction.numerator) * 10**digits // fraction.denominator:0{digits + 1}d}"
    text = f"{scaled[: len(scaled) - digits]}.{scaled[len(scaled) - digits :]}" if digits else scaled
    return f"-{text}" if fraction < 0 else text


def parse_amount(text: object, currency: str) -> int:
    """Read an amount in major units from a peer's text into minor units, without rounding.

    Takes digits with an optional fraction that is not finer than the currency: `"12"`, `"12.3"`,
    `"12.30"`. No sign, exponent, blank or float. Raises `InvalidAmount` and `UnknownCurrency`.
    """
    digits = minor_digits(currency)
    if not isinstance(text, str):
        raise InvalidAmount("not_text", "An amount is a decimal string.")
    # The bound comes first: a regular expression or int() over megabytes would hold the worker.
    if len(text) > MAX_WHOLE_DIGITS + 6:
        raise InvalidAmount("too_large", "The amount has too many digits.")
    match = _AMOUNT.fullmatch(text)
    if match is None:
        raise InvalidAmount("invalid", "An amount is digits with an optional fraction, as in 12.30.")
    whole, fraction = match[1], match[2] or ""
    if len(whole.lstrip("0")) > MAX_WHOLE_DIGITS:
        raise InvalidAmount("too_large", f"The amount has more than {MAX_WHOLE_DIGITS} digits.")
    if len(fraction) > digits:
        raise InvalidAmount("scale", f"{currency} has {digits} digits after the point.")
    return int(whole + fraction.ljust(digits, "0"))


def largest_remainder(
    parts: Sequence[Exact], total: int, *, ceilings: Sequence[int] | None = None
) -> list[int]:
    """Round parts (in minor units) to integers that sum to `total` exactly.

    Each part is floored; what is missing goes, one unit each, to the largest remainders, first come
    first at a tie. A part that stands at its ceiling is served only when nobody else is left. `total`
    must be within one unit per part of the floors' sum; anything else is a fault of the caller.
    """
    shares = [math.floor(part) for part in parts]
    missing = total - sum(shares)
    assert 0 <= missing <= len(shares), "the total does not belong to these parts"

    def rank(index: int) -> tuple[bool, Exact]:
        full = ceilings is not None and shares[index] >= ceilings[index]
        return full, shares[index] - parts[index]

    for index in sorted(range(len(shares)), key=rank)[:missing]:
        shares[index] += 1
    return shares


def split_in_proportion(total: int, weights: Sequence[int]) -> list[int]:
    """Split a non-negative `total` over weights of which one at least is positive; no share is lost."""
    whole = sum(weights)
    return largest_remainder([Fraction(total * weight, whole) for weight in weights], total)
