"""Saving an ad hoc tariff onto an EVSE in AFIR's scope is refused in the admin; what an import brought stays."""

from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from chargers.afir import refusals_in_use
from chargers.models import Connector
from tariffs.engine.terms import Dimension, PriceComponent, TariffElement
from tariffs.models import Tariff
from tests import builders

pytestmark = pytest.mark.django_db


def fee_terms(**fields: Any) -> Any:
    fee = PriceComponent(Dimension.FLAT, Decimal(1), builders.VAT)
    return builders.tariff_terms(elements=(TariffElement((fee,)),), **fields)


@pytest.fixture
def fee() -> Tariff:
    """A tariff with a fee per session."""
    return builders.save_tariff(fee_terms()).tariff


@pytest.fixture
def connector() -> Connector:
    """A 150 kW connector of a new site in Finland that sells per kWh."""
    site = builders.site(commissioned_on=date(2025, 6, 1))
    return builders.connector(at=builders.evse(at=builders.station(at=site)))


def form_of(connector: Connector, **fields: Any) -> dict[str, Any]:
    names = (
        "connector_id",
        "standard",
        "format",
        "power_type",
        "max_voltage",
        "max_amperage",
        "max_power_w",
    )
    facts = {name: getattr(connector, name) for name in names}
    times = {"updated_at_0": "2026-01-01", "updated_at_1": "00:00:00", "source": "{}"}
    tariffs = [tariff.pk for tariff in connector.tariffs.all()]
    return facts | times | {"evse": connector.evse_id, "tariffs": tariffs} | fields


def save(client: Client, connector: Connector, **fields: Any) -> str:
    """Post the connector's form; returns the page, which is empty after it was saved."""
    url = reverse("admin:chargers_connector_change", args=[connector.pk])
    return client.post(url, form_of(connector, **fields)).content.decode()


def test_a_fee_per_session_is_refused_at_a_fast_charger(
    admin_client: Client, connector: Connector, fee: Tariff
) -> None:
    page = save(admin_client, connector, tariffs=[fee.pk])

    assert "A fee per session is not allowed at 50 kW and more. (afir.flat)" in page
    assert fee not in connector.tariffs.all()


@pytest.mark.parametrize("fact", ["slow", "old", "abroad"])
def test_it_is_taken_where_afir_does_not_apply(
    admin_client: Client, connector: Connector, fee: Tariff, fact: str
) -> None:
    site = connector.evse.site
    site.commissioned_on = date(2020, 1, 1) if fact == "old" else site.commissioned_on
    site.country = "CHE" if fact == "abroad" else site.country
    site.save()
    power_w = 22_000 if fact == "slow" else 150_000

    assert save(admin_client, connector, tariffs=[fee.pk], max_power_w=power_w) == ""

    assert list(connector.tariffs.all()) == [fee]


def test_a_slow_socket_of_a_fast_evse_is_fast_for_afir(
    admin_client: Client, connector: Connector, fee: Tariff
) -> None:
    socket = builders.connector(
        at=connector.evse, connector_id="2", power_type="AC_3_PHASE", max_power_w=22_000
    )

    assert "afir.flat" in save(admin_client, socket, tariffs=[fee.pk])


def test_what_an_import_brought_does_not_keep_staff_from_editing(
    admin_client: Client, connector: Connector, fee: Tariff
) -> None:
    connector.tariffs.add(fee)

    assert save(admin_client, connector, max_amperage=250) == ""

    connector.refresh_from_db()
    assert connector.max_amperage == 250


def test_it_is_refused_among_the_connectors_of_an_evse_too(
    admin_client: Client, connector: Connector, fee: Tariff
) -> None:
    evse = connector.evse
    names = ("uid", "evse_id", "physical_reference", "number")
    posted = {name: getattr(evse, name) for name in names} | {
        "site": evse.site_id,
        "station": evse.station_id,
    }
    posted |= {"updated_at_0": "2026-01-01", "updated_at_1": "00:00:00", "source": "{}"}
    posted |= {"connectors-TOTAL_FORMS": 1, "connectors-INITIAL_FORMS": 1, "connectors-0-id": connector.pk}
    inline = form_of(connector, tariffs=[fee.pk])
    posted |= {f"connectors-0-{name}": value for name, value in inline.items()}

    page = admin_client.post(reverse("admin:chargers_evse_change", args=[evse.pk]), posted).content.decode()

    assert "afir.flat" in page
    assert fee not in connector.tariffs.all()


def test_new_terms_are_judged_where_the_tariff_is_sold(connector: Connector) -> None:
    tariff = connector.tariffs.get()

    found = [(evse.pk, finding.rule.value) for evse, finding in refusals_in_use(tariff, fee_terms())]

    assert found == [(connector.evse_id, "afir.flat")]
    assert list(refusals_in_use(tariff, tariff.terms())) == []
