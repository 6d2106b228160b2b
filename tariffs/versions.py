"""Save a tariff: the same terms are the same version, other terms are the next one."""

from __future__ import annotations

from django.db import transaction

from tariffs.engine import terms
from tariffs.engine.document import Document, to_document
from tariffs.models import Tariff, TariffVersion


@transaction.atomic
def save_tariff(new_terms: terms.Tariff) -> TariffVersion:
    """Store the terms under their OCPI identity and return the version that holds them.

    Idempotent. A document that differs in `last_updated_at` alone says nothing new and makes no version.
    The tariff's row is locked, so two writers at once cannot take the same number.
    """
    identity = {
        "country_code": new_terms.country_code,
        "party_id": new_terms.party_id,
        "tariff_id": new_terms.id,
    }
    facts = {"currency": new_terms.currency, "type": new_terms.type.value if new_terms.type else ""}
    Tariff.objects.get_or_create(**identity, defaults=facts)
    tariff = Tariff.objects.select_for_update().get(**identity)
    latest, document = tariff.current_version, to_document(new_terms)
    if latest is not None and _says_the_same(latest.document, document):
        return latest
    Tariff.objects.filter(pk=tariff.pk).update(**facts)
    number = 1 if latest is None else latest.number + 1
    return TariffVersion.objects.create(tariff=tariff, number=number, document=document)


def _says_the_same(stored: Document, document: Document) -> bool:
    return stored | {"last_updated_at": None} == document | {"last_updated_at": None}
