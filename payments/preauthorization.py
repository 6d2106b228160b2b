"""From the price shown to the session started: quotes, and opening a payment for an approved hold."""

import uuid
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import transaction

from chargers.failpoints import failpoint
from chargers.models import Connector
from payments import states
from payments.errors import AmountTooLow, CurrencyMismatch, QuoteExpired, UnknownQuote
from payments.models import OcpiConnection, Payment, PaymentEvent, Ptp, Quote, Terminal
from payments.offers import hold_minor_for, version_on_offer
from payments.settlement import settle_locked, timers
from sessions_app import lifecycle, live_cost
from sessions_app.lifecycle import StartRequest
from tariffs.engine.money import to_minor

MINIMUM_PART = 30  # as 1 EUR is of the 30 EUR that an AC session holds by default


@dataclass(frozen=True, kw_only=True)
class Hold:
    """An approved preauthorisation as the PTP reports it; the amount in minor units."""

    ptp: Ptp
    terminal: Terminal | None
    authorization_reference: str
    authorized_minor: int
    currency: str
    connection: OcpiConnection | None = None
    token: dict[str, Any] = field(default_factory=dict)
    card_scheme: str = ""
    card_last4: str = ""
    language: str = "en"


def give_quote(*, ptp: Ptp, connector: Connector, language: str, now: datetime) -> Quote:
    """Store the price that the driver is about to be shown. Raises UnknownQuote where nothing is sold.

    The least hold covers what a session costs in its first second (a flat fee, a minimum price): a smaller one
    would be used up before any energy flows.
    """
    version = version_on_offer(connector, now)
    if version is None:
        raise UnknownQuote
    terms = version.terms()
    hold_minor = hold_minor_for(connector, terms)
    if hold_minor is None:
        raise UnknownQuote
    at_start = live_cost.begin(terms, time_zone=connector.evse.site.time_zone, started_at=now)
    least_minor = minimum_hold_minor(terms.currency, hold_minor) + at_start.cost().total_incl_minor
    return Quote.objects.create(
        ptp=ptp,
        connector=connector,
        tariff_version=version,
        currency=terms.currency,
        preauthorize_minor=hold_minor,
        minimum_minor=min(least_minor, hold_minor),
        language=language,
        created_at=now,
        valid_until=now + timedelta(seconds=settings.QUOTE_VALID_SECONDS),
    )


def minimum_hold_minor(currency: str, hold_minor: int) -> int:
    """Return the smallest hold that may start a session, besides what its start costs.

    A currency that the CPO's setting does not speak of takes a small part of the hold asked for.
    """
    if currency == settings.CPO_CURRENCY:
        return to_minor(settings.MINIMUM_HOLD, currency)
    return -(-hold_minor // MINIMUM_PART)


def find_quote(*, ptp: Ptp, quote_id: uuid.UUID, connector: Connector) -> Quote:
    """Return this PTP's quote for this connector. Raises UnknownQuote."""
    quote = (
        Quote.objects.select_related("tariff_version")
        .filter(pk=quote_id, ptp=ptp, connector=connector)
        .first()
    )
    if quote is None:
        raise UnknownQuote
    return quote


def open_payment(hold: Hold, quote: Quote, *, now: datetime) -> Payment:
    """Open a payment and request its session, in one transaction; the price is the quote's.

    A connector that cannot start gives a REJECTED session and a payment that is RELEASING at once. Raises
    QuoteExpired, CurrencyMismatch, AmountTooLow; nothing is stored then.
    """
    _check(hold, quote, now)
    failpoint("F01_open_before_tx")
    with transaction.atomic():
        payment = _payment(hold, now)
        payment.save(force_insert=True)
        _journal_opening(payment, now)
        session = lifecycle.request_start(
            StartRequest(
                authorization_id=payment.pk,
                authorization_reference=hold.authorization_reference,
                connector=quote.connector,
                currency=hold.currency,
                limit_minor=hold.authorized_minor,
                tariff_version=quote.tariff_version,
            ),
            actor=f"terminal {hold.terminal.terminal_id}" if hold.terminal else hold.ptp.name,
            now=now,
        )
        payment.session = session
        payment.save(update_fields=["session"])
        failpoint("F02_open_in_tx")
        if session.is_over:
            settle_locked(payment, session, now=now)
    failpoint("F03_open_after_tx")
    return payment


def _check(hold: Hold, quote: Quote, now: datetime) -> None:
    if hold.currency != quote.currency:
        raise CurrencyMismatch(quote.currency)
    if hold.authorized_minor < quote.minimum_minor:
        raise AmountTooLow(quote.minimum_minor, quote.currency)
    if quote.valid_until < now:
        raise QuoteExpired


def _payment(hold: Hold, now: datetime) -> Payment:
    payment = Payment(
        ptp=hold.ptp,
        terminal=hold.terminal,
        connection=hold.connection,
        token=hold.token,
        authorization_reference=hold.authorization_reference,
        currency=hold.currency,
        card_scheme=hold.card_scheme,
        card_last4=hold.card_last4,
        language=hold.language,
        opened_at=now,
        changed_at=now,
        event_count=1,
    )
    payment.account = states.begin(hold.authorized_minor, now, timers())
    payment.authorized_minor = hold.authorized_minor
    return payment


def _journal_opening(payment: Payment, now: datetime) -> None:
    """Write the first line of a payment's journal."""
    PaymentEvent.objects.create(
        payment=payment,
        number=1,
        at=now,
        kind="Authorized",
        state_before="",
        state_after=payment.state,
        data={"authorized_minor": payment.authorized_minor, "currency": payment.currency},
    )
