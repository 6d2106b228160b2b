"""The outbox in the portal: what waits and why, sending again, giving up."""

import re
import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.test import Client
from django.utils import timezone

from emabler.portal.ocpi import outbox
from payments.models import Decision, OcpiCommand, OutboxMessage, Payment, Ptp
from tests import builders
from tests.emabler.ocpi_cast import CHANGE, HOSTILE, connection, outgoing, staff
from tests.emabler.tariff_forms import text

pytestmark = pytest.mark.django_db
OUTBOX = "/connections/outbox/"
State = OutboxMessage.State


@pytest.fixture
def operator() -> Client:
    return staff("olga", *CHANGE)


def rows(response: Any) -> int:
    return response.content.decode().count("<tr>") - 1


def test_an_empty_outbox_says_so(operator: Client) -> None:
    assert "Nothing waits" in text(operator.get(OUTBOX))


def test_what_is_open_shows_what_it_is_about_and_why_it_is_not_there_yet(operator: Client) -> None:
    cast = builders.cast()
    linked = connection(cast.ptp)
    payment = cast.payment()
    command = OcpiCommand.objects.create(
        connection=linked, kind="STOP_SESSION", payment=payment, response_url="-", deadline_at=timezone.now()
    )
    lonely = cast.payment()
    Payment.objects.filter(pk=lonely.pk).update(session=None)
    outgoing(cast.ptp, topic="ocpi.cdr", subject=str(payment.pk), attempts=3, last_error="HTTP 503")
    outgoing(cast.ptp, topic="ocpi.command_result", subject=str(command.pk))
    outgoing(cast.ptp, topic="ocpi.cdr", subject=str(lonely.pk), state=State.GIVEN_UP)
    outgoing(cast.ptp, topic="ocpi.terminal", subject=str(cast.terminal.pk))
    outgoing(cast.ptp, topic="ocpi.session", subject=str(uuid.uuid4()))
    outgoing(cast.ptp, topic="something.new", subject="whatever")
    outgoing(cast.ptp, state=State.DELIVERED)

    response = operator.get(OUTBOX)

    body = text(response)
    assert rows(response) == 6
    assert body.count(f'href="/sessions/{payment.session_id}/"') == 2
    assert f"/admin/payments/payment/{lonely.pk}/change/" in body
    for phrase in ("HTTP 503", "something.new", "whatever", "Result of a command", cast.terminal.terminal_id):
        assert phrase in body


@pytest.mark.parametrize(
    ("query", "count"),
    [
        ("", 2),
        ("state=DUE", 1),
        ("state=GIVEN_UP", 1),
        ("state=DELIVERED", 1),
        ("state=all", 3),
        ("state=all&topic=ocpi.cdr", 1),
        ("ptp={ptp}", 2),
        ("ptp=999", 2),
        ("state=<svg>", 2),
        ("before=nonsense", 2),
        ("before=99999999999999999-" + "f" * 32, 2),
    ],
)
def test_filters_let_through_what_they_say(operator: Client, query: str, count: int) -> None:
    ptp = builders.ptp()
    outgoing(ptp, topic="ocpi.cdr")
    outgoing(ptp, state=State.GIVEN_UP)
    outgoing(ptp, state=State.DELIVERED)

    assert rows(operator.get(f"{OUTBOX}?{query.format(ptp=ptp.pk)}")) == count


def test_pages_follow_each_other_and_cost_the_same(
    operator: Client, django_assert_max_num_queries: Any
) -> None:
    cast = builders.cast()
    payment, now = cast.payment(), timezone.now()
    for number in range(120):
        topic, subject = ("ocpi.cdr", str(payment.pk)) if not number else ("ocpi.session", str(uuid.uuid4()))
        outgoing(cast.ptp, topic=topic, subject=subject, at=now - timedelta(seconds=number // 4))
    seen: list[str] = []
    path = f"{OUTBOX}?ptp={cast.ptp.pk}"

    for _ in range(3):
        with django_assert_max_num_queries(9):
            body = operator.get(path).content.decode()
        seen += re.findall(r'action="/connections/outbox/([0-9a-f-]{36})/send"', body)
        older = re.findall(r'href="([^"]+)">Older<', body)
        path = OUTBOX + older[0].replace("&amp;", "&") if older else ""

    assert path == ""
    assert len(seen) == len(set(seen)) == 120
    assert outbox.ROWS_SHOWN == 50


def test_a_message_is_sent_again_in_the_name_of_who_asked(operator: Client) -> None:
    ptp = builders.ptp()
    Ptp.objects.filter(pk=ptp.pk).update(failures_in_row=9, probe_at=timezone.now() + timedelta(hours=1))
    message = outgoing(ptp, state=State.GIVEN_UP, attempts=40, last_error="HTTP 500")

    told = operator.post(f"{OUTBOX}{message.pk}/send", {"back": f"{OUTBOX}?ptp={ptp.pk}"}, follow=True)

    message.refresh_from_db()
    ptp.refresh_from_db()
    assert (message.state, message.attempts) == (State.DUE, 0)
    assert ptp.probe_at is not None
    assert ptp.probe_at <= timezone.now()  # a platform that is down is asked at once
    assert "is on its way" in text(told)
    assert told.request["QUERY_STRING"] == f"ptp={ptp.pk}"
    entry = LogEntry.objects.get()
    assert (entry.user.get_username(), entry.object_id) == ("olga", str(message.pk))
    assert "Sent again" in entry.get_change_message()
    assert Decision.objects.get(act="SENT_AGAIN").subject == f"message:{message.pk}"


def test_everything_of_one_ptp_is_sent_again_and_nothing_of_another(operator: Client) -> None:
    ptp, other = builders.ptp(), builders.ptp()
    mine = [outgoing(ptp, state=state) for state in (State.GIVEN_UP, State.DUE, State.DELIVERED)]
    theirs = outgoing(other, state=State.GIVEN_UP)

    assert f"Send all of {ptp} again" in text(operator.get(f"{OUTBOX}?ptp={ptp.pk}"))
    told = operator.post(f"{OUTBOX}all/{ptp.pk}/send", follow=True)

    for message in (*mine, theirs):
        message.refresh_from_db()
    assert [message.state for message in mine] == [State.DUE, State.DUE, State.DELIVERED]
    assert theirs.state == State.GIVEN_UP
    assert f"2 messages are on the way to {ptp}." in text(told)
    assert LogEntry.objects.get().object_id == str(ptp.pk)


def test_giving_up_needs_a_reason_and_keeps_it(operator: Client) -> None:
    message = outgoing(builders.ptp())

    assert "Say why" in text(operator.post(f"{OUTBOX}{message.pk}/give-up", {"reason": " "}, follow=True))
    operator.post(f"{OUTBOX}{message.pk}/give-up", {"reason": "they settled it\n by phone"})

    message.refresh_from_db()
    assert message.state == State.GIVEN_UP
    assert message.last_error == "given up by olga: they settled it by phone"
    assert "they settled it by phone" in LogEntry.objects.get().get_change_message()
    kept = Decision.objects.get()
    assert (kept.act, kept.actor, kept.reason) == ("CLOSED", "olga", "they settled it by phone")
    assert kept.subject == f"message:{message.pk}"


@pytest.mark.parametrize(
    "now_is",
    [
        {"state": State.DELIVERED},
        {"state": State.GIVEN_UP},
        {"claimed_until": datetime(2099, 1, 1, tzinfo=UTC)},
    ],
)
def test_what_does_not_wait_or_is_being_sent_is_not_given_up(
    operator: Client, now_is: dict[str, Any]
) -> None:
    message = outgoing(builders.ptp(), **now_is)

    told = operator.post(f"{OUTBOX}{message.pk}/give-up", {"reason": "x"}, follow=True)

    message.refresh_from_db()
    assert message.state == now_is.get("state", State.DUE)
    assert message.last_error == ""
    assert "no longer waits, or is being sent right now" in text(told)
    assert not LogEntry.objects.exists()


@pytest.mark.parametrize(
    "back", ["https://elsewhere.example/", "//elsewhere.example", "/admin/", "", "\\evil"]
)
def test_an_act_leads_back_to_the_outbox_and_nowhere_else(operator: Client, back: str) -> None:
    message = outgoing(builders.ptp())

    assert operator.post(f"{OUTBOX}{message.pk}/send", {"back": back})["Location"] == OUTBOX


def test_what_does_not_exist_is_not_found(operator: Client) -> None:
    nobody = uuid.uuid4()

    assert operator.post(f"{OUTBOX}{nobody}/send").status_code == 404
    assert operator.post(f"{OUTBOX}{nobody}/give-up", {"reason": "x"}).status_code == 404
    assert operator.post(f"{OUTBOX}all/999/send").status_code == 404


def test_hostile_strings_stay_text(operator: Client) -> None:
    outgoing(builders.ptp(name=HOSTILE), topic=HOSTILE[:40], subject=HOSTILE, last_error=HOSTILE)

    body = operator.get(f"{OUTBOX}?topic={HOSTILE}").content.decode()

    assert "<svg" not in body
    assert "&lt;svg" in body
