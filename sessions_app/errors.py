"""Errors of charging sessions.

SessionError
├── IllegalMove            the event has no place in the session's state
├── NothingToStop          the session is over already
└── NothingToCredit        more than is left of the CDR, or nothing   .asked_minor, .left_minor
"""


class SessionError(Exception):
    """A charging session cannot do what was asked."""


class IllegalMove(SessionError):
    """This event has no place in this state."""

    def __init__(self, state: str, event: object) -> None:
        super().__init__(f"{type(event).__name__} has no place in {state}")
        self.state = state
        self.event = event


class NothingToStop(SessionError):
    """The session is over already."""


class NothingToCredit(SessionError):
    """Nothing is to be given back, or more than is left of the CDR."""

    def __init__(self, asked_minor: int, left_minor: int) -> None:
        super().__init__(f"{asked_minor} asked for, {left_minor} left")
        self.asked_minor = asked_minor
        self.left_minor = left_minor
