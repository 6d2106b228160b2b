"""What this PTP is and how it behaves on a good day; bad days are in `switches`."""

from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum
from typing import Final

from payments.simulator.ocpi.wire import Party

VERSIONS: Final = ("2.2.1", "2.3.0")  # in rising order


class ReleaseRule(StrEnum):
    """What tells this PTP that a session which was accepted will cost nothing (agreed with each PTP)."""

    SESSION_INVALID = "session_invalid"  # a Session of status INVALID
    ZERO_CDR = "zero_cdr"  # a CDR whose total is nothing
    BOTH = "both"  # whichever comes first


@dataclass(frozen=True, slots=True, kw_only=True)
class PtpSettings:
    """One platform. Times are seconds."""

    version: str = ""  # the only version that is spoken; empty: both, the highest common one is taken
    name: str = "Simulated PTP"
    party: Party = field(default_factory=lambda: Party("DE", "PTP"))
    role: str = "PTP"  # or OTHER, EMSP: OCPI's table of roles forgets PTP
    terminals: tuple[str, ...] = ("SIM-OCPI-1",)
    customer_reference: str = "demo"
    invoice_creator: str = "CPO"
    release_rule: ReleaseRule = ReleaseRule.BOTH
    default_hold: Decimal | None = None  # for a tariff that names no amount; None refuses the tap
    page_size: int = 50
    poll_seconds: float = 30.0  # between two looks at locations and tariffs
    tick_seconds: float = 0.5  # between two looks for what is due
    call_seconds: float = 10.0  # until a call is given up
    handshake_seconds: float = 20.0  # the CPO calls back before it answers
    start_attempts: int = 3  # of a START_SESSION that is not answered, before the driver is told
    repeat_seconds: float = 5.0  # between later attempts
    abandon_seconds: float = 300.0  # a hold of which nothing is heard does not stay for ever

    @property
    def versions(self) -> tuple[str, ...]:
        """The versions that it offers."""
        return (self.version,) if self.version else VERSIONS
