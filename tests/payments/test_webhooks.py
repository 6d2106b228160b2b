"""Webhooks arrive at least once, signed, with the newest state; and they lead nowhere they must not."""

import hashlib
import hmac
import ipaddress
import socket
import threading
from datetime import timedelta

import pytest
from django.utils import timezone

from payments import outbound, outbox, settlement, tasks
from payments.models import OutboxMessage, Payment
from payments.settlement import CaptureReport
from payments.states import CaptureStatus
from tests import builders
from tests.payments.ptp_client import TerminalClient
from tests.payments.webhook_peer import LOST, webhook_peer


@pytest.fixture
def peer():
    with webhook_peer() as running:
        yield running


@pytest.fixture
def due(db, peer):
    """A payment of 5.00 EUR whose PTP is to be told to capture it."""
    cast = builders.cast(webhook_url=peer.url)
    running = cast.running(now=timezone.now() - timedelta(minutes=20))
    payment = running.end(energy_wh=10_000, after_seconds=1200)
    payment.key = cast.key
    return payment


def message_of(payment, topic="settlement.due"):
    return OutboxMessage.objects.get(ptp=payment.ptp, topic=topic, subject=str(payment.pk))


def deliver(payment, topic="settlement.due"):
    """Deliver as the worker does when the message's time has come."""
    message = message_of(payment, topic)
    return outbox.deliver(message.pk, now=max(timezone.now(), message.next_attempt_at))


def test_a_settlement_that_is_due_is_told_with_the_same_words_as_the_api(due, peer):
    assert deliver(due)

    told = peer.received[0].json
    asked = TerminalClient(due.key).get(f"/sessions/{due.session_id}/settlement").json()
    assert told["event"] == "settlement.due"
    assert told["data"] == asked
    assert (told["data"]["action"], told["data"]["amount"]) == ("CAPTURE", "5.00")
    assert message_of(due).state == "DELIVERED"


def test_the_signature_proves_sender_and_body(due, peer):
    deliver(due)

    got = peer.received[0]
    parts = dict(part.split("=") for part in got.headers["X-Emabler-Signature"].split(","))
    signed = f"{parts['t']}.".encode() + got.body
    expected = hmac.new(builders.WEBHOOK_SECRET.encode(), signed, hashlib.sha256).hexdigest()
    assert parts["v1"] == expected
    assert abs(int(parts["t"]) - timezone.now().timestamp()) < 300
    assert got.headers["X-Emabler-Event"] == "settlement.due"
    assert got.headers["X-Emabler-Delivery"] == got.json["event_id"]
    assert got.headers["Content-Type"] == "application/json"


def test_news_of_a_session_is_told_when_the_worker_follows_it(db, peer):
    cast = builders.cast(webhook_url=peer.url)
    running = cast.running(now=timezone.now() - timedelta(minutes=20))
    running.meter(energy_wh=5000, after_seconds=600)

    tasks.follow_session(str(running.payment.session_id))
    assert deliver(running.payment, "session.updated")

    told = peer.received[0].json
    assert told["event"] == "session.updated"
    assert (told["data"]["status"], told["data"]["energy_wh"]) == ("CHARGING", 5000)


@pytest.mark.parametrize("failure", [500, 503, 429, 404, 401, 302, LOST])
def test_what_fails_is_told_again_under_the_same_delivery_id(due, peer, failure):
    peer.answers = [failure]
    tried_at = timezone.now()

    assert not deliver(due)
    waiting = message_of(due)
    assert (waiting.state, waiting.attempts) == ("DUE", 1)
    assert waiting.last_error
    assert waiting.next_attempt_at > tried_at + timedelta(seconds=1)
    assert deliver(due)

    first, second = peer.received
    assert first.headers["X-Emabler-Delivery"] == second.headers["X-Emabler-Delivery"]
    assert first.json["data"] == second.json["data"]
    assert message_of(due).state == "DELIVERED"


def test_gone_is_the_one_answer_that_ends_a_message(due, peer):
    peer.answers = [410]

    assert not deliver(due)

    assert message_of(due).state == "GIVEN_UP"
    assert not deliver(due)
    assert len(peer.received) == 1


def test_a_redirect_is_not_followed(due, peer):
    with webhook_peer() as elsewhere:
        peer.answers = [307]
        peer.headers = {"Location": elsewhere.url}

        assert not deliver(due)

        assert elsewhere.received == []


def test_a_late_message_tells_the_newest_state(due, peer):
    peer.answers = [500]
    deliver(due)
    Payment.objects.filter(pk=due.pk).update(review="meter_doubt")

    deliver(due)

    assert [got.json["data"]["review"] for got in peer.received] == [None, "meter_doubt"]


def test_a_settlement_that_was_done_meanwhile_is_not_told(due, peer):
    report = CaptureReport(
        confirmation_id="c-1", status=CaptureStatus.SUCCESS, amount_minor=500, currency="EUR"
    )
    settlement.confirm(due.pk, report, now=timezone.now())

    assert deliver(due)

    assert peer.received == []


def test_more_news_of_a_session_is_another_delivery(db, peer):
    cast = builders.cast(webhook_url=peer.url)
    payment = cast.payment()
    for _ in range(2):
        settlement.tell_session_updated(payment, now=timezone.now())
        deliver(payment, "session.updated")

    ids = [got.headers["X-Emabler-Delivery"] for got in peer.received]
    assert len(set(ids)) == 2
    assert OutboxMessage.objects.filter(topic="session.updated").count() == 1


def test_a_ptp_without_webhook_is_told_nothing(db):
    cast = builders.cast()
    running = cast.running(now=timezone.now() - timedelta(minutes=20))
    running.end(energy_wh=10_000, after_seconds=1200)

    assert not OutboxMessage.objects.exists()


def test_a_secret_that_is_missing_ends_the_message_instead_of_sending_it_unsigned(due, peer):
    due.ptp.webhook_secret_sealed = ""
    due.ptp.save()

    assert not deliver(due)

    assert peer.received == []
    assert message_of(due).state == "GIVEN_UP"


def test_a_peer_that_is_not_there_is_tried_again(due):
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        due.ptp.webhook_url = f"http://127.0.0.1:{unused.getsockname()[1]}/"
        due.ptp.save()

        assert not deliver(due)

    assert message_of(due).state == "DUE"


def test_a_peer_that_drips_its_answer_does_not_hold_the_worker(due, monkeypatch):
    outbound._trust()  # read before the call: that may take a slow machine longer than the call has
    monkeypatch.setattr(outbound, "UNREAD", outbound.Limits(most_bytes=0, call_seconds=1))
    called, stop = threading.Event(), threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(20)  # a call that never comes fails the test; it must not hang the run

        def drip():
            line, _ = server.accept()
            called.set()
            with line:
                line.sendall(b"HTTP/1.1 200 OK\r\n")
                while not stop.wait(0.02):
                    try:
                        line.sendall(b"X: 1\r\n")
                    except OSError:
                        return

        thread = threading.Thread(target=drip)
        thread.start()
        due.ptp.webhook_url = f"http://127.0.0.1:{server.getsockname()[1]}/"
        due.ptp.save()

        assert not deliver(due)

        stop.set()
        thread.join(30)
    assert called.is_set()
    assert "no answer within" in message_of(due).last_error


# --- Where we do not call -------------------------------------------------------------------------


@pytest.mark.parametrize(
    "url",
    [
        "http://93.184.216.34/hook",
        "ftp://example.org/",
        "https://user:secret@example.org/",
        "https://10.0.0.1/",
        "https://192.168.1.1/",
        "https://172.16.0.1/",
        "https://169.254.169.254/latest/meta-data",
        "https://0.0.0.0/",
        "https://[::]/",
        "https://[fe80::1]/",
        "https://[fd00::1]/",
        "https://[::ffff:10.0.0.1]/",
        "https://[64:ff9b::a00:1]/",
        "https://[64:ff9b:1::a00:1]/",
        "https://[64:ff9b:1::808:808]/",
        "https://[2002:a00:1::]/",
        "https://[2001:0:808:808::f5ff:fffe]/",
        "https://[::10.0.0.1]/",
        "https://[::8.8.8.8]/",
        "https://[::ffff:0:10.0.0.1]/",
        "https://[::ffff:127.0.0.1]/",
        "https://[fec0::1]/",
        "https://[ff0e::1]/",
        "https://[4000::1]/",
        "https://2130706433:1/",
        "https://100.64.0.1/",
        "https://224.0.0.1/",
        "https:///path",
        "not a url",
        "",
    ],
)
def test_addresses_that_are_not_public_are_refused(url, settings, monkeypatch):
    settings.ALLOW_LOOPBACK_PEERS = False
    monkeypatch.setattr(outbound, "_send", _never)

    with pytest.raises((outbound.Refused, outbound.Unreachable)):
        outbound.post(url, b"{}", {})


async def _never(*_, **__):
    raise AssertionError("a connection was about to be opened")


@pytest.mark.parametrize(
    "url", ["https://127.0.0.1/", "https://[::1]/", "https://localhost/", "http://127.0.0.1/"]
)
def test_the_loopback_is_called_in_the_demo_only(url, settings, monkeypatch):
    settings.ALLOW_LOOPBACK_PEERS = False
    monkeypatch.setattr(outbound, "_send", _never)

    with pytest.raises(outbound.Refused):
        outbound.post(url, b"{}", {})


def test_a_name_with_one_private_address_among_public_ones_is_refused(settings, monkeypatch):
    settings.ALLOW_LOOPBACK_PEERS = False
    answers = [(2, 1, 6, "", ("93.184.216.34", 443)), (2, 1, 6, "", ("10.0.0.1", 443))]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: answers)
    monkeypatch.setattr(outbound, "_send", _never)

    with pytest.raises(outbound.Refused):
        outbound.post("https://rebound.example.org/", b"{}", {})


def test_what_the_name_server_said_is_told_to_our_log_alone(settings, monkeypatch, caplog):
    settings.ALLOW_LOOPBACK_PEERS = False
    answers = [(2, 1, 6, "", ("10.20.30.40", 443))]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: answers)

    with pytest.raises(outbound.Refused) as refused:
        outbound.post("https://db.internal/", b"{}", {})

    assert str(refused.value) == "db.internal leads to an address that we do not call"
    assert "db.internal leads to 10.20.30.40" in caplog.text


def test_the_call_goes_to_the_address_that_was_checked(peer, monkeypatch):
    port = int(peer.url.split(":")[2].split("/")[0])
    asked = []
    really = socket.getaddrinfo

    def resolve(host, *arguments, **options):
        if host != "ptp.example.org":  # a thread that another test left: it is none of this test's business
            return really(host, *arguments, **options)
        asked.append(host)
        return [(2, 1, 6, "", ("127.0.0.1", port))]

    monkeypatch.setattr(socket, "getaddrinfo", resolve)

    assert outbound.post(f"http://ptp.example.org:{port}/hooks", b"{}", {}) == 200

    assert asked == ["ptp.example.org"]
    assert peer.received[0].headers["Host"] == f"ptp.example.org:{port}"


def test_a_name_with_two_addresses_is_tried_at_both(peer):
    port = peer.url.split(":")[2].split("/")[0]

    # The server listens on 127.0.0.1 alone; `localhost` may be ::1 first.
    assert outbound.post(f"http://localhost:{port}/hooks", b"{}", {}) == 200


@pytest.mark.parametrize(
    "address",
    ["8.8.8.8", "2606:4700::1111", "2001:4860::8888", "::ffff:8.8.8.8", "64:ff9b::808:808", "2002:808:808::"],
)
def test_public_addresses_may_be_called_encrypted_only(address):
    assert outbound.may_call(ipaddress.ip_address(address))
    assert not outbound.may_call(ipaddress.ip_address(address), encrypted=False)


def test_a_ptp_that_answers_nobody_does_not_take_all_workers(db):  # S17
    cast = builders.cast(webhook_url="https://ptp.example/hook")
    now = timezone.now()
    waiting = [outbox.tell(ptp=cast.ptp, topic="session.updated", subject=str(n), now=now) for n in range(5)]
    OutboxMessage.objects.filter(pk__in=[m.pk for m in waiting[:2]]).update(
        claimed_until=now + timedelta(seconds=60)  # two workers are in calls to it
    )

    assert not outbox.deliver(waiting[2].pk, now=now)

    untouched = OutboxMessage.objects.get(pk=waiting[2].pk)
    assert (untouched.state, untouched.attempts, untouched.claimed_until) == ("DUE", 0, None)
    assert outbox.due_ids(now, 10) == [m.pk for m in waiting[2:]]


def test_a_message_that_cannot_be_rendered_does_not_keep_the_others_waiting(due, peer, monkeypatch):
    def broken(message):
        raise RuntimeError("a fault of ours")

    monkeypatch.setitem(outbox._carriers, "broken", broken)
    first = outbox.tell(ptp=due.ptp, topic="broken", subject="x", now=timezone.now() - timedelta(minutes=1))

    assert tasks.deliver_due() >= 1

    assert message_of(due).state == "DELIVERED"
    assert OutboxMessage.objects.get(pk=first.pk).state == "DUE"
