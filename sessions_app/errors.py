"""Errors of charging sessions.

SessionError
├── IllegalMove            the event has no place in the session's state
└── NothingToStop          the session is over already
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
