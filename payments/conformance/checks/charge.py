"""One whole charge: its start, its stop, and what comes twice or at the wrong time (OCPI mod_commands)."""

from __future__ import annotations

from typing import Final

from payments.conformance.bench import Bench
from payments.conformance.charging.play import charge, running
from payments.conformance.charging.record import Command
from payments.conformance.expectations import at_once, came, command_response
from payments.conformance.registry import check
from payments.conformance.rules.language import faults
from payments.conformance.rules.partners import COMMAND_RESULT
from payments.conformance.verdicts import Level, Untried, expect, expect_none

FLOW: Final = "mod_commands, Flow; mod_payments, Transaction"
PUSH: Final = "mod_sessions, Push model"
OBJECT: Final = "mod_sessions, Session Object"
ONCE: Final = "One authorization, one charge"


@check("charge-01", "START_SESSION at an available EVSE is accepted", section=FLOW, writes=True)
def a_start_is_accepted(bench: Bench) -> str:
    """With an AD_HOC_USER token that the peer has never seen, as the text has it."""
    found = charge(bench)
    result = command_response(found.start.answer)
    expect(result == "ACCEPTED", f"expected: ACCEPTED at {found.target}; came: {result}", found.start.answer)
    return str(found.target)


@check(
    "charge-02",
    "START_SESSION is answered within a second",
    section="mod_commands, Flow: to prevent long blocking calls",
    level=Level.SHOULD,
    writes=True,
)
def a_start_is_answered_at_once(bench: Bench) -> str:
    """The charger's word comes later, as CommandResult."""
    return at_once(charge(bench).start.answer)


@check(
    "charge-03",
    "The CommandResult comes within the timeout that was told",
    section="mod_commands, CommandResponse.timeout",
    writes=True,
)
def a_result_comes_in_time(bench: Bench) -> str:
    """After that the provider assumes that it will never be sent, and drops the hold."""
    found = running(bench)
    timeout = found.start.answer.data["timeout"]
    expect(
        found.start.results, f"expected: a CommandResult within {timeout} s; none came", found.start.answer
    )
    seconds = max(0.0, found.start.results[0].at - found.start.answered_at)
    expect(seconds <= max(timeout, 1), f"expected: within {timeout} s; came after {seconds:.1f} s")
    expect(found.start.done == "ACCEPTED", f"expected: ACCEPTED; came: {found.start.done}")
    return f"{seconds:.1f} s of {timeout} s"


@check(
    "charge-04",
    "The CommandResult comes exactly once, well formed",
    section="mod_commands, CommandResult Object",
    writes=True,
)
def a_result_comes_once(bench: Bench) -> None:
    """One command, one result; for the start and for the stop."""
    found = running(bench)
    commands = [("START_SESSION", found.start)]
    if found.stop is not None and found.stop.said == "ACCEPTED":
        commands.append(("STOP_SESSION", found.stop))
    for name, command in commands:
        expect(
            len(command.results) == 1, f"{name}: expected: one CommandResult; came: {len(command.results)}"
        )
        expect_none(faults(COMMAND_RESULT, [(f"CommandResult of {name}", command.results[0].body)]))


@check(
    "charge-05",
    "The same START_SESSION again gets the same answer",
    section=ONCE,
    level=Level.SAFETY,
    writes=True,
)
def a_start_may_come_again(bench: Bench) -> None:
    """An answer may be lost; who asks again must not be told something else."""
    found = running(bench)
    if found.again is None:
        raise Untried("It could not be sent again.")
    result = command_response(found.again)
    expect(
        result == found.start.said,
        f"expected: {found.start.said}; came: {result}",
        found.start.answer,
        found.again,
    )


@check(
    "charge-06",
    "It starts one session, however often it comes",
    section=ONCE,
    level=Level.SAFETY,
    writes=True,
)
def one_reference_is_one_session(bench: Bench) -> None:
    """Two sessions under one authorization would be paid twice, or not at all."""
    found = running(bench)
    known = {
        str(d.body.get("id") or d.ids[-1]).lower() for d in found.session_puts if isinstance(d.body, dict)
    }
    known |= {str(item.get("id")).lower() for item in found.listed_sessions}
    if not known:
        raise Untried("No session of this charge was seen.")
    expect(len(known) == 1, f"expected: one session for {found.reference}; came: {', '.join(sorted(known))}")


@check(
    "charge-07",
    "Another body under the same reference is refused",
    section=ONCE,
    level=Level.SAFETY,
    writes=True,
)
def a_reference_means_one_thing(bench: Bench) -> None:
    """Another card's token under a reference that is in use."""
    found = running(bench)
    if found.twisted is None:
        raise Untried("It could not be sent.")
    refused = not found.twisted.ok or command_response(found.twisted) != "ACCEPTED"
    told = f"expected: a refusal (HTTP 2xx); {came(found.twisted)}, {found.twisted.data}"
    expect(refused and found.twisted.http // 100 == 2, told, found.twisted)


@check(
    "charge-08",
    "A second card at an EVSE that charges starts nothing",
    section="mod_commands, CommandResultType EVSE_OCCUPIED",
    level=Level.SAFETY,
    writes=True,
)
def a_busy_evse_is_not_started(bench: Bench) -> None:
    """Refused at once, or by its CommandResult; tapped twice, answered twice the same."""
    found = running(bench)
    if len(found.rivals) < 2:
        raise Untried("The session did not become active, so no second card was tried.")
    first, second = found.rivals
    accepted = first.said == "ACCEPTED" and first.done in ("ACCEPTED", "")
    expect(
        not accepted, f"expected: a refusal or EVSE_OCCUPIED; came: {first.said} {first.done}", first.answer
    )
    one, two = (first.said, first.answer.code), (second.said, second.answer.code)
    expect(one == two, f"expected: the same answer twice; came: {one}, then {two}", second.answer)


@check(
    "charge-22",
    "STOP_SESSION is accepted and carried out",
    section="mod_commands, StopSession Object",
    writes=True,
)
def a_stop_is_carried_out(bench: Bench) -> None:
    """CommandResponse ACCEPTED, then CommandResult ACCEPTED."""
    stop = _stop(bench)
    expect(stop.said == "ACCEPTED", f"expected: ACCEPTED; {came(stop.answer)}, {stop.said}", stop.answer)
    expect(
        stop.done == "ACCEPTED",
        f"expected: a CommandResult ACCEPTED; came: {stop.done or 'none'}",
        stop.answer,
    )


def _stop(bench: Bench) -> Command:
    found = running(bench)
    found.need_session()
    if found.stop is None:
        raise Untried("No STOP_SESSION could be sent.")
    return found.stop


@check(
    "charge-25",
    "STOP_SESSION again, when all is over, is answered and kept",
    section="mod_commands, CommandResponseType",
    level=Level.SHOULD,
    writes=True,
)
def a_late_stop_is_answered(bench: Bench) -> str:
    """REJECTED or UNKNOWN_SESSION, for there is nothing to stop; who says ACCEPTED owes a CommandResult."""
    late = running(bench).late_stop
    if late is None:
        raise Untried("The session was never stopped.")
    result = command_response(late.answer)
    if result == "ACCEPTED":
        expect(late.results, "expected: a CommandResult after ACCEPTED; none came", late.answer)
    return result


@check("charge-26", "Every request of the charge was answered", section=FLOW, writes=True)
def every_request_was_answered(bench: Bench) -> None:
    """No connection was cut, no answer was too slow."""
    found = running(bench)
    expect(not found.trouble, found.trouble)
