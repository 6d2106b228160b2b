"""Our ad hoc tariffs, as a PTP shows them (OCPI 2.3.0 mod_tariffs, Sender).

The list, and, as a terminal that tells a price needs just one, each by its id: OCPI has no such request, but
the flow of a direct payment speaks of it. What is told here is what sessions are priced by from then on.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, ClassVar

from django.db.models.functions import Lower

from payments.ocpi import seen
from payments.ocpi.connections import of_parties
from payments.ocpi.envelope import Reply, unknown
from payments.ocpi.server.pagination import dates, page_of
from payments.ocpi.server.paths import both
from payments.ocpi.server.segments import may_be_id
from payments.ocpi.server.transport import Call, OcpiView
from payments.ocpi.told_tariffs import ToldTariff, document, told_tariffs
from tariffs.models import Tariff


class TariffsView(OcpiView):
    """`/tariffs`: what is published of the parties that are asked for."""

    module: ClassVar[str] = "tariffs"

    def get(self, call: Call) -> Reply:
        """List Tariffs; they count as seen from then on."""
        date_from, date_to = dates(call)
        told = told_tariffs(
            call.connection, call.parties, version=call.version, now=call.now, since=date_from
        )
        chosen = [each for each in told if _is_between(each.changed_at, date_from, date_to)]
        return page_of(call, chosen, write=lambda tariffs: _write(call, tariffs))


def _is_between(at: datetime, date_from: datetime | None, date_to: datetime | None) -> bool:
    return (date_from is None or at >= date_from) and (date_to is None or at < date_to)


def _write(call: Call, tariffs: Sequence[ToldTariff]) -> Iterable[dict[str, Any]]:
    documents = [document(each, call.connection, call.version) for each in tariffs]
    news = {each.tariff_pk: each.shown for each in tariffs if each.is_news}
    seen.note_tariffs(call.connection, news, now=call.now)
    return documents


class TariffView(OcpiView):
    """`/tariffs/[{country_code}/{party_id}/]{tariff_id}`: one of the list."""

    module: ClassVar[str] = "tariffs"

    def get(self, call: Call, tariff_id: str, country_code: str = "", party_id: str = "") -> Reply:
        """Return a Tariff; it counts as seen from then on."""
        if not may_be_id(tariff_id):
            raise unknown("tariff")
        parties = call.parties
        if country_code:
            parties &= {(country_code.upper(), party_id.upper())}
        same_id = (
            Tariff.objects.filter(of_parties(parties))
            .annotate(lower_id=Lower("tariff_id"))
            .filter(lower_id=tariff_id.lower())
        )
        pks = set(same_id.values_list("pk", flat=True))
        told = told_tariffs(call.connection, parties, version=call.version, now=call.now, only=pks)
        told.sort(key=lambda each: _party(each) != call.to_party)
        if not told:
            raise unknown("tariff")
        return Reply(data=next(iter(_write(call, told[:1]))))


def _party(each: ToldTariff) -> tuple[str, str]:
    tariff = each.published.version.tariff
    return tariff.country_code, tariff.party_id


urlpatterns = [
    *both("tariffs", TariffsView, "ocpi-tariffs"),
    *both("tariffs/<str:tariff_id>", TariffView),
    *both("tariffs/<str:country_code>/<str:party_id>/<str:tariff_id>", TariffView),
]
