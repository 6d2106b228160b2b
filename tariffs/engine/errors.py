"""Errors of the tariff room.

TariffError
├── MoneyError
│   ├── UnknownCurrency     the currency is not an ISO 4217 code with a minor unit
│   └── InvalidAmount       the text is not an amount of that currency (`code` says why)
├── InvalidInput            a document has faults; `errors` lists every one with its path
│   └── InvalidTariff       the document is not a tariff
├── InvalidUsage            segments overlap, run backwards or are negative
├── UnknownTimeZone         the name is not in the time zone database
└── InvalidState            a stored live cost does not belong to this tariff
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class InputError:
    """One fault of a document: where (`tariffs[0].currency`), what kind, and a sentence for a person."""

    path: str
    code: str
    message: str

    def as_dict(self) -> dict[str, str]:
        """The fault as one JSON object."""
        return {"path": self.path, "code": self.code, "message": self.message}


class TariffError(Exception):
    """Something about a price, a tariff or a usage is wrong."""


class MoneyError(TariffError):
    """An amount or a currency is wrong."""


class UnknownCurrency(MoneyError):
    """The currency is not an ISO 4217 code with a minor unit."""

    code = "unknown_currency"

    def __init__(self, currency: object) -> None:
        self.currency = str(currency)[:40]
        super().__init__(f"{self.currency!r} is not an ISO 4217 currency with a minor unit.")


class InvalidAmount(MoneyError):
    """The text is not an amount of the currency; `code` is `not_text`, `invalid`, `scale` or `too_large`."""

    def __init__(self, code: str, message: str) -> None:
        self.code = code
        super().__init__(message)


class InvalidInput(TariffError):
    """A document has faults; all of them are listed, not only the first."""

    def __init__(self, errors: Sequence[InputError]) -> None:
        self.errors = tuple(errors)
        super().__init__("; ".join(f"{error.path}: {error.message}" for error in self.errors))


class InvalidTariff(InvalidInput):
    """The document is not a tariff."""


class InvalidUsage(TariffError):
    """Segments overlap, run backwards, are negative or last too long."""


class UnknownTimeZone(TariffError):
    """The name is not in the time zone database."""

    def __init__(self, name: object) -> None:
        self.name = str(name)[:60]
        super().__init__(f"{self.name!r} is not a time zone.")


class InvalidState(TariffError):
    """A stored live cost cannot be read, or belongs to another tariff."""
