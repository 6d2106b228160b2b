"""The overview: sites with their chargers as they are now, live sessions, recent payments.

A fixed number of queries, whatever the size of the network.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from django.db.models import Count, Q

from chargers.models import EVSE, ChargingStation
from emabler import sweeps
from emabler.portal import words
from emabler.portal.words import Sign
from payments.models import Payment
from payments.receipts import formats
from payments.receipts.paper import connector_name
from payments.states import PaymentState
from sessions_app.models import Session
from sessions_app.states import LIVE

STATIONS_SHOWN = 200  # a screen's worth; more needs search, not scrolling
SESSIONS_SHOWN = 100
PAYMENTS_SHOWN = 20
LANGUAGE = "en"


@dataclass(frozen=True, slots=True)
class EvseRow:
    """An EVSE; `sign` is what its charger last said, which is only history when the charger is gone."""

    label: str
    connectors: str
    sign: Sign
    since: str
    error: str


@dataclass(frozen=True, slots=True)
class StationCard:
    """A charger with what it offers."""

    identity: str
    model: str
    online: bool
    presence: str
    evses: list[EvseRow]


@dataclass(frozen=True, slots=True)
class SiteCard:
    """A site with its chargers."""

    name: str
    address: str
    stations: list[StationCard]


@dataclass(frozen=True, slots=True)
class SessionRow:
    """A live session."""

    id: str
    place: str
    started: str
    sign: Sign
    warning: str
    energy: str
    power: str
    duration: str
    cost: str
    held: str


@dataclass(frozen=True, slots=True)
class PaymentRow:
    """A payment and its flag."""

    session_id: str
    opened: str
    place: str
    card: str
    held: str
    due: str
    captured: str
    sign: Sign
    review: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Overview:
    """All that the overview shows."""

    sites: list[SiteCard]
    sessions: list[SessionRow]
    payments: list[PaymentRow]
    stations: int
    stations_online: int
    sessions_live: int
    payments_open: int
    payments_flagged: int
    hidden_stations: int
    late_sweeps: list[str]
    updated: str


def overview(now: datetime) -> Overview:
    """Read the state of everything."""
    stations = list(
        ChargingStation.objects.select_related("site", "process")
        .prefetch_related("evses__connectors")
        .order_by("site__name", "site__location_id", "identity")
    )
    shown = stations[:STATIONS_SHOWN]
    money = Payment.objects.aggregate(
        open=Count("pk", filter=Q(state__in=[PaymentState.CAPTURING, PaymentState.RELEASING])),
        flagged=Count("pk", filter=~Q(review="")),
    )
    sessions = _live_sessions()
    return Overview(
        sites=_sites(shown, now),
        sessions=[session_row(session, now) for session in sessions[:SESSIONS_SHOWN]],
        payments=[payment_row(payment) for payment in _recent_payments()],
        stations=len(stations),
        stations_online=sum(station.online for station in stations),
        sessions_live=len(sessions),
        payments_open=money["open"],
        payments_flagged=money["flagged"],
        hidden_stations=len(stations) - len(shown),
        late_sweeps=sweeps.late(now),
        updated=f"{now:%H:%M:%S} UTC",
    )


def _live_sessions() -> list[Session]:
    return list(
        Session.objects.filter(state__in=sorted(LIVE))
        .select_related("evse__site", "connector")
        .order_by("-requested_at")
    )


def _recent_payments() -> Iterable[Payment]:
    rows = Payment.objects.select_related("session__evse__site", "terminal").order_by("-opened_at")
    return rows[:PAYMENTS_SHOWN]


def _sites(stations: list[ChargingStation], now: datetime) -> list[SiteCard]:
    cards: dict[int, SiteCard] = {}
    for station in stations:
        site = station.site
        address = ", ".join(
            part for part in (site.address, f"{site.postal_code} {site.city}".strip()) if part
        )
        card = cards.setdefault(site.pk, SiteCard(str(site), address, []))
        card.stations.append(_station(station, site.time_zone, now))
    return list(cards.values())


def _station(station: ChargingStation, zone: str, now: datetime) -> StationCard:
    return StationCard(
        identity=station.identity,
        model=" ".join(part for part in (station.vendor, station.model) if part),
        online=station.online,
        presence=_presence(station, zone, now),
        evses=[_evse(evse, now) for evse in station.evses.all() if not evse.removed],
    )


def _presence(station: ChargingStation, zone: str, now: datetime) -> str:
    """Return since when it is connected or gone; a process that died took its time of death with it."""
    if station.online:
        return f"since {_since(station.connected_at, now)}" if station.connected_at else ""
    seen = max((at for at in (station.disconnected_at, station.last_seen_at) if at), default=None)
    if station.connection_id is not None and station.process is not None:
        seen = max(station.process.alive_at, seen or station.process.alive_at)
    return f"since {formats.moment(seen, zone, LANGUAGE)}" if seen else "never seen"


def _since(at: datetime | None, now: datetime) -> str:
    return formats.duration(int((now - at).total_seconds())) if at else ""


def _evse(evse: EVSE, now: datetime) -> EvseRow:
    connectors = ", ".join(
        f"{connector_name(each.standard)} {formats.number(str(each.max_power_w // 1000), LANGUAGE)} kW"
        for each in evse.connectors.all()
    )
    error = evse.error_code if evse.error_code not in ("", "NoError") else ""
    return EvseRow(evse.label, connectors, words.evse(evse.status), _since(evse.status_at, now), error)


def session_row(session: Session, now: datetime) -> SessionRow:
    """Return a session as the portal lists it."""
    warnings = ["no news from the charger"] if session.stale else []
    warnings += [session.needs_review] if session.needs_review else []
    return SessionRow(
        id=str(session.pk),
        place=f"{session.evse.site} · {session.evse.label}",
        started=formats.moment(session.started_at or session.requested_at, session.time_zone, LANGUAGE),
        sign=words.session(session.state),
        warning="; ".join(warnings),
        energy=formats.energy(session.energy_wh, LANGUAGE),
        power="" if session.power_w is None or session.is_over else formats.power(session.power_w, LANGUAGE),
        duration=formats.duration(session.duration_seconds(now)),
        cost=formats.money(session.cost_incl_minor, session.currency, LANGUAGE),
        held=formats.money(session.limit_minor, session.currency, LANGUAGE),
    )


def payment_row(payment: Payment) -> PaymentRow:
    """Return a payment as the portal lists it."""
    session = payment.session

    def money(minor: int) -> str:
        return formats.money(minor, payment.currency, LANGUAGE)

    return PaymentRow(
        session_id=str(payment.session_id or ""),
        opened=formats.moment(payment.opened_at, session.time_zone if session else "UTC", LANGUAGE),
        place=f"{session.evse.site} · {session.evse.label}" if session else "",
        card=" ".join(part for part in (payment.card_scheme, payment.card_last4) if part),
        held=money(payment.authorized_minor),
        due=money(payment.due_minor),
        captured=money(payment.captured_minor),
        sign=words.payment(payment.state),
        review=words.review(payment.review),
    )
