"""What is still missing before a platform's terminals can sell: a pure look at the facts, in plain words."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from emabler.portal.ocpi import words
from emabler.portal.ocpi.facts import Facts
from emabler.portal.words import Sign
from payments.models import OcpiConnection

# What we push, and to which module of theirs; without it they must ask us for it.
PUSHED: Final = {
    "locations": "charging points",
    "tariffs": "prices",
    "sessions": "sessions",
    "cdrs": "bills (CDRs)",
}


@dataclass(frozen=True, slots=True)
class Step:
    """One step towards going live. `needed`: without it no terminal can sell."""

    title: str
    done: bool
    says: str
    needed: bool = True

    @property
    def sign(self) -> Sign:
        """Done, to do, or worth a look."""
        if self.done:
            return Sign("done", "good")
        return Sign("to do", "bad") if self.needed else Sign("look", "wait")


def checklist(connection: OcpiConnection, facts: Facts, now: datetime) -> list[Step]:
    """Return the steps in the order in which they are taken."""
    return [
        _registered(connection),
        _endpoints(connection),
        _locations(facts),
        _tariffs(facts),
        _terminals(facts),
        _assigned(facts),
        _contracts(facts),
        _confirmed(facts, now),
    ]


def _registered(connection: OcpiConnection) -> Step:
    return Step("Credentials exchanged", connection.is_registered, words.state(connection)[1])


def _endpoints(connection: OcpiConnection) -> Step:
    title = "They take what we push"
    if not connection.is_registered:
        return Step(title, done=False, says="Known after the handshake.")
    missing = [what for module, what in PUSHED.items() if not connection.endpoint(module)]
    if missing:
        says = f"No endpoint for {_listed(missing)}: they have to ask us for these."
        return Step(title, done=False, says=says, needed=False)
    return Step(title, done=True, says="They have an endpoint for everything that we push.")


def _locations(facts: Facts) -> Step:
    title = "They know the charging points"
    if not facts.sites:
        return Step(title, done=False, says="Our parties have no site yet.")
    says = f"{facts.sites_seen} of {_many(facts.sites, 'site')} as they are now."
    return Step(title, done=facts.sites_seen == facts.sites, says=says, needed=not facts.sites_seen)


def _tariffs(facts: Facts) -> Step:
    title = "They know the prices"
    if not facts.tariffs:
        return Step(title, done=False, says="No tariff of our parties is offered at a connector.")
    says = f"{facts.tariffs_seen} of {_many(facts.tariffs, 'tariff')} in the newest version."
    return Step(title, done=facts.tariffs_seen == facts.tariffs, says=says, needed=not facts.tariffs_seen)


def _terminals(facts: Facts) -> Step:
    says = (
        f"{_many(facts.terminals, 'terminal')} in use."
        if facts.terminals
        else "They have told us of none. Pull the terminals, or ask them to send these."
    )
    return Step("They told us their terminals", bool(facts.terminals), says)


def _assigned(facts: Facts) -> Step:
    title = "Every terminal has charging points"
    if not facts.terminals:
        return Step(title, done=False, says="There is no terminal yet.")
    if facts.unassigned:
        says = (
            f"{_many(facts.unassigned, 'terminal')} of {facts.terminals} cannot sell: assign sites or EVSEs."
        )
        return Step(title, done=False, says=says, needed=facts.unassigned == facts.terminals)
    return Step(title, done=True, says="Each one is assigned to sites or EVSEs.")


def _contracts(facts: Facts) -> Step:
    title = "Every terminal's contract is known"
    if not facts.terminals:
        return Step(title, done=False, says="There is no terminal yet.")
    if facts.strange:
        name = "names" if facts.strange == 1 else "name"
        says = f"{_many(facts.strange, 'terminal')} {name} a customer reference that no contract here has."
        return Step(title, done=False, says=says, needed=False)
    entered = _many(len(facts.contracts), "contract")
    says = f"{entered} entered." if facts.contracts else "None is needed: they sell for our default party."
    return Step(title, done=True, says=says)


def _confirmed(facts: Facts, now: datetime) -> Step:
    if facts.confirmed_at is None:
        says = "No financial advice confirmation has come yet."
    else:
        says = f"The last confirmation came {words.ago(facts.confirmed_at, now)}."
    return Step("A capture was confirmed", facts.confirmed_at is not None, says, needed=False)


def _many(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _listed(things: list[str]) -> str:
    return things[0] if len(things) == 1 else f"{', '.join(things[:-1])} and {things[-1]}"
