"""What staff have our side do with a platform: invite, connect, rotate, end, fetch, tell everything again.

Each is offered only while it makes sense, explains itself first, and tells in plain words what came of it.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django import forms
from django.db import transaction

from emabler.portal.ocpi.forms import ActivationForm, HandshakeForm
from payments.models import OcpiConnection
from payments.ocpi import handshake
from payments.ocpi.connections import invite
from payments.ocpi.discovery import HandshakeFailed
from payments.ocpi.push import pulls, terminals, watch
from payments.ocpi.push.pulls import Pulled
from payments.outbound import CallFailed
from sessions_app.wakeups import wake

State = OcpiConnection.State


class Failed(Exception):
    """It did not work; the message says why, in words for staff."""


@dataclass(frozen=True, slots=True)
class Result:
    """What came of it. `token` is token A, to be shown once."""

    says: str
    token: str = ""


@dataclass(frozen=True, kw_only=True)
class Act:
    """Something that can be done with a connection in some of its states."""

    slug: str
    title: str
    button: str
    explains: str
    states: frozenset[str]
    do: Callable[[OcpiConnection, dict[str, Any], datetime], Result]
    form: type[forms.Form] | None = None
    asks_terminals: bool = False  # only where they have a list of terminals
    tone: str = ""  # of the last button: "danger" where something ends


def offered(connection: OcpiConnection) -> list[Act]:
    """Return what can be done now."""
    return [act for act in ACTS.values() if can_be_done(act, connection)]


def can_be_done(act: Act, connection: OcpiConnection) -> bool:
    """Whether it makes sense now."""
    missing = act.asks_terminals and not terminals.endpoint_of(connection)
    return connection.state in act.states and not missing


def _invite(connection: OcpiConnection, _said: dict[str, Any], now: datetime) -> Result:
    made, token = invite(
        name=connection.ptp.name,
        country_code=connection.country_code,
        party_id=connection.party_id,
        role=connection.role,
        our_party=(connection.our_country_code, connection.our_party_id),
        now=now,
    )
    return Result(f"Invited anew; {made.ptp.name} has to register with the new token A.", token)


def _connect(connection: OcpiConnection, said: dict[str, Any], now: datetime) -> Result:
    try:
        made = handshake.register_at(connection, said["url"], said["token"], now=now)
    except HandshakeFailed as failed:
        raise Failed(str(failed)) from failed
    return Result(f"Registered at {made.ptp.name}; we speak OCPI {made.version}.")


def _rotate(connection: OcpiConnection, _said: dict[str, Any], now: datetime) -> Result:
    try:
        handshake.rotate(connection, now=now)
    except HandshakeFailed as failed:
        raise Failed(str(failed)) from failed
    return Result("Both tokens are new, and the endpoints were fetched anew.")


def _unregister(connection: OcpiConnection, _said: dict[str, Any], _now: datetime) -> Result:
    try:
        trouble = handshake.unregister(connection)
    except HandshakeFailed as failed:
        raise Failed(str(failed)) from failed
    return Result(f"The registration is ended. {trouble}".strip())


def _pull_terminals(connection: OcpiConnection, _said: dict[str, Any], now: datetime) -> Result:
    return _pulled("terminal", lambda: pulls.pull_terminals(connection, now=now))


def _pull_confirmations(connection: OcpiConnection, _said: dict[str, Any], now: datetime) -> Result:
    return _pulled("confirmation", lambda: pulls.pull_confirmations(connection, now=now))


def _pulled(noun: str, pull: Callable[[], Pulled]) -> Result:
    try:
        pulled = pull()
    except CallFailed as failed:
        raise Failed(f"Nothing could be pulled: {failed}") from failed
    came = f"1 {noun} came." if pulled.taken == 1 else f"{pulled.taken} {noun}s came."
    if pulled.refused:
        came += f" {pulled.refused} could not be taken; the first: {pulled.faults[0]}"
    return Result(came)


def _push_again(connection: OcpiConnection, _said: dict[str, Any], _now: datetime) -> Result:
    with transaction.atomic():
        watch.forget(connection)
        wake(watch.TASK)
    return Result("Everything that they should know is being sent anew; the outbox shows how far it is.")


def _activate(connection: OcpiConnection, said: dict[str, Any], now: datetime) -> Result:
    try:
        terminals.activate(connection, **said, now=now)
    except CallFailed as failed:
        raise Failed(f"The PTP did not activate it: {failed}") from failed
    return Result(f"The PTP activates {said['reference']}. It appears here as soon as they have sent it.")


_ALL = [
    Act(
        slug="connect",
        title="Connect to them",
        button="Make the handshake",
        explains=(
            "Our side makes the handshake: we ask their versions URL what they speak and give them our "
            "credentials for token A. They call us back meanwhile, so it may take half a minute."
        ),
        states=frozenset({State.INVITED, State.UNREGISTERED}),
        do=_connect,
        form=HandshakeForm,
    ),
    Act(
        slug="pull-terminals",
        title="Pull terminals",
        button="Pull now",
        explains=(
            "We ask them for all their terminals. What we know of them is brought up to date; what we assigned "
            "stays as it is. Where they have lost it, or where our receipts are, they are told again, once a day. "
            "It happens every night by itself."
        ),
        states=frozenset({State.REGISTERED}),
        do=_pull_terminals,
        asks_terminals=True,
    ),
    Act(
        slug="pull-confirmations",
        title="Pull confirmations",
        button="Pull now",
        explains=(
            "We ask them which captures they have confirmed since the last pull, and book those that were lost on "
            "the way. It happens every night by itself."
        ),
        states=frozenset({State.REGISTERED}),
        do=_pull_confirmations,
        asks_terminals=True,
    ),
    Act(
        slug="push-again",
        title="Push everything again",
        button="Push everything",
        explains=(
            "All prices, all charging points with their states, and the assignment of all terminals in use, also one "
            "that they refused, are sent anew, as if they had never had them. Do it when they have lost something. "
            "Sessions and bills are not sent again; the outbox does that one by one."
        ),
        states=frozenset({State.REGISTERED}),
        do=_push_again,
    ),
    Act(
        slug="activate",
        title="Activate a terminal",
        button="Ask them to activate it",
        explains=(
            "They are asked to activate a terminal that they have and that is not in use yet, or was switched off. "
            "They send it to us afterwards; then it is in use here and can be assigned to charging points. One that "
            "was assigned before is so again."
        ),
        states=frozenset({State.REGISTERED}),
        do=_activate,
        form=ActivationForm,
        asks_terminals=True,
    ),
    Act(
        slug="rotate",
        title="Rotate the tokens",
        button="Rotate now",
        explains=(
            "Both sides get new tokens and we fetch their endpoints anew. Nothing is interrupted: the old "
            "token is good until they have answered. Once a month is good practice."
        ),
        states=frozenset({State.REGISTERED}),
        do=_rotate,
    ),
    Act(
        slug="unregister",
        title="End the registration",
        button="End it",
        explains=(
            "Our doors close to this platform at once and it is told so. Its terminals can no longer sell, and "
            "what it must still be told of running sessions stays in the outbox until it registers again."
        ),
        states=frozenset({State.REGISTERED}),
        do=_unregister,
        tone="danger",
    ),
    Act(
        slug="invite",
        title="Invite anew",
        button="Make a new token A",
        explains=(
            "A new token A is made and shown once. The old one, and a registration that stands, "
            "are no longer good: nothing can be sold through this platform until it registers again."
        ),
        states=frozenset(State),
        do=_invite,
        tone="danger",
    ),
]
ACTS = {act.slug: act for act in _ALL}
