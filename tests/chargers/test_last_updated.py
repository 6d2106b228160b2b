"""What people and chargers change is stamped, so that who mirrors it learns of it; what changes nothing is not."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.db import connection, transaction
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from chargers.facts import EvseStatus
from chargers.models import EVSE, Connector, Site
from chargers.ocpp.presence import Link
from chargers.ocpp.station import Message, note_status
from chargers.signals import evse_status_changed
from tests import builders
from tests.builders import Cast
from tests.chargers.fake_desk import FakeDesk

LONG_AGO = timezone.now() - timedelta(days=30)


@pytest.fixture
def cast(db: None) -> Cast:
    """One connector at which nothing changed for a month."""
    made = builders.cast()
    for model in (Site, EVSE, Connector):
        model.objects.update(updated_at=LONG_AGO)
    Connector.objects.update(tariffs_changed_at=LONG_AGO)
    return made


def changed(cast: Cast) -> set[str]:
    """What was stamped since."""
    rows = {"site": cast.site, "evse": cast.evse, "connector": cast.connector}
    for row in rows.values():
        row.refresh_from_db()
    stamped = {name for name, row in rows.items() if row.updated_at > LONG_AGO}
    return stamped | ({"tariffs"} if cast.connector.tariffs_changed_at > LONG_AGO else set())


EVERYTHING = {"site", "evse", "connector", "tariffs"}


# --- Chargers -------------------------------------------------------------------------------------


def report(cast: Cast, status: EvseStatus, error_code: str = "NoError") -> datetime:
    """A StatusNotification of the cast's charger."""
    at = timezone.now()
    link = Link(cast.station.pk, cast.station.identity, cast.station.connection_id)
    with transaction.atomic():
        note_status(
            Message(link, "StatusNotification", {}, at),
            number=cast.evse.number,
            status=status,
            error_code=error_code,
            changed_at=at,
        )
    return at


@pytest.mark.usefixtures("desk")
def test_a_new_status_is_a_change_of_the_evse(cast: Cast) -> None:
    at = report(cast, EvseStatus.PREPARING)

    assert changed(cast) == {"evse"}
    assert cast.evse.updated_at == cast.evse.status_at == at


def test_a_status_that_changes_nothing_stamps_nothing(cast: Cast, desk: FakeDesk) -> None:
    at = report(cast, EvseStatus.AVAILABLE, "InternalError")

    assert changed(cast) == set()
    assert (cast.evse.status_at, cast.evse.error_code) == (at, "InternalError")


@pytest.mark.usefixtures("desk")
def test_a_new_status_rings_the_bell_and_the_same_one_again_does_not(
    cast: Cast, django_capture_on_commit_callbacks: Any
) -> None:
    heard: list[int] = []

    def hear(evse_pk: int, **_: object) -> None:
        heard.append(evse_pk)

    evse_status_changed.connect(hear)
    with django_capture_on_commit_callbacks(execute=True):
        report(cast, EvseStatus.PREPARING)
        report(cast, EvseStatus.PREPARING)

    assert heard == [cast.evse.pk]


@pytest.mark.usefixtures("desk")
def test_a_status_takes_one_statement_to_be_stored_and_stamped(cast: Cast) -> None:
    with CaptureQueriesContext(connection) as captured:
        report(cast, EvseStatus.CHARGING)
    updates = [query["sql"] for query in captured.captured_queries if query["sql"].startswith("UPDATE")]

    assert len(updates) == 1


def test_meter_values_stamp_nothing(cast: Cast) -> None:
    running = cast.running(now=timezone.now() - timedelta(hours=1))
    EVSE.objects.update(updated_at=LONG_AGO)

    running.meter(energy_wh=1_000, after_seconds=60)

    assert changed(cast) == set()


def test_a_session_stamps_the_evse_when_it_takes_it_and_when_it_leaves(cast: Cast) -> None:
    running = cast.running(now=timezone.now() - timedelta(hours=1))
    assert changed(cast) == {"evse"}
    EVSE.objects.update(updated_at=LONG_AGO)

    running.end(energy_wh=1_000, after_seconds=600)

    assert changed(cast) == {"evse"}


def test_a_session_that_never_began_stamps_nothing(cast: Cast) -> None:
    builders.take_offline(cast.station)

    assert cast.payment().session.is_over

    assert changed(cast) == set()


# --- Tariffs --------------------------------------------------------------------------------------


ATTACHING = {
    "add": lambda cast, tariff: cast.connector.tariffs.add(tariff),
    "set": lambda cast, tariff: cast.connector.tariffs.set([tariff]),
    "remove": lambda cast, tariff: cast.connector.tariffs.remove(cast.tariff_version.tariff),
    "clear": lambda cast, tariff: cast.connector.tariffs.clear(),
    "add from the tariff": lambda cast, tariff: tariff.connectors.add(cast.connector),
    "remove from the tariff": lambda cast, tariff: cast.tariff_version.tariff.connectors.remove(
        cast.connector
    ),
    "clear from the tariff": lambda cast, tariff: cast.tariff_version.tariff.connectors.clear(),
}


@pytest.mark.parametrize("way", ATTACHING)
def test_other_tariffs_are_a_change_of_the_connector_and_all_above(cast: Cast, way: str) -> None:
    ATTACHING[way](cast, builders.tariff_version().tariff)

    assert changed(cast) == EVERYTHING


def test_the_same_tariffs_again_are_no_change(cast: Cast) -> None:
    cast.connector.tariffs.add(cast.tariff_version.tariff)
    cast.connector.tariffs.set([cast.tariff_version.tariff])

    assert changed(cast) == set()


def test_a_tariff_that_is_no_longer_offered_is_a_change_where_it_was_sold(cast: Cast) -> None:
    elsewhere = builders.cast()
    Connector.objects.filter(pk=elsewhere.connector.pk).update(tariffs_changed_at=LONG_AGO)
    tariff = cast.tariff_version.tariff
    tariff.active = False

    tariff.save()

    assert changed(cast) == EVERYTHING
    assert "tariffs" not in changed(elsewhere)


# --- People ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("model", "stamped"),
    [("site", {"site"}), ("evse", {"site", "evse"}), ("connector", {"site", "evse", "connector"})],
)
def test_what_is_saved_whole_is_stamped_with_what_it_belongs_to(
    cast: Cast, model: str, stamped: set[str]
) -> None:
    row = getattr(cast, model)
    row.refresh_from_db()

    row.save()

    assert row.updated_at > LONG_AGO
    assert changed(cast) == stamped


def test_what_comes_and_goes_stamps_what_it_belongs_to(cast: Cast) -> None:
    extra = Connector.objects.create(
        evse=cast.evse, connector_id="2", standard="CHADEMO", power_type="DC",
        max_voltage=500, max_amperage=100, max_power_w=50_000,
    )  # fmt: skip
    assert changed(cast) == {"site", "evse"}
    EVSE.objects.update(updated_at=LONG_AGO)

    extra.delete()

    assert "evse" in changed(cast)


def test_staff_change_an_evse_in_the_admin(cast: Cast) -> None:
    staff = get_user_model().objects.create_superuser("staff", "staff@example.com", "secret")
    client = Client()
    client.force_login(staff)
    page = reverse("admin:chargers_site_change", args=[cast.site.pk])
    form = client.get(page).context["adminform"].form
    values = {name: value for name, value in form.initial.items() if value is not None}

    answer = client.post(page, {**values, "name": "Another name", "source": "{}"})

    assert answer.status_code == 302, answer.content
    assert changed(cast) == {"site"}
    assert "updated_at" not in form.fields
