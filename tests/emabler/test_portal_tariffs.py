"""The tariffs in the portal: who may see and change them, what is refused, what the pages show."""

import html
import re
from datetime import date, time
from decimal import Decimal
from typing import Any

import pytest
from django.test import Client

from chargers.models import Connector
from emabler.portal.tariffs.draft import json_text
from sessions_app.models import Session
from tariffs.engine.terms import (
    AltText,
    DayOfWeek,
    Tariff,
)
from tariffs.models import Tariff as StoredTariff
from tariffs.models import TariffVersion
from tests import builders
from tests.emabler.tariff_forms import component, element, form, signed_in, text

POLYGLOT = "<svg/onload=alert(1)>{{7*7}}"


@pytest.fixture
def viewer() -> Client:
    return signed_in("vera")


@pytest.fixture
def editor() -> Client:
    return signed_in("emil", "change_tariff")


def stored(**identity: str) -> Tariff:
    return StoredTariff.objects.get(**identity).terms()


@pytest.mark.django_db
class TestDoor:
    def test_strangers_are_sent_to_the_login(self) -> None:
        for path in ("/tariffs/", "/tariffs/new/", "/tariffs/1/", "/tariffs/1/edit/"):
            assert Client().get(path)["Location"].startswith("/login/?next=/tariffs/")

    def test_a_viewer_looks_and_changes_nothing(self, viewer: Client) -> None:
        cast = builders.cast()
        pk = cast.tariff_version.tariff_id

        assert "Edit" not in text(viewer.get(f"/tariffs/{pk}/"))
        assert viewer.get("/tariffs/").status_code == 200
        for path in ("new/", f"{pk}/edit/", f"{pk}/attach", f"{pk}/detach", f"{pk}/offer"):
            assert viewer.post(f"/tariffs/{path}", form()).status_code == 403
        assert TariffVersion.objects.count() == 1
        assert cast.connector.tariffs.count() == 1

    def test_what_does_not_exist_is_not_found(self, editor: Client) -> None:
        assert editor.get("/tariffs/9/").status_code == 404
        assert editor.get("/tariffs/9/edit/").status_code == 404
        assert editor.get(f"/tariffs/{10**30}/").status_code == 404
        for act in ("attach", "detach", "offer"):
            assert editor.post(f"/tariffs/9/{act}", {"connector": "1"}).status_code == 404


@pytest.mark.django_db
class TestList:
    def test_an_empty_list_says_what_to_do(self, viewer: Client, editor: Client) -> None:
        assert "Write the first one" in text(editor.get("/tariffs/"))
        assert "Someone who may change tariffs" in text(viewer.get("/tariffs/"))

    def test_a_tariff_shows_its_price_where_it_is_sold_and_what_afir_says(self, viewer: Client) -> None:
        version = builders.tariff_version(
            id="FAST", elements=(element(component("ENERGY", "0.59"), component("FLAT", "1")),)
        )
        builders.connector(tariff=version)

        body = text(viewer.get("/tariffs/"))

        for phrase in (
            "FAST",
            "Energy: 0.59 €/kWh incl. VAT",
            "1 connector<",
            "1 site<",
            "Offered",
            "warning",
        ):
            assert phrase in body

    def test_the_number_of_queries_does_not_grow_with_tariffs_and_connectors(
        self, viewer: Client, django_assert_max_num_queries: Any
    ) -> None:
        for _ in range(6):
            cast = builders.cast()
            builders.connector(at=cast.evse, tariff=cast.tariff_version, connector_id="2")

        with django_assert_max_num_queries(8):
            assert viewer.get("/tariffs/").status_code == 200
        with django_assert_max_num_queries(12):
            assert viewer.get(f"/tariffs/{cast.tariff_version.tariff_id}/").status_code == 200


@pytest.mark.django_db
class TestSaving:
    def test_a_new_tariff_is_stored_exactly_as_written(self, editor: Client) -> None:
        answer = editor.post(
            "/tariffs/new/",
            form(
                energy_price="0,59",
                parking_price="0.10",
                parking_after="60",
                preauthorize_amount="60",
                **{"notes-count": "1", "notes-0-language": "FI", "notes-0-text": "Moi"},
            ),
        )

        terms = stored(tariff_id="DAY")
        assert answer["Location"] == f"/tariffs/{StoredTariff.objects.get().pk}/"
        assert terms.elements == (
            element(component("ENERGY", "0.59")),
            element(component("PARKING_TIME", "6"), min_duration_seconds=3600),
        )
        assert (terms.country_code, terms.party_id) == ("FI", "EMB")
        assert terms.alt_texts == (AltText("fi", "Moi"),)
        assert terms.preauthorize_amount == 60

    def test_rules_come_in_their_order_before_the_other_prices(self, editor: Client) -> None:
        rules = {"rules-count": "2", "rules-0-energy_price": "0.29", "rules-0-start_time": "22:00"}
        rules |= {"rules-0-end_time": "06:00", "rules-1-energy_price": "0.39", "rules-1-max_kwh": "5"}
        answer = editor.post("/tariffs/new/", form(**rules) | {"rules-1-days": ["SATURDAY", "SUNDAY"]})

        assert answer.status_code == 302
        weekend = (DayOfWeek.SATURDAY, DayOfWeek.SUNDAY)
        assert stored(tariff_id="DAY").elements == (
            element(component("ENERGY", "0.29"), start_time=time(22), end_time=time(6)),
            element(component("ENERGY", "0.39"), day_of_week=weekend, max_kwh=Decimal(5)),
            element(component("ENERGY", "0.59")),
        )

    def test_an_id_that_exists_is_refused_whatever_its_case(self, editor: Client) -> None:
        editor.post("/tariffs/new/", form())

        answer = editor.post("/tariffs/new/", form(tariff_id="day", energy_price="1"))

        assert "A tariff with this id exists already." in text(answer)
        assert StoredTariff.objects.count() == 1

    def test_saving_makes_the_next_version_and_leaves_running_sessions_alone(self, editor: Client) -> None:
        running = builders.cast().running()
        version = Session.objects.get(pk=running.session.pk).tariff_version
        path = f"/tariffs/{version.tariff_id}/"

        editor.post(f"{path}edit/", form())
        body = text(editor.get(path))

        assert Session.objects.get(pk=running.session.pk).tariff_version == version
        assert [each.number for each in version.tariff.versions.all()] == [2, 1]
        assert re.search(r"Version 2</span> <span[^>]*>\(now\)", body)
        assert "Energy: 0.50 €/kWh" in body
        assert "emil" in body

    def test_saving_twice_makes_one_version(self, editor: Client) -> None:
        path = f"/tariffs/{builders.tariff_version().tariff_id}/edit/"

        for _ in range(2):
            assert editor.post(path, form()).status_code == 302

        assert TariffVersion.objects.count() == 2

    def test_a_version_saved_by_someone_else_meanwhile_is_not_overwritten(self, editor: Client) -> None:
        path = f"/tariffs/{builders.tariff_version().tariff_id}/edit/"
        editor.post(path, form(energy_price="0.61"))

        answer = editor.post(path, form(energy_price="0.62"))

        assert "Somebody else saved a newer version" in text(answer)
        assert TariffVersion.objects.count() == 2

    def test_what_afir_forbids_where_it_is_sold_is_refused_with_the_rules(self, editor: Client) -> None:
        version = builders.tariff_version()
        site = builders.site(commissioned_on=date(2025, 1, 1))
        builders.connector(at=builders.evse(at=builders.station(at=site)), tariff=version)

        answer = editor.post(f"/tariffs/{version.tariff_id}/edit/", form(session_fee="1", time_price="0.1"))

        body = text(answer)
        assert "(afir.flat)" in body
        assert "(afir.time)" in body
        assert "Saving is refused." in body
        assert site.name in body
        assert TariffVersion.objects.count() == 1

    def test_a_tariff_beyond_the_form_is_kept_whole_as_json(self, editor: Client) -> None:
        summer = element(component("ENERGY", "0.59"), start_date=date(2026, 6, 1))
        version = builders.tariff_version(elements=(summer, element(component("ENERGY", "0.69"))))
        path = f"/tariffs/{version.tariff_id}/edit/"
        opened = html.unescape(editor.get(path).content.decode())
        document = re.search(r"<textarea[^>]*>(.*)</textarea>", opened, re.DOTALL)

        assert document is not None
        changed = document[1].replace("0.69", "0.70")
        answer = editor.post(path, form(mode="json", document=changed))

        assert answer.status_code == 302
        terms = version.tariff.terms()
        assert terms.elements == (summer, element(component("ENERGY", "0.70")))

    def test_json_cannot_change_whose_tariff_it_is(self, editor: Client) -> None:
        version = builders.tariff_version()
        document = json_text(builders.tariff_terms(id="OTHER"))

        answer = editor.post(f"/tariffs/{version.tariff_id}/edit/", form(mode="json", document=document))

        assert "The identity stays" in text(answer)
        assert StoredTariff.objects.count() == 1


@pytest.mark.django_db
class TestPlaces:
    def test_connectors_are_found_attached_and_detached(self, editor: Client) -> None:
        version, cable = builders.tariff_version(id="NIGHT"), builders.connector()
        path = f"/tariffs/{version.tariff_id}/"
        before = cable.evse.site.updated_at

        assert cable.evse.label in text(editor.get(f"{path}?q={cable.evse.site.name}"))
        attached = editor.post(f"{path}attach", {"connector": str(cable.pk)}, follow=True)
        assert "1 connector now sell" in text(attached)
        assert version.tariff in cable.tariffs.all()
        assert Connector.objects.get(pk=cable.pk).evse.site.updated_at > before

        editor.post(f"{path}detach", {"connector": str(cable.pk)})
        assert version.tariff not in cable.tariffs.all()

    def test_an_attachment_that_afir_forbids_is_refused_and_says_why(self, editor: Client) -> None:
        fee = element(component("ENERGY", "0.59"), component("FLAT", "1"))
        version = builders.tariff_version(elements=(fee,))
        site = builders.site(commissioned_on=date(2025, 1, 1))
        fast = builders.connector(at=builders.evse(at=builders.station(at=site)))
        slow = builders.connector(max_power_w=22_000)
        chosen = {"connector": [str(fast.pk), str(slow.pk), "0", "x"]}

        body = text(editor.post(f"/tariffs/{version.tariff_id}/attach", chosen, follow=True))

        assert "(afir.flat)" in body
        assert list(version.tariff.connectors.all()) == [slow]

    def test_a_tariff_is_taken_from_offer_and_offered_again(self, editor: Client) -> None:
        tariff = builders.tariff_version().tariff

        editor.post(f"/tariffs/{tariff.pk}/offer", {"active": "0"})
        assert "Not offered" in text(editor.get("/tariffs/"))
        editor.post(f"/tariffs/{tariff.pk}/offer", {"active": "1"})
        assert StoredTariff.objects.get().active


@pytest.mark.django_db
def test_hostile_strings_stay_text_and_no_page_has_inline_code(editor: Client) -> None:
    version = builders.tariff_version(id=POLYGLOT, alt_texts=(AltText("en", POLYGLOT),))
    site = builders.site(name=POLYGLOT)
    builders.connector(at=builders.evse(at=builders.station(at=site), physical_reference="<svg/onload=1>"))
    path = f"/tariffs/{version.tariff_id}/"

    for each in ("/tariffs/", path, f"{path}edit/", f"{path}edit/?mode=json", "/tariffs/new/"):
        body = editor.get(each).content.decode()
        assert "<svg/onload" not in body
        assert not re.search(r"<style|\sstyle=|\son\w+=\"", body)
        assert all("src=" in tag for tag in re.findall(r"<script[^>]*>", body))
