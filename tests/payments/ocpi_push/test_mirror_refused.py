"""What a platform refuses, or never answers well, keeps nothing else from it: states, new sites, prices."""

from datetime import datetime, timedelta

import pytest
from django.db import connection as database
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from chargers.facts import EvseStatus
from chargers.models import Site
from payments import outbox
from payments.models import OcpiConnection, OutboxMessage, SeenTariff
from payments.ocpi.push import locations, remembered, tariffs, watch
from tariffs.models import Tariff
from tests import builders
from tests.payments.ocpi_push.platform import Platform, deliver, deliver_all, message, reply
from tests.payments.ocpi_push.test_mirror import location_path, look, mirror, new_version, report

DUE, GIVEN_UP = OutboxMessage.State.DUE, OutboxMessage.State.GIVEN_UP


def refuse(ptp: Platform, topic: str, subject: object, *, state: str = DUE, again_at: datetime) -> None:
    """The platform has said no as often as others wait for, and is asked again at that time."""
    row = outbox.tell(ptp=ptp.connection.ptp, topic=topic, subject=str(subject), now=timezone.now())
    OutboxMessage.objects.filter(pk=row.pk).update(
        state=state, attempts=outbox.PATIENCE, next_attempt_at=again_at, last_error="OCPI 2001"
    )


def refuse_sites(ptp: Platform, number: int, *, state: str = DUE, minutes: float = 30) -> list[Site]:
    """Sites that the platform never took; they stand before those that it will hear of next."""
    sites = [builders.site() for _ in range(number)]
    again_at = timezone.now() + timedelta(minutes=minutes)
    for site in sites:
        refuse(ptp, locations.TOPIC, site.pk, state=state, again_at=again_at)
    return sites


@pytest.mark.parametrize("state", [DUE, GIVEN_UP])
@pytest.mark.parametrize("number", [10, 20, 45])
def test_refused_sites_keep_no_state_name_site_or_price_waiting(
    ptp: Platform, number: int, state: str
) -> None:
    mirror(ptp)
    refuse_sites(ptp, number, state=state)
    other = builders.site()
    report(ptp.cast.evse, EvseStatus.FAULTED)
    tariff = new_version(ptp)

    assert look(ptp) == 3
    deliver_all(ptp)

    assert set(ptp.calls) == {
        f"PATCH {location_path(ptp)}/{ptp.cast.evse.uid}",
        f"PUT locations/FI/EMB/{other.location_id}",
        f"PUT tariffs/FI/EMB/{tariff.tariff_id}",
    }
    Site.objects.filter(pk=ptp.cast.site.pk).update(name="New harbour", updated_at=timezone.now())
    look(ptp)
    deliver_all(ptp)
    assert ptp.last.body["name"] == "New harbour"


def test_a_platform_that_is_there_again_hears_of_states_before_it_refused_all_once_more(
    ptp: Platform,
) -> None:
    mirror(ptp)
    refuse_sites(ptp, 30)
    outbox.hurry(ptp.connection.ptp_id, now=timezone.now())
    report(ptp.cast.evse, EvseStatus.FAULTED)

    assert look(ptp) == 1


def test_a_platform_that_refuses_site_after_site_still_hears_of_states(
    ptp: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watch, "MOST_WAITING", 2)
    mirror(ptp)
    refused = [builders.site() for _ in range(4)]
    for _ in range(3):
        look(ptp)
        ptp.answers = [reply(2001) for _ in range(2 * outbox.PATIENCE)]
        for site in refused:
            row = OutboxMessage.objects.filter(subject=str(site.pk), attempts=0).first()
            for _ in range(outbox.PATIENCE if row else 0):
                assert not deliver(ptp, locations.TOPIC, site.pk)
    assert OutboxMessage.objects.filter(state=DUE, attempts=outbox.PATIENCE).count() == 4
    ptp.answers = []
    ptp.forget_calls()
    report(ptp.cast.evse, EvseStatus.FAULTED)

    look(ptp)
    deliver_all(ptp)

    assert ptp.calls == [f"PATCH {location_path(ptp)}/{ptp.cast.evse.uid}"]


def test_a_change_does_not_wait_for_many_new_sites(ptp: Platform, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watch, "MOST_WAITING", 4)
    mirror(ptp)
    new = [builders.site() for _ in range(9)]
    report(ptp.cast.evse, EvseStatus.FAULTED)

    assert look(ptp) == 4

    told = set(OutboxMessage.objects.filter(state=DUE).values_list("subject", flat=True))
    assert told == {str(ptp.cast.site.pk), *(str(site.pk) for site in new[:3])}


def test_changes_that_found_no_room_are_found_again(ptp: Platform, monkeypatch: pytest.MonkeyPatch) -> None:
    casts = [ptp.cast, *(builders.cast() for _ in range(3))]
    mirror(ptp)
    monkeypatch.setattr(watch, "MOST_WAITING", 1)
    for cast in casts:
        report(cast.evse, EvseStatus.FAULTED)
    look(ptp)
    monkeypatch.setattr(watch, "LOOK_BACK", timedelta(0))  # as if two minutes had passed since
    for _ in range(4):
        deliver_all(ptp)
        look(ptp)

    assert [request.body["status"] for request in ptp.server.received] == ["OUTOFORDER"] * 4


# --- What was given up ----------------------------------------------------------------------------


def test_what_was_given_up_rests_until_it_would_have_been_tried_again(ptp: Platform) -> None:
    mirror(ptp)
    (site,) = refuse_sites(ptp, 1, state=GIVEN_UP)
    assert look(ptp) == 0

    OutboxMessage.objects.filter(subject=str(site.pk)).update(next_attempt_at=timezone.now())

    assert look(ptp) == 1
    assert message(ptp, locations.TOPIC, site.pk).attempts == 0


def test_a_platform_that_registers_anew_is_told_what_it_gave_no_answer_to_before(ptp: Platform) -> None:
    mirror(ptp)
    (site,) = refuse_sites(ptp, 1, state=GIVEN_UP)
    OcpiConnection.objects.update(registered_at=timezone.now())

    look(ptp)

    assert message(ptp, locations.TOPIC, site.pk).state == DUE


def test_what_was_given_up_takes_its_turn_last_and_leaves_half_of_the_room(ptp: Platform) -> None:
    mirror(ptp)
    refused = refuse_sites(ptp, 30, state=GIVEN_UP, minutes=-1)
    new = [builders.site() for _ in range(5)]

    assert look(ptp) == watch.MOST_WAITING // 2
    told = set(OutboxMessage.objects.filter(state=DUE).values_list("subject", flat=True))
    assert told == {str(site.pk) for site in [*new, *refused[:5]]}

    more = [builders.site() for _ in range(10)]
    assert look(ptp) == 10
    assert {message(ptp, locations.TOPIC, site.pk).state for site in more} == {DUE}


# --- Taking away ----------------------------------------------------------------------------------


@pytest.mark.parametrize("state", [DUE, GIVEN_UP])
@pytest.mark.parametrize("topic", [locations.TOPIC, tariffs.TOPIC])
def test_a_message_that_is_stuck_keeps_no_tariff_at_the_platform(
    ptp: Platform, topic: str, state: str
) -> None:
    mirror(ptp)
    stuck = builders.site() if topic == locations.TOPIC else builders.tariff_version().tariff
    refuse(ptp, topic, stuck.pk, state=state, again_at=timezone.now() + timedelta(minutes=30))
    tariff = ptp.cast.tariff_version.tariff
    Tariff.objects.filter(pk=tariff.pk).update(active=False)
    remembered.give_turn_back(ptp.connection, "all")

    for _ in range(2):
        look(ptp)
        deliver_all(ptp)

    assert ptp.calls == [f"PUT {location_path(ptp)}", f"DELETE tariffs/FI/EMB/{tariff.tariff_id}"]
    assert not SeenTariff.objects.exists()


def test_a_message_on_its_way_does(ptp: Platform) -> None:
    mirror(ptp)
    Tariff.objects.update(active=False)
    look(ptp)
    deliver_all(ptp)
    outbox.tell(
        ptp=ptp.connection.ptp, topic=locations.TOPIC, subject=str(builders.site().pk), now=timezone.now()
    )

    assert look(ptp) == 0


# --- Cost -----------------------------------------------------------------------------------------


def test_a_look_takes_a_fixed_number_of_queries(ptp: Platform) -> None:
    def queries() -> int:
        remembered.give_turn_back(ptp.connection, "look")
        remembered.give_turn_back(ptp.connection, "all")
        with CaptureQueriesContext(database) as captured:
            assert watch.look(timezone.now()) == 0
        return len(captured)

    mirror(ptp)
    refuse_sites(ptp, 1), refuse_sites(ptp, 1, state=GIVEN_UP)
    few = queries()
    refuse_sites(ptp, 25), refuse_sites(ptp, 25, state=GIVEN_UP)
    for _ in range(4):
        builders.cast()
    mirror(ptp)

    assert queries() <= few <= 30
