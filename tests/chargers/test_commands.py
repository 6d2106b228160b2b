"""Commands: durable rows with a deadline, sent at most once, their outcome told once."""

from datetime import timedelta
from typing import Any

import pytest
from django.db import IntegrityError, transaction
from django.utils import timezone

from chargers import commands, wake
from chargers.facts import CommandAction, CommandOutcome, CommandSettled
from chargers.models import ChargingStation, Command, Transaction
from chargers.ocpp import consumer, process, v16_commands
from chargers.ocpp.frames import CallError, CallResult
from chargers.tasks import expire_commands
from tests.chargers.fake_desk import FakeDesk
from tests.chargers.parts import RawCharger, connected, eventually, make_station


def ask(station: ChargingStation, tag: str = "TAG1", seconds: float = 20.0) -> Command:
    with transaction.atomic():
        return commands.start(
            station=station,
            evse=station.evses.get(),
            id_tag=tag,
            reference=f"ref-{tag}",
            actor="test",
            deadline_at=timezone.now() + timedelta(seconds=seconds),
        )


def answer(charger: RawCharger, frame: list[Any], payload: dict[str, Any]) -> None:
    charger.send([3, frame[1], payload])


def outcomes(desk: FakeDesk) -> list[tuple[str, CommandOutcome]]:
    return [(fact.reference, fact.outcome) for fact in desk.of(CommandSettled)]


def test_a_command_reaches_the_charger_and_its_answer_the_asker(server: str, desk: FakeDesk) -> None:
    station = make_station()

    with connected(server) as charger:
        command = ask(station)
        frame = charger.next_command()
        assert frame[2:] == ["RemoteStartTransaction", {"idTag": "TAG1", "connectorId": 1}]
        answer(charger, frame, {"status": "Accepted"})
        # The desk is told inside the transaction; what it was told counts once that has committed.
        eventually(lambda: Command.objects.filter(pk=command.pk, state=Command.State.ACCEPTED).exists())

    assert outcomes(desk) == [("ref-TAG1", CommandOutcome.ACCEPTED)]
    command.refresh_from_db()
    assert command.sent_at is not None


def test_a_command_queued_before_the_charger_connects_is_sent_when_it_does(server: str) -> None:
    station = make_station()
    ask(station)

    with connected(server) as charger:
        assert charger.next_command()[2] == "RemoteStartTransaction"


def test_a_start_that_nobody_waits_for_any_more_never_leaves(server: str, desk: FakeDesk) -> None:  # I8
    station = make_station()
    command = ask(station)
    desk.accepts = False  # the driver cancelled while the charger was away: the hold is being released

    with connected(server) as charger:
        charger.call("Heartbeat", {})
        with transaction.atomic():
            commands.reset(station=station, hard=False, actor="test")
        assert charger.next_command()[2] == "Reset"

    command.refresh_from_db()
    assert command.state == Command.State.UNSENT
    assert outcomes(desk) == [("ref-TAG1", CommandOutcome.UNSENT)]


def test_nothing_is_sent_before_the_asker_commits(server: str) -> None:
    station = make_station()

    with connected(server) as charger:
        charger.call("Heartbeat", {})
        with transaction.atomic():
            commands.reset(station=station, hard=True, actor="test")
            transaction.set_rollback(True)
        ask(station)
        assert charger.next_command()[2] == "RemoteStartTransaction"


def test_one_command_is_in_flight_and_drivers_come_before_housekeeping(server: str) -> None:
    station = make_station()

    with connected(server) as charger:
        commands.read_configuration(station=station, actor="test")
        first = charger.next_command()
        commands.trigger(station=station, message="Heartbeat", actor="test")
        ask(station)
        answer(charger, first, {"configurationKey": []})
        second = charger.next_command()
        answer(charger, second, {"status": "Accepted"})
        third = charger.next_command()

    assert [f[2] for f in (first, second, third)] == [
        "GetConfiguration",
        "RemoteStartTransaction",
        "TriggerMessage",
    ]


def test_a_command_past_its_deadline_is_never_sent(server: str, desk: FakeDesk) -> None:
    station = make_station()
    late = ask(station, "LATE", seconds=-1)

    with connected(server) as charger:
        ask(station, "NOW")
        frame = charger.next_command()
        assert frame[3]["idTag"] == "NOW"
        answer(charger, frame, {"status": "Accepted"})
        eventually(lambda: desk.of(CommandSettled))
        assert expire_commands() == 1
        charger.call("Heartbeat", {})
        assert charger.commands == []

    late.refresh_from_db()
    assert late.state == Command.State.UNSENT
    assert outcomes(desk)[-1] == ("ref-LATE", CommandOutcome.UNSENT)


def test_a_command_without_an_answer_is_unanswered_at_its_deadline(server: str, desk: FakeDesk) -> None:
    station = make_station()

    with connected(server) as charger:
        ask(station, seconds=3)  # time enough for a slow machine to send it at all
        frame = charger.next_command()
        eventually(lambda: desk.of(CommandSettled))
        answer(charger, frame, {"status": "Accepted"})
        charger.call("Heartbeat", {})

    assert outcomes(desk) == [("ref-TAG1", CommandOutcome.UNANSWERED)]


def test_a_command_whose_charger_left_is_not_sent_again(server: str, desk: FakeDesk) -> None:
    """RemoteStart is not idempotent: what became of it shows in a StartTransaction, or not at all."""
    station = make_station()

    with connected(server) as charger:
        command = ask(station)
        charger.next_command()
    with connected(server) as charger:
        charger.call("Heartbeat", {})
        command.refresh_from_db()
        assert command.state == Command.State.SENT
        assert desk.of(CommandSettled) == []
        assert commands.expire(command.deadline_at) == 1
        assert commands.expire(command.deadline_at) == 0
        assert charger.commands == []

    assert outcomes(desk) == [("ref-TAG1", CommandOutcome.UNANSWERED)]


@pytest.mark.parametrize(
    ("frame", "outcome", "detail"),
    [
        (CallResult("1", {"status": "Accepted"}), CommandOutcome.ACCEPTED, "Accepted"),
        (CallResult("1", {"status": "Rejected"}), CommandOutcome.REJECTED, "Rejected"),
        (CallError("1", "InternalError", "x"), CommandOutcome.REJECTED, "InternalError"),
        (CallResult("1", {}), CommandOutcome.UNANSWERED, "unreadable answer"),
        (CallResult("1", {"status": ["Accepted"]}), CommandOutcome.UNANSWERED, "unreadable answer"),
    ],
)
def test_answers_are_judged(frame: CallResult | CallError, outcome: CommandOutcome, detail: str) -> None:
    judged = v16_commands.read_answer(CommandAction.START, frame)

    assert (judged.outcome, judged.detail) == (outcome, detail)


@pytest.mark.parametrize(
    ("action", "arguments", "name", "payload"),
    [
        (
            CommandAction.START,
            {"evse": 2, "id_tag": "T"},
            "RemoteStartTransaction",
            {"idTag": "T", "connectorId": 2},
        ),
        (CommandAction.STOP, {"transaction_id": "77"}, "RemoteStopTransaction", {"transactionId": 77}),
        (CommandAction.UNLOCK, {"evse": 1}, "UnlockConnector", {"connectorId": 1}),
        (CommandAction.RESET, {"hard": False}, "Reset", {"type": "Soft"}),
        (CommandAction.RESET, {"hard": True}, "Reset", {"type": "Hard"}),
        (
            CommandAction.TRIGGER,
            {"message": "StatusNotification"},
            "TriggerMessage",
            {"requestedMessage": "StatusNotification"},
        ),
        (CommandAction.READ_CONFIGURATION, {"keys": []}, "GetConfiguration", {}),
        (CommandAction.READ_CONFIGURATION, {"keys": ["A"]}, "GetConfiguration", {"key": ["A"]}),
        (
            CommandAction.WRITE_CONFIGURATION,
            {"key": "K", "value": "V"},
            "ChangeConfiguration",
            {"key": "K", "value": "V"},
        ),
    ],
)
def test_commands_are_said_in_the_words_of_1_6(
    action: CommandAction, arguments: dict[str, Any], name: str, payload: dict[str, Any]
) -> None:
    assert v16_commands.translate(action, arguments) == (name, payload)


def test_a_command_that_1_6_cannot_say_is_unsent_and_holds_nothing_up(server: str, desk: FakeDesk) -> None:
    station = make_station()
    Command.objects.create(
        station=station,
        action=CommandAction.STOP,
        arguments={"transaction_id": "not-a-number"},
        reference="odd",
        actor="test",
        deadline_at=timezone.now() + timedelta(seconds=20),
    )

    with connected(server) as charger:
        ask(station)
        assert charger.next_command()[2] == "RemoteStartTransaction"

    assert outcomes(desk) == [("odd", CommandOutcome.UNSENT)]


@pytest.mark.django_db
def test_one_reference_gets_one_start_command(desk: FakeDesk) -> None:
    station = make_station()
    ask(station)

    with pytest.raises(IntegrityError), transaction.atomic():
        ask(station)


def test_a_lost_wake_up_is_found_by_the_sweep(server: str, monkeypatch: pytest.MonkeyPatch) -> None:
    station = make_station()
    monkeypatch.setattr(process, "QUEUE_PERIOD_SECONDS", 0.1)

    with connected(server) as charger:
        charger.call("Heartbeat", {})
        monkeypatch.setattr(commands, "push_to_charger", lambda station_pk: None)
        ask(station)
        assert charger.next_command()[2] == "RemoteStartTransaction"


def test_a_stop_sent_while_a_start_is_being_stored_arrives(server: str, desk: FakeDesk) -> None:
    """The desk asks for a stop from inside the message's transaction: it leaves after the answer's commit."""
    make_station()
    desk.accepts = False

    def stop_it(fact: Any) -> None:
        commands.stop(
            transaction=Transaction.objects.get(pk=fact.transaction_pk),
            reference="",
            actor="system",
            deadline_at=timezone.now() + timedelta(seconds=20),
        )

    desk.on["started"] = stop_it
    with connected(server) as charger:
        start = charger.call(
            "StartTransaction",
            {"connectorId": 1, "idTag": "T", "meterStart": 1, "timestamp": "2026-05-01T12:00:00Z"},
        )
        frame = charger.next_command()

    assert frame[2:] == ["RemoteStopTransaction", {"transactionId": start["transactionId"]}]


def test_a_wake_up_never_raises(
    monkeypatch: pytest.MonkeyPatch, settings: Any, transactional_db: None
) -> None:
    station = make_station(channel_name="somewhere")
    settings.REDIS_URL = "redis://127.0.0.1:1"

    async def broken(*_: object) -> None:
        raise ConnectionError

    monkeypatch.setattr(wake, "_send_hint", broken)

    wake.push_to_charger(station.pk)
    wake.push_to_charger(0)


# --- Settling in ----------------------------------------------------------------------------------


def test_a_station_is_asked_for_what_it_did_not_say(server: str, monkeypatch: pytest.MonkeyPatch) -> None:
    make_station()
    monkeypatch.setattr(consumer, "SETTLE_IN_SECONDS", 0.05)

    with connected(server) as charger:
        asked = []
        for _ in range(3):
            frame = charger.next_command()
            asked.append((frame[2], frame[3].get("requestedMessage")))
            answer(charger, frame, {"status": "Accepted"} if frame[3] else {"configurationKey": []})

    assert asked == [
        ("TriggerMessage", "BootNotification"),
        ("TriggerMessage", "StatusNotification"),
        ("GetConfiguration", None),
    ]


def test_a_booted_station_is_brought_to_the_configuration_that_ad_hoc_needs(
    server: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_station()
    reported = {
        "ConnectionTimeOut": "45",
        "MeterValueSampleInterval": "60",
        "MeterValuesSampledData": "Energy.Active.Import.Register",
        "AuthorizeRemoteTxRequests": "True",
        "StopTransactionOnInvalidId": "TRUE",
        "AuthorizationKey": "0123456789abcdef",
    }

    with connected(server) as charger:
        charger.call("StatusNotification", {"connectorId": 1, "errorCode": "NoError", "status": "Available"})
        # Only from the boot on: armed as the socket opens, it asks for what a slow charger is about to say.
        monkeypatch.setattr(consumer, "SETTLE_IN_SECONDS", 0.05)
        charger.call("BootNotification", {"chargePointVendor": "V", "chargePointModel": "M"})
        frame = charger.next_command()
        assert frame[2] == "GetConfiguration"
        keys = [{"key": k, "value": v, "readonly": False} for k, v in reported.items()]
        answer(charger, frame, {"configurationKey": keys})
        written: dict[str, list[str]] = {}
        for _ in range(4):
            frame = charger.next_command()
            assert frame[2] == "ChangeConfiguration"
            written.setdefault(frame[3]["key"], []).append(frame[3]["value"])
            refused = frame[3]["value"].count(",") == 2
            answer(charger, frame, {"status": "Rejected" if refused else "Accepted"})
        eventually(lambda: not Command.objects.filter(state__in=["QUEUED", "SENT"]).exists())

    assert written == {
        "MeterValueSampleInterval": ["15"],
        "MeterValuesSampledData": [
            "Energy.Active.Import.Register,Power.Active.Import,Current.Import",
            "Energy.Active.Import.Register,Power.Active.Import",
        ],
        "AuthorizeRemoteTxRequests": ["false"],
    }
    configuration = ChargingStation.objects.get().configuration
    assert configuration["ConnectionTimeOut"] == "45"
    assert configuration["MeterValueSampleInterval"] == "15"
    assert configuration["AuthorizationKey"] == "***"
