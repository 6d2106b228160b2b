"""The failure switchboard: what goes wrong at this PTP, where, and how often.

As text, one switch is `fault[@module][=times[:value]]`: `http_error@cdrs=3:503` answers three CDRs with HTTP
503, `late@sessions=1:15` answers one session after 15 s, `decline` declines until it is reset.
"""

import threading
from dataclasses import asdict, dataclass
from decimal import Decimal, InvalidOperation
from enum import StrEnum
from typing import Any, Final, Self

EVERYWHERE: Final = "*"


class Fault(StrEnum):
    """What can go wrong; the value in parentheses is what `value` means."""

    # In what we answer, per module: locations, tariffs, sessions, cdrs, commands, payments, credentials, versions.
    LATE = "late"  # do it, answer late (seconds, 30)
    HTTP_ERROR = "http_error"  # do nothing, answer HTTP 5xx (status, 500)
    OCPI_ERROR = "ocpi_error"  # do nothing, answer OCPI 3xxx in an HTTP 200 (code, 3000)
    LOST = "lost"  # do it, then hang up
    HANG_UP = "hang_up"  # hang up, do nothing
    DOWN = "down"  # refuse connections (seconds, 10)
    # At the PSP.
    DECLINE = "decline"  # the issuer declines
    CAPTURE_FAILS = "capture_fails"  # nothing is captured, the confirmation says FAILED
    CAPTURE_PART = "capture_part"  # less is captured (amount, half), the confirmation says PARTIAL_SUCCESS
    # In what we send.
    START_TWICE = "start_twice"  # the same START_SESSION again
    STOP_TWICE = "stop_twice"  # the same STOP_SESSION again
    CONFIRM_TWICE = "confirm_twice"  # the same confirmation again
    CONFIRM_LATE = "confirm_late"  # the confirmation waits (seconds, 30)
    CONFIRM_NEVER = "confirm_never"  # it is not sent, only given to who asks
    CONFIRM_AMOUNT = "confirm_amount"  # it names another amount (amount, 0.01 more)
    CONFIRM_CURRENCY = "confirm_currency"  # it names another currency (code, SEK)
    CONFIRM_REFERENCE = "confirm_reference"  # it names a reference that nobody knows (reference, made up)


DEFAULTS: Final = {
    Fault.LATE: "30",
    Fault.HTTP_ERROR: "500",
    Fault.OCPI_ERROR: "3000",
    Fault.DOWN: "10",
    Fault.CONFIRM_LATE: "30",
    Fault.CONFIRM_CURRENCY: "SEK",
}
_NUMBERS: Final = {
    Fault.LATE, Fault.HTTP_ERROR, Fault.OCPI_ERROR, Fault.DOWN, Fault.CAPTURE_PART, Fault.CONFIRM_LATE,
    Fault.CONFIRM_AMOUNT,
}  # fmt: skip


class BadSwitch(ValueError):
    """The switch cannot be read; the message says why."""


@dataclass(slots=True)
class Switch:
    """One fault. `times` None: until it is reset."""

    fault: Fault
    module: str = EVERYWHERE
    times: int | None = None
    value: str = ""

    def __post_init__(self) -> None:
        self.value = self.value or DEFAULTS.get(self.fault, "")
        if self.value and self.fault in _NUMBERS and not _is_number(self.value):
            raise BadSwitch(f"{self.fault}: a number is expected, not {self.value!r}")
        if self.times is not None and self.times < 0:
            raise BadSwitch(f"{self.fault}: {self.times} times")

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read `fault[@module][=times[:value]]`. Raises BadSwitch."""
        head, _, tail = text.partition("=")
        name, _, module = head.partition("@")
        times, _, value = tail.partition(":")
        return cls.of({"fault": name, "module": module, "times": times or None, "value": value})

    @classmethod
    def of(cls, said: dict[str, Any]) -> Self:
        """Read `{fault, module?, times?, value?}`. Raises BadSwitch."""
        try:
            fault = Fault(str(said.get("fault", "")))
            times = None if said.get("times") is None else int(said["times"])
        except (ValueError, TypeError) as error:
            raise BadSwitch(str(error)) from None
        value = said.get("value")
        return cls(fault, str(said.get("module") or EVERYWHERE), times, "" if value is None else str(value))


def _is_number(text: str) -> bool:
    try:
        return Decimal(text).is_finite()
    except InvalidOperation:
        return False


class Switchboard:
    """All switches that are on."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._on: list[Switch] = []

    def set(self, switch: Switch) -> None:
        """Turn one on; the same fault at the same module is replaced, `times` 0 turns it off."""
        with self._lock:
            self._on = [
                each for each in self._on if (each.fault, each.module) != (switch.fault, switch.module)
            ]
            if switch.times != 0:
                self._on.append(switch)

    def reset(self) -> None:
        """Turn everything off."""
        with self._lock:
            self._on = []

    def take(self, fault: Fault, module: str = EVERYWHERE) -> Switch | None:
        """Return the switch that strikes now, and count it; None when all goes well."""
        with self._lock:
            for switch in self._on:
                if switch.fault is fault and switch.module in (module, EVERYWHERE):
                    return self._count(switch)
        return None

    def _count(self, switch: Switch) -> Switch:
        if switch.times is not None:
            switch.times -= 1
            if switch.times == 0:
                self._on.remove(switch)
        return switch

    def to_state(self) -> list[dict[str, Any]]:
        """Return what is on, as JSON."""
        with self._lock:
            return [asdict(switch) for switch in self._on]
