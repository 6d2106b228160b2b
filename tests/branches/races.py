"""What the races share: acts that begin at the same moment, and who must not have failed."""

import threading
from collections.abc import Callable
from datetime import timedelta
from itertools import pairwise
from typing import Any

from django.db import connection, transaction
from django.utils import timezone

from chargers.ocpp import v16_transactions
from chargers.ocpp.presence import Link
from chargers.ocpp.station import Message
from chargers.simulator.connector import iso
from payments import settlement
from payments.models import Payment
from payments.settlement import CaptureReport
from payments.states import CaptureStatus
from tests import builders
from tests.builders import Cast, Running


def at_once(*acts: Callable[[], Any]) -> list[Any]:
    """Do all of it at the same moment; returns what came, an exception where one was raised."""
    barrier = threading.Barrier(len(acts))
    came: list[Any] = [None] * len(acts)

    def run(index: int, act: Callable[[], Any]) -> None:
        barrier.wait()
        try:
            came[index] = act()
        except Exception as error:  # noqa: BLE001  (the test looks at it)
            came[index] = error
        finally:
            connection.close()

    threads = [threading.Thread(target=run, args=each) for each in enumerate(acts)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert not any(thread.is_alive() for thread in threads), "somebody waits for ever"
    return came


def none_failed(came: list[Any], *allowed: type[Exception]) -> None:
    strange = [each for each in came if isinstance(each, Exception) and not isinstance(each, allowed)]
    assert not strange, strange


def says(cast: Cast, action: str, **payload: Any) -> Callable[[], Any]:
    """The charger's message as its socket hands it on: one transaction, the station's row first."""
    cast.station.refresh_from_db()
    assert cast.station.connection_id is not None
    link = Link(cast.station.pk, cast.station.identity, cast.station.connection_id)
    handlers = {
        "StartTransaction": v16_transactions.start_transaction,
        "StopTransaction": v16_transactions.stop_transaction,
        "MeterValues": v16_transactions.meter_values,
    }

    def say() -> Any:
        with transaction.atomic():
            return handlers[action](Message(link, action, payload, timezone.now())).payload

    return say


def stop_message(cast: Cast, running: Running, *, energy_wh: int) -> Callable[[], Any]:
    return says(
        cast,
        "StopTransaction",
        transactionId=int(running.transaction.transaction_id),
        meterStop=running.register_wh + energy_wh,
        timestamp=iso(timezone.now()),
        reason="Local",
    )


def charging(cast: Cast, *, energy_wh: int = 1_000, authorized_minor: int = 6000) -> Running:
    """A session that has charged for half an hour."""
    ago = timezone.now() - timedelta(minutes=30)
    running = builders.start(cast.payment(now=ago, authorized_minor=authorized_minor), at=ago)
    running.meter(energy_wh=energy_wh, after_seconds=1700, power_w=2_000)
    return running


def captured(cast: Cast) -> Payment:
    running = charging(cast)
    with transaction.atomic():
        stop_message(cast, running, energy_wh=1_000)()
    settlement.settle(running.payment.pk, now=timezone.now())
    return settlement.confirm(running.payment.pk, report(50), now=timezone.now())


def report(amount_minor: int, *, number: int = 1) -> CaptureReport:
    return CaptureReport(
        confirmation_id=f"conf-{builders.next_number()}-{number}",
        status=CaptureStatus.SUCCESS,
        amount_minor=amount_minor,
        currency="EUR",
    )


def journal_is_whole(payment: Payment) -> None:
    """Numbers without a gap, each state the next one's before."""
    for events in (list(payment.events.all()), list(payment.session.events.all())):  # type: ignore[union-attr]
        assert [event.number for event in events] == list(range(1, len(events) + 1))
        assert all(a.state_after == b.state_before for a, b in pairwise(events))


# --- Starts ---------------------------------------------------------------------------------------
