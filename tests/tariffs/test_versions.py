"""Stored tariffs: versions are idempotent, numbered and never changed."""

from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from django.db.models import ProtectedError
from django.urls import reverse

from tariffs.models import Tariff, TariffVersion, VersionIsFrozen
from tariffs.versions import save_tariff

from .cast import component, element, tariff

TERMS = tariff(element(component("ENERGY", "0.59", "25.5")))
DEARER = tariff(element(component("ENERGY", "0.69", "25.5")))

pytestmark = pytest.mark.django_db


def test_saving_the_same_terms_again_is_the_same_version():
    first = save_tariff(TERMS)

    again = save_tariff(replace(TERMS, last_updated_at=datetime(2026, 1, 1, tzinfo=UTC)))
    padded = save_tariff(tariff(element(component("ENERGY", "0.590", "25.50"))))

    assert first == again == padded
    assert TariffVersion.objects.count() == 1


def test_other_terms_are_the_next_version_and_the_first_stays():
    first = save_tariff(TERMS)

    second = save_tariff(DEARER)

    stored = Tariff.objects.get()
    assert (first.number, second.number) == (1, 2)
    assert stored.current_version == second
    assert stored.terms() == DEARER
    assert TariffVersion.objects.get(number=1).terms() == TERMS


def test_going_back_to_earlier_terms_is_a_new_version():
    for terms in (TERMS, DEARER, TERMS):
        save_tariff(terms)

    assert [version.number for version in Tariff.objects.get().versions.all()] == [3, 2, 1]


def test_a_tariff_of_another_party_is_another_tariff():
    save_tariff(TERMS)
    save_tariff(replace(TERMS, party_id="OTH"))

    assert Tariff.objects.count() == 2


def test_a_stored_version_cannot_be_changed_or_deleted():
    version = save_tariff(TERMS)
    version.document = {}

    for attempt in (
        version.save,
        version.delete,
        lambda: TariffVersion.objects.update(number=9),
        TariffVersion.objects.all().delete,
    ):
        with pytest.raises(VersionIsFrozen):
            attempt()
    with pytest.raises(ProtectedError):
        version.tariff.delete()
    assert TariffVersion.objects.get().terms() == TERMS


def test_a_tariff_without_a_version_has_no_terms():
    empty = Tariff.objects.create(country_code="FI", party_id="DEM", tariff_id="x", currency="EUR")

    assert empty.current_version is None
    with pytest.raises(TariffVersion.DoesNotExist):
        empty.terms()


def test_the_admin_shows_what_drivers_see(admin_client):
    version = save_tariff(replace(TERMS, preauthorize_amount=Decimal(50)))

    pages = [
        admin_client.get(reverse("admin:tariffs_tariff_changelist")),
        admin_client.get(reverse("admin:tariffs_tariff_change", args=[version.tariff_id])),
        admin_client.get(reverse("admin:tariffs_tariffversion_change", args=[version.pk])),
    ]

    assert [page.status_code for page in pages] == [200, 200, 200]
    assert "0.7405 €/kWh incl. VAT" in pages[1].content.decode()
    assert "preauthorize_amount" in pages[2].content.decode()
