"""Staff ask chargers for things in their own name, and cannot edit evidence."""

import pytest
from django.contrib.auth import get_user_model
from django.test import Client
from django.urls import reverse

from chargers.facts import CommandAction
from chargers.models import Command, StationMessage
from tests.chargers.parts import make_station

pytestmark = pytest.mark.django_db


@pytest.fixture
def staff(client: Client) -> Client:
    client.force_login(get_user_model().objects.create_superuser("alice", password="x"))
    return client


@pytest.mark.parametrize(
    ("model", "action", "asked", "arguments"),
    [
        ("chargingstation", "reset_softly", CommandAction.RESET, {"hard": False}),
        ("chargingstation", "ask_statuses", CommandAction.TRIGGER, {"message": "StatusNotification"}),
        ("chargingstation", "read_configuration", CommandAction.READ_CONFIGURATION, {"keys": []}),
        ("evse", "unlock", CommandAction.UNLOCK, {"evse": 1}),
    ],
)
def test_an_action_is_a_command_in_the_name_of_whoever_clicked(
    staff: Client, model: str, action: str, asked: CommandAction, arguments: dict[str, object]
) -> None:
    station = make_station()
    chosen = station.pk if model == "chargingstation" else station.evses.get().pk

    answer = staff.post(
        reverse(f"admin:chargers_{model}_changelist"), {"action": action, "_selected_action": [chosen]}
    )

    assert answer.status_code == 302
    command = Command.objects.get()
    assert (command.action, command.actor, command.state) == (asked, "alice", Command.State.QUEUED)
    assert arguments.items() <= command.arguments.items()


@pytest.mark.parametrize(
    "model",
    [
        "site",
        "chargingstation",
        "evse",
        "connector",
        "transaction",
        "command",
        "stationmessage",
        "webprocess",
    ],
)
def test_every_list_opens(staff: Client, model: str) -> None:
    make_station(vendor="<script>alert(1)</script>")

    page = staff.get(reverse(f"admin:chargers_{model}_changelist"))

    assert page.status_code == 200
    assert b"<script>alert" not in page.content


def test_evidence_cannot_be_edited_and_secrets_are_not_shown(staff: Client) -> None:
    station = make_station()
    evidence = StationMessage.objects.create(station=station, action="StopTransaction", problem="unknown")

    shown = staff.get(reverse("admin:chargers_stationmessage_change", args=[evidence.pk]))
    edited = staff.post(
        reverse("admin:chargers_stationmessage_change", args=[evidence.pk]), {"problem": "fine"}
    )
    page = staff.get(reverse("admin:chargers_chargingstation_change", args=[station.pk]))

    assert (shown.status_code, edited.status_code) == (200, 403)
    assert station.secret_hash.encode() not in page.content
