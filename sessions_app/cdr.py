"""The charge detail record: the final price of a session, frozen once, never beyond the hold."""

import uuid
from datetime import datetime
from decimal import Decimal
from fractions import Fraction
from typing import Any

from django.conf import settings

from chargers.models import Transaction
from sessions_app.live_cost import segment_of, terms_of
from sessions_app.meter_story import Story
from sessions_app.models import CDR, MeterSample, Session
from sessions_app.signed_data import signed_data_of
from tariffs.engine.cost import Cost
from tariffs.engine.pricing import price
from tariffs.engine.usage import Segment, Usage

VOLUME_DIGITS = 4
CDR_NAMESPACE = uuid.UUID(
    "6f9d3c54-5a0e-4d0b-9f3e-5c1f3b6f7a10"
)  # fixed for ever: ids must survive a restore


def cdr_id(session_id: uuid.UUID) -> uuid.UUID:
    """Return the id of a session's CDR: derived, so that no crash can issue a second one under another id."""
    return uuid.uuid5(CDR_NAMESPACE, str(session_id))


def segments_of(session: Session, story: Story) -> tuple[Segment, ...]:
    """Return the story as priced segments, with the power and current that the samples reported."""
    reported = {s.sampled_at: s for s in MeterSample.objects.filter(session=session, dropped="")}
    segments = []
    for step in story.steps:
        sample = reported.get(step.end_at)
        segments.append(
            segment_of(
                step,
                power_w=sample.power_w if sample else None,
                current_a=sample.current_a if sample else None,
            )
        )
    return tuple(segments)


def is_charged(story: Story) -> bool:
    """Whether so little energy is billed at all (B15)."""
    return story.energy_wh >= settings.ZERO_ENERGY_THRESHOLD_WH or settings.CHARGE_ZERO_ENERGY_SESSIONS


def priced(session: Session, story: Story, ended_at: datetime) -> tuple[tuple[Segment, ...], Cost]:
    """Return what a judged story costs by the price of the tap, and the segments it was priced from."""
    assert session.started_at is not None
    segments = segments_of(session, story) or (Segment(session.started_at, ended_at, 0),)
    usage = Usage(session.time_zone, segments, started_at=session.started_at)
    return segments, price(terms_of(session.tariff_snapshot), usage)


def issue(session: Session, transaction: Transaction, story: Story, now: datetime) -> CDR:
    """Freeze the price of an ended session; the part beyond the hold is written off, never charged."""
    assert session.started_at is not None
    assert session.ended_at is not None
    segments, cost = priced(session, story, session.ended_at)
    charged = cost.capped(session.limit_minor)
    return CDR.objects.create(
        id=cdr_id(session.pk),
        session=session,
        issued_at=now,
        started_at=session.started_at,
        ended_at=session.ended_at,
        duration_seconds=session.duration_seconds(),
        energy_wh=story.energy_wh,
        meter_start_wh=transaction.meter_start_wh,
        meter_stop_wh=transaction.meter_stop_wh,
        currency=session.currency,
        total_incl_minor=charged.total_incl_minor,
        total_excl_minor=charged.total_excl_minor,
        limit_minor=session.limit_minor,
        written_off_minor=cost.total_incl_minor - charged.total_incl_minor,
        lines=lines_of(charged),
        vat_groups=vat_groups_of(charged),
        periods=[_period(segment) for segment in segments],
        tariff_snapshot=session.tariff_snapshot,
        time_zone=session.time_zone,
        doubts=list(story.doubts),
        signed_data=signed_data_of(transaction),
    )


def lines_of(cost: Cost) -> list[dict[str, Any]]:
    """Return the cost lines as stored: decimal strings and minor units, summing to the total."""
    return [
        {
            "dimension": str(line.dimension),
            "volume": _volume(line.volume),
            "unit": line.unit,
            "price": None if line.price is None else str(line.price),
            "vat": None if line.vat is None else str(line.vat),
            "excl_minor": line.excl_minor,
            "incl_minor": line.incl_minor,
        }
        for line in cost.lines
    ]


def vat_groups_of(cost: Cost) -> list[dict[str, Any]]:
    """Return net, VAT and gross per rate, in minor units."""
    return [
        {
            "rate": None if group.rate is None else str(group.rate),
            "net_minor": group.net_minor,
            "vat_minor": group.vat_minor,
            "gross_minor": group.gross_minor,
        }
        for group in cost.vat_groups()
    ]


def _volume(exact: Fraction) -> str:
    """Return a volume as decimal text; four digits tell a second and a tenth of a Wh (OCPI: 4 decimals)."""
    return str(round(Decimal(exact.numerator) / Decimal(exact.denominator), VOLUME_DIGITS).normalize() + 0)


def _period(segment: Segment) -> dict[str, Any]:
    return {
        "start_at": segment.start_at.isoformat(),
        "end_at": segment.end_at.isoformat(),
        "energy_wh": str(segment.energy_wh),
        "state": str(segment.state),
        "power_w": None if segment.power_w is None else str(segment.power_w),
        "current_a": None if segment.current_a is None else str(segment.current_a),
    }
