"""The event stream of a session: what changes is told, it ends when all is done, and it holds nothing."""

import asyncio
import json
import threading
from datetime import timedelta

import pytest
from django.db import connection
from django.test import AsyncClient
from django.utils import timezone

from payments.ptp_api import event_stream
from payments.settlement import CaptureReport, acknowledge_release, confirm
from payments.states import CaptureStatus
from tests import builders
from tests.payments.ptp_client import API, problem

pytestmark = pytest.mark.django_db(transaction=True)

PATIENCE_SECONDS = 20


@pytest.fixture(autouse=True)
def _fast(monkeypatch):
    monkeypatch.setattr(event_stream, "LOOK_EVERY_SECONDS", 0.05)


def in_thread(act, *arguments, **keywords):
    """Run database work beside the event loop; its connection ends with it."""

    def run():
        try:
            return act(*arguments, **keywords)
        finally:
            connection.close()

    return asyncio.get_running_loop().run_in_executor(None, run)


async def open_stream(key, session_id):
    return await AsyncClient().get(
        f"{API}/sessions/{session_id}/events", headers={"authorization": f"Bearer {key}"}
    )


class Reader:
    """Reads the events of a stream, one by one."""

    def __init__(self, response):
        self.chunks = aiter(response.streaming_content)
        self.pings = 0

    async def event(self):
        """The next event's name and data."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            async for chunk in self.chunks:
                lines = dict(line.split(": ", 1) for line in chunk.decode().strip().split("\n"))
                if "event" in lines:
                    return lines["event"], json.loads(lines["data"])
                self.pings += "" in lines
        return None


async def test_a_stream_tells_the_session_at_once_then_each_change_then_the_end():
    started_at = timezone.now() - timedelta(minutes=20)
    cast = await in_thread(builders.cast)
    running = await in_thread(cast.running, now=started_at)
    stream = await open_stream(cast.key, running.payment.session_id)
    reader = Reader(stream)

    assert stream["Content-Type"] == "text/event-stream"
    assert stream["Cache-Control"] == "no-store"
    name, told = await reader.event()
    assert (name, told["status"], told["energy_wh"]) == ("session", "CHARGING", 0)

    await in_thread(running.meter, energy_wh=5000, after_seconds=600)
    name, told = await reader.event()
    assert (name, told["energy_wh"], told["cost"]["incl_vat"]) == ("session", 5000, "2.50")

    payment = await in_thread(running.end, energy_wh=10_000, after_seconds=1200)
    while told["payment_status"] != "CAPTURING":
        name, told = await reader.event()
        assert name == "session"
    assert (told["status"], told["settlement"]["action"]) == ("ENDED", "CAPTURE")

    report = CaptureReport(
        confirmation_id="c-1", status=CaptureStatus.SUCCESS, amount_minor=500, currency="EUR"
    )
    await in_thread(confirm, payment.pk, report, now=timezone.now())
    name, told = await reader.event()
    assert (name, told["payment_status"]) == ("end", "CAPTURED")
    assert await reader.event() is None


async def test_a_stream_of_what_is_final_ends_at_once():
    cast = await in_thread(builders.cast, online=False)
    payment = await in_thread(cast.payment)
    await in_thread(acknowledge_release, payment.pk, now=timezone.now())
    reader = Reader(await open_stream(cast.key, payment.session_id))

    name, told = await reader.event()

    assert (name, told["status"], told["payment_status"]) == ("end", "REJECTED", "RELEASED")
    assert await reader.event() is None


async def test_a_quiet_stream_pings(monkeypatch):
    monkeypatch.setattr(event_stream, "PING_EVERY_SECONDS", 0.1)
    cast = await in_thread(builders.cast)
    running = await in_thread(cast.running, now=timezone.now() - timedelta(minutes=5))
    reader = Reader(await open_stream(cast.key, running.payment.session_id))
    await reader.event()

    async with asyncio.timeout(PATIENCE_SECONDS):
        chunk = await anext(reader.chunks)

    assert chunk == b": ping\n\n"


async def test_the_bell_wakes_a_stream_before_its_next_look(monkeypatch):
    monkeypatch.setattr(event_stream, "LOOK_EVERY_SECONDS", PATIENCE_SECONDS * 10)
    cast = await in_thread(builders.cast)
    running = await in_thread(cast.running, now=timezone.now() - timedelta(minutes=20))
    reader = Reader(await open_stream(cast.key, running.payment.session_id))
    await reader.event()

    await in_thread(running.end, energy_wh=10_000, after_seconds=1200)

    assert (await reader.event())[1]["status"] == "ENDED"


async def test_streams_of_one_key_are_bounded_and_a_closed_one_makes_room(monkeypatch):
    monkeypatch.setattr(event_stream, "STREAMS_PER_KEY", 1)
    cast = await in_thread(builders.cast)
    running = await in_thread(cast.running)
    first = await open_stream(cast.key, running.payment.session_id)
    chunks = aiter(first.streaming_content)
    await anext(chunks)

    refused = await open_stream(cast.key, running.payment.session_id)
    # What the server does when the peer has gone: it closes the content and drops the response.
    await chunks.aclose()
    del first, chunks

    assert problem(refused) == (429, "rate_limited")
    async with asyncio.timeout(PATIENCE_SECONDS):
        while (await open_stream(cast.key, running.payment.session_id)).status_code != 200:
            await asyncio.sleep(0.01)


async def test_an_old_stream_is_ended_without_an_end(monkeypatch):
    monkeypatch.setattr(event_stream, "LONGEST_STREAM_SECONDS", 0.2)
    cast = await in_thread(builders.cast)
    running = await in_thread(cast.running)
    reader = Reader(await open_stream(cast.key, running.payment.session_id))

    assert (await reader.event())[0] == "session"
    assert await reader.event() is None


async def test_an_open_stream_keeps_no_database_connection_between_two_looks(monkeypatch):
    monkeypatch.setattr(event_stream, "LOOK_EVERY_SECONDS", 0.5)
    cast = await in_thread(builders.cast)
    running = await in_thread(cast.running)
    held = []

    def look(caller, session_id, real=event_stream._look):
        held.append((threading.get_ident(), connection.connection is not None))
        return real(caller, session_id)

    monkeypatch.setattr(event_stream, "_look", look)
    reader = Reader(await open_stream(cast.key, running.payment.session_id))
    await reader.event()

    assert held
    assert not any(connected for _, connected in held)


@pytest.mark.parametrize("header", [None, "Bearer nobody", "Basic abc"])
async def test_without_a_living_key_no_stream_is_opened(header):
    cast = await in_thread(builders.cast)
    running = await in_thread(cast.running)
    headers = {} if header is None else {"authorization": header}

    answer = await AsyncClient().get(f"{API}/sessions/{running.payment.session_id}/events", headers=headers)

    assert problem(answer) == (401, "unauthorized")


async def test_the_stream_of_another_ptps_session_is_not_there():
    cast = await in_thread(builders.cast)
    stranger = await in_thread(builders.cast)
    running = await in_thread(stranger.running)

    assert problem(await open_stream(cast.key, running.payment.session_id)) == (404, "not_found")
