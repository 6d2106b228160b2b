"""Errors of the journeys.

JourneyError
├── Mismatch       a step or an amount was not as it must be
└── ServerTrouble  the server for the journey did not come up
"""


class JourneyError(Exception):
    """A journey cannot go on."""


class Mismatch(JourneyError):
    """A step or an amount was not as it must be."""


class ServerTrouble(JourneyError):
    """The server for the journey did not come up."""


def expect(condition: object, message: str) -> None:
    """Raise `Mismatch` with the message unless the condition holds."""
    if not condition:
        raise Mismatch(message)
