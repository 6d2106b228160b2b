"""What happened in one charge, from both sides of the wire."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from payments.conformance.charging.target import Target
from payments.conformance.exchanges import Exchange
from payments.conformance.ptp_side import Delivery
from payments.conformance.verdicts import Untried

RANK = {"RESERVATION": 0, "PENDING": 1, "ACTIVE": 2, "COMPLETED": 3, "INVALID": 3}


@dataclass(slots=True)
class Command:
    """A command of ours, its answer, and the results that came for it."""

    body: dict[str, Any]
    answer: Exchange
    results: list[Delivery] = field(default_factory=list)
    answered_at: float = 0.0  # monotonic seconds

    @property
    def said(self) -> str:
        """CommandResponse.result, empty where none came."""
        data = self.answer.data
        return str(data.get("result", "")) if self.answer.ok and isinstance(data, dict) else ""

    @property
    def done(self) -> str:
        """The first CommandResult, empty where none came."""
        first = self.results[0].body if self.results else None
        return str(first.get("result", "")) if isinstance(first, dict) else ""


@dataclass(slots=True)
class Charge:
    """The record of one charge."""

    target: Target
    reference: str
    start: Command
    mark: int  # our journal when it began
    deliveries: list[Delivery] = field(default_factory=list)  # all that came since, in order
    again: Exchange | None = None  # the same START_SESSION once more
    twisted: Exchange | None = None  # the same reference, another body
    rivals: list[Command] = field(default_factory=list)  # another card at the same EVSE, tapped twice
    session_id: str = ""
    busy: dict[str, Any] | None = None  # the location while charging
    before: dict[str, Any] | None = None  # the location before
    mirrored_before: dict[str, Any] | None = None  # the location as the pushes had it when we started
    mirrored: dict[str, Any] | None = None  # the same while charging
    stop: Command | None = None
    late_stop: Command | None = None  # STOP_SESSION once more, when all is over
    listed_sessions: list[dict[str, Any]] = field(default_factory=list)  # of GET sessions, for this reference
    listed_cdrs: list[dict[str, Any]] = field(default_factory=list)  # of GET cdrs, for this reference
    confirmation: dict[str, Any] | None = None
    confirmed: list[Exchange] = field(default_factory=list)  # the confirmation, twice
    confirmation_read: Exchange | None = None
    trouble: str = ""  # a call that got no answer ended the play early

    @property
    def session_pushes(self) -> list[Delivery]:
        """PUT and PATCH of the session, in order."""
        return [
            d
            for d in self.deliveries
            if d.kind == "sessions" and d.method in ("PUT", "PATCH") and self._ours(d)
        ]

    @property
    def session_puts(self) -> list[Delivery]:
        """PUT alone."""
        return [d for d in self.session_pushes if d.method == "PUT"]

    @property
    def cdr_posts(self) -> list[Delivery]:
        """Every POST of a CDR of this charge, also those that we refused."""
        return [
            d
            for d in self.deliveries
            if d.kind == "cdrs" and d.method == "POST" and isinstance(d.body, dict)
            and self.reference == d.body.get("authorization_reference")
        ]  # fmt: skip

    @property
    def cdr(self) -> dict[str, Any]:
        """The CDR, pushed or listed. Raises Untried."""
        taken: list[dict[str, Any]] = [d.body for d in self.cdr_posts if d.http_status // 100 == 2]
        found = [*taken, *self.listed_cdrs]
        if not found:
            raise Untried("No CDR came.")
        return found[0]

    def states(self) -> list[dict[str, Any]]:
        """The session as we knew it after each push: PUT replaces, PATCH changes and appends periods."""
        found: list[dict[str, Any]] = []
        for push in self.session_pushes:
            body = push.body if isinstance(push.body, dict) else {}
            known = found[-1] if found and push.method == "PATCH" else {}
            state = {**known, **body}
            if push.method == "PATCH":
                state["charging_periods"] = [
                    *(known.get("charging_periods") or []),
                    *(body.get("charging_periods") or []),
                ]
            found.append(state)
        return found

    def need_session(self) -> str:
        """The session's id. Raises Untried."""
        if not self.session_id:
            raise Untried("No session of this charge was seen.")
        return self.session_id

    def _ours(self, push: Delivery) -> bool:
        body = push.body if isinstance(push.body, dict) else {}
        if body.get("authorization_reference") == self.reference:
            return True
        return bool(self.session_id) and push.ids[-1].lower() == self.session_id.lower()
