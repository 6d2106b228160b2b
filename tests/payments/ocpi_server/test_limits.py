"""How much a platform may ask, in a minute and at once, and how much somebody with a token that nobody knows."""

from typing import Any

import pytest

from payments import throttling
from payments.models import OcpiMessage
from payments.ocpi.server import transport
from tests.payments.ocpi_server.reader import Answer, Reader, reader


@pytest.fixture(autouse=True)
def _one_minute(monkeypatch: pytest.MonkeyPatch) -> None:
    """The clock of the limits stands, ten seconds after the minute began."""
    monkeypatch.setattr(throttling.time, "time", lambda: 1_800_000_010.0)


def refused(answer: Answer) -> bool:
    """Whether it is a refusal for the number of requests, in the envelope."""
    return (answer.http_status, answer.status, answer.headers.get("Retry-After")) == (429, 2000, "50")


def test_a_platform_that_asks_too_much_is_told_when_to_come_back(ptp: Reader, settings: Any) -> None:
    settings.PTP_REQUESTS_PER_MINUTE = 3

    answers = [ptp.get("tariffs") for _ in range(4)]

    assert [answer.http_status for answer in answers[:3]] == [200, 200, 200]
    assert refused(answers[3])
    assert reader().get("tariffs").http_status == 200, "another platform is not meant"


def test_wrong_tokens_of_an_address_are_counted_and_close_no_door_to_a_right_one(
    ptp: Reader, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transport, "STRANGERS_PER_MINUTE", 2, raising=False)
    stranger = Reader(ptp.connection, "a-token-that-nobody-knows")

    answers = [stranger.get("tariffs") for _ in range(3)]

    assert [answer.http_status for answer in answers[:2]] == [401, 401]
    assert refused(answers[2])
    assert ptp.get("tariffs").http_status == 200


def test_what_is_refused_so_is_logged_like_what_strangers_send(ptp: Reader, settings: Any) -> None:
    settings.PTP_REQUESTS_PER_MINUTE = 0

    ptp.get("tariffs")

    message = OcpiMessage.objects.get()
    assert (message.connection, message.http_status) == (None, 429)


@pytest.mark.parametrize("path", ["locations", "tariffs", "sessions", "cdrs"])
def test_a_query_of_too_many_parameters_is_refused_and_no_fault_of_ours(
    ptp: Reader, caplog: pytest.LogCaptureFixture, path: str
) -> None:
    answer = ptp.get(path, **{f"a{n}": "1" for n in range(2_000)})

    assert (answer.http_status, answer.status) == (200, 2001)
    assert "failed" not in caplog.text
    assert OcpiMessage.objects.get().ocpi_status == 2001
