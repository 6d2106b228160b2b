"""A platform that takes connections and never answers, beside one that does (SAFETY.md S17)."""

import socket
import threading
from collections.abc import Iterator

import pytest
from django.utils import timezone

from payments import circuit, outbound, outbox, tasks
from payments.models import OutboxMessage, Payment
from payments.ocpi.push import locations
from payments.settlement import OCPI_CDR
from payments.states import PaymentState
from tests import builders
from tests.builders import Cast
from tests.payments.ocpi_push.platform import Platform, message, registered


@pytest.fixture
def silent(monkeypatch: pytest.MonkeyPatch, ptp: Platform) -> Iterator[Cast]:
    """A cast whose platform takes connections and says nothing; we wait for an answer for 0.1 s."""
    quick = outbound.Limits(read_seconds=0.1)
    with socket.create_server(("127.0.0.1", 0), backlog=128) as server:
        cast = builders.cast()
        base = f"http://127.0.0.1:{server.getsockname()[1]}/ocpi"
        monkeypatch.setattr(outbound, "send", _within(outbound.send, quick, base))
        registered(cast, version="2.3.0", endpoints={"locations:RECEIVER": f"{base}/locations"})
        yield cast


def _within(send, quick, base):  # type: ignore[no-untyped-def]
    """Be quick with what is sent to `base` only: a platform that does answer may be slow."""

    def sent(method, url, **options):  # type: ignore[no-untyped-def]
        return send(method, url, **(options | {"limits": quick} if url.startswith(base) else options))

    return sent


def test_a_black_hole_is_called_five_times_and_the_other_settles_meanwhile(
    silent: Cast, ptp: Platform
) -> None:
    for _ in range(12):
        site = builders.site()
        outbox.tell(ptp=silent.ptp, topic=locations.TOPIC, subject=str(site.pk), now=timezone.now())
    payment = ptp.running().end(energy_wh=10_000, after_seconds=1200)

    tasks.deliver_due()
    tasks.deliver_due()

    silent.ptp.refresh_from_db()
    assert circuit.is_open(silent.ptp)
    called = OutboxMessage.objects.filter(ptp=silent.ptp, attempts__gt=0)
    assert called.count() == circuit.OPEN_AFTER
    assert message(ptp, OCPI_CDR, payment.pk).state == "DELIVERED"
    assert ptp.methods == ["PUT", "POST"]
    assert Payment.objects.get(pk=payment.pk).state == PaymentState.CAPTURING


def test_a_name_server_that_does_not_answer_holds_no_worker(monkeypatch: pytest.MonkeyPatch) -> None:
    answers = threading.Event()  # the name server's, which does not come before the call has ended

    def resolve(*_: object, **__: object) -> list[object]:
        assert answers.wait(30)
        raise socket.gaierror("it came too late")

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    rescue = threading.Timer(5, answers.set)  # so that a worker that is held fails the test and no more
    rescue.start()

    with pytest.raises(outbound.Unreachable):
        outbound.send("GET", "https://ptp.example.com/", headers={}, limits=outbound.Limits(call_seconds=0.1))

    assert not answers.is_set(), "the call waited for the name server"
    rescue.cancel()
    answers.set()


def test_while_it_is_down_the_sweep_asks_it_once_in_a_while(silent: Cast, ptp: Platform) -> None:
    silent.ptp.failures_in_row = circuit.OPEN_AFTER
    silent.ptp.save()
    outbox.tell(ptp=silent.ptp, topic=locations.TOPIC, subject=str(silent.site.pk), now=timezone.now())

    tasks.probe_silent()
    tasks.probe_silent()

    row = OutboxMessage.objects.get(ptp=silent.ptp, topic=locations.TOPIC)
    assert row.attempts == 1


def test_what_a_killed_worker_was_telling_holds_the_others_up_for_half_a_minute_at_most() -> None:
    slowest = 2 * max(outbound.ANSWER.call_seconds, outbound.UNREAD.call_seconds)

    # A living worker's claim must not end while it still calls; a dead one's keeps its PTP waiting until it does.
    assert slowest < outbox.CLAIM_SECONDS <= 30
