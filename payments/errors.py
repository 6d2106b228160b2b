"""Errors of payments, in the words of the trade; the doors translate them into their protocol.

PaymentError
├── CannotOpen             the preauthorisation cannot start a session
│   ├── UnknownQuote
│   ├── QuoteExpired
│   ├── AmountTooLow       .minimum_minor, .currency
│   └── CurrencyMismatch   .expected
├── IdempotencyConflict    same key or reference, another body
├── InProgress             the same request is being worked on
└── WrongState             the payment's state has no room for this
"""


class PaymentError(Exception):
    """A payment cannot do what was asked."""


class CannotOpen(PaymentError):
    """The preauthorisation cannot start a session."""


class UnknownQuote(CannotOpen):
    """No such quote was given to this terminal for this connector."""


class QuoteExpired(CannotOpen):
    """The quote is no longer valid; ask for a new one and show its price."""


class AmountTooLow(CannotOpen):
    """The held amount is below the minimum."""

    def __init__(self, minimum_minor: int, currency: str) -> None:
        super().__init__(self.__doc__)
        self.minimum_minor = minimum_minor
        self.currency = currency


class CurrencyMismatch(CannotOpen):
    """The hold is in another currency than the price."""

    def __init__(self, expected: str) -> None:
        super().__init__(self.__doc__)
        self.expected = expected


class IdempotencyConflict(PaymentError):
    """This key or reference was used before with another body."""


class InProgress(PaymentError):
    """The same request is being worked on; ask again in a moment."""


class WrongState(PaymentError):
    """The payment's state has no room for this."""

    def __init__(self, state: str) -> None:
        super().__init__(f"the payment is {state}")
        self.state = state
