"""What can be charged at, and what it costs: the screens before the tap."""

import uuid
from typing import Any

from django.utils import timezone
from rest_framework.request import Request
from rest_framework.response import Response

from chargers.facts import EvseStatus
from chargers.models import Connector
from payments.errors import UnknownQuote
from payments.models import Quote
from payments.offers import versions_on_offer
from payments.preauthorization import give_quote
from payments.ptp_api import described
from payments.ptp_api.lookup import (
    Order,
    connector_of,
    language_parameter,
    listing,
    page_of,
    parameter,
    terminal_of,
)
from payments.ptp_api.problems import Problem
from payments.ptp_api.wire import PtpView
from payments.statements import utc
from payments.terminals import connectors_of, language_for
from sessions_app.offering import reasons_against
from tariffs.engine.money import money_string
from tariffs.models import TariffVersion
from tariffs.price_text import price_lines, terms_text

NO_TARIFF = "no_tariff"  # the connector works, but has no price for a card payment
_ORDER = Order(key="pk", name="public_id")


class ConnectorsView(PtpView):
    """The connectors of a terminal."""

    @described.connectors
    def get(self, request: Request) -> Response:
        """List what the terminal sells, with availability and price as of now."""
        terminal = terminal_of(self.caller, parameter(request, "terminal_id"))
        language = language_for(terminal, language_parameter(request))
        connectors, following = page_of(
            request, connectors_of(terminal), _ORDER, among=Connector.objects.all()
        )
        offers = versions_on_offer(connectors, timezone.now())
        lines = {v.pk: _price_lines(v, language) for v in offers.values()}
        reasons = reasons_against([connector.evse for connector in connectors])
        items = []
        for connector in connectors:
            version = offers.get(connector.pk)
            reason = reasons[connector.evse_id] or (None if version else NO_TARIFF)
            items.append(_connector(connector, reason, lines[version.pk] if version else []))
        return Response(listing(items, following))


class QuoteView(PtpView):
    """The price of a connector, binding until the quote ends."""

    @described.quote
    def get(self, request: Request, connector_id: uuid.UUID) -> Response:
        """Give a quote: show it, hold `preauthorize_amount`, and name it when the session is started."""
        terminal_id = parameter(request, "terminal_id")
        terminal = terminal_of(self.caller, terminal_id) if terminal_id else self.caller.terminal
        connector = connector_of(self.caller, connector_id, terminal)
        language = language_for(terminal, language_parameter(request))
        try:
            quote = give_quote(
                ptp=self.caller.ptp, connector=connector, language=language, now=timezone.now()
            )
        except UnknownQuote:
            raise Problem("not_found", "Nothing is sold by card at this connector.") from None
        return Response(_quote(quote))


def _connector(connector: Connector, reason: str | None, lines: list[dict[str, str]]) -> dict[str, Any]:
    evse = connector.evse
    # A charger that is gone has no state: what it reported last may be hours old.
    online = evse.station is not None and evse.station.online
    return {
        "id": str(connector.public_id),
        "evse_uid": evse.uid,
        "label": evse.label,
        "standard": connector.standard,
        "max_power_w": connector.max_power_w,
        "status": evse.status if online else EvseStatus.UNKNOWN,
        "available": reason is None,
        "reason": reason,
        "price_lines": lines,
    }


def _quote(quote: Quote) -> dict[str, Any]:
    return {
        "quote_id": str(quote.pk),
        "currency": quote.currency,
        "preauthorize_amount": money_string(quote.preauthorize_minor, quote.currency),
        "minimum_amount": money_string(quote.minimum_minor, quote.currency),
        "price_lines": _price_lines(quote.tariff_version, quote.language),
        "terms": terms_text(quote.tariff_version.terms(), quote.language),
        "valid_until": utc(quote.valid_until),
    }


def _price_lines(version: TariffVersion, language: str) -> list[dict[str, str]]:
    return [
        {"kind": line.kind, "text": line.text, "amount": line.amount, "unit": line.unit}
        for line in price_lines(version.terms(), language)
    ]
