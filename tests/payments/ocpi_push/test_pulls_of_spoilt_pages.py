"""Pages with something spoilt in them: what can be read is taken, and the pull goes on behind it."""

import time
from collections.abc import Iterator
from datetime import datetime
from types import SimpleNamespace
from typing import Any

import pytest
from django.utils import timezone

from payments import exact_json
from payments.models import Confirmation, Payment, Terminal
from payments.ocpi.push import client, pulls
from payments.settlement import OCPI_CDR, OCPI_SESSION
from payments.simulator.ocpi.wire import Reply, Request
from payments.states import PaymentState
from tests.builders import Cast
from tests.payments.ocpi_push.platform import Platform, deliver, message, platform

MOMENT = "2026-01-31T12:00:00Z"


def confirmation(reference: str, **fields: bytes) -> bytes:
    """A confirmation of 5.00 EUR; `fields` are the JSON of their values, as the platform wrote it."""
    facts = {
        "id": b'"fac-%s"' % reference[-20:].encode(),
        "authorization_reference": b'"%s"' % reference.encode(),
        "total_costs": b'{"excl_vat": 5, "incl_vat": 5}',
        "currency": b'"EUR"',
        "eft_data": b'["VISA"]',
        "capture_status_code": b'"SUCCESS"',
        "last_updated": b'"%s"' % MOMENT.encode(),
    } | fields
    return b"{%s}" % b",".join(b'"%s": %s' % (name.encode(), facts[name]) for name in facts)


@pytest.fixture
def lists(ptp: Platform) -> dict[str, list[list[bytes]]]:
    """The pages that the platform has of each list, every object as its text."""
    held: dict[str, list[list[bytes]]] = {"terminals": [[]], "financial-advice-confirmations": [[]]}

    def serve(request: Request) -> Reply:
        name = request.path.rstrip("/").rpartition("/")[2]
        place = int(request.query.get("page", 0))
        following = f'<{ptp.server.url}{request.path}?page={place + 1}>; rel="next"'
        raw = b'{"status_code": 1000, "timestamp": "%s", "data": [%s]}'
        return Reply(
            raw=raw % (MOMENT.encode(), b",".join(held[name][place])),
            headers={"Link": following} if place + 1 < len(held[name]) else {},
        )

    ptp._keep = serve  # type: ignore[method-assign]
    return held


@pytest.fixture
def ptp(cast: Cast) -> Iterator[Platform]:
    """A platform that has terminals and confirmations."""
    with platform(cast, payments=True) as running:
        yield running


@pytest.fixture
def capturing(ptp: Platform) -> Payment:
    """A payment of 5.00 EUR whose CDR has arrived."""
    payment = ptp.running().end(energy_wh=10_000, after_seconds=1200)
    deliver(ptp, OCPI_SESSION, payment.pk)
    deliver(ptp, OCPI_CDR, payment.pk)
    return payment


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        (b'["TOTAL\t12,30"]', ["TOTAL 12,30"]),
        (b'["VISA\r\n****1234"]', ["VISA ****1234"]),
        (rb'["VISA\r\n****1234"]', ["VISA ****1234"]),
        ('["12,30\u00a0€", "12,30\u202f€"]'.encode(), ["12,30 €", "12,30 €"]),
        (rb'["VISA\u0000", "\ud800"]', ["VISA\ufffd", "\ufffd"]),
        (b'["K\xf6ln"]', ["K\ufffdln"]),
        (rb'["\u202e03,21"]', ["03,21"]),
    ],
)
def test_no_character_in_a_line_keeps_a_capture_back(
    capturing: Payment, ptp: Platform, lists: Any, written: bytes, shown: list[str]
) -> None:
    told = confirmation(capturing.authorization_reference, eft_data=written)
    lists["financial-advice-confirmations"] = [[told], [confirmation("later")]]
    lists["terminals"] = [[b'{"terminal_id": "T1", "address": "Pier 7\\n"}', b'{"terminal_id": "T2"}']]

    assert pulls.pull_due(timezone.now()) == 1

    capturing.refresh_from_db()
    ptp.reload()
    assert (capturing.state, capturing.captured_minor) == (PaymentState.CAPTURED, 500)
    assert Confirmation.objects.get(payment=capturing).eft_data == shown
    assert Confirmation.objects.filter(authorization_reference="later").exists()
    assert ptp.connection.confirmations_pulled_at is not None
    assert Terminal.objects.filter(ptp=ptp.connection.ptp, terminal_id="T2").exists()


@pytest.mark.parametrize(
    "spoilt",
    [
        {"total_costs": b"NaN"},
        {"total_costs": b'{"excl_vat": 1e1000000}'},
        {"total_costs": b'{"excl_vat": %s}' % (b"9" * 5000)},
        {"total_costs": b"[" * 40 + b"]" * 40},
        {"currency": b'"EUR", "currency": "SEK"'},
        {"id": rb'"fac\u0000"'},
        {"id": b'"fac\xff"'},
    ],
)
def test_one_that_is_spoilt_keeps_none_of_the_others_back_and_is_named_in_the_log(
    capturing: Payment, ptp: Platform, lists: Any, caplog: pytest.LogCaptureFixture, spoilt: dict[str, bytes]
) -> None:
    good = confirmation(capturing.authorization_reference)
    lists["financial-advice-confirmations"] = [[confirmation("bad-hold", **spoilt), good]]

    pulled = pulls.pull_confirmations(ptp.connection, now=timezone.now())

    capturing.refresh_from_db()
    ptp.reload()
    assert (pulled.taken, len(pulled.faults)) == (1, 1)
    assert capturing.state == PaymentState.CAPTURED
    assert ptp.connection.confirmations_pulled_at is not None
    assert "cannot be taken: a confirmation for bad-hold" in caplog.text


@pytest.mark.parametrize("item", [b"NaN", b"null", b"[]", b'"\\u0000"', b"7"])
def test_what_is_no_object_is_passed_over_too(ptp: Platform, lists: Any, item: bytes) -> None:
    lists["financial-advice-confirmations"] = [[item, confirmation("good")]]

    pulled = pulls.pull_confirmations(ptp.connection, now=timezone.now())

    assert (pulled.taken, len(pulled.faults)) == (1, 1)


@pytest.mark.parametrize("item", [b"0", confirmation("bad-hold", total_costs=b"0")], ids=["number", "object"])
def test_of_a_page_full_of_faults_the_first_are_named_and_the_rest_are_counted(
    ptp: Platform, lists: Any, caplog: pytest.LogCaptureFixture, item: bytes
) -> None:
    lists["financial-advice-confirmations"] = [[item] * 60, [item] * 40 + [confirmation("good")]]

    pulled = pulls.pull_confirmations(ptp.connection, now=timezone.now())

    assert (pulled.taken, pulled.refused, len(pulled.faults)) == (1, 100, pulls.MOST_FAULTS)
    told = [record.getMessage() for record in caplog.records if record.name.startswith("payments.ocpi")]
    assert len(told) == pulls.MOST_FAULTS + 1
    assert told[-1].startswith("80 more objects pulled from")


def test_a_page_with_more_than_there_is_time_for_is_left_and_gone_on_with(
    ptp: Platform, lists: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    lists["financial-advice-confirmations"] = [[confirmation(f"hold-{n}") for n in range(7)]]
    clock = {"now": 0.0}
    times = SimpleNamespace(monotonic=lambda: clock["now"], perf_counter=time.perf_counter)
    monkeypatch.setattr(client, "time", times)
    really = pulls.booking.book

    def slow(*told: Any, now: datetime) -> bool:
        clock["now"] += 1
        return really(*told, now=now)

    monkeypatch.setattr(pulls.booking, "book", slow)

    def pull() -> pulls.Pulled:
        return pulls.pull_confirmations(ptp.connection, now=timezone.now(), until=clock["now"] + 2.5)

    for so_far in (3, 6):
        with pytest.raises(pulls.Unfinished):
            pull()
        assert Confirmation.objects.count() == so_far
    ptp.reload()
    assert ptp.connection.confirmations_pulled_at is None
    assert pull().taken == 1
    assert Confirmation.objects.count() == 7
    ptp.reload()
    assert ptp.connection.confirmations_pulled_at is not None


def test_a_page_that_comes_late_is_taken_all_the_same(
    ptp: Platform, lists: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Or a platform that takes its time would never get on with its lists, night after night."""
    lists["financial-advice-confirmations"] = [[confirmation("late")]]
    clock, really = {"now": 0.0}, client.call

    def slow(*told: Any, **more: Any) -> client.Answer:
        clock["now"] += 30
        return really(*told, **more)

    monkeypatch.setattr(
        client, "time", SimpleNamespace(monotonic=lambda: clock["now"], perf_counter=time.perf_counter)
    )
    monkeypatch.setattr(client, "call", slow)

    assert pulls.pull_confirmations(ptp.connection, now=timezone.now(), until=20.0).taken == 1


def test_a_page_that_is_no_json_is_still_a_fault_of_the_platform(ptp: Platform, lists: Any) -> None:
    lists["financial-advice-confirmations"] = [[b'{"id": ']]

    with pytest.raises(pulls.CallFailed):
        pulls.pull_confirmations(ptp.connection, now=timezone.now())

    ptp.reload()
    assert ptp.connection.confirmations_pulled_at is None


def test_a_line_break_in_what_a_platform_adds_makes_no_refusal_of_its_yes(ptp: Platform) -> None:
    payment = ptp.running().end(energy_wh=10_000, after_seconds=1200)
    deliver(ptp, OCPI_SESSION, payment.pk)
    said = exact_json.dumps({"status_code": 1000, "status_message": "stored\r\nthank you\u202e"})
    ptp.answers = [Reply(raw=said.encode(), http_status=201)]

    assert deliver(ptp, OCPI_CDR, payment.pk)
    assert message(ptp, OCPI_CDR, payment.pk).last_error == ""
