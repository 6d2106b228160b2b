"""What our side keeps of one simulated payment: the rows that survive a crash, and the world's tariff and timers."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from payments import states as money
from payments.states import Account, Review
from sessions_app import states as session
from sessions_app.states import Life

SESSION_TIMERS = session.Timers(
    command_seconds=30,
    start_seconds=300,
    stop_seconds=60,
    final_meter_seconds=120,
    full_battery_grace_seconds=600,
    stale_seconds=900,
    review_seconds=86_400,
    reboot_grace_seconds=600,
)
MONEY_TIMERS = money.Timers(
    confirmation_warn_seconds=900, confirmation_alert_seconds=86_400, hold_warn_seconds=5 * 86_400
)
CENTS_PER_KWH = 59
NOTHING_WH = 10  # less than this is nothing to charge (B15)
FIRST_RETRY_SECONDS, MAX_RETRY_SECONDS = 2.0, 3600.0
SENT_FOR_SECONDS = 60.0
MOST_CHASES = 20
LASTING = frozenset(
    {Review.METER_DOUBT, Review.LATE_STOP_DIFFERS, Review.FILE_DIFFERS}
)  # no PTP can answer them


def cost_minor(energy_wh: int) -> int:
    """The tariff of this world: energy alone, rounded half up."""
    return (energy_wh * CENTS_PER_KWH + 500) // 1000


def unseen_doubts(before: Account, after: Account, event: money.Event) -> frozenset[Review]:
    """Return the lasting doubts that this event took from the inbox though nobody had looked at them."""
    had, has = {before.review, *before.reviews_after}, {after.review, *after.reviews_after}
    seen: set[Review | None] = {before.review} if isinstance(event, money.ReviewClosed) else set()
    if isinstance(event, money.CaptureAccepted):
        seen = {Review.FILE_DIFFERS}
    return LASTING & (had - has - seen)


@dataclass(slots=True)
class Order:
    """A command row: claimed once, answered or given up at its deadline."""

    kind: str
    deadline_at: datetime
    stray: bool = False  # for a transaction that no session pays for
    sent: bool = False
    over: bool = False


@dataclass(slots=True)
class Letter:
    """An outbox row."""

    topic: str
    due_at: datetime
    attempts: int = 0
    delivered: bool = False


@dataclass(slots=True)
class Rows:
    """What is in the database."""

    life: Life | None = None
    account: Account | None = None
    orders: list[Order] = field(default_factory=list)
    letters: list[Letter] = field(default_factory=list)
    confirmations: dict[str, money.Confirmed] = field(default_factory=dict)
    transaction: str = ""  # "", "open", "closed", "stray"
    energy_wh: int = 0
    cdr_minor: int | None = None
    receipts: int = 0
    credits_minor: int = 0
    stop_at: datetime | None = None
    needs_review: bool = False
    chases: int = 0
