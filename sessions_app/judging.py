"""The plausibility gate: what a charger told of a whole session is gathered and judged before any CDR is made."""

from collections import Counter
from collections.abc import Sequence
from datetime import datetime

from chargers.models import Transaction
from sessions_app.meter_story import Story, settle
from sessions_app.metering import MAX_CLOCK_SKEW_SECONDS, Point, fits
from sessions_app.metering_power import PowerPoint, contradiction
from sessions_app.models import MeterSample, Session

BEGIN, END = "Transaction.Begin", "Transaction.End"  # OCPP 1.6 §7.43 reading contexts
NO_START_VALUE = "no start value: counted from the first sample"
PLACEHOLDER = "the start value 0 is a placeholder: counted from where the meter stood before"
UNLIKE_BEGIN = (
    "the start value {told} Wh is not the {begin} Wh that the meter showed at the start: counted from these"
)
UNREADABLE_FINAL_VALUE = "the charger ended it without a final value that can be read"


def judge(
    session: Session,
    transaction: Transaction,
    ended_at: datetime,
    *,
    stop_register_wh: int | None,
    final_value_is_due: bool,
) -> Story:
    """Return the judged story of a session that ran until `ended_at`.

    `final_value_is_due`: the charger itself ended it, so a final value that is missing is doubtful; a session
    that was closed by inference has none (B17).
    """
    assert session.started_at is not None, "a session that ended with a transaction has started"
    every = list(MeterSample.objects.filter(session=session))
    samples = [sample for sample in every if sample.register_wh is not None]
    if stop_register_wh is None:
        stop_register_wh = _register_of(samples, END)
    start_wh, doubt = _start(session, transaction, samples, stop_register_wh)
    story = settle(
        start=Point(session.started_at, start_wh),
        samples=[Point(s.sampled_at, s.register_wh or 0, s.parked) for s in samples],
        stop_register_wh=stop_register_wh,
        ended_at=ended_at,
        max_power_w=session.connector.max_power_w,
    )
    if doubt:
        story = story.doubted(doubt, review=True)
    if stop_register_wh is None and final_value_is_due:
        story = story.doubted(UNREADABLE_FINAL_VALUE, review=True)
    powers = _powers(every, session.started_at, ended_at)
    too_little = contradiction(story.energy_wh, powers, max_power_w=session.connector.max_power_w)
    if too_little:
        story = story.doubted(too_little, review=True)
    return story.doubted(*_unreadable(every), *_wrong_clock(session))


def _start(
    session: Session, transaction: Transaction, samples: Sequence[MeterSample], stop_wh: int | None
) -> tuple[int, str]:
    """Return the register at the start, and what is doubtful about it."""
    told, begin = transaction.meter_start_wh, _sample_of(samples, BEGIN)
    if told is None and begin is None:
        # Without any value before the end nothing proves energy: a lifetime counter would be billed whole.
        first = samples[0].register_wh if samples else stop_wh
        return first or 0, NO_START_VALUE
    begin_wh = begin.register_wh or 0 if begin else 0
    if told is None:
        return begin_wh, ""
    if begin is not None and _was_skipped_to(session, told, begin, samples, stop_wh):
        return begin_wh, UNLIKE_BEGIN.format(told=told, begin=begin_wh)
    confirmed = any(sample.context != END for sample in samples)
    before_wh = _stood_before(transaction) if told == 0 and not confirmed else None
    if before_wh is not None and stop_wh is not None and stop_wh >= before_wh:
        return before_wh, PLACEHOLDER
    return told, ""


def _was_skipped_to(
    session: Session, told: int, begin: MeterSample, samples: Sequence[MeterSample], stop_wh: int | None
) -> bool:
    """Whether the meter stood at its own first value, not at the start value that was told.

    Not where it was below that later: there the start value counts from 0 each time, and the sample does not.
    """
    assert session.started_at is not None
    begin_wh = begin.register_wh or 0
    started = Point(session.started_at, told)
    at_begin = Point(max(begin.sampled_at, session.started_at), begin_wh)
    final_wh = samples[-1].register_wh if stop_wh is None else stop_wh
    could_flow = fits(started, at_begin, session.connector.max_power_w)
    later = [s.register_wh or 0 for s in samples if s.sampled_at > begin.sampled_at]
    return begin_wh > told and not could_flow and min([final_wh or 0, *later]) >= begin_wh


def _stood_before(transaction: Transaction) -> int | None:
    """Return where the EVSE's meter stood after its transaction before, None for one that counts from 0 each time.

    Some chargers write 0 for a start that they could not read, and the lifetime counter at the stop: without
    samples between them, hundreds of kWh may look possible.
    """
    earlier = Transaction.objects.filter(
        evse=transaction.evse_id, pk__lt=transaction.pk, meter_start_wh__isnull=False, meter_stop_wh__gt=0
    )
    last = earlier.order_by("-pk").first()
    return last.meter_stop_wh if last is not None and last.meter_start_wh else None


def _sample_of(samples: Sequence[MeterSample], context: str) -> MeterSample | None:
    return next((s for s in samples if s.context == context), None)


def _register_of(samples: Sequence[MeterSample], context: str) -> int | None:
    found = _sample_of(samples, context)
    return found.register_wh if found else None


def _powers(samples: Sequence[MeterSample], started_at: datetime, ended_at: datetime) -> list[PowerPoint]:
    """What was reported of power during the session, also by samples whose register cannot be used.

    While the vehicle pauses, chargers repeat the last power that they had; that is none.
    """
    return [
        PowerPoint(s.sampled_at, 0 if s.parked else s.power_w)
        for s in samples
        if s.power_w is not None and started_at <= s.sampled_at <= ended_at
    ]


def _unreadable(samples: Sequence[MeterSample]) -> list[str]:
    """What came without a register that can be used, by reason; a sample of power alone is no fault."""
    reasons = Counter(s.dropped for s in samples if s.register_wh is None and s.dropped)
    return [f"{count} meter value(s) dropped, {why}" for why, count in sorted(reasons.items())]


def _wrong_clock(session: Session) -> list[str]:
    if abs(session.clock_skew_seconds) <= MAX_CLOCK_SKEW_SECONDS:
        return []
    seconds = round(session.clock_skew_seconds)
    return [f"the charger's clock was wrong: {seconds:+d} s were added to its times (B34)"]
