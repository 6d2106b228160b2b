"""What this PTP must not forget when it is restarted: tokens, holds, starts, sessions, CDRs, confirmations."""

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from payments import exact_json
from payments.simulator.ocpi.wire import Json, NotOcpi, read_json
from payments.simulator.psp import Psp

Objects = dict[str, dict[str, Json]]


@dataclass(slots=True)
class Registration:
    """How the two platforms know each other."""

    invitation: str = ""  # token A that we gave out, so that the CPO may register with us
    server_token: str = ""  # what the CPO shows us
    pending_token: str = ""  # the next server token, good already while the CPO calls back
    client_token: str = ""  # what we show the CPO
    versions_url: str = ""  # the CPO's
    our_url: str = ""  # the versions URL that the CPO has of us
    version: str = ""
    endpoints: dict[str, str] = field(default_factory=dict)  # "identifier ROLE" → URL
    roles: list[dict[str, Json]] = field(default_factory=list)  # the CPO's

    @property
    def complete(self) -> bool:
        """Whether both sides have their token."""
        return bool(self.server_token and self.client_token)


@dataclass(slots=True)
class Start:
    """One tap that was approved, and what came of it."""

    reference: str  # authorization_reference
    location_id: str
    country_code: str
    party_id: str
    evse_uid: str
    connector_id: str
    terminal_id: str
    tariff_id: str
    amount: str
    currency: str
    sent_at: str
    answer: str = ""  # CommandResponse.result, "ERROR" for a refusal in an envelope, empty: none came
    message: str = ""
    timeout_seconds: int = 0
    asked: int = 0  # how often START_SESSION was sent
    result: str = ""  # CommandResult.result, the first
    results: int = 0  # how many came; one for each time it was asked for
    repeat_at: str = ""  # of an unanswered START_SESSION
    released_for: str = ""
    settled_by: str = ""  # the id of its CDR
    stopping: str = ""  # the key of a STOP_SESSION that was not refused


@dataclass(slots=True)
class Confirmation:
    """A financial advice confirmation as it was written, and whether the CPO has it."""

    document: dict[str, Json]
    due_at: str
    told: bool = False
    attempts: int = 0
    silent: bool = False  # kept for who asks
    problem: str = ""  # the CPO's refusal


@dataclass(slots=True)
class State:
    """All of it."""

    registration: Registration = field(default_factory=Registration)
    psp: Psp = field(default_factory=Psp)
    starts: dict[str, Start] = field(default_factory=dict)
    sessions: Objects = field(default_factory=dict)  # "CC/PTY/id"
    cdrs: Objects = field(default_factory=dict)
    results: list[dict[str, Json]] = field(default_factory=list)  # CommandResults, in order
    terminals: Objects = field(default_factory=dict)
    untold_terminals: list[str] = field(default_factory=list)
    inactive_terminals: list[str] = field(default_factory=list)
    confirmations: dict[str, Confirmation] = field(default_factory=dict)  # by id
    seen_cdrs: list[str] = field(default_factory=list)  # keys of those that were settled, refunded, put aside

    def to_json(self) -> dict[str, Any]:
        """Return all of it as JSON values."""
        return {**asdict(self), "psp": self.psp.to_state()}

    @classmethod
    def from_json(cls, said: dict[str, Any]) -> "State":
        """Return what `to_json` gave."""
        known: dict[str, Any] = {
            "registration": Registration(**said.get("registration", {})),
            "psp": Psp.from_state(said.get("psp", {})),
            "starts": {name: Start(**each) for name, each in said.get("starts", {}).items()},
            "confirmations": {
                name: Confirmation(**each) for name, each in said.get("confirmations", {}).items()
            },
        }
        plain = {name: said[name] for name in cls.__slots__ if name in said and name not in known}
        return cls(**known, **plain)

    def session_of(self, reference: str) -> dict[str, Json] | None:
        """The session that an authorisation led to, as far as the CPO has told."""
        for session in self.sessions.values():
            if session.get("authorization_reference") == reference:
                return session
        return None

    def cdr_of(self, reference: str) -> dict[str, Json] | None:
        """Its first CDR that is no credit."""
        for cdr in self.cdrs.values():
            if cdr.get("authorization_reference") == reference and not cdr.get("credit"):
                return cdr
        return None


class Memory:
    """The state and its file. `changed` gives it to change and stores it; `look` gives it to read."""

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._lock = threading.RLock()
        self._state = _read(path) if path else State()

    @contextmanager
    def changed(self) -> Iterator[State]:
        """Give the state to change, one thread at a time. Never call a peer inside."""
        with self._lock:
            yield self._state
            if self._path:
                _write(self._path, exact_json.dumps(self._state.to_json()))

    @contextmanager
    def look(self) -> Iterator[State]:
        """Give the state to read."""
        with self._lock:
            yield self._state


def _read(path: Path) -> State:
    try:
        return State.from_json(read_json(path.read_bytes()))
    except (FileNotFoundError, NotOcpi):  # not there yet, or cut off by a full disk
        return State()


def _write(path: Path, text: str) -> None:
    # A crash leaves the old file or the new one, never half of one.
    fresh = path.with_suffix(".new")
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
    fresh.replace(path)
