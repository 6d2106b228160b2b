"""Commands of a PTP and our answers."""

from datetime import UTC, datetime
from typing import Any

import pytest

from payments.ocpi.commands import (
    CancelReservationBody,
    CommandResponseType,
    CommandResultType,
    CommandType,
    ReserveNowBody,
    StartSessionBody,
    StopSessionBody,
    UnlockConnectorBody,
    command_response,
    command_result,
    parse_command,
    parse_start_session,
)
from tests.payments.ocpi_shapes import cast
from tests.payments.ocpi_shapes.faults import faults

URL = "https://ptp.example/ocpi/commands/START_SESSION/42"


def start(**fields: Any) -> dict[str, Any]:
    """A START_SESSION; a field of `None` is left out."""
    body = {
        "response_url": URL,
        "token": cast.token_sent(),
        "location_id": "HARBOUR",
        "evse_uid": "E-1",
        "connector_id": "1",
        "authorization_reference": "pp-2026-0000000001",
    }
    return {name: value for name, value in (body | fields).items() if value is not None}


def test_a_start_keeps_of_its_token_what_bills_carry() -> None:
    assert parse_start_session(start(x_theirs=[])) == StartSessionBody(
        response_url=URL,
        token=cast.TOKEN,
        location_id="HARBOUR",
        evse_uid="E-1",
        connector_id="1",
        authorization_reference="pp-2026-0000000001",
    )


def test_a_start_needs_no_more_than_a_token_and_a_site() -> None:
    bare = parse_start_session(
        start(token=cast.TOKEN, evse_uid=None, connector_id=None, authorization_reference=None)
    )

    assert (bare.evse_uid, bare.connector_id, bare.authorization_reference) == (None, None, None)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"response_url": None}, [("response_url", "required")]),
        ({"response_url": "ftp://ptp.example/1"}, [("response_url", "invalid")]),
        ({"response_url": "https:///1"}, [("response_url", "invalid")]),
        ({"response_url": "https://[::1/1"}, [("response_url", "invalid")]),
        ({"response_url": "https://ptp.example/a b"}, [("response_url", "invalid")]),
        ({"response_url": "https://ptp.example/" + "a" * 255}, [("response_url", "too_large")]),
        ({"location_id": None}, [("location_id", "required")]),
        ({"location_id": 7}, [("location_id", "invalid")]),
        ({"evse_uid": None}, [("evse_uid", "required")]),
        ({"authorization_reference": "x" * 37}, [("authorization_reference", "too_large")]),
        ({"token": None}, [("token", "required")]),
        ({"token": "t"}, [("token", "invalid")]),
        ({"token": {}}, [(f"token.{name}", "required") for name in cast.TOKEN]),
        ({"token": cast.TOKEN | {"uid": "\u00e4"}}, [("token.uid", "invalid")]),
    ],
)
def test_every_fault_of_a_start_is_named(changes: dict[str, Any], expected: list[tuple[str, str]]) -> None:
    assert faults(parse_start_session, start(**changes)) == expected


def test_the_other_commands_are_read() -> None:
    names = {"response_url": URL, "location_id": "L", "evse_uid": "E", "connector_id": "1"}
    reserve = names | {
        "token": cast.TOKEN,
        "reservation_id": "R",
        "expiry_date": "2026-05-04T12:00:00Z",
    }

    assert parse_command(CommandType.START_SESSION, start()) == parse_start_session(start())
    assert parse_command(
        CommandType.STOP_SESSION, {"response_url": URL, "session_id": "S"}
    ) == StopSessionBody(URL, "S")
    assert parse_command(CommandType.UNLOCK_CONNECTOR, names) == UnlockConnectorBody(URL, "L", "E", "1")
    assert parse_command(CommandType.RESERVE_NOW, reserve) == ReserveNowBody(
        URL, cast.TOKEN, datetime(2026, 5, 4, 12, tzinfo=UTC), "R", "L", "E"
    )
    assert parse_command(
        CommandType.CANCEL_RESERVATION, {"response_url": URL, "reservation_id": "R"}
    ) == CancelReservationBody(URL, "R")


@pytest.mark.parametrize("command", list(CommandType))
@pytest.mark.parametrize("body", [None, [], "x", 1])
def test_what_is_no_object_is_no_command(command: CommandType, body: object) -> None:
    assert faults(parse_command, command, body) == [("", "invalid")]


@pytest.mark.parametrize("command", list(CommandType))
def test_every_command_says_where_its_result_goes(command: CommandType) -> None:
    assert ("response_url", "required") in faults(parse_command, command, {})


class TestAnswers:
    def test_a_response_tells_how_long_to_wait(self) -> None:
        assert command_response(CommandResponseType.ACCEPTED, 30) == {"result": "ACCEPTED", "timeout": 30}

    def test_texts_come_in_the_languages_given(self) -> None:
        texts = {"fi": "Latauspiste on varattu.", "en": "x" * 600}

        answer = command_response(CommandResponseType.REJECTED, 30, texts)

        assert answer["message"][0] == {"language": "fi", "text": "Latauspiste on varattu."}
        assert len(answer["message"][1]["text"]) == 512

    def test_a_result_has_no_timeout(self) -> None:
        assert command_result(CommandResultType.EVSE_OCCUPIED, {"en": "Occupied."}) == {
            "result": "EVSE_OCCUPIED",
            "message": [{"language": "en", "text": "Occupied."}],
        }
        assert command_result(CommandResultType.ACCEPTED, {}) == {"result": "ACCEPTED"}
