"""Play one charge as a provider does: start, watch, stop, take the CDR, confirm the capture.

Between, it does what goes wrong in the field: it asks twice, asks something else under the same reference,
lets a second card tap, and refuses the first delivery of the CDR.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from payments.conformance import bodies
from payments.conformance.bench import Bench
from payments.conformance.charging.record import Charge, Command
from payments.conformance.charging.target import POLL_SECONDS, Target, free_place
from payments.conformance.exchanges import Exchange
from payments.conformance.ptp_side import Delivery
from payments.conformance.rules.money import gross, net
from payments.conformance.verdicts import Broken, Untried
from payments.simulator.ocpi.wire import utc_text

LOOK_BACK: Final = timedelta(hours=1)  # the peer's clock may differ


def charge(bench: Bench) -> Charge:
    """The charge of this version, played on first use. Raises Broken, Untried."""
    if bench.options.read_only:
        raise Untried("It needs a charge; --read-only.")
    return bench.fact("a charge", lambda: _play(bench))


def running(bench: Bench) -> Charge:
    """The same, where the start was accepted. Raises Broken, Untried."""
    found = charge(bench)
    if found.start.said != "ACCEPTED":
        raise Untried("The start was not accepted; see charge-01.")
    return found


def _play(bench: Bench) -> Charge:
    target = free_place(bench)
    found = _started(bench, target)
    try:
        if found.start.said == "ACCEPTED":
            _go_on(bench, found)
    except Broken as trouble:  # a call without answer must not hide what was seen before; see charge-26
        found.trouble = str(trouble)
    finally:
        bench.ptp.refuse_next["POST cdrs"] = 0
        found.deliveries = bench.ptp.since(found.mark)
    return found


def _started(bench: Bench, target: Target) -> Charge:
    before = _location(bench, target)
    # A provider reads what was not pushed; the pushes change it.
    mirrored = bench.ptp.mirrored(bench.version, before) if before is not None else None
    reference, mark = bodies.new_id(), bench.ptp.mark()
    bench.ptp.refuse_next["POST cdrs"] = 1
    body = bodies.start_session(
        bench.options.party,
        response_url=bench.ptp.response_url("START_SESSION"),
        location_id=target.location_id,
        reference=reference,
        **target.where,
    )
    start = Command(body, bench.call("POST", "commands", "/START_SESSION", body=body))
    start.answered_at = time.monotonic()
    return Charge(target, reference, start, mark, before=before, mirrored_before=mirrored)


def _go_on(bench: Bench, found: Charge) -> None:
    _hear(bench, found.start, found.mark)
    time.sleep(bench.options.settle_seconds)  # a second result would come now
    found.start.results = _results(bench, found.start, found.mark)
    found.again = bench.call("POST", "commands", "/START_SESSION", body=found.start.body)
    twist = {**found.start.body, "token": bodies.token(bench.options.party)}
    found.twisted = bench.call("POST", "commands", "/START_SESSION", body=twist)
    _find_session(bench, found)
    if found.session_id and _status(bench, found, "ACTIVE", "COMPLETED", "INVALID"):
        _rival(bench, found)
        _watch(bench, found)
    if found.session_id:
        _stop(bench, found)
    _await_cdr(bench, found)
    time.sleep(bench.options.settle_seconds)  # a second CDR would come now
    found.deliveries = bench.ptp.since(found.mark)
    _read_lists(bench, found)
    _confirm(bench, found)


def _hear(bench: Bench, command: Command, mark: int) -> None:
    """Wait for the CommandResult as long as its timeout says, and at most as long as our patience."""
    bench.ptp.wait(_answers(command), mark=mark, seconds=bench.options.patience_seconds)
    command.results = _results(bench, command, mark)


def _results(bench: Bench, command: Command, mark: int) -> list[Delivery]:
    return list(filter(_answers(command), bench.ptp.since(mark, "commands")))


def _answers(command: Command) -> Callable[[Delivery], bool]:
    name = str(command.body["response_url"]).rsplit("/", 1)[-1]
    return lambda delivery: delivery.kind == "commands" and delivery.request.path.rstrip("/").endswith(name)


def _find_session(bench: Bench, found: Charge) -> None:
    """By push; from a peer that does not push, by GET."""

    def names_it(delivery: Delivery) -> bool:
        body = delivery.body if isinstance(delivery.body, dict) else {}
        return delivery.kind == "sessions" and body.get("authorization_reference") == found.reference

    pushed = bench.ptp.wait(names_it, mark=found.mark, seconds=bench.options.patience_seconds)
    if pushed is not None:
        found.session_id = str(pushed.body.get("id") or pushed.ids[-1])
        return
    listed = _listed(bench, "sessions", found.reference)
    found.session_id = str(listed[0].get("id")) if listed else ""


def _status(bench: Bench, found: Charge, *wanted: str) -> str:
    """Wait until the session has one of these states, by push or GET; empty when it did not."""
    until = time.monotonic() + bench.options.patience_seconds
    while True:
        found.deliveries = bench.ptp.since(found.mark)
        states = found.states()
        if not states:
            states = _listed(bench, "sessions", found.reference)
        told = str(states[-1].get("status")) if states else ""
        if told in wanted:
            return told
        left = until - time.monotonic()
        if left <= 0:
            return ""
        bench.ptp.wait(lambda d: d.kind == "sessions", mark=bench.ptp.mark(), seconds=min(left, POLL_SECONDS))


def _rival(bench: Bench, found: Charge) -> None:
    """Another card taps twice at the EVSE that is charging."""
    body = bodies.start_session(
        bench.options.party,
        response_url=bench.ptp.response_url("START_SESSION"),
        location_id=found.target.location_id,
        **found.target.where,
    )
    for _ in range(2):
        command = Command(body, bench.call("POST", "commands", "/START_SESSION", body=body))
        found.rivals.append(command)
    if found.rivals[0].said == "ACCEPTED":
        _hear(bench, found.rivals[0], found.mark)


def _watch(bench: Bench, found: Charge) -> None:
    """Charge for a while; look at the location meanwhile."""
    time.sleep(bench.options.charge_seconds / 2)
    found.busy = _location(bench, found.target)
    time.sleep(bench.options.charge_seconds / 2)
    if found.before is not None:
        found.mirrored = _busy_mirror(bench, found.target, found.before)


def _busy_mirror(bench: Bench, target: Target, location: dict[str, Any]) -> dict[str, Any] | None:
    """The mirrored Location once it says that the EVSE charges; as it is when that takes too long."""
    until = time.monotonic() + bench.options.patience_seconds
    while True:
        mark = bench.ptp.mark()
        mirrored = bench.ptp.mirrored(bench.version, location)
        left = until - time.monotonic()
        if target.status_in(mirrored) == "CHARGING" or left <= 0:
            return mirrored
        bench.ptp.wait(lambda d: d.kind == "locations", mark=mark, seconds=left)


def _stop(bench: Bench, found: Charge) -> None:
    found.stop = _send_stop(bench, found)
    if found.stop.said == "ACCEPTED":
        _hear(bench, found.stop, found.mark)
    _status(bench, found, "COMPLETED", "INVALID")


def _send_stop(bench: Bench, found: Charge) -> Command:
    body = {"response_url": bench.ptp.response_url("STOP_SESSION"), "session_id": found.session_id}
    return Command(body, bench.call("POST", "commands", "/STOP_SESSION", body=body))


def _await_cdr(bench: Bench, found: Charge) -> None:
    """A CDR that we have taken; the first delivery gets an error from us."""

    def is_taken(delivery: Delivery) -> bool:
        body = delivery.body if isinstance(delivery.body, dict) else {}
        ours = body.get("authorization_reference") == found.reference
        return ours and (delivery.kind, delivery.method, delivery.http_status) == ("cdrs", "POST", 201)

    bench.ptp.wait(is_taken, mark=found.mark, seconds=bench.options.patience_seconds)


def _read_lists(bench: Bench, found: Charge) -> None:
    for module in ("sessions", "cdrs"):
        bench.forget(f"all {module}")  # what was read before the charge is stale
    if found.stop is not None:
        found.stop.results = _results(bench, found.stop, found.mark)
        found.late_stop = _send_stop(bench, found)
        if found.late_stop.said == "ACCEPTED":
            _hear(bench, found.late_stop, found.mark)
    found.listed_sessions = _listed(bench, "sessions", found.reference)
    found.listed_cdrs = _listed(bench, "cdrs", found.reference)


def _listed(bench: Bench, module: str, reference: str) -> list[dict[str, Any]]:
    since = utc_text(datetime.now(UTC) - LOOK_BACK)
    items = [
        item
        for page in bench.pages(module, date_from=since)
        if isinstance(page.data, list)
        for item in page.data
    ]
    return [i for i in items if isinstance(i, dict) and i.get("authorization_reference") == reference]


def _confirm(bench: Bench, found: Charge) -> None:
    try:
        cdr = found.cdr
    except Untried:
        return
    before, paid = net(cdr.get("total_cost")), gross(cdr.get("total_cost"))
    if paid is None or before is None:
        return
    total = bodies.price(bench.version, str(before), str(paid))
    body = bodies.confirmation(found.reference, total, currency=str(cdr.get("currency")))
    found.confirmation = body
    place = "/financial-advice-confirmations"
    for _ in range(2):
        found.confirmed.append(bench.call("POST", "payments", place, body=body))
    found.confirmation_read = bench.get("payments", f"{place}/{body['id']}")


def _location(bench: Bench, target: Target) -> dict[str, Any] | None:
    answer: Exchange = bench.get("locations", f"/{target.location_id}")
    return answer.data if answer.ok and isinstance(answer.data, dict) else None
