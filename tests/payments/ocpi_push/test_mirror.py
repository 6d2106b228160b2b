"""Tariffs and Locations at the platform: what it lacks is told, newest state first, and not faster than it takes it."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.utils import timezone

from chargers.facts import EvseStatus
from chargers.models import EVSE
from payments import outbox
from payments.models import OcpiConnection, OutboxMessage, SeenSite, SeenTariff
from payments.ocpi import connections, seen
from payments.ocpi.push import locations, remembered, sending, tariffs, watch
from payments.ocpi.push.client import Answer
from payments.ocpi.seen import Shown
from tariffs.engine.terms import Dimension, PriceComponent, TariffElement
from tariffs.models import Tariff
from tariffs.versions import save_tariff
from tests import builders
from tests.payments.ocpi_push.platform import Platform, deliver, deliver_all, message, platform, reply


def look(ptp: Platform) -> int:
    """Look for changes as the sweep does, some seconds after the last look."""
    remembered.give_turn_back(ptp.connection, "look")
    return watch.look(timezone.now())


def mirror(ptp: Platform) -> None:
    """Let the platform have all there is, and forget how it got it."""
    look(ptp)
    deliver_all(ptp)
    look(ptp)
    deliver_all(ptp)
    ptp.forget_calls()


def report(evse: EVSE, status: EvseStatus) -> None:
    """The charger tells another state."""
    EVSE.objects.filter(pk=evse.pk).update(status=status, status_at=timezone.now())


def location_path(ptp: Platform) -> str:
    return f"locations/FI/EMB/{ptp.cast.site.location_id}"


def test_a_platform_that_registers_gets_tariffs_and_then_locations(ptp: Platform) -> None:
    assert look(ptp) == 2

    deliver_all(ptp)

    tariff = ptp.cast.tariff_version.tariff
    assert ptp.calls == [f"PUT tariffs/FI/EMB/{tariff.tariff_id}", f"PUT {location_path(ptp)}"]
    assert SeenTariff.objects.get().version == ptp.cast.tariff_version
    assert SeenSite.objects.get().site == ptp.cast.site
    assert look(ptp) == 0


def test_a_location_waits_for_its_tariffs(ptp: Platform) -> None:
    look(ptp)

    assert not deliver(ptp, locations.TOPIC, ptp.cast.site.pk)
    assert ptp.calls == []


def test_a_state_of_an_evse_is_patched_alone(ptp: Platform) -> None:
    mirror(ptp)
    report(ptp.cast.evse, EvseStatus.FAULTED)

    look(ptp)
    deliver_all(ptp)

    assert ptp.calls == [f"PATCH {location_path(ptp)}/{ptp.cast.evse.uid}"]
    assert ptp.last.body["status"] == "OUTOFORDER"
    assert ptp.last.body.keys() == {"status", "last_updated"}


def test_a_charger_that_went_away_is_unknown(ptp: Platform) -> None:
    mirror(ptp)
    builders.take_offline(ptp.cast.station)
    ptp.cast.station.disconnected_at = timezone.now()
    ptp.cast.station.save()

    look(ptp)
    deliver_all(ptp)

    assert ptp.last.body["status"] == "UNKNOWN"


def test_a_process_that_died_with_its_sockets_is_seen_without_any_row_changing(ptp: Platform) -> None:
    mirror(ptp)
    process = ptp.cast.station.process
    assert process is not None
    process.alive_at = timezone.now() - timedelta(seconds=20)
    process.save()

    look(ptp)
    deliver_all(ptp)

    assert ptp.last.body["status"] == "UNKNOWN"


def test_a_state_that_came_and_went_is_not_told(ptp: Platform) -> None:
    mirror(ptp)
    report(ptp.cast.evse, EvseStatus.PREPARING)  # free, in OCPI's words

    assert look(ptp) == 0


def test_many_changes_of_one_evse_are_one_message_with_the_newest_state(ptp: Platform) -> None:
    mirror(ptp)
    for status in (EvseStatus.FAULTED, EvseStatus.UNAVAILABLE, EvseStatus.RESERVED):
        report(ptp.cast.evse, status)
        look(ptp)

    deliver_all(ptp)

    assert [request.body["status"] for request in ptp.server.received] == ["RESERVED"]


@pytest.mark.parametrize("no", [reply(2003), reply(2000, http_status=405)])
def test_a_platform_that_takes_no_patch_gets_the_location_whole(ptp: Platform, no: object) -> None:
    mirror(ptp)
    report(ptp.cast.evse, EvseStatus.FAULTED)
    ptp.answers = [no]  # type: ignore[list-item]
    look(ptp)
    deliver_all(ptp)
    report(ptp.cast.evse, EvseStatus.AVAILABLE)
    look(ptp)
    deliver_all(ptp)

    assert ptp.methods == ["PATCH", "PUT", "PUT"]


def test_after_a_patch_that_failed_the_location_is_put_whole(ptp: Platform) -> None:
    mirror(ptp)
    report(ptp.cast.evse, EvseStatus.FAULTED)
    ptp.answers = [reply(3000)]
    look(ptp)

    assert not deliver(ptp, locations.TOPIC, ptp.cast.site.pk)
    assert deliver(ptp, locations.TOPIC, ptp.cast.site.pk)

    assert ptp.methods == ["PATCH", "PUT"]


def test_looking_again_does_not_hurry_a_message_that_waits_after_a_failure(ptp: Platform) -> None:
    mirror(ptp)
    report(ptp.cast.evse, EvseStatus.FAULTED)
    ptp.answers = [reply(3000)]
    look(ptp)
    deliver(ptp, locations.TOPIC, ptp.cast.site.pk)

    assert look(ptp) == 0

    assert message(ptp, locations.TOPIC, ptp.cast.site.pk).attempts == 1


def test_an_evse_that_was_removed_is_told_as_removed(ptp: Platform) -> None:
    mirror(ptp)
    ptp.cast.evse.removed = True
    ptp.cast.evse.save()

    look(ptp)
    deliver_all(ptp)

    told = ptp.objects["/ocpi/" + location_path(ptp)]
    assert told["evses"][0]["status"] == "REMOVED"


def test_a_site_that_was_renamed_is_put_whole(ptp: Platform) -> None:
    mirror(ptp)
    ptp.cast.site.name = "New harbour"
    ptp.cast.site.updated_at = timezone.now()
    ptp.cast.site.save()

    look(ptp)
    deliver_all(ptp)

    assert ptp.calls == [f"PUT {location_path(ptp)}"]
    assert ptp.last.body["name"] == "New harbour"


def test_a_thousand_sites_do_not_queue_for_one_platform_at_once(cast: builders.Cast, monkeypatch) -> None:
    monkeypatch.setattr(watch, "MOST_WAITING", 3)
    for _ in range(5):
        builders.site()
    with platform(cast) as ptp:
        waited = []
        for _ in range(4):
            look(ptp)
            waited.append(OutboxMessage.objects.filter(state="DUE").count())
            deliver_all(ptp)

        assert max(waited) == 3
        assert sum(call.startswith("PUT locations") for call in ptp.calls) == 6


def test_wake_ups_in_a_row_are_one_look(ptp: Platform) -> None:
    now = timezone.now()

    assert watch.look(now) == 2
    OutboxMessage.objects.all().delete()

    assert watch.look(now + 0.9 * watch.PAUSE) == 0
    assert watch.look(now + 1.1 * watch.PAUSE) == 2


def test_a_platform_that_is_down_is_not_told_more(ptp: Platform) -> None:
    ptp.connection.ptp.failures_in_row = 5
    ptp.connection.ptp.save()

    assert look(ptp) == 0


def new_version(ptp: Platform, price: str = "0.60") -> Tariff:
    terms = ptp.cast.tariff_version.terms()
    element = TariffElement((PriceComponent(Dimension.ENERGY, Decimal(price), builders.VAT),))
    return save_tariff(terms.__class__(**{**_fields(terms), "elements": (element,)})).tariff


def _fields(terms: object) -> dict[str, object]:
    return {name: getattr(terms, name) for name in terms.__dataclass_fields__}  # type: ignore[attr-defined]


def test_a_new_version_of_a_tariff_is_put_and_counts_once_it_was_acknowledged(ptp: Platform) -> None:
    mirror(ptp)
    tariff = new_version(ptp)
    look(ptp)
    ptp.answers = [reply(3000)]

    assert not deliver(ptp, tariffs.TOPIC, tariff.pk)
    assert SeenTariff.objects.get().version == ptp.cast.tariff_version
    assert deliver(ptp, tariffs.TOPIC, tariff.pk)

    assert SeenTariff.objects.get().version.number == 2
    assert ptp.methods == ["PUT", "PUT"]


def test_a_late_answer_does_not_overwrite_what_the_platform_fetched_meanwhile(
    ptp: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    mirror(ptp)
    tariff = new_version(ptp)
    look(ptp)
    call = sending.call

    def answer_late(*arguments: Any, **options: Any) -> Answer:
        answer = call(*arguments, **options)
        newest = new_version(ptp, "0.70").current_version
        assert newest is not None
        seen.note_tariffs(ptp.connection, {tariff.pk: Shown(newest.pk, 6000)}, now=timezone.now())
        return answer

    monkeypatch.setattr(sending, "call", answer_late)
    assert deliver(ptp, tariffs.TOPIC, tariff.pk)

    assert SeenTariff.objects.get().version.number == 3
    assert look(ptp) == 1, "the platform may have taken the older one last: it is told once more"


def test_a_tariff_that_is_sold_nowhere_any_more_is_deleted_after_the_locations_know(ptp: Platform) -> None:
    mirror(ptp)
    tariff = ptp.cast.tariff_version.tariff
    Tariff.objects.filter(pk=tariff.pk).update(active=False)
    remembered.give_turn_back(ptp.connection, "all")

    look(ptp)
    deliver_all(ptp)
    look(ptp)
    deliver_all(ptp)

    assert ptp.calls == [f"PUT {location_path(ptp)}", f"DELETE tariffs/FI/EMB/{tariff.tariff_id}"]
    assert "tariff_ids" not in ptp.server.received[0].body["evses"][0]["connectors"][0]
    assert not SeenTariff.objects.exists()
    assert look(ptp) == 0


def test_a_platform_without_receivers_polls_and_is_told_nothing(cast: builders.Cast) -> None:
    with platform(cast) as ptp:
        ptp.connection.endpoints = {}
        ptp.connection.save()

        assert look(ptp) == 0


def test_another_operators_sites_are_none_of_its_business(ptp: Platform) -> None:
    other = builders.site(party_id="OTH")

    look(ptp)
    deliver_all(ptp)

    assert not any(other.location_id in call for call in ptp.calls)
    assert (other.country_code, other.party_id) not in connections.parties_of(ptp.connection)


def test_a_platform_that_registers_anew_gets_everything_again(ptp: Platform) -> None:
    mirror(ptp)
    OcpiConnection.objects.update(registered_at=timezone.now())

    assert look(ptp) == 2


def test_what_waited_for_a_platform_to_register_leaves_when_it_has(ptp: Platform) -> None:
    mirror(ptp)
    OcpiConnection.objects.update(state=OcpiConnection.State.UNREGISTERED)
    row = outbox.tell(
        ptp=ptp.connection.ptp,
        topic=locations.TOPIC,
        subject=str(builders.site().pk),
        now=timezone.now() - timedelta(hours=2),
    )
    outbox.deliver(row.pk, now=timezone.now() - timedelta(hours=1))
    OutboxMessage.objects.filter(pk=row.pk).update(next_attempt_at=timezone.now() + timedelta(hours=1))

    OcpiConnection.objects.update(state=OcpiConnection.State.REGISTERED, registered_at=timezone.now())
    look(ptp)

    assert row.pk in outbox.due_ids(timezone.now(), 10)


def test_several_states_at_once_are_one_put(ptp: Platform) -> None:
    others = [builders.evse(at=ptp.cast.station) for _ in range(2)]
    for evse in others:
        builders.connector(at=evse, tariff=ptp.cast.tariff_version)
    mirror(ptp)
    for evse in (ptp.cast.evse, *others):
        report(evse, EvseStatus.FAULTED)
    ptp.answers = [reply(2003)]

    look(ptp)
    deliver(ptp, locations.TOPIC, ptp.cast.site.pk)

    assert ptp.calls == [f"PUT {location_path(ptp)}"], "an attempt is two calls at most"
