"""A filled tariff editor, and who may open it: what the tests of the editor share."""

import html
import re
from decimal import Decimal
from typing import Any

from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission
from django.test import Client

from tariffs.engine.terms import Dimension, PriceComponent, Restrictions, TariffElement

VAT = Decimal("25.5")


def signed_in(name: str, *permissions: str) -> Client:
    user = get_user_model().objects.create_user(name, is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename__in=permissions))
    client = Client()
    client.force_login(user)
    return client


def text(response: Any) -> str:
    return re.sub(r"\s+", " ", html.unescape(response.content.decode()).replace("\u00a0", " "))


def component(kind: str, price: str, step_size: int = 1) -> PriceComponent:
    return PriceComponent(Dimension(kind), Decimal(price), VAT, step_size)


def element(*components: PriceComponent, **restrictions: Any) -> TariffElement:
    return TariffElement(components, Restrictions(**restrictions))


def form(action: str = "save", **fields: str) -> dict[str, Any]:
    """A filled editor: 0.59 per kWh including VAT, at 150 kW on a Monday noon."""
    return {
        "action": action,
        "mode": "form",
        "based_on": "1",
        "tariff_id": "DAY",
        "type": "AD_HOC_PAYMENT",
        "currency": "EUR",
        "tax_included": "YES",
        "vat": "25.5",
        "time_unit": "min",
        "energy_price": "0.59",
        "rules-count": "0",
        "notes-count": "0",
        "sample-power_kw": "150",
        "sample-starts_at": "2026-11-02T12:00",
    } | fields
