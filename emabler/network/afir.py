"""What AFIR has to say about a network that was imported: listed, never refused."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from typing import NamedTuple

from chargers.models import Connector
from emabler.network.entries import Network
from tariffs.afir import MIN_POWER_W, Finding, lint
from tariffs.models import Tariff


class _Place(NamedTuple):
    """What decides about AFIR at an EVSE."""

    country: str
    commissioned_on: date | None


def afir_findings(network: Network) -> list[Finding]:
    """Findings on tariffs at fast EVSEs, as far as the file names the tariff or the EVSE.

    Paths point into the file where the tariff is in it. Called after the file was written, which may
    refer to tariffs and EVSEs that were there before.
    """
    numbers = {(t.country_code, t.party_id, t.tariff_id): n for n, t in enumerate(network.tariffs)}
    in_file = {evse.uid for site in network.sites for evse in site.evses}
    places: dict[int, dict[_Place, list[str]]] = defaultdict(lambda: defaultdict(list))
    tariffs = {tariff.pk: tariff for tariff in Tariff.objects.all()}
    for tariff_pk, uid, place in _fast_links():
        tariff = tariffs[tariff_pk]
        if uid in in_file or (tariff.country_code, tariff.party_id, tariff.tariff_id) in numbers:
            places[tariff_pk][place].append(uid)
    return [
        finding
        for tariff_pk, where in sorted(places.items())
        for finding in _of_tariff(tariffs[tariff_pk], where, numbers)
    ]


def _fast_links() -> Iterator[tuple[int, str, _Place]]:
    """Tariff, EVSE and place, for each tariff that is sold at an EVSE with a connector of 50 kW or more."""
    links = Connector.tariffs.through.objects.filter(
        connector__evse__removed=False, connector__evse__connectors__max_power_w__gte=MIN_POWER_W
    )
    rows = links.values_list(
        "tariff_id",
        "connector__evse__uid",
        "connector__evse__site__country",
        "connector__evse__site__commissioned_on",
    )
    for tariff_pk, uid, country, commissioned_on in sorted(set(rows), key=lambda row: (row[0], row[1])):
        yield tariff_pk, uid, _Place(country, commissioned_on)


def _of_tariff(
    tariff: Tariff, where: dict[_Place, list[str]], numbers: dict[tuple[str, str, str], int]
) -> Iterator[Finding]:
    number = numbers.get((tariff.country_code, tariff.party_id, tariff.tariff_id))
    terms = tariff.terms()
    for place, uids in where.items():
        others = f" and {len(uids) - 1} more" if len(uids) > 1 else ""
        for finding in lint(
            terms, max_power_w=MIN_POWER_W, country=place.country, commissioned_on=place.commissioned_on
        ):
            message = f"Tariff {tariff.tariff_id} at EVSE {uids[0]}{others}: {finding.message}"
            path = f"tariffs[{number}].{finding.path}".rstrip(".") if number is not None else finding.path
            yield replace(finding, message=message, path=path)
